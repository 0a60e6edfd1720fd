// The order of what waits: control above all, lanes by weight, none starves, a barrier is never overtaken, and numbers follow
// the wire.

#include "../support/workshop.hpp"

#include <boost/mpl/list.hpp>
#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <map>
#include <string>
#include <string_view>
#include <vector>

using namespace support;

namespace {

using reliable = reliable_workshop<>;
using once = pc::server<workshop, sim>;
using windowed = reliable_workshop<pc::batching::window<10, 2000>>;

using both = boost::mpl::list<once, reliable>;
using all_three = boost::mpl::list<once, reliable, windowed>;

pc::transport::network_options narrow()
{
    return {.max_segment_bytes = 400, .send_window_bytes = 500};
}
/// A peer that does not read, with a network that takes next to nothing.
template <class Server>
struct jam {
    stage<Server> st{pc::server_options{}, 1, narrow()};
    decltype(&enter(st, {})) slow = &enter(st, {.reads = false});
    decltype(&enter(st, {})) driver = &enter(st, {});

    template <class F>
    void emits(F f)
    {
        inside(st, *driver, [&](auto&) { f(session_of(st)); });
    }
    std::vector<std::string> reads()
    {
        slow->read(true);
        st.world.run_for(30s);
        return told(*slow);
    }
};
template <class Strings>
std::size_t index_of(Strings const& all, std::string_view what)
{
    auto const at = std::ranges::find(all, what);
    BOOST_REQUIRE(at != all.end());
    return static_cast<std::size_t>(at - all.begin());
}

}  // namespace

BOOST_AUTO_TEST_SUITE(lanes_on_the_wire)

BOOST_AUTO_TEST_CASE_TEMPLATE(no_lane_starves_and_each_keeps_its_order, Server, both)
{
    jam<Server> j;
    j.emits([](auto& s) {
        for (int i = 0; i < 800; ++i) {
            s.emit(bulk{i});
            s.emit(note{i, {}});
            s.emit(urgent{i});
        }
    });
    j.st.world.run_for(3s);  // every window is over
    auto const all = j.reads();
    BOOST_REQUIRE(all.size() == 2400U);
    std::map<std::string, int> next;
    for (auto const& e : all) {
        auto const type = e.substr(0, e.find(' '));
        BOOST_TEST(e == type + " " + std::to_string(next[type]++));
    }
    if constexpr (Server::composition::delivery::resumes) {
        // While all three wait, of sixteen in a row one is bulk and four or more are notes. (Who does not count gets all
        // bulk of a window in one frame.)
        auto const at = [&](std::string_view type, bool last) {
            auto const is = [&](std::string const& e) { return e.starts_with(type); };
            return last ? all.rend() - std::ranges::find_if(all.rbegin(), all.rend(), is) - 1
                        : std::ranges::find_if(all, is) - all.begin();
        };
        auto const begin = at("bulk", false);
        auto const end = std::min({at("bulk", true), at("note", true), at("urgent", true)});
        BOOST_TEST(end - begin > 100);
        for (auto i = begin; i + 16 < end; ++i) {
            auto const share = [&](std::string_view type) {
                return std::count_if(all.begin() + i, all.begin() + i + 16, [&](auto const& e) { return e.starts_with(type); });
            };
            BOOST_TEST(share("bulk") >= 1);
            BOOST_TEST(share("note") >= 4);
            BOOST_TEST(share("urgent") >= 9);
        }
    }
}

BOOST_AUTO_TEST_CASE_TEMPLATE(an_answer_goes_before_all_that_waits, Server, both)
{
    jam<Server> j;
    j.emits([](auto& s) {
        for (int i = 0; i < 500; ++i)
            s.emit(urgent{i});
    });
    j.st.settle();
    say(*j.slow, R"({"type":"$ping"})");
    j.slow->ping("rfc");
    j.st.settle();
    j.reads();
    auto const all = heard(*j.slow);
    auto const at = static_cast<std::size_t>(std::ranges::find_if(all, [](auto& e) { return type_of(e) == "$pong"; }) - all.begin());
    BOOST_TEST(at < 40U);  // what the network and the half-written frame hold
    BOOST_TEST(j.slow->pongs.size() == 1U);
    BOOST_TEST((j.slow->pongs.at(0).at <= j.slow->frames.at(60).at));
}

BOOST_AUTO_TEST_CASE(what_is_high_waits_for_no_window_and_batch_does)
{
    stage<windowed> st;
    auto& p = enter(st, {.user = "ada"});
    auto const out = st.server->emitter();
    auto const begin = st.world.now();
    out.to_user("ada").emit(bulk{1});
    out.to_user("ada").emit(note{1, {}});
    out.to_user("ada").emit(urgent{1});
    st.world.run_for(3s);
    BOOST_TEST(told(p) == (std::vector<std::string>{"urgent 1", "note 1", "bulk 1"}), boost::test_tools::per_element());
    BOOST_TEST((p.frames.at(1).at - begin < 5ms));
    BOOST_TEST((p.frames.at(2).at - begin >= 2000ms));
    BOOST_TEST((p.frames.at(2).at - begin < 2005ms));

    stage<reliable> ticking;
    auto& q = enter(ticking, {.user = "ada"});
    auto const then = ticking.world.now();
    ticking.server->emitter().to_user("ada").emit(bulk{1});
    ticking.server->emitter().to_user("ada").emit(note{1, {}});
    ticking.world.run_for(3s);
    BOOST_TEST(told(q) == (std::vector<std::string>{"note 1", "bulk 1"}), boost::test_tools::per_element());
    BOOST_TEST((q.frames.at(1).at - then < 5ms));
    BOOST_TEST((q.frames.at(2).at - then >= 2000ms));
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_barrier_is_overtaken_by_nothing_and_overtakes_nothing, Server,
                              all_three)
{
    jam<Server> j;
    j.emits([](auto& s) {
        for (int i = 0; i < 300; ++i)
            switch (i % 100 == 50 ? 9 : i % 3) {
            case 0: s.emit(bulk{i}); break;
            case 1: s.emit(note{i, {}}); break;
            case 2: s.emit(urgent{i}); break;
            default: i == 150 ? s.emit(vital{i, {}}) : s.emit(fence{i});
            }
    });
    auto const all = j.reads();
    BOOST_REQUIRE(all.size() == 300U);
    for (int const wall : {50, 150, 250}) {
        auto const at = index_of(all, (wall == 150 ? "vital " : "fence ") + std::to_string(wall));
        BOOST_TEST(at == static_cast<std::size_t>(wall));  // exactly those before it are before it
        for (std::size_t i = 0; i < all.size(); ++i)
            BOOST_TEST((std::stoi(all[i].substr(all[i].find(' '))) < wall) == (i < at));
    }
}

BOOST_AUTO_TEST_CASE(a_barrier_is_not_overtaken_across_a_resume)
{
    stage<windowed> st;
    auto& p = enter(st, {.user = "ada"});
    auto const out = st.server->emitter();
    out.to_user("ada").emit(bulk{1});
    p.drop();
    st.until([&] { return st.j.away == 1; });
    out.to_user("ada").emit(note{2, {}});
    out.to_user("ada").emit(fence{3});
    out.to_user("ada").emit(urgent{4});
    out.to_user("ada").emit(bulk{5});
    auto& q = come_back(st, p, 0, {.user = "ada"});
    out.to_user("ada").emit(fence{6});
    out.to_user("ada").emit(urgent{7});
    st.world.run_for(3s);
    std::vector<std::string> order;
    for (auto const& e : told(q))
        order.push_back(e.substr(e.find(' ') + 1));
    BOOST_REQUIRE(order.size() == 7U);
    std::ranges::sort(order.begin(), order.begin() + 2);  // between barriers the lanes decide
    std::ranges::sort(order.begin() + 3, order.begin() + 5);
    BOOST_TEST(order == (std::vector<std::string>{"1", "2", "3", "4", "5", "6", "7"}), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(wherever_the_stream_is_cut_the_count_makes_it_exactly_once)
{
    for (std::uint64_t cut = 1;; ++cut) {
        stage<reliable> st;
        auto* p = &enter(st, {.user = "ada"});
        auto const out = st.server->emitter();
        st.world.cut_after_bytes(cut);
        std::vector<std::string> has;
        auto const take = [&](auto const& from) {
            for (auto const& e : told(from))
                has.push_back(e);
        };
        for (int i = 0; i < 4; ++i) {
            out.to_user("ada").emit(bulk{i});
            out.to_user("ada").emit(note{i, {}});
            out.to_user("ada").emit(urgent{i});
            if (i == 2)
                out.to_user("ada").emit(vital{i, {}});
            st.world.run_for(100us);
        }
        st.world.run_for(3s);
        bool const whole = !p->ended;
        take(*p);
        if (!whole) {
            BOOST_REQUIRE(st.j.away == 1);
            auto& q = come_back(st, *p, has.size(), {.user = "ada"});
            st.world.run_for(3s);
            BOOST_TEST(field(hello_of(q), "resumed") == "true");
            take(q);
            say(q, R"({"type":"$ack","received":13})");
            st.settle();
            BOOST_TEST((session_of(st).tally() == pc::tally{.published = 13, .delivered = 13}));
        }
        BOOST_TEST_CONTEXT("cut after " << cut) {
            BOOST_TEST(has.size() == 13U);
            std::vector<std::string> sorted = has;
            std::ranges::sort(sorted);
            BOOST_TEST((std::ranges::adjacent_find(sorted) == sorted.end()));
            for (std::string_view const type : {"bulk", "note", "urgent"})
                for (int i = 1; i < 4; ++i)
                    BOOST_TEST(index_of(has, std::string(type) + " " + std::to_string(i - 1)) <
                               index_of(has, std::string(type) + " " + std::to_string(i)));
        }
        if (whole)
            break;
    }
}

BOOST_AUTO_TEST_SUITE_END()
