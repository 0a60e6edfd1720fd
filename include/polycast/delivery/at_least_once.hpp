#pragma once

#include <polycast/delivery/policy.hpp>

namespace polycast::inline v0::delivery {

/// Keeps what is numbered and not yet acknowledged in memory.
struct memory_log {
    static constexpr bool durable = false;
};

/// Events are counted, kept until they are acknowledged, and sent again after a drop.
template <class Log = memory_log>
struct at_least_once {
    using policy_axis = delivery_axis;
    static constexpr bool resumes = true;
    using log = Log;
};
static_assert(delivery_policy<at_least_once<>>);

}  // namespace polycast::inline v0::delivery
