// What a process has cost so far: processor time in nanoseconds, and memory of its own.
#pragma once

#include <cstdint>
#include <ctime>
#include <fstream>
#include <stdexcept>
#include <string>
#include <sys/types.h>
#include <system_error>

namespace load {

inline double seconds_of(clockid_t clock)
{
    timespec now{};
    if (clock_gettime(clock, &now) != 0)
        throw std::system_error(errno, std::generic_category(), "clock_gettime");
    return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

inline std::int64_t now_ns()
{
    timespec now{};
    clock_gettime(CLOCK_MONOTONIC, &now);
    return std::int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}
inline double now_seconds()
{
    return seconds_of(CLOCK_MONOTONIC);
}
inline double own_cpu_seconds()
{
    return seconds_of(CLOCK_PROCESS_CPUTIME_ID);
}

/// User and system time of all threads of `pid`, ended ones too. /proc/PID/stat would round to 10 ms; a scheduler
/// clock is off by one tick (at most 4 ms) for a thread that is running now.
inline double cpu_seconds(pid_t pid)
{
    if (pid == 0)
        return 0;
    clockid_t clock{};
    if (int const error = clock_getcpuclockid(pid, &clock); error != 0)
        throw std::system_error(error, std::generic_category(), "the server is gone (clock_getcpuclockid)");
    return seconds_of(clock);
}

/// How long the main thread of `pid` was ready to run and had no processor: large when the machine is busy with
/// something else. 0 where the kernel does not tell.
inline double waited_seconds(pid_t pid)
{
    std::ifstream stat(pid == 0 ? "/proc/self/schedstat" : "/proc/" + std::to_string(pid) + "/schedstat");
    double ran_ns = 0, waited_ns = 0;
    stat >> ran_ns >> waited_ns;
    return waited_ns * 1e-9;
}

/// Anonymous pages of `pid` in KiB: what it allocated, without code that was paged in and without the kernel's
/// socket buffers.
inline long anonymous_kib(pid_t pid)
{
    std::ifstream status("/proc/" + std::to_string(pid) + "/status");
    for (std::string line; std::getline(status, line);)
        if (line.starts_with("RssAnon:"))
            return std::stol(line.substr(8));
    throw std::runtime_error("cannot read RssAnon of the server, process " + std::to_string(pid) + ": has it ended?");
}

}  // namespace load
