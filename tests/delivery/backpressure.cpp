// What happens at the caps of an outbox whose peer does not read: who is dropped, who is told, and that the sums are right at
// every step.

#include "../support/workshop.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

using namespace support;

namespace {

using reliable = reliable_workshop<>;
using once = pc::server<workshop, sim>;
using pc::backpressure;

constexpr std::size_t window = 2000;  ///< that the network takes of a peer that does not read
pc::transport::network_options narrow()
{
    return {.send_window_bytes = window};
}
pc::server_options at_cap(backpressure choice, std::size_t bytes, std::size_t events = 16 * 1024)
{
    return {.max_outbox_bytes = bytes, .max_outbox_events = events, .backpressure = choice, .tick = 100ms};
}
std::string const hundred(100, 'x');

/// What a reliable client has, by the count: of each number the event, or "gap".
template <class Peer>
std::vector<std::string> numbered(Peer const& p)
{
    std::vector<std::string> all;
    for (auto const& e : heard(p))
        if (type_of(e) == "$gap") {
            BOOST_TEST(std::stoul(field(e, "from")) == all.size() + 1);
            all.resize(std::stoul(field(e, "to")), "gap");
        } else if (!type_of(e).starts_with('$')) {
            all.push_back(type_of(e) + " " + field(e, "n"));
        }
    return all;
}
/// Steps the world, and looks at every sum and bound after each step.
template <class Stage>
void watch(Stage& st, std::chrono::milliseconds time, std::size_t most_bytes)
{
    auto const until = st.world.now() + time;
    st.world.run_until(
        [&] {
            BOOST_REQUIRE(balanced(st));
            for (std::size_t i = 0; i < st.server->app().sessions.size(); ++i)
                if (!st.server->app().ended[i])
                    BOOST_REQUIRE_LE(session_of(st, i).queued_bytes(), most_bytes);
            return false;
        },
        until);
}
/// Many events to a session whose peer does not read; then it does.
template <class Server>
struct flood {
    stage<Server> st;
    decltype(&enter(st, {})) slow = nullptr;
    decltype(&enter(st, {})) driver = nullptr;
    std::size_t most;

    flood(backpressure choice, std::size_t bytes, std::size_t events = 16 * 1024)
        : st(at_cap(choice, bytes, events), 1, narrow()), most(bytes)
    {
        slow = &enter(st, {.reads = false});
        driver = &enter(st, {});
    }
    /// One handler that emits `count` events, of every lane if asked.
    void run(int count, bool mixed = false, int from = 0)
    {
        inside(st, *driver, [&](auto&) {
            auto& s = session_of(st);
            for (int i = from; i < from + count; ++i) {
                outcomes.push_back(mixed && i % 4 == 1   ? s.emit(urgent{i})
                                   : mixed && i % 4 == 2 ? s.emit(bulk{i})
                                                         : s.emit(note{i, hundred}));
                BOOST_REQUIRE(balanced(st));
                BOOST_REQUIRE_LE(s.queued_bytes(), most);
            }
        });
        watch(st, 100ms, most);
    }
    template <class Event>
    void emit(Event const& e)
    {
        inside(st, *driver, [&](auto&) { BOOST_TEST(pc::accepted(session_of(st).emit(e))); });
    }
    void read()
    {
        slow->read(true);
        watch(st, 20s, most);
    }
    std::size_t accepted() const
    {
        return static_cast<std::size_t>(std::ranges::count_if(outcomes, [](pc::outcome o) { return pc::accepted(o); }));
    }
    std::vector<pc::outcome> outcomes{};
};

}  // namespace

BOOST_AUTO_TEST_SUITE(backpressure_at_the_caps)

BOOST_AUTO_TEST_CASE(drop_newest_refuses_what_comes_and_keeps_what_waits)
{
    for (bool const by_events : {false, true}) {
        flood<reliable> f(backpressure::drop_newest_normal, by_events ? 1'000'000 : 20'000, by_events ? 100 : 10'000);
        f.run(400);
        auto const kept = f.accepted();
        BOOST_TEST(kept < 300U);
        BOOST_TEST(kept > 90U);
        f.read();
        auto const got = numbered(*f.slow);
        BOOST_TEST(got.size() == 400U);
        BOOST_TEST(static_cast<std::size_t>(std::ranges::count(got, "gap")) == 400 - kept);
        BOOST_TEST(numbers_in(*f.slow, "note") == count_to(static_cast<int>(kept)), boost::test_tools::per_element());
        auto const t = session_of(f.st).tally();
        BOOST_TEST(t.published == 400U);
        BOOST_TEST(t.dropped == 400 - kept);
    }
}

BOOST_AUTO_TEST_CASE(drop_oldest_takes_from_normal_then_from_batch_and_never_what_is_high_or_critical)
{
    for (bool const by_events : {false, true}) {
        flood<reliable> f(backpressure::drop_oldest_normal, by_events ? 80'000 : 20'000, by_events ? 150 : 10'000);
        f.run(400, true);
        f.emit(vital{400, {}});
        f.read();
        auto const got = numbered(*f.slow);
        BOOST_TEST(got.size() == 401U);
        BOOST_TEST(f.accepted() == 400U);  // at hand nothing was refused
        BOOST_TEST(numbers_in(*f.slow, "urgent").size() == 100U);
        BOOST_TEST(numbers_in(*f.slow, "vital").size() == 1U);
        auto const notes = numbers_in(*f.slow, "note");
        BOOST_TEST(notes.size() < 180U);
        BOOST_TEST(notes.back() == 399);
        BOOST_TEST(std::ranges::is_sorted(notes));
        BOOST_TEST(session_of(f.st).tally().dropped == static_cast<std::size_t>(std::ranges::count(got, "gap")));
    }
}

BOOST_AUTO_TEST_CASE(drop_oldest_spares_batch_while_there_is_normal)
{
    flood<reliable> f(backpressure::drop_oldest_normal, 1'000'000, 100);
    inside(f.st, *f.driver, [&](auto&) {
        auto& s = session_of(f.st);
        for (int i = 0; i < 20; ++i)
            s.emit(note{i, std::string(1000, 'x')});  // more than the network takes
    });
    f.st.world.run_for(100ms);
    inside(f.st, *f.driver, [&](auto&) {
        auto& s = session_of(f.st);
        for (int i = 0; i < 40; ++i)
            s.emit(bulk{i});
        for (int i = 0; i < 40; ++i)
            s.emit(note{100 + i, {}});
        for (int i = 0; i < 70; ++i)
            s.emit(urgent{i});
    });
    f.read();
    BOOST_TEST(numbers_in(*f.slow, "urgent") == count_to(70), boost::test_tools::per_element());
    auto const bulks = numbers_in(*f.slow, "bulk");
    if (!numbers_in(*f.slow, "note").empty() && numbers_in(*f.slow, "note").back() >= 100)
        BOOST_TEST(bulks == count_to(40), boost::test_tools::per_element());
    else
        BOOST_TEST(bulks == count_to(40, 40 - static_cast<int>(bulks.size())), boost::test_tools::per_element());
    BOOST_TEST(session_of(f.st).tally().dropped > 0U);
}

BOOST_AUTO_TEST_CASE(the_application_is_told_the_numbers_that_the_client_is_told)
{
    for (auto const choice : {backpressure::drop_newest_normal, backpressure::drop_oldest_normal}) {
        flood<reliable> f(choice, 20'000);
        for (int round = 0; round < 5; ++round) {
            f.run(300, true, round * 300);
            f.read();
            f.slow->read(false);
            f.st.world.run_for(100ms);
        }
        f.read();
        auto const got = numbered(*f.slow);
        BOOST_TEST(got.size() == 1500U);
        std::vector<std::string> by_application(got.size(), "");
        for (auto const& d : f.st.j.drops) {
            BOOST_TEST(d.events == d.to - d.from + 1);
            BOOST_TEST((d.why == pc::loss::evicted));
            for (auto n = d.from; n <= d.to; ++n)
                by_application.at(n - 1) = "gap";
        }
        for (std::size_t i = 0; i < got.size(); ++i)
            BOOST_TEST((got[i] == "gap") == (by_application[i] == "gap"));
        BOOST_TEST(f.st.j.drops.size() >= 5U);
    }
}

BOOST_AUTO_TEST_CASE(a_session_that_does_not_count_is_dropped_from_as_well_and_the_application_told)
{
    for (auto const choice : {backpressure::drop_newest_normal, backpressure::drop_oldest_normal}) {
        flood<once> f(choice, 20'000);
        f.run(400, true);
        f.emit(vital{400, {}});
        f.read();
        auto const t = session_of(f.st).tally();
        BOOST_TEST(t.published == 401U);
        BOOST_TEST(t.pending == 0U);
        BOOST_TEST(t.dropped > 0U);
        BOOST_TEST(told(*f.slow).size() == t.delivered);
        BOOST_TEST(numbers_in(*f.slow, "vital").size() == 1U);
        std::uint64_t reported = 0;
        for (auto const& d : f.st.j.drops)
            reported += d.events;
        BOOST_TEST(reported == t.dropped);
    }
}

BOOST_AUTO_TEST_CASE(a_critical_event_that_finds_no_room_closes_the_connection_and_not_the_session)
{
    flood<reliable> f(backpressure::drop_newest_normal, 20'000);
    inside(f.st, *f.driver, [&](auto&) {
        auto& s = session_of(f.st);
        while (f.outcomes.size() < 1000 && pc::accepted(s.emit(vital{static_cast<int>(f.outcomes.size()), hundred})))
            f.outcomes.push_back(pc::outcome::queued);
    });
    watch(f.st, 10s, f.most);
    BOOST_TEST(f.st.j.away == 1);
    auto& q = come_back(f.st, *f.slow, 0);
    watch(f.st, 10s, f.most + (1 << 20));
    auto const got = numbered(q);
    BOOST_TEST(got.size() == f.accepted() + 1);
    BOOST_TEST(std::ranges::count(got, "gap") == 1);  // the one that was refused, and said so
    BOOST_TEST(numbers_in(q, "vital") == count_to(static_cast<int>(f.accepted())), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(an_event_larger_than_the_outbox_is_refused_and_the_client_told_at_once)
{
    flood<reliable> f(backpressure::drop_newest_normal, 20'000);
    f.slow->read(true);
    inside(f.st, *f.driver, [&](auto&) {
        BOOST_TEST((session_of(f.st).emit(note{1, std::string(30'000, 'x')}) == pc::outcome::over_budget));
    });
    f.st.settle();
    BOOST_TEST(numbered(*f.slow).size() == 1U);
    BOOST_TEST(f.st.j.drops.size() == 1U);
}

BOOST_AUTO_TEST_SUITE_END()
