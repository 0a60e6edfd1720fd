#pragma once

#include <cstddef>
#include <cstdint>

namespace polycast::inline v0 {

/// What became of one emission. Nothing is dropped without one of these saying so.
enum class outcome : std::uint8_t {
    delivered,    ///< the transport has taken the bytes
    queued,       ///< accepted; waits in an outbox, a mailbox or for a connection
    gone,         ///< nobody to send to: the session is closed, the user has no connection, the server has stopped
    refused,      ///< the event cannot be sent: it did not encode, or the isolation policy or a room rule forbids it
    over_budget,  ///< a queue is at its cap; the event was not queued
};

/// What became of a fan-out: one row of `outcome` counts. `status` is the best of them; receivers on another shard are
/// not known yet and count as one `queued`.
struct sent {
    outcome status = outcome::gone;
    std::uint32_t receivers = 0;  ///< sessions or shards addressed
    std::uint32_t queued = 0;     ///< of these: delivered or accepted
    std::uint32_t refused = 0;    ///< of these: over budget

    constexpr void count(outcome o) noexcept
    {
        ++receivers;
        if (o == outcome::delivered || o == outcome::queued)
            ++queued;
        else
            ++refused;
        if (receivers == 1 || o < status)
            status = o;
    }
};

/// True if the event is on its way.
[[nodiscard]] constexpr bool accepted(outcome o) noexcept
{
    return o == outcome::delivered || o == outcome::queued;
}
[[nodiscard]] constexpr bool accepted(sent const& s) noexcept
{
    return accepted(s.status);
}

}  // namespace polycast::inline v0
