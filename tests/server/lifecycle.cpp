#include <polycast/session/shard.hpp>

#include "../support/stage.hpp"

#include <boost/test/unit_test.hpp>

#include <string>
#include <tuple>

using namespace support;

BOOST_AUTO_TEST_SUITE(server_lifecycle)

using both = std::tuple<pc::server<bench, sim>, pc::server<bench, tcp>>;
using plain = pc::server<bench, sim>;
using by_user = pc::server<bench, sim, pc::isolation::per_user<3>>;
using pc::close_code;

/// `opened` once, `closed` once, nothing is left.
template <class Stage>
void check_ended_once(Stage& on, std::size_t sessions = 1)
{
    BOOST_REQUIRE(on.until([&] { return on.j.closes() >= sessions; }));
    on.settle();
    BOOST_TEST(on.j.opens() == sessions);
    BOOST_TEST(on.j.closes() == sessions);
    BOOST_TEST(on.server->connections() == 0u);
    BOOST_TEST(on.server->count(pc::metric::opened) == sessions);
    BOOST_TEST(on.server->count(pc::metric::closed) == sessions);
}
template <class Stage>
pc::close_info ending(Stage& on)
{
    return on.j.with([](auto& j) { return j.closed.at(0).second; });
}

BOOST_AUTO_TEST_CASE_TEMPLATE(the_peer_closes_and_its_code_is_echoed, Server, both)
{
    stage<Server> on;
    auto& p = on.join({.answers_close = false});
    p.close(close_code{4321}, "enough");
    BOOST_REQUIRE(on.until([&] { return p.ended; }));
    BOOST_TEST((p.closed_with == close_code{4321}));
    BOOST_TEST(p.close_reason == "");
    BOOST_TEST(!p.broken);
    check_ended_once(on);
    BOOST_TEST((ending(on).code == close_code{4321}));
    BOOST_TEST(ending(on).reason == "enough");
    BOOST_TEST(ending(on).by_peer);
}

BOOST_AUTO_TEST_CASE(a_close_without_code_is_answered_without_code)
{
    stage<plain> on;
    auto& p = on.join({.answers_close = false});
    p.close(std::nullopt);
    BOOST_REQUIRE(on.until([&] { return p.ended; }));
    BOOST_TEST((p.closed_with == close_code::no_status));
    check_ended_once(on);
    BOOST_TEST((ending(on).code == close_code::no_status));
}

BOOST_AUTO_TEST_CASE_TEMPLATE(the_server_closes_behind_what_it_has_emitted, Server, both)
{
    stage<Server> on;
    auto& p = on.join();
    p.text(an_order("notes", 5));
    p.text(an_order("close", 4010, "", "that is all"));
    p.text(an_order("notes", 5));
    BOOST_REQUIRE(on.until([&] { return p.ended; }));
    BOOST_TEST((p.closed_with == close_code{4010}));
    BOOST_TEST(p.close_reason == "that is all");
    BOOST_TEST(p.frames.size() == 5u);
    BOOST_TEST(!p.broken);
    check_ended_once(on);
    BOOST_TEST(on.j.orders == 2);
    BOOST_TEST(!ending(on).by_peer);
}

BOOST_AUTO_TEST_CASE(a_peer_that_does_not_answer_the_close_is_cut_off_at_the_deadline)
{
    stage<plain> on;
    auto& p = on.join({.answers_close = false});
    auto const began = on.now();
    p.text(an_order("close", 1000));
    BOOST_REQUIRE(on.until([&] { return p.ended; }));
    BOOST_TEST((on.now() - began >= 4s));
    BOOST_TEST((on.now() - began <= 7s));
    check_ended_once(on);
}

BOOST_AUTO_TEST_CASE(the_server_ends_the_stream_first_and_waits_for_the_peers_end)
{
    stage<plain> on;
    auto& p = on.join({.answers_close = false});
    p.close();
    BOOST_REQUIRE(on.until([&] { return p.closed_with.has_value(); }));
    p.text("what comes behind a close is thrown away");
    BOOST_REQUIRE(on.until([&] { return p.ended; }));
    BOOST_TEST(!p.broken);  // an end of stream, no reset
    check_ended_once(on);
    BOOST_TEST(on.server->count(pc::metric::messages_in) == 0u);
}

BOOST_AUTO_TEST_CASE(both_ends_close_at_once_and_nobody_waits)
{
    stage<plain> on;
    auto& p = on.join();
    auto const began = on.now();
    p.text(an_order("close", 1000));
    p.close(close_code{4100});
    BOOST_REQUIRE(on.until([&] { return p.ended; }));
    BOOST_TEST((on.now() - began < 1s));
    check_ended_once(on);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_lost_connection_is_told_once_as_1006, Server, both)
{
    stage<Server> on;
    on.join().drop();
    check_ended_once(on);
    BOOST_TEST((ending(on).code == close_code::abnormal));
    BOOST_TEST(ending(on).by_peer);
}

BOOST_AUTO_TEST_CASE(a_connection_that_is_reset_is_told_once_as_1006)
{
    stage<plain> on;
    on.join();
    on.world.cut_all();
    check_ended_once(on);
    BOOST_TEST((ending(on).code == close_code::abnormal));
}

BOOST_AUTO_TEST_CASE(a_connection_that_is_lost_before_it_has_asked_is_nobodys)
{
    stage<plain> on;
    auto& p = on.connect({.request = "GET / HT"});
    on.settle();
    p.drop();
    on.settle();
    BOOST_TEST(on.j.opens() == 0u);
    BOOST_TEST(on.server->count(pc::metric::closed) == 0u);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_broken_frame_is_closed_with_1002, Server, both)
{
    stage<Server> on;
    auto& p = on.join();
    p.write("\xF1\x80 reserved bits");
    BOOST_REQUIRE(on.until([&] { return p.ended; }));
    BOOST_TEST((p.closed_with == close_code::protocol_error));
    BOOST_TEST(p.close_reason != "");
    check_ended_once(on);
    BOOST_TEST((ending(on).code == close_code::protocol_error));
}

BOOST_AUTO_TEST_CASE(an_unmasked_frame_is_closed_with_1002)
{
    stage<plain> on;
    auto& p = on.join();
    p.write(std::string_view("\x81\x02hi", 4));
    BOOST_REQUIRE(on.until([&] { return p.ended; }));
    BOOST_TEST((p.closed_with == close_code::protocol_error));
    check_ended_once(on);
}

BOOST_AUTO_TEST_CASE(text_that_is_not_utf8_is_closed_with_1007)
{
    stage<plain> on;
    auto& p = on.join();
    p.text("\"\xC3\x28\"");
    BOOST_REQUIRE(on.until([&] { return p.ended; }));
    BOOST_TEST((p.closed_with == close_code::invalid_payload));
    check_ended_once(on);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_message_over_the_limit_is_closed_with_1009, Server, both)
{
    stage<Server> on({.max_message_bytes = 1000});
    auto& fits = on.join();
    fits.text("{\"type\":\"$nothing\"}" + std::string(1000 - 19, ' '));
    auto& p = on.join();
    p.text(std::string(1001, ' '));
    BOOST_REQUIRE(on.until([&] { return p.ended; }));
    BOOST_TEST((p.closed_with == close_code::message_too_big));
    BOOST_TEST(fits.open());
}

BOOST_AUTO_TEST_CASE(fragments_that_together_are_over_the_limit_are_closed_with_1009)
{
    stage<plain> on({.max_message_bytes = 1000});
    auto& p = on.join();
    p.write(masked(pc::opcode::text, std::string(600, ' '), false));
    on.settle();
    BOOST_TEST(p.open());
    p.write(masked(pc::opcode::continuation, std::string(600, ' '), true));
    BOOST_REQUIRE(on.until([&] { return p.ended; }));
    BOOST_TEST((p.closed_with == close_code::message_too_big));
}

BOOST_AUTO_TEST_CASE(binary_sent_to_a_server_of_json_is_closed_with_1003)
{
    stage<plain> on;
    auto& p = on.join();
    p.binary("{}");
    BOOST_REQUIRE(on.until([&] { return p.ended; }));
    BOOST_TEST((p.closed_with == close_code::unsupported_data));
    check_ended_once(on);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_ping_is_answered_by_a_pong_of_the_same_payload, Server, both)
{
    stage<Server> on;
    auto& p = on.join();
    p.ping("are you there?");
    p.ping("");
    BOOST_REQUIRE(on.until([&] { return p.pongs.size() == 2; }));
    BOOST_TEST(p.pongs[0].payload == "are you there?");
    BOOST_TEST(p.pongs[1].payload == "");
}

BOOST_AUTO_TEST_CASE(a_pong_stands_behind_what_was_emitted_before_the_ping)
{
    stage<plain> on;
    auto& p = on.join();
    p.write(masked(pc::opcode::text, an_order("notes", 2)) + masked(pc::opcode::ping, "x") +
            masked(pc::opcode::text, an_order("notes", 1)));
    BOOST_REQUIRE(on.until([&] { return p.frames.size() == 3 && p.pongs.size() == 1; }));
    BOOST_TEST(numbers_of(p, "note") == (std::vector{0, 1, 0}), boost::test_tools::per_element());
}

// --- caps ----------------------------------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(the_fourth_connection_of_a_user_is_closed_with_1013_that_names_the_limit)
{
    stage<by_user> on;
    for (int i = 0; i < 3; ++i)
        BOOST_TEST(on.user("ada").open());
    auto& fourth = on.user("ada");
    BOOST_REQUIRE(on.until([&] { return fourth.ended; }));
    BOOST_TEST(fourth.status == 101);
    BOOST_TEST((fourth.closed_with == close_code::try_again_later));
    BOOST_TEST(fourth.close_reason == "the user is at the limit of 3 connections");
    BOOST_TEST(on.user("bob").open());
    on.settle();
    BOOST_TEST(on.j.opens() == 4u);
    BOOST_TEST(on.j.closes() == 0u);
    BOOST_TEST(on.server->count(pc::metric::refused) == 1u);

    on.peers[0].close();
    on.until([&] { return on.j.closes() == 1; });
    BOOST_TEST(on.user("ada").open());
    on.settle();
    BOOST_TEST(on.server->connections() == 4u);
}

BOOST_AUTO_TEST_CASE(connections_without_a_user_have_no_cap_of_their_own)
{
    stage<by_user> on;
    for (int i = 0; i < 5; ++i)
        BOOST_TEST(on.join().open());
}

BOOST_AUTO_TEST_CASE(the_option_overrides_the_policys_cap)
{
    stage<by_user> on({.max_connections_per_user = 1});
    BOOST_TEST(on.user("ada").open());
    auto& second = on.user("ada");
    on.until([&] { return second.ended; });
    BOOST_TEST((second.closed_with == close_code::try_again_later));
}

BOOST_AUTO_TEST_CASE(connection_101_is_closed_with_1013_that_names_the_limit)
{
    stage<plain> on;
    for (int i = 0; i < 100; ++i)
        on.connect();
    BOOST_REQUIRE(on.until([&] { return on.j.opens() == 100; }));
    auto& over = on.join();
    BOOST_REQUIRE(on.until([&] { return over.ended; }));
    BOOST_TEST((over.closed_with == close_code::try_again_later));
    BOOST_TEST(over.close_reason == "the server is at its limit of 100 connections");
    on.peers[50].drop();
    on.until([&] { return on.j.closes() == 1; });
    BOOST_TEST(on.join().open());
}

// --- time ----------------------------------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(a_ping_goes_out_thirty_seconds_after_the_last_pong_and_a_pong_keeps_the_session)
{
    stage<plain> on;
    auto const began = on.now();
    auto& p = on.join();
    on.world.run_for(305s);
    BOOST_TEST(p.open());
    BOOST_REQUIRE(p.pings.size() >= 9u);
    BOOST_TEST(p.pings.size() <= 10u);
    BOOST_TEST((p.pings[0].at - began >= 29s));
    BOOST_TEST((p.pings[0].at - began <= 32s));
    for (std::size_t i = 1; i < p.pings.size(); ++i) {
        BOOST_TEST((p.pings[i].at - p.pings[i - 1].at >= 29s));
        BOOST_TEST((p.pings[i].at - p.pings[i - 1].at <= 32s));
        BOOST_TEST(p.pings[i].payload != p.pings[i - 1].payload);
    }
    BOOST_TEST(on.server->count(pc::metric::pings) == p.pings.size());
}

BOOST_AUTO_TEST_CASE(three_missed_pings_close_with_4000_and_none_is_sent_while_one_is_pending)
{
    // Kept from being stale by what it says, but it never answers a ping.
    stage<plain> on;
    auto& p = on.join({.answers_pings = false});
    auto const began = on.now();
    while (on.now() - began < 400s && p.open()) {
        p.text(an_order("notes", 1));
        on.world.run_for(10s);
    }
    BOOST_TEST((p.closed_with == close_code::stale));
    BOOST_TEST(p.close_reason == "no answer to pings");
    // 30 s to the first, 90 s for each of the three.
    BOOST_TEST(p.pings.size() == 3u);
    BOOST_TEST((p.closed_at - began >= 298s));
    BOOST_TEST((p.closed_at - began <= 305s));
    for (std::size_t i = 1; i < p.pings.size(); ++i)
        BOOST_TEST((p.pings[i].at - p.pings[i - 1].at >= 89s));
    on.settle();
    BOOST_TEST(on.j.closes() == 1u);
    BOOST_TEST(on.server->count(pc::metric::stale) == 1u);
}

BOOST_AUTO_TEST_CASE(a_pong_after_two_misses_forgives_them)
{
    stage<plain> on;
    auto& p = on.join({.answers_pings = false});
    for (int round = 0; round < 3; ++round) {
        std::size_t const seen = p.pings.size();
        for (int i = 0; i < 40 && p.pings.size() < seen + 3; ++i) {
            p.text(an_order("notes", 1));
            on.world.run_for(10s);
        }
        BOOST_REQUIRE(p.open());
        p.write(masked(pc::opcode::pong, p.pings.back().payload));
        on.settle();
    }
    BOOST_TEST(p.open());
}

BOOST_AUTO_TEST_CASE(a_pong_that_answers_no_ping_forgives_nothing)
{
    stage<plain> on;
    auto& p = on.join({.answers_pings = false});
    auto const began = on.now();
    while (on.now() - began < 400s && p.open()) {
        p.write(masked(pc::opcode::pong, "unasked"));
        on.world.run_for(10s);
    }
    BOOST_TEST((p.closed_with == close_code::stale));
    BOOST_TEST((p.closed_at - began <= 305s));
}

BOOST_AUTO_TEST_CASE(a_silent_peer_is_closed_with_4000_after_two_minutes_at_the_next_sweep)
{
    stage<plain> on;
    auto& p = on.join({.answers_pings = false});
    auto const began = on.now();
    BOOST_REQUIRE(on.until([&] { return p.ended; }, 300s));
    BOOST_TEST((p.closed_with == close_code::stale));
    BOOST_TEST(p.close_reason == "no activity");
    BOOST_TEST((p.closed_at - began >= 119s));
    BOOST_TEST((p.closed_at - began <= 152s));
}

BOOST_AUTO_TEST_CASE(what_the_server_says_keeps_a_session_from_being_stale)
{
    stage<plain> on({.heartbeat = {.interval = 0s}});
    auto& p = on.join({.answers_pings = false});
    auto const out = on.server->emitter();
    for (int i = 0; i < 30; ++i) {
        on.world.run_for(10s);
        BOOST_TEST(out.to_all().emit(note{i, ""}).queued == 1u);
    }
    on.settle();
    BOOST_TEST(p.open());
    BOOST_TEST(p.frames.size() == 30u);
    BOOST_TEST(p.pings.size() == 0u);
}

BOOST_AUTO_TEST_CASE(a_vanished_peer_is_given_up_and_its_place_is_free)
{
    stage<by_user> on;
    for (int i = 0; i < 3; ++i)
        on.user("ada");
    on.world.vanish_all();
    on.world.run_for(200s);
    BOOST_TEST(on.j.closes() == 3u);
    BOOST_TEST(on.server->connections() == 0u);
    BOOST_TEST(on.user("ada").open());
}

BOOST_AUTO_TEST_CASE(the_round_trip_is_measured_by_the_heartbeat)
{
    // 20 ms each way.
    stage<plain> on({}, 1, {.latency_min = 20ms, .latency_max = 20ms});
    auto& p = on.join();
    on.world.run_for(100s);
    BOOST_TEST(p.pings.size() == 3u);
    p.close();
    on.world.run_for(1s);
    BOOST_REQUIRE(on.j.closes() == 1u);
    BOOST_TEST((on.j.round_trips.at(0) >= 40ms));
    BOOST_TEST((on.j.round_trips.at(0) < 41ms));
}

BOOST_AUTO_TEST_CASE(an_exception_in_closed_hurts_nobody)
{
    stage<plain> on;
    on.user("unclosed").close();
    on.until([&] { return on.j.closes() == 1; });
    on.settle();
    BOOST_TEST(on.server->count(pc::metric::handler_errors) == 1u);
    BOOST_TEST(on.join().open());
}

// --- stop ----------------------------------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(a_stop_says_goodbye_and_closes_with_1001)
{
    stage<plain> on;
    auto& told = on.join({.tokens = {"polycast.v1.json"}});
    auto& plain_one = on.join();
    on.server->stop();
    BOOST_REQUIRE(on.until([&] { return told.ended && plain_one.ended; }, 10s));
    BOOST_TEST((told.closed_with == close_code::going_away));
    BOOST_TEST((plain_one.closed_with == close_code::going_away));
    BOOST_TEST(plain_one.frames.size() == 0u);  // plain mode has no control of its own
    BOOST_REQUIRE(told.frames.size() == 1u);
    BOOST_TEST(type_of(told.frames[0].payload) == "$bye");
    BOOST_TEST(field(told.frames[0].payload, "reason") == "drain");
    check_ended_once(on, 2);
}

BOOST_AUTO_TEST_CASE(what_was_emitted_before_the_stop_still_arrives)
{
    stage<plain> on;
    auto& p = on.join();
    BOOST_TEST(on.server->emitter().to_all().emit(note{7, ""}).queued == 1u);
    on.server->stop();
    BOOST_TEST((on.server->emitter().to_all().emit(note{8, ""}).status == pc::outcome::gone));
    BOOST_REQUIRE(on.until([&] { return p.ended; }, 10s));
    BOOST_TEST(numbers_of(p, "note") == std::vector{7}, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_server_that_drains_takes_nobody_in)
{
    stage<plain> on;
    auto& holds = on.join({.answers_close = false});
    on.server->stop();
    on.settle();
    auto& late = on.connect();
    on.world.run_for(2s);
    BOOST_TEST(late.status == 0);
    BOOST_TEST(on.j.opens() == 1u);
    BOOST_TEST((holds.closed_with == close_code::going_away));
}

BOOST_AUTO_TEST_CASE(a_peer_that_will_not_go_does_not_hold_up_the_end)
{
    stage<plain> on({.close_timeout = 60s, .drain_timeout = 5s});
    on.join({.answers_close = false});
    auto const began = on.now();
    on.server->stop();
    on.server.reset();  // as after `run`: whoever is left is gone
    on.settle();
    BOOST_TEST(on.j.closes() == 1u);
    BOOST_TEST((on.now() - began <= 6s));
}

BOOST_AUTO_TEST_CASE(run_returns_when_the_last_session_has_gone_or_at_the_deadline)
{
    for (bool const answers : {true, false}) {
        stage<pc::server<bench, tcp>> on({.drain_timeout = 300ms, .tick = 50ms});
        auto& p = on.join({.answers_close = answers});
        auto const began = on.now();
        on.server->stop();
        BOOST_TEST(on.until([&] { return answers ? p.ended : p.closed_with.has_value(); }));
        on.server->wait();
        BOOST_TEST((on.now() - began < (answers ? 280ms : 2000ms)));
        BOOST_TEST((p.closed_with == close_code::going_away));
    }
}

BOOST_AUTO_TEST_CASE(a_server_that_is_destroyed_tells_the_application_of_every_session)
{
    stage<plain> on;
    on.join();
    on.join();
    on.server.reset();
    BOOST_TEST(on.j.opens() == 2u);
    BOOST_TEST(on.j.closes() == 2u);
}

BOOST_AUTO_TEST_CASE(an_emitter_outlives_its_server)
{
    stage<plain> on;
    on.join();
    auto const out = on.server->emitter();
    on.server.reset();
    BOOST_TEST((out.to_all().emit(note{1, ""}).status == pc::outcome::gone));
    BOOST_TEST((out.to_all().send("x").status == pc::outcome::gone));
}

BOOST_AUTO_TEST_CASE(numbers_of_shards_out_of_range_are_refused)
{
    pc::transport::world w{1};
    journal j;
    BOOST_CHECK_THROW((plain{{.shards = 0}, bench{&j}, w}), std::system_error);
    BOOST_CHECK_THROW((plain{{.shards = 65}, bench{&j}, w}), std::system_error);
}

BOOST_AUTO_TEST_SUITE_END()
