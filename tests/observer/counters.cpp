#include <polycast/observer/counters.hpp>

#include <polycast/observer/silent.hpp>

#include <boost/test/unit_test.hpp>

#include <set>
#include <thread>
#include <vector>

namespace pc = polycast;

BOOST_AUTO_TEST_SUITE(observers)

BOOST_AUTO_TEST_CASE(each_metric_is_counted_by_itself_and_has_a_name_of_its_own)
{
    pc::observer::counters c;
    for (std::size_t m = 0; m < pc::metric_count; ++m)
        c.count(static_cast<pc::metric>(m), m + 1);
    std::set<std::string_view> names;
    for (std::size_t m = 0; m < pc::metric_count; ++m) {
        BOOST_TEST(c.read(static_cast<pc::metric>(m)) == m + 1);
        BOOST_TEST(names.insert(pc::metric_names[m]).second);
    }
    BOOST_TEST(pc::metric_names[static_cast<std::size_t>(pc::metric::dropped)] == "dropped");
    BOOST_TEST(pc::metric_names[static_cast<std::size_t>(pc::metric::emissions_taken)] == "emissions_taken");
}

BOOST_AUTO_TEST_CASE(threads_that_count_together_lose_nothing)
{
    pc::observer::counters c;
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t)
        threads.emplace_back([&c] {
            for (int i = 0; i < 10'000; ++i)
                c.count_shared(pc::metric::encodes);
        });
    for (auto& t : threads)
        t.join();
    BOOST_TEST(c.read(pc::metric::encodes) == 40'000u);
}

BOOST_AUTO_TEST_CASE(silent_counts_nothing)
{
    pc::observer::silent s;
    s.count(pc::metric::writes, 5);
    s.count_shared(pc::metric::writes, 5);
    BOOST_TEST(s.read(pc::metric::writes) == 0u);
}

BOOST_AUTO_TEST_SUITE_END()
