#pragma once

#include <polycast/config.hpp>
#include <polycast/delivery/journal_batch.hpp>
#include <polycast/delivery/log_error.hpp>
#include <polycast/delivery/options.hpp>
#include <polycast/delivery/sqlite_connection.hpp>
#include <polycast/delivery/sqlite_reader.hpp>
#include <polycast/delivery/sqlite_schema.hpp>
#include <polycast/delivery/sqlite_writer.hpp>
#include <polycast/delivery/stored_state.hpp>

#if POLYCAST_WITH_SQLITE

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <new>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

namespace polycast::inline v0::delivery {

/// The log of `at_least_once` in a file, through SQLite: a server that was killed goes on with its sessions, rooms and
/// unacknowledged events when it is started again. With `options::survive_power_loss` a machine may be.
///
/// One `database` a server, one `journal` a shard. What a journal is told stays in memory until `commit`.
struct sqlite_log {
    static constexpr bool durable = true;
    class database;
    class journal;
};

/// The file, which is this object's alone as long as it lives. Any thread; commits wait for each other.
class sqlite_log::database {
public:
    /// Makes the file if there is none, with permissions for its user only; reads through one that there is. Throws
    /// `std::system_error` (`log_error`) that names the file and the reason.
    explicit database(options const& o) : log_(o.log_file), writer_(opened(o)), max_requests_(o.max_requests) {}
    database(database const&) = delete;
    database& operator=(database const&) = delete;

    /// All that is in the file. Once, before a journal commits. Throws `std::system_error`.
    [[nodiscard]] stored_state recover()
    {
        std::lock_guard const lock(mutex_);
        return detail::sqlite_reader(log_, max_requests_).read(writer_);
    }
    /// Kept when it returns. Throws `std::system_error`.
    void set_epoch(std::string_view epoch)
    {
        std::lock_guard const lock(mutex_);
        detail::sqlite_statement set(log_, "INSERT OR REPLACE INTO setting(name, value) VALUES('epoch', ?)");
        log_.require(set.with(epoch).run());
    }
    /// A room's past goes; rooms that begin from now on begin behind offset `floor`. Written with the next commit of any
    /// journal, which is in time: a room that begins anew is told of later. Any thread.
    void history_forgotten(std::string_view room, std::uint64_t floor)
    {
        std::lock_guard const lock(forgotten_mutex_);
        forgotten_.push_back({std::string(room), floor});
    }

private:
    friend journal;

    detail::sqlite_connection& opened(options const& o)
    {
        detail::open_log(log_, o.survive_power_loss);
        return log_;
    }
    std::error_code write(detail::journal_batch const& batch)
    {
        std::lock_guard const lock(mutex_);
        try {
            {
                std::lock_guard const also(forgotten_mutex_);
                writing_.insert(writing_.end(), forgotten_.begin(), forgotten_.end());
                forgotten_.clear();
            }
            int const result = writer_.write(batch, writing_);
            if (result == SQLITE_DONE) {
                writing_.clear();
                return {};
            }
            // What the write-ahead log has may fit into the file, and then it begins anew in the room that it has.
            if (detail::log_error_of(result) == log_error::disk_full)
                static_cast<void>(log_.run("PRAGMA wal_checkpoint(PASSIVE)"));
            return detail::log_error_of(result);
        } catch (std::bad_alloc const&) {
            return log_error::no_memory;
        }
    }

    std::mutex mutex_, forgotten_mutex_;
    std::vector<detail::forgotten_room> forgotten_, writing_;
    detail::sqlite_connection log_;
    detail::sqlite_writer writer_;
    std::size_t max_requests_;
};

/// What one shard tells the log; on its thread. Ids of sessions are unique in the file, those of entries rise within a
/// session, numbers of a session count from 1.
class sqlite_log::journal {
public:
    explicit journal(database& kept_in) noexcept : database_(&kept_in) {}

    void opened(std::uint64_t session, std::string_view name, std::string_view user)
    {
        batch_.opened(session, name, user);
    }
    /// It goes, and all that belongs to it.
    void ended(std::uint64_t session) { batch_.ended(session); }

    /// An event waits for its number.
    void accepted(std::uint64_t session, std::uint64_t entry, frame_ref const& frame, lane l, bool critical)
    {
        batch_.accepted(session, entry, frame, l, critical);
    }
    void numbered(std::uint64_t session, std::uint64_t entry, std::uint64_t number)
    {
        batch_.numbered(session, entry, number);
    }
    /// Coalesced or dropped before it had a number.
    void removed(std::uint64_t session, std::uint64_t entry) { batch_.removed(session, entry); }
    /// Numbers that no event has, or that none has any more; `to` is one of them.
    void skipped(std::uint64_t session, std::uint64_t from, std::uint64_t to, std::string_view reason)
    {
        batch_.skipped(session, from, to, reason);
    }
    /// So many events were dropped and have no number yet; `skipped` gives them some.
    void owes(std::uint64_t session, std::uint64_t events) { batch_.owes(session, events); }
    /// What has these numbers goes: it is acknowledged, or evicted.
    void trimmed(std::uint64_t session, std::uint64_t up_to_number, bool acknowledged)
    {
        batch_.trimmed(session, up_to_number, acknowledged);
    }

    void joined(std::uint64_t session, std::string_view room) { batch_.room(session, room, true); }
    void left(std::uint64_t session, std::string_view room) { batch_.room(session, room, false); }
    /// A request has its answer; the most recent `keep` of the session are kept, and for a time some more.
    void requested(std::uint64_t session, std::string_view id, std::string_view answer, std::size_t keep)
    {
        batch_.requested(session, id, answer, keep);
    }

    /// An event of a room has its offset. Every shard that sends it says so before it does: it is kept once, and no offset
    /// that a client has seen is given again.
    void history(std::string_view room, std::uint64_t offset, std::int64_t at_ms, frame_ref const& frame)
    {
        batch_.history(room, {offset, at_ms, frame});
    }
    void history_trimmed(std::string_view room, std::uint64_t up_to_offset)
    {
        batch_.history_trimmed(room, up_to_offset);
    }
    /// There is something to commit.
    [[nodiscard]] bool pending() const noexcept { return !batch_.empty(); }
    /// Writes what came since the last one: all of it, or nothing and a `log_error`. Then it is tried again with the next
    /// commit; how much may come until then is for the caller to bound. Costs some system calls, and waits for the disk
    /// where `options::survive_power_loss` asks for it, or once in some thousand pages.
    [[nodiscard]] std::error_code commit()
    {
        if (batch_.empty())
            return {};
        if (auto const failed = database_->write(batch_))
            return failed;
        batch_.clear();
        return {};
    }

private:
    database* database_;
    detail::journal_batch batch_;
};

}  // namespace polycast::inline v0::delivery

#endif
