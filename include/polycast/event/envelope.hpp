#pragma once

#include <polycast/frame/opcode.hpp>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>

namespace polycast::inline v0 {

/// A message as it came, or as it goes, without an envelope: for applications that define their own payload.
struct message {
    std::string_view payload;
    opcode op = opcode::text;
};

/// What stands around an event that came in (see WIRE). Absent text is empty, absent numbers are `nullopt`. The views
/// point into the received payload or beside it: they hold until the handler returns.
struct envelope {
    std::string_view type;  ///< event name; control begins with `$`
    std::string_view data;  ///< JSON text of `data`; empty if absent, and for events that were bound to a type
    std::string_view id;    ///< the request id as JSON text (`9`, `"a"`), to be echoed as it is
    std::string_view room;
    std::string_view service;  ///< `service` or `service_route`
    std::string_view timestamp;
    std::optional<std::uint64_t> offset;
    std::optional<std::uint64_t> received;

    // Control
    std::string_view session;
    std::string_view epoch;
    std::string_view token;
    std::string_view code;
    std::string_view message;
    std::string_view reason;
    std::string_view url;
    std::string_view dictionary_id;   ///< `dictionary.id`
    std::string_view dictionary_url;  ///< `dictionary.url`
    std::optional<std::uint64_t> since;
    std::optional<std::uint64_t> from;
    std::optional<std::uint64_t> to;
    std::optional<std::uint64_t> events;
    std::optional<std::uint64_t> version;
    std::optional<std::uint64_t> retry_after_ms;
    std::optional<std::uint64_t> heartbeat_ms;
    std::optional<std::uint64_t> max_message_bytes;
    std::optional<std::uint64_t> ack_every;      ///< `ack.every`
    std::optional<std::uint64_t> ack_within_ms;  ///< `ack.within_ms`
    std::optional<std::uint64_t> reconnect_min_ms;  ///< `reconnect_after_ms[0]`
    std::optional<std::uint64_t> reconnect_max_ms;  ///< `reconnect_after_ms[1]`
    std::optional<bool> resumed;
    std::optional<bool> recovered;

    [[nodiscard]] bool is_control() const noexcept { return !type.empty() && type.front() == '$'; }
};

/// What to write around an event that goes out. What is not set is absent. Only `id_json` applies to control.
struct envelope_head {
    std::string_view room{};
    std::uint64_t offset = 0;  ///< 0: the room keeps no history
    std::optional<std::chrono::system_clock::time_point> timestamp{};
    std::string_view id_json{};  ///< JSON text, as `envelope::id`
    bool recovered = false;      ///< the event waited for a connection: `"recovered":true`
};

}  // namespace polycast::inline v0
