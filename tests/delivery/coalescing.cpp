// Events that coalesce, through a real server: fewer frames, the same text, nothing overtaken, and sums that are right.

#include "../support/workshop.hpp"

#include <polycast/compression/deflate.hpp>
#include <polycast/serializer/msgpack.hpp>

#include <boost/test/unit_test.hpp>

#include <string>
#include <string_view>
#include <vector>

using namespace support;

namespace {

template <class... Policies>
using once = pc::server<workshop, sim, Policies...>;
using windowed = pc::batching::window<10, 2000>;

template <class Peer>
std::string text_of(Peer const& p, std::string_view type, std::string_view run = "r1")
{
    std::string all;
    for (auto const& e : heard(p, type))
        if (field(e, "run_id") == run)
            all += field(e, "text");
    return all;
}
std::string token(int i)
{
    return "t" + std::to_string(i) + (i % 7 == 0 ? ". " : " ");
}
std::string answer_of(int tokens)
{
    std::string all;
    for (int i = 0; i < tokens; ++i)
        all += token(i);
    return all;
}
/// 500 tokens, 30 a second, to one user who reads.
template <class Server>
void an_answer(manner const& m, std::size_t most_frames)
{
    stage<Server> st;
    auto& p = enter(st, m);
    auto const begun = p.frames.size();
    auto const out = st.server->emitter();
    for (int i = 0; i < 500; ++i) {
        out.to_user(m.user).emit(delta{"r1", token(i)});
        BOOST_REQUIRE(balanced(st));
        st.world.run_for(33'333us);
    }
    st.world.run_for(3s);
    BOOST_TEST(text_of(p, "delta") == answer_of(500));
    BOOST_TEST(p.frames.size() - begun <= most_frames);
    auto const events = heard(p, "delta").size();
    auto const t = session_of(st).tally();
    BOOST_TEST(t.published == 500U);
    BOOST_TEST(t.coalesced == 500 - events);
    BOOST_TEST(t.dropped == 0U);
    BOOST_TEST(st.server->count(pc::metric::coalesced) == t.coalesced);
    if constexpr (Server::composition::delivery::resumes) {
        say(p, R"({"type":"$ack","received":)" + std::to_string(events) + "}");  // by what was counted
        st.settle();
        BOOST_TEST(session_of(st).tally().delivered == events);
        BOOST_TEST(session_of(st).tally().pending == 0U);
    } else {
        BOOST_TEST(t.delivered == events);
    }
}

}  // namespace

BOOST_AUTO_TEST_SUITE(coalescing_in_a_server)

BOOST_AUTO_TEST_CASE(an_answer_of_500_tokens_leaves_in_25_frames_and_its_text_is_whole)
{
    an_answer<once<>>({.user = "ada"}, 25);
    an_answer<once<windowed>>({.user = "ada"}, 25);
    an_answer<reliable_workshop<>>({.user = "ada"}, 25);
    an_answer<reliable_workshop<windowed>>({.user = "ada"}, 25);
}

BOOST_AUTO_TEST_CASE(two_runs_at_once_keep_their_texts_apart)
{
    stage<reliable_workshop<>> st;
    auto& p = enter(st, {.user = "ada"});
    for (int i = 0; i < 200; ++i) {
        st.server->emitter().to_user("ada").emit(delta{i % 2 == 0 ? "r1" : "r2", token(i / 2)});
        st.world.run_for(17ms);
    }
    st.world.run_for(3s);
    BOOST_TEST(text_of(p, "delta", "r1") == answer_of(100));
    BOOST_TEST(text_of(p, "delta", "r2") == answer_of(100));
    BOOST_TEST(heard(p, "delta").size() <= 8U);
}

BOOST_AUTO_TEST_CASE(of_a_gauge_the_latest_of_each_key_arrives)
{
    stage<reliable_workshop<>> st;
    auto& p = enter(st, {.user = "ada"});
    inside(st, p, [](auto& s) {
        for (int i = 0; i < 30; ++i)
            s.emit(gauge{i % 3 == 0 ? "cpu" : "disk", i});
    });
    st.settle();
    BOOST_TEST(told(p) == (std::vector<std::string>{"gauge 27", "gauge 29"}), boost::test_tools::per_element());
    BOOST_TEST(session_of(st).tally().coalesced == 28U);
}

BOOST_AUTO_TEST_CASE(text_does_not_cross_a_barrier_or_a_critical_event)
{
    auto const in_order = [](auto&& st, auto const& wall, std::string_view type) {
        auto& p = enter(st, {.user = "ada"});
        auto const out = st.server->emitter();
        for (int i = 0; i < 9; ++i) {
            if (i == 3 || i == 6)
                out.to_user("ada").emit(wall);
            out.to_user("ada").emit(delta{"r1", std::to_string(i)});
            out.to_user("ada").emit(word{"r1", std::to_string(i)});
            out.to_user("ada").emit(gauge{"cpu", i});
        }
        st.world.run_for(3s);
        std::string deltas, words, gauges;
        for (auto const& e : heard(p)) {
            if (type_of(e) == type)
                deltas += "|", words += "|", gauges += "|";
            (type_of(e) == "delta" ? deltas : type_of(e) == "word" ? words : gauges) += field(e, "text");
            if (type_of(e) == "gauge")
                gauges += field(e, "n");
        }
        BOOST_TEST(deltas == "012|345|678");
        BOOST_TEST(words == "012|345|678");
        BOOST_TEST(gauges == "2|5|8");
    };
    in_order(stage<reliable_workshop<>>(), vital{1, {}}, "vital");
    in_order(stage<reliable_workshop<windowed>>(), fence{1}, "fence");
    in_order(stage<once<>>(), vital{1, {}}, "vital");
    in_order(stage<once<windowed>>(), fence{1}, "fence");
}

BOOST_AUTO_TEST_CASE(what_waits_for_a_lost_client_coalesces_and_is_counted_after)
{
    stage<reliable_workshop<>> st;
    auto& p = enter(st, {.user = "ada"});
    p.drop();
    st.until([&] { return st.j.away == 1; });
    auto const out = st.server->emitter();
    for (int i = 0; i < 100; ++i) {
        out.to_user("ada").emit(word{"r1", token(i)});
        out.to_user("ada").emit(gauge{"cpu", i});
        st.world.run_for(1ms);
        BOOST_REQUIRE(balanced(st));
    }
    auto& q = come_back(st, p, 0, {.user = "ada"});
    st.settle();
    BOOST_TEST(text_of(q, "word") == answer_of(100));
    BOOST_TEST(numbers_in(q, "gauge") == std::vector{99}, boost::test_tools::per_element());
    BOOST_TEST(heard(q, "word").size() == 1U);
    q.drop();
    auto& r = come_back(st, p, 1, {.user = "ada"});
    st.settle();
    BOOST_TEST(told(r).size() == 1U);  // two were counted
}

BOOST_AUTO_TEST_CASE(an_answer_to_a_request_is_not_swallowed_by_what_follows)
{
    stage<reliable_workshop<>> st;
    auto& p = enter(st, {});
    for (int id = 1; id <= 4; ++id)
        say(p, R"({"type":"ask","id":)" + std::to_string(id) + R"(,"data":{"text":"a"}})");
    inside(st, p, [](auto& s) { s.emit(delta{"r1", "b"}); });
    st.world.run_for(3s);
    std::vector<std::string> ids;
    for (auto const& e : heard(p, "delta"))
        ids.push_back(field(e, "id"));
    BOOST_TEST(text_of(p, "delta") == "aaaab");
    BOOST_TEST(ids == (std::vector<std::string>{"1", "2", "3", "4", ""}), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(slow_readers_of_a_room_share_what_was_merged)
{
    // One merge makes a frame for all of them: each has the same bytes, and as much memory is taken as by one.
    stage<once<>> st({}, 1, {.send_window_bytes = 1000});
    std::vector<decltype(&enter(st, {}))> slow;
    for (int i = 0; i < 4; ++i) {
        slow.push_back(&enter(st, {.reads = false}));
        say(*slow.back(), R"({"type":"$join","id":1,"room":"hall"})");
    }
    st.settle();
    auto const out = st.server->emitter();
    out.to_room("hall").emit(note{0, std::string(3000, 'x')});
    st.settle();
    for (int i = 0; i < 300; ++i) {
        out.to_room("hall").emit(word{"r1", token(i)});
        st.world.run_for(1ms);
        BOOST_REQUIRE(balanced(st));
    }
    for (std::size_t i = 0; i < 4; ++i) {
        BOOST_TEST(session_of(st, i).tally().coalesced == 299U);
        BOOST_TEST(session_of(st, i).queued_bytes() < 6000U);
        slow[i]->read(true);
    }
    st.world.run_for(1s);
    for (auto* const p : slow) {
        BOOST_TEST(text_of(*p, "word") == answer_of(300));
        BOOST_TEST(heard(*p, "word") == heard(*slow[0], "word"), boost::test_tools::per_element());
    }
}

BOOST_AUTO_TEST_SUITE_END()
