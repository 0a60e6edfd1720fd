#include "process.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

namespace hub {

namespace {

class descriptor {
public:
    explicit descriptor(int fd) : fd_(fd) {}
    ~descriptor() { reset(); }
    descriptor(descriptor const&) = delete;
    void reset()
    {
        if (fd_ >= 0)
            ::close(fd_);
        fd_ = -1;
    }
    [[nodiscard]] int get() const { return fd_; }

private:
    int fd_;
};

/// True if the writer closed its end; false if the time was over, or `stop` was asked for.
bool read_all(int fd, std::string& out, std::stop_token const& stop, process_limits const& limits)
{
    auto const deadline = std::chrono::steady_clock::now() + limits.time;
    std::array<char, 16 * 1024> buffer;
    while (!stop.stop_requested() && std::chrono::steady_clock::now() < deadline) {
        pollfd wait{.fd = fd, .events = POLLIN, .revents = 0};
        if (::poll(&wait, 1, 50) <= 0)
            continue;
        auto const got = ::read(fd, buffer.data(), buffer.size());
        if (got == 0)
            return true;
        if (got > 0 && out.size() < limits.output_bytes)
            out.append(buffer.data(), std::min(static_cast<std::size_t>(got), limits.output_bytes - out.size()));
    }
    return false;
}

}  // namespace

process_result run_process(std::filesystem::path const& directory, std::vector<std::string> command,
                           std::stop_token const& stop, process_limits const& limits)
{
    process_result result;
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0)
        return result;
    descriptor const from(ends[0]);
    descriptor to(ends[1]);

    std::vector<char*> arguments;
    for (auto& argument : command)
        arguments.push_back(argument.data());
    arguments.push_back(nullptr);
    // Of our environment it gets what a program needs to run, and nothing that we may keep in it.
    char const* const home_path = std::getenv("HOME");
    std::string const home = std::string("HOME=") + (home_path != nullptr ? home_path : "/");
    std::array<char const*, 5> environment{"PATH=/usr/local/bin:/usr/bin:/bin", "LC_ALL=C.UTF-8", home.c_str(),
                                           "GIT_OPTIONAL_LOCKS=0", nullptr};

    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawn_file_actions_adddup2(&actions, to.get(), STDOUT_FILENO);
    ::posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    ::posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    ::posix_spawn_file_actions_addchdir_np(&actions, directory.c_str());
    pid_t child = 0;
    int const failed = ::posix_spawnp(&child, command.front().c_str(), &actions, nullptr, arguments.data(),
                                      const_cast<char* const*>(environment.data()));
    ::posix_spawn_file_actions_destroy(&actions);
    to.reset();
    if (failed != 0)
        return result;

    result.started = true;
    result.timed_out = !read_all(from.get(), result.output, stop, limits);
    if (result.timed_out)
        ::kill(child, SIGKILL);
    int status = 0;
    while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    if (WIFEXITED(status))
        result.status = WEXITSTATUS(status);
    return result;
}

}  // namespace hub
