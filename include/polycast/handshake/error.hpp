#pragma once

#include <polycast/error.hpp>

#include <string>
#include <system_error>
#include <type_traits>

namespace polycast::inline v0 {

/// Why a client's opening handshake failed. A server tells its refusals as HTTP responses instead.
enum class handshake_error {
    /// The host, target, a subprotocol or a header field given to the client cannot be put into a request.
    bad_request = 1,
    /// The response is not HTTP/1.1 (RFC 9112 §4, §5).
    bad_response,
    /// The response head is longer than the limit, or has too many fields.
    head_too_large,
    /// The status is not 101 (RFC 6455 §4.1): the server does not speak WebSocket at this address, or will not.
    refused,
    /// Status 401, or 407 of a proxy: credentials are missing or wrong (RFC 9110 §15.5.2, §15.5.8).
    unauthorized,
    /// Status 403: the server will not serve this client (RFC 9110 §15.5.4).
    forbidden,
    /// Status 429 or 503: try again later (RFC 6585 §4, RFC 9110 §15.6.4).
    overloaded,
    /// `Upgrade` is missing or is not `websocket` (RFC 6455 §4.1, step 2).
    bad_upgrade,
    /// `Connection` is missing or lacks `Upgrade` (RFC 6455 §4.1, step 3).
    bad_connection,
    /// `Sec-WebSocket-Accept` does not answer the key that was sent (RFC 6455 §4.1, step 4).
    bad_accept,
    /// An extension that was not offered (RFC 6455 §4.1, step 5).
    unoffered_extension,
    /// A subprotocol that was not offered (RFC 6455 §4.1, step 6).
    unoffered_subprotocol,
    /// Parameters of an extension that are illegal or not what was offered (RFC 7692 §7.1).
    bad_extension,
    /// The URL's scheme is not that of the client's transport: `wss:` is for `transport::tls`, `ws+unix:` for
    /// `transport::unix_socket`, `ws:` for the others. A Unix socket has no proxy either.
    scheme_mismatch,
    /// The proxy answered CONNECT with a status other than 2xx (RFC 9110 §9.3.6).
    proxy_refused,
    /// What the proxy sent is no answer to CONNECT, is too large, or ended before it was whole.
    bad_proxy_response,
};

}  // namespace polycast::inline v0

template <>
struct std::is_error_code_enum<polycast::handshake_error> : std::true_type {
};

namespace polycast::inline v0 {

class handshake_category_type final : public std::error_category {
    char const* name() const noexcept override { return "polycast.handshake"; }
    std::string message(int value) const override
    {
        switch (static_cast<handshake_error>(value)) {
        case handshake_error::bad_request: return "host, target, subprotocol or field cannot be put into a request";
        case handshake_error::bad_response: return "the response is not HTTP/1.1";
        case handshake_error::head_too_large: return "the response head is too large";
        case handshake_error::refused: return "the server refused the upgrade";
        case handshake_error::unauthorized: return "the server or the proxy wants other credentials";
        case handshake_error::forbidden: return "the server forbids the connection";
        case handshake_error::overloaded: return "the server asks to try again later";
        case handshake_error::bad_upgrade: return "the response does not upgrade to websocket";
        case handshake_error::bad_connection: return "the response does not name the upgrade as a connection option";
        case handshake_error::bad_accept: return "the response does not answer the key that was sent";
        case handshake_error::unoffered_extension: return "the server chose an extension that was not offered";
        case handshake_error::unoffered_subprotocol: return "the server chose a subprotocol that was not offered";
        case handshake_error::bad_extension: return "the server answers an extension with illegal parameters";
        case handshake_error::scheme_mismatch: return "the URL's scheme is for another transport: wss for tls, ws+unix for unix_socket, ws for tcp";
        case handshake_error::proxy_refused: return "the proxy refused to connect to the server";
        case handshake_error::bad_proxy_response: return "the proxy's answer is not HTTP";
        }
        return "unknown handshake error";
    }
    std::error_condition default_error_condition(int value) const noexcept override
    {
        switch (static_cast<handshake_error>(value)) {
        case handshake_error::bad_request:
        case handshake_error::scheme_mismatch: return failure::validation;
        case handshake_error::proxy_refused: return failure::connection;
        case handshake_error::unauthorized: return failure::authentication;
        case handshake_error::forbidden: return failure::security;
        case handshake_error::overloaded: return failure::rate_limit;
        default: return failure::protocol;
        }
    }
};

inline handshake_category_type const handshake_category{};

inline std::error_code make_error_code(handshake_error e) noexcept
{
    return {static_cast<int>(e), handshake_category};
}

}  // namespace polycast::inline v0
