#pragma once

#include <polycast/detail/search.hpp>
#include <polycast/detail/string_map.hpp>
#include <polycast/room/history.hpp>

#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace polycast::inline v0 {

/// The rooms of a server that have a history. Any thread.
///
/// When there are too many, the one that was used longest ago is forgotten. Its name may come to life again, and a client
/// that knew the former life must not take the new offsets for the old. So there is a floor: the highest offset of any
/// room that was forgotten, where each new room begins. Then, in one epoch, no offset of a name is given twice, and no
/// event is held whose offset is at or below a former life's last. A client with `since` below that last needs what is not
/// held, and is denied; one with `since` equal to it or above has all of the former life. Clients that know nothing of a
/// former life, or of one that ended lower, may be denied without need, never the reverse.
template <class = void>
class basic_room_histories {
public:
    using time_point = room_history::time_point;

    /// `epoch` names the time over which offsets mean the same: new at each start that does not restore all rooms.
    basic_room_histories(history_options const& options, std::string epoch) : options_(options), epoch_(std::move(epoch)) {}
    basic_room_histories(basic_room_histories const&) = delete;

    [[nodiscard]] bool enabled() const noexcept { return options_.max_events != 0; }
    [[nodiscard]] std::string const& epoch() const noexcept { return epoch_; }

    /// The room's history, from now on if it has none, to emit into it. Let go of it at once: a room that somebody holds
    /// is not forgotten, and the bound is exceeded by it. Do not call while a room's lock is held. `forgotten(name,
    /// floor)` is called, under the lock of all rooms, before a room is: a journal deletes it and notes the floor.
    template <class Forgotten>
    [[nodiscard]] std::shared_ptr<room_history> open(std::string_view name, Forgotten forgotten)
    {
        std::lock_guard const all(mutex_);
        if (auto const at = rooms_.find(name); at != rooms_.end())
            return used(at->second);
        forget_beyond(options_.max_rooms == 0 ? 0 : options_.max_rooms - 1, forgotten);
        auto room = std::make_shared<room_history>(options_, floor_);
        by_use_.push_front({{}, room});
        try {
            by_use_.front().name = rooms_.emplace(name, by_use_.begin()).first->first;
        } catch (...) {
            by_use_.pop_front();
            throw;
        }
        return room;
    }
    [[nodiscard]] std::shared_ptr<room_history> open(std::string_view name)
    {
        return open(name, [](std::string_view, std::uint64_t) {});
    }
    /// The room's history, or null. As `open`: let go of it at once.
    [[nodiscard]] std::shared_ptr<room_history> find(std::string_view name)
    {
        std::lock_guard const all(mutex_);
        auto const at = rooms_.find(name);
        return at == rooms_.end() ? nullptr : used(at->second);
    }

    /// The answer to a `$join`: a room without a history gets none by it, and answers as a new one would.
    [[nodiscard]] room_history::answer join(std::string_view name, std::optional<std::uint64_t> since,
                                            std::string_view epoch, time_point now)
    {
        std::shared_ptr<room_history> room;
        {
            std::lock_guard const all(mutex_);
            auto const at = rooms_.find(name);
            if (at == rooms_.end())
                return room_history(options_, floor_).join(since, epoch == epoch_, now);
            room = used(at->second);
        }
        auto const locked = room->lock();
        return room->join(since, epoch == epoch_, now);
    }

    /// Forgets what is too old; without it, a room does so with its next event. `told(name, range)` hears of each.
    template <class Told>
    void trim(time_point now, Told told)
    {
        std::lock_guard const all(mutex_);
        for (entry const& e : by_use_) {
            auto const locked = e.room->lock();
            if (auto const range = e.room->trim(now); !range.empty())
                told(e.name, range);
        }
    }

    /// Before threads use this: what a durable log has kept. The floor is the last that `open` told.
    void restore(std::string epoch, std::uint64_t floor)
    {
        epoch_ = std::move(epoch);
        floor_ = floor;
    }
    /// One room; see `room_history::restore`.
    offset_range restore(std::string_view name, std::uint64_t offset, std::vector<room_history::held> events,
                         time_point now)
    {
        auto const room = open(name);
        auto const locked = room->lock();
        return room->restore(offset, std::move(events), now);
    }

    [[nodiscard]] std::uint64_t floor()
    {
        std::lock_guard const all(mutex_);
        return floor_;
    }
    [[nodiscard]] std::size_t size()
    {
        std::lock_guard const all(mutex_);
        return rooms_.size();
    }

private:
    struct entry {
        std::string_view name;  ///< the key's text
        std::shared_ptr<room_history> room;
    };
    using place = typename std::list<entry>::iterator;

    std::shared_ptr<room_history> const& used(place p)
    {
        by_use_.splice(by_use_.begin(), by_use_, p);
        return p->room;
    }

    template <class Forgotten>
    void forget_beyond(std::size_t most, Forgotten& forgotten)
    {
        for (auto p = by_use_.end(); rooms_.size() > most && p != by_use_.begin();) {
            --p;
            // Under the lock of all rooms nobody can get hold of it; who does already may yet give an offset.
            if (p->room.use_count() != 1)
                continue;
            {
                auto const locked = p->room->lock();  // sees what its last holder did
                floor_ = detail::greatest(floor_, p->room->offset());
            }
            forgotten(p->name, floor_);
            rooms_.erase(rooms_.find(p->name));
            p = by_use_.erase(p);
        }
    }

    history_options options_;
    std::mutex mutex_;
    std::string epoch_;
    std::uint64_t floor_ = 0;
    std::list<entry> by_use_;  ///< the one used last first
    detail::string_map<place> rooms_;
};
using room_histories = basic_room_histories<>;

}  // namespace polycast::inline v0
