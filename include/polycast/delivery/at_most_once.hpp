#pragma once

#include <polycast/delivery/policy.hpp>

namespace polycast::inline v0::delivery {

/// Nothing is kept: an event reaches the connections that are open, and `$hello` always says `resumed: false`.
struct at_most_once {
    using policy_axis = delivery_axis;
    static constexpr bool resumes = false;
};
static_assert(delivery_policy<at_most_once>);

}  // namespace polycast::inline v0::delivery
