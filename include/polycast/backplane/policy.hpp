#pragma once

#include <polycast/policy/axis.hpp>

#include <concepts>

namespace polycast::inline v0 {

template <class P>
concept says_whether_it_leaves_the_process = requires {
    { P::leaves_the_process } -> std::convertible_to<bool>;
};

/// Decides how an event reaches other processes.
///
/// | Expression              | Type   | Meaning                                       |
/// |-------------------------|--------|-----------------------------------------------|
/// | `P::leaves_the_process` | `bool` | false: an emission ends at this server        |
///
/// Models: `local` (default, null).
template <class P>
concept backplane_policy = policy_on<P, backplane_axis> && says_whether_it_leaves_the_process<P>;

}  // namespace polycast::inline v0
