#pragma once

#include <polycast/compression/policy.hpp>
#include <polycast/handshake/client_upgrade.hpp>
#include <polycast/handshake/fields.hpp>
#include <polycast/session/client_backoff.hpp>
#include <polycast/session/client_url.hpp>

#include <chrono>
#include <cstddef>
#include <string>

namespace polycast::inline v0 {

/// When a server that says nothing is given up.
struct client_heartbeat {
    std::chrono::milliseconds interval = std::chrono::seconds{30};  ///< between pings; 0: none are sent
    std::chrono::milliseconds timeout = std::chrono::seconds{90};   ///< without a byte from the server; 0: for ever
};

/// What a client is told at run time.
struct client_options {
    /// `ws://host:port/path?query`; the port may be left out (80), and the path. `wss://…` (443) with `transport::tls`,
    /// `ws+unix:/path/to/socket:/path?query` with `transport::unix_socket`.
    std::string url{};
    header_list headers{};  ///< added to the upgrade request; not those that the handshake writes itself
    std::string token{};     ///< sent as `Authorization: Bearer …`; empty: not sent
    std::string proxy{};     ///< `http://[user:password@]host:port`, asked for a tunnel (CONNECT); empty: none
    backoff_options backoff{};
    bool reconnect = true;
    unsigned max_attempts = 0;  ///< failed attempts in a row until the client stops; 0: no limit
    std::chrono::milliseconds connect_timeout = std::chrono::seconds{10};  ///< until the upgrade is answered, and `$hello` said
    std::chrono::milliseconds close_timeout = std::chrono::seconds{5};     ///< for the server to end the connection; before, for answers
    client_heartbeat heartbeat{};
    compression::options compression{};                ///< the numbers of the compression policy
    std::size_t max_message_bytes = 64 * 1024 * 1024;  ///< received, also when decompressed; a longer one: 1009
    std::size_t max_dictionary_bytes = 1024 * 1024;    ///< that a server may have this client fetch
    std::size_t max_queued_bytes = 1024 * 1024;        ///< unsent or unanswered, with a few bytes a message; never more
    std::size_t max_queued_messages = 1000;            ///< while there is no connection
    std::size_t read_buffer_bytes = 64 * 1024;
};

/// What is impossible in `o`, one sentence each; empty if all is well. The URL is judged when it is connected to: it may
/// be what a user has typed.
[[nodiscard]] inline std::string faults(client_options const& o)
{
    std::string found;
    auto const check = [&](bool fine, char const* sentence) {
        if (!fine)
            found.append(found.empty() ? "" : "; ").append(sentence);
    };
    bool legal = true, own = false;
    for (auto const& [name, value] : o.headers) {
        legal = legal && detail::is_token(name) && detail::is_field_value(value);
        own = own || detail::is_handshake_field(name);
    }
    check(legal, "headers must have a token as name, and no control character in their value");
    check(!own, "headers must not name Host, Upgrade, Connection, Content-Length, Transfer-Encoding or Sec-WebSocket-*");
    check(detail::is_field_value(o.token), "token must have no control character");
    check(o.proxy.empty() || parse_proxy_url(o.proxy), "proxy must be http://[user:password@]host:port");
    check(o.backoff.initial.count() >= 0 && o.backoff.cap.count() >= 0, "backoff times must not be negative");
    check(o.backoff.factor >= 1, "backoff.factor must be 1 or more");
    check(o.connect_timeout.count() > 0, "connect_timeout must be above 0");
    check(o.close_timeout.count() > 0, "close_timeout must be above 0");
    check(o.heartbeat.interval.count() >= 0 && o.heartbeat.timeout.count() >= 0, "heartbeat times must not be negative");
    check(o.max_message_bytes > 0, "max_message_bytes must be above 0");
    check(o.max_queued_bytes > 0, "max_queued_bytes must be above 0");
    check(o.read_buffer_bytes >= 1024, "read_buffer_bytes must be 1024 or more");
    return found;
}

}  // namespace polycast::inline v0
