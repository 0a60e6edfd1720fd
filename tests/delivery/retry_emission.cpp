// Trying again acts on what really became of an emission.

#include "../support/workshop.hpp"

#include <boost/test/unit_test.hpp>

#include <string>
#include <thread>
#include <vector>

using namespace support;

namespace {

using once = pc::server<workshop, sim>;

}  // namespace

BOOST_AUTO_TEST_SUITE(retried_emissions)

BOOST_AUTO_TEST_CASE(what_found_a_queue_full_succeeds_when_there_is_room)
{
    stage<once> st({.max_mailbox_emissions = 2});
    auto& p = enter(st, {.user = "ada"});
    auto const out = st.server->emitter();
    int slept = 0;
    auto const wait = [&](std::chrono::milliseconds delay) {
        ++slept;
        st.world.run_for(delay);
    };
    for (int i = 0; i < 6; ++i)
        BOOST_TEST((out.to_user("ada").emit(note{i, {}}, {}, wait).status == pc::outcome::queued));
    st.settle();
    BOOST_TEST(numbers_in(p, "note") == count_to(6), boost::test_tools::per_element());
    BOOST_TEST(slept == 2);
    BOOST_TEST(st.server->count(pc::metric::retries) == 2U);
}

BOOST_AUTO_TEST_CASE(who_comes_back_in_time_gets_it_and_who_does_not_is_gone)
{
    stage<once> st;
    auto const out = st.server->emitter();
    decltype(&enter(st, {})) p = nullptr;
    auto const result = out.to_user("ada").emit(note{1, {}}, {}, [&](std::chrono::milliseconds delay) {
        st.world.run_for(delay);
        if (p == nullptr)
            p = &enter(st, {.user = "ada"});
    });
    BOOST_TEST((result.status == pc::outcome::queued));
    st.settle();
    BOOST_TEST(numbers_in(*p, "note") == std::vector{1}, boost::test_tools::per_element());
    BOOST_TEST(st.server->count(pc::metric::retries) == 1U);
    auto const none = out.to_user("bob").emit(note{1, {}}, {}, [&](std::chrono::milliseconds delay) { st.world.run_for(delay); });
    BOOST_TEST((none.status == pc::outcome::gone));
    BOOST_TEST(st.server->count(pc::metric::retries) == 3U);
}

BOOST_AUTO_TEST_CASE(a_room_over_shards_is_reached_whole_by_a_retry)
{
    stage<once> st({.shards = 3, .max_mailbox_emissions = 2});
    std::vector<decltype(&enter(st, {}))> all;
    for (int i = 0; i < 6; ++i) {
        all.push_back(&enter(st, {}));
        say(*all.back(), R"({"type":"$join","id":1,"room":"hall"})");
    }
    st.settle();
    for (int i = 0; i < 8; ++i)
        BOOST_TEST(pc::accepted(st.server->emitter().to_room("hall").emit(
            note{i, {}}, {}, [&](std::chrono::milliseconds delay) { st.world.run_for(delay); })));
    st.settle();
    for (auto* const p : all)
        BOOST_TEST(numbers_in(*p, "note") == count_to(8), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_thread_of_a_producer_waits_for_a_user_to_come)
{
    stage<pc::server<bench, tcp>> st;
    pc::sent sent;
    std::thread producer([&sent, out = st.server->emitter_for("ada")] {
        pc::retry_options const patient{.attempts = 1000, .first = 5ms, .factor = 1, .budget = 15s};
        sent = out.emit(note{7, {}}, patient);
    });
    std::this_thread::sleep_for(20ms);  // some attempts fail before
    auto& p = st.user("ada");
    BOOST_TEST(st.until([&] { return numbers_of(p, "note") == std::vector{7}; }));
    producer.join();
    BOOST_TEST(pc::accepted(sent));
    BOOST_TEST(st.server->count(pc::metric::retries) > 0U);
}

BOOST_AUTO_TEST_SUITE_END()
