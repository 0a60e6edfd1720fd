// This machine's real figures, from /proc.
#pragma once

#include "events.hpp"

#include <chrono>
#include <cstdint>

namespace hub {

/// Reads `/proc`. Rates are means since the reading before, so keep one object and read at an even pace. One thread.
class machine {
public:
    machine();
    /// The figures now; those of the hub itself (connections, runs) are left at 0.
    live_data read();

private:
    struct counters {
        std::chrono::steady_clock::time_point at{};
        std::uint64_t busy = 0, all = 0;       ///< clock ticks of all cores
        std::uint64_t received = 0, sent = 0;  ///< bytes
    };
    static counters count();

    counters before_;
};

}  // namespace hub
