// Modes in which connections are what it is about: connect and idle.
#pragma once

#include "loop.hpp"
#include "meter.hpp"
#include "process.hpp"

#include <cstdint>
#include <deque>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

namespace load {

/// So many handshakes at once; when `connections` are open, the oldest closes as the next opens. A close handshake, and
/// then a reset, so that neither end keeps the port for a minute: there are 28,000.
inline void run_connect(settings const& s)
{
    loop on(s);
    std::deque<connection*> open;
    std::vector<connection*> unused;
    for (std::size_t i = 0; i < s.connections + 2 * s.in_flight; ++i)
        unused.push_back(&on.add());
    std::uint64_t connects = 0, closed = 0;
    std::size_t opening = 0;
    histogram took;
    meter m(s, connects);
    constexpr std::int64_t patience_ns = 5'000'000'000;
    std::int64_t looked_ns = m.now_ns();
    auto const look = [&](std::int64_t now) {
        looked_ns = now;
        for (auto const& each : on.connections)
            if (each.fd >= 0 && each.open == each.closing && now - each.since_ns > patience_ns)
                throw std::runtime_error("connection " + std::to_string(each.index + 1) +
                                         ": the server has not answered the " +
                                         (each.open ? "close frame" : "handshake") + " for 5 s");
    };
    while (m.goes_on()) {
        for (; opening < s.in_flight && !unused.empty(); ++opening) {
            on.start(*unused.back());
            unused.pop_back();
        }
        on.poll([](connection&, std::span<char>) { throw std::runtime_error("the server sends data, unasked"); },
                [](connection&) {});
        auto const now = now_ns();
        for (connection* const each : on.just_opened) {
            if (m.measuring())
                took.record(now - each->since_ns);
            open.push_back(each);
            ++connects;
            --opening;
        }
        for (; open.size() > s.connections; open.pop_front())
            on.close(*open.front());
        for (connection* const each : on.just_ended) {
            on.drop(*each);
            unused.push_back(each);
            ++closed;
        }
        if (now - looked_ns > patience_ns / 5)
            look(now);
        m.hold(closed == 0);  // until opening and closing are in balance
    }
    look(now_ns());
    auto const count = static_cast<double>(m.messages());
    m.result()
        .add("connects", m.messages())
        .add("connects_per_second", count / m.seconds(), 1)
        .add("server_us_per_connect", m.server_cpu_seconds() / count * 1e6, 3)
        .add("latencies", took.count())
        .add_quantiles(took)
        .print();
}

inline void run_idle(settings const& s)
{
    auto const before = anonymous_kib(s.server);
    loop on(s);
    auto const begin = now_seconds();
    on.open(s.connections);
    auto const opened = now_seconds();
    // Lets a garbage collector tidy up after the handshakes, and shows connections that the server drops.
    while (now_seconds() < opened + s.settle_seconds)
        on.poll([](connection& each, std::span<char> bytes) { read_messages(each, bytes, [](auto&&...) {}); },
                [](connection&) {});
    auto const after = anonymous_kib(s.server);
    report()
        .add("connections", std::uint64_t{s.connections})
        .add("open_seconds", opened - begin)
        .add("before_kib", static_cast<std::uint64_t>(before))
        .add("after_kib", static_cast<std::uint64_t>(after))
        .print();
}

}  // namespace load
