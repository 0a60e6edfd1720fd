#include "workspace.hpp"

#include "process.hpp"

#include <algorithm>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace hub {

namespace fs = std::filesystem;

namespace {

bool is_hidden(fs::path const& name)
{
    return name.native().starts_with('.') && name != "." && name != "..";
}

/// Not what somebody wrote: dependencies, caches, and what Meson and CMake build.
bool is_made_by_tools(fs::path const& directory)
{
    auto const name = directory.filename();
    if (name == "node_modules" || name == "__pycache__")
        return true;
    std::error_code ec;
    for (char const* const mark : {"build.ninja", "CMakeCache.txt", "CACHEDIR.TAG"})
        if (fs::exists(directory / mark, ec))
            return true;
    return false;
}

}  // namespace

void budget::check() const
{
    if (stop.stop_requested())
        throw cancelled{};
    if (std::chrono::steady_clock::now() > deadline)
        throw tool_error("this took too long; ask about a smaller directory");
}

std::string workspace::name_of(fs::path const& path) const
{
    return path.lexically_relative(root_).generic_string();
}

fs::path workspace::resolve(std::string_view asked) const
{
    std::string const shown(asked.substr(0, 200));
    if (asked.find('\0') != std::string_view::npos)
        throw tool_error("the path has a zero byte in it");
    std::error_code ec;
    auto const real = fs::canonical(root_ / fs::path(asked), ec);
    auto const relative = real.lexically_relative(root_);
    // Whether something exists outside is nobody's business either.
    bool const outside =
        ec ? fs::weakly_canonical(root_ / fs::path(asked), ec).lexically_relative(root_).native().starts_with("..")
           : relative.native().starts_with("..");
    if (outside)
        throw tool_error("the path '" + shown + "' leads outside of the hub's root directory");
    if (real.empty())
        throw tool_error("there is no '" + shown + "' in the hub's root directory");
    if (std::any_of(relative.begin(), relative.end(), is_hidden))
        throw tool_error("'" + shown + "' is hidden; hidden files are not read");
    return real;
}

listing workspace::list(fs::path const& at, budget const& b) const
{
    listing out{.name = name_of(at), .path = at, .files = {}, .skipped = {}};
    auto const add = [&](fs::directory_entry const& entry) {
        std::error_code ec;
        auto const bytes = entry.file_size(ec);
        if (!ec)
            out.files.push_back({entry.path(), name_of(entry.path()), bytes, entry.last_write_time(ec)});
    };
    if (fs::is_regular_file(at)) {
        add(fs::directory_entry(at));
        return out;
    }
    std::error_code ec;
    fs::recursive_directory_iterator walk(at, fs::directory_options::skip_permission_denied, ec);
    for (; !ec && walk != fs::recursive_directory_iterator(); walk.increment(ec)) {
        b.check();
        std::error_code ignored;
        // Links are not followed: what they lead to is listed where it is, if it is in here.
        bool const link = walk->is_symlink(ignored);
        if (!link && walk->is_directory(ignored)) {
            bool const deep = static_cast<std::size_t>(walk.depth()) >= limits_.max_depth;
            if (deep || is_hidden(walk->path().filename()) || is_made_by_tools(walk->path())) {
                walk.disable_recursion_pending();
                out.skipped.push_back(name_of(walk->path()));
            }
        } else if (!link && walk->is_regular_file(ignored) && !is_hidden(walk->path().filename())) {
            if (out.files.size() == limits_.max_files) {
                out.truncated = true;
                break;
            }
            add(*walk);
        }
    }
    std::ranges::sort(out.files, {}, &file::name);
    std::ranges::sort(out.skipped);
    return out;
}

std::optional<std::string> workspace::read(file const& f) const
{
    if (f.bytes > limits_.max_file_bytes)
        return {};
    // Between listing and reading the name may have become a link, or a pipe that never ends.
    int const fd = ::open(f.path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return {};
    struct stat status {};
    std::string text;
    bool ok = ::fstat(fd, &status) == 0 && S_ISREG(status.st_mode);
    if (ok) {
        text.resize(limits_.max_file_bytes);
        std::size_t have = 0;
        for (ssize_t got = 1; got > 0 && have < text.size();
             have += static_cast<std::size_t>(std::max<ssize_t>(got, 0)))
            ok = (got = ::read(fd, text.data() + have, std::min<std::size_t>(text.size() - have, 64 * 1024))) >= 0;
        text.resize(have);
    }
    ::close(fd);
    bool const binary = text.substr(0, 8192).find('\0') != std::string::npos;
    return ok && !binary ? std::optional(std::move(text)) : std::nullopt;
}

line_counts workspace::count(listing const& in, budget const& b) const
{
    line_counts out;
    for (file const& f : in.files) {
        b.check();
        auto const text = read(f);
        if (!text) {
            ++out.unread;
            continue;
        }
        auto lines = static_cast<std::uint64_t>(std::ranges::count(*text, '\n'));
        lines += !text->empty() && text->back() != '\n';
        auto const extension = f.path.extension().string();
        for (auto* const sum : {&out.total, &out.kinds[extension.empty() ? f.path.filename().string() : extension]}) {
            ++sum->files;
            sum->lines += lines;
            sum->bytes += text->size();
        }
        out.longest.emplace_back(f.name, lines);
    }
    std::ranges::stable_sort(out.longest, std::greater{}, [](auto const& of) { return of.second; });
    out.longest.resize(std::min<std::size_t>(out.longest.size(), 5));
    return out;
}

std::optional<std::vector<commit>> workspace::history(listing const& in, budget const& b) const
{
    b.check();
    bool const one_file = fs::is_regular_file(in.path);
    // Nothing that the repository's own configuration names is run: no pager, no signature check, no external diff.
    auto const result =
        run_process(one_file ? in.path.parent_path() : in.path,
                    {"git", "--no-pager", "-c", "core.fsmonitor=false", "log", "--no-show-signature", "--no-ext-diff",
                     "--no-color", "--date=short", "--max-count=" + std::to_string(limits_.max_commits),
                     "--format=%h%x09%ad%x09%an%x09%s", "--", one_file ? in.path.filename().string() : "."},
                    b.stop);
    b.check();
    if (!result.started || result.timed_out || result.status != 0)
        return {};
    std::vector<commit> out;
    for_each_line(result.output, [&](std::size_t, std::string_view line) {
        commit c;
        for (auto* const part : {&c.id, &c.date, &c.author, &c.subject}) {
            auto const end = part == &c.subject ? line.size() : std::min(line.find('\t'), line.size());
            *part = line.substr(0, end);
            line.remove_prefix(std::min(end + 1, line.size()));
        }
        out.push_back(std::move(c));
    });
    return out;
}

}  // namespace hub
