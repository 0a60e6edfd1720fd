#pragma once

#include <polycast/backplane/policy.hpp>

namespace polycast::inline v0::backplane {

/// One process: nothing leaves it.
struct local {
    using policy_axis = backplane_axis;
    static constexpr bool leaves_the_process = false;
};
static_assert(backplane_policy<local>);

}  // namespace polycast::inline v0::backplane
