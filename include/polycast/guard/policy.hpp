#pragma once

#include <polycast/handshake/request.hpp>
#include <polycast/policy/axis.hpp>

#include <concepts>
#include <string_view>

namespace polycast::inline v0 {

/// What a guard says of a handshake. A refusal is answered with this HTTP status and text.
struct verdict {
    bool admitted = true;
    int status = 403;
    std::string_view reason{};
};

template <class P>
concept admits_handshakes = requires(P const& p, request const& r) {
    { p.admit(r) } -> std::same_as<verdict>;
};

/// Decides who may connect.
///
/// | Expression         | Type      | Meaning                                                                |
/// |--------------------|-----------|------------------------------------------------------------------------|
/// | `p.admit(request)` | `verdict` | asked once a handshake, before the application; on the session's shard |
///
/// A guard fails closed: what it cannot understand it refuses. Models: `same_origin` (default, null), `open`.
template <class P>
concept guard_policy = policy_on<P, guard_axis> && std::default_initializable<P> && admits_handshakes<P>;

}  // namespace polycast::inline v0
