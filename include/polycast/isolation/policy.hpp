#pragma once

#include <polycast/policy/axis.hpp>

#include <concepts>
#include <cstdint>

namespace polycast::inline v0 {

// Named clauses, so that a compiler prints the one that failed.
template <class P>
concept says_who_is_reachable = requires {
    { P::reaches_everyone } -> std::convertible_to<bool>;
    { P::reaches_rooms } -> std::convertible_to<bool>;
    { P::reaches_users } -> std::convertible_to<bool>;
};
template <class P>
concept caps_a_user = requires {
    { P::max_connections_per_user } -> std::convertible_to<std::uint32_t>;
};
template <class P>
concept says_who_may_join = requires {
    { P::clients_join_freely } -> std::convertible_to<bool>;
};

/// Decides who may be addressed by whom. All of it is known to the compiler: what is not reachable has no member.
///
/// | Expression                    | Type       | Meaning                                                           |
/// |-------------------------------|------------|-------------------------------------------------------------------|
/// | `P::reaches_everyone`         | `bool`     | an emitter has `to_all()`                                         |
/// | `P::reaches_rooms`            | `bool`     | an emitter has `to_room(name)`                                    |
/// | `P::reaches_users`            | `bool`     | an emitter has `to_user(id)`                                      |
/// | `P::clients_join_freely`      | `bool`     | a client's `$join` is granted unless the application says no      |
/// | `P::max_connections_per_user` | `uint32_t` | default cap, 0 none; refused with close 1013                      |
///
/// Models: `shared` (default, null), `per_connection`, `per_user<n>`.
template <class P>
concept isolation_policy =
    policy_on<P, isolation_axis> && says_who_is_reachable<P> && caps_a_user<P> && says_who_may_join<P>;

}  // namespace polycast::inline v0
