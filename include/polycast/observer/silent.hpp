#pragma once

#include <polycast/observer/policy.hpp>

namespace polycast::inline v0::observer {

/// Counts nothing and costs nothing.
struct silent {
    using policy_axis = observer_axis;
    static constexpr void count(metric, std::uint64_t = 1) noexcept {}
    static constexpr void count_shared(metric, std::uint64_t = 1) noexcept {}
    [[nodiscard]] static constexpr std::uint64_t read(metric) noexcept { return 0; }
};
static_assert(observer_policy<silent>);

}  // namespace polycast::inline v0::observer
