// The agent's tools: what it may read on this machine, and how much.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

namespace hub {

/// What a tool could not do, in words for the user.
struct tool_error : std::runtime_error {
    using std::runtime_error::runtime_error;
};

/// Thrown where a run notices that it was cancelled.
struct cancelled {};

/// How long a run may take. Tools ask it between files.
struct budget {
    std::stop_token stop;
    std::chrono::steady_clock::time_point deadline;

    /// Throws `cancelled`, or `tool_error` when the time is over.
    void check() const;
};

struct file {
    std::filesystem::path path;  ///< absolute
    std::string name;            ///< from the workspace's root, as users see it
    std::uint64_t bytes = 0;
    std::filesystem::file_time_type changed{};
};

struct listing {
    std::string name;  ///< of the directory or file that was asked for
    std::filesystem::path path;
    std::vector<file> files;           ///< in order of name
    std::vector<std::string> skipped;  ///< directories left out: hidden ones, dependencies, build folders
    bool truncated = false;            ///< there were more than `limits::max_files`
};

struct line_counts {
    struct of_kind {
        std::uint64_t files = 0, lines = 0, bytes = 0;
    };
    of_kind total;
    std::map<std::string, of_kind> kinds;                        ///< by extension, such as `.cpp`
    std::vector<std::pair<std::string, std::uint64_t>> longest;  ///< names and lines, longest first
    std::uint64_t unread = 0;                                    ///< binary or too long files, in none of the above
};

struct commit {
    std::string id, date, author, subject;
};

struct limits {
    std::size_t max_files = 5000;
    std::size_t max_file_bytes = 1024 * 1024;  ///< longer files are not read
    std::size_t max_depth = 24;
    std::size_t max_commits = 10;
};

/// A directory that questions are about. Nothing outside of it is read: paths are resolved, links included, and then
/// compared. Holds no state but the root: use it from any thread.
class workspace {
public:
    /// Throws `std::filesystem::filesystem_error` if there is no such directory.
    explicit workspace(std::filesystem::path const& root) : root_(std::filesystem::canonical(root)) {}

    [[nodiscard]] std::filesystem::path const& root() const noexcept { return root_; }

    /// The real path of what a user named. Throws `tool_error` if it does not exist, is hidden, or is outside.
    [[nodiscard]] std::filesystem::path resolve(std::string_view asked) const;
    /// All files below `at`, or `at` itself.
    [[nodiscard]] listing list(std::filesystem::path const& at, budget const& b) const;
    /// The text of a file; nothing if it is binary, longer than the limit, or cannot be read.
    [[nodiscard]] std::optional<std::string> read(file const& f) const;
    [[nodiscard]] line_counts count(listing const& in, budget const& b) const;
    /// The newest commits that touched `in`; nothing if it is in no git repository.
    [[nodiscard]] std::optional<std::vector<commit>> history(listing const& in, budget const& b) const;

private:
    [[nodiscard]] std::string name_of(std::filesystem::path const& path) const;

    std::filesystem::path root_;
    limits limits_{};
};

/// Calls `f(number, line)` for each line of `text`, from 1, without its line end.
template <class F>
void for_each_line(std::string_view text, F f)
{
    for (std::size_t number = 1; !text.empty(); ++number) {
        auto const end = text.find('\n');
        f(number, text.substr(0, end));
        text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    }
}

}  // namespace hub
