#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>

namespace polycast::inline v0::delivery {

/// What `at_least_once` keeps, for how long, and where.
struct options {
    std::chrono::milliseconds resume_window = std::chrono::minutes(3);  ///< a session without connection lives so long
    std::size_t max_log_bytes = 1 << 20;                                ///< numbered and not acknowledged, a session
    std::chrono::milliseconds max_log_age = std::chrono::minutes(3);
    std::uint32_t ack_every = 32;
    std::chrono::milliseconds ack_within{500};
    std::size_t max_away_sessions = 1000;
    std::size_t max_requests = 256;  ///< ids of requests remembered, a session
    std::size_t max_offline_events = 50, max_offline_users = 1000;
    std::string log_file = "polycast.db";  ///< of a durable log
    bool survive_power_loss = false;       ///< of a durable log: wait for the disk with every commit
};

}  // namespace polycast::inline v0::delivery
