#include <polycast/server.hpp>

#include "../support/stage.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <atomic>
#include <map>
#include <string>
#include <thread>

using namespace support;
using pc::metric;
using pc::outcome;

BOOST_AUTO_TEST_SUITE(real_threads)

using server = pc::server<bench, tcp, pc::compression::zstd<1>>;

BOOST_AUTO_TEST_CASE(fifty_connections_receive_a_hundred_events_each_none_missing_none_out_of_order)
{
    stage<server> on({.shards = 2});
    for (int i = 0; i < 50; ++i)
        on.connect({.target = "/?user=member", .tokens = i % 2 ? std::vector<std::string>{"polycast.v1.json.zstd"}
                                                               : std::vector<std::string>{}});
    BOOST_REQUIRE(on.until([&] { return on.j.opens() == 50; }));
    std::thread elsewhere([out = on.server->emitter()] {
        for (int i = 0; i < 100; ++i)
            if (!accepted(out.to_room("hall").emit(note{i, "from outside"})))
                std::abort();
    });
    for (auto& p : on.peers)
        p.text(an_order("notes", 100, "", "own"));
    BOOST_TEST(on.until([&] {
        return std::ranges::all_of(on.peers, [](auto const& p) { return p.frames.size() >= 200; });
    }));
    elsewhere.join();
    on.settle();
    for (auto const& p : on.peers) {
        std::vector<int> own, outside;
        for (auto const& e : events_of(p))
            (field(e, "text") == "own" ? own : outside).push_back(std::stoi(field(e, "n")));
        BOOST_TEST(own == count_to(100), boost::test_tools::per_element());
        BOOST_TEST(outside == count_to(100), boost::test_tools::per_element());
    }
}

BOOST_AUTO_TEST_CASE(every_emission_of_eight_threads_is_accounted_for_while_connections_come_and_go)
{
    constexpr int threads = 8, each = 1250;
    stage<server> on({.shards = 2, .max_connections = 0, .max_outbox_bytes = 64 << 20, .tick = 20ms});
    std::vector<peer_options> kinds{{.target = "/?user=a"},
                                    {.target = "/?user=b", .tokens = {"polycast.v1.json.zstd"}},
                                    {.target = "/?user=member"},
                                    {.target = "/?user=member", .tokens = {"polycast.v1.json.zstd"}}};
    // These stay from before the first emission to after the last.
    for (int i = 0; i < 8; ++i)
        on.connect(kinds[static_cast<std::size_t>(i) % 4]);
    BOOST_REQUIRE(on.until([&] { return on.j.opens() == 8; }));

    std::atomic<std::uint64_t> posted{0}, gone{0}, refused{0};
    std::atomic<int> running{threads};
    std::atomic<std::uint64_t> to_a{0}, to_hall{0}, to_all{0};
    std::atomic<int> changes{0};
    std::vector<std::thread> emitters;
    for (int t = 0; t < threads; ++t)
        emitters.emplace_back([&, t] {
            auto const out = on.server->emitter();
            std::uint32_t dice = 77u + static_cast<std::uint32_t>(t);
            std::string const from = std::to_string(t);
            for (int i = 0; i < each; ++i) {
                dice = dice * 1664525u + 1013904223u;
                note const n{i, from};
                pc::sent sent;
                switch (dice >> 16 & 3) {
                case 0:
                    sent = out.to_user("a").emit(n);
                    to_a += 1;
                    break;
                case 1:
                    sent = out.to_room("hall").emit(n);
                    to_hall += 1;
                    break;
                case 2:
                    sent = out.to_all().emit(n);
                    to_all += 1;
                    break;
                default: {
                    auto const handles = on.j.with([](auto& j) { return j.opened; });
                    sent = out.to_session(handles[dice % handles.size()]).emit(n);  // many of these are stale
                }
                }
                posted += sent.queued;
                refused += sent.refused;
                gone += sent.status == outcome::gone;
                while (changes < i / 10)  // so that connections do come and go meanwhile
                    std::this_thread::yield();
            }
            --running;
        });
    std::deque<raw_peer<tcp>*> passing;
    BOOST_TEST(on.until(
        [&] {
            if (passing.size() < 12)
                passing.push_back(&on.connect(kinds[static_cast<std::size_t>(changes) % 4]));
            else if (auto* const oldest = passing.front(); oldest->status != 0) {
                ++changes % 2 == 0 ? oldest->close() : oldest->drop();
                passing.pop_front();
            }
            return running == 0;
        },
        200s));
    for (auto& t : emitters)
        t.join();
    BOOST_TEST(changes > each / 20);
    // All that was accepted has been taken.
    BOOST_TEST(on.until([&] { return on.server->count(metric::emissions_taken) == posted; }));
    auto const least_of = [&](std::size_t k) {
        return to_all + (k % 4 == 0 ? to_a.load() : 0) + (k % 4 >= 2 ? to_hall.load() : 0);
    };
    BOOST_TEST(on.until([&] {
        for (std::size_t k = 0; k < 8; ++k)
            if (on.peers[k].frames.size() < least_of(k))
                return false;
        return true;
    }));
    on.settle();
    BOOST_TEST(refused == 0u);
    BOOST_TEST(on.server->count(metric::emissions_posted) == posted);
    BOOST_TEST(posted + gone >= static_cast<std::uint64_t>(threads * each));
    // What was dropped waited for who left.
    BOOST_TEST(on.server->count(metric::published) >=
               on.server->count(metric::delivered) + on.server->count(metric::dropped));

    // Who stayed has everything: each emission to everybody, to its user, to its room; in each thread's order.
    std::uint64_t to_handles = 0;
    for (std::size_t k = 0; k < 8; ++k) {
        auto const& p = on.peers[k];
        BOOST_TEST(p.open());
        auto const least = least_of(k);
        auto const all = events_of(p);
        BOOST_TEST_REQUIRE(all.size() >= least);
        to_handles += all.size() - least;
        std::map<std::string, int> last;
        for (auto const& e : all) {
            int const n = std::stoi(field(e, "n"));
            auto const [at, fresh] = last.try_emplace(field(e, "text"), -1);
            BOOST_TEST_REQUIRE(n > at->second);
            at->second = n;
        }
        BOOST_TEST(last.size() == static_cast<std::size_t>(threads));
    }
    BOOST_TEST(to_handles <= static_cast<std::uint64_t>(threads * each) - to_a - to_hall - to_all);
    BOOST_TEST(on.server->count(metric::encodes) <= static_cast<std::uint64_t>(threads * each));

    on.server->stop();
    on.until([&] { return std::ranges::all_of(on.peers, [](auto const& p) { return p.ended; }); });
    on.server->wait();
    BOOST_TEST(on.j.opens() == on.j.closes());
    BOOST_TEST(on.server->connections() == 0u);
}

BOOST_AUTO_TEST_CASE(emitters_go_on_while_the_server_stops)
{
    for (int round = 0; round < 5; ++round) {
        stage<server> on({.shards = 2, .drain_timeout = 300ms, .tick = 20ms});
        for (int i = 0; i < 4; ++i)
            on.join();
        std::atomic<bool> end{false};
        std::vector<std::thread> emitters;
        for (int t = 0; t < 3; ++t)
            emitters.emplace_back([&end, out = on.server->emitter()] {
                for (int i = 0; !end; ++i)
                    static_cast<void>(out.to_all().emit(note{i, ""}));
            });
        on.until([&] { return on.peers[0].frames.size() > 100; });
        on.server->stop();
        on.until([&] { return std::ranges::all_of(on.peers, [](auto const& p) { return p.ended; }); }, 3s);
        auto const posted = on.server->count(metric::emissions_posted);
        on.server.reset();
        end = true;
        for (auto& t : emitters)
            t.join();
        BOOST_TEST(posted > 0u);
        BOOST_TEST(on.j.opens() == on.j.closes());
    }
}

BOOST_AUTO_TEST_SUITE_END()
