#include <polycast/session/port.hpp>

#include "../support/stage.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <atomic>
#include <map>
#include <set>
#include <string>
#include <tuple>

using namespace support;
using pc::outcome;

BOOST_AUTO_TEST_SUITE(server_of_two_shards)

using both = std::tuple<pc::server<bench, sim>, pc::server<bench, tcp>>;
using simulated_server = pc::server<bench, sim>;

template <class Stage>
std::set<int> shards_in_use(Stage& on)
{
    return on.j.with([](auto& j) {
        std::set<int> used;
        for (auto const h : j.opened)
            used.insert(h.shard);
        return used;
    });
}
/// Members of `hall` until both shards have some.
template <class Stage>
void fill(Stage& on, std::size_t at_least = 8)
{
    for (int i = 0; i < 64 && (on.peers.size() < at_least || shards_in_use(on).size() < 2); ++i)
        on.user("member");
    BOOST_REQUIRE(shards_in_use(on).size() == 2u);
}
template <class Stage>
bool all_have(Stage& on, std::size_t frames)
{
    return on.until([&] { return std::ranges::all_of(on.peers, [&](auto const& p) { return p.frames.size() >= frames; }); });
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_room_a_user_and_everybody_are_on_both_shards, Server, both)
{
    stage<Server> on({.shards = 2});
    fill(on);
    auto const out = on.server->emitter();
    BOOST_TEST(out.to_room("hall").emit(note{0, ""}).receivers == 2u);
    BOOST_TEST(out.to_user("member").emit(note{1, ""}).receivers == 2u);
    BOOST_TEST(out.to_all().emit(note{2, ""}).receivers == 2u);
    BOOST_REQUIRE(all_have(on, 3));
    on.settle();
    for (auto const& p : on.peers)
        BOOST_TEST(numbers_of(p, "note") == count_to(3), boost::test_tools::per_element());
    BOOST_TEST(on.server->count(pc::metric::encodes) == 3u);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_handler_reaches_the_members_on_the_other_shard_in_order, Server, both)
{
    stage<Server> on({.shards = 2});
    fill(on);
    on.peers[0].text(an_order("room", 50, "hall"));
    BOOST_REQUIRE(all_have(on, 50));
    on.settle();
    for (auto const& p : on.peers)
        BOOST_TEST(numbers_of(p, "note") == count_to(50), boost::test_tools::per_element());
    BOOST_TEST(on.server->count(pc::metric::encodes) == 50u);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(each_senders_order_holds_across_shards, Server, both)
{
    stage<Server> on({.shards = 2});
    fill(on);
    std::size_t const n = on.peers.size();
    for (int round = 0; round < 10; ++round)
        for (std::size_t i = 0; i < n; ++i)
            on.peers[i].text(an_order("room", 3, "hall", "from" + std::to_string(i) + ":" + std::to_string(round)));
    BOOST_REQUIRE(all_have(on, n * 30));
    on.settle();
    for (auto const& p : on.peers) {
        std::map<std::string, std::vector<std::string>> heard;
        for (auto const& e : events_of(p)) {
            auto const text = field(e, "text");
            heard[text.substr(0, text.find(':'))].push_back(text.substr(text.find(':') + 1) + "." + field(e, "n"));
        }
        BOOST_TEST(heard.size() == n);
        for (auto const& [who, said] : heard) {
            BOOST_TEST(said.size() == 30u);
            for (std::size_t k = 0; k < said.size(); ++k)
                BOOST_TEST(said[k] == std::to_string(k / 3) + "." + std::to_string(k % 3));
        }
    }
}

BOOST_AUTO_TEST_CASE_TEMPLATE(an_exception_of_receivers_holds_on_the_other_shard, Server, both)
{
    stage<Server> on({.shards = 2});
    fill(on);
    on.peers[0].text(an_order("others", 1, "hall"));
    BOOST_REQUIRE(on.until([&] {
        return std::ranges::count_if(on.peers, [](auto const& p) { return p.frames.size() == 1; }) ==
               static_cast<long>(on.peers.size()) - 1;
    }));
    on.settle();
    BOOST_TEST(on.peers[0].frames.size() == 0u);
    // And from outside: every session but one.
    auto const one = on.j.with([](auto& j) { return j.opened.back(); });
    on.server->emitter().to_all().except(one).emit(note{1, ""});
    on.settle();
    BOOST_TEST(on.until([&] {
        std::size_t got = 0;
        for (auto const& p : on.peers)
            got += p.frames.size();
        return got == (on.peers.size() - 1) * 2;
    }));
}

/// Emits to a room as often as a message says, and, if that ends in "!", does not come back until it is let go.
struct talkative {
    static inline std::atomic<bool> emitted = false;
    static inline std::atomic<bool> let_go = false;
    void opened(auto& session)
    {
        session.join("hall");
        session.send(std::to_string(session.handle().shard));
    }
    void on(auto& session, pc::message const& m)
    {
        auto const count = std::stoul(std::string(m.payload));
        for (std::size_t i = 0; i < count; ++i)
            session.to_room("hall").send("from the handler");
        emitted = true;
        if (m.payload.ends_with('!'))
            let_go.wait(false);
    }
};

/// Members of the hall on both shards. No tick wakes anybody.
struct two_halves : stage<pc::server<talkative, pc::serializer::raw, tcp>> {
    peer* speaker;
    peer* other = nullptr;  ///< on the other shard

    two_halves() : stage({.shards = 2, .tick = std::chrono::hours(1)})
    {
        talkative::emitted = talkative::let_go = false;
        while (other == nullptr) {
            peer& p = join();
            BOOST_REQUIRE(until([&] { return !p.frames.empty(); }));
            speaker = &peers.front();
            if (p.frames[0].payload != speaker->frames[0].payload)
                other = &p;
            BOOST_REQUIRE(peers.size() < 64u);
        }
    }
    ~two_halves()
    {
        talkative::let_go = true;
        talkative::let_go.notify_all();
    }
};

BOOST_AUTO_TEST_CASE(the_other_shard_is_woken_when_a_turn_ends)
{
    two_halves on;
    on.speaker->text("1");
    BOOST_REQUIRE(on.until([&] { return on.other->frames.size() == 2; }));
    BOOST_TEST(on.other->frames[1].payload == "from the handler");
}

BOOST_AUTO_TEST_CASE(the_other_shard_is_woken_when_much_waits_for_it)
{
    two_halves on;
    on.speaker->text("5000!");
    BOOST_REQUIRE(on.until([&] { return on.other->frames.size() > 1000; }));
}

BOOST_AUTO_TEST_CASE(a_handler_that_takes_long_keeps_nobody_elses_emission_from_the_other_shard)
{
    two_halves on;
    on.speaker->text("1!");
    BOOST_REQUIRE(on.until([] { return talkative::emitted.load(); }));
    on.server->emitter().to_room("hall").send("from outside");
    BOOST_REQUIRE(on.until([&] { return on.other->frames.size() == 3; }));
    BOOST_TEST(on.other->frames[1].payload == "from the handler");
    BOOST_TEST(on.other->frames[2].payload == "from outside");
}

BOOST_AUTO_TEST_CASE(caps_hold_over_both_shards)
{
    stage<simulated_server> on({.shards = 2, .max_connections = 10});
    for (int i = 0; i < 30; ++i)
        on.connect();
    on.world.run_for(1s);
    BOOST_TEST(std::ranges::count_if(on.peers, [](auto const& p) { return p.open(); }) == 10);
    BOOST_TEST(std::ranges::count_if(on.peers, [](auto const& p) {
        return p.closed_with == pc::close_code::try_again_later;
    }) == 20);
    BOOST_TEST(on.j.opens() == 10u);
    BOOST_TEST(shards_in_use(on).size() == 2u);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_stop_ends_both_shards, Server, both)
{
    stage<Server> on({.shards = 2});
    fill(on);
    on.server->stop();
    BOOST_REQUIRE(on.until([&] { return std::ranges::all_of(on.peers, [](auto const& p) { return p.ended; }); }));
    for (auto const& p : on.peers)
        BOOST_TEST((p.closed_with == pc::close_code::going_away));
    on.server->wait();
    BOOST_TEST(on.j.closes() == on.j.opens());
    BOOST_TEST(on.server->connections() == 0u);
}

BOOST_AUTO_TEST_CASE(a_user_on_one_shard_costs_the_other_nothing)
{
    stage<simulated_server> on({.shards = 2});
    auto& ada = on.user("ada");
    BOOST_TEST(on.server->emitter().to_user("ada").emit(note{1, ""}).receivers == 1u);
    BOOST_TEST(on.server->count(pc::metric::emissions_posted) == 1u);
    on.settle();
    BOOST_TEST(ada.frames.size() == 1u);
}

BOOST_AUTO_TEST_SUITE_END()
