#include <polycast/client.hpp>

#include "scripted_server.hpp"

#include <boost/test/unit_test.hpp>

#include <chrono>
#include <string>
#include <vector>

namespace pc = polycast;
using namespace std::chrono_literals;
using pc::close_code;
using sim = pc::transport::simulated;

namespace {

struct times {
    pc::transport::world* world;
    std::vector<std::chrono::steady_clock::time_point> opened{}, closed{};
    std::vector<close_code> codes{};
};
struct nothing {
    int n = 0;
};
struct timekeeper {
    using accepts = pc::events<nothing>;
    times* t;
    void on(auto&, nothing const&) {}
    void opened(auto&) { t->opened.push_back(t->world->now()); }
    void closed(auto&, pc::close_info const& info)
    {
        t->closed.push_back(t->world->now());
        t->codes.push_back(info.code);
    }
};

/// Whole seconds from each ending to the opening after it.
std::vector<long> pauses(times const& t)
{
    std::vector<long> all;
    for (std::size_t i = 0; i + 1 < t.opened.size(); ++i)
        all.push_back(std::chrono::duration_cast<std::chrono::seconds>(t.opened[i + 1] - t.closed[i]).count());
    return all;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(client_hardening)

BOOST_AUTO_TEST_CASE(a_client_that_is_turned_away_again_and_again_waits_longer_each_time)
{
    pc::transport::world world(1);
    scripted::server server(world);
    sim::loop loop(world);
    times t{&world};
    pc::client<timekeeper, sim> c(loop, {.url = server.url(), .backoff = {.spread = pc::jitter::none}}, timekeeper{&t});
    // Let in, and at once shown out.
    server.after_upgrade = std::string(pc::close_frame(close_code::try_again_later, "full").view());
    c.start();
    BOOST_REQUIRE(world.run_until([&] { return t.opened.size() == 6; }));
    server.after_upgrade.clear();
    BOOST_REQUIRE(world.run_until([&] { return t.opened.size() == 7; }));
    BOOST_TEST(pauses(t) == (std::vector<long>{1, 2, 4, 8, 16, 30}), boost::test_tools::per_element());
    for (auto const code : t.codes)
        BOOST_TEST((code == close_code::try_again_later));

    // A session that ends in another way is a success: it begins anew.
    world.run_for(10s);
    BOOST_TEST(c.is_open());
    server.after_upgrade = std::string(pc::close_frame(close_code::try_again_later, "full").view());
    world.cut_all();
    BOOST_REQUIRE(world.run_until([&] { return t.opened.size() == 10; }));
    BOOST_TEST(pauses(t) == (std::vector<long>{1, 2, 4, 8, 16, 30, 1, 1, 2}), boost::test_tools::per_element());
    c.stop();
    BOOST_TEST(world.run_until([&] { return c.stopped(); }));
}

BOOST_AUTO_TEST_CASE(a_server_that_pings_and_does_not_read_gets_the_newest_pong_and_costs_little)
{
    pc::transport::world world(1);
    world.network().send_window_bytes = 1000;
    scripted::server server(world);
    sim::loop loop(world);
    times t{&world};
    pc::client<timekeeper, sim> c(loop, {.url = server.url()}, timekeeper{&t});
    c.start();
    BOOST_REQUIRE(world.run_until([&] { return t.opened.size() == 1; }));
    world.run_until_idle();
    auto& peer = server.last();
    peer.pause_reading(true);
    constexpr int count = 1000;
    for (int i = 0; i < count; ++i) {
        peer.write(pc::ping_frame(std::to_string(i) + std::string(100, '.')).view());
        world.run_until_idle();
    }
    peer.pause_reading(false);
    BOOST_REQUIRE(world.run_until([&] { return !peer.pongs.empty() && peer.pongs.back().starts_with("999."); }));
    BOOST_TEST(peer.pongs.size() > 100u);
    BOOST_TEST(peer.pongs.size() < 200u);  // 16 KiB, and the newest
    int last = -1;
    for (auto const& pong : peer.pongs) {
        BOOST_TEST(std::stoi(pong) > last);
        last = std::stoi(pong);
    }
    // Who reads gets every one again.
    peer.pongs.clear();
    for (int i = 0; i < 20; ++i)
        peer.write(pc::ping_frame(std::to_string(i)).view());
    world.run_until_idle();
    BOOST_TEST(peer.pongs.size() == 20u);
    BOOST_TEST(t.closed.empty());
}

BOOST_AUTO_TEST_SUITE_END()
