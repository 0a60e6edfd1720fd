#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>

namespace polycast::inline v0 {

/// When a peer that answers nothing is given up.
struct heartbeat_options {
    std::chrono::milliseconds interval = std::chrono::seconds(30);  ///< a ping this long after the last pong; 0: never
    std::chrono::milliseconds timeout = std::chrono::seconds(90);   ///< a ping unanswered for this long is missed
    std::uint32_t misses_allowed = 2;                               ///< one more closes the session, 4000
};

/// The numbers of a server that an operator changes. The policies are its type.
struct server_options {
    std::uint16_t port = 8765;            ///< 0: the system chooses, `server.port()` tells
    std::string address = "127.0.0.1";    ///< where to listen; "0.0.0.0" or "::" for every interface
    std::uint32_t shards = 1;             ///< event loops, each on a thread of its own; at most 64

    std::uint32_t max_connections = 100;           ///< in all; 0: no cap. The newcomer is closed with 1013
    std::uint32_t max_connections_per_user = 0;    ///< 0: what the isolation policy says
    std::size_t max_message_bytes = 64 * 1024;     ///< a longer message is closed with 1009 before it is read
    std::size_t max_outbox_bytes = 1024 * 1024;    ///< per session; beyond it `outcome::over_budget`
    std::size_t max_mailbox_emissions = 64 * 1024; ///< per shard, emitted by other threads and not yet fanned out
    std::size_t max_mailbox_bytes = 64 * 1024 * 1024;  ///< likewise; beyond either `outcome::over_budget`
    std::size_t read_buffer_bytes = 512 * 1024;    ///< per shard, not per connection

    heartbeat_options heartbeat{};
    std::chrono::milliseconds stale_after = std::chrono::seconds(120);  ///< no activity either way: close 4000
    std::chrono::milliseconds stale_sweep = std::chrono::seconds(30);   ///< how often that is looked at
    std::chrono::milliseconds handshake_timeout = std::chrono::seconds(5);
    std::chrono::milliseconds close_timeout = std::chrono::seconds(5);  ///< for the peer's answer to a close
    std::chrono::milliseconds drain_timeout = std::chrono::seconds(5);  ///< `stop()` gives sessions this long to end
    std::chrono::milliseconds tick = std::chrono::seconds(1);           ///< how finely the above are kept
};

}  // namespace polycast::inline v0
