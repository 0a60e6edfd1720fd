#pragma once

#include <polycast/config.hpp>
#include <polycast/delivery/journal_batch.hpp>
#include <polycast/delivery/sqlite_connection.hpp>
#include <polycast/delivery/sqlite_frames.hpp>
#include <polycast/delivery/sqlite_schema.hpp>

#if POLYCAST_WITH_SQLITE

#include <algorithm>
#include <cstdint>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

namespace polycast::inline v0::detail {

/// Writes batches to a log's file. Not locked.
class sqlite_writer {
public:
    explicit sqlite_writer(sqlite_connection& log)
        : frames(log),
          begin_(log, "BEGIN"),
          commit_(log, "COMMIT"),
          rollback_(log, "ROLLBACK"),
          open_(log, "INSERT OR REPLACE INTO session(id, name, user, count, acked) VALUES(?, ?, ?, ?, ?)"),
          count_(log, "UPDATE session SET count = max(count, ?), acked = max(acked, ?) WHERE id = ?"),
          owe_(log, "UPDATE session SET owed = ? WHERE id = ?"),
          end_session_(log, "DELETE FROM session WHERE id = ?"),
          end_rooms_(log, "DELETE FROM member WHERE session = ?"),
          end_requests_(log, "DELETE FROM request WHERE session = ?"),
          insert_(log, "INSERT OR REPLACE INTO entry(session, place, frame, flags) VALUES(?, ?, ?, ?)"),
          skip_(log, "INSERT OR REPLACE INTO entry(session, place, skipped, reason) VALUES(?, ?, ?, ?)"),
          number_(log, "UPDATE OR REPLACE entry SET place = ? WHERE session = ? AND place = ?"),
          erase_(log, "DELETE FROM entry WHERE session = ? AND place BETWEEN ? AND ? "
                      "RETURNING place, frame, skipped, reason"),
          join_(log, "INSERT OR IGNORE INTO member(session, room) VALUES(?, ?)"),
          leave_(log, "DELETE FROM member WHERE session = ? AND room = ?"),
          request_(log, "INSERT OR REPLACE INTO request(session, place, id, answer) VALUES(?, ?, ?, ?)"),
          limit_requests_(log, "DELETE FROM request WHERE session = ?1 AND place <= (SELECT place FROM request WHERE "
                               "session = ?1 ORDER BY place DESC LIMIT 1 OFFSET ?2)"),
          room_(log, "INSERT INTO room(name, last) VALUES(?, ?) "
                     "ON CONFLICT(name) DO UPDATE SET last = max(last, excluded.last)"),
          remember_(log, "INSERT OR IGNORE INTO history(room, place, at_ms, frame) VALUES(?, ?, ?, ?)"),
          forget_(log, "DELETE FROM history WHERE room = ? AND place <= ? RETURNING frame"),
          forget_room_(log, "DELETE FROM room WHERE name = ? AND last <= ?"),
          floor_(log, "INSERT INTO setting(name, value) VALUES('floor', ?) "
                      "ON CONFLICT(name) DO UPDATE SET value = max(value, excluded.value)"),
          log_(&log)
    {
    }

    /// All of it or nothing. A result of SQLite; `SQLITE_DONE` is success.
    [[nodiscard]] int write(journal_batch const& batch, std::span<forgotten_room const> forgotten)
    {
        struct transaction {
            sqlite_writer& writer;
            bool committed = false;
            ~transaction()
            {
                if (!committed)
                    static_cast<void>(writer.rollback_.run());
                writer.frames.end(committed);
            }
        } open{*this};
        result_ = SQLITE_DONE;
        if (run(begin_)) {
            write_all(batch);
            for (auto const& room : forgotten)
                write_forgotten(room);
            result_ = ok() ? frames.sweep() : result_;
            open.committed = ok() && run(commit_);
        }
        return result_;
    }
    /// Where the place of requests goes on, at the start.
    void begin_requests(std::uint64_t place) noexcept { next_request_ = place; }

    sqlite_frames frames;

private:
    [[nodiscard]] bool ok() const noexcept { return result_ == SQLITE_DONE; }
    // After the first failure nothing runs any more.
    bool run(sqlite_statement& statement)
    {
        if (ok())
            result_ = statement.run();
        return ok();
    }
    template <class Row>
    void each(sqlite_statement& statement, Row&& row)
    {
        if (ok())
            result_ = statement.each(row);
    }
    bool need(frame_ref const& frame, std::int64_t& id)
    {
        if (ok())
            result_ = frames.need(frame, id);
        return ok();
    }

    void write_all(journal_batch const& batch)
    {
        // In the order of the file's pages.
        sorted_.clear();
        for (auto const& session : batch.sessions())
            sorted_.push_back(&session);
        std::sort(sorted_.begin(), sorted_.end(), [](auto const* a, auto const* b) { return a->first < b->first; });
        for (auto const* session : sorted_)
            write_session(session->first, session->second);
        for (auto const& [name, changes] : batch.rooms())
            write_room(name, changes);
    }

    void write_session(std::uint64_t id, journal_batch::session_changes const& s)
    {
        if (s.wiped) {
            run(end_session_.with(id));
            erase(id, 0, max_place);
            run(end_rooms_.with(id));
            run(end_requests_.with(id));
            requests_since_limit_.erase(id);
            if (!s.opened)
                return;
        }
        if (s.opened)
            run(open_.with(id, s.name, s.user, s.count, s.acked));
        else if (s.trimmed > 0)
            run(count_.with(s.count, s.acked, id));
        if (s.owed)
            run(owe_.with(*s.owed, id));
        write_entries(id, s);
        for (auto const& [room, in_it] : s.rooms)
            run((in_it ? join_ : leave_).with(id, room));
        if (!s.requests.empty())
            write_requests(id, s);
    }

    void write_entries(std::uint64_t session, journal_batch::session_changes const& s)
    {
        if (s.trimmed > 0 && !s.opened)
            erase(session, 0, std::min(s.trimmed, waiting_place - 1));
        for (auto const& range : s.covered)
            erase(session, range.from, range.to);
        for (auto const id : s.removed)
            erase(session, waiting_place + id, waiting_place + id);
        for (auto const& [id, number] : s.numbered)
            run(number_.with(number, session, waiting_place + id));
        for (auto const& e : s.entries)
            if (std::int64_t frame = 0; e.frame && need(e.frame, frame)) {
                auto const flags = static_cast<unsigned>(e.lane_) | (e.critical ? 4U : 0U);
                run(insert_.with(session, e.number != 0 ? e.number : waiting_place + e.id, frame, std::int64_t{flags}));
            }
        for (auto const& g : s.gaps)
            run(skip_.with(session, g.from, g.to - g.from + 1, g.reason));
    }
    void erase(std::uint64_t session, std::uint64_t from, std::uint64_t to)
    {
        journal_batch::gap rest{};
        each(erase_.with(session, from, to), [&] {
            if (auto const frame = erase_.integer(1); frame != 0)
                frames.lose(frame);
            else if (auto const end = erase_.count(0) + erase_.count(2); end > to + 1)
                rest = {{to + 1, end - 1}, erase_.text(3)};
        });
        if (rest.from != 0)
            run(skip_.with(session, rest.from, rest.to - rest.from + 1, rest.reason));
    }

    void write_requests(std::uint64_t session, journal_batch::session_changes const& s)
    {
        for (auto const& r : s.requests)
            run(request_.with(session, next_request_++, r.id, r.answer));
        // Now and then, as it walks over all that are kept.
        std::size_t& since = requests_since_limit_[session];
        if ((since += s.requests.size()) > s.keep_requests / 4 && ok()) {
            run(limit_requests_.with(session, static_cast<std::uint64_t>(s.keep_requests)));
            since = 0;
        }
    }

    void write_room(std::string const& name, journal_batch::room_changes const& r)
    {
        if (r.trimmed > 0)
            each(forget_.with(name, r.trimmed), [&] { frames.lose(forget_.integer(0)); });
        if (r.offset > 0)
            run(room_.with(name, r.offset));
        for (auto const& e : r.events)
            if (std::int64_t frame = 0; need(e.frame, frame)) {
                // Another shard may have told of it too.
                if (run(remember_.with(name, e.offset, e.at_ms, frame)) && sqlite3_changes(log_->get()) == 0)
                    frames.lose(frame);
            }
    }
    void write_forgotten(forgotten_room const& r)
    {
        run(forget_room_.with(r.name, r.floor));
        each(forget_.with(r.name, r.floor), [&] { frames.lose(forget_.integer(0)); });
        run(floor_.with(r.floor));
    }

    static constexpr std::uint64_t max_place = ~std::uint64_t{0} >> 1;

    sqlite_statement begin_, commit_, rollback_, open_, count_, owe_, end_session_, end_rooms_, end_requests_, insert_, skip_,
        number_, erase_, join_, leave_, request_, limit_requests_, room_, remember_, forget_, forget_room_,
        floor_;
    sqlite_connection* log_;
    int result_ = SQLITE_DONE;
    std::uint64_t next_request_ = 1;
    std::unordered_map<std::uint64_t, std::size_t> requests_since_limit_;
    std::vector<std::pair<std::uint64_t const, journal_batch::session_changes> const*> sorted_;
};

}  // namespace polycast::inline v0::detail

#endif
