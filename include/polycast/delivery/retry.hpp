#pragma once

#include <polycast/detail/search.hpp>
#include <polycast/session/outcome.hpp>

#include <cerrno>
#include <chrono>
#include <concepts>
#include <optional>
#include <utility>

#include <time.h>

namespace polycast::inline v0 {

/// How often and how long an emission that was not accepted is tried again.
struct retry_options {
    unsigned attempts = 3;  ///< in all, the first included
    std::chrono::milliseconds first{100};
    double factor = 2;  ///< each delay is that many times the one before
    std::chrono::milliseconds cap{2000};
    std::chrono::milliseconds budget{500};  ///< no attempt begins later than that after the first
};

/// True if the same emission may have another outcome soon: a queue drains, a session comes back. What is refused stays
/// refused.
[[nodiscard]] constexpr bool may_change(outcome o) noexcept
{
    return o == outcome::over_budget || o == outcome::gone;
}

/// When to try next. Has no clock and does no I/O: any loop, or thread, waits in its own way.
template <class = void>
class basic_retry_schedule {
public:
    explicit constexpr basic_retry_schedule(retry_options const& options) noexcept
        : options_(options), delay_(options.first)
    {
    }

    /// After each attempt: how long to wait for the next, or nothing if there is to be none, as it was accepted, or
    /// trying is pointless or over. `spent`: since the first attempt began.
    [[nodiscard]] constexpr std::optional<std::chrono::milliseconds> next(outcome o,
                                                                          std::chrono::milliseconds spent) noexcept
    {
        if (made_ != options_.attempts)
            ++made_;
        auto const delay = delay_ < options_.cap ? std::chrono::duration_cast<std::chrono::milliseconds>(delay_)
                                                 : options_.cap;
        if (!may_change(o) || made_ >= options_.attempts || spent > options_.budget || delay > options_.budget - spent)
            return std::nullopt;
        delay_ = detail::least<real_delay>(delay_ * options_.factor, options_.cap);
        return delay;
    }

private:
    using real_delay = std::chrono::duration<double, std::milli>;

    retry_options options_;
    real_delay delay_;
    unsigned made_ = 0;
};
using retry_schedule = basic_retry_schedule<>;

namespace detail {
[[nodiscard]] constexpr outcome status_of(outcome o) noexcept
{
    return o;
}
[[nodiscard]] constexpr outcome status_of(sent const& s) noexcept
{
    return s.status;
}
/// As std::this_thread's, whose header brings more than the rest of this one: stop tokens, semaphores and their clocks.
inline constexpr auto sleep_here = [](std::chrono::milliseconds delay) {
    ::timespec left{static_cast<::time_t>(delay.count() / 1000), static_cast<long>(delay.count() % 1000 * 1'000'000)};
    while (::nanosleep(&left, &left) != 0 && errno == EINTR) {
    }
};
}  // namespace detail

/// Makes `attempt()`, which emits and returns an `outcome` or a `sent`, until it is accepted or the schedule ends, and
/// returns the last result. A fan-out that reached anybody is accepted: it is not sent to some twice. `sleep(delay)` is
/// called once before each further attempt. For threads of a producer's own: on a shard it would hold up every session.
template <class Clock = std::chrono::steady_clock, std::invocable Attempt,
          std::invocable<std::chrono::milliseconds> Sleep>
auto with_retry(retry_options const& options, Attempt&& attempt, Sleep&& sleep)
{
    retry_schedule schedule(options);
    auto const begin = Clock::now();
    for (;;) {
        auto result = attempt();
        auto const spent = std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - begin);
        auto const delay = schedule.next(detail::status_of(result), spent);
        if (!delay)
            return result;
        sleep(*delay);
    }
}
/// The same; the thread sleeps.
template <std::invocable Attempt>
auto with_retry(retry_options const& options, Attempt&& attempt)
{
    return with_retry(options, std::forward<Attempt>(attempt), detail::sleep_here);
}

}  // namespace polycast::inline v0
