#pragma once

#include <polycast/delivery/ledger.hpp>
#include <polycast/event/describe.hpp>

#include <cstdint>
#include <functional>
#include <string_view>

namespace polycast::inline v0 {

/// What became of the events that were published to a session: `published` is the sum of the others, at every moment.
struct tally {
    std::uint64_t published = 0;
    std::uint64_t delivered = 0;  ///< acknowledged; of a session that does not count: begun to be written
    std::uint64_t coalesced = 0;  ///< became part of a later one
    std::uint64_t dropped = 0;    ///< at a cap, or with the end of the session; each was reported
    std::uint64_t pending = 0;    ///< waits, or was written and is not acknowledged

    friend constexpr bool operator==(tally const&, tally const&) = default;
};

/// Events that a session will not get, as the application's `dropped` is told.
struct drop {
    std::uint64_t from = 0;  ///< the first number that stands for one of them; 0: the session does not count
    std::uint64_t to = 0;
    std::uint64_t events = 0;
    loss why = loss::evicted;
};

/// What happens to events that come faster than a receiver takes them, once `max_outbox_bytes` or `max_outbox_events`
/// wait. A critical event makes others go, whatever the choice; where it finds no room even so, the connection is closed
/// with 4001.
enum class backpressure : std::uint8_t {
    drop_newest_normal,  ///< the event at hand is refused
    drop_oldest_normal,  ///< the oldest of the normal lane goes, then of the batch lane
    disconnect,          ///< the event at hand is refused, and the connection closed with 4001
    pause,               ///< nothing is dropped: the emission is refused and does not count; see `session::room_to_send`
};

namespace detail {

/// What a session counts of a `tally`; what is pending is where it waits.
struct event_counts {
    std::uint64_t published = 0, delivered = 0, coalesced = 0, dropped = 0;
};

/// How an event waits in its receivers' queues.
struct urgency {
    polycast::lane lane = polycast::lane::normal;
    bool critical = false;  ///< never dropped
    bool barrier = false;   ///< nothing that comes later goes before it, or becomes part of what was before it
    bool event = false;     ///< of the application: it is counted
    std::uint64_t room = 0;  ///< of one with a history: who has seen an offset has seen those below, and their text
    bool alone = false;      ///< does not coalesce: it is of a room's past, and told by its offset
};
/// For `urgency::room`; never 0.
[[nodiscard]] inline std::uint64_t room_hash(std::string_view name) noexcept
{
    return std::hash<std::string_view>{}(name) | 1;
}
template <class Event>
inline constexpr urgency urgency_of{event_lane<Event>, event_critical<Event>, event_barrier<Event>, !event_control<Event>};

}  // namespace detail

}  // namespace polycast::inline v0
