#pragma once

#include <polycast/config.hpp>
#include <polycast/delivery/sqlite_connection.hpp>
#include <polycast/delivery/sqlite_schema.hpp>
#include <polycast/delivery/sqlite_writer.hpp>
#include <polycast/delivery/stored_state.hpp>

#if POLYCAST_WITH_SQLITE

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <utility>

namespace polycast::inline v0::detail {

/// Reads a log's file from end to end, once, and tells the writer where it goes on. Throws `std::system_error`.
class sqlite_reader {
public:
    sqlite_reader(sqlite_connection& log, std::size_t max_requests) : log_(log), max_requests_(max_requests) {}

    [[nodiscard]] delivery::stored_state read(sqlite_writer& writer)
    {
        read_frames();
        read_sessions();
        read_entries();
        read_rooms();
        read_requests(writer);
        sqlite_statement epoch(log_, "SELECT value FROM setting WHERE name = 'epoch'");
        epoch.read([&] { state_.epoch = epoch.text(0); });
        sqlite_statement floor(log_, "SELECT value FROM setting WHERE name = 'floor'");
        floor.read([&] { state_.history_floor = floor.count(0); });
        for (auto& [id, f] : frames_)
            writer.frames.found(id, std::move(f.frame), f.rows);
        return std::move(state_);
    }

private:
    struct known_frame {
        frame_ref frame;
        bool rsv1 = false;
        std::uint32_t rows = 0;
    };

    void read_frames()
    {
        sqlite_statement all(log_, "SELECT id, op, rsv1, form, payload FROM frame");
        all.read([&] {
            known_frame f;
            f.rsv1 = all.integer(2) != 0;
            f.frame = shared_frame::message(static_cast<opcode>(all.integer(1)), all.bytes(4), f.rsv1);
            f.frame->set_form(static_cast<std::uint8_t>(all.integer(3)));
            frames_.try_emplace(all.integer(0), std::move(f));
        });
    }
    known_frame& need(std::int64_t id)
    {
        auto const place = frames_.find(id);
        if (place == frames_.end())
            log_.fail(log_error::corrupt, "an event has no payload");
        ++place->second.rows;
        return place->second;
    }

    void read_sessions()
    {
        sqlite_statement all(log_, "SELECT id, name, user, count, acked, owed FROM session ORDER BY id");
        all.read([&] {
            delivery::stored_session s;
            s.id = all.count(0);
            s.name = all.text(1);
            s.user = all.text(2);
            s.count = all.count(3);
            s.acked = all.count(4);
            s.owed = all.count(5);
            state_.last_id = std::max(state_.last_id, s.id);
            state_.sessions.push_back(std::move(s));
        });
        sqlite_statement rooms(log_, "SELECT session, room FROM member");
        rooms.read([&] { with_session(rooms.count(0), [&](auto& s) { s.rooms.push_back(rooms.text(1)); }); });
    }
    template <class Use>
    void with_session(std::uint64_t id, Use&& use)
    {
        auto const place = std::lower_bound(state_.sessions.begin(), state_.sessions.end(), id,
                                            [](auto const& s, std::uint64_t wanted) { return s.id < wanted; });
        if (place != state_.sessions.end() && place->id == id)
            use(*place);
    }

    void read_entries()
    {
        sqlite_statement all(log_, "SELECT session, place, frame, flags, skipped, reason FROM entry ORDER BY session, place");
        all.read([&] {
            with_session(all.count(0), [&](delivery::stored_session& s) {
                delivery::stored_entry e;
                bool const waits = all.count(1) > waiting_place;
                (waits ? e.id : e.number) = waits ? all.count(1) - waiting_place : all.count(1);
                if (auto const id = all.integer(2); id != 0) {
                    known_frame const& f = need(id);
                    e.lane_ = static_cast<lane>(std::min<std::int64_t>(all.integer(3) & 3, lane_count - 1));
                    e.critical = (all.integer(3) & 4) != 0;
                    e.op = f.frame->op();
                    e.rsv1 = f.rsv1;
                    e.form = f.frame->form();
                    e.payload = f.frame->payload();
                    e.frame = f.frame;
                } else {
                    e.skipped = std::max<std::uint64_t>(all.count(4), 1);
                    e.reason = all.text(5);
                }
                state_.last_id = std::max(state_.last_id, e.id);
                if (e.number != 0)
                    s.count = std::max(s.count, e.number + (e.skipped > 0 ? e.skipped - 1 : 0));
                s.entries.push_back(std::move(e));
            });
        });
    }

    void read_rooms()
    {
        sqlite_statement all(log_, "SELECT name, last FROM room ORDER BY name");
        all.read([&] { state_.rooms.push_back({all.text(0), all.count(1), {}}); });
        sqlite_statement events(log_, "SELECT room, place, at_ms, frame FROM history ORDER BY room, place");
        auto room = state_.rooms.begin();
        events.read([&] {
            while (room != state_.rooms.end() && room->name != events.bytes(0))
                ++room;
            known_frame const& f = need(events.integer(3));
            if (room == state_.rooms.end())
                return;
            // What lies before a hole, of which another shard had not told yet, is of no use: who needs it needs the hole.
            if (!room->events.empty() && room->events.back().offset + 1 != events.count(1))
                room->events.clear();
            room->events.push_back(
                {events.count(1), events.integer(2), f.frame->op(), f.frame->payload(), f.frame});
        });
        for (auto& r : state_.rooms)
            if (!r.events.empty() && r.events.back().offset != r.offset)
                r.events.clear();
    }

    void read_requests(sqlite_writer& writer)
    {
        std::uint64_t next = 1;
        sqlite_statement all(log_, "SELECT session, place, id, answer FROM request ORDER BY session, place DESC");
        std::uint64_t session = 0;
        std::unordered_set<std::string> seen;
        all.read([&] {
            next = std::max(next, all.count(1) + 1);
            if (std::exchange(session, all.count(0)) != all.count(0))
                seen.clear();
            with_session(session, [&](delivery::stored_session& s) {
                if (s.requests.size() < max_requests_ && seen.insert(all.text(2)).second)
                    s.requests.push_back({all.text(2), all.text(3)});
            });
        });
        for (auto& s : state_.sessions)
            std::reverse(s.requests.begin(), s.requests.end());
        writer.begin_requests(next);
    }

    sqlite_connection& log_;
    std::size_t max_requests_;
    std::unordered_map<std::int64_t, known_frame> frames_;
    delivery::stored_state state_;
};

}  // namespace polycast::inline v0::detail

#endif
