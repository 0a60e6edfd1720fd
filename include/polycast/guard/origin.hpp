#pragma once

#include <polycast/guard/policy.hpp>

#include <algorithm>

namespace polycast::inline v0::guard {

/// A browser page may connect only to the host it came from (RFC 6455 §10.2). Programs send no `Origin` and pass.
struct same_origin {
    using policy_axis = guard_axis;
    [[nodiscard]] verdict admit(request const& r) const noexcept
    {
        auto const origin = r.header("Origin");
        if (origin.empty())
            return {};
        auto const scheme = origin.find("://");
        if (scheme != std::string_view::npos && same_host(origin.substr(scheme + 3), r.host()))
            return {};
        return {false, 403, "the page's origin is not this host"};
    }

private:
    static bool same_host(std::string_view a, std::string_view b) noexcept
    {
        // Host names have no case (RFC 9110 §4.2.3).
        auto const lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
        return std::ranges::equal(a, b, {}, lower, lower);
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
