#pragma once

#include <string>
#include <system_error>
#include <type_traits>

namespace polycast::inline v0 {

/// What callers branch on. Every error code of the library is equivalent to one of these conditions:
/// `if (ec == polycast::failure::protocol)`.
enum class failure {
    connection = 1,  ///< the transport failed or the peer is gone
    authentication,  ///< who the peer is could not be established
    validation,      ///< the input was understood and is not acceptable
    rate_limit,      ///< too much, too often, or too many; worth a later attempt
    internal,        ///< a fault on this side
    timeout,         ///< a deadline passed
    protocol,        ///< the peer broke a rule of HTTP, RFC 6455 or WIRE
    security,        ///< an attempt at something forbidden
};

}  // namespace polycast::inline v0

template <>
struct std::is_error_condition_enum<polycast::failure> : std::true_type {};

namespace polycast::inline v0 {

class failure_category_type final : public std::error_category {
    char const* name() const noexcept override { return "polycast.failure"; }
    std::string message(int value) const override
    {
        switch (static_cast<failure>(value)) {
        case failure::connection: return "connection failed";
        case failure::authentication: return "not authenticated";
        case failure::validation: return "not acceptable";
        case failure::rate_limit: return "over a limit";
        case failure::internal: return "internal error";
        case failure::timeout: return "timed out";
        case failure::protocol: return "protocol violated";
        case failure::security: return "forbidden";
        }
        return "unknown failure";
    }
};

inline failure_category_type const failure_category{};

/// The condition for `f`; found by ADL, so that an `error_code` compares with a `failure`.
inline std::error_condition make_error_condition(failure f) noexcept
{
    return {static_cast<int>(f), failure_category};
}

}  // namespace polycast::inline v0
