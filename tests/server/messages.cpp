#include <polycast/session/inbound.hpp>

#include "../support/stage.hpp"

#include <boost/test/unit_test.hpp>

#include <stdexcept>
#include <string>
#include <tuple>

using namespace support;

BOOST_AUTO_TEST_SUITE(server_messages)

using both = std::tuple<pc::server<bench, sim>, pc::server<bench, tcp>>;
using plain = pc::server<bench, sim>;

struct raw_echo {
    void on(auto& s, pc::message const& m)
    {
        if (m.payload == "throw")
            throw std::runtime_error("a secret of on");
        s.send(m.payload, m.op);
    }
};
using raw = pc::server<raw_echo, sim, pc::serializer::raw>;

struct catch_all {
    using accepts = pc::events<order>;
    void on(auto& s, order const&, pc::envelope const& around) { s.emit(note{1, std::string(around.room)}); }
    void on_unknown(auto& s, pc::envelope const& around) { s.emit(note{2, std::string(around.type)}); }
};
using catching = pc::server<catch_all, sim>;

/// The event that answers `text`.
template <class Stage, class Peer>
std::string answer(Stage& on, Peer& p, std::string_view text)
{
    auto const seen = p.frames.size();
    p.text(text);
    on.until([&] { return p.frames.size() > seen; }, 10s);
    on.settle();
    return p.frames.size() == seen + 1 ? p.frames.back().payload : "not one answer";
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_typed_event_reaches_its_handler_and_the_answer_the_peer, Server, both)
{
    stage<Server> on;
    auto& p = on.join();
    auto const got = answer(on, p, an_order("notes", 1, "", "hello"));
    BOOST_TEST(type_of(got) == "note");
    BOOST_TEST(field(got, "text") == "hello");
    BOOST_TEST((p.frames[0].op == pc::opcode::text));
    BOOST_TEST(!field(got, "timestamp").empty());
    BOOST_TEST(field(got, "room") == "");
}

BOOST_AUTO_TEST_CASE(the_timestamp_is_the_worlds)
{
    stage<plain> on;
    auto& p = on.join();
    on.world.run_for(3600s);
    BOOST_TEST(p.open());
    BOOST_TEST(field(answer(on, p, an_order("notes", 1)), "timestamp").substr(0, 14) == "2026-01-01T01:");
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_request_with_an_id_is_answered_ok_behind_what_it_caused, Server, both)
{
    stage<Server> on;
    auto& p = on.join();
    p.text(R"({"type":"order","id":9,"data":{"what":"notes","n":2,"room":"","text":""}})");
    BOOST_REQUIRE(on.until([&] { return p.frames.size() == 3; }));
    BOOST_TEST(types_of(p) == (std::vector<std::string>{"note", "note", "$ok"}), boost::test_tools::per_element());
    BOOST_TEST(field(p.frames[2].payload, "id") == "9");
}

BOOST_AUTO_TEST_CASE(an_id_that_is_text_comes_back_as_text)
{
    stage<plain> on;
    auto& p = on.join();
    auto const got = answer(on, p, R"({"type":"order","id":"a\"7","data":{"what":"","n":0,"room":"","text":""}})");
    BOOST_TEST(got.find(R"("id":"a\"7")") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_request_without_id_gets_no_ok)
{
    stage<plain> on;
    auto& p = on.join();
    p.text(an_order("nothing"));
    on.settle();
    BOOST_TEST(on.j.orders == 1);
    BOOST_TEST(p.frames.size() == 0u);
}

BOOST_AUTO_TEST_CASE(several_events_in_one_frame_are_handled_in_order)
{
    stage<plain> on;
    auto& p = on.join();
    p.text(an_order("notes", 1, "", "a") + "\n" + an_order("notes", 1, "", "b") + "\n" + an_order("notes", 1, "", "c"));
    BOOST_REQUIRE(on.until([&] { return p.frames.size() == 3; }));
    BOOST_TEST(field(p.frames[0].payload, "text") == "a");
    BOOST_TEST(field(p.frames[2].payload, "text") == "c");
}

BOOST_AUTO_TEST_CASE(a_fragmented_message_is_one_event)
{
    stage<plain> on;
    auto& p = on.join();
    std::string const whole = an_order("notes", 1, "", "fragmented");
    for (std::size_t cut = 0; cut <= whole.size(); cut += 7) {
        auto const seen = p.frames.size();
        p.write(masked(pc::opcode::text, whole.substr(0, cut), false) + masked(pc::opcode::ping, "between") +
                masked(pc::opcode::continuation, whole.substr(cut), true));
        BOOST_REQUIRE(on.until([&] { return p.frames.size() == seen + 1; }));
        BOOST_TEST(field(p.frames.back().payload, "text") == "fragmented");
    }
    BOOST_TEST(p.pongs.size() == (whole.size() / 7) + 1);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(errors_are_named_and_the_session_goes_on, Server, both)
{
    stage<Server> on;
    auto& p = on.join();
    struct {
        char const* text;
        char const* code;
    } const cases[] = {
        {"no json", "bad_message"},
        {R"({"type":"order","data":{"what":)", "bad_message"},
        {R"({"type":"stranger"})", "unknown_type"},
        {R"({"type":"order","data":{"what":7,"n":0,"room":"","text":""}})", "bad_field"},
    };
    for (auto const& c : cases) {
        auto const got = answer(on, p, c.text);
        BOOST_TEST(type_of(got) == "$error");
        BOOST_TEST(field(got, "code") == c.code);
        BOOST_TEST(field(got, "message") != "");
    }
    BOOST_TEST(type_of(answer(on, p, an_order("notes", 1))) == "note");
    BOOST_TEST(on.server->count(pc::metric::bad_messages) == 3u);
}

BOOST_AUTO_TEST_CASE(an_error_carries_the_id_of_the_request)
{
    stage<plain> on;
    auto& p = on.join();
    BOOST_TEST(field(answer(on, p, R"({"type":"stranger","id":41})"), "id") == "41");
    BOOST_TEST(field(answer(on, p, R"({"id":42,"type":"order","data":{"n":"x"}})"), "id") == "42");
}

BOOST_AUTO_TEST_CASE_TEMPLATE(an_exception_in_a_handler_is_internal_and_its_text_stays_inside, Server, both)
{
    stage<Server> on;
    auto& p = on.join();
    auto const got = answer(on, p, an_order("throw"));
    BOOST_TEST(field(got, "code") == "internal");
    BOOST_TEST(p.received.find("secret") == std::string::npos);
    BOOST_TEST(on.server->count(pc::metric::handler_errors) == 1u);
    BOOST_TEST(type_of(answer(on, p, an_order("notes", 1))) == "note");
}

BOOST_AUTO_TEST_CASE(ping_is_answered_pong_and_other_control_is_ignored)
{
    stage<plain> on;
    auto& p = on.join();
    BOOST_TEST(type_of(answer(on, p, R"({"type":"$ping"})")) == "$pong");
    p.text(R"({"type":"$unheard_of"})");
    p.text(R"({"type":"$ack","received":3})");
    p.text(R"({"type":"$credit","room":"x","events":64})");
    on.settle();
    BOOST_TEST(p.frames.size() == 1u);
    BOOST_TEST(p.open());
}

BOOST_AUTO_TEST_CASE_TEMPLATE(open_is_answered_hello, Server, both)
{
    stage<Server> on;
    auto& p = on.join({.tokens = {"polycast.v1.json"}, .says_open = false});
    auto const got = answer(on, p, R"({"type":"$open"})");
    BOOST_TEST(type_of(got) == "$hello");
    BOOST_TEST(field(got, "version") == "1");
    BOOST_TEST(field(got, "session").starts_with("s_"));
    BOOST_TEST(field(got, "epoch") != "");
    BOOST_TEST(field(got, "resumed") == "false");
    BOOST_TEST(field(got, "heartbeat_ms") == "30000");
    BOOST_TEST(field(got, "max_message_bytes") == "65536");
    BOOST_TEST(got.find(R"("ack":{"every":32,"within_ms":500})") != std::string::npos);
    BOOST_TEST(got.find(R"("dictionary":null)") != std::string::npos);
    auto& q = on.join({.tokens = {"polycast.v1.json"}, .says_open = false});
    auto const other = answer(on, q, R"({"type":"$open","session":"s_gone","received":7})");
    BOOST_TEST(field(other, "resumed") == "false");
    BOOST_TEST(field(other, "session") != field(got, "session"));
    BOOST_TEST(field(other, "epoch") == field(got, "epoch"));
}

BOOST_AUTO_TEST_CASE(a_client_that_agreed_on_a_token_gets_nothing_before_it_has_said_open)
{
    stage<plain> on;
    auto& p = on.join({.target = "/?user=greeted", .tokens = {"polycast.v1.json"}, .says_open = false});
    on.settle();
    BOOST_TEST(on.j.opens() == 0u);
    BOOST_TEST(p.frames.size() == 0u);
    p.text(R"({"type":"$open"})");
    on.settle();
    BOOST_TEST(types_of(p) == (std::vector<std::string>{"$hello", "note"}), boost::test_tools::per_element());
    BOOST_TEST(on.j.opens() == 1u);
}

BOOST_AUTO_TEST_CASE(a_client_that_never_says_open_is_a_plain_one_from_its_first_event)
{
    stage<plain> on;
    auto& p = on.join({.target = "/?user=greeted", .tokens = {"polycast.v1.json"}, .says_open = false});
    p.text(an_order("notes", 1, "", "mine"));
    on.settle();
    BOOST_TEST(on.j.opens() == 1u);
    BOOST_REQUIRE(p.frames.size() == 2u);
    BOOST_TEST(field(p.frames[0].payload, "text") == "welcome");
    BOOST_TEST(field(p.frames[1].payload, "text") == "mine");
}

BOOST_AUTO_TEST_CASE(unknown_types_reach_the_catch_all_and_the_envelope_the_handler)
{
    stage<catching> on;
    auto& p = on.join();
    BOOST_TEST(field(answer(on, p, R"({"type":"stranger","data":{"x":[1,2]}})"), "text") == "stranger");
    BOOST_TEST(field(answer(on, p, R"({"type":"order","room":"here","data":{"what":"","n":0,"room":"","text":""}})"),
                     "text") == "here");
}

BOOST_AUTO_TEST_CASE(nothing_is_handled_after_the_handler_has_closed)
{
    stage<plain> on;
    auto& p = on.join();
    p.text(an_order("close", 1000) + "\n" + an_order("notes", 1) + "\n" + an_order("notes", 1));
    p.text(an_order("notes", 1));
    BOOST_REQUIRE(on.until([&] { return p.ended; }));
    BOOST_TEST(p.frames.size() == 0u);
}

BOOST_AUTO_TEST_CASE(raw_messages_come_and_go_as_they_are)
{
    stage<raw> on;
    auto& p = on.join({.tokens = {"polycast.v1.json"}});
    BOOST_TEST(p.token() == "");
    p.text("any text");
    std::string const bytes("\x00\xFF\x80", 3);
    p.binary(bytes);
    p.text("");
    p.text(std::string(60'000, 'l'));
    BOOST_REQUIRE(on.until([&] { return p.frames.size() == 4; }));
    BOOST_TEST(p.frames[0].payload == "any text");
    BOOST_TEST((p.frames[1].op == pc::opcode::binary));
    BOOST_TEST((p.frames[1].payload == bytes));
    BOOST_TEST(p.frames[2].payload == "");
    BOOST_TEST(p.frames[3].payload.size() == 60'000u);
}

BOOST_AUTO_TEST_CASE(an_exception_over_a_raw_message_closes_with_1011)
{
    stage<raw> on;
    auto& p = on.join();
    p.text("throw");
    BOOST_REQUIRE(on.until([&] { return p.ended; }));
    BOOST_TEST((p.closed_with == pc::close_code::internal_error));
    BOOST_TEST(p.received.find("secret") == std::string::npos);
}

BOOST_AUTO_TEST_CASE(large_raw_messages_survive_every_kind_of_partial_write)
{
    for (std::uint64_t seed = 1; seed <= 10; ++seed) {
        pc::transport::network_options network;
        network.partial_write_probability = 0.5;
        network.send_window_bytes = 5'000;
        network.max_segment_bytes = 3'000;
        network.spurious_wakeup_probability = 0.2;
        stage<raw> on({}, seed, network);
        auto& p = on.join();
        std::vector<std::string> sent;
        for (int i = 0; i < 20; ++i) {
            sent.push_back(std::string(on.world.chance().below(30'000), static_cast<char>('a' + i)));
            p.text(sent.back());
        }
        BOOST_REQUIRE(on.until([&] { return p.frames.size() == 20; }));
        for (std::size_t i = 0; i < 20; ++i)
            BOOST_TEST((p.frames[i].payload == sent[i]));
    }
}

BOOST_AUTO_TEST_SUITE_END()
