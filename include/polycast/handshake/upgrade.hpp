#pragma once

#include <polycast/detail/base64.hpp>
#include <polycast/handshake/accept_key.hpp>
#include <polycast/handshake/error.hpp>
#include <polycast/handshake/extension.hpp>
#include <polycast/handshake/fields.hpp>
#include <polycast/handshake/head.hpp>
#include <polycast/handshake/request.hpp>
#include <polycast/handshake/response.hpp>

#include <algorithm>
#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

namespace polycast::inline v0 {

/// Whether the client asks for WebSocket. If not, it is a plain HTTP request.
[[nodiscard]] inline bool is_upgrade(request const& asked) noexcept
{
    return asked.has_token("Upgrade", "websocket");
}

/// The outcome of `check_upgrade`: a refusal to send, or what the client wants to hear.
struct upgrade_result {
    std::optional<http_response> refusal;
    accept_value accept{};
    std::vector<extension_offer> extensions;  ///< what the client offers; to decline all is always right

    [[nodiscard]] bool accepted() const noexcept { return !refusal; }
};

/// Reads a client's opening handshake (RFC 6455 §4.2.1). Who may connect is for the guards to say.
[[nodiscard]] inline upgrade_result check_upgrade(request const& asked)
{
    upgrade_result result;
    auto const refuse = [&](int status, std::string_view text, header_list headers = {}) {
        result.refusal = detail::refusal(status, text, std::move(headers));
        return std::move(result);
    };
    if (asked.method() != "GET")
        return refuse(405, "a WebSocket handshake is a GET", {{"Allow", "GET"}});
    if (!is_upgrade(asked) || !asked.has_token("Connection", "Upgrade"))
        return refuse(426, "this address speaks WebSocket", {{"Upgrade", "websocket"}});
    if (asked.has_body())
        return refuse(400, "a WebSocket handshake has no body");
    // RFC 6455 §4.4: the answer names the versions that are understood.
    if (asked.header("Sec-WebSocket-Version") != "13")
        return refuse(426, "WebSocket version 13 is spoken here",
                      {{"Upgrade", "websocket"}, {"Sec-WebSocket-Version", "13"}});
    if (!is_websocket_key(asked.header("Sec-WebSocket-Key")))
        return refuse(400, "Sec-WebSocket-Key is not 16 bytes in base64");
    // RFC 6455 §4.1: the elements "MUST all be unique strings".
    std::vector<std::string_view> offered = asked.header_elements("Sec-WebSocket-Protocol");
    std::sort(offered.begin(), offered.end());
    if (!std::all_of(offered.begin(), offered.end(), detail::is_token) ||
        std::adjacent_find(offered.begin(), offered.end()) != offered.end())
        return refuse(400, "malformed Sec-WebSocket-Protocol");
    auto extensions = parse_extensions(asked);
    if (!extensions)
        return refuse(400, "malformed Sec-WebSocket-Extensions");
    result.extensions = std::move(*extensions);
    result.accept = accept_key(asked.header("Sec-WebSocket-Key"));
    return result;
}

/// Before a token in `Sec-WebSocket-Protocol`: a credential, not a protocol. Never echoed.
inline constexpr std::string_view bearer_prefix = "bearer.";

/// The first of `preferred` that the client offers (RFC 6455 §4.2.2, step 5.5); empty if there is none, and then the
/// handshake completes without one.
[[nodiscard]] inline std::string_view choose_subprotocol(std::span<std::string_view const> preferred,
                                                         request const& asked)
{
    std::vector<std::string_view> const offered = asked.header_elements("Sec-WebSocket-Protocol");
    for (std::string_view const token : preferred)
        if (!token.starts_with(bearer_prefix) && std::find(offered.begin(), offered.end(), token) != offered.end())
            return token;
    return {};
}

/// The credential that rides as a subprotocol `bearer.<base64url>`, decoded, if there is one.
[[nodiscard]] inline std::optional<std::string> bearer_token(request const& asked)
{
    for (std::string_view const token : asked.header_elements("Sec-WebSocket-Protocol"))
        if (token.starts_with(bearer_prefix))
            return detail::base64url_decode(token.substr(bearer_prefix.size()));
    return {};
}

/// The response that completes the handshake (RFC 6455 §4.2.2). An empty `subprotocol` or `extensions` is left out.
[[nodiscard]] inline std::string switching_response(accept_value const& accept, std::string_view subprotocol = {},
                                                    std::string_view extensions = {}, header_list const& more = {})
{
    std::string out = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n";
    detail::append_field(out, "Sec-WebSocket-Accept", {accept.data(), accept.size()});
    if (!subprotocol.empty())
        detail::append_field(out, "Sec-WebSocket-Protocol", subprotocol);
    if (!extensions.empty())
        detail::append_field(out, "Sec-WebSocket-Extensions", extensions);
    for (auto const& [name, value] : more)
        detail::append_field(out, name, value);
    return out += "\r\n";
}

/// What a client asks for.
struct client_offer {
    std::string host;          ///< with the port, unless it is the scheme's own
    std::string target = "/";  ///< path and query, encoded
    websocket_key key{};       ///< `make_websocket_key` of 16 fresh random bytes
    std::vector<std::string> subprotocols;
    std::string extensions;  ///< the value of the field; empty: none
    header_list headers;     ///< cookies, credentials, `Origin`
};

/// Writes the client's opening handshake (RFC 6455 §4.1) to `out`. `handshake_error::bad_request` if a part of `offer`
/// cannot stand in a request, or a field is one that the handshake writes itself.
[[nodiscard]] inline std::error_code make_request(client_offer const& offer, std::string& out)
{
    std::string const key(offer.key.data(), offer.key.size());
    bool legal = detail::is_host(offer.host) && offer.target.starts_with('/') && detail::is_target(offer.target) &&
                 is_websocket_key(key) && (offer.extensions.empty() || parse_extensions(offer.extensions));
    out = "GET " + offer.target + " HTTP/1.1\r\nHost: " + offer.host +
          "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " + key +
          "\r\n";
    if (!offer.subprotocols.empty()) {
        std::string list;
        for (auto one = offer.subprotocols.begin(); one != offer.subprotocols.end(); ++one) {
            legal = legal && detail::is_token(*one) && std::find(offer.subprotocols.begin(), one, *one) == one;
            list.append(list.empty() ? "" : ", ").append(*one);
        }
        detail::append_field(out, "Sec-WebSocket-Protocol", list);
    }
    if (!offer.extensions.empty())
        detail::append_field(out, "Sec-WebSocket-Extensions", offer.extensions);
    for (auto const& [name, value] : offer.headers) {
        bool const own = detail::iequal(name, "Host") || detail::iequal(name, "Upgrade") ||
                         detail::iequal(name, "Connection") || detail::iequal(name, "Content-Length") ||
                         detail::iequal(name, "Transfer-Encoding") ||
                         detail::iequal(std::string_view(name).substr(0, 14), "Sec-WebSocket-");
        legal = legal && !own && detail::is_token(name) && detail::is_field_value(value);
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
    auto const chosen = parse_extensions(answer);
    if (!chosen)
        return handshake_error::bad_response;
    auto const offered = parse_extensions(offer.extensions);
    for (extension_offer const& one : *chosen)
        if (!offered || std::none_of(offered->begin(), offered->end(), [&](auto& o) { return o.name == one.name; }))
            return handshake_error::unoffered_extension;
    auto const& tokens = offer.subprotocols;
    std::size_t const named = answer.count("Sec-WebSocket-Protocol");
    if (named > 1 || (named == 1 &&
                      std::find(tokens.begin(), tokens.end(), answer.header("Sec-WebSocket-Protocol")) == tokens.end()))
        return handshake_error::unoffered_subprotocol;
    return {};
}

}  // namespace polycast::inline v0
