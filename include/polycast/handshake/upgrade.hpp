#pragma once

#include <polycast/detail/base64.hpp>
#include <polycast/handshake/accept_key.hpp>
#include <polycast/handshake/extension_grammar.hpp>
#include <polycast/handshake/fields.hpp>
#include <polycast/handshake/request.hpp>
#include <polycast/handshake/response.hpp>

#include <array>
#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace polycast::inline v0 {

/// Whether the client asks for WebSocket. If not, it is a plain HTTP request.
[[nodiscard]] inline bool is_upgrade(request const& asked) noexcept
{
    return asked.has_token("Upgrade", "websocket");
}

/// The outcome of `check_upgrade`: a refusal to send, or what the client wants to hear.
struct upgrade_result {
    bool refused = false;
    http_response refusal{};
    accept_value accept{};

    [[nodiscard]] bool accepted() const noexcept { return !refused; }
};

namespace detail {

/// RFC 6455 §4.1: the elements "MUST all be unique strings" that are tokens. More than any client has a use for are
/// malformed too.
[[nodiscard]] inline bool subprotocols_well_formed(request const& asked)
{
    std::array<std::string_view, 64> seen;
    std::size_t count = 0;
    bool good = true;
    asked.for_each_element("Sec-WebSocket-Protocol", [&](std::string_view token) {
        good = good && count != seen.size() && is_token(token);
        for (std::size_t i = 0; good && i != count; ++i)
            good = seen[i] != token;
        if (good)
            seen[count++] = token;
    });
    return good;
}

}  // namespace detail

/// Reads a client's opening handshake (RFC 6455 §4.2.1). Who may connect is for the guards to say.
[[nodiscard]] inline upgrade_result check_upgrade(request const& asked)
{
    upgrade_result result;
    auto const refuse = [&](int status, std::string_view text, header_list headers = {}) {
        result.refused = true;
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
    if (!detail::subprotocols_well_formed(asked))
        return refuse(400, "malformed Sec-WebSocket-Protocol");
    // None is taken up, and to decline all is always right; but the grammar must hold (RFC 6455 §9.1).
    detail::no_extensions ignored;
    if (!detail::read_extensions(asked, ignored))
        return refuse(400, "malformed Sec-WebSocket-Extensions");
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
    for (std::string_view const token : preferred) {
        bool offered = false;
        asked.for_each_element("Sec-WebSocket-Protocol", [&](std::string_view one) { offered |= one == token; });
        if (offered && !token.starts_with(bearer_prefix))
            return token;
    }
    return {};
}

/// The credential that rides as a subprotocol `bearer.<base64url>`, decoded, if there is one.
[[nodiscard]] inline std::optional<std::string> bearer_token(request const& asked)
{
    std::string_view credential;
    asked.for_each_element("Sec-WebSocket-Protocol", [&](std::string_view one) {
        if (credential.empty() && one.starts_with(bearer_prefix))
            credential = one;
    });
    if (credential.empty())
        return {};
    return detail::base64url_decode(credential.substr(bearer_prefix.size()));
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

}  // namespace polycast::inline v0
