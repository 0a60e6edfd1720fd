#pragma once

#include <polycast/config.hpp>
#include <polycast/delivery/sqlite_connection.hpp>
#include <polycast/outbox/shared_frame.hpp>

#if POLYCAST_WITH_SQLITE

#include <cstddef>
#include <cstdint>
#include <unordered_map>
#include <utility>
#include <vector>

namespace polycast::inline v0::detail {

/// The frames of a log's file: which there are, and how many rows need each. A frame that rows need is held in memory
/// too, as an outbox or a log does anyway, so that its address names it. Not locked.
///
/// Between `begin` and `end` of a transaction nothing is taken back that a rollback would not also take back.
class sqlite_frames {
public:
    explicit sqlite_frames(sqlite_connection& log)
        : insert_(log, "INSERT INTO frame(id, op, rsv1, form, payload) VALUES(?, ?, ?, ?, ?)"),
          remove_(log, "DELETE FROM frame WHERE id = ?")
    {
    }

    /// The id for one more row that needs `frame`, which is stored if it is not yet. A result of SQLite.
    [[nodiscard]] int need(frame_ref const& frame, std::int64_t& id)
    {
        if (frame.get() != last_) {
            if (auto const known = ids_.find(frame.get()); known != ids_.end())
                last_id_ = known->second;
            else if (int const result = store(frame); result != SQLITE_DONE)
                return result;
            last_ = frame.get();
        }
        id = last_id_;
        gained_.push_back(id);
        return SQLITE_DONE;
    }
    /// A row that needed it is gone.
    void lose(std::int64_t id) { lost_.push_back(id); }

    /// Before the commit: deletes some frames that no row needs, twice as many as came, and a few.
    [[nodiscard]] int sweep()
    {
        if (auto const room = dead_.size() + lost_.size(); dead_.capacity() < room)
            dead_.reserve(room * 2);  // `end` cannot fail
        for (std::size_t some = new_.size() * 2 + 16; swept_ < dead_.size() && swept_ < some; ++swept_)
            if (int const result = remove_.with(dead_[dead_.size() - 1 - swept_]).run(); result != SQLITE_DONE)
                return result;
        return SQLITE_DONE;
    }

    void end(bool committed) noexcept
    {
        if (committed) {
            dead_.resize(dead_.size() - swept_);
            for (auto const id : gained_)
                if (auto const place = frames_.find(id); place != frames_.end())
                    ++place->second.rows;
            for (auto const id : lost_)
                if (auto const place = frames_.find(id); place != frames_.end() && --place->second.rows == 0)
                    forget(place), dead_.push_back(id);
        } else {
            for (auto const id : new_)
                forget(frames_.find(id));
        }
        swept_ = 0;
        new_.clear();
        gained_.clear();
        lost_.clear();
        last_ = nullptr;
    }

    /// At the start: a frame that the file has, and `rows` that need it; 0: it is to go.
    void found(std::int64_t id, frame_ref frame, std::uint32_t rows)
    {
        next_id_ = id >= next_id_ ? id + 1 : next_id_;
        if (rows == 0) {
            dead_.push_back(id);
            return;
        }
        ids_.try_emplace(frame.get(), id);
        frames_.try_emplace(id, kept{std::move(frame), rows});
    }

private:
    struct kept {
        frame_ref frame;
        std::uint32_t rows;
    };
    using map = std::unordered_map<std::int64_t, kept>;

    int store(frame_ref const& frame)
    {
        last_id_ = next_id_;
        // In this order, so that `end` undoes what was done before memory ran out.
        new_.push_back(last_id_);
        frames_.try_emplace(last_id_, kept{frame, 0});
        ids_.try_emplace(frame.get(), last_id_);
        ++next_id_;
        bool const rsv1 = (static_cast<unsigned char>(frame->wire()[0]) & 0x40U) != 0;
        return insert_
            .with(last_id_, std::int64_t{static_cast<std::uint8_t>(frame->op())}, std::int64_t{rsv1},
                  std::int64_t{frame->form()}, frame->payload())
            .run();
    }
    void forget(map::iterator place) noexcept
    {
        if (place == frames_.end())
            return;
        ids_.erase(place->second.frame.get());
        frames_.erase(place);
    }

    sqlite_statement insert_, remove_;
    map frames_;
    std::unordered_map<shared_frame const*, std::int64_t> ids_;
    std::vector<std::int64_t> dead_;  // in the file, for nobody
    std::int64_t next_id_ = 1;

    // Of the transaction that is open.
    std::vector<std::int64_t> new_, gained_, lost_;
    std::size_t swept_ = 0;
    shared_frame const* last_ = nullptr;  // an event goes to many sessions: most often the one before
    std::int64_t last_id_ = 0;
};

}  // namespace polycast::inline v0::detail

#endif
