// A room with a history: its events carry offsets, in order at every member, and who joins with what it has gets the rest,
// exactly, or is told that it cannot be had.

#include "../support/workshop.hpp"

#include <boost/test/unit_test.hpp>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

using namespace support;

namespace {

using reliable = reliable_workshop<>;
using plain = pc::server<workshop, sim>;

pc::server_options keeping(std::size_t events, std::uint32_t shards = 1)
{
    return {.shards = shards, .history = {.max_events = events}};
}
std::string a_join(std::string_view room, int since = -1, std::string_view epoch = {})
{
    std::string text = R"({"type":"$join","room":")" + std::string(room) + "\"";
    if (since >= 0)
        text += ",\"since\":" + std::to_string(since) + ",\"epoch\":\"" + std::string(epoch) + "\"";
    return text + "}";
}
template <class Peer>
std::string epoch_of(Peer const& p)
{
    return field(hello_of(p), "epoch");
}
/// Joins and returns the answer.
template <class Stage, class Peer>
std::string joins(Stage& st, Peer& p, int since = -1, std::string_view epoch = {}, std::string_view room = "hall")
{
    auto const before = heard(p, "$ok").size();
    say(p, a_join(room, since, epoch));
    BOOST_REQUIRE(st.until([&] { return heard(p, "$ok").size() > before; }));
    st.settle();
    return heard(p, "$ok").back();
}
/// Of the room's events, in the order they came.
template <class Peer>
std::vector<int> offsets(Peer const& p, std::string_view room = "hall")
{
    std::vector<int> all;
    for (auto const& e : heard(p))
        if (!type_of(e).starts_with('$') && field(e, "room") == room)
            all.push_back(std::stoi(field(e, "offset")));
    return all;
}
/// One event to the room, of another lane each.
template <class Room>
pc::sent say_something(Room&& room, int n)
{
    switch (n % 5) {
    case 0: return std::forward<Room>(room).emit(note{n, {}});
    case 1: return std::forward<Room>(room).emit(urgent{n});
    case 2: return std::forward<Room>(room).emit(bulk{n});
    case 3: return std::forward<Room>(room).emit(vital{n, {}});
    default: return std::forward<Room>(room).emit(fence{n});
    }
}
template <class Stage>
void fill(Stage& st, int count, std::string_view text = {}, std::string_view room = "hall")
{
    for (int i = 0; i < count; ++i)
        BOOST_REQUIRE((st.server->emitter().to_room(room).emit(note{i, std::string(text)}).status == pc::outcome::queued));
    st.settle();
}

}  // namespace

BOOST_AUTO_TEST_SUITE(history_of_rooms)

BOOST_AUTO_TEST_CASE(offsets_come_in_order_to_every_member_whatever_the_lane_and_whoever_emits)
{
    for (std::uint32_t const shards : {1u, 3u})
        for (std::uint64_t seed = 1; seed <= 4; ++seed) {
            stage<reliable> st(keeping(100, shards), seed);
            std::vector<decltype(&enter(st, {}))> members;
            for (int i = 0; i < 5; ++i) {
                members.push_back(&enter(st, i == 4 ? manner{.token = ""} : manner{}));
                say(*members.back(), a_join("hall"));
            }
            st.settle();
            int n = 0;
            for (int round = 0; round < 20; ++round) {
                st.server->emitter().to_room("elsewhere").emit(note{round, {}});
                say_something(st.server->emitter().to_room("hall"), n++);
                inside(st, *members[st.world.chance().below(5)], [&](auto& s) {
                    say_something(s.to_room("hall"), n++);
                    say_something(st.server->emitter().to_room("hall"), n++);
                    say_something(s.to_room("hall"), n++);
                });
                say_something(st.server->emitter().to_room("hall"), n++);
            }
            st.world.run_for(3s);
            for (auto* const m : members) {
                BOOST_TEST(offsets(*m) == count_to(101, 1), boost::test_tools::per_element());
                BOOST_TEST(told(*m) == told(*members[0]), boost::test_tools::per_element());
            }
        }
}

BOOST_AUTO_TEST_CASE(who_joins_with_what_it_has_gets_the_rest)
{
    stage<reliable> st(keeping(100));
    fill(st, 10);
    for (int since = 0; since <= 10; ++since) {
        auto& p = enter(st, {});
        auto const ok = joins(st, p, since, epoch_of(p));
        BOOST_TEST(field(ok, "recovered") == "true");
        BOOST_TEST(field(ok, "offset") == "10");
        BOOST_TEST(field(ok, "epoch") == epoch_of(p));
        BOOST_TEST(field(ok, "room") == "hall");
        BOOST_TEST(offsets(p) == count_to(11, since + 1), boost::test_tools::per_element());
        BOOST_TEST(numbers_of(p, "note") == count_to(10, since), boost::test_tools::per_element());
    }
}

BOOST_AUTO_TEST_CASE(what_cannot_be_had_is_denied_and_nothing_is_replayed)
{
    stage<reliable> st(keeping(5));
    fill(st, 10);
    auto const epoch = epoch_of(enter(st, {}));
    struct {
        int since;
        std::string epoch;
    } const cases[] = {{7, "another"}, {10, "another"}, {7, ""}, {4, epoch}, {0, epoch}, {11, epoch}, {1'000'000, epoch}};
    for (auto const& c : cases) {
        auto& p = enter(st, {});
        auto const ok = joins(st, p, c.since, c.epoch);
        BOOST_TEST_CONTEXT(c.since << " of " << c.epoch) {
            BOOST_TEST(field(ok, "recovered") == "false");
            BOOST_TEST(field(ok, "offset") == "10");
            BOOST_TEST(field(ok, "epoch") == epoch);
            BOOST_TEST(offsets(p).empty());
        }
    }
    fill(st, 1);
    for (auto& p : st.peers)
        if (!heard(p, "$ok").empty())
            BOOST_TEST(offsets(p) == std::vector{11}, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(who_says_nothing_of_what_it_has_gets_what_comes)
{
    stage<reliable> st(keeping(100));
    fill(st, 3);
    auto& p = enter(st, {});
    auto const ok = joins(st, p);
    BOOST_TEST(field(ok, "recovered") == "");
    BOOST_TEST(field(ok, "offset") == "3");
    fill(st, 2);
    BOOST_TEST(offsets(p) == count_to(6, 4), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(between_what_is_replayed_and_what_comes_live_there_is_no_hole_and_no_overlap)
{
    for (std::uint32_t const shards : {1u, 3u})
        for (std::uint64_t seed = 1; seed <= 40; ++seed) {
            stage<reliable> st(keeping(1000, shards), seed);
            auto& member = enter(st, {});
            auto& other = enter(st, {});
            auto& late = enter(st, {});
            joins(st, member);
            auto& chance = st.world.chance();
            int n = 0;
            auto const some = [&] {
                for (auto left = chance.below(6); left-- > 0;)
                    switch (chance.below(3)) {
                    case 0: say_something(st.server->emitter().to_room("hall"), n++); break;
                    case 1: inside(st, other, [&](auto& s) { say_something(s.to_room("hall"), n++); }); break;
                    default: st.world.run_for(std::chrono::microseconds(chance.below(400)));
                    }
            };
            some();
            say_something(st.server->emitter().to_room("hall"), n++);
            auto const since = static_cast<int>(chance.below(static_cast<std::uint64_t>(n)));
            some();
            // In one message with orders: what their handlers emit is in the same turn as the join.
            st.server->app().script = [&](void* s) {
                say_something(static_cast<reliable::session_type*>(s)->to_room("hall"), n++);
                st.server->app().script = [&](void* again) {
                    say_something(static_cast<reliable::session_type*>(again)->to_room("hall"), n++);
                };
            };
            say(late, an_order("run") + "\n" + a_join("hall", since, epoch_of(late)) + "\n" + an_order("run"));
            for (int i = 0; i < 8; ++i) {
                say_something(st.server->emitter().to_room("hall"), n++);
                st.world.run_for(std::chrono::microseconds(chance.below(300)));
            }
            st.until([&] { return !heard(late, "$ok").empty(); });
            some();
            st.world.run_for(3s);
            BOOST_TEST_CONTEXT("seed " << seed << ", since " << since) {
                BOOST_TEST(field(heard(late, "$ok").at(0), "recovered") == "true");
                BOOST_TEST(offsets(member) == count_to(n + 1, 1), boost::test_tools::per_element());
                BOOST_TEST(offsets(late) == count_to(n + 1, since + 1), boost::test_tools::per_element());
            }
        }
}

BOOST_AUTO_TEST_CASE(history_is_bounded_by_events_bytes_and_age)
{
    auto const reaches = [](pc::history_options const& bounds, int since, std::chrono::seconds wait = 0s) {
        stage<reliable> st({.history = bounds});
        fill(st, 20, std::string(100, 'x'));  // about 200 bytes each
        st.world.run_for(wait);
        fill(st, 1);
        auto& p = enter(st, {});
        bool const recovered = field(joins(st, p, since, epoch_of(p)), "recovered") == "true";
        BOOST_TEST(offsets(p) == (recovered ? count_to(22, since + 1) : std::vector<int>()), boost::test_tools::per_element());
        return recovered;
    };
    BOOST_TEST(reaches({.max_events = 6}, 15));
    BOOST_TEST(!reaches({.max_events = 6}, 14));
    BOOST_TEST(reaches({.max_events = 100, .max_bytes = 2000}, 15));
    BOOST_TEST(!reaches({.max_events = 100, .max_bytes = 2000}, 5));
    BOOST_TEST(reaches({.max_events = 100, .max_age = 10s}, 0, 9s));
    BOOST_TEST(!reaches({.max_events = 100, .max_age = 10s}, 19, 11s));
    BOOST_TEST(reaches({.max_events = 100, .max_age = 10s}, 20, 11s));
}

BOOST_AUTO_TEST_CASE(a_room_without_events_has_nothing_to_recover)
{
    stage<reliable> st(keeping(10));
    auto& p = enter(st, {});
    auto ok = joins(st, p, 0, epoch_of(p));
    BOOST_TEST(field(ok, "recovered") == "true");
    BOOST_TEST(field(ok, "offset") == "0");
    auto& q = enter(st, {});
    BOOST_TEST(field(joins(st, q, 3, epoch_of(q)), "recovered") == "false");
    auto& r = enter(st, {});
    BOOST_TEST(field(joins(st, r), "recovered") == "");
    fill(st, 2);
    for (auto* const peer : {&p, &q, &r})
        BOOST_TEST(offsets(*peer) == count_to(3, 1), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(who_leaves_and_joins_again_gets_what_was_missed)
{
    stage<reliable> st(keeping(10));
    auto& p = enter(st, {});
    joins(st, p);
    for (int round = 0; round < 3; ++round) {
        fill(st, 1);
        say(p, R"({"type":"$leave","room":"hall"})");
        st.settle();
        fill(st, 2);
        BOOST_TEST(offsets(p).size() == static_cast<std::size_t>(round * 3 + 1));
        BOOST_TEST(field(joins(st, p, round * 3 + 1, epoch_of(p)), "recovered") == "true");
    }
    BOOST_TEST(offsets(p) == count_to(10, 1), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_handler_that_emits_to_a_room_that_nobody_is_in_is_heard_by_who_comes_later)
{
    for (std::uint32_t const shards : {1u, 3u}) {
        stage<plain> st(keeping(10, shards));
        auto& p = enter(st, {});
        inside(st, p, [](auto& s) {
            for (int i = 0; i < 4; ++i)
                s.to_room("hall").emit(note{i, {}});
        });
        auto& q = enter(st, {.token = ""});  // a peer that does not count gets the past as well
        BOOST_TEST(field(joins(st, q, 1, epoch_of(p)), "recovered") == "true");
        BOOST_TEST(offsets(q) == count_to(5, 2), boost::test_tools::per_element());
    }
}

BOOST_AUTO_TEST_SUITE_END()
