// The past of a room reaches peers of every serializer and compression, and coalescing takes nothing from it.

#include "../support/workshop.hpp"

#include <polycast/serializer/msgpack.hpp>

#include <boost/test/unit_test.hpp>

#include <string>
#include <string_view>
#include <vector>

using namespace support;

namespace {

template <class... Policies>
using once = pc::server<workshop, sim, Policies...>;
using zstd = pc::compression::zstd<3>;

std::string a_join(std::string_view epoch, int since)
{
    return R"({"type":"$join","id":1,"room":"hall","since":)" + std::to_string(since) + ",\"epoch\":\"" + std::string(epoch) +
           "\"}";
}
template <class Peer>
std::vector<int> offsets(Peer const& p)
{
    std::vector<int> all;
    for (auto const& e : heard(p))
        if (!type_of(e).starts_with('$') && field(e, "room") == "hall")
            all.push_back(std::stoi(field(e, "offset")));
    return all;
}
/// The text of one run, in the order it came, without what a client drops by its offset; `seen` is raised by it.
template <class Peer>
std::string text_of(Peer const& p, std::string_view run, int& seen)
{
    std::string all;
    for (auto const& e : heard(p)) {
        if (type_of(e).starts_with('$'))
            continue;
        if (int const at = std::stoi(field(e, "offset")); at > seen) {
            seen = at;
            if (field(e, "run_id") == run)
                all += field(e, "text");
        }
    }
    return all;
}

template <class Server>
void past_and_present_arrive(std::string_view token)
{
    stage<Server> st({.shards = 2, .history = {.max_events = 100}});
    auto const out = st.server->emitter();
    for (int i = 0; i < 6; ++i)
        out.to_room("hall").emit(note{i, std::string(static_cast<std::size_t>(i) * 100, 'x')});
    for (int i = 0; i < 3; ++i)
        out.to_room("hall").emit(word{"r", std::to_string(i)});
    st.settle();
    auto& p = enter(st, {.token = std::string(token)});
    say(p, a_join(field(hello_of(p), "epoch"), 2));
    st.settle();
    out.to_room("hall").emit(vital{6, {}});
    out.to_room("hall").emit(word{"r", "3"});
    st.settle();
    BOOST_TEST(p.token() == token);
    BOOST_TEST(field(heard(p, "$ok").at(0), "recovered") == "true");
    BOOST_TEST(numbers_in(p, "note") == count_to(6, 2), boost::test_tools::per_element());
    BOOST_TEST(numbers_in(p, "vital") == std::vector{6}, boost::test_tools::per_element());
    int seen = 2;
    BOOST_TEST(text_of(p, "r", seen) == "0123");
    BOOST_TEST(seen == 11);
    for (auto const& e : heard(p))
        BOOST_TEST(e != "broken");
}

}  // namespace

BOOST_AUTO_TEST_SUITE(history_in_every_form)

BOOST_AUTO_TEST_CASE(past_and_present_arrive_in_json)
{
    past_and_present_arrive<reliable_workshop<zstd>>("polycast.v1.json");
    past_and_present_arrive<reliable_workshop<zstd>>("polycast.v1.json.zstd");
}
BOOST_AUTO_TEST_CASE(past_and_present_arrive_in_messagepack)
{
    past_and_present_arrive<reliable_workshop<pc::serializer::msgpack, zstd>>("polycast.v1.msgpack");
    past_and_present_arrive<reliable_workshop<pc::serializer::msgpack, zstd>>("polycast.v1.msgpack.zstd");
}
BOOST_AUTO_TEST_CASE(past_and_present_arrive_at_peers_that_do_not_count)
{
    past_and_present_arrive<once<zstd>>("polycast.v1.json.zstd");
    past_and_present_arrive<once<pc::serializer::msgpack, zstd>>("polycast.v1.msgpack");
    past_and_present_arrive<once<pc::serializer::msgpack, zstd>>("polycast.v1.msgpack.zstd");
}

BOOST_AUTO_TEST_CASE(who_has_seen_an_offset_has_the_text_of_all_below)
{
    // The connection ends after each byte in turn: what a client then has, and what it gets for the last offset it saw, is
    // the whole text of each run.
    for (std::uint64_t cut = 1;; ++cut) {
        stage<once<>> st({.history = {.max_events = 100}});
        auto& p = enter(st, {});
        auto const epoch = field(hello_of(p), "epoch");
        say(p, a_join(epoch, 0));
        st.settle();
        st.world.cut_after_bytes(cut);
        for (int i = 0; i < 3; ++i) {  // taken in one turn
            st.server->emitter().to_room("hall").emit(word{"a", "a" + std::to_string(i)});
            st.server->emitter().to_room("hall").emit(word{"b", "b" + std::to_string(i)});
        }
        st.world.run_for(1s);
        bool const whole = !p.ended;
        int seen_by_a = 0;
        int seen_by_b = 0;
        auto a = text_of(p, "a", seen_by_a);
        auto b = text_of(p, "b", seen_by_b);
        auto& q = enter(st, {});
        say(q, a_join(epoch, seen_by_a));
        st.world.run_for(1s);
        BOOST_TEST_CONTEXT("cut after " << cut << ", seen " << seen_by_a) {
            BOOST_TEST(a + text_of(q, "a", seen_by_a) == "a0a1a2");
            BOOST_TEST(b + text_of(q, "b", seen_by_b) == "b0b1b2");
        }
        if (whole)
            break;
    }
}

BOOST_AUTO_TEST_CASE(a_past_that_does_not_fit_the_outbox_is_denied_as_a_whole)
{
    for (int const events : {10, 40}) {
        stage<once<>> st({.max_outbox_bytes = 10'000, .history = {.max_events = 100}});
        for (int i = 0; i < events; ++i)
            st.server->emitter().to_room("hall").emit(note{i, std::string(300, 'x')});
        st.settle();
        auto& p = enter(st, {});
        say(p, a_join(field(hello_of(p), "epoch"), 0));
        st.settle();
        BOOST_TEST(field(heard(p, "$ok").at(0), "recovered") == (events == 10 ? "true" : "false"));
        BOOST_TEST(offsets(p) == (events == 10 ? count_to(11, 1) : std::vector<int>()), boost::test_tools::per_element());
    }
}

BOOST_AUTO_TEST_CASE(an_event_that_finds_a_mailbox_full_leaves_no_hole_in_the_offsets)
{
    stage<reliable_workshop<>> st({.shards = 2, .max_mailbox_emissions = 4, .history = {.max_events = 100}});
    std::vector<decltype(&enter(st, {}))> members;
    for (int i = 0; i < 6; ++i) {
        members.push_back(&enter(st, {}));
        say(*members.back(), a_join(field(hello_of(*members.back()), "epoch"), 0));
    }
    st.settle();
    int accepted = 0;
    for (int round = 0; round < 30; ++round) {
        inside(st, *members[0], [&](auto& s) {
            for (int i = 0; i < 3; ++i)
                accepted += pc::accepted(s.to_room("hall").emit(note{i, {}}));
        });
        for (int i = 0; i < 3; ++i)
            accepted += pc::accepted(st.server->emitter().to_room("hall").emit(note{i, {}}));
    }
    st.world.run_for(1s);
    BOOST_TEST(accepted > 60);
    for (auto* const m : members)
        BOOST_TEST(offsets(*m) == count_to(accepted + 1, 1), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_SUITE_END()
