#pragma once

#include <polycast/config.hpp>
#include <polycast/detail/string_map.hpp>
#include <polycast/outbox/lane.hpp>
#include <polycast/outbox/shared_frame.hpp>

#if POLYCAST_WITH_SQLITE

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace polycast::inline v0::detail {

/// A room without a past, unless it has events behind the offset `floor`: then it lives again.
struct forgotten_room {
    std::string name;
    std::uint64_t floor;
};

/// What a shard changed in its sessions and rooms since the last commit, reduced to what is left of it: an event that
/// came, was numbered and acknowledged in between is not in here. No I/O. On one shard.
///
/// Written in this order it is as if all calls had been made one by one: `wiped`, `opened`, `trimmed`, `covered`,
/// `removed`, `numbered`, and then what is new.
template <class = void>
class basic_journal_batch {
public:
    struct entry {
        std::uint64_t id, number;  // number 0: waits
        frame_ref frame;           // none: removed
        lane lane_;
        bool critical;
    };
    struct range {
        std::uint64_t from, to;
    };
    struct gap : range {
        std::string reason;
    };
    struct numbering {
        std::uint64_t id, number;
    };
    struct request {
        std::string id, answer;
    };
    struct session_changes {
        bool wiped = false;   ///< what the file has of it goes
        bool opened = false;  ///< the file has nothing of it
        std::string name, user;
        std::uint64_t count = 0, acked = 0, trimmed = 0;
        std::optional<std::uint64_t> owed;  ///< events that were dropped and have no number yet
        std::vector<entry> entries;        ///< new, by id
        std::size_t dead = 0;              ///< of these, removed
        std::vector<gap> gaps;             ///< new
        std::vector<range> covered;        ///< numbers whose events became gaps
        std::vector<std::uint64_t> removed;  ///< ids that wait in the file
        std::vector<numbering> numbered;     ///< the same
        std::vector<std::pair<std::string, bool>> rooms;  ///< true: is in it
        std::vector<request> requests;
        std::size_t keep_requests = 0;
    };
    struct history_event {
        std::uint64_t offset;
        std::int64_t at_ms;
        frame_ref frame;
    };
    struct room_changes {
        std::uint64_t offset = 0, trimmed = 0;
        std::vector<history_event> events;
    };

    void opened(std::uint64_t session, std::string_view name, std::string_view user)
    {
        session_changes& s = sessions_[session];
        s.opened = true;
        s.name = name;
        s.user = user;
    }
    void ended(std::uint64_t session)
    {
        auto const [place, is_new] = sessions_.try_emplace(session);
        if (place->second.opened && !place->second.wiped) {
            sessions_.erase(place);
            return;
        }
        place->second = {};
        place->second.wiped = true;
    }
    void accepted(std::uint64_t session, std::uint64_t id, frame_ref const& frame, lane l, bool critical)
    {
        sessions_[session].entries.push_back({id, 0, frame, l, critical});
    }
    void numbered(std::uint64_t session, std::uint64_t id, std::uint64_t number)
    {
        session_changes& s = sessions_[session];
        s.count = std::max(s.count, number);
        if (entry* const e = find(s, id))
            e->number = number;
        else if (!s.opened)
            s.numbered.push_back({id, number});
    }
    void removed(std::uint64_t session, std::uint64_t id)
    {
        session_changes& s = sessions_[session];
        if (entry* const e = find(s, id)) {
            // Swept together, as it is most often the oldest of a long queue.
            e->frame = {};
            if (++s.dead > 16 && s.dead > s.entries.size() / 2)
                drop(s, [](entry const&) { return false; });
        } else if (!s.opened) {
            s.removed.push_back(id);
        }
    }
    void skipped(std::uint64_t session, std::uint64_t from, std::uint64_t to, std::string_view reason)
    {
        session_changes& s = sessions_[session];
        s.count = std::max(s.count, to);
        forget(s, from, to);
        if (!s.opened)
            s.covered.push_back({from, to});
        if (!s.gaps.empty() && s.gaps.back().to + 1 == from && s.gaps.back().reason == reason)
            s.gaps.back().to = to;
        else
            s.gaps.push_back({{from, to}, std::string(reason)});
    }
    void owes(std::uint64_t session, std::uint64_t events) { sessions_[session].owed = events; }
    void trimmed(std::uint64_t session, std::uint64_t up_to, bool acknowledged)
    {
        session_changes& s = sessions_[session];
        s.count = std::max(s.count, up_to);
        s.trimmed = std::max(s.trimmed, up_to);
        if (acknowledged)
            s.acked = std::max(s.acked, up_to);
        forget(s, 1, up_to);
        std::erase_if(s.gaps, [up_to](gap const& g) { return g.to <= up_to; });
        for (gap& g : s.gaps)
            g.from = std::max(g.from, up_to + 1);
    }
    void room(std::uint64_t session, std::string_view name, bool in_it)
    {
        session_changes& s = sessions_[session];
        auto const known =
            std::find_if(s.rooms.begin(), s.rooms.end(), [name](auto const& r) { return r.first == name; });
        if (known != s.rooms.end())
            known->second = in_it;
        else
            s.rooms.emplace_back(name, in_it);
    }
    void requested(std::uint64_t session, std::string_view id, std::string_view answer, std::size_t keep)
    {
        session_changes& s = sessions_[session];
        s.keep_requests = keep;
        if (s.requests.size() >= keep && !s.requests.empty())
            s.requests.erase(s.requests.begin());
        s.requests.push_back({std::string(id), std::string(answer)});
    }
    void history(std::string_view name, history_event event)
    {
        room_changes& r = room_named(name);
        r.offset = std::max(r.offset, event.offset);
        r.events.push_back(std::move(event));
    }
    void history_trimmed(std::string_view name, std::uint64_t up_to)
    {
        room_changes& r = room_named(name);
        r.trimmed = std::max(r.trimmed, up_to);
        std::erase_if(r.events, [up_to](history_event const& e) { return e.offset <= up_to; });
    }

    [[nodiscard]] bool empty() const noexcept { return sessions_.empty() && rooms_.empty(); }
    void clear() noexcept
    {
        sessions_.clear();
        rooms_.clear();
    }
    [[nodiscard]] auto const& sessions() const noexcept { return sessions_; }
    [[nodiscard]] auto const& rooms() const noexcept { return rooms_; }

private:
    static entry* find(session_changes& s, std::uint64_t id)
    {
        auto const place = std::lower_bound(s.entries.begin(), s.entries.end(), id,
                                            [](entry const& e, std::uint64_t wanted) { return e.id < wanted; });
        return place != s.entries.end() && place->id == id && place->frame ? &*place : nullptr;
    }
    template <class Gone>
    static void drop(session_changes& s, Gone gone)
    {
        std::erase_if(s.entries, [&](entry const& e) { return !e.frame || gone(e); });
        s.dead = 0;
    }
    /// Events with these numbers go. Those that wait in the file under an id go there.
    static void forget(session_changes& s, std::uint64_t from, std::uint64_t to)
    {
        auto const gone = [from, to](auto const& e) { return e.number >= from && e.number <= to; };
        drop(s, gone);
        for (numbering const& n : s.numbered)
            if (gone(n))
                s.removed.push_back(n.id);
        std::erase_if(s.numbered, gone);
    }
    room_changes& room_named(std::string_view name)
    {
        if (auto const known = rooms_.find(name); known != rooms_.end())
            return known->second;
        return rooms_[std::string(name)];
    }

    std::unordered_map<std::uint64_t, session_changes> sessions_;
    string_map<room_changes> rooms_;
};
using journal_batch = basic_journal_batch<>;

}  // namespace polycast::inline v0::detail

#endif
