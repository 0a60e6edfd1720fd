#pragma once

#include <polycast/outbox/lane.hpp>
#include <polycast/policy/axis.hpp>

#include <chrono>
#include <concepts>
#include <cstdint>

namespace polycast::inline v0 {

/// When a queued frame is handed to the transport.
enum class flush_time : std::uint8_t {
    now,     ///< within the emitting call
    turn,    ///< at the end of this turn of the loop, with everything else for that session in one system call
    window,  ///< when `window_messages` wait or `window_delay` has passed since the first of them
};

template <class P>
concept times_each_lane = requires(lane l) {
    { P::when(l) } noexcept -> std::same_as<flush_time>;
};
template <class P>
concept has_window = requires {
    { P::window_messages } -> std::convertible_to<std::uint32_t>;
    { P::window_delay } -> std::convertible_to<std::chrono::milliseconds>;
};

/// Decides when frames that wait for one session are written.
///
/// | Expression           | Type           | Meaning                                                              |
/// |----------------------|----------------|----------------------------------------------------------------------|
/// | `P::when(lane)`      | `flush_time`   | constexpr, noexcept                                                  |
/// | `P::window_messages` | `uint32_t`     | a window closes at this many messages                                |
/// | `P::window_delay`    | `milliseconds` | or this long after its first one, whichever comes first              |
///
/// Events that leave in one window are joined into one frame where the serializer joins events and the session's
/// profile is not compressed. Models: `per_tick` (default), `immediate` (null), `window<count, ms>`.
template <class P>
concept batching_policy = policy_on<P, batching_axis> && times_each_lane<P> && has_window<P>;

namespace batching {
/// What the batch lane waits for unless the policy is a window of its own.
struct default_window {
    static constexpr std::uint32_t window_messages = 10;
    static constexpr std::chrono::milliseconds window_delay{2000};
};
}  // namespace batching

}  // namespace polycast::inline v0
