// The proof that no event is lost: whole servers, clients and networks on a virtual clock, one for each seed.
//   POLYCAST_SEEDS=N    as many seeds (default 300)
//   POLYCAST_FIRST=N    from this one on
//   POLYCAST_SEED=N     this one alone, with its trace

#define SIMULATION_DEFINES_MALLOC
#include "stage.hpp"

#include <polycast/batching/window.hpp>
#include <polycast/isolation/per_user.hpp>
#if __has_include(<polycast/delivery/at_least_once.hpp>)
#include <polycast/delivery/at_least_once.hpp>
#else
#include <polycast/delivery/at_most_once.hpp>
#endif

#if POLYCAST_WITH_SQLITE
#include <polycast/delivery/sqlite_log.hpp>
#endif

#include <boost/test/unit_test.hpp>

#include <cstdint>
#include <numeric>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string>
#include <utility>
#include <vector>

namespace {

using namespace simulation;

#if __has_include(<polycast/delivery/at_least_once.hpp>)
using reliable = pc::delivery::at_least_once<>;
#else
using reliable = pc::delivery::at_most_once;
#endif
using open_house = pc::server<application, sim, reliable>;
using private_rooms = pc::server<application, sim, reliable, pc::isolation::per_user<3>, pc::batching::window<10, 200>>;
#if POLYCAST_WITH_SQLITE
using kept_house = pc::server<application, sim, pc::delivery::at_least_once<pc::delivery::sqlite_log>>;
#endif

[[nodiscard]] std::uint64_t number(char const* name, std::uint64_t otherwise)
{
    char const* const text = std::getenv(name);
    return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

/// Empty if all went well.
template <class Server>
std::string run_one(scenario const& plan, tallies& sum, bool record)
{
    std::string wrong;
    std::uint64_t hash = 0;
    {
        stage<Server> one(plan, record);
        try {
            one.run();
        } catch (std::exception const& e) {
            wrong = e.what();
        }
        sum.add(one.seen());
        hash = one.trace_hash();
        if (record)
            std::fwrite(one.trace().data(), 1, one.trace().size(), stdout);
    }
    if (record)
        std::printf("seed %llu: %s (trace %016llx)\n", static_cast<unsigned long long>(plan.seed),
                    wrong.empty() ? "all is well" : wrong.c_str(), static_cast<unsigned long long>(hash));
    return wrong;
}
std::string run_seed(std::uint64_t seed, tallies& sum, bool record = false)
{
    scenario const plan(seed);
#if POLYCAST_WITH_SQLITE
    if (seed % 8 == 5)
        return run_one<kept_house>(plan.with_log(), sum, record);
#endif
    return seed % 2 == 0 ? run_one<open_house>(plan, sum, record) : run_one<private_rooms>(plan, sum, record);
}

}  // namespace

BOOST_AUTO_TEST_CASE(no_event_is_lost_in_any_seed)
{
    tallies sum;
    if (auto const seed = number("POLYCAST_SEED", 0); seed != 0) {
        BOOST_TEST(run_seed(seed, sum, true) == "");
        sum.print();
        return;
    }
    auto const first = number("POLYCAST_FIRST", 1);
    auto const count = number("POLYCAST_SEEDS", 300);
    std::vector<std::pair<std::uint64_t, std::string>> failed;
    std::vector<std::uint64_t> seeds(count);
    std::iota(seeds.begin(), seeds.end(), first);
    // Those that have found something, whatever the number of seeds: a hang, a drop told after `closed`, a drop forgotten by
    // the log, a room that is being left, a window of requests, a half-open connection.
    if (std::getenv("POLYCAST_FIRST") == nullptr)
        for (std::uint64_t const seed : {893, 901, 928, 1440, 1636, 1812, 3269, 5071})
            if (seed >= first + count)
                seeds.push_back(seed);
    for (std::uint64_t const seed : seeds)
        if (auto wrong = run_seed(seed, sum); !wrong.empty())
            failed.emplace_back(seed, std::move(wrong));
    sum.print();
    for (auto const& [seed, wrong] : failed)
        std::printf("seed %llu fails: %s\n    again: tests/simulation/run --seed %llu\n",
                    static_cast<unsigned long long>(seed), wrong.c_str(), static_cast<unsigned long long>(seed));
    BOOST_TEST(failed.size() == 0U);
}
