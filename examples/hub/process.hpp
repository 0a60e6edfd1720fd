// Runs another program, without a shell.
#pragma once

#include <chrono>
#include <cstddef>
#include <filesystem>
#include <stop_token>
#include <string>
#include <vector>

namespace hub {

struct process_limits {
    std::chrono::milliseconds time{5000};
    std::size_t output_bytes = 256 * 1024;  ///< what comes after is thrown away
};

struct process_result {
    bool started = false;    ///< false: there is no such program
    bool timed_out = false;  ///< or was stopped; it has been killed
    int status = -1;         ///< exit status
    std::string output;      ///< standard output; standard error is thrown away
};

/// Runs `command` (program, then arguments, taken as they are) in `directory` and waits for it.
process_result run_process(std::filesystem::path const& directory, std::vector<std::string> command,
                           std::stop_token const& stop, process_limits const& limits = {});

}  // namespace hub
