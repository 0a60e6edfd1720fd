#pragma once

#include <polycast/batching/policy.hpp>

namespace polycast::inline v0::batching {

/// One write per frame: least delay, most system calls. The batch lane still waits for its window.
struct immediate : default_window {
    using policy_axis = batching_axis;
    [[nodiscard]] static constexpr flush_time when(lane l) noexcept
    {
        return l == lane::batch ? flush_time::window : flush_time::now;
    }
};
static_assert(batching_policy<immediate>);

}  // namespace polycast::inline v0::batching
