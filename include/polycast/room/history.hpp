#pragma once

#include <polycast/detail/search.hpp>
#include <polycast/outbox/shared_frame.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <iterator>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

namespace polycast::inline v0 {

/// What rooms keep of their past. The first three are bounds a room.
struct history_options {
    std::size_t max_events = 0;                            ///< 0: rooms keep no history, their events have no offset
    std::size_t max_bytes = 1024 * 1024;                   ///< of the frames, as they go on the wire
    std::chrono::milliseconds max_age = std::chrono::minutes(5);
    std::size_t max_rooms = 1000;                          ///< rooms with a history at one time; at least 1
};

/// Offsets `from` to `to`, both included; empty if `from` is greater.
struct offset_range {
    std::uint64_t from = 1;
    std::uint64_t to = 0;
    [[nodiscard]] constexpr bool empty() const noexcept { return from > to; }
    friend bool operator==(offset_range const&, offset_range const&) = default;
};

/// The past of one room, shared by all shards. Who emits holds `lock()` while it takes the offset, encodes, keeps and
/// posts: then the order of offsets is the order in every mailbox. All but `lock` need the lock held; any thread.
template <class = void>
class basic_room_history {
public:
    using time_point = std::chrono::system_clock::time_point;  // the clock that any thread can read, and a log can keep

    /// What a `$join` is told.
    struct answer {
        std::uint64_t offset = 0;        ///< of the room's last event
        std::optional<bool> recovered{};  ///< absent if the client did not say what it has
        std::vector<frame_ref> replay{};  ///< if recovered: the events since + 1 … offset
    };
    struct held {
        frame_ref frame;
        time_point kept;
    };

    /// The next event's offset will be `offset + 1`.
    explicit basic_room_history(history_options const& bounds, std::uint64_t offset = 0)
        : bounds_(bounds), offset_(offset)
    {
    }

    [[nodiscard]] std::unique_lock<std::mutex> lock() { return std::unique_lock(mutex_); }

    [[nodiscard]] std::uint64_t offset() const noexcept { return offset_; }
    /// The offset to encode into the next event. It is taken by `keep`: an event that does not encode leaves no hole.
    [[nodiscard]] std::uint64_t next_offset() const noexcept { return offset_ + 1; }

    /// Keeps the event that has `next_offset()` inside. Returns the offsets that are held no more, for a journal. If
    /// memory runs out it throws and nothing has changed: the event must then not be posted.
    offset_range keep(frame_ref plain, time_point now)
    {
        std::size_t const bytes = plain->wire_bytes();
        held_.push_back({std::move(plain), now});
        bytes_ += bytes;
        ++offset_;
        return trim(now);
    }
    /// Forgets what is beyond the bounds; the count of offsets goes on.
    offset_range trim(time_point now) noexcept
    {
        auto const first = first_held();
        while (!held_.empty() && (held_.size() > bounds_.max_events || bytes_ > bounds_.max_bytes ||
                                  expired(held_.front(), now))) {
            bytes_ -= held_.front().frame->wire_bytes();
            held_.pop_front();
        }
        return {first, first_held() - 1};
    }
    /// Whether a client that has all events up to `since` can have the rest. That is said only where each one of them is
    /// here: same epoch, `since` no more than what the room has had, nothing in between forgotten.
    [[nodiscard]] answer join(std::optional<std::uint64_t> since, bool same_epoch, time_point now) const
    {
        answer out{offset_, {}, {}};
        if (!since)
            return out;
        auto const live = detail::find_where(held_.begin(), held_.end(), [&](held const& h) { return !expired(h, now); });
        auto const count = static_cast<std::uint64_t>(held_.end() - live);
        out.recovered = same_epoch && *since <= offset_ && offset_ - *since <= count;
        if (*out.recovered)
            for (auto h = held_.end() - static_cast<std::ptrdiff_t>(offset_ - *since); h != held_.end(); ++h)
                out.replay.push_back(h->frame);
        return out;
    }
    /// Sets what a durable log has kept: the room's last offset, and its last events, one offset after the other.
    /// Returns the offsets that these bounds do not let it hold.
    offset_range restore(std::uint64_t offset, std::vector<held> events, time_point now)
    {
        held_.assign(std::make_move_iterator(events.begin()), std::make_move_iterator(events.end()));
        offset_ = offset;
        bytes_ = 0;
        for (held const& h : held_)
            bytes_ += h.frame->wire_bytes();
        return trim(now);
    }

    [[nodiscard]] std::size_t held_events() const noexcept { return held_.size(); }
    [[nodiscard]] std::size_t held_bytes() const noexcept { return bytes_; }

private:
    [[nodiscard]] std::uint64_t first_held() const noexcept { return offset_ + 1 - held_.size(); }
    [[nodiscard]] bool expired(held const& h, time_point now) const noexcept { return now - h.kept > bounds_.max_age; }

    std::mutex mutex_;
    history_options bounds_;
    std::uint64_t offset_;
    std::size_t bytes_ = 0;
    std::deque<held> held_{};
};
using room_history = basic_room_history<>;

}  // namespace polycast::inline v0
