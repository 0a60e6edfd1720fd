// expect: (required for the satisfaction of|does not satisfy) .times_each_lane
#include <polycast/batching/policy.hpp>

namespace pc = polycast;

struct eager : pc::batching::default_window {
    using policy_axis = pc::batching_axis;
#ifndef FAULT
    static constexpr pc::flush_time when(pc::lane) noexcept { return pc::flush_time::now; }
#endif
};
static_assert(pc::batching_policy<eager>);
