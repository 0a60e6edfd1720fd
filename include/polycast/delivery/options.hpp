#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>

namespace polycast::inline v0::delivery {

/// The numbers of reliable delivery, as an operator sets them. Nothing here has a meaning for `at_most_once`.
struct options {
    std::chrono::milliseconds resume_window = std::chrono::minutes(3);  ///< since a session's last activity
    std::size_t max_away_sessions = 1000;  ///< per shard, without a connection; of more the longest away expire
    std::size_t max_log_bytes = 1024 * 1024;  ///< per session, sent and not acknowledged; of more the oldest are evicted
    std::chrono::milliseconds max_log_age = std::chrono::minutes(3);  ///< likewise of what was sent longer ago
    std::uint32_t ack_every = 32;                                      ///< what clients are asked for: an ack at least
    std::chrono::milliseconds ack_within = std::chrono::milliseconds(500);  ///< this often, and this soon
    std::size_t max_requests = 256;       ///< per session: ids of answered requests that are not run again
    std::size_t max_offline_events = 50;  ///< per user without any session: kept for the next one; critical ones displace others
    std::size_t max_offline_users = 1000;  ///< users for whom events are kept; of more the oldest are forgotten

    // Of a log that outlives the process.
    std::string log_file = "polycast.db";
    std::size_t max_backlog_bytes = 64 * 1024 * 1024;  ///< per shard, not on the disk as commits fail: beyond it events are refused
    bool survive_power_loss = false;  ///< wait for the disk at each commit; without it only the process may die
};

/// What is impossible in `o`, one sentence each; empty if all is well.
[[nodiscard]] inline std::string faults(options const& o)
{
    std::string found;
    auto const check = [&](bool fine, char const* sentence) {
        if (!fine)
            found.append(found.empty() ? "" : "; ").append(sentence);
    };
    check(o.resume_window.count() > 0, "delivery.resume_window must be above 0");
    check(o.max_log_age.count() > 0, "delivery.max_log_age must be above 0");
    check(o.max_log_bytes > 0, "delivery.max_log_bytes must be above 0");
    check(o.ack_every > 0, "delivery.ack_every must be above 0");
    check(o.ack_within.count() > 0, "delivery.ack_within must be above 0");
    check(o.max_requests > 0, "delivery.max_requests must be above 0");
    return found;
}

}  // namespace polycast::inline v0::delivery
