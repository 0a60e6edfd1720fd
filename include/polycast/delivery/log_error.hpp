#pragma once

#include <polycast/error.hpp>

#include <string>
#include <system_error>
#include <type_traits>

namespace polycast::inline v0 {

/// Why a durable log could not be opened, read or written.
enum class log_error {
    cannot_open = 1,   ///< the file cannot be opened or created: no such folder, no permission
    locked,            ///< another server, or another program, has the file
    not_a_log,         ///< the file is a database of something else, or no database
    wrong_schema,      ///< a log of another version of polycast
    corrupt,           ///< the file is damaged
    disk_full,         ///< no room for what was to be written
    read_only,         ///< the file, its folder or its file system cannot be written
    io_failed,         ///< the system failed to read, write or sync
    no_memory,         ///< not enough memory
    library_failure,   ///< SQLite refused for a reason that is a fault of polycast
};

}  // namespace polycast::inline v0

template <>
struct std::is_error_code_enum<polycast::log_error> : std::true_type {};

namespace polycast::inline v0 {

class log_category_type final : public std::error_category {
    char const* name() const noexcept override { return "polycast.log"; }
    std::string message(int value) const override
    {
        switch (static_cast<log_error>(value)) {
        case log_error::cannot_open: return "the log cannot be opened";
        case log_error::locked: return "the log is locked by another process";
        case log_error::not_a_log: return "the file is not a polycast log";
        case log_error::wrong_schema: return "the log is of another version of polycast";
        case log_error::corrupt: return "the log is damaged";
        case log_error::disk_full: return "no room for the log on its disk";
        case log_error::read_only: return "the log cannot be written";
        case log_error::io_failed: return "reading or writing the log failed";
        case log_error::no_memory: return "not enough memory for the log";
        case log_error::library_failure: return "the database of the log failed";
        }
        return "unknown log error";
    }
    std::error_condition default_error_condition(int value) const noexcept override
    {
        switch (static_cast<log_error>(value)) {
        case log_error::cannot_open:
        case log_error::locked:
        case log_error::not_a_log:
        case log_error::wrong_schema:
        case log_error::corrupt: return failure::validation;
        default: return failure::internal;
        }
    }
};

inline log_category_type const log_category{};

inline std::error_code make_error_code(log_error e) noexcept
{
    return {static_cast<int>(e), log_category};
}

}  // namespace polycast::inline v0
