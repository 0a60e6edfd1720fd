#pragma once

#include <polycast/policy/axis.hpp>

#include <concepts>
#include <type_traits>

namespace polycast::inline v0::detail {

/// A place in a composed type: the axis that fills it, the policy used when none is named.
template <class Axis, class Default>
struct slot {
    using axis = Axis;
    using fallback = Default;
};

template <class Slot, class... Policies>
struct fill : std::type_identity<typename Slot::fallback> {};

template <class Slot, class P, class... Policies>
struct fill<Slot, P, Policies...>
    : std::conditional_t<policy_on<P, typename Slot::axis>, std::type_identity<P>, fill<Slot, Policies...>> {};

/// The policy that takes `Slot`: the one named in `Policies`, else the slot's default.
template <class Slot, class... Policies>
using fill_t = typename fill<Slot, Policies...>::type;

template <class Slot, class... Policies>
inline constexpr bool at_most_one = (0 + ... + int{policy_on<Policies, typename Slot::axis>}) <= 1;

/// Instantiated once per argument, so that the compiler's note names the argument.
template <class P, class... Slots>
struct checked_policy {
    static_assert(policy<P>,
                  "polycast: this template argument is not a policy: it has no member type `policy_axis`. "
                  "A common mistake is to pass an event or a second application here.");
    static_assert(!policy<P> || (policy_on<P, typename Slots::axis> || ...),
                  "polycast: the type being composed has no slot for this policy's axis.");
    static constexpr bool ok = policy<P> && (policy_on<P, typename Slots::axis> || ...);
};

/// The slots of one composed type, and the checks of a policy list against them.
template <class... Slots>
struct slots {
    template <class... Policies>
    struct checks {
        static_assert((at_most_one<Slots, Policies...> && ...),
                      "polycast: two policies on one axis; name at most one per axis.");
        static constexpr bool ok =
            (checked_policy<Policies, Slots...>::ok && ... && true) && (at_most_one<Slots, Policies...> && ...);
    };
};

}  // namespace polycast::inline v0::detail
