#include <polycast/transport/simulated.hpp>

#include "conformance.hpp"

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace transport = polycast::transport;
using namespace std::chrono_literals;
using sim = transport::simulated;
using pair = conformance::pair<sim>;
using conformance::numbered;
using reader = conformance::reader<sim::stream>;
using writer = conformance::writer<sim::stream>;

namespace {

/// Many connections that echo through a network that does everything it can do.
struct disorder {
    explicit disorder(std::uint64_t seed) : world({.seed = seed, .record_trace = true}) {}

    transport::world world;
    std::uint64_t echoed = 0;

    void run()
    {
        world.network().max_segment_bytes = 7;
        world.network().send_window_bytes = 64;
        world.network().partial_write_probability = 0.3;
        world.network().spurious_wakeup_probability = 0.1;
        world.network().cut_probability = 0.002;
        world.network().stall_probability = 0.01;
        sim::loop here{world}, there{world};
        sim::acceptor acceptor{there};
        std::error_code ec;
        acceptor.listen({}, {}, ec);
        struct both {
            explicit both(sim::stream opened) : s(std::move(opened)) {}
            sim::stream s;
            reader r{s};
            writer w{s, numbered(300)};
        };
        std::vector<std::unique_ptr<both>> open;
        auto take = [&](auto& self) -> void {
            acceptor.accept([&](std::error_code e, sim::stream s) {
                if (e)
                    return;
                open.push_back(std::make_unique<both>(std::move(s)));
                open.back()->r.start();
                open.back()->w.go();
                self(self);
            });
        };
        take(take);
        std::vector<std::unique_ptr<sim::connector>> connectors;
        for (int i = 0; i < 8; ++i) {
            connectors.push_back(std::make_unique<sim::connector>(here));
            connectors.back()->connect({"anywhere", acceptor.port()}, [&](std::error_code e, sim::stream s) {
                if (e)
                    return;
                open.push_back(std::make_unique<both>(std::move(s)));
                open.back()->r.start();
                open.back()->w.go();
            });
        }
        world.run_for(1min);
        for (auto const& b : open) {
            echoed += b->r.got.size();
            // Whatever happened, what arrived is a prefix of what was sent.
            BOOST_TEST(numbered(300).starts_with(b->r.got));
        }
    }
};

}  // namespace

BOOST_AUTO_TEST_SUITE(simulated_transport)

BOOST_AUTO_TEST_CASE(the_same_seed_gives_the_same_trace_and_another_seed_another)
{
    disorder a{7}, b{7}, c{8};
    a.run();
    b.run();
    c.run();
    BOOST_TEST(a.echoed > 1000u);
    BOOST_TEST(a.world.trace().size() > 1000u);
    BOOST_TEST((a.world.trace() == b.world.trace()));
    BOOST_TEST(a.world.trace_hash() == b.world.trace_hash());
    BOOST_TEST((a.world.trace() != c.world.trace()));
    BOOST_TEST(a.world.trace_hash() != c.world.trace_hash());
}

BOOST_DATA_TEST_CASE(what_arrives_is_a_prefix_of_what_was_sent, boost::unit_test::data::xrange(1, 60), seed)
{
    disorder{static_cast<std::uint64_t>(seed)}.run();
}

BOOST_AUTO_TEST_CASE(the_generator_gives_the_same_numbers_on_every_platform)
{
    transport::simulated_chance chance{42};
    BOOST_TEST(chance.next() == 0x15780B2E0C2EC716u);
    BOOST_TEST(transport::simulated_chance{1}.next() != transport::simulated_chance{2}.next());
}

BOOST_AUTO_TEST_CASE(time_is_virtual_and_begins_in_2026)
{
    transport::world w{1};
    sim::loop loop{w};
    BOOST_TEST((loop.wall_now().time_since_epoch() == 1'767'225'600s));
    bool rang = false;
    sim::timer timer{loop};
    timer.start(48h, [&] { rang = true; });
    auto const before = loop.now();
    w.run_until_idle();
    BOOST_TEST(!rang);
    w.run_for(48h - 1ns);
    BOOST_TEST(!rang);
    w.run_for(1ns);
    BOOST_TEST(rang);
    BOOST_TEST((loop.now() - before == 48h));
    BOOST_TEST((loop.wall_now().time_since_epoch() == 1'767'225'600s + 48h));
}

BOOST_AUTO_TEST_CASE(run_until_stops_at_the_deadline)
{
    transport::world w{1};
    auto const before = w.now();
    BOOST_TEST(!w.run_until([] { return false; }, 3s));
    BOOST_TEST((w.now() - before == 3s));
    BOOST_TEST(w.run_until([&] { return true; }, w.now()));
}

BOOST_AUTO_TEST_CASE(a_program_that_never_lets_time_pass_is_stopped)
{
    transport::world w{{.seed = 1, .max_steps_per_instant = 1000}};
    sim::loop loop{w};
    auto forever = [&](auto& self) -> void { loop.post([&] { self(self); }); };
    forever(forever);
    BOOST_CHECK_THROW(w.run_for(1s), std::runtime_error);
}

BOOST_AUTO_TEST_CASE(chance_of_a_loop_depends_on_the_seed_and_the_loop)
{
    transport::world w{5}, again{5}, other{6};
    sim::loop a{w}, b{w}, a_again{again}, a_other{other};
    auto const first = a.random();
    BOOST_TEST(first == a_again.random());
    BOOST_TEST(first != b.random());
    BOOST_TEST(first != a_other.random());
}

BOOST_AUTO_TEST_CASE(a_stopped_loop_holds_its_handlers_until_it_runs_again)
{
    transport::world w{1};
    sim::loop loop{w};
    int ran = 0;
    loop.post([&] { ++ran, loop.stop(); });
    loop.post([&] { ++ran; });
    w.run_for(1s);
    BOOST_TEST(ran == 1);
    loop.run();  // returns: it was stopped
    loop.run();
    BOOST_TEST(ran == 2);
}

BOOST_AUTO_TEST_CASE(a_loop_takes_its_handlers_and_what_they_own_with_it)
{
    auto const witness = std::make_shared<int>(0);
    transport::world w{1};
    std::optional<sim::loop> loop(std::in_place, w);
    sim::timer timer{*loop};
    sim::notifier notifier{*loop};
    sim::acceptor acceptor{*loop};
    sim::connector connector{*loop};
    std::error_code ec;
    acceptor.listen({}, {}, ec);
    timer.start(1s, [witness] { BOOST_ERROR("ran"); });
    notifier.wait([witness] { BOOST_ERROR("ran"); });
    acceptor.accept([witness](std::error_code, sim::stream) { BOOST_ERROR("ran"); });
    connector.connect({"", acceptor.port()}, [witness](std::error_code, sim::stream) { BOOST_ERROR("ran"); });
    loop->post([witness] { BOOST_ERROR("ran"); });
    loop.reset();
    BOOST_TEST(witness.use_count() == 1);
    timer.start(1s, [witness] { BOOST_ERROR("ran"); });
    w.run_for(1min);
    BOOST_TEST(witness.use_count() == 1);
}

BOOST_AUTO_TEST_CASE(a_stream_owned_by_its_own_handler_ends_with_the_loop)
{
    transport::world w{1};
    std::optional<sim::loop> loop(std::in_place, w);
    sim::loop far{w};
    sim::acceptor acceptor{far};
    std::error_code ec;
    acceptor.listen({}, {}, ec);
    std::optional<sim::stream> server;
    acceptor.accept([&](std::error_code, sim::stream s) { server.emplace(std::move(s)); });
    sim::connector connector{*loop};
    connector.connect({"", acceptor.port()}, [](std::error_code, sim::stream s) {
        auto const self = std::make_shared<sim::stream>(std::move(s));
        self->wait_readable([self](std::error_code) {});
    });
    BOOST_TEST(w.run_until([&] { return server.has_value(); }));
    w.run_until_idle();
    loop.reset();
    reader r{*server};
    r.start();
    BOOST_TEST(w.run_until([&] { return bool(r.end); }));
}

BOOST_AUTO_TEST_CASE(a_cut_lets_arrived_bytes_be_read_and_then_resets_both_ends)
{
    pair p;
    reader at_server{*p.server}, at_client{*p.client};
    p.world.cut_after_bytes(10);
    writer w{*p.client, numbered(100)};
    w.go();
    p.world.run_for(1s);
    at_server.start();
    at_client.start();
    p.world.run_for(1s);
    BOOST_TEST(at_server.got == numbered(100).substr(0, 10));
    BOOST_TEST((at_server.end == std::errc::connection_reset));
    BOOST_TEST((at_client.end == std::errc::connection_reset));
    std::error_code ec;
    BOOST_TEST(p.client->write_some(std::span<char const>("x", 1), ec) == 0u);
    BOOST_TEST((ec == std::errc::broken_pipe));
}

BOOST_AUTO_TEST_CASE(only_the_chosen_connection_is_cut)
{
    pair p;
    auto const id = p.world.connections().at(0).id;
    BOOST_TEST(p.world.cut([&](transport::connection_info const& c) { return c.id != id; }) == 0u);
    BOOST_TEST(p.world.cut([&](transport::connection_info const& c) { return c.id == id; }) == 1u);
}

BOOST_AUTO_TEST_CASE(a_vanished_peer_is_noticed_by_nobody_until_the_window_is_full)
{
    pair p;
    reader at_server{*p.server};
    at_server.start();
    p.world.vanish_all();
    writer w{*p.client, numbered(1 << 20)};
    w.go();
    p.world.run_for(1h);
    BOOST_TEST(w.blocked);
    BOOST_TEST(!w.error);
    BOOST_TEST(at_server.got.empty());
    p.client->close();
    p.world.run_for(1h);
    BOOST_TEST(!at_server.end);
}

BOOST_AUTO_TEST_CASE(a_stalled_connection_delivers_later_and_in_order)
{
    pair p;
    p.world.network().max_segment_bytes = 3;
    reader r{*p.server};
    r.start();
    writer w{*p.client, numbered(200)};
    w.go();
    p.world.stall_all(1min);
    p.world.run_for(59s);
    BOOST_TEST(r.got.empty());
    w.go("end");
    p.world.run_for(2s);
    BOOST_TEST(r.got == numbered(200) + "end");
}

BOOST_AUTO_TEST_CASE(a_small_window_takes_a_part_and_opens_as_the_peer_reads)
{
    pair p;
    p.world.network().send_window_bytes = 10;
    std::error_code ec;
    std::string const text = numbered(100);
    BOOST_TEST(p.client->write_some(std::span<char const>(text), ec) == 10u);
    BOOST_TEST(p.client->write_some(std::span<char const>(text), ec) == 0u);
    BOOST_TEST(transport::would_block(ec));
    bool writable = false;
    p.client->wait_writable([&](std::error_code e) { writable = !e; });
    p.world.run_for(1min);
    BOOST_TEST(!writable);
    char piece[4];
    BOOST_TEST(p.server->read_some(piece, ec) == 4u);
    p.world.run_for(1min);
    BOOST_TEST(writable);
    BOOST_TEST(p.client->write_some(std::span<char const>(text), ec) == 4u);
}

BOOST_AUTO_TEST_CASE(refused_and_swallowed_connections)
{
    pair p;
    std::optional<std::error_code> told;
    auto const keep = [&](std::error_code ec, sim::stream) { told = ec; };
    p.world.refuse_connections(true);
    p.connector.connect({"", p.acceptor.port()}, keep);
    p.world.run_for(1s);
    BOOST_TEST((told == std::make_error_code(std::errc::connection_refused)));
    p.world.refuse_connections(false);
    p.world.swallow_connections(true);
    told.reset();
    p.connector.connect({"", p.acceptor.port()}, keep);
    p.world.run_for(1h);
    BOOST_TEST(!told.has_value());
    p.connector.cancel();
    p.world.run_until_idle();
    BOOST_TEST((told == std::make_error_code(std::errc::operation_canceled)));
}

BOOST_AUTO_TEST_CASE(each_loop_has_an_address_and_each_write_is_counted)
{
    pair p;
    BOOST_TEST(p.server->peer_address() == "10.0.0.2");
    writer w{*p.client, "abc"};
    w.go();
    w.go("de");
    auto const seen = p.world.connections().at(0);
    BOOST_TEST(seen.client.writes == 2u);
    BOOST_TEST(seen.client.bytes_written == 5u);
    BOOST_TEST(seen.server.writes == 0u);
}

BOOST_AUTO_TEST_SUITE_END()
