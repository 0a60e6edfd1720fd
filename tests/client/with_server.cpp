#include <polycast/client.hpp>

#include <polycast/compression/deflate.hpp>
#include <polycast/compression/zstd.hpp>
#include <polycast/serializer/raw.hpp>
#include <polycast/server.hpp>
#include <polycast/transport/simulated.hpp>

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <tuple>
#include <vector>

namespace pc = polycast;
using namespace std::chrono_literals;
using pc::outcome;
using sim = pc::transport::simulated;
using tcp = pc::transport::tcp;

namespace {

struct spoken {
    int speaker = 0;
    int number = 0;
};
struct heard {
    int speaker = 0;
    int number = 0;
};

struct echo {
    using accepts = pc::events<spoken>;
    void on(auto& session, spoken const& s) { session.emit(heard{s.speaker, s.number}); }
};

/// What the client heard; any thread looks at it.
struct memory {
    std::mutex mutex;
    std::vector<heard> all;
    std::atomic<int> count{0}, opened{0}, closed{0}, failed{0};
    std::atomic<int> last_code{0};
};

struct listener {
    using accepts = pc::events<heard>;
    memory* m;
    void on(auto&, heard const& h)
    {
        std::lock_guard const lock(m->mutex);
        m->all.push_back(h);
        ++m->count;
    }
    void opened(auto&) { ++m->opened; }
    void closed(auto&, pc::close_info const& info)
    {
        m->last_code = static_cast<int>(info.code);
        ++m->closed;
    }
    void failed(std::error_code, unsigned, std::chrono::milliseconds) { ++m->failed; }
};

/// Clients and a server in a network that does everything it can do; then calm, in which all is well again.
void through_disorder(std::uint64_t seed)
{
    pc::transport::world world{seed};
    pc::server<echo, sim> server({.port = 1, .heartbeat = {.interval = 1s, .timeout = 1s}}, {}, world);
    server.start();
    auto const calm = world.network();
    auto& network = world.network();
    network.max_segment_bytes = 31;
    network.send_window_bytes = 300;
    network.partial_write_probability = 0.3;
    network.spurious_wakeup_probability = 0.1;
    network.cut_probability = 0.002;
    network.vanish_probability = 0.0003;
    network.stall_probability = 0.002;
    constexpr int count = 4;
    std::vector<std::unique_ptr<memory>> memories;
    std::vector<std::unique_ptr<sim::loop>> loops;
    std::vector<std::unique_ptr<pc::client<listener, sim>>> clients;
    for (int i = 0; i < count; ++i) {
        memories.push_back(std::make_unique<memory>());
        loops.push_back(std::make_unique<sim::loop>(world));
        pc::client_options const options{.url = "ws://server:1/",
                                         .backoff = {.initial = 10ms, .cap = 100ms},
                                         .close_timeout = 1s,
                                         .heartbeat = {.interval = 1s, .timeout = 3s}};
        clients.push_back(std::make_unique<pc::client<listener, sim>>(*loops.back(), options,
                                                                      listener{memories.back().get()}));
        clients.back()->start();
    }
    for (int number = 0; number < 100; ++number) {
        for (int i = 0; i < count; ++i)
            BOOST_TEST(pc::accepted(clients[static_cast<std::size_t>(i)]->emit(spoken{i, number})));
        world.run_for(std::chrono::microseconds(world.chance().below(20'000)));
    }
    network = calm;
    BOOST_TEST(world.run_until([&] {
        for (auto const& c : clients)
            if (!c->is_open() || c->queued_messages() != 0)
                return false;
        return true;
    }));
    world.run_for(10s);
    for (int i = 0; i < count; ++i) {
        auto const at = static_cast<std::size_t>(i);
        int last = -1;
        for (heard const& h : memories[at]->all) {
            BOOST_TEST(h.speaker == i);
            BOOST_TEST(h.number > last);  // in order, none twice
            last = h.number;
        }
        clients[at]->emit(spoken{i, 1000});
    }
    world.run_for(1s);
    for (auto const& m : memories)
        BOOST_TEST(m->all.back().number == 1000);
    for (auto const& c : clients)
        c->stop();
    world.run_for(1min);
    for (auto const& m : memories)
        BOOST_TEST(m->opened == m->closed);
    BOOST_TEST(server.connections() == 0u);
    BOOST_TEST(server.count(pc::metric::opened) == server.count(pc::metric::closed));
}

struct loud {
    void on(auto& session, pc::message const& m) { session.send(m.payload, m.op); }
};
struct ear {
    std::vector<std::string>* got;
    void on(auto&, pc::message const& m) { got->emplace_back(m.payload); }
};

/// One client of a real server, over any transport.
template <class Transport, class... Policies>
struct stage;

template <class... Policies>
struct stage<sim, Policies...> {
    pc::transport::world world{3};
    memory m;
    std::unique_ptr<pc::server<echo, sim, Policies...>> server;
    std::optional<pc::client<listener, sim, Policies...>> client;

    stage()
    {
        serve();
        client.emplace(pc::client_options{.url = "ws://server:8765/"}, listener{&m}, world);
        client->start();
    }
    void serve()
    {
        server = std::make_unique<pc::server<echo, sim, Policies...>>(pc::server_options{.port = 8765}, echo{}, world);
        server->start();
    }
    template <class Predicate>
    bool until(Predicate&& done)
    {
        return world.run_until(done, 60s);
    }
};

template <class... Policies>
struct stage<tcp, Policies...> {
    memory m;
    std::optional<pc::server<echo, Policies...>> server;
    std::optional<pc::client<listener, Policies...>> client;
    std::thread runs;

    stage()
    {
        server.emplace(pc::server_options{.port = 0});
        server->start();
        auto const url = "ws://127.0.0.1:" + std::to_string(server->port()) + "/";
        client.emplace(pc::client_options{.url = url}, listener{&m});
        runs = std::thread([this] { client->run(); });
    }
    ~stage()
    {
        client->stop();
        runs.join();
    }
    template <class Predicate>
    bool until(Predicate&& done)
    {
        auto const deadline = std::chrono::steady_clock::now() + 20s;
        while (!done() && std::chrono::steady_clock::now() < deadline)
            std::this_thread::yield();
        return done();
    }
};

template <class... Policies>
struct over {
    using stage = ::stage<Policies...>;
};
using zstd = pc::compression::zstd<3>;
#if POLYCAST_WITH_ZLIB
using deflate = pc::compression::deflate<>;
using stages = std::tuple<over<sim>, over<sim, zstd>, over<tcp>, over<tcp, zstd>, over<sim, deflate>, over<tcp, deflate>>;
#else
using stages = std::tuple<over<sim>, over<sim, zstd>, over<tcp>, over<tcp, zstd>>;
#endif

}  // namespace

BOOST_AUTO_TEST_SUITE(client_with_server)

BOOST_AUTO_TEST_CASE_TEMPLATE(events_go_there_and_back_in_order, Over, stages)
{
    typename Over::stage s;
    for (int i = 0; i < 500; ++i)
        BOOST_TEST((s.client->emit(spoken{0, i}) == outcome::queued));
    BOOST_TEST(s.until([&] { return s.m.count == 500; }));
    std::lock_guard const lock(s.m.mutex);
    for (int i = 0; i < 500; ++i)
        BOOST_TEST(s.m.all.at(static_cast<std::size_t>(i)).number == i);
    BOOST_TEST(s.m.opened == 1);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(stop_closes_with_1000_and_both_ends_agree, Over, stages)
{
    typename Over::stage s;
    BOOST_TEST(s.until([&] { return s.m.opened == 1; }));
    s.client->emit(spoken{0, 7});
    s.client->stop();
    BOOST_TEST(s.until([&] { return s.m.closed == 1; }));
    BOOST_TEST(s.m.last_code == 1000);
    BOOST_TEST(s.until([&] { return s.server->count(pc::metric::closed) == 1; }));
    BOOST_TEST(s.server->count(pc::metric::messages_in) >= 1u);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_server_that_drains_is_left_with_its_code, Over, stages)
{
    typename Over::stage s;
    BOOST_TEST(s.until([&] { return s.m.opened == 1; }));
    s.server->stop();
    BOOST_TEST(s.until([&] { return s.m.closed == 1; }));
    BOOST_TEST((s.m.last_code == 1001 || s.m.last_code == 1012));
}

BOOST_AUTO_TEST_CASE(any_thread_may_emit_and_keeps_its_order)
{
    stage<tcp> s;
    constexpr int speakers = 4, each = 2000;
    std::vector<std::thread> threads;
    for (int t = 0; t < speakers; ++t)
        threads.emplace_back([&, t] {
            for (int i = 0; i < each;) {
                auto const o = s.client->emit(spoken{t, i});
                i += pc::accepted(o);
                if (!pc::accepted(o))
                    std::this_thread::yield();  // the queue is bounded
            }
        });
    for (auto& t : threads)
        t.join();
    BOOST_TEST(s.until([&] { return s.m.count == speakers * each; }));
    std::lock_guard const lock(s.m.mutex);
    std::vector<int> next(speakers, 0);
    int out_of_order = 0;
    for (heard const& h : s.m.all)
        out_of_order += next.at(static_cast<std::size_t>(h.speaker))++ != h.number;
    BOOST_TEST(out_of_order == 0);
}

BOOST_AUTO_TEST_CASE(a_restarted_server_is_found_again)
{
    stage<sim> s;
    BOOST_TEST(s.until([&] { return s.m.opened == 1; }));
    s.server.reset();
    BOOST_TEST(s.until([&] { return s.m.closed == 1; }));
    s.client->emit(spoken{0, 1});
    s.world.run_for(10s);
    BOOST_TEST(s.m.failed > 0);
    s.serve();
    BOOST_TEST(s.until([&] { return s.m.count == 1; }));
    BOOST_TEST(s.m.opened == 2);
}

BOOST_DATA_TEST_CASE(after_any_disorder_order_has_held_and_everything_works, boost::unit_test::data::xrange(1, 60),
                     seed)
{
    through_disorder(static_cast<std::uint64_t>(seed));
}

BOOST_AUTO_TEST_CASE(large_messages_pass_both_ways)
{
    pc::transport::world world{5};
    world.network().send_window_bytes = 10'000;
    pc::server<loud, sim, pc::serializer::raw> server({.port = 1, .max_message_bytes = 1 << 20}, {}, world);
    server.start();
    std::vector<std::string> got;
    pc::client<ear, sim, pc::serializer::raw> client({.url = "ws://server:1/"}, {&got}, world);
    client.start();
    std::string const big(700'000, 'x');
    BOOST_TEST((client.send(big, pc::opcode::binary) == outcome::queued));
    BOOST_TEST((client.send("small", pc::opcode::binary) == outcome::queued));
    BOOST_TEST(world.run_until([&] { return got.size() == 2; }));
    BOOST_TEST((got.at(0) == big));
    BOOST_TEST(got.at(1) == "small");
}

BOOST_AUTO_TEST_SUITE_END()
