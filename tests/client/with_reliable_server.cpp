#include <polycast/client.hpp>

#include <polycast/compression/zstd.hpp>
#include <polycast/delivery/at_least_once.hpp>
#include <polycast/serializer/msgpack.hpp>
#include <polycast/server.hpp>
#include <polycast/transport/simulated.hpp>

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <numeric>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace pc = polycast;
using namespace std::chrono_literals;
using pc::outcome;
using sim = pc::transport::simulated;
using pc::delivery::at_least_once;

namespace {

struct spoken {
    int speaker = 0;
    int number = 0;
};
struct asked {
    int speaker = 0;
    int number = 0;
};
struct heard {
    int speaker = 0;
    int number = 0;
};
struct told {
    int number = 0;
};
struct tick {
    int number = 0;
};

std::vector<int> first(int count)
{
    std::vector<int> all(static_cast<std::size_t>(count));
    std::iota(all.begin(), all.end(), 0);
    return all;
}

/// What the server's handlers saw, by speaker.
struct hall_log {
    std::mutex mutex;
    std::map<int, std::vector<int>> spoken;
    std::atomic<int> opened{0}, expired{0};
};

struct hall {
    using accepts = pc::events<spoken, asked>;
    hall_log* log;

    void on(auto& session, spoken const& s)
    {
        note(s.speaker, s.number);
        session.emit(heard{s.speaker, s.number});
    }
    told on(auto&, asked const& a)
    {
        note(a.speaker, a.number);
        return {a.number};
    }
    void opened(auto&) { ++log->opened; }
    void expired(auto&, auto const&) { ++log->expired; }

private:
    void note(int speaker, int number)
    {
        std::lock_guard const lock(log->mutex);
        log->spoken[speaker].push_back(number);
    }
};

/// What a client was told; any thread looks at it.
struct memory {
    std::mutex mutex;
    std::vector<int> heard, told, ticks;
    std::vector<std::uint64_t> answered;
    std::atomic<int> opened{0}, resumed{0}, gaps{0}, joined{0}, lost{0};
};

struct listener {
    using accepts = pc::events<heard, told, tick>;
    memory* m;

    void on(auto&, heard const& e) { keep(m->heard, e.number); }
    void on(auto&, told const& e) { keep(m->told, e.number); }
    void on(auto&, tick const& e) { keep(m->ticks, e.number); }
    void opened(auto&) { ++m->opened; }
    void resumed(auto&) { ++m->resumed; }
    void gap(auto&, std::uint64_t, std::uint64_t, std::string_view) { ++m->gaps; }
    void joined(auto&, std::string_view, std::optional<bool> recovered)
    {
        ++m->joined;
        m->lost += m->joined > 1 && !recovered.value_or(false);
    }
    void answered(auto&, std::uint64_t id, pc::envelope const&) { keep(m->answered, id); }

private:
    template <class T>
    void keep(std::vector<T>& in, T what)
    {
        std::lock_guard const lock(m->mutex);
        in.push_back(what);
    }
};

pc::client_options hurried(std::string url)
{
    return {.url = std::move(url),
            .backoff = {.initial = 10ms, .cap = 100ms},
            .close_timeout = 1s,
            .heartbeat = {.interval = 1s, .timeout = 3s}};
}

void disorder(pc::transport::world& world, std::uint64_t seed)
{
    auto& network = world.network();
    network.max_segment_bytes = 31 + seed % 100;
    network.send_window_bytes = 300;
    network.partial_write_probability = 0.3;
    network.spurious_wakeup_probability = 0.1;
    network.cut_probability = 0.004;
    network.vanish_probability = 0.0003;
    network.stall_probability = 0.002;
}

/// Clients of one server, in a network that cuts, stalls and forgets; then calm, in which everything has arrived.
template <class... Policies>
void through_disorder(std::uint64_t seed)
{
    pc::transport::world world{seed};
    hall_log log;
    pc::server_options options{.port = 1, .shards = 1 + static_cast<std::uint32_t>(seed % 3)};
    options.heartbeat = {.interval = 1s, .timeout = 1s};
    options.history.max_events = seed % 2 == 0 ? 0 : 1000;
    pc::server<hall, sim, at_least_once<>, Policies...> server(options, {&log}, world);
    server.start();
    auto const calm = world.network();
    disorder(world, seed);
    using client = pc::client<listener, sim, at_least_once<>, Policies...>;
    constexpr int count = 3, spoken_each = 60;
    std::vector<std::unique_ptr<memory>> memories;
    std::vector<std::unique_ptr<sim::loop>> loops;
    std::vector<std::unique_ptr<client>> clients;
    for (int i = 0; i < count; ++i) {
        memories.push_back(std::make_unique<memory>());
        loops.push_back(std::make_unique<sim::loop>(world));
        clients.push_back(
            std::make_unique<client>(*loops.back(), hurried("ws://server:1/"), listener{memories.back().get()}));
        clients.back()->join("room");
        clients.back()->start();
    }
    auto const all = [&](auto what) {
        for (std::size_t i = 0; i < clients.size(); ++i)
            if (!what(*clients[i], *memories[i]))
                return false;
        return true;
    };
    std::vector<std::vector<std::uint64_t>> asked_ids(count);
    for (int number = 0; number < spoken_each; ++number) {
        for (int i = 0; i < count; ++i) {
            auto const at = static_cast<std::size_t>(i);
            if (number % 3 == 2)
                asked_ids[at].push_back(clients[at]->request(asked{i, number}));
            else
                BOOST_TEST(pc::accepted(clients[at]->emit(spoken{i, number})));
        }
        world.run_for(std::chrono::microseconds(world.chance().below(20'000)));
    }
    BOOST_TEST(world.run_until([&] { return all([](auto&, memory& m) { return m.joined > 0; }); }));
    for (int number = 0; number < spoken_each; ++number) {
        BOOST_TEST(pc::accepted(server.emitter().to_room("room").emit(tick{number})));
        world.run_for(std::chrono::microseconds(world.chance().below(20'000)));
    }
    world.network() = calm;
    BOOST_TEST(world.run_until([&] {
        return all([&](auto& c, memory& m) { return c.is_open() && c.queued_messages() == 0 && m.ticks.size() >= spoken_each; });
    }));
    world.run_for(10s);
    std::vector<int> heard_numbers, told_numbers;
    for (int const n : first(spoken_each))
        (n % 3 == 2 ? told_numbers : heard_numbers).push_back(n);
    for (int i = 0; i < count; ++i) {
        memory& m = *memories[static_cast<std::size_t>(i)];
        BOOST_TEST(log.spoken[i] == first(spoken_each), boost::test_tools::per_element());
        BOOST_TEST(m.heard == heard_numbers, boost::test_tools::per_element());
        BOOST_TEST(m.told == told_numbers, boost::test_tools::per_element());
        BOOST_TEST(m.ticks == first(spoken_each), boost::test_tools::per_element());
        BOOST_TEST(m.answered == asked_ids[static_cast<std::size_t>(i)], boost::test_tools::per_element());
        BOOST_TEST(m.gaps == 0);
        BOOST_TEST(m.resumed == m.opened - 1);
    }
    for (auto const& c : clients)
        c->stop();
    BOOST_TEST(world.run_until([&] { return all([](auto& c, memory&) { return c.stopped(); }); }));
    world.run_for(4min);  // sessions whose `$hello` was lost expire
    BOOST_TEST(server.connections() == 0u);
    BOOST_TEST(log.expired <= log.opened - count);
    BOOST_TEST(server.count(pc::metric::opened) == server.count(pc::metric::closed));
}

int lost_sessions = 0;

/// Sessions are lost with almost every cut, but the room has a past.
void through_lost_sessions(std::uint64_t seed)
{
    pc::transport::world world{seed};
    hall_log log;
    pc::server_options options{.port = 1, .shards = 1 + static_cast<std::uint32_t>(seed % 3)};
    options.heartbeat = {.interval = 1s, .timeout = 1s};
    options.history.max_events = 1000;
    options.delivery.resume_window = 20ms;
    options.tick = 20ms;
    pc::server<hall, sim, at_least_once<>> server(options, {&log}, world);
    server.start();
    memory m;
    sim::loop loop{world};
    pc::client<listener, sim, at_least_once<>> client(loop, hurried("ws://server:1/"), listener{&m});
    client.join("room");
    client.start();
    BOOST_TEST(world.run_until([&] { return m.joined > 0; }));
    auto const calm = world.network();
    disorder(world, seed);
    for (int const number : first(200)) {
        BOOST_TEST(pc::accepted(server.emitter().to_room("room").emit(tick{number})));
        world.run_for(std::chrono::microseconds(world.chance().below(20'000)));
    }
    world.network() = calm;
    world.run_for(10s);
    BOOST_TEST(m.ticks == first(200), boost::test_tools::per_element());
    BOOST_TEST(m.lost == 0);
    lost_sessions += m.opened - m.resumed - 1;
    client.stop();
    BOOST_TEST(world.run_until([&] { return client.stopped(); }));
}

/// A server and a client that hang up on each other all the time.
struct moody_hall : hall {
    void on(auto& session, spoken const& s)
    {
        hall::on(session, s);
        if (++count % 97 == 0)
            session.close(pc::close_code::stale);
    }
    told on(auto& session, asked const& a) { return hall::on(session, a); }
    int count = 0;
};
struct moody_listener : listener {
    using listener::on;
    void on(auto& session, heard const& e)
    {
        listener::on(session, e);
        if (++count % 113 == 0)
            session.close(pc::close_code::service_restart);
    }
    int count = 0;
};

}  // namespace

BOOST_AUTO_TEST_SUITE(reliable_client_with_server)

BOOST_DATA_TEST_CASE(after_any_disorder_everything_came_once_and_in_order_both_ways,
                     boost::unit_test::data::xrange(1, 201), seed)
{
    auto const number = static_cast<std::uint64_t>(seed);
    if (number % 4 == 0)
        through_disorder<pc::serializer::msgpack, pc::compression::zstd<3>>(number);
    else
        through_disorder<>(number);
}

BOOST_AUTO_TEST_CASE(a_room_with_a_past_comes_once_and_in_order_over_lost_sessions)
{
    for (std::uint64_t seed = 1; seed <= 40; ++seed)
        through_lost_sessions(seed);
    BOOST_TEST(lost_sessions > 20);
}

BOOST_AUTO_TEST_CASE(any_thread_may_emit_while_connections_end_over_tcp)
{
    hall_log log;
    pc::server<moody_hall, at_least_once<>> server({.port = 0, .shards = 2}, {{&log}});
    server.start();
    memory m;
    pc::client<moody_listener, at_least_once<>> client(hurried("ws://127.0.0.1:" + std::to_string(server.port()) + "/"),
                                                       {{&m}});
    std::thread runs([&] { client.run(); });
    constexpr int speakers = 4, each = 1000;
    std::vector<std::thread> threads;
    std::atomic<int> requests{0};
    for (int t = 0; t < speakers; ++t)
        threads.emplace_back([&, t] {
            for (int i = 0; i < each;) {
                bool const asks = i % 10 == 9;
                bool const taken = asks ? client.request(asked{t, i}) != 0 : pc::accepted(client.emit(spoken{t, i}));
                requests += asks && taken;
                i += taken;
                if (!taken)
                    std::this_thread::yield();  // the queue is bounded
            }
        });
    for (auto& t : threads)
        t.join();
    auto const done = [&] {
        std::lock_guard const lock(m.mutex);
        return m.heard.size() >= speakers * each * 9 / 10 && m.told.size() >= speakers * each / 10 &&
               client.queued_messages() == 0;
    };
    auto const deadline = std::chrono::steady_clock::now() + 60s;
    while (!done() && std::chrono::steady_clock::now() < deadline)
        std::this_thread::yield();
    BOOST_TEST(done());
    client.stop();
    runs.join();
    BOOST_TEST(m.heard.size() == static_cast<std::size_t>(speakers * each * 9 / 10));
    BOOST_TEST(m.told.size() == static_cast<std::size_t>(speakers * each / 10));
    BOOST_TEST(m.answered.size() == static_cast<std::size_t>(requests));
    for (int t = 0; t < speakers; ++t)
        BOOST_TEST(log.spoken[t] == first(each), boost::test_tools::per_element());
    BOOST_TEST(m.opened > 20);
    BOOST_TEST(m.resumed == m.opened - 1);
    BOOST_TEST(m.gaps == 0);
}

BOOST_AUTO_TEST_SUITE_END()
