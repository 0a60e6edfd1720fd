#include "../../examples/load/schedule.hpp"

#include <boost/test/unit_test.hpp>

#include <cstddef>
#include <cstdint>
#include <vector>

using load::closed_loop;
using load::open_loop;

namespace {

constexpr std::int64_t ms = 1'000'000;

/// A server that answers at once, unless it stalls: then it answers what came meanwhile as the stall ends. The generator
/// looks at the time every `every`.
struct scene {
    open_loop schedule;
    std::vector<std::uint64_t> waiting;
    std::uint64_t sent = 0;

    scene(double per_second, std::size_t connections) : schedule(per_second, connections, 0), waiting(connections)
    {
        schedule.measure(0, 1000 * ms);
    }
    void run(std::int64_t stall_from, std::int64_t stall_until, std::int64_t every, bool generator_stalls_too = false)
    {
        for (std::int64_t now = 0; now < 1000 * ms; now += every) {
            bool const stalled = now >= stall_from && now < stall_until;
            if (stalled && generator_stalls_too)
                continue;
            schedule.send_due(now, [&](std::size_t connection, std::uint64_t count) {
                waiting[connection] += count;
                sent += count;
            });
            if (!stalled)
                for (std::size_t i = 0; i < waiting.size(); ++i) {
                    schedule.answered(i, waiting[i], now);
                    waiting[i] = 0;
                }
        }
    }
};

}  // namespace

BOOST_AUTO_TEST_SUITE(load_schedule)

BOOST_AUTO_TEST_CASE(sends_as_many_as_the_rate_says_on_each_connection_in_turn)
{
    open_loop schedule(1000, 3, 5 * ms);
    std::vector<std::uint64_t> counts(3);
    auto const send = [&](std::size_t connection, std::uint64_t count) { counts[connection] += count; };
    schedule.send_due(5 * ms - 1, send);
    BOOST_TEST(counts == (std::vector<std::uint64_t>{0, 0, 0}), boost::test_tools::per_element());
    schedule.send_due(5 * ms, send);
    BOOST_TEST(schedule.next_due_ns() == 6 * ms);
    BOOST_TEST(counts == (std::vector<std::uint64_t>{1, 0, 0}), boost::test_tools::per_element());
    schedule.send_due(12 * ms, send);  // seven more, at once
    BOOST_TEST(counts == (std::vector<std::uint64_t>{3, 3, 2}), boost::test_tools::per_element());
    BOOST_TEST(schedule.unanswered() == 8u);
}

BOOST_AUTO_TEST_CASE(a_server_that_never_stalls_has_no_latency)
{
    scene s(1000, 4);
    s.run(0, 0, ms);
    BOOST_TEST(s.sent == 1000u);
    BOOST_TEST(s.schedule.latency.count() == 1000u);
    BOOST_TEST(s.schedule.latency.max() == 0u);
}

BOOST_AUTO_TEST_CASE(a_stall_is_charged_to_every_message_that_was_due_meanwhile)
{
    scene s(1000, 4);
    s.run(200 * ms, 400 * ms, ms);  // a fifth of the time
    auto const& latency = s.schedule.latency;
    BOOST_TEST(latency.count() == 1000u);
    BOOST_TEST(latency.quantile(0.79) == 0u);
    // The 200 messages that were due in it waited for 200, 199, … 1 ms.
    BOOST_TEST(latency.max() == static_cast<std::uint64_t>(200 * ms));
    BOOST_TEST(static_cast<double>(latency.quantile(0.9)) / ms == 100.0, boost::test_tools::tolerance(0.02));
    BOOST_TEST(static_cast<double>(latency.quantile(0.99)) / ms == 190.0, boost::test_tools::tolerance(0.02));
}

BOOST_AUTO_TEST_CASE(a_generator_that_could_not_send_meanwhile_charges_the_same_and_says_that_it_was_late)
{
    scene s(1000, 4);
    s.run(200 * ms, 400 * ms, ms, true);
    auto const& latency = s.schedule.latency;
    BOOST_TEST(latency.count() == 1000u);
    BOOST_TEST(static_cast<double>(latency.quantile(0.9)) / ms == 100.0, boost::test_tools::tolerance(0.02));
    BOOST_TEST(s.schedule.late.max() == static_cast<std::uint64_t>(200 * ms));
}

BOOST_AUTO_TEST_CASE(what_is_never_answered_counts_with_its_age)
{
    scene s(1000, 4);
    s.run(900 * ms, 2000 * ms, ms);
    BOOST_TEST(s.schedule.latency.count() == 900u);
    BOOST_TEST(s.schedule.unanswered() == 100u);
    s.schedule.give_up(3000 * ms);
    BOOST_TEST(s.schedule.unanswered() == 0u);
    BOOST_TEST(s.schedule.latency.count() == 1000u);
    BOOST_TEST(s.schedule.latency.max() == static_cast<std::uint64_t>(2100 * ms));
}

BOOST_AUTO_TEST_CASE(only_what_is_due_in_the_window_is_measured)
{
    scene s(1000, 4);
    s.schedule.measure(250 * ms, 500 * ms);
    s.run(0, 0, ms);
    BOOST_TEST(s.schedule.latency.count() == 250u);
    BOOST_TEST(s.schedule.sent_in_window() == 250u);
}

BOOST_AUTO_TEST_CASE(a_closed_loop_counts_from_the_sending_in_order)
{
    closed_loop loop(2, 2);
    loop.sent(1, 1, 10);
    loop.sent(1, 1, 20);
    loop.answered(1, 1, 30, true);  // of the first
    BOOST_TEST(loop.latency.max() == 20u);
    loop.sent(1, 1, 40);
    loop.answered(1, 2, 100, true);
    BOOST_TEST(loop.latency.count() == 3u);
    BOOST_TEST(loop.latency.max() == 80u);
    loop.sent(0, 1, 0);
    loop.answered(0, 1, 1000, false);
    BOOST_TEST(loop.latency.count() == 3u);
}

BOOST_AUTO_TEST_SUITE_END()
