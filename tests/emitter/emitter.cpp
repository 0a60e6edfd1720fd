#include <polycast/emitter.hpp>

#include "../support/stage.hpp"

#include <boost/test/unit_test.hpp>

using namespace support;
using pc::outcome;

BOOST_AUTO_TEST_SUITE(emitting)

BOOST_AUTO_TEST_CASE(a_stale_handle_is_gone_and_never_reaches_the_slots_next_session)
{
    stage<pc::server<bench, sim>> on;
    auto& a = on.join();
    auto const out = on.server->emitter();
    auto const old = on.j.opened.at(0);
    a.close();
    on.until([&] { return on.j.closes() == 1; });
    on.world.run_for(1s);
    auto& b = on.join();
    BOOST_TEST((on.j.opened.at(1).slot == old.slot));
    BOOST_TEST((out.to_session(old).emit(note{1, ""}).status == outcome::gone));
    BOOST_TEST((out.to_session({}).emit(note{1, ""}).status == outcome::gone));
    BOOST_TEST((out.to_session({.shard = 9, .slot = 0, .generation = 1}).send("x").status == outcome::gone));
    on.settle();
    BOOST_TEST(b.frames.size() == 0u);
}

BOOST_AUTO_TEST_CASE(what_was_posted_to_a_session_that_closes_meanwhile_is_counted_gone)
{
    stage<pc::server<bench, sim>> on;
    auto& a = on.join();
    on.world.network().latency_min = on.world.network().latency_max = 0ns;
    auto const out = on.server->emitter();
    a.drop();
    auto const sent = out.to_session(on.j.opened.at(0)).emit(note{1, ""});
    BOOST_TEST((sent.status == outcome::queued));
    on.settle();
    BOOST_TEST(on.server->count(pc::metric::emissions_posted) == 1u);
    BOOST_TEST(on.server->count(pc::metric::emissions_taken) == 1u);
}

BOOST_AUTO_TEST_CASE(a_full_mailbox_is_over_budget)
{
    stage<pc::server<bench, sim>> on({.max_mailbox_emissions = 3});
    auto& a = on.join();
    auto const out = on.server->emitter();
    for (int i = 0; i < 3; ++i)
        BOOST_TEST((out.to_all().emit(note{i, ""}).status == outcome::queued));
    BOOST_TEST((out.to_all().emit(note{3, ""}).status == outcome::over_budget));
    on.settle();
    BOOST_TEST((out.to_all().emit(note{4, ""}).status == outcome::queued));
    on.settle();
    BOOST_TEST(numbers_of(a, "note") == (std::vector{0, 1, 2, 4}), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(messages_that_are_no_events_go_as_they_are)
{
    stage<pc::server<bench, sim>> on;
    auto& a = on.user("ada");
    auto const out = on.server->emitter();
    BOOST_TEST(accepted(out.to_user("ada").send("one")));
    BOOST_TEST(accepted(out.to_all().send("two", pc::opcode::binary)));
    BOOST_TEST(accepted(out.to_all().except(on.j.opened.at(0)).send("three")));
    on.settle();
    BOOST_REQUIRE(a.frames.size() == 2u);
    BOOST_TEST(a.frames[0].payload == "one");
    BOOST_TEST((a.frames[1].op == pc::opcode::binary));
    BOOST_TEST(on.server->count(pc::metric::encodes) == 0u);
}

BOOST_AUTO_TEST_CASE(a_default_emitter_reaches_nobody)
{
    pc::emitter<> const out;
    BOOST_TEST((out.to_all().emit(note{}).status == outcome::gone));
    BOOST_TEST((out.for_user("x").emit(note{}).status == outcome::gone));
}

BOOST_AUTO_TEST_CASE(the_emitter_keeps_the_order_in_which_one_thread_emits)
{
    stage<pc::server<bench, sim>> on;
    auto& a = on.user("member");
    auto const out = on.server->emitter();
    for (int i = 0; i < 40; i += 4) {
        out.to_all().emit(note{i, ""});
        out.to_user("member").emit(note{i + 1, ""});
        out.to_room("hall").emit(note{i + 2, ""});
        out.to_session(on.j.opened.at(0)).emit(note{i + 3, ""});
    }
    on.settle();
    BOOST_TEST(numbers_of(a, "note") == count_to(40), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_SUITE_END()
