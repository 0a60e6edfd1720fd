#pragma once

// The files of a durable log, and how they look to the next process when the present one is killed.

#include <atomic>
#include <filesystem>
#include <string>

#include <unistd.h>

namespace simulation {

class log_files {
public:
    log_files() : folder_(std::filesystem::temp_directory_path() / name()) {}
    log_files(log_files const&) = delete;
    ~log_files()
    {
        std::error_code ignored;
        std::filesystem::remove_all(folder_, ignored);
    }
    /// Where the log of the present server is; the folder is made when it is first asked for.
    [[nodiscard]] std::filesystem::path path()
    {
        std::filesystem::create_directories(folder_);
        return folder_ / (std::to_string(life_) + ".db");
    }
    /// Copies what a process that is killed now would leave.
    void freeze()
    {
        auto const from = path().string();
        ++life_;
        auto const to = path().string();
        for (char const* const part : {"", "-wal", "-shm"})
            if (std::filesystem::exists(from + part))
                std::filesystem::copy_file(from + part, to + part);
        --life_;
    }
    /// The next server finds what was frozen.
    void thaw() { ++life_; }

private:
    static std::string name()
    {
        static std::atomic<unsigned> count = 0;
        return "polycast_simulation_" + std::to_string(getpid()) + "_" + std::to_string(++count);
    }
    std::filesystem::path folder_;
    unsigned life_ = 1;
};

}  // namespace simulation
