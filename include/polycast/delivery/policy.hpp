#pragma once

#include <polycast/policy/axis.hpp>

#include <concepts>

namespace polycast::inline v0 {

template <class P>
concept says_whether_it_resumes = requires {
    { P::resumes } -> std::convertible_to<bool>;
};
template <class P>
concept has_a_log = requires {
    { P::log::durable } -> std::convertible_to<bool>;
};

/// Decides what is kept of a session after its connection has gone.
///
/// | Expression        | Type   | Meaning                                                                                |
/// |-------------------|--------|----------------------------------------------------------------------------------------|
/// | `P::resumes`      | `bool` | true: a session outlives its connection; its events are counted, logged and replayed   |
/// | `P::log::durable` | `bool` | where it resumes: true if the log outlives the process (`sqlite_log`)                  |
///
/// Models: `at_most_once` (default, null), `at_least_once<Log>`.
template <class P>
concept delivery_policy =
    policy_on<P, delivery_axis> && says_whether_it_resumes<P> && (!P::resumes || has_a_log<P>);

}  // namespace polycast::inline v0
