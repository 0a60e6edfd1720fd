#pragma once

#include <polycast/handshake/accept_key.hpp>
#include <polycast/handshake/answer.hpp>
#include <polycast/handshake/error.hpp>
#include <polycast/handshake/extension_grammar.hpp>
#include <polycast/handshake/fields.hpp>
#include <polycast/handshake/head.hpp>

#include <cstddef>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

namespace polycast::inline v0 {

/// What a client asks for.
struct client_offer {
    std::string host;          ///< with the port, unless it is the scheme's own
    std::string target = "/";  ///< path and query, encoded
    websocket_key key{};       ///< `make_websocket_key` of 16 fresh random bytes
    std::vector<std::string> subprotocols;
    std::string extensions;  ///< the value of the field; empty: none
    header_list headers;     ///< cookies, credentials, `Origin`
};

namespace detail {

/// Notes whether an extension is named that is not among those of `offered`, the value of a field.
struct unoffered_extensions {
    std::string_view offered;
    bool found = false;

    struct comparison {
        std::string_view wanted;
        bool found = false;
        void extension(std::string_view name) noexcept { found = found || name == wanted; }
        static void parameter(std::string_view) noexcept {}
        static void value(std::string_view) noexcept {}
    };
    void extension(std::string_view name)
    {
        comparison names{name};
        found = found || !extension_reader<comparison>(offered, names).read() || !names.found;
    }
    static void parameter(std::string_view) noexcept {}
    static void value(std::string_view) noexcept {}
};

[[nodiscard]] inline bool well_formed_extensions(std::string_view text)
{
    no_extensions sink;
    return extension_reader<no_extensions>(text, sink).read();
}

/// How often `token` stands in `tokens`.
[[nodiscard]] inline std::size_t count_of(std::vector<std::string> const& tokens, std::string_view token) noexcept
{
    std::size_t count = 0;
    for (std::string const& one : tokens)
        count += one == token;
    return count;
}

/// A field that only the handshake writes.
[[nodiscard]] constexpr bool is_handshake_field(std::string_view name) noexcept
{
    return iequal(name, "Host") || iequal(name, "Upgrade") || iequal(name, "Connection") ||
           iequal(name, "Content-Length") || iequal(name, "Transfer-Encoding") ||
           iequal(name.substr(0, 14), "Sec-WebSocket-");
}

}  // namespace detail

/// Writes the client's opening handshake (RFC 6455 §4.1) to `out`. `handshake_error::bad_request` if a part of `offer`
/// cannot stand in a request, or a field is one that the handshake writes itself.
[[nodiscard]] inline std::error_code make_request(client_offer const& offer, std::string& out)
{
    std::string const key(offer.key.data(), offer.key.size());
    bool legal = detail::is_host(offer.host) && offer.target.starts_with('/') && detail::is_target(offer.target) &&
                 is_websocket_key(key) && (offer.extensions.empty() || detail::well_formed_extensions(offer.extensions));
    out = "GET " + offer.target + " HTTP/1.1\r\nHost: " + offer.host +
          "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " + key +
          "\r\n";
    if (!offer.subprotocols.empty()) {
        std::string list;
        for (std::string const& one : offer.subprotocols) {
            legal = legal && detail::is_token(one) && detail::count_of(offer.subprotocols, one) == 1;
            list.append(list.empty() ? "" : ", ").append(one);
        }
        detail::append_field(out, "Sec-WebSocket-Protocol", list);
    }
    if (!offer.extensions.empty())
        detail::append_field(out, "Sec-WebSocket-Extensions", offer.extensions);
    for (auto const& [name, value] : offer.headers) {
        legal = legal && !detail::is_handshake_field(name) && detail::is_token(name) && detail::is_field_value(value);
        detail::append_field(out, name, value);
    }
    out += "\r\n";
    return legal ? std::error_code{} : make_error_code(handshake_error::bad_request);
}

/// Checks the server's answer to `offer` (RFC 6455 §4.1, the numbered steps). Afterwards the subprotocol is
/// `answer.header("Sec-WebSocket-Protocol")`, empty if the server chose none.
[[nodiscard]] inline std::error_code verify_response(response const& answer, client_offer const& offer)
{
    switch (answer.status()) {
    case 101: break;
    case 401:
    case 407: return handshake_error::unauthorized;
    case 403: return handshake_error::forbidden;
    case 429:
    case 503: return handshake_error::overloaded;
    default: return handshake_error::refused;
    }
    if (answer.count("Upgrade") != 1 || !detail::iequal(answer.header("Upgrade"), "websocket"))
        return handshake_error::bad_upgrade;
    if (!answer.has_token("Connection", "Upgrade"))
        return handshake_error::bad_connection;
    accept_value const wanted = accept_key({offer.key.data(), offer.key.size()});
    if (answer.count("Sec-WebSocket-Accept") != 1 ||
        answer.header("Sec-WebSocket-Accept") != std::string_view(wanted.data(), wanted.size()))
        return handshake_error::bad_accept;
    if (answer.count("Sec-WebSocket-Extensions") != 0) {
        detail::unoffered_extensions unoffered{offer.extensions};
        if (!detail::read_extensions(answer, unoffered))
            return handshake_error::bad_response;
        if (unoffered.found)
            return handshake_error::unoffered_extension;
    }
    if (std::size_t const named = answer.count("Sec-WebSocket-Protocol");
        named > 1 || (named == 1 && detail::count_of(offer.subprotocols, answer.header("Sec-WebSocket-Protocol")) == 0))
        return handshake_error::unoffered_subprotocol;
    return {};
}

}  // namespace polycast::inline v0
