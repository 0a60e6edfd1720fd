#pragma once

#include <concepts>

namespace polycast::inline v0 {

// One tag an axis. A policy names its axis with a member type `policy_axis`.
struct transport_axis {};
struct serializer_axis {};
struct compression_axis {};
struct isolation_axis {};
struct batching_axis {};
struct delivery_axis {};
struct guard_axis {};
struct backplane_axis {};
struct observer_axis {};

/// A type that decides one axis of a composition: it has a member type `policy_axis`.
template <class P>
concept policy = requires { typename P::policy_axis; };

/// A policy on the given axis.
template <class P, class Axis>
concept policy_on = policy<P> && std::same_as<typename P::policy_axis, Axis>;

}  // namespace polycast::inline v0
