#include <polycast/isolation/per_user.hpp>

#include "../support/stage.hpp"

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <string>

using namespace support;

BOOST_AUTO_TEST_SUITE(isolation_of_many_users)

using by_user = pc::server<bench, sim, pc::isolation::per_user<3>>;

/// 150 users with 1 to 3 connections each; 30 events for each user, half asked for by the user, half from outside.
std::uint64_t play(std::uint64_t seed)
{
    constexpr int users = 150, events = 30;
    pc::transport::network_options network;
    network.latency_min = 1ms;
    network.latency_max = 80ms;
    network.partial_write_probability = 0.3;
    network.spurious_wakeup_probability = 0.1;
    network.max_segment_bytes = 90;
    network.send_window_bytes = 700;
    stage<by_user> on({.max_connections = 0}, seed, network);
    std::vector<int> owner;
    for (int u = 0; u < users; ++u)
        for (std::uint64_t k = 0, n = 1 + on.world.chance().below(3); k < n; ++k) {
            on.connect({.target = "/?user=u" + std::to_string(u)});
            owner.push_back(u);
        }
    BOOST_REQUIRE(on.until([&] { return on.j.opens() == owner.size(); }));
    std::vector<std::size_t> first(users);
    for (std::size_t i = owner.size(); i-- > 0;)
        first[static_cast<std::size_t>(owner[i])] = i;
    for (int e = 0; e < events; ++e)
        for (int step = 0; step < users; ++step) {
            int const u = (step * 37 + e * 11) % users;
            std::string const text = "u" + std::to_string(u) + "/" + std::to_string(e);
            // One way a user, as two ways have no order between them.
            if (u % 2 == 0)
                BOOST_TEST((on.server->emitter_for("u" + std::to_string(u)).emit(note{e, text}).status ==
                            pc::outcome::queued));
            else
                on.peers[first[static_cast<std::size_t>(u)]].text(an_order("own", e, "", text));
            if (step % 16 == 0)
                on.world.run_for(std::chrono::microseconds(on.world.chance().below(3000)));
        }
    BOOST_TEST(on.until([&] {
        return std::ranges::all_of(on.peers, [](auto const& p) { return p.frames.size() >= events; });
    }));
    on.world.run_for(10s);
    for (std::size_t i = 0; i < on.peers.size(); ++i) {
        auto const& p = on.peers[i];
        BOOST_TEST(p.open());
        auto const all = events_of(p);
        BOOST_TEST(all.size() == static_cast<std::size_t>(events));
        for (std::size_t e = 0; e < all.size(); ++e)
            BOOST_TEST(field(all[e], "text") == "u" + std::to_string(owner[i]) + "/" + std::to_string(e));
    }
    BOOST_TEST(on.server->count(pc::metric::dropped) == 0u);
    BOOST_TEST(on.server->count(pc::metric::gone) == 0u);
    return on.world.trace_hash();
}

BOOST_DATA_TEST_CASE(every_receiver_has_exactly_its_own_events_in_order, boost::unit_test::data::xrange(1, 4), seed)
{
    play(static_cast<std::uint64_t>(seed));
}

BOOST_AUTO_TEST_CASE(the_same_seed_gives_the_same_trace)
{
    auto const once = play(11);
    BOOST_TEST(play(11) == once);
    BOOST_TEST(play(12) != once);
}

BOOST_AUTO_TEST_SUITE_END()
