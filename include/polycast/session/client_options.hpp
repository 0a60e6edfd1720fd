#pragma once

#include <polycast/handshake/fields.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace polycast::inline v0 {

/// How much of a delay is left to chance, so that clients which lost one server do not return in one instant.
enum class jitter : std::uint8_t {
    none,
    half,  ///< the delay ± 50 %
    full,  ///< anything between nothing and the delay
};

/// How long a client waits before it connects again: `initial`, then `factor` times more each time, up to `cap`.
struct backoff_options {
    std::chrono::milliseconds initial = std::chrono::seconds{1};
    double factor = 2;
    std::chrono::milliseconds cap = std::chrono::seconds{30};
    jitter spread = jitter::half;
};

/// When a server that says nothing is given up.
struct client_heartbeat {
    std::chrono::milliseconds interval = std::chrono::seconds{30};  ///< between pings; 0: none are sent
    std::chrono::milliseconds timeout = std::chrono::seconds{90};   ///< without a byte from the server; 0: for ever
};

/// What a client is told at run time.
struct client_options {
    std::string url{};  ///< `ws://host:port/path?query`; the port may be left out (80), and the path
    header_list headers{};  ///< added to the upgrade request
    std::string token{};     ///< sent as `Authorization: Bearer …`; empty: not sent
    backoff_options backoff{};
    bool reconnect = true;
    unsigned max_attempts = 0;  ///< failed attempts in a row until the client stops; 0: no limit
    std::chrono::milliseconds connect_timeout = std::chrono::seconds{10};  ///< until the upgrade is answered
    std::chrono::milliseconds close_timeout = std::chrono::seconds{5};     ///< for the server to end the connection
    client_heartbeat heartbeat{};
    std::size_t max_message_bytes = 64 * 1024 * 1024;  ///< received; a longer one is answered with 1009
    std::size_t max_queued_bytes = 1024 * 1024;        ///< to be sent, a few bytes a message included; never more
    std::size_t max_queued_messages = 1000;            ///< while there is no connection
    std::size_t read_buffer_bytes = 64 * 1024;
};

/// The delay before the attempt that follows `failures` failed ones in a row. `random` is any 64 bits.
[[nodiscard]] inline std::chrono::milliseconds backoff_delay(backoff_options const& options, unsigned failures,
                                                             std::uint64_t random) noexcept
{
    double const cap = static_cast<double>(options.cap.count());
    double delay = static_cast<double>(options.initial.count());
    for (unsigned i = 0; i < failures && delay < cap; ++i)
        delay *= options.factor;
    delay = delay < cap ? delay : cap;
    double const chance = static_cast<double>(random >> 11) * 0x1p-53;  // 0 … 1
    switch (options.spread) {
    case jitter::none: break;
    case jitter::half: delay *= 0.5 + chance; break;
    case jitter::full: delay *= chance; break;
    }
    return std::chrono::milliseconds{static_cast<std::int64_t>(delay)};
}

/// The parts of a WebSocket URI (RFC 6455 §3).
struct websocket_url {
    bool secure = false;
    std::string host;         ///< without the brackets of an IPv6 address
    std::uint16_t port = 80;
    std::string authority;    ///< as the `Host` field names it
    std::string target = "/"; ///< path and query
};

/// Nothing if `url` is no WebSocket URI. User information and a fragment are refused (RFC 6455 §3: "Fragment
/// identifiers are meaningless […] and MUST NOT be used").
[[nodiscard]] inline std::optional<websocket_url> parse_websocket_url(std::string_view url)
{
    websocket_url parts;
    if (url.starts_with("wss://")) {
        parts.secure = true;
        parts.port = 443;
    } else if (!url.starts_with("ws://")) {
        return {};
    }
    url.remove_prefix(parts.secure ? 6 : 5);
    if (url.find_first_of("#@ ") != std::string_view::npos)
        return {};
    std::size_t const end = url.find_first_of("/?");
    std::string_view const authority = url.substr(0, end);
    parts.authority = authority;
    if (end != std::string_view::npos)
        parts.target = (url[end] == '?' ? "/" : "") + std::string(url.substr(end));
    bool const bracketed = authority.starts_with('[');
    std::size_t const close = bracketed ? authority.find(']') : authority.find(':');
    if (bracketed && close == std::string_view::npos)
        return {};
    parts.host = bracketed ? authority.substr(1, close - 1) : authority.substr(0, close);
    std::string_view after = close == std::string_view::npos ? "" : authority.substr(close + (bracketed ? 1 : 0));
    if (parts.host.empty() || (!after.empty() && (after.front() != ':' || after.size() > 6 || after.size() < 2)))
        return {};
    if (!after.empty()) {
        unsigned port = 0;
        for (char const digit : after.substr(1)) {
            if (digit < '0' || digit > '9')
                return {};
            port = port * 10 + static_cast<unsigned>(digit - '0');
        }
        if (port == 0 || port > 0xFFFF)
            return {};
        parts.port = static_cast<std::uint16_t>(port);
    }
    return parts;
}

}  // namespace polycast::inline v0
