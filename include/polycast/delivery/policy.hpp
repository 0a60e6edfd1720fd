#pragma once

#include <polycast/policy/axis.hpp>

#include <concepts>

namespace polycast::inline v0 {

template <class P>
concept says_whether_it_resumes = requires {
    { P::resumes } -> std::convertible_to<bool>;
};

/// Decides what is kept of a session after its connection has gone.
///
/// | Expression   | Type   | Meaning                                                        |
/// |--------------|--------|----------------------------------------------------------------|
/// | `P::resumes` | `bool` | true: events are counted, logged and replayed after a drop     |
///
/// Models: `at_most_once` (default, null).
template <class P>
concept delivery_policy = policy_on<P, delivery_axis> && says_whether_it_resumes<P>;

}  // namespace polycast::inline v0
