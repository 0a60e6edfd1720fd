#pragma once

#include <polycast/policy/axis.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <string_view>

namespace polycast::inline v0 {

/// What is counted. Each row of `metric_names` names one.
enum class metric : std::uint8_t {
    opened,            ///< sessions opened (handshake done, admitted)
    closed,            ///< of these, closed
    refused,           ///< handshakes or connections refused: request, guard, caps
    messages_in,       ///< whole data messages
    bytes_in,          ///< bytes read from transports
    messages_out,      ///< data frames accepted for a session
    bytes_out,         ///< bytes taken by transports
    writes,            ///< write calls to transports
    encodes,           ///< events serialised, each once however many receive it
    compressions,      ///< payloads compressed, likewise
    published,         ///< events published to sessions: the sum of the next three, and of what is pending
    delivered,         ///< of these: acknowledged; for sessions that do not count, begun to be written
    coalesced,         ///< of these: became part of a later one
    dropped,           ///< of these: lost at a cap or with their session; and other frames refused at a cap
    gone,              ///< posted emissions whose receiver had left
    emissions_posted,  ///< emissions accepted into a mailbox
    emissions_taken,   ///< of these, fanned out by a shard
    pings,             ///< heartbeat pings sent
    stale,             ///< sessions closed for silence
    handler_errors,    ///< exceptions that left the application's handlers
    bad_messages,      ///< events that did not decode
    away,              ///< sessions that lost their connection and were kept
    resumed,           ///< sessions that a connection has resumed
    expired,           ///< sessions that nobody resumed in time
    replayed,          ///< events sent again to a connection that resumed
    gaps,              ///< `$gap` sent
    repeated,          ///< requests that came again, and were not run again
    offline,           ///< events kept for users without a session
    retries,           ///< emissions tried again by `emit(event, retry_options)`
    log_failures,      ///< commits of a durable log that failed
};
inline constexpr std::string_view metric_names[] = {
    "opened",        "closed",  "refused", "messages_in", "bytes_in",         "messages_out",
    "bytes_out",     "writes",  "encodes", "compressions", "published",       "delivered",
    "coalesced",     "dropped", "gone",    "emissions_posted", "emissions_taken", "pings",
    "stale",         "handler_errors", "bad_messages", "away", "resumed",     "expired",
    "replayed",      "gaps",    "repeated", "offline",     "retries",
    "log_failures"};
inline constexpr std::size_t metric_count = std::size(metric_names);
static_assert(metric_count == static_cast<std::size_t>(metric::log_failures) + 1);

template <class P>
concept counts_on_one_thread = requires(P& p, metric m, std::uint64_t n) {
    { p.count(m, n) } noexcept;
};
template <class P>
concept counts_on_any_thread = requires(P& p, metric m, std::uint64_t n) {
    { p.count_shared(m, n) } noexcept;
};
template <class P>
concept can_be_read = requires(P const& p, metric m) {
    { p.read(m) } noexcept -> std::same_as<std::uint64_t>;
};

/// Counts what happens. A shard owns one, the emitters of a server share one.
///
/// | Expression             | Meaning                                            |
/// |------------------------|----------------------------------------------------|
/// | `p.count(m, n)`        | adds `n`; on the owning shard's thread only        |
/// | `p.count_shared(m, n)` | adds `n`; from any thread                          |
/// | `p.read(m)`            | the sum so far; from any thread                    |
///
/// Models: `counters` (default), `silent` (null).
template <class P>
concept observer_policy = policy_on<P, observer_axis> && std::default_initializable<P> && counts_on_one_thread<P> &&
                          counts_on_any_thread<P> && can_be_read<P>;

}  // namespace polycast::inline v0
