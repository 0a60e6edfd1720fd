#pragma once

#include <polycast/batching/policy.hpp>

namespace polycast::inline v0::batching {

/// Normal and batch lanes wait until `Messages` are queued or `Milliseconds` have passed since the first; the high
/// lane does not wait.
template <std::uint32_t Messages, std::uint32_t Milliseconds>
struct window {
    static_assert(Messages > 0 && Milliseconds > 0,
                  "polycast: window<count, milliseconds> wants both above zero; for no delay name batching::per_tick.");
    using policy_axis = batching_axis;
    static constexpr std::uint32_t window_messages = Messages;
    static constexpr std::chrono::milliseconds window_delay{Milliseconds};
    [[nodiscard]] static constexpr flush_time when(lane l) noexcept
    {
        return l == lane::high ? flush_time::turn : flush_time::window;
    }
};
static_assert(batching_policy<window<10, 2000>>);

}  // namespace polycast::inline v0::batching
