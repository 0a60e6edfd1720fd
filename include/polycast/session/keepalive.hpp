#pragma once

#include <polycast/message/control.hpp>
#include <polycast/observer/policy.hpp>
#include <polycast/session/session.hpp>

#include <array>
#include <chrono>
#include <cstdint>
#include <span>
#include <string_view>

namespace polycast::inline v0::detail {

/// Deadlines and heartbeats of one session, looked at once a tick.
template <class Shard>
struct keepalive {
    using session_type = typename Shard::session_type;

    /// `sweep`: it is also time to look for stale sessions.
    static void look(Shard& shard, session_type& s, bool sweep)
    {
        switch (s.phase_) {
        case phase::open:
            if (sweep && shard.now() - s.active_at_ >= shard.options().stale_after)
                give_up(shard, s, "no activity");
            else
                beat(shard, s);
            break;
        case phase::greeting:
            // It never says `$open`: then it is a plain client that happened to name a subprotocol.
            if (shard.now() >= s.due_at_)
                opening<Shard>::begin(shard, s);
            break;
        case phase::handshake:
            if (shard.now() >= s.due_at_)
                opening<Shard>::too_slow(shard, s);
            break;
        case phase::closing:
        case phase::draining:
        case phase::lingering:
            if (shard.now() >= s.due_at_)
                shard.ends().kill(s);
            break;
        case phase::away:
        case phase::moving:
        case phase::dead: break;
        }
        if constexpr (Shard::composition_type::delivery::resumes)
            if (s.ledger_ && s.phase_ != phase::dead)
                shard.keeps().look(s);
    }

    /// The session is open from here on.
    static void begin(Shard& shard, session_type& s)
    {
        s.phase_ = phase::open;
        s.due_at_ = shard.now() + shard.options().heartbeat.interval;
    }

    /// RFC 6455 §5.5.3: a pong answers the newest ping. One that answers none is ignored.
    static void pong(Shard& shard, session_type& s, std::span<char const> payload)
    {
        auto const wanted = ping_payload(s);
        if (s.phase_ != phase::open || !s.ping_pending_ ||
            std::string_view(payload.data(), payload.size()) != std::string_view(wanted.data(), wanted.size()))
            return;
        std::chrono::microseconds const took =
            std::chrono::duration_cast<std::chrono::microseconds>(shard.loop().now() - s.due_at_);
        std::chrono::microseconds const mean = s.record_.round_trip;
        s.record_.round_trip = mean.count() == 0 ? took : mean + (took - mean) / 10;
        s.ping_pending_ = false;
        s.misses_ = 0;
        s.due_at_ = shard.now() + shard.options().heartbeat.interval;
    }

private:
    static void beat(Shard& shard, session_type& s)
    {
        auto const& options = shard.options().heartbeat;
        if (options.interval.count() == 0)
            return;
        if (!s.ping_pending_) {
            if (shard.now() >= s.due_at_)
                ping(shard, s);
        } else if (shard.now() - s.due_at_ >= options.timeout) {
            if (++s.misses_ > options.misses_allowed)
                give_up(shard, s, "no answer to pings");
            else
                ping(shard, s);
        }
    }
    static void ping(Shard& shard, session_type& s)
    {
        s.ping_pending_ = true;
        s.due_at_ = shard.loop().now();
        auto const payload = ping_payload(s);
        shard.out().control(s, ping_frame({payload.data(), payload.size()}).view());
        shard.observe().count(metric::pings, 1);
    }
    /// What tells this ping from others: when it was sent.
    static std::array<char, 8> ping_payload(session_type const& s)
    {
        std::array<char, 8> text{};
        auto left = static_cast<std::uint64_t>(s.due_at_.time_since_epoch().count());
        for (char& c : text) {
            c = "0123456789abcdef"[left & 15];
            left >>= 4;
        }
        return text;
    }
    static void give_up(Shard& shard, session_type& s, std::string_view why)
    {
        shard.observe().count(metric::stale, 1);
        shard.ends().close(s, close_code::stale, why);
    }
};

}  // namespace polycast::inline v0::detail
