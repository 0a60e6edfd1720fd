#include <polycast/session/output.hpp>

#include "../support/stage.hpp"

#include <boost/test/unit_test.hpp>

#include <string>
#include <tuple>

using namespace support;

BOOST_AUTO_TEST_SUITE(server_batching)

using per_tick = pc::server<bench, sim>;
using immediate = pc::server<bench, sim, pc::batching::immediate, pc::isolation::per_connection>;
using windowed = pc::server<bench, sim, pc::batching::window<3, 2000>>;

using tick_and_immediate = std::tuple<per_tick, immediate>;
using tick_and_window = std::tuple<per_tick, windowed>;
using all_three = std::tuple<per_tick, windowed, immediate>;

template <class Stage>
std::uint64_t writes(Stage& on)
{
    return on.server->count(pc::metric::writes);
}

BOOST_AUTO_TEST_CASE(per_tick_writes_once_for_everything_that_one_read_brought)
{
    stage<per_tick> on;
    auto& p = on.join();
    auto const before = writes(on);
    p.write(masked(pc::opcode::text, an_order("notes", 20)) + masked(pc::opcode::text, an_order("notes", 20)));
    BOOST_REQUIRE(on.until([&] { return p.frames.size() == 40; }));
    on.settle();
    BOOST_TEST(writes(on) == before + 1);
    BOOST_TEST((p.frames[0].at == p.frames[39].at));
}

BOOST_AUTO_TEST_CASE(per_tick_writes_once_to_each_receiver_of_what_one_turn_emitted)
{
    stage<per_tick> on;
    auto& a = on.user("member");
    auto& b = on.user("member");
    auto const before = writes(on);
    a.text(an_order("room", 10, "hall"));
    BOOST_REQUIRE(on.until([&] { return a.frames.size() == 10 && b.frames.size() == 10; }));
    on.settle();
    BOOST_TEST(writes(on) == before + 2);
}

BOOST_AUTO_TEST_CASE(what_an_emitter_posts_at_once_leaves_in_one_write)
{
    stage<per_tick> on;
    auto& p = on.join();
    auto const before = writes(on);
    auto const out = on.server->emitter();
    for (int i = 0; i < 50; ++i)
        BOOST_TEST((out.to_all().emit(note{i, ""}).status == pc::outcome::queued));
    BOOST_REQUIRE(on.until([&] { return p.frames.size() == 50; }));
    on.settle();
    BOOST_TEST(writes(on) == before + 1);
    BOOST_TEST(numbers_of(p, "note") == count_to(50), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(immediate_writes_each_frame_and_says_that_it_was_delivered)
{
    stage<immediate> on;
    auto& p = on.join();
    auto const before = writes(on);
    p.text(an_order("notes", 5));
    BOOST_REQUIRE(on.until([&] { return p.frames.size() == 5; }));
    BOOST_TEST(writes(on) == before + 5);
    BOOST_REQUIRE(on.j.outcomes.size() == 5u);
    for (auto const o : on.j.outcomes)
        BOOST_TEST((o == pc::outcome::delivered));
}

BOOST_AUTO_TEST_CASE(per_tick_says_that_it_was_queued)
{
    stage<per_tick> on;
    auto& p = on.join();
    p.text(an_order("notes", 1));
    BOOST_REQUIRE(on.until([&] { return p.frames.size() == 1; }));
    BOOST_TEST((on.j.outcomes.at(0) == pc::outcome::queued));
}

BOOST_AUTO_TEST_CASE(the_message_that_fills_a_window_sends_it_as_one_frame)
{
    stage<windowed> on;
    auto& p = on.join();
    auto const began = on.now();
    p.text(an_order("notes", 2));
    on.world.run_for(500ms);
    BOOST_TEST(p.frames.size() == 0u);
    p.text(an_order("notes", 1));
    on.settle();
    BOOST_REQUIRE(p.frames.size() == 1u);
    BOOST_TEST((p.frames[0].at - began < 600ms));
    BOOST_TEST(numbers_of(p, "note") == (std::vector{0, 1, 0}), boost::test_tools::per_element());
    on.world.run_for(5s);
    BOOST_TEST(p.frames.size() == 1u);
}

BOOST_AUTO_TEST_CASE(a_window_that_is_not_filled_closes_two_seconds_after_its_first_message)
{
    stage<windowed> on;
    auto& p = on.join();
    auto const began = on.now();
    p.text(an_order("notes", 1));
    on.world.run_for(1500ms);
    p.text(an_order("notes", 1));
    BOOST_REQUIRE(on.until([&] { return p.frames.size() == 1; }));
    BOOST_TEST((p.frames[0].at - began >= 2000ms));
    BOOST_TEST((p.frames[0].at - began <= 2010ms));
    BOOST_TEST(numbers_of(p, "note").size() == 2u);
}

BOOST_AUTO_TEST_CASE(the_window_after_a_filled_one_is_measured_from_its_own_first_message)
{
    stage<windowed> on;
    auto& p = on.join();
    p.text(an_order("notes", 3));  // would have closed at 2 s
    on.world.run_for(1s);
    BOOST_TEST(p.frames.size() == 1u);
    auto const second = on.now();
    p.text(an_order("notes", 1));
    BOOST_REQUIRE(on.until([&] { return p.frames.size() == 2; }));
    BOOST_TEST((p.frames[1].at - second >= 2000ms));
    BOOST_TEST((p.frames[1].at - second <= 2010ms));
}

BOOST_AUTO_TEST_CASE(a_message_above_the_count_of_a_filled_window_leaves_with_it)
{
    stage<windowed> on;
    auto& p = on.join();
    p.text(an_order("notes", 7));
    on.world.run_for(3s);
    BOOST_TEST(numbers_of(p, "note") == count_to(7), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(the_high_lane_overtakes_what_waits_in_a_window)
{
    stage<windowed> on;
    auto& p = on.join();
    auto const began = on.now();
    p.text(an_order("notes", 2));
    p.text(an_order("urgent", 9));
    BOOST_REQUIRE(on.until([&] { return p.frames.size() == 1; }));
    BOOST_TEST((on.now() - began < 100ms));
    BOOST_TEST(numbers_of(p, "urgent") == std::vector{9}, boost::test_tools::per_element());
    BOOST_REQUIRE(on.until([&] { return p.frames.size() == 2; }));
    BOOST_TEST((on.now() - began >= 2000ms));
    BOOST_TEST(numbers_of(p, "note") == count_to(2), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE_TEMPLATE(the_batch_lane_waits_for_its_window_whatever_the_policy, Server,
                              tick_and_immediate)
{
    stage<Server> on;
    auto& p = on.join();
    auto const began = on.now();
    p.text(an_order("bulk", 4));
    p.text(an_order("notes", 1));
    BOOST_REQUIRE(on.until([&] { return p.frames.size() == 1; }));
    BOOST_TEST((on.now() - began < 100ms));
    BOOST_TEST(type_of(p.frames[0].payload) == "note");
    BOOST_REQUIRE(on.until([&] { return p.frames.size() == 2; }));
    BOOST_TEST((on.now() - began >= 2000ms));
    BOOST_TEST(numbers_of(p, "bulk") == count_to(4), boost::test_tools::per_element());

    p.text(an_order("bulk", 10));
    on.settle();
    BOOST_TEST(p.frames.size() == 3u);  // ten fill it
}

BOOST_AUTO_TEST_CASE(windows_of_many_sessions_close_each_at_its_time)
{
    stage<windowed> on;
    for (int i = 0; i < 20; ++i) {
        on.join().text(an_order("notes", 1));
        on.world.run_for(100ms);
    }
    on.world.run_for(3s);
    for (std::size_t i = 0; i < 20; ++i) {
        BOOST_REQUIRE(on.peers[i].frames.size() == 1u);
        if (i != 0)
            BOOST_TEST((on.peers[i].frames[0].at - on.peers[i - 1].frames[0].at >= 90ms));
    }
}

BOOST_AUTO_TEST_CASE(a_close_takes_along_what_waits_in_a_window)
{
    stage<windowed> on;
    auto& p = on.join();
    p.text(an_order("notes", 2));
    p.text(an_order("close", 1000));
    BOOST_REQUIRE(on.until([&] { return p.ended; }, 1s));
    BOOST_TEST(numbers_of(p, "note") == count_to(2), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_stop_takes_along_what_waits_in_a_window)
{
    stage<windowed> on;
    auto& p = on.join({.tokens = {"polycast.v1.json"}});
    p.text(an_order("notes", 2));
    on.settle();
    on.server->stop();
    BOOST_REQUIRE(on.until([&] { return p.ended; }, 1s));
    BOOST_TEST(numbers_of(p, "note") == count_to(2), boost::test_tools::per_element());
    BOOST_TEST((p.closed_with == pc::close_code::going_away));
}

// --- the cap ---------------------------------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE_TEMPLATE(what_is_over_the_cap_is_over_budget_and_counted_and_what_is_not_arrives, Server,
                              all_three)
{
    stage<Server> on({.max_outbox_bytes = 100'000});
    on.world.network().send_window_bytes = 20'000;
    auto& p = on.join();
    p.read(false);
    p.text(an_order("big notes", 30));
    BOOST_REQUIRE(on.until([&] { return on.j.outcomes.size() == 30; }));
    std::size_t over = 0;
    for (std::size_t i = 0; i < 30; ++i) {
        over += on.j.outcomes[i] == pc::outcome::over_budget;
        BOOST_TEST(on.j.queued[i] <= 100'000u);
    }
    BOOST_TEST(over >= 17u);
    BOOST_TEST(over < 30u);
    BOOST_TEST(on.server->count(pc::metric::dropped) == over);
    p.read(true);
    BOOST_REQUIRE(on.until([&] { return numbers_of(p, "note").size() == 30 - over; }));
    BOOST_TEST(p.open());
    // In order, and what came through is exactly what was accepted.
    std::vector<int> accepted;
    for (int i = 0; i < 30; ++i)
        if (pc::accepted(on.j.outcomes[static_cast<std::size_t>(i)]))
            accepted.push_back(i);
    BOOST_TEST(numbers_of(p, "note") == accepted, boost::test_tools::per_element());
    on.settle();
    p.text(an_order("notes", 3));
    BOOST_TEST(on.until([&] { return numbers_of(p, "note").size() == 30 - over + 3; }));
}

BOOST_AUTO_TEST_CASE(a_critical_event_that_finds_no_room_closes_with_4001)
{
    stage<per_tick> on({.max_outbox_bytes = 100'000});
    on.world.network().send_window_bytes = 20'000;
    auto& p = on.join();
    p.read(false);
    p.text(an_order("big vitals", 30));
    BOOST_REQUIRE(on.until([&] { return on.j.closes() == 1; }));
    p.read(true);
    BOOST_REQUIRE(on.until([&] { return p.ended; }));
    BOOST_TEST((p.closed_with == pc::close_code::slow_reader));
    BOOST_TEST(!p.broken);
    auto const got = numbers_of(p, "vital");
    BOOST_TEST(got == count_to(static_cast<int>(got.size())), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(an_event_larger_than_the_cap_is_over_budget_and_harms_nothing)
{
    stage<per_tick> on({.max_message_bytes = 1 << 20, .max_outbox_bytes = 50'000});
    auto& p = on.join();
    p.text(an_order("notes", 1, "", std::string(60'000, 'y')));
    p.text(an_order("notes", 1, "", "small"));
    BOOST_REQUIRE(on.until([&] { return p.frames.size() == 1; }));
    BOOST_TEST((on.j.outcomes.at(0) == pc::outcome::over_budget));
    BOOST_TEST(field(p.frames[0].payload, "text") == "small");
}

BOOST_AUTO_TEST_CASE(a_fan_out_counts_who_is_over_budget)
{
    stage<per_tick> on({.max_outbox_bytes = 100'000});
    on.world.network().send_window_bytes = 20'000;
    auto& slow = on.user("member");
    auto& fast = on.user("member");
    slow.read(false);
    for (int i = 0; i < 30; ++i) {
        fast.text(an_order("room", 1, "hall", std::string(10'000, 'z')));
        on.settle();
    }
    BOOST_TEST(fast.frames.size() == 30u);
    auto const& last = on.j.fan_outs.back();
    BOOST_TEST(last.receivers == 2u);
    BOOST_TEST(last.queued == 1u);
    BOOST_TEST(last.refused == 1u);
    BOOST_TEST((last.status == pc::outcome::queued));
    slow.read(true);
    on.world.run_for(1s);
    BOOST_TEST(slow.frames.size() == 30u - on.server->count(pc::metric::dropped));
    BOOST_TEST(slow.open());
}

BOOST_AUTO_TEST_CASE(a_peer_that_does_not_read_is_not_read_from_until_it_does)
{
    stage<per_tick> on({.max_outbox_bytes = 100'000});
    on.world.network().send_window_bytes = 20'000;
    auto& p = on.join();
    p.read(false);
    p.text(an_order("big notes", 9));  // 90 kB: above half of the cap
    on.settle();
    BOOST_TEST(on.j.orders == 1);
    for (int i = 0; i < 50; ++i) {
        p.text(an_order("notes", 1));
        on.settle();
    }
    BOOST_TEST(on.j.orders <= 2);
    BOOST_TEST(on.server->count(pc::metric::dropped) == 0u);
    p.read(true);
    BOOST_REQUIRE(on.until([&] { return on.j.orders == 51; }));
    BOOST_REQUIRE(on.until([&] { return p.frames.size() == 59; }));
    BOOST_TEST(on.server->count(pc::metric::dropped) == 0u);
}

// --- order -----------------------------------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE_TEMPLATE(order_holds_whatever_way_an_event_takes, Server,
                              tick_and_window)
{
    // Directly, through a room, through the mailbox: all to one session, from handlers of one session.
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
        pc::transport::network_options network;
        network.partial_write_probability = 0.3;
        network.max_segment_bytes = 700;
        network.send_window_bytes = 3'000;
        stage<Server> on({}, seed, network);
        auto& p = on.user("member");
        std::string all;
        for (int i = 0; i < 60; ++i) {
            std::string const text = std::to_string(1000 + i) + std::string(on.world.chance().below(400), '.');
            char const* const ways[] = {"notes", "room", "own"};
            all += masked(pc::opcode::text, an_order(ways[on.world.chance().below(3)], 1, "hall", text));
        }
        p.write(all);
        BOOST_REQUIRE(on.until([&] { return events_of(p).size() == 60; }));
        std::vector<int> order;
        for (auto const& e : events_of(p))
            order.push_back(std::stoi(field(e, "text").substr(0, 4)));
        BOOST_TEST(order == count_to(1060, 1000), boost::test_tools::per_element());
    }
}

BOOST_AUTO_TEST_SUITE_END()
