#include <polycast/session/fan_out.hpp>

#include "../support/stage.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <stdexcept>
#include <string>
#include <tuple>

using namespace support;
using pc::outcome;

BOOST_AUTO_TEST_SUITE(server_rooms)

using both = std::tuple<pc::server<bench, sim>, pc::server<bench, tcp>>;
using plain = pc::server<bench, sim>;
using by_user = pc::server<bench, sim, pc::isolation::per_user<3>>;
using alone = pc::server<bench, sim, pc::isolation::per_connection, pc::batching::immediate>;

struct gated {
    bench inner;
    using accepts = bench::accepts;
    pc::identity identify(pc::request const& r) { return inner.identify(r); }
    void opened(auto& s) { inner.opened(s); }
    void closed(auto& s, pc::close_info const& i) { inner.closed(s, i); }
    void on(auto& s, order const& o) { inner.on(s, o); }
    bool may_join(auto& s, std::string_view room)
    {
        if (room == "throws")
            throw std::runtime_error("a secret of may_join");
        return room == "lobby" || s.user() == "ada";
    }
};
using gated_by_user = pc::server<gated, sim, pc::isolation::per_user<3>>;

inline std::string control(std::string_view type, std::string_view room, int id)
{
    return "{\"type\":\"" + std::string(type) + "\",\"id\":" + std::to_string(id) + ",\"room\":\"" + std::string(room) +
           "\"}";
}

BOOST_AUTO_TEST_CASE_TEMPLATE(members_receive_what_is_emitted_to_the_room_and_others_do_not, Server, both)
{
    stage<Server> on;
    auto& a = on.join();
    auto& b = on.join();
    auto& c = on.join();
    a.text(control("$join", "blue", 1));
    b.text(an_order("join", 0, "blue"));
    BOOST_REQUIRE(on.until([&] { return a.frames.size() == 1; }));
    on.settle();
    BOOST_TEST(type_of(a.frames[0].payload) == "$ok");
    BOOST_TEST(field(a.frames[0].payload, "room") == "blue");
    c.text(an_order("room", 1, "blue", "hello"));  // shared: one need not be a member
    BOOST_REQUIRE(on.until([&] { return a.frames.size() == 2 && b.frames.size() == 1; }));
    on.settle();
    BOOST_TEST(c.frames.size() == 0u);
    BOOST_TEST(field(b.frames[0].payload, "room") == "blue");
    BOOST_TEST(field(b.frames[0].payload, "text") == "hello");
    BOOST_TEST(on.j.fan_outs.at(0).receivers == 2u);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(except_leaves_the_sender_out, Server, both)
{
    stage<Server> on;
    auto& a = on.user("member");
    auto& b = on.user("member");
    a.text(an_order("others", 1, "hall"));
    BOOST_REQUIRE(on.until([&] { return b.frames.size() == 1; }));
    on.settle();
    BOOST_TEST(a.frames.size() == 0u);
    BOOST_TEST(on.j.fan_outs.at(0).receivers == 1u);
}

BOOST_AUTO_TEST_CASE(a_member_that_has_left_receives_no_more)
{
    stage<plain> on;
    auto& a = on.user("member");
    auto& b = on.user("member");
    b.text(control("$leave", "hall", 2));
    on.settle();
    BOOST_TEST(type_of(b.frames.at(0).payload) == "$ok");
    a.text(an_order("room", 1, "hall"));
    on.settle();
    BOOST_TEST(a.frames.size() == 1u);
    BOOST_TEST(b.frames.size() == 1u);
    b.text(control("$leave", "hall", 3));
    on.settle();
    BOOST_TEST(field(b.frames.at(1).payload, "code") == "not_joined");
}

BOOST_AUTO_TEST_CASE(to_join_twice_is_to_receive_once)
{
    stage<plain> on;
    auto& a = on.user("member");
    a.text(control("$join", "hall", 1));
    a.text(an_order("room", 1, "hall"));
    on.settle();
    BOOST_TEST(types_of(a) == (std::vector<std::string>{"$ok", "note"}), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE_TEMPLATE(who_closes_leaves_all_rooms_and_an_empty_room_is_gone, Server, both)
{
    stage<Server> on;
    auto& a = on.user("member");
    a.text(an_order("join", 0, "second"));
    on.settle();
    a.close();
    BOOST_REQUIRE(on.until([&] { return on.j.closes() == 1; }));
    auto& b = on.join();
    b.text(an_order("room", 1, "hall"));
    b.text(an_order("room", 1, "second"));
    BOOST_REQUIRE(on.until([&] { return on.j.with([](auto& j) { return j.fan_outs.size(); }) == 2; }));
    for (auto const& sent : on.j.fan_outs) {
        BOOST_TEST(sent.receivers == 0u);
        BOOST_TEST((sent.status == outcome::gone));
    }
}

BOOST_AUTO_TEST_CASE(a_room_of_many_is_encoded_once)
{
    stage<plain> on({.max_connections = 0});
    for (int i = 0; i < 300; ++i)
        on.connect({.target = "/?user=member"});
    BOOST_REQUIRE(on.until([&] { return on.j.opens() == 300; }));
    auto const before = on.server->count(pc::metric::encodes);
    on.peers[7].text(an_order("room", 2, "hall"));
    BOOST_REQUIRE(on.until([&] {
        return std::ranges::all_of(on.peers, [](auto const& p) { return p.frames.size() == 2; });
    }));
    BOOST_TEST(on.server->count(pc::metric::encodes) == before + 2);
    BOOST_TEST(on.j.fan_outs.at(0).receivers == 300u);
    on.server->emitter().to_room("hall").emit(note{5, ""});
    on.settle();
    BOOST_TEST(on.server->count(pc::metric::encodes) == before + 3);
    for (auto const& p : on.peers)
        BOOST_TEST(numbers_of(p, "note") == (std::vector{0, 1, 5}), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_bare_room_name_is_a_bad_field)
{
    stage<plain> on;
    auto& a = on.join();
    a.text(R"({"type":"$join","id":1})");
    on.settle();
    BOOST_TEST(field(a.frames.at(0).payload, "code") == "bad_field");
}

// --- isolation -------------------------------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(a_users_events_reach_all_connections_of_that_user_and_nobody_else)
{
    stage<by_user> on;
    auto& a1 = on.user("ada");
    auto& a2 = on.user("ada");
    auto& bob = on.user("bob");
    auto& nobody = on.join();
    auto const sent = on.server->emitter_for("ada").emit(note{1, ""});
    BOOST_TEST((sent.status == outcome::queued));
    a1.text(an_order("own", 2));
    nobody.text(an_order("own", 3));
    on.settle();
    BOOST_TEST(numbers_of(a1, "note") == (std::vector{1, 2}), boost::test_tools::per_element());
    BOOST_TEST(numbers_of(a2, "note") == (std::vector{1, 2}), boost::test_tools::per_element());
    BOOST_TEST(bob.frames.size() == 0u);
    BOOST_TEST(numbers_of(nobody, "note") == std::vector{3}, boost::test_tools::per_element());
    BOOST_TEST((on.server->emitter_for("eve").emit(note{4, ""}).status == outcome::gone));
    BOOST_TEST((on.server->emitter().to_user("bob").emit(note{5, ""}).status == outcome::queued));
    on.settle();
    BOOST_TEST(numbers_of(bob, "note") == std::vector{5}, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_disposed_emitter_is_gone_and_may_be_disposed_again)
{
    stage<by_user> on;
    auto& a = on.user("ada");
    auto out = on.server->emitter_for("ada");
    auto const copy = out;
    out.dispose();
    out.dispose();
    BOOST_TEST((out.emit(note{1, ""}).status == outcome::gone));
    BOOST_TEST((copy.emit(note{2, ""}).status == outcome::queued));
    on.settle();
    BOOST_TEST(numbers_of(a, "note") == std::vector{2}, boost::test_tools::per_element());
    BOOST_TEST((pc::scoped_emitter<typename by_user::composition>().emit(note{}).status == outcome::gone));
}

BOOST_AUTO_TEST_CASE(under_per_user_a_client_may_not_join_but_the_application_may_let_it_in)
{
    stage<by_user> on;
    auto& a = on.user("ada");
    auto& b = on.user("bob");
    a.text(control("$join", "secret", 1));
    on.settle();
    BOOST_TEST(field(a.frames.at(0).payload, "code") == "forbidden");
    b.text(an_order("join", 0, "secret"));
    a.text(an_order("room", 1, "secret"));  // no member: refused
    on.settle();
    BOOST_TEST((on.j.fan_outs.at(0).status == outcome::refused));
    BOOST_TEST(b.frames.size() == 0u);
    b.text(an_order("room", 1, "secret"));
    on.settle();
    BOOST_TEST(b.frames.size() == 1u);
    BOOST_TEST(a.frames.size() == 1u);
}

BOOST_AUTO_TEST_CASE(may_join_decides_where_there_is_one)
{
    stage<gated_by_user> on;
    auto& a = on.user("ada");
    auto& b = on.user("bob");
    b.text(control("$join", "lobby", 1));
    b.text(control("$join", "staff", 2));
    b.text(control("$join", "throws", 3));
    a.text(control("$join", "staff", 4));
    on.settle();
    BOOST_TEST(types_of(b) == (std::vector<std::string>{"$ok", "$error", "$error"}), boost::test_tools::per_element());
    BOOST_TEST(field(b.frames[1].payload, "code") == "forbidden");
    BOOST_TEST(field(b.frames[2].payload, "code") == "forbidden");
    BOOST_TEST(types_of(a) == std::vector<std::string>{"$ok"}, boost::test_tools::per_element());
    BOOST_TEST(b.received.find("secret of") == std::string::npos);
}

BOOST_AUTO_TEST_CASE(per_connection_has_no_rooms)
{
    stage<alone> on;
    auto& a = on.join();
    a.text(control("$join", "x", 1));
    a.text(control("$leave", "x", 2));
    on.settle();
    BOOST_TEST(field(a.frames.at(0).payload, "code") == "no_such_room");
    BOOST_TEST(field(a.frames.at(1).payload, "code") == "not_joined");
}

BOOST_AUTO_TEST_CASE(per_connection_reaches_a_session_by_its_handle_only)
{
    stage<alone> on;
    auto& a = on.join();
    auto& b = on.join();
    auto const out = on.server->emitter();
    BOOST_TEST((out.to_session(on.j.opened.at(1)).emit(note{1, ""}).status == outcome::queued));
    a.text(an_order("own", 2));
    on.settle();
    BOOST_TEST(numbers_of(a, "note") == std::vector{2}, boost::test_tools::per_element());
    BOOST_TEST(numbers_of(b, "note") == std::vector{1}, boost::test_tools::per_element());
    auto const reaches_more = [](auto const& e) {
        return requires { e.to_user("x"); } || requires { e.to_room("x"); } || requires { e.to_all(); };
    };
    BOOST_TEST(!reaches_more(out));
    BOOST_TEST(reaches_more(pc::emitter<sim>()));
}

BOOST_AUTO_TEST_SUITE_END()
