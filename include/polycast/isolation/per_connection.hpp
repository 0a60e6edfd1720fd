#pragma once

#include <polycast/isolation/policy.hpp>

namespace polycast::inline v0::isolation {

/// Every connection is alone: only `to_session` exists.
struct per_connection {
    using policy_axis = isolation_axis;
    static constexpr bool reaches_everyone = false;
    static constexpr bool reaches_rooms = false;
    static constexpr bool reaches_users = false;
    static constexpr bool clients_join_freely = false;
    static constexpr std::uint32_t max_connections_per_user = 0;
};
static_assert(isolation_policy<per_connection>);

}  // namespace polycast::inline v0::isolation
