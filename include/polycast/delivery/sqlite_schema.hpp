#pragma once

#include <polycast/config.hpp>
#include <polycast/delivery/log_error.hpp>
#include <polycast/delivery/sqlite_connection.hpp>

#if POLYCAST_WITH_SQLITE

#include <cstdint>
#include <string>

namespace polycast::inline v0::detail {

/// `entry.place` of what waits is this plus its id, so that a session's rows lie together and in order: what is numbered
/// by number, then what waits by id. Numbers and ids are below it.
inline constexpr std::uint64_t waiting_place = std::uint64_t{1} << 62;

/// In the file's header, so that nothing else is mistaken for a log: "poly".
inline constexpr std::int64_t log_application_id = 0x706F6C79;
/// Another schema has another number, and is refused.
inline constexpr std::int64_t log_schema_version = 2;

// A frame's payload is stored once, whoever has it. `session.count` may lag behind the numbers in `entry`: it is brought
// up to date when these go. An entry without frame is a gap. Texts are blobs, as they may hold anything.
inline constexpr char const* log_schema = R"(
BEGIN;
CREATE TABLE setting(name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE session(id INTEGER PRIMARY KEY, name BLOB NOT NULL, user BLOB NOT NULL,
    count INTEGER NOT NULL, acked INTEGER NOT NULL, owed INTEGER NOT NULL DEFAULT 0);
CREATE TABLE frame(id INTEGER PRIMARY KEY, op INTEGER NOT NULL, rsv1 INTEGER NOT NULL, form INTEGER NOT NULL,
    payload BLOB NOT NULL);
CREATE TABLE entry(session INTEGER, place INTEGER, frame INTEGER, flags INTEGER, skipped INTEGER, reason BLOB,
    PRIMARY KEY(session, place)) WITHOUT ROWID;
CREATE TABLE member(session INTEGER, room BLOB NOT NULL, PRIMARY KEY(session, room)) WITHOUT ROWID;
CREATE TABLE request(session INTEGER, place INTEGER, id BLOB NOT NULL, answer BLOB NOT NULL,
    PRIMARY KEY(session, place)) WITHOUT ROWID;
CREATE TABLE room(name BLOB PRIMARY KEY, last INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE history(room BLOB, place INTEGER, at_ms INTEGER NOT NULL, frame INTEGER NOT NULL,
    PRIMARY KEY(room, place)) WITHOUT ROWID;
PRAGMA application_id = 0x706F6C79;
PRAGMA user_version = 2;
COMMIT;
)";

/// Makes a log of a new or empty file, or makes sure that this is one and is whole: reads it all. From then on the file
/// is this connection's alone. Throws `std::system_error`.
inline void open_log(sqlite_connection& log, bool survive_power_loss)
{
    auto const value = [&log](char const* sql) {
        std::int64_t found = 0;
        sqlite_statement read(log, sql);
        read.read([&] { found = read.integer(0); });
        return found;
    };
    auto const text = [&log](char const* sql) {
        std::string found;
        sqlite_statement read(log, sql);
        read.read([&] { found = read.text(0); });
        return found;
    };
    // Before the first access: then the file is locked until it is closed, and what SQLite knows of the write-ahead log
    // is in memory instead of a third file (sqlite.org/wal.html §8).
    log.require(log.run("PRAGMA locking_mode = EXCLUSIVE"));
    bool const is_new = value("SELECT count(*) FROM sqlite_schema") == 0;
    if (!is_new && value("PRAGMA application_id") != log_application_id)
        log.fail(log_error::not_a_log, "it is a database of something else");
    if (auto const version = value("PRAGMA user_version"); !is_new && version != log_schema_version)
        log.fail(log_error::wrong_schema, "its schema is " + std::to_string(version) + ", this program's is " +
                                              std::to_string(log_schema_version));
    if (sqlite3_db_readonly(log.get(), "main") == 1)
        log.fail(log_error::read_only, "no permission to write it");
    if (text("PRAGMA journal_mode = WAL") != "wal")
        log.fail(log_error::cannot_open, "its file system has no write-ahead log");
    // NORMAL: a commit is in the kernel's hands, so the death of the process loses nothing; of the machine, the last
    // commits, but nothing is damaged. FULL: a commit is on the disk.
    log.require(log.run(survive_power_loss ? "PRAGMA synchronous = FULL" : "PRAGMA synchronous = NORMAL"));
    // 16 MiB: what is written over and over in the write-ahead log is copied to the file once, and less often.
    log.require(log.run("PRAGMA wal_autocheckpoint = 4096; PRAGMA journal_size_limit = 67108864;"
                        "PRAGMA cache_size = -16384; PRAGMA temp_store = MEMORY"));
    if (is_new)
        log.require(log.run(log_schema));
    else if (auto const verdict = text("PRAGMA quick_check(1)"); verdict != "ok")
        log.fail(log_error::corrupt, verdict);
}

}  // namespace polycast::inline v0::detail

#endif
