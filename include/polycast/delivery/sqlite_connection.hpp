#pragma once

#include <polycast/config.hpp>
#include <polycast/delivery/log_error.hpp>

#if POLYCAST_WITH_SQLITE

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <system_error>

#include <fcntl.h>
#include <sqlite3.h>
#include <unistd.h>

static_assert(SQLITE_VERSION_NUMBER >= 3035000, "polycast: the log needs SQLite 3.35, the first with RETURNING.");

namespace polycast::inline v0::detail {

/// What a result of SQLite means, extended or not (sqlite.org/rescode.html).
[[nodiscard]] inline log_error log_error_of(int result) noexcept
{
    switch (result & 0xFF) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED: return log_error::locked;
    case SQLITE_NOTADB: return log_error::not_a_log;
    case SQLITE_CORRUPT: return log_error::corrupt;
    case SQLITE_FULL: return log_error::disk_full;
    case SQLITE_PERM:
    case SQLITE_AUTH:
    case SQLITE_CANTOPEN: return log_error::cannot_open;
    case SQLITE_READONLY: return log_error::read_only;
    case SQLITE_IOERR: return log_error::io_failed;
    case SQLITE_NOMEM: return log_error::no_memory;
    default: return log_error::library_failure;
    }
}

/// One database file. Not locked: whoever shares it takes care.
class sqlite_connection {
public:
    /// Throws `std::system_error`.
    explicit sqlite_connection(std::string const& file) : file_(file)
    {
        // What users were sent is nobody else's to read. Only a file that was not there is touched: closing one that is
        // in use would drop the locks that this process has on it (fcntl(2)).
        if (int const created = ::open(file.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600); created >= 0)
            ::close(created);
        sqlite3* opened = nullptr;
        int const flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
        int const result = sqlite3_open_v2(file.c_str(), &opened, flags, nullptr);
        db_.reset(opened);
        require(result);
        sqlite3_extended_result_codes(db_.get(), 1);
    }
    [[nodiscard]] sqlite3* get() const noexcept { return db_.get(); }
    /// Runs statements that return nothing of interest. Any result of SQLite.
    [[nodiscard]] int run(char const* sql) noexcept { return sqlite3_exec(db_.get(), sql, nullptr, nullptr, nullptr); }
    /// Throws for every result but success.
    void require(int result) const
    {
        if (result != SQLITE_OK && result != SQLITE_ROW && result != SQLITE_DONE)
            fail(log_error_of(result), db_ ? sqlite3_errmsg(db_.get()) : sqlite3_errstr(result));
    }
    [[noreturn]] void fail(log_error why, std::string_view detail) const
    {
        throw std::system_error(why, "polycast: log " + file_ + " (" + std::string(detail) + ")");
    }

private:
    struct closed {
        void operator()(sqlite3* db) const noexcept { sqlite3_close_v2(db); }
    };
    std::string file_;
    std::unique_ptr<sqlite3, closed> db_;
};

/// A prepared statement. Bytes that are bound are not copied: they live until the next `reset`.
class sqlite_statement {
public:
    /// Throws `std::system_error`. Compiled on use, and once.
    sqlite_statement(sqlite_connection& connection, char const* sql) : connection_(&connection)
    {
        sqlite3_stmt* prepared = nullptr;
        connection.require(sqlite3_prepare_v3(connection.get(), sql, -1, SQLITE_PREPARE_PERSISTENT, &prepared, nullptr));
        statement_.reset(prepared);
    }
    /// Binds all parameters, in order.
    template <class... Values>
    sqlite_statement& with(Values const&... values) noexcept
    {
        int place = 0;
        (bind(++place, values), ...);
        return *this;
    }
    /// To the end, rows ignored. The result of SQLite: `SQLITE_DONE` is success.
    [[nodiscard]] int run() noexcept
    {
        return each([] {});
    }
    /// As `run`, with a call for each row.
    template <class Row>
    [[nodiscard]] int each(Row&& row)
    {
        struct rewind {
            sqlite3_stmt* statement;
            ~rewind()
            {
                sqlite3_reset(statement);
                sqlite3_clear_bindings(statement);
            }
        } const guard{statement_.get()};
        for (;;) {
            int const result = sqlite3_step(statement_.get());
            if (result != SQLITE_ROW)
                return result;
            row();
        }
    }
    /// As `each`, for reading at the start: throws.
    template <class Row>
    void read(Row&& row)
    {
        connection_->require(each(row));
    }
    [[nodiscard]] std::int64_t integer(int column) const noexcept
    {
        return sqlite3_column_int64(statement_.get(), column);
    }
    [[nodiscard]] std::uint64_t count(int column) const noexcept { return static_cast<std::uint64_t>(integer(column)); }
    /// Until the next row.
    [[nodiscard]] std::string_view bytes(int column) const noexcept
    {
        auto const* const data = static_cast<char const*>(sqlite3_column_blob(statement_.get(), column));
        auto const size = static_cast<std::size_t>(sqlite3_column_bytes(statement_.get(), column));
        return data == nullptr ? std::string_view{} : std::string_view(data, size);
    }
    [[nodiscard]] std::string text(int column) const { return std::string(bytes(column)); }

private:
    struct finalized {
        void operator()(sqlite3_stmt* statement) const noexcept { sqlite3_finalize(statement); }
    };
    // Neither fails, but for bytes beyond SQLite's limit of 1 GB: then the column's NOT NULL refuses the row.
    void bind(int place, std::int64_t value) noexcept { sqlite3_bind_int64(statement_.get(), place, value); }
    void bind(int place, std::uint64_t value) noexcept { bind(place, static_cast<std::int64_t>(value)); }
    void bind(int place, std::nullptr_t) noexcept { sqlite3_bind_null(statement_.get(), place); }
    void bind(int place, std::string_view value) noexcept
    {
        // As a blob, which may hold anything. An empty view may have no address, and that would be NULL.
        sqlite3_bind_blob64(statement_.get(), place, value.empty() ? "" : value.data(), value.size(), SQLITE_STATIC);
    }

    sqlite_connection* connection_;
    std::unique_ptr<sqlite3_stmt, finalized> statement_;
};

}  // namespace polycast::inline v0::detail

#endif
