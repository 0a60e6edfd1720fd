#pragma once

#include <cstdint>

namespace polycast::inline v0 {

/// Why a connection is closed: RFC 6455 §7.4.1, the IANA registry, and polycast's own. Of the private range, 4000–4499
/// invite a reconnect and 4500–4999 say stop.
enum class close_code : std::uint16_t {
    normal = 1000,             ///< the purpose is fulfilled
    going_away = 1001,         ///< the server goes down, or the browser left the page
    protocol_error = 1002,     ///< the peer broke a rule of RFC 6455
    unsupported_data = 1003,   ///< a kind of data this end does not take
    no_status = 1005,          ///< never sent: the peer's close frame named no code
    abnormal = 1006,           ///< never sent: the connection ended without a close frame
    invalid_payload = 1007,    ///< text that is not UTF-8
    policy_violation = 1008,   ///< refused for a reason no other code names
    message_too_big = 1009,    ///< over a limit of this end
    extension_missing = 1010,  ///< a client: the server did not negotiate an extension that it needs
    internal_error = 1011,     ///< a fault on this side
    service_restart = 1012,    ///< reconnect, after a random delay
    try_again_later = 1013,    ///< a connection limit
    bad_gateway = 1014,        ///< an upstream server failed
    tls_failure = 1015,        ///< never sent: the TLS handshake failed

    stale = 4000,         ///< heard nothing for too long
    slow_reader = 4001,   ///< took events more slowly than they came
    replaced = 4002,      ///< another connection took over the session
    migrate = 4003,       ///< connect again, to be served elsewhere
    unauthorized = 4500,  ///< credentials missing or wrong
    blocked = 4501,       ///< shut out
    origin = 4502,        ///< the page's origin is not allowed
};

/// Whether a close frame may name `code`. RFC 6455 §7.4.2: 0–999 are not used; 1004 is reserved, 1005, 1006 and 1015
/// MUST NOT be set in a frame; 1016–2999 wait for a specification; 3000–4999 are for libraries and applications.
[[nodiscard]] constexpr bool is_receivable(std::uint16_t code) noexcept
{
    return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) || (code >= 3000 && code <= 4999);
}

[[nodiscard]] constexpr bool is_receivable(close_code code) noexcept
{
    return is_receivable(static_cast<std::uint16_t>(code));
}

/// Whether this end may put `code` on the wire: the same set (RFC 6455 §7.4.2 makes no difference between the ends).
[[nodiscard]] constexpr bool is_sendable(close_code code) noexcept
{
    return is_receivable(code);
}

/// Whether a client that was closed with `code` should connect again. Fatal codes are those that a new connection would
/// meet again.
[[nodiscard]] constexpr bool invites_reconnect(close_code code) noexcept
{
    switch (code) {
    case close_code::going_away:
    case close_code::no_status:
    case close_code::abnormal:
    case close_code::internal_error:
    case close_code::service_restart:
    case close_code::try_again_later:
    case close_code::bad_gateway: return true;
    default: break;
    }
    auto const value = static_cast<std::uint16_t>(code);
    return value >= 4000 && value <= 4499;
}

}  // namespace polycast::inline v0
