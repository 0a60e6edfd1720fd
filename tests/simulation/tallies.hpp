#pragma once

// What really happened in a run: a simulation in which nothing happens proves nothing.

#include "scenario.hpp"

#include <array>
#include <cstdint>
#include <cstdio>
#include <string_view>
#include <utility>

namespace simulation {

struct tallies {
    std::uint64_t seeds = 0, steps = 0, emissions = 0, deliveries = 0, refused = 0, sessions = 0, connections = 0, resumes = 0,
                  fresh = 0, replayed = 0, gaps = 0, gap_events = 0, drops = 0, coalesced = 0, expired = 0, recovered = 0,
                  recovered_events = 0, not_recovered = 0, stale = 0, requests = 0, runs = 0, repeats = 0, answers = 0,
                  thefts_refused = 0, overclaims_refused = 0, bad_allocs = 0, slow_closes = 0, limit_closes = 0, checks = 0,
                  lost_connections = 0, away = 0, offline = 0, restored = 0;
    std::array<std::uint64_t, fault_count> faults{};

    template <class F>
    void each(F f)
    {
        std::pair<std::string_view, std::uint64_t*> const rows[] = {
            {"seeds", &seeds}, {"steps", &steps}, {"checks of the invariants", &checks}, {"emissions", &emissions},
            {"deliveries", &deliveries}, {"emissions refused", &refused}, {"sessions", &sessions},
            {"connections", &connections}, {"connections lost", &lost_connections}, {"sessions gone away", &away}, {"resumes", &resumes},
            {"new sessions on reconnect", &fresh}, {"events replayed twice", &replayed}, {"gaps", &gaps},
            {"events named by gaps", &gap_events}, {"drops reported", &drops}, {"events coalesced", &coalesced},
            {"sessions expired", &expired}, {"sessions taken up from the log", &restored}, {"events that waited offline", &offline}, {"joins recovered", &recovered}, {"events recovered", &recovered_events},
            {"recoveries denied", &not_recovered}, {"events dropped by offset", &stale}, {"requests", &requests},
            {"requests run", &runs}, {"requests repeated", &repeats}, {"requests answered", &answers},
            {"thefts refused", &thefts_refused}, {"overclaims refused", &overclaims_refused},
            {"allocation failures", &bad_allocs}, {"closed as slow reader", &slow_closes},
            {"closed at a connection limit", &limit_closes}};
        for (auto const& [name, value] : rows)
            f(name, *value);
        for (std::size_t i = 0; i < fault_count; ++i)
            f(fault_names[i], faults[i]);
    }
    void add(tallies const& other)
    {
        std::array<std::uint64_t, 64> theirs{};
        std::size_t at = 0;
        tallies copy = other;
        copy.each([&](std::string_view, std::uint64_t& value) { theirs[at++] = value; });
        at = 0;
        each([&](std::string_view, std::uint64_t& value) { value += theirs[at++]; });
    }
    void print()
    {
        each([](std::string_view name, std::uint64_t& value) {
            std::printf("  %-32.*s %12llu\n", static_cast<int>(name.size()), name.data(),
                        static_cast<unsigned long long>(value));
        });
    }
};

}  // namespace simulation
