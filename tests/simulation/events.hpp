#pragma once

// The events of the simulation. Each carries the number of its emission, which names it in the model, and whom it was for,
// so that a stranger's event betrays itself. Those that are appended carry the number inside their text: "<17>".

#include <polycast/event/describe.hpp>
#if __has_include(<polycast/event/coalesce.hpp>)
#include <polycast/event/coalesce.hpp>
#define SIMULATION_COALESCES 1
#else
#define SIMULATION_COALESCES 0
#endif

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace simulation {

namespace pc = polycast;

// Server to client.
struct note { std::uint32_t n; std::string to, text; };
struct urgent { std::uint32_t n; std::string to, text; };
struct bulk { std::uint32_t n; std::string to, text; };
struct alarm_raised { std::uint32_t n; std::string to, text; };
struct token { std::string run_id, to, text; };
struct progress { std::string run_id; std::uint32_t n; std::string to; };
struct finished { std::string run_id; std::uint32_t n; std::string to; };
struct answer { std::uint32_t n; };

// Client to server. `ask` is a request: `n` names it in the model, `want` says what the server shall do.
enum class wish : std::uint8_t { agree, refuse, reply, echo_burst, tell_room, fail };
inline constexpr std::size_t wish_count = 6;
struct ask { std::uint32_t n; std::uint32_t want; std::string room; };
struct query { std::uint32_t n; std::uint32_t want; };  ///< `wish::reply`

/// What an emission is made of.
enum class kind : std::uint8_t { note, urgent, bulk, alarm, token, progress, finished };
inline constexpr std::size_t kind_count = 7;
inline constexpr std::array<std::string_view, kind_count> kind_names{"note", "urgent", "bulk", "alarm_raised",
                                                                     "token", "progress", "finished"};
[[nodiscard]] inline std::optional<kind> kind_of(std::string_view type)
{
    for (std::size_t i = 0; i < kind_count; ++i)
        if (kind_names[i] == type)
            return static_cast<kind>(i);
    return {};
}

}  // namespace simulation

template <>
struct polycast::event_traits<simulation::urgent> {
    static constexpr polycast::lane lane = polycast::lane::high;
};
template <>
struct polycast::event_traits<simulation::bulk> {
    static constexpr polycast::lane lane = polycast::lane::batch;
};
template <>
struct polycast::event_traits<simulation::alarm_raised> {
    static constexpr bool critical = true;
};
#if SIMULATION_COALESCES
template <>
struct polycast::event_traits<simulation::token> {
    static constexpr auto coalesce = polycast::coalesce::append;
    static constexpr std::string_view appended = "text";
    static constexpr std::string_view keyed_by[] = {"run_id"};
};
template <>
struct polycast::event_traits<simulation::progress> {
    static constexpr auto coalesce = polycast::coalesce::latest;
    static constexpr std::string_view keyed_by[] = {"run_id"};
};
template <>
struct polycast::event_traits<simulation::finished> {
    static constexpr bool barrier = true;
};
#endif

namespace simulation {

[[nodiscard]] constexpr pc::lane lane_of(kind k) noexcept
{
    switch (k) {
    case kind::urgent: return pc::event_lane<urgent>;
    case kind::bulk: return pc::event_lane<bulk>;
    case kind::alarm: return pc::event_lane<alarm_raised>;
    case kind::token: return pc::event_lane<token>;
    case kind::progress: return pc::event_lane<progress>;
    case kind::finished: return pc::event_lane<finished>;
    case kind::note: break;
    }
    return pc::event_lane<note>;
}

/// A critical event is one too.
[[nodiscard]] constexpr bool is_barrier(kind k) noexcept { return k == kind::finished || k == kind::alarm; }

}  // namespace simulation
