#pragma once

#include <polycast/frame/close_code.hpp>
#include <polycast/observer/policy.hpp>
#include <polycast/session/client_options.hpp>

#include <chrono>
#include <cstdint>
#include <optional>

namespace polycast::inline v0::detail {

/// Knows when a quiet connection is to be pinged, and when it is dead. Has no clock of its own.
template <class = void>
class basic_client_pulse {
public:
    using time_point = std::chrono::steady_clock::time_point;
    enum class verdict : std::uint8_t { well, ping, dead };

    void begin(time_point now) noexcept { heard_ = pinged_ = now; }
    void heard(time_point now) noexcept { heard_ = now; }

    /// When to look again; nothing if neither a ping nor an end is ever due.
    [[nodiscard]] std::optional<std::chrono::nanoseconds> next(client_heartbeat const& options, time_point now) const
    {
        bool const pings = options.interval.count() != 0;
        bool const ends = options.timeout.count() != 0;
        if (!pings && !ends)
            return {};
        std::chrono::nanoseconds const ping = pinged_ + options.interval - now;
        std::chrono::nanoseconds const end = heard_ + options.timeout - now;
        std::chrono::nanoseconds const due = pings && (!ends || ping < end) ? ping : end;
        std::chrono::nanoseconds const soonest = std::chrono::milliseconds{1};
        return due < soonest ? soonest : due;
    }
    [[nodiscard]] verdict look(client_heartbeat const& options, time_point now)
    {
        using namespace std::chrono_literals;
        if (options.timeout != 0ms && now - heard_ >= options.timeout)
            return verdict::dead;
        if (options.interval == 0ms || now - pinged_ < options.interval)
            return verdict::well;
        pinged_ = now;
        return verdict::ping;
    }

private:
    time_point heard_{};
    time_point pinged_{};
};
using client_pulse = basic_client_pulse<>;

/// Looks after the pulse of a client's connection.
template <class Link>
class client_heart {
public:
    explicit client_heart(Link& link) : link_(link), timer_(link.loop_) {}

    void begin()
    {
        pulse_.begin(link_.loop_.now());
        beat();
    }
    void heard() noexcept { pulse_.heard(link_.loop_.now()); }
    void stop() { timer_.cancel(); }

private:
    void beat()
    {
        if (auto const due = pulse_.next(link_.options_.heartbeat, link_.loop_.now()))
            timer_.start(*due, link_.bound([](Link& self) { self.heart_.look(); }));
    }
    void look()
    {
        switch (pulse_.look(link_.options_.heartbeat, link_.loop_.now())) {
        case client_pulse::verdict::well: break;
        case client_pulse::verdict::dead:
            link_.observer_.count(metric::stale, 1);
            return link_.closing_.ended({close_code::abnormal, "the server fell silent", false});
        case client_pulse::verdict::ping:
            if (link_.phase_ != Link::phase::open)
                break;
            link_.observer_.count(metric::pings, 1);
            link_.output_.ping();
        }
        beat();
    }

    Link& link_;
    typename Link::timer timer_;
    client_pulse pulse_;
};

}  // namespace polycast::inline v0::detail
