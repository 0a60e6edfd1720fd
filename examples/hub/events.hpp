// What the hub and its clients say to each other. An aggregate is an event: its name and fields are those on the wire.
#pragma once

#include <polycast/polycast.hpp>

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace hub {

namespace pc = polycast;

/// The policies, in one place: what emits needs them, the application does not.
using emitter =
    pc::emitter<pc::serializer::json, pc::compression::zstd<3>, pc::isolation::per_user<3>, pc::batching::per_tick,
                pc::delivery::at_least_once<>>;
/// Reaches one user (all of their connections), or one connection that has no user, and nobody else.
using reply_to = pc::scoped_emitter<emitter::composition>;

/// A small JSON object whose keys depend on the tool.
using object = std::map<std::string, std::variant<std::int64_t, std::string, std::vector<std::string>>>;

// From clients

struct question {
    std::string text;
    std::optional<std::string> path;       ///< a directory or file below the hub's root; absent: the root
    std::optional<std::string> thread_id;  ///< to group runs; absent: the hub names one
};

struct cancel_run {
    std::string run_id;
};

// To the user that asked, in this order

struct agent_started {
    std::string run_id, thread_id, agent_name;
    std::chrono::system_clock::time_point timestamp;
    std::string question;
};

struct agent_thinking {
    std::string run_id, reasoning;
    std::optional<std::uint32_t> step_number;
    std::optional<std::uint32_t> progress_percentage;
};

struct tool_executing {
    std::string run_id, tool_name, call_id;
    object parameters;
};

struct tool_completed {
    std::string run_id, tool_name, call_id, status;  ///< status: `success` or `error`
    object results;
    std::int64_t duration_ms = 0;
};

struct agent_completed {
    std::string run_id, status;  ///< status: `success`, `failed` or `cancelled`
    std::string final_response;
    std::int64_t duration_ms = 0;
};

/// Something was asked that no run was started for, or that could not be done.
struct agent_error {
    std::string code, message;
    std::optional<std::string> run_id;
    std::optional<std::uint32_t> retry_after_ms;
};

// On connecting, and to the room `dashboard`

struct welcome {
    std::string user, root;
    std::vector<std::string> services, capabilities;
    std::vector<std::string> active_runs;  ///< of this user
};

struct live_data {
    double cpu_percent = 0;
    std::uint32_t cores = 0;
    std::uint64_t memory_used_bytes = 0, memory_total_bytes = 0;
    double load_1 = 0, load_5 = 0, load_15 = 0;
    double received_bytes_per_s = 0, sent_bytes_per_s = 0;  ///< all network interfaces but the loopback
    std::uint64_t uptime_s = 0;
    std::uint32_t connections = 0, runs_active = 0, runs_waiting = 0;
};

namespace detail {
/// One lane for all events of a run, so that none overtakes another; ahead of the dashboard.
struct of_a_run {
    static constexpr pc::lane lane = pc::lane::high;
    static constexpr bool critical = true;
};
}  // namespace detail

}  // namespace hub

template <>
struct polycast::event_traits<hub::agent_started> : hub::detail::of_a_run {
};
template <>
struct polycast::event_traits<hub::agent_thinking> : hub::detail::of_a_run {
};
template <>
struct polycast::event_traits<hub::tool_executing> : hub::detail::of_a_run {
};
template <>
struct polycast::event_traits<hub::tool_completed> : hub::detail::of_a_run {
};
template <>
struct polycast::event_traits<hub::agent_completed> : hub::detail::of_a_run {
};
template <>
struct polycast::event_traits<hub::agent_error> : hub::detail::of_a_run {
};
