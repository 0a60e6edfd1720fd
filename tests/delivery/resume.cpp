// A session outlives its connection: what its client has not acknowledged is sent again, in order, and what cannot be is
// named. Peers are raw: the test writes and reads every message.

#include "../support/stage.hpp"

#include <polycast/compression/deflate.hpp>
#include <polycast/delivery/at_least_once.hpp>
#include <polycast/serializer/msgpack.hpp>

#include <boost/test/unit_test.hpp>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

using namespace support;

namespace {

using kept = pc::delivery::at_least_once<>;
using reliable = pc::server<bench, sim, kept>;

peer_options json() { return {.tokens = {"polycast.v1.json"}}; }
peer_options json_user(std::string_view user)
{
    return {.target = "/?user=" + std::string(user), .tokens = {"polycast.v1.json"}};
}
/// A peer that opens by itself: the answer is among its events.
peer_options silent(std::string_view user = {})
{
    auto o = user.empty() ? json() : json_user(user);
    o.says_open = false;
    return o;
}
std::string open_again(std::string_view session, int received)
{
    return R"({"type":"$open","session":")" + std::string(session) + R"(","received":)" + std::to_string(received) + "}";
}
std::string ack(int received)
{
    return R"({"type":"$ack","received":)" + std::to_string(received) + "}";
}

template <class Stage>
auto& resume(Stage& st, std::string_view session, int received, std::string_view user = {})
{
    auto& p = st.join(silent(user));
    p.text(open_again(session, received));
    st.until([&] { return !p.frames.empty() || p.ended; });
    return p;
}
template <class Peer>
std::string hello_of(Peer const& p)
{
    return p.hello.empty() ? events_of(p).at(0) : p.hello;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(resuming_a_session)

BOOST_AUTO_TEST_CASE(a_resumed_session_is_pinged_an_interval_after_it_resumed_whatever_was_pending)
{
    stage<reliable> st;
    auto o = json();
    o.answers_pings = false;
    auto& before = st.join(o);
    auto const session = field(before.hello, "session");
    BOOST_REQUIRE(st.until([&] { return before.pings.size() == 1; }, 40s));
    st.world.run_for(10s);
    before.drop();
    st.settle();
    auto const resumed = st.now();
    auto& after = resume(st, session, 0);
    BOOST_TEST(field(hello_of(after), "resumed") == "true");
    BOOST_REQUIRE(st.until([&] { return !after.pings.empty() || after.ended; }, 60s));
    BOOST_REQUIRE(!after.pings.empty());
    BOOST_TEST((after.pings[0].at - resumed >= 29s));
    BOOST_TEST((after.pings[0].at - resumed <= 32s));
}

BOOST_AUTO_TEST_CASE(a_first_open_names_a_session_and_says_how_to_acknowledge)
{
    stage<reliable> st;
    auto& p = st.join(json());
    BOOST_TEST(type_of(p.hello) == "$hello");
    BOOST_TEST(field(p.hello, "resumed") == "false");
    BOOST_TEST(field(p.hello, "session").size() >= 26U);  // 128 bits and more, 5 a letter
    BOOST_TEST(field(p.hello, "every") == "32");
    BOOST_TEST(field(p.hello, "within_ms") == "500");
    auto& q = st.join(json());
    BOOST_TEST(field(p.hello, "session") != field(q.hello, "session"));
}

BOOST_AUTO_TEST_CASE(what_was_not_acknowledged_is_sent_again_in_order)
{
    stage<reliable> st;
    auto& p = st.join(json());
    p.text(an_order("notes", 10));
    st.until([&] { return numbers_of(p, "note").size() == 10; });
    p.drop();
    auto& q = resume(st, field(p.hello, "session"), 4);
    st.until([&] { return numbers_of(q, "note").size() == 6; });
    st.settle();
    BOOST_TEST(field(hello_of(q), "resumed") == "true");
    BOOST_TEST(field(hello_of(q), "session") == field(p.hello, "session"));
    BOOST_TEST(numbers_of(q, "note") == count_to(10, 4), boost::test_tools::per_element());
    BOOST_TEST(st.j.opens() == 1U);
    BOOST_TEST(st.j.closes() == 0U);
    BOOST_TEST(st.server->count(pc::metric::resumed) == 1U);
}

BOOST_AUTO_TEST_CASE(what_was_acknowledged_is_not_sent_again)
{
    stage<reliable> st;
    auto& p = st.join(json());
    p.text(an_order("notes", 10));
    st.until([&] { return numbers_of(p, "note").size() == 10; });
    p.text(ack(10));
    st.settle();
    BOOST_TEST(st.server->count(pc::metric::delivered) == 10U);
    p.drop();
    auto& q = resume(st, field(p.hello, "session"), 0);  // it forgot: nobody can help it
    st.settle();
    BOOST_TEST(numbers_of(q, "note").empty());
    BOOST_TEST(types_of(q).at(1) == "$gap");
    BOOST_TEST(field(events_of(q).at(1), "from") == "1");
    BOOST_TEST(field(events_of(q).at(1), "to") == "10");
}

BOOST_AUTO_TEST_CASE(what_is_emitted_while_nobody_is_connected_waits)
{
    stage<reliable> st;
    auto& p = st.join(json_user("ada"));
    p.drop();
    st.until([&] { return st.server->count(pc::metric::away) == 1; });
    auto const out = st.server->emitter();
    for (int i = 0; i < 5; ++i)
        BOOST_TEST((out.to_user("ada").emit(note{i, "while away"}).status == pc::outcome::queued));
    auto const h = st.j.opened.at(0);
    BOOST_TEST((out.to_session(h).emit(note{5, "by its handle"}).status == pc::outcome::queued));
    st.settle();
    auto& q = resume(st, field(p.hello, "session"), 0, "ada");
    st.until([&] { return numbers_of(q, "note").size() == 6; });
    BOOST_TEST(numbers_of(q, "note") == count_to(6), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(rooms_outlive_the_connection)
{
    stage<reliable> st;
    auto& p = st.join(json());
    p.text(R"({"type":"$join","id":1,"room":"hall"})");
    st.until([&] { return !p.frames.empty(); });
    p.drop();
    st.settle();
    BOOST_TEST((st.server->emitter().to_room("hall").emit(note{7, {}}).status == pc::outcome::queued));
    st.settle();
    auto& q = resume(st, field(p.hello, "session"), 0);
    st.until([&] { return numbers_of(q, "note").size() == 1; });
    BOOST_TEST(field(events_of(q).back(), "room") == "hall");
}

BOOST_AUTO_TEST_CASE(another_user_does_not_resume_a_session_whose_name_he_knows)
{
    stage<reliable> st;
    auto& p = st.join(json_user("ada"));
    p.text(an_order("notes", 3));
    st.until([&] { return numbers_of(p, "note").size() == 3; });
    p.drop();
    st.settle();
    for (std::string_view const user : {"eve", ""}) {
        auto& q = resume(st, field(p.hello, "session"), 0, user);
        st.settle();
        BOOST_TEST(field(hello_of(q), "resumed") == "false");
        BOOST_TEST(field(hello_of(q), "session") != field(p.hello, "session"));
        BOOST_TEST(numbers_of(q, "note").empty());
    }
    BOOST_TEST(numbers_of(resume(st, field(p.hello, "session"), 0, "ada"), "note").size() <= 3U);
}

BOOST_AUTO_TEST_CASE(a_name_that_nobody_has_begins_anew)
{
    stage<reliable> st;
    auto& q = resume(st, "s_0000000000000000000000000", 12);
    st.settle();
    BOOST_TEST(field(hello_of(q), "resumed") == "false");
    q.text(an_order("notes", 1));
    st.until([&] { return numbers_of(q, "note").size() == 1; });
}

BOOST_AUTO_TEST_CASE(a_client_that_claims_what_was_never_sent_begins_anew)
{
    stage<reliable> st;
    auto& p = st.join(json());
    p.text(an_order("notes", 3));
    st.until([&] { return numbers_of(p, "note").size() == 3; });
    p.drop();
    auto& q = resume(st, field(p.hello, "session"), 4);
    st.settle();
    BOOST_TEST(field(hello_of(q), "resumed") == "false");
    BOOST_TEST(numbers_of(q, "note").empty());
}

BOOST_AUTO_TEST_CASE(a_session_that_is_still_connected_takes_the_new_connection)
{
    stage<reliable> st;
    auto& p = st.join(json());
    p.text(an_order("notes", 3));
    st.until([&] { return numbers_of(p, "note").size() == 3; });
    auto& q = resume(st, field(p.hello, "session"), 2);  // as after a half-open loss
    st.until([&] { return p.ended && numbers_of(q, "note").size() == 1; });
    BOOST_TEST(p.ended);
    BOOST_TEST(field(hello_of(q), "resumed") == "true");
    q.text(an_order("notes", 2));
    st.until([&] { return numbers_of(q, "note").size() == 3; });
    BOOST_TEST(st.server->connections() == 1U);
}

BOOST_AUTO_TEST_CASE(what_follows_open_in_its_message_and_in_its_packet_is_handled)
{
    stage<reliable> st;
    auto& p = st.join(json());
    p.drop();
    auto& q = st.join(silent());
    q.write(masked(pc::opcode::text, open_again(field(p.hello, "session"), 0) + "\n" + an_order("notes", 2)) +
            masked(pc::opcode::text, an_order("notes", 1)) + masked(pc::opcode::text, an_order("urgent", 9)).substr(0, 9));
    st.until([&] { return numbers_of(q, "note").size() == 3; });
    q.write(masked(pc::opcode::text, an_order("urgent", 9)).substr(9));
    st.until([&] { return numbers_of(q, "urgent").size() == 1; });
    BOOST_TEST(field(hello_of(q), "resumed") == "true");
    BOOST_TEST(numbers_of(q, "urgent").size() == 1U);
}

BOOST_AUTO_TEST_CASE(a_session_expires_once_after_the_window_since_its_last_activity)
{
    stage<reliable> st({.delivery = {.resume_window = 10s}, .tick = 100ms});
    auto& p = st.join(json_user("ada"));
    p.text(an_order("notes", 2));
    st.until([&] { return numbers_of(p, "note").size() == 2; });
    st.world.run_for(60s);  // alive all the time: its age is no reason
    BOOST_TEST(st.server->count(pc::metric::expired) == 0U);
    p.drop();
    st.world.run_for(60s);
    BOOST_TEST(st.server->count(pc::metric::expired) == 1U);
    BOOST_TEST(st.j.closes() == 1U);
    BOOST_TEST(st.j.expired.size() == 1U);
    BOOST_TEST(st.j.expired.at(0).pending == 2U);
    auto& q = resume(st, field(p.hello, "session"), 0, "ada");
    st.settle();
    BOOST_TEST(field(hello_of(q), "resumed") == "false");
}

BOOST_AUTO_TEST_CASE(a_client_that_says_goodbye_is_forgotten_at_once)
{
    stage<reliable> st;
    auto& p = st.join(json());
    p.close(pc::close_code::normal);
    st.until([&] { return p.ended; });
    st.settle();
    BOOST_TEST(st.j.closes() == 1U);
    auto& q = resume(st, field(p.hello, "session"), 0);
    st.settle();
    BOOST_TEST(field(hello_of(q), "resumed") == "false");
}

BOOST_AUTO_TEST_CASE(a_close_that_invites_back_keeps_the_session_and_a_final_one_does_not)
{
    stage<reliable> st;
    auto& p = st.join(json());
    p.text(an_order("close", 4003, "elsewhere"));
    st.until([&] { return p.ended; });
    st.settle();
    BOOST_TEST(static_cast<int>(p.closed_with.value()) == 4003);
    BOOST_TEST(st.j.closes() == 0U);
    auto& q = resume(st, field(p.hello, "session"), 0);
    st.settle();
    BOOST_TEST(field(hello_of(q), "resumed") == "true");
    q.text(an_order("close", 4501, "blocked"));
    st.until([&] { return q.ended; });
    st.settle();
    BOOST_TEST(st.j.closes() == 1U);
    auto& r = resume(st, field(p.hello, "session"), 0);
    st.settle();
    BOOST_TEST(field(hello_of(r), "resumed") == "false");
}

BOOST_AUTO_TEST_CASE(a_request_that_comes_again_is_answered_again_and_not_run_again)
{
    stage<reliable> st;
    auto& p = st.join(json());
    std::string const request = R"({"type":"order","id":7,"data":{"what":"notes","n":1,"room":"","text":""}})";
    p.text(request);
    st.until([&] { return p.frames.size() == 2; });
    p.drop();
    auto& q = resume(st, field(p.hello, "session"), 1);
    q.text(request);
    st.until([&] { return q.frames.size() == 2; });
    st.settle();
    BOOST_TEST(st.j.with([](auto& j) { return j.orders; }) == 1);
    BOOST_TEST(type_of(events_of(q).at(1)) == "$ok");
    BOOST_TEST(field(events_of(q).at(1), "id") == "7");
    BOOST_TEST(st.server->count(pc::metric::repeated) == 1U);
}

BOOST_AUTO_TEST_CASE(a_log_over_its_cap_evicts_the_oldest_and_says_so_at_the_resume)
{
    stage<reliable> st({.delivery = {.max_log_bytes = 2000}});
    auto& p = st.join(json());
    p.text(an_order("notes", 30, {}, std::string(50, 'x')));  // about 120 bytes each
    st.until([&] { return numbers_of(p, "note").size() == 30; });
    p.drop();
    auto& q = resume(st, field(p.hello, "session"), 3);
    st.settle();
    auto const all = events_of(q);
    BOOST_TEST(type_of(all.at(1)) == "$gap");
    BOOST_TEST(field(all.at(1), "from") == "4");
    BOOST_TEST(field(all.at(1), "reason") == "evicted");
    int const to = std::stoi(field(all.at(1), "to"));
    BOOST_TEST(to > 4);
    BOOST_TEST(numbers_of(q, "note") == count_to(30, to), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_connection_that_was_accepted_by_another_shard_comes_to_the_session)
{
    for (std::uint64_t seed = 1; seed <= 12; ++seed) {
        stage<reliable> st({.shards = 3}, seed);
        auto& p = st.join(json_user("ada"));
        p.text(an_order("notes", 5));
        st.until([&] { return numbers_of(p, "note").size() == 5; });
        auto const h = st.j.opened.at(0);
        std::string const session = field(p.hello, "session");
        p.drop();
        for (int round = 0; round < 4; ++round) {
            auto& q = resume(st, session, 5 + round, "ada");
            q.text(an_order("own", round));
            st.until([&] { return numbers_of(q, "note").size() == 1; });
            BOOST_TEST(numbers_of(q, "note").at(0) == round);
            BOOST_TEST(field(hello_of(q), "resumed") == "true");
            q.drop();
            st.settle();
        }
        BOOST_TEST(st.j.opens() == 1U);
        BOOST_TEST((st.server->emitter().to_session(h).emit(note{1, {}}).status == pc::outcome::queued));
        BOOST_TEST(st.server->connections() == 0U);
    }
}

BOOST_AUTO_TEST_CASE(a_session_resumes_with_another_compression)
{
    using any = pc::server<bench, sim, kept, pc::compression::zstd<3>>;
    stage<any> st;
    auto& p = st.join({.tokens = {"polycast.v1.json.zstd"}, .says_open = false});
    p.text(R"({"type":"$open"})");
    p.text(an_order("notes", 5, {}, std::string(500, 'z')));
    st.until([&] { return numbers_of(p, "note").size() == 5; });
    std::string const session = field(hello_of(p), "session");
    p.drop();
    auto& q = resume(st, session, 1);
    st.until([&] { return numbers_of(q, "note").size() == 4; });
    BOOST_TEST(q.token() == "polycast.v1.json");
    BOOST_TEST(numbers_of(q, "note") == count_to(5, 1), boost::test_tools::per_element());
    q.drop();
    auto& r = st.join({.tokens = {"polycast.v1.json.zstd"}, .says_open = false});
    r.text(open_again(session, 3));
    st.until([&] { return numbers_of(r, "note").size() == 2; });
    BOOST_TEST(numbers_of(r, "note") == count_to(5, 3), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(every_event_is_accounted_for_at_every_moment)
{
    stage<reliable> st({.delivery = {.resume_window = 5s}, .tick = 100ms});
    auto const holds = [&] {
        auto const n = [&](pc::metric m) { return st.server->count(m); };
        return n(pc::metric::published) >= n(pc::metric::delivered) + n(pc::metric::coalesced) + n(pc::metric::dropped);
    };
    auto& p = st.join(json());
    p.text(an_order("notes", 10));
    st.until([&] { return numbers_of(p, "note").size() == 10; });
    p.text(ack(6));
    st.settle();
    BOOST_TEST(holds());
    p.drop();
    st.world.run_for(20s);
    BOOST_TEST(st.server->count(pc::metric::published) == 10U);
    BOOST_TEST(st.server->count(pc::metric::delivered) == 6U);
    BOOST_TEST(st.server->count(pc::metric::dropped) == 4U);
}

BOOST_AUTO_TEST_CASE(over_tcp_with_two_shards_nothing_is_lost)
{
    stage<pc::server<bench, tcp, kept>> st({.shards = 2});
    auto& p = st.join(json_user("ada"));
    std::string const session = field(p.hello, "session");
    p.text(an_order("notes", 100));
    st.until([&] { return numbers_of(p, "note").size() == 100; });
    p.drop();
    for (int round = 0; round < 8; ++round) {
        auto& q = resume(st, session, 90 + round, "ada");
        st.until([&] { return numbers_of(q, "note").size() == static_cast<std::size_t>(10 - round); });
        BOOST_TEST(numbers_of(q, "note") == count_to(100, 90 + round), boost::test_tools::per_element());
        q.drop();
    }
    BOOST_TEST(st.j.opens() == 1U);
}

BOOST_AUTO_TEST_SUITE_END()
