#pragma once

#include <polycast/guard/policy.hpp>
#include <polycast/handshake/fields.hpp>

#include <string_view>

namespace polycast::inline v0::guard {

/// A browser page may connect only to the host it came from (RFC 6455 §10.2). Programs send no `Origin` and pass.
struct same_origin {
    using policy_axis = guard_axis;
    [[nodiscard]] verdict admit(request const& r) const noexcept
    {
        auto const fields = r.count("Origin");
        if (fields == 0)
            return {};
        auto const origin = r.header("Origin");
        // Host names have no case (RFC 9110 §4.2.3).
        auto const scheme = origin.find("://");
        if (fields == 1 && scheme != std::string_view::npos && detail::iequal(origin.substr(scheme + 3), r.host()))
            return {};
        return {false, 403, "the page's origin is not this host"};
    }
};
static_assert(guard_policy<same_origin>);

/// Everybody may connect, from any page.
struct open {
    using policy_axis = guard_axis;
    [[nodiscard]] static constexpr verdict admit(request const&) noexcept { return {}; }
};
static_assert(guard_policy<open>);

}  // namespace polycast::inline v0::guard
