#pragma once

#include <polycast/isolation/policy.hpp>

namespace polycast::inline v0::isolation {

/// A user's events reach that user's connections, of which there may be `MaxConnections`. Rooms exist, but only the
/// application puts a session into one. There is no `to_all`.
template <std::uint32_t MaxConnections = 3>
struct per_user {
    static_assert(MaxConnections > 0, "polycast: per_user<0> would refuse every user; name at least one connection.");
    using policy_axis = isolation_axis;
    static constexpr bool reaches_everyone = false;
    static constexpr bool reaches_rooms = true;
    static constexpr bool reaches_users = true;
    static constexpr bool clients_join_freely = false;
    static constexpr std::uint32_t max_connections_per_user = MaxConnections;
};
static_assert(isolation_policy<per_user<>>);

}  // namespace polycast::inline v0::isolation
