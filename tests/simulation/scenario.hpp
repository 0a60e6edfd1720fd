#pragma once

// What happens in one simulation: everything is decided here, from one seed, before it begins.

#include <polycast/transport/simulated.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace simulation {

namespace pc = polycast;
using namespace std::chrono_literals;
using milliseconds = std::chrono::milliseconds;

/// Choices of a scenario and of those who act in it.
class dice : public pc::transport::simulated_chance {
public:
    using simulated_chance::simulated_chance;
    [[nodiscard]] std::uint64_t from(std::uint64_t least, std::uint64_t most) { return least + below(most - least + 1); }
    template <class T>
    [[nodiscard]] T one_of(std::initializer_list<T> all)
    {
        return all.begin()[below(all.size())];
    }
    [[nodiscard]] milliseconds between(milliseconds least, milliseconds most)
    {
        return milliseconds{static_cast<std::int64_t>(from(static_cast<std::uint64_t>(least.count()),
                                                           static_cast<std::uint64_t>(most.count())))};
    }
};

/// How a client behaves. The good ones do what WIRE asks.
struct habits {
    bool reliable = true;          ///< false: offers no subprotocol, says no `$open`
    enum class acking : std::uint8_t { as_asked, never, late, in_messages } acks = acking::as_asked;
    std::size_t bytes_a_read = 64 * 1024;  ///< less: a slow reader
    milliseconds between_reads{0};
    double forgets = 0;            ///< probability that it reports less than it has taken, on resuming
    double overclaims = 0;         ///< that it reports more than there ever was
    double steals = 0;             ///< that it names another user's session
    bool rejoins_since = true;     ///< `since` on `$join`, where the room keeps history
    milliseconds back_least{0}, back_most{0};  ///< how long it stays away
};

enum class fault : std::uint8_t {
    cut_all, cut_some, cut_at_byte, vanish, stall, refuse, swallow, drop_self, close_for_good, stop_reading,
    server_closes, clock_jump, restart, allocation, full_disk
};
inline constexpr std::size_t fault_count = 15;
inline constexpr std::size_t faults_without_log = 14;
inline constexpr std::string_view fault_names[fault_count] = {
    "cut all", "cut some", "cut at a byte", "vanish", "stall", "refuse connections", "swallow connections",
    "client drops", "client closes for good", "client stops reading", "server closes", "clock jump", "server restart",
    "allocation failure", "full disk"};

struct timed_fault {
    milliseconds at;
    fault what;
    std::uint32_t who;       ///< a client, where it concerns one
    std::uint64_t how_much;  ///< milliseconds, bytes, a probability in percent
};

struct scenario {
    std::uint64_t seed;
    std::uint32_t shards = 1;
    std::uint32_t users = 1;
    struct client_plan {
        std::uint32_t user;
        habits how;
        milliseconds arrives;
        std::vector<std::uint32_t> rooms;
        std::uint32_t requests;  ///< during the whole run
    };
    std::vector<client_plan> clients{};
    std::uint32_t rooms = 0;
    bool history = false;
    std::size_t history_events = 0;
    milliseconds active{0};      ///< events and faults happen this long
    std::uint32_t emissions = 0;
    double burstiness = 0;       ///< that an emission is one of many at one instant
    std::uint32_t burst = 1;
    std::size_t text_bytes = 10; ///< most
    std::size_t outbox_bytes = 1 << 20, outbox_events = 16384, log_bytes = 1 << 20;
    std::size_t max_requests = 256;
    milliseconds resume_window{180'000}, log_age{180'000};
    std::uint32_t policy = 0;    ///< of backpressure
    std::uint32_t ack_every = 32;
    milliseconds heartbeat{5000};
    pc::transport::network_options network{};
    std::vector<timed_fault> faults{};

    explicit scenario(std::uint64_t s) : seed(s)
    {
        dice d(s * 0x9E3779B97F4A7C15u + 17);
        shards = static_cast<std::uint32_t>(d.one_of({1, 1, 2, 3}));
        auto const size = d.below(100);
        auto const count = static_cast<std::uint32_t>(size == 0 ? 200 : size < 6 ? d.from(20, 60) : size < 40 ? d.from(1, 3)
                                                                                                  : d.from(3, 10));
        users = std::max<std::uint32_t>(1, static_cast<std::uint32_t>(d.from((count + 2) / 3, count)));
        rooms = static_cast<std::uint32_t>(d.from(0, 3));
        history = rooms != 0 && d.happens(0.5);
        history_events = d.one_of<std::size_t>({8, 100, 10'000});
        active = d.between(5s, 60s);
        // What is delivered is about the same in each scenario, however many are there to receive.
        emissions = static_cast<std::uint32_t>(d.from(50, 1500) / (1 + count / 4) + 20);
        burstiness = d.one_of({0.0, 0.1, 0.5});
        burst = static_cast<std::uint32_t>(d.from(2, 60));
        text_bytes = d.one_of<std::size_t>({10, 10, 100, 1000});
        server_limits(d);
        for (std::uint32_t i = 0; i < count; ++i)
            clients.push_back(plan(d, i));
        network_behaviour(d);
        misfortunes(d, count);
    }

    /// As a server with a durable log runs: alone, and killed now and then.
    [[nodiscard]] scenario with_log() const
    {
        scenario p = *this;
        p.shards = 1;
        dice d(seed * 31 + 7);
        for (auto more = d.from(0, 4); more != 0; --more)
            p.faults.push_back({d.between(0ms, active), fault::restart, 0, d.from(0, 100)});
        for (auto more = d.from(0, 3); more != 0; --more)
            p.faults.push_back({d.between(0ms, active), fault::full_disk, 0, d.from(0, 100)});
        std::ranges::stable_sort(p.faults, {}, &timed_fault::at);
        return p;
    }

private:
    void server_limits(dice& d)
    {
        if (d.happens(0.3))
            outbox_bytes = d.one_of<std::size_t>({2'000, 8'000, 32'000});
        if (d.happens(0.2))
            outbox_events = d.one_of<std::size_t>({4, 16, 100});
        if (d.happens(0.2))
            log_bytes = d.one_of<std::size_t>({1'000, 8'000, 32'000});
        if (d.happens(0.2))
            max_requests = 8;
        if (d.happens(0.3))
            resume_window = d.one_of<milliseconds>({5s, 20s});
        if (d.happens(0.15))
            log_age = d.one_of<milliseconds>({2s, 10s});
        policy = static_cast<std::uint32_t>(d.below(3));
        ack_every = d.one_of<std::uint32_t>({1, 8, 32});
        heartbeat = d.one_of<milliseconds>({2s, 5s, 30s});
    }
    client_plan plan(dice& d, std::uint32_t index)
    {
        client_plan p{.user = index % users, .how = {}, .arrives = {},
                      .rooms = {}, .requests = 0};
        habits& h = p.how;
        h.reliable = !d.happens(0.12);
        h.acks = d.happens(0.6) ? habits::acking::as_asked
                                : d.one_of({habits::acking::never, habits::acking::late, habits::acking::in_messages});
        if (d.happens(0.15)) {
            h.bytes_a_read = d.from(1, 500);
            h.between_reads = d.between(1ms, 300ms);
        }
        h.forgets = d.happens(0.2) ? 0.5 : 0;
        h.overclaims = d.happens(0.05) ? 0.2 : 0;
        h.steals = d.happens(0.08) ? 0.3 : 0;
        h.rejoins_since = !d.happens(0.2);
        if (d.happens(0.7))
            h.back_most = d.one_of<milliseconds>({20ms, 500ms, 3s});
        else
            h.back_least = 1s, h.back_most = resume_window > 60s ? milliseconds(30s) : 2 * resume_window;
        p.arrives = d.happens(0.7) ? d.between(0ms, 50ms) : d.between(0ms, active / 2);
        for (std::uint32_t r = 0; r < rooms; ++r)
            if (d.happens(0.6))
                p.rooms.push_back(r);
        p.requests = d.happens(0.7) ? static_cast<std::uint32_t>(d.from(0, 30)) : 0;
        return p;
    }
    void network_behaviour(dice& d)
    {
        network.latency_max = d.one_of<std::chrono::nanoseconds>({500us, 20ms, 200ms});
        network.max_segment_bytes = d.one_of<std::size_t>({16384, 16384, 1400, 100, 7});
        // What is in flight at a time: so little that writes block often, so much that a backlog leaves within minutes.
        network.send_window_bytes = d.one_of<std::size_t>({262144, 65536, 16 * text_bytes + 4000, 4 * text_bytes + 300});
        network.send_window_bytes = std::min(network.send_window_bytes, 1000 * network.max_segment_bytes);
        if (network.send_window_bytes < 16 * text_bytes + 4000)
            network.latency_max = std::min<std::chrono::nanoseconds>(network.latency_max, 20ms);
        network.partial_write_probability = d.one_of({0.0, 0.1, 0.6});
        network.spurious_wakeup_probability = d.one_of({0.0, 0.1});
        network.cut_probability = d.one_of({0.0, 0.0, 0.001, 0.01});
        network.vanish_probability = d.one_of({0.0, 0.0, 0.0005});
        network.stall_probability = d.one_of({0.0, 0.0, 0.001});
        network.stall_for = d.between(100ms, 4s);
    }
    void misfortunes(dice& d, std::uint32_t count)
    {
        auto const how_many = d.happens(0.1) ? 0 : d.from(1, 14);
        for (std::uint64_t i = 0; i < how_many; ++i) {
            timed_fault f{.at = d.between(0ms, active), .what = static_cast<fault>(d.below(faults_without_log)),
                          .who = static_cast<std::uint32_t>(d.below(count)), .how_much = d.from(0, 100)};
            // What concerns everybody is rarer.
            if ((f.what == fault::restart || f.what == fault::clock_jump) && d.happens(0.7))
                f.what = fault::drop_self;
            faults.push_back(f);
        }
        std::ranges::stable_sort(faults, {}, &timed_fault::at);
    }
};

}  // namespace simulation
