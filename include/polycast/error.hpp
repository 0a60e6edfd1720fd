#pragma once

#include <string>
#include <string_view>
#include <system_error>
#include <type_traits>

namespace polycast::inline v0 {

/// What callers branch on. Every error code of the library is equivalent to one of these conditions, and so are those of
/// the system that say that a connection was lost or never came about: `if (ec == polycast::failure::protocol)`.
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
    /// The system's errors are conditions too: those of a connection that was lost, or never came about.
    bool equivalent(std::error_code const& code, int condition) const noexcept override
    {
        if (std::error_category::equivalent(code, condition))
            return true;
        bool const timed_out = code == std::errc::timed_out;
        if (static_cast<failure>(condition) == failure::timeout)
            return timed_out;
        if (static_cast<failure>(condition) != failure::connection || timed_out)
            return false;
        for (std::errc const lost :
             {std::errc::connection_refused, std::errc::connection_reset, std::errc::connection_aborted,
              std::errc::broken_pipe, std::errc::not_connected, std::errc::host_unreachable, std::errc::network_unreachable,
              std::errc::network_down, std::errc::no_such_file_or_directory})  // the last: of a Unix socket
            if (code == lost)
                return true;
        // The end of a stream, and names that resolve to nothing.
        std::string_view const category = code.category().name();
        return category == "asio.misc" || category == "asio.netdb" || category == "asio.addrinfo";
    }
};

inline failure_category_type const failure_category{};

/// The condition for `f`; found by ADL, so that an `error_code` compares with a `failure`.
inline std::error_condition make_error_condition(failure f) noexcept
{
    return {static_cast<int>(f), failure_category};
}

}  // namespace polycast::inline v0
