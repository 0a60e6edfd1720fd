#include <polycast/delivery/retry.hpp>

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <chrono>
#include <initializer_list>
#include <limits>
#include <vector>

namespace pc = polycast;
using namespace std::chrono_literals;
using pc::outcome;
using ms = std::chrono::milliseconds;

namespace {

/// Time that passes when somebody says so.
struct fake_clock {
    using time_point = std::chrono::steady_clock::time_point;
    static inline time_point time{};
    static time_point now() noexcept { return time; }
};
/// The delays between attempts that all end with `o` and take no time.
std::vector<int> delays(pc::retry_options const& options, outcome o = outcome::over_budget)
{
    pc::retry_schedule schedule(options);
    std::vector<int> out;
    ms spent{};
    while (auto const delay = schedule.next(o, spent)) {
        out.push_back(static_cast<int>(delay->count()));
        spent += *delay;
        if (out.size() == 100)
            break;
    }
    BOOST_TEST(!schedule.next(o, spent).has_value());
    return out;
}
/// Runs `with_retry` over attempts that end as given, the last again and again, each after `takes`.
struct producer {
    std::vector<outcome> outcomes;
    ms takes{};
    std::size_t attempts = 0;
    std::vector<int> slept{};

    outcome run(pc::retry_options const& options = {})
    {
        return pc::with_retry<fake_clock>(
            options,
            [this] {
                fake_clock::time += takes;
                auto const o = outcomes[std::min(attempts, outcomes.size() - 1)];
                ++attempts;
                return o;
            },
            [this](ms delay) {
                slept.push_back(static_cast<int>(delay.count()));
                fake_clock::time += delay;
            });
    }
};

}  // namespace

BOOST_AUTO_TEST_SUITE(retry)

BOOST_AUTO_TEST_CASE(there_are_three_attempts_100_and_200_milliseconds_apart)
{
    BOOST_TEST(delays({}) == (std::vector{100, 200}), boost::test_tools::per_element());
    BOOST_TEST(delays({}, outcome::gone) == (std::vector{100, 200}), boost::test_tools::per_element());
}
BOOST_AUTO_TEST_CASE(what_is_accepted_or_refused_is_not_tried_again)
{
    for (outcome const o : {outcome::delivered, outcome::queued, outcome::refused})
        BOOST_TEST(delays({}, o).empty());
}
BOOST_AUTO_TEST_CASE(no_delay_exceeds_the_cap)
{
    pc::retry_options o;
    o.attempts = 8;
    o.budget = 1h;
    BOOST_TEST(delays(o) == (std::vector{100, 200, 400, 800, 1600, 2000, 2000}), boost::test_tools::per_element());
    o.first = 5s;
    o.attempts = 3;
    BOOST_TEST(delays(o) == (std::vector{2000, 2000}), boost::test_tools::per_element());
}
BOOST_AUTO_TEST_CASE(no_attempt_begins_after_the_budget)
{
    pc::retry_options o;
    o.attempts = 10;
    BOOST_TEST(delays(o) == (std::vector{100, 200}), boost::test_tools::per_element());  // 300 + 400 > 500
    o.budget = 700ms;
    BOOST_TEST(delays(o) == (std::vector{100, 200, 400}), boost::test_tools::per_element());
    o.budget = 99ms;
    BOOST_TEST(delays(o).empty());
    pc::retry_schedule late{pc::retry_options{}};
    BOOST_TEST(!late.next(outcome::gone, 401ms).has_value());
    BOOST_TEST((late.next(outcome::gone, 400ms) == 100ms));
    BOOST_TEST(!late.next(outcome::gone, ms::max()).has_value());
}
BOOST_AUTO_TEST_CASE(senseless_options_end_all_the_same)
{
    pc::retry_options o;
    o.attempts = 0;
    BOOST_TEST(delays(o).empty());
    o.attempts = 1;
    BOOST_TEST(delays(o).empty());
    o.attempts = 50;
    o.budget = ms::max();
    o.cap = ms::max();
    o.factor = std::numeric_limits<double>::max();
    BOOST_TEST(delays(o).size() <= 49U);
    o.factor = 0;
    BOOST_TEST(delays(o).size() == 49U);
}
BOOST_AUTO_TEST_CASE(an_emission_is_tried_until_it_is_accepted)
{
    producer p{{outcome::over_budget, outcome::gone, outcome::queued}};
    BOOST_TEST((p.run() == outcome::queued));
    BOOST_TEST(p.attempts == 3U);
    BOOST_TEST(p.slept == (std::vector{100, 200}), boost::test_tools::per_element());
}
BOOST_AUTO_TEST_CASE(the_last_outcome_is_what_the_producer_hears)
{
    producer p{{outcome::gone, outcome::over_budget}};
    BOOST_TEST((p.run() == outcome::over_budget));
    BOOST_TEST(p.attempts == 3U);
    producer refused{{outcome::over_budget, outcome::refused}};
    BOOST_TEST((refused.run() == outcome::refused && refused.attempts == 2));
}
BOOST_AUTO_TEST_CASE(time_that_attempts_take_is_time_of_the_budget)
{
    producer p{{outcome::over_budget}, 150ms};
    BOOST_TEST((p.run() == outcome::over_budget));
    BOOST_TEST(p.attempts == 2U);  // 150 + 100 + 150, and 200 more would be 600
}
BOOST_AUTO_TEST_CASE(a_fan_out_that_reached_anybody_is_not_sent_twice)
{
    int attempts = 0;
    auto const result = pc::with_retry<fake_clock>(
        {},
        [&] {
            ++attempts;
            pc::sent s;
            s.count(outcome::over_budget);
            if (attempts == 2)
                s.count(outcome::queued);
            return s;
        },
        [](ms) {});
    BOOST_TEST((attempts == 2 && result.receivers == 2 && result.refused == 1 && pc::accepted(result)));
}
BOOST_AUTO_TEST_CASE(a_thread_sleeps_between_attempts_on_its_own)
{
    pc::retry_options o;
    o.first = 1ms;
    int attempts = 0;
    BOOST_TEST((pc::with_retry(o, [&] { return ++attempts < 2 ? outcome::gone : outcome::delivered; }) == outcome::delivered));
    BOOST_TEST(attempts == 2);
}

BOOST_AUTO_TEST_SUITE_END()
