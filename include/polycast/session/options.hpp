#pragma once

#include <polycast/compression/policy.hpp>
#include <polycast/delivery/options.hpp>
#include <polycast/room/history.hpp>
#include <polycast/session/handle.hpp>
#include <polycast/session/tally.hpp>

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
    std::size_t max_unopened = 4096;  ///< per shard: sockets before their opening or after their end; more are shut
    std::size_t max_rooms_per_session = 1000;  ///< that a client may join; its own user counts as one
    std::size_t max_room_name_bytes = 256;     ///< that a client may join
    std::size_t max_message_bytes = 64 * 1024;     ///< a longer message is closed with 1009 before it is read
    std::size_t max_frame_bytes = 0;               ///< likewise a longer frame; 0: as long as a message
    std::size_t max_fragments = 1024;              ///< frames of one message; more are closed with 1009
    std::size_t max_outbox_bytes = 1024 * 1024;    ///< per session, waiting to be written
    std::size_t max_outbox_events = 16 * 1024;     ///< likewise
    polycast::backpressure backpressure = polycast::backpressure::drop_newest_normal;  ///< beyond either
    std::size_t max_mailbox_emissions = 64 * 1024; ///< per shard, emitted by other threads and not yet fanned out
    std::size_t max_mailbox_bytes = 64 * 1024 * 1024;  ///< likewise; beyond either `outcome::over_budget`
    std::size_t read_buffer_bytes = 64 * 1024;     ///< per shard, not per connection

    compression::options compression{};  ///< the numbers of the compression policy
    delivery::options delivery{};        ///< the numbers of the delivery policy
    history_options history{};           ///< what rooms keep of their past; nothing unless `max_events` says so

    heartbeat_options heartbeat{};
    std::chrono::milliseconds stale_after = std::chrono::seconds(120);  ///< no activity either way: close 4000
    std::chrono::milliseconds stale_sweep = std::chrono::seconds(30);   ///< how often that is looked at
    std::chrono::milliseconds handshake_timeout = std::chrono::seconds(5);
    std::chrono::milliseconds close_timeout = std::chrono::seconds(5);  ///< for the peer's answer to a close
    std::chrono::milliseconds drain_timeout = std::chrono::seconds(5);  ///< `stop()` gives sessions this long to end
    std::chrono::milliseconds tick = std::chrono::seconds(1);           ///< how finely the above are kept
};

/// What is impossible in `o`, one sentence each; empty if all is well.
[[nodiscard]] inline std::string faults(server_options const& o)
{
    std::string found = delivery::faults(o.delivery);
    auto const check = [&](bool fine, char const* sentence) {
        if (!fine)
            found.append(found.empty() ? "" : "; ").append(sentence);
    };
    check(o.shards >= 1 && o.shards <= max_shards, "shards must be 1 to 64");
    check(o.tick.count() > 0, "tick must be above 0");
    check(o.read_buffer_bytes >= 1024, "read_buffer_bytes must be 1024 or more");
    check(o.max_message_bytes > 0, "max_message_bytes must be above 0");
    check(o.max_fragments > 0, "max_fragments must be above 0");
    check(o.max_outbox_bytes > 0, "max_outbox_bytes must be above 0");
    check(o.history.max_rooms > 0, "history.max_rooms must be above 0");
    check(o.max_outbox_events > 0, "max_outbox_events must be above 0");
    check(o.max_mailbox_emissions > 0, "max_mailbox_emissions must be above 0");
    check(o.max_unopened > 0, "max_unopened must be above 0");
    check(o.heartbeat.interval.count() >= 0 && o.heartbeat.timeout.count() > 0, "heartbeat times must not be negative");
    check(o.heartbeat.misses_allowed < 255, "heartbeat.misses_allowed must be below 255");
    return found;
}

}  // namespace polycast::inline v0
