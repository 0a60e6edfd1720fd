// Backpressure that loses nothing: a producer that waits for room, a connection that is given up for another; and neighbours
// that notice nothing.

#include "../support/workshop.hpp"

#include <boost/mpl/list.hpp>
#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

using namespace support;

namespace {

using reliable = reliable_workshop<>;
using once = pc::server<workshop, sim>;
using both = boost::mpl::list<once, reliable>;
using pc::backpressure;

std::string const hundred(100, 'x');

pc::server_options at_cap(backpressure choice)
{
    return {.max_outbox_bytes = 20'000,
            .backpressure = choice,
            .delivery = {.resume_window = 60s},
            .close_timeout = 5s,
            .tick = 100ms};
}
template <class Server>
struct jam {
    stage<Server> st;
    decltype(&enter(st, {})) slow = nullptr;
    decltype(&enter(st, {})) driver = nullptr;

    explicit jam(pc::server_options options) : st(std::move(options), 1, {.send_window_bytes = 2000})
    {
        slow = &enter(st, {.reads = false});
        driver = &enter(st, {});
    }
    template <class F>
    void emits(F f)
    {
        inside(st, *driver, [&](auto&) { f(session_of(st)); });
    }
    /// Emits notes until one is refused; returns how many were not.
    int fill(int from = 0)
    {
        int n = from;
        emits([&](auto& s) {
            while (n < from + 1000 && pc::accepted(s.emit(note{n, hundred})))
                ++n;
        });
        return n;
    }
};
/// What a producer did.
struct production {
    int emitted = 0;
    int refused = 0;
    bool ended = false;
};
template <class Session>
pc::producer produce(Session& s, int from, int to, production& p)
{
    for (int i = from; i < to; ++i) {
        if (!co_await s.room_to_send())
            break;
        if (pc::accepted(s.emit(note{i, hundred})))
            ++p.emitted;
        else
            ++p.refused;
    }
    p.ended = true;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(backpressure_without_loss)

BOOST_AUTO_TEST_CASE(pause_refuses_without_counting)
{
    jam<reliable> j(at_cap(backpressure::pause));
    int const n = j.fill();
    j.emits([&](auto& s) {
        auto const before = s.tally();
        BOOST_TEST((s.emit(note{0, hundred}) == pc::outcome::over_budget));
        BOOST_TEST((s.emit(vital{0, hundred}) == pc::outcome::over_budget));
        BOOST_TEST((s.tally() == before));
    });
    j.slow->read(true);
    j.st.world.run_for(5s);
    BOOST_TEST(numbers_in(*j.slow, "note") == count_to(n), boost::test_tools::per_element());
    BOOST_TEST(heard(*j.slow, "$gap").empty());
    BOOST_TEST(session_of(j.st).tally().published == static_cast<std::uint64_t>(n));
    BOOST_TEST(j.st.j.drops.empty());
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_producer_goes_on_when_there_is_room, Server, both)
{
    jam<Server> j(at_cap(backpressure::pause));
    production p;
    j.emits([&](auto& s) { produce(s, 0, 2000, p); });
    j.st.world.run_for(1s);
    BOOST_TEST(p.emitted < 200);
    BOOST_TEST(!p.ended);
    int const before = p.emitted;
    for (int i = 0; i < 5; ++i) {  // it reads now and then
        j.slow->read(true);
        j.st.world.run_for(1ms);
        j.slow->read(false);
        j.st.world.run_for(50ms);
        BOOST_TEST(balanced(j.st));
    }
    BOOST_TEST(p.emitted > before);
    j.slow->read(true);
    j.st.world.run_for(10s);
    BOOST_TEST(p.ended);
    BOOST_TEST(p.emitted == 2000);
    BOOST_TEST(p.refused == 0);
    BOOST_TEST(numbers_in(*j.slow, "note") == count_to(2000), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(many_producers_share_a_session_and_each_keeps_its_order)
{
    jam<reliable> j(at_cap(backpressure::pause));
    std::vector<production> all(20);
    j.emits([&](auto& s) {
        for (int i = 0; i < 20; ++i)
            produce(s, i * 100, i * 100 + 100, all[static_cast<std::size_t>(i)]);
    });
    j.slow->read(true);
    j.st.world.run_for(20s);
    auto const got = numbers_in(*j.slow, "note");
    std::vector<int> next(20, 0);
    for (int const n : got)
        BOOST_TEST(n % 100 == next[static_cast<std::size_t>(n / 100)]++);
    int refused = 0;
    for (auto const& p : all) {
        BOOST_TEST(p.ended);
        refused += p.refused;
    }
    BOOST_TEST(got.size() + static_cast<std::size_t>(refused) == 2000U);
    BOOST_TEST(refused == 0);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_producer_is_told_that_its_session_has_ended, Server, both)
{
    jam<Server> j(at_cap(backpressure::pause));
    production p, q;
    j.emits([&](auto& s) { produce(s, 0, 2000, p), produce(s, 0, 2000, q); });
    j.st.world.run_for(1s);
    j.slow->drop();
    j.st.world.run_for(10s);
    if (Server::composition::delivery::resumes) {
        BOOST_TEST(!p.ended);  // it may come back
        j.st.world.run_for(60s);
    }
    BOOST_TEST(p.ended);
    BOOST_TEST(q.ended);
    BOOST_TEST(p.emitted < 200);
    BOOST_TEST(j.st.j.closes() == 1U);
}

BOOST_AUTO_TEST_CASE(a_producer_survives_the_loss_of_the_connection)
{
    jam<reliable> j(at_cap(backpressure::pause));
    production p;
    j.emits([&](auto& s) { produce(s, 0, 1000, p); });
    j.slow->drop();
    j.st.world.run_for(1s);
    auto& q = come_back(j.st, *j.slow, 0);
    j.st.world.run_for(10s);
    BOOST_TEST(p.ended);
    BOOST_TEST(p.emitted == 1000);
    BOOST_TEST(numbers_in(q, "note") == count_to(1000), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(disconnect_closes_with_4001_and_what_was_accepted_comes_after_the_resume)
{
    jam<reliable> j(at_cap(backpressure::disconnect));
    int const n = j.fill();
    j.slow->read(true);
    BOOST_REQUIRE(j.st.until([&] { return j.slow->ended; }));
    BOOST_TEST(static_cast<int>(j.slow->closed_with.value()) == 4001);
    BOOST_TEST(j.st.j.closes() == 0U);
    auto const has = numbers_in(*j.slow, "note");
    BOOST_TEST(has == count_to(static_cast<int>(has.size())), boost::test_tools::per_element());
    auto& q = come_back(j.st, *j.slow, has.size());
    j.st.world.run_for(5s);
    BOOST_TEST(numbers_in(q, "note") == count_to(n, static_cast<int>(has.size())), boost::test_tools::per_element());
    BOOST_TEST(heard(q, "$gap").size() == 1U);  // the one that was refused
    BOOST_TEST(session_of(j.st).tally().dropped == 1U);
}

BOOST_AUTO_TEST_CASE(a_peer_that_never_reads_is_gone_in_time_however_much_is_emitted_to_it)
{
    for (auto const choice : {backpressure::disconnect, backpressure::drop_newest_normal}) {
        jam<reliable> j(at_cap(choice));
        j.fill();
        for (int i = 0; i < 100 && j.st.j.away == 0; ++i) {
            j.emits([&](auto& s) { s.emit(vital{i, hundred}); });
            j.st.world.run_for(100ms);
            BOOST_TEST(balanced(j.st));
        }
        BOOST_TEST(j.st.j.away == 1);
    }
}

BOOST_AUTO_TEST_CASE(a_slow_reader_delays_nobody)
{
    // A neighbour's events arrive at the same instants, whether the other reads or not.
    auto const arrivals = [](bool reads) {
        stage<reliable> st({.max_outbox_bytes = 50'000}, 1,
                           {.latency_min = 100us, .latency_max = 100us, .send_window_bytes = 2000});
        std::vector<decltype(&enter(st, {}))> all;
        for (int i = 0; i < 3; ++i) {
            all.push_back(&enter(st, {.reads = i == 1 || reads}));
            say(*all.back(), R"({"type":"$join","id":1,"room":"hall"})");
        }
        st.settle();
        auto const begin = st.world.now();
        for (int i = 0; i < 2000; ++i) {
            st.server->emitter().to_room("hall").emit(note{i, hundred});
            st.world.run_for(1ms);
        }
        std::vector<std::int64_t> times;
        for (auto const& f : all[1]->frames)
            if (f.at > begin)
                times.push_back((f.at - begin).count());
        BOOST_TEST(numbers_in(*all[1], "note") == count_to(2000), boost::test_tools::per_element());
        BOOST_TEST((session_of(st, 0).tally().dropped > 0) == !reads);
        return times;
    };
    BOOST_TEST(arrivals(true) == arrivals(false), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_SUITE_END()
