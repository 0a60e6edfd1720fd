#pragma once

#include <polycast/isolation/policy.hpp>

namespace polycast::inline v0::isolation {

/// Nobody is kept from anybody: public rooms, dashboards, echo.
struct shared {
    using policy_axis = isolation_axis;
    static constexpr bool reaches_everyone = true;
    static constexpr bool reaches_rooms = true;
    static constexpr bool reaches_users = true;
    static constexpr bool clients_join_freely = true;
    static constexpr std::uint32_t max_connections_per_user = 0;
};
static_assert(isolation_policy<shared>);

}  // namespace polycast::inline v0::isolation
