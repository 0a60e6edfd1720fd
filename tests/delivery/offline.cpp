// What is emitted to a user who has no session waits for the next one, up to its bounds, and comes once.

#include "../support/workshop.hpp"

#include <boost/test/unit_test.hpp>

#include <string>
#include <string_view>
#include <vector>

using namespace support;

namespace {

using reliable = reliable_workshop<>;
using once = pc::server<workshop, sim>;

template <class Stage>
pc::sent notes(Stage& st, std::string_view user, int from, int to)
{
    pc::sent last;
    for (int i = from; i < to; ++i)
        last = st.server->emitter().to_user(user).emit(note{i, {}});
    return last;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(events_for_the_absent)

BOOST_AUTO_TEST_CASE(they_wait_and_come_once_in_order_marked_recovered)
{
    stage<reliable> st({.shards = 2});
    BOOST_TEST((notes(st, "ada", 0, 5).status == pc::outcome::queued));
    st.world.run_for(10min);  // for as long as it takes
    notes(st, "ada", 5, 8);
    BOOST_TEST(st.server->count(pc::metric::offline) == 8U);
    auto& p = enter(st, {.user = "ada"});
    notes(st, "ada", 8, 10);
    st.settle();
    BOOST_TEST(numbers_in(p, "note") == count_to(10), boost::test_tools::per_element());
    for (auto const& e : heard(p, "note"))
        BOOST_TEST(field(e, "recovered") == (std::stoi(field(e, "n")) < 8 ? "true" : ""));
    auto& q = enter(st, {.user = "ada"});
    auto& other = enter(st, {.user = "bob"});
    st.settle();
    BOOST_TEST(told(q).empty());
    BOOST_TEST(told(other).empty());
    BOOST_TEST(session_of(st).tally().published == 10U);  // they are counted as all others are
    p.drop();
    auto& r = come_back(st, p, 7, {.user = "ada"});
    st.settle();
    BOOST_TEST(numbers_in(r, "note") == count_to(10, 7), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_plain_connection_of_the_user_gets_them_too)
{
    stage<reliable> st;
    notes(st, "ada", 0, 3);
    auto& p = enter(st, {.token = "", .user = "ada"});
    st.settle();
    BOOST_TEST(numbers_in(p, "note") == count_to(3), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(fifty_wait_and_critical_ones_displace_others)
{
    stage<reliable> st;
    BOOST_TEST((notes(st, "ada", 0, 50).status == pc::outcome::queued));
    BOOST_TEST((notes(st, "ada", 50, 51).status == pc::outcome::gone));
    for (int i = 0; i < 3; ++i)
        BOOST_TEST((st.server->emitter().to_user("ada").emit(vital{i, {}}).status == pc::outcome::queued));
    auto& p = enter(st, {.user = "ada"});
    st.settle();
    auto const all = told(p);
    BOOST_REQUIRE(all.size() == 50U);
    BOOST_TEST(numbers_in(p, "note") == count_to(50, 3), boost::test_tools::per_element());
    BOOST_TEST(all.at(47) == "vital 0");
    BOOST_TEST(all.at(49) == "vital 2");
    for (int i = 0; i < 60; ++i)
        st.server->emitter().to_user("bob").emit(vital{i, {}});
    BOOST_TEST((notes(st, "bob", 0, 1).status == pc::outcome::gone));
    auto& b = enter(st, {.user = "bob"});
    st.settle();
    BOOST_TEST(numbers_in(b, "vital") == count_to(50), boost::test_tools::per_element());
    BOOST_TEST(st.server->count(pc::metric::offline) == 50U + 3 + 50);
    BOOST_TEST(st.server->count(pc::metric::gone) == 3U);  // displaced
}

BOOST_AUTO_TEST_CASE(of_too_many_users_the_one_that_has_waited_longest_is_forgotten)
{
    stage<reliable> st({.delivery = {.max_offline_users = 3}});
    for (std::string_view const user : {"a", "b", "c"})
        notes(st, user, 0, 2);
    notes(st, "a", 2, 3);  // still the first that came
    BOOST_TEST((notes(st, "d", 0, 2).status == pc::outcome::queued));
    BOOST_TEST(st.server->count(pc::metric::gone) == 3U);
    BOOST_TEST(told(enter(st, {.user = "b"})).size() == 0U);  // not yet: it takes a moment
    st.settle();
    auto const has = [&](std::string_view user) {
        auto& p = enter(st, {.user = std::string(user)});
        st.settle();
        return numbers_in(p, "note");
    };
    BOOST_TEST(has("a").empty());
    BOOST_TEST(numbers_in(st.peers.at(0), "note") == count_to(2), boost::test_tools::per_element());
    BOOST_TEST((notes(st, "e", 0, 2).status == pc::outcome::queued));  // b's place
    for (std::string_view const user : {"c", "d", "e"})
        BOOST_TEST(has(user) == count_to(2), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_user_whose_session_is_away_gets_them_in_that_session)
{
    stage<reliable> st({.delivery = {.resume_window = 10s}, .tick = 100ms});
    auto& p = enter(st, {.user = "ada"});
    p.drop();
    st.until([&] { return st.j.away == 1; });
    notes(st, "ada", 0, 3);
    BOOST_TEST(st.server->count(pc::metric::offline) == 0U);
    auto& q = come_back(st, p, 0, {.user = "ada"});
    st.settle();
    BOOST_TEST(numbers_in(q, "note") == count_to(3), boost::test_tools::per_element());
    BOOST_TEST(field(heard(q, "note").at(0), "recovered") == "");
    say(q, R"({"type":"$ack","received":3})");
    st.settle();
    q.drop();
    st.world.run_for(20s);
    BOOST_TEST(st.j.expired.size() == 1U);
    notes(st, "ada", 3, 5);  // now nobody is there
    BOOST_TEST(st.server->count(pc::metric::offline) == 2U);
    auto& r = come_back(st, p, 3, {.user = "ada"});
    st.settle();
    BOOST_TEST(numbers_in(r, "note") == count_to(5, 3), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(nothing_waits_where_delivery_is_at_most_once_or_it_is_switched_off)
{
    stage<once> st;
    BOOST_TEST((notes(st, "ada", 0, 1).status == pc::outcome::gone));
    auto& p = enter(st, {.user = "ada"});
    st.settle();
    BOOST_TEST(told(p).empty());
    stage<reliable> off({.delivery = {.max_offline_events = 0}});
    BOOST_TEST((notes(off, "ada", 0, 1).status == pc::outcome::gone));
    stage<reliable> none({.delivery = {.max_offline_users = 0}});
    BOOST_TEST((notes(none, "ada", 0, 1).status == pc::outcome::gone));
}

BOOST_AUTO_TEST_CASE(texts_that_wait_are_whole)
{
    stage<reliable> st;
    std::string text;
    for (int i = 0; i < 30; ++i) {
        st.server->emitter().to_user("ada").emit(delta{"r1", std::to_string(i)});
        text += std::to_string(i);
    }
    auto& p = enter(st, {.user = "ada"});
    st.server->emitter().to_user("ada").emit(delta{"r1", "live"});
    st.world.run_for(3s);
    std::string got;
    for (auto const& e : heard(p, "delta"))
        got += field(e, "text");
    BOOST_TEST(got == text + "live");
}

BOOST_AUTO_TEST_SUITE_END()
