#pragma once

#include <polycast/batching/policy.hpp>

namespace polycast::inline v0::batching {

/// One write per session per turn of the loop: whatever one read or one tick produced leaves in one system call.
struct per_tick : default_window {
    using policy_axis = batching_axis;
    [[nodiscard]] static constexpr flush_time when(lane l) noexcept
    {
        return l == lane::batch ? flush_time::window : flush_time::turn;
    }
};
static_assert(batching_policy<per_tick>);

}  // namespace polycast::inline v0::batching
