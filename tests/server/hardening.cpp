#include <polycast/session/shard.hpp>

#include "../support/stage.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <functional>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <tuple>
#include <utility>
#include <vector>

using namespace support;

BOOST_AUTO_TEST_SUITE(server_hardening)

using pc::close_code;
using pc::outcome;

struct asks {
    std::string what;
};
struct demands {
    int n = 0;
};
struct wants {
    int n = 0;
};

/// An application whose hooks a test can fill, so that other emitters speak at the worst moment.
struct scripted_app {
    journal* j = nullptr;
    std::function<void()> identifying{};
    std::function<void()> opening{};
    std::function<void()> calling{};
    using accepts = pc::events<order, asks, demands, wants>;

    pc::identity identify(pc::request const& r)
    {
        if (identifying)
            identifying();
        return {.user = r.query("user").value_or("")};
    }
    pc::http_response http(pc::request const& r)
    {
        return {.body = std::string(std::stoul(r.query("bytes").value_or("1")), 'b')};
    }
    void opened(auto& s)
    {
        j->with([&](auto& me) { me.opened.push_back(s.handle()); });
        if (opening)
            opening();
        if (s.user() == "greeted")
            s.emit(note{0, "welcome"});
    }
    void closed(auto& s, pc::close_info const& info)
    {
        j->with([&](auto& me) { me.closed.emplace_back(s.handle(), info); });
    }
    void on(auto& s, order const& o)
    {
        auto const keep = [&](pc::outcome oc) { j->with([&](auto& me) { me.outcomes.push_back(oc); }); };
        auto const keep_sent = [&](pc::sent x) { j->with([&](auto& me) { me.fan_outs.push_back(x); }); };
        j->with([&](auto& me) {
            ++me.orders;
            me.queued.push_back(s.queued_bytes());
        });
        if (o.what.starts_with("call") && calling)
            calling();
        if (o.what == "notes")
            for (int i = 0; i < o.n; ++i)
                keep_sent(s.to_room(o.room).emit(note{i, std::string(10'000, 'x')}));
        else if (o.what == "vitals")
            for (int i = 0; i < o.n; ++i)
                keep_sent(s.to_room(o.room).emit(vital{i, std::string(10'000, 'x')}));
        else if (o.what == "call, note")
            keep(s.emit(note{o.n, ""}));
        else if (o.what == "call, close")
            s.close(close_code{4010}, "that is all");
        else if (o.what == "call, leave")
            s.leave(o.room);
        else if (o.what == "call, join" || o.what == "join")
            s.join(o.room);
        else if (o.what == "join many")
            for (int i = 0; i < o.n; ++i)
                s.join("room " + std::to_string(i));
        else if (o.what == "send") {
            keep(s.send(o.text, static_cast<pc::opcode>(o.n)));
            keep_sent(s.to_room(o.room).send(o.text, static_cast<pc::opcode>(o.n)));
        }
    }
    std::optional<pc::refusal> on(auto&, asks const& a)
    {
        if (a.what == "politely")
            return std::nullopt;
        return pc::refusal{.code = "rate_limited", .message = "not so often", .retry_after_ms = 1500};
    }
    pc::refusal on(auto&, demands const&) { return {.message = "no"}; }
    note on(auto&, wants const& w) { return {w.n + 1, "here"}; }
};

using plain = pc::server<scripted_app, sim>;
using both = std::tuple<plain, pc::server<scripted_app, tcp>>;

std::string upgrade_request(std::string_view target, std::string_view token)
{
    std::string request = "GET " + std::string(target) + " HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\n"
                          "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                          "Sec-WebSocket-Version: 13\r\n";
    if (!token.empty())
        request += "Sec-WebSocket-Protocol: " + std::string(token) + "\r\n";
    return request + "\r\n";
}
std::string const says_open = masked(pc::opcode::text, R"({"type":"$open"})");

template <class Stage>
auto outcomes_of(Stage& on)
{
    return on.j.with([](auto& j) { return j.outcomes; });
}

// --- a peer that is gone in the middle of a turn ---------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(a_peer_that_asks_opens_and_resets_at_once_harms_nobody)
{
    auto const request = upgrade_request("/?user=greeted", "polycast.v1.json") + says_open;
    stage<pc::server<scripted_app, sim, pc::batching::immediate>> on;
    auto& witness = on.join();
    for (std::size_t cut_at = request.size() - says_open.size() - 4; cut_at <= request.size() + 140; ++cut_at) {
        on.world.cut_after_bytes(cut_at);
        auto& p = on.connect({.request = request, .says_open = false});
        BOOST_REQUIRE(on.until([&] { return p.ended; }, 10s));
        on.settle();
        // Whoever was lost before the hello could be written was never opened.
        if (cut_at <= request.size())
            BOOST_TEST(on.j.opens() == 1u);
        // Exactly the sessions that were opened have been closed.
        BOOST_TEST(on.j.opens() == on.j.closes() + 1);
        BOOST_TEST(on.server->connections() == 1u);
    }
    BOOST_TEST(on.server->count(pc::metric::opened) > 1u);
    BOOST_TEST(on.server->count(pc::metric::opened) == on.server->count(pc::metric::closed) + 1);
    BOOST_TEST(witness.open());
    auto& next = on.join({.target = "/?user=greeted", .tokens = {"polycast.v1.json"}});
    BOOST_REQUIRE(on.until([&] { return next.frames.size() == 1; }));
    BOOST_TEST(type_of(next.hello) == "$hello");
    BOOST_TEST(type_of(next.frames[0].payload) == "note");
}

// --- what others emit -------------------------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(a_burst_beyond_the_outbox_cap_arrives_whole_at_a_reader_that_takes_it)
{
    for (bool const critical : {false, true}) {
        stage<plain> on({}, 1, {.send_window_bytes = 8 * 1024 * 1024});
        auto& p = on.join();
        auto& other = on.join();
        other.drop();
        auto const burst = [&] {
            auto const out = on.server->emitter();
            std::string const text(10'000, 'x');
            for (int i = 0; i < 200; ++i)
                BOOST_TEST(pc::accepted(critical ? out.to_all().emit(vital{i, text}) : out.to_all().emit(note{i, text})));
        };
        on.server->app().calling = burst;
        auto const name = critical ? "vital" : "note";
        burst();  // from outside
        BOOST_TEST(on.until([&] { return p.frames.size() == 200 || !p.open(); }));
        BOOST_TEST(numbers_of(p, name) == count_to(200), boost::test_tools::per_element());
        p.text(an_order("call"));  // from a handler
        BOOST_TEST(on.until([&] { return p.frames.size() == 400 || !p.open(); }));
        p.text(an_order("call, note"));  // from a handler that then emits itself: all of it is fanned out at once
        BOOST_TEST(on.until([&] { return p.frames.size() == 601 || !p.open(); }));
        auto& speaker = on.join();
        p.text(an_order("join", 0, "hall"));
        on.settle();
        speaker.text(an_order(critical ? "vitals" : "notes", 200, "hall"));  // to a room, by another session
        BOOST_TEST(on.until([&] { return p.frames.size() == 801 || !p.open(); }));
        BOOST_TEST(p.frames.size() == 801u);
        BOOST_TEST(p.open());
        BOOST_TEST(!p.closed_with);
        BOOST_TEST(on.server->count(pc::metric::dropped) == 0u);
        auto const whole = std::ranges::count_if(p.frames, [](auto const& f) { return f.payload.size() > 10'000; });
        BOOST_TEST(whole == 800);
    }
}

BOOST_AUTO_TEST_CASE(a_reader_that_takes_nothing_is_still_capped)
{
    stage<plain> on;
    auto& p = on.join({.reads = true});
    p.read(false);
    auto const out = on.server->emitter();
    for (int i = 0; i < 400; ++i)
        static_cast<void>(out.to_all().emit(note{i, std::string(10'000, 'x')}));
    on.world.run_for(1s);
    BOOST_TEST(on.server->count(pc::metric::dropped) > 100u);
    BOOST_TEST(p.frames.size() == 0u);
}

BOOST_AUTO_TEST_CASE(what_an_emitter_sent_before_the_stop_arrives_before_the_goodbye)
{
    for (std::uint64_t seed = 1; seed <= 10; ++seed) {
        stage<plain> on({}, seed);
        auto& p = on.join({.tokens = {"polycast.v1.json"}});
        auto& other = on.join();
        auto const out = on.server->emitter();
        for (int i = 0; i < 3; ++i)
            BOOST_TEST(out.to_all().emit(note{i, ""}).queued == 1u);
        on.server->stop();
        BOOST_TEST((out.to_all().emit(note{9, ""}).status == outcome::gone));
        BOOST_REQUIRE(on.until([&] { return p.ended && other.ended; }, 10s));
        std::vector<std::string> const expected{"note", "note", "note", "$bye"};
        BOOST_TEST(types_of(p) == expected, boost::test_tools::per_element());
        BOOST_TEST(numbers_of(p, "note") == count_to(3), boost::test_tools::per_element());
        BOOST_TEST((p.closed_with == close_code::going_away));
        BOOST_TEST(numbers_of(other, "note") == count_to(3), boost::test_tools::per_element());
        BOOST_TEST((other.closed_with == close_code::going_away));
    }
}

BOOST_AUTO_TEST_CASE(what_an_emitter_sent_before_the_close_arrives_before_the_close_frame)
{
    stage<plain> on;
    auto& p = on.join();
    on.server->app().calling = [&] {
        for (int i = 0; i < 3; ++i)
            BOOST_TEST(on.server->emitter().to_all().emit(note{i, ""}).queued == 1u);
    };
    p.text(an_order("call, close"));
    BOOST_REQUIRE(on.until([&] { return p.ended; }));
    BOOST_TEST(numbers_of(p, "note") == count_to(3), boost::test_tools::per_element());
    BOOST_TEST((p.closed_with == close_code{4010}));
    BOOST_TEST((p.frames.back().at <= p.closed_at));
    BOOST_TEST(!p.broken);
}

BOOST_AUTO_TEST_CASE(what_an_emitter_sent_before_the_session_emits_comes_first)
{
    stage<plain> on;
    auto& p = on.join();
    on.server->app().calling = [&] { on.server->emitter().to_all().emit(note{1, ""}); };
    p.text(an_order("call, note", 2));
    BOOST_REQUIRE(on.until([&] { return p.frames.size() == 2; }));
    BOOST_TEST(numbers_of(p, "note") == (std::vector{1, 2}), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_room_event_emitted_before_leave_arrives_and_one_before_join_does_not)
{
    stage<plain> on;
    auto& p = on.join();
    auto& stays = on.join();
    int n = 0;
    on.server->app().calling = [&] {
        BOOST_TEST(on.server->emitter().to_room("hall").emit(note{++n, ""}).queued == 1u);
    };
    stays.text(an_order("join", 0, "hall"));
    p.text(an_order("join", 0, "hall"));
    on.settle();
    p.text(an_order("call, leave", 0, "hall"));  // 1: still a member
    on.settle();
    p.text(an_order("call, join", 0, "hall"));   // 2: not yet
    on.settle();
    p.text(an_order("call"));                    // 3
    on.settle();
    BOOST_TEST(numbers_of(p, "note") == (std::vector{1, 3}), boost::test_tools::per_element());
    BOOST_TEST(numbers_of(stays, "note") == count_to(4, 1), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(nothing_comes_before_the_hello)
{
    stage<plain> on;
    auto& other = on.join();
    auto const speak = [&](int n) {
        // In the hello's own lane too: that one overtakes the others.
        return [&on, n] {
            static_cast<void>(on.server->emitter().to_all().emit(urgent{n}));
            static_cast<void>(on.server->emitter().to_all().emit(note{n, ""}));
        };
    };
    on.server->app().identifying = speak(1);
    on.server->app().opening = speak(2);
    auto& p = on.connect({.request = upgrade_request("/", "polycast.v1.json") + says_open, .says_open = false});
    on.settle();
    BOOST_REQUIRE(p.frames.size() >= 2u);
    BOOST_TEST(type_of(p.frames[0].payload) == "$hello");
    BOOST_TEST(numbers_of(p, "note").back() == 2);
    BOOST_TEST(numbers_of(other, "note") == (std::vector{1, 2}), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(nothing_comes_before_the_hello_whatever_waits_in_the_mailbox)
{
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
        stage<plain> on({}, seed, {.send_window_bytes = 8 * 1024 * 1024});
        auto& other = on.join();
        // More than one turn takes.
        on.server->app().calling = [&] {
            for (int i = 0; i < 60; ++i)
                static_cast<void>(on.server->emitter().to_all().emit(note{i, std::string(10'000, 'x')}));
            static_cast<void>(on.server->emitter().to_all().emit(urgent{1}));
        };
        auto& p = on.join({.tokens = {"polycast.v1.json"}, .says_open = false});
        BOOST_REQUIRE(p.status == 101);
        other.text(an_order("call"));
        p.write(says_open);
        on.settle();
        BOOST_REQUIRE(p.frames.size() >= 1u);
        BOOST_TEST(type_of(p.frames[0].payload) == "$hello");
        BOOST_TEST(numbers_of(other, "note") == count_to(60), boost::test_tools::per_element());
    }
}

// --- limits of a client -------------------------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(a_client_joins_no_more_rooms_than_it_may)
{
    stage<plain> on({.max_rooms_per_session = 3, .max_room_name_bytes = 8});
    auto& p = on.join();
    auto const join = [&](std::string_view room) {
        auto const seen = p.frames.size();
        p.text(R"({"type":"$join","id":5,"room":")" + std::string(room) + "\"}");
        BOOST_REQUIRE(on.until([&] { return p.frames.size() > seen; }));
        auto const& said = p.frames.back().payload;
        BOOST_TEST(field(said, "id") == "5");
        return type_of(said) == "$ok" ? "$ok" : field(said, "code");
    };
    BOOST_TEST(join("ninebytes") == "bad_field");
    BOOST_TEST(join("") == "bad_field");
    BOOST_TEST(join("8 bytes.") == "$ok");
    BOOST_TEST(join("b") == "$ok");
    BOOST_TEST(join("c") == "$ok");
    BOOST_TEST(join("d") == "overloaded");
    BOOST_TEST(join("c") == "$ok");  // it is in it already
    BOOST_TEST(on.server->emitter().to_room("d").emit(note{}).queued == 1u);
    p.text(R"({"type":"$leave","id":6,"room":"b"})");
    on.settle();
    BOOST_TEST(join("d") == "$ok");
    BOOST_TEST(numbers_of(p, "note").empty());
    // The program is not bound by it.
    p.text(an_order("join many", 5));
    on.settle();
    static_cast<void>(on.server->emitter().to_room("room 4").emit(note{4, ""}));
    on.settle();
    BOOST_TEST(numbers_of(p, "note") == std::vector{4}, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_session_of_twenty_thousand_rooms_leaves_them_all)
{
    stage<plain> on({.max_rooms_per_session = 100'000});
    auto& p = on.join();
    auto& other = on.join();
    p.text(an_order("join many", 20'000));
    other.text(an_order("join many", 20'000));
    on.settle();
    p.drop();
    BOOST_REQUIRE(on.until([&] { return on.j.closes() == 1; }));
    static_cast<void>(on.server->emitter().to_room("room 0").emit(note{1, ""}));
    static_cast<void>(on.server->emitter().to_room("room 19999").emit(note{2, ""}));
    on.settle();
    BOOST_TEST(numbers_of(other, "note") == (std::vector{1, 2}), boost::test_tools::per_element());
    other.drop();
    BOOST_REQUIRE(on.until([&] { return on.j.closes() == 2; }));
    auto const gone = on.server->count(pc::metric::gone);
    static_cast<void>(on.server->emitter().to_room("room 7").emit(note{3, ""}));
    on.settle();
    BOOST_TEST(on.server->count(pc::metric::gone) == gone + 1);
}

BOOST_AUTO_TEST_CASE(sockets_beyond_those_that_may_be_unopened_are_shut_at_once)
{
    stage<plain> on({.max_unopened = 4});
    auto& lives = on.join();
    auto const began = on.now();
    for (int i = 0; i < 4; ++i)
        on.connect({.request = "GET / HT"});
    on.settle();
    auto& fifth = on.connect();
    BOOST_REQUIRE(on.until([&] { return fifth.ended; }, 1s));
    BOOST_TEST((on.now() - began < 1s));
    BOOST_TEST(fifth.status == 0);
    BOOST_TEST(lives.open());
    for (int i = 1; i <= 4; ++i)
        BOOST_TEST(!on.peers[static_cast<std::size_t>(i)].ended);
    on.peers[2].drop();  // a place comes free
    on.settle();
    BOOST_TEST(on.join().open());
    BOOST_TEST(on.join().open());  // who has opened holds none
    BOOST_TEST(on.j.opens() == 3u);
}

BOOST_AUTO_TEST_CASE(pings_to_a_peer_that_does_not_read_stay_bounded_and_the_newest_is_answered)
{
    stage<plain> on({.heartbeat = {.interval = 0s}}, 1, {.send_window_bytes = 64 * 1024});
    auto& p = on.join();
    p.read(false);
    std::string pings;
    for (int i = 1; i <= 100'000; ++i)
        pings += masked(pc::opcode::ping, std::to_string(i));
    p.write(pings + masked(pc::opcode::text, an_order("measure")));
    BOOST_REQUIRE(on.until([&] { return on.j.with([](auto& j) { return j.orders; }) == 1; }));
    BOOST_TEST(on.j.queued.at(0) < 64u * 1024);
    p.read(true);
    BOOST_REQUIRE(on.until([&] { return !p.pongs.empty() && p.pongs.back().payload == "100000"; }));
    BOOST_TEST(p.pongs.size() < 100'000u);
    for (std::size_t i = 1; i < p.pongs.size(); ++i)
        BOOST_REQUIRE(std::stoi(p.pongs[i].payload) > std::stoi(p.pongs[i - 1].payload));
    p.ping("again");
    BOOST_TEST(on.until([&] { return p.pongs.back().payload == "again"; }));
    BOOST_TEST(p.open());
}

// --- what is answered ----------------------------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(a_slow_reader_of_a_large_page_has_time_as_long_as_it_reads)
{
    // 64 KiB a round trip of 0.6 s: thirty seconds in all.
    stage<plain> on({.close_timeout = 3s}, 1,
                    {.latency_min = 300ms, .latency_max = 300ms, .send_window_bytes = 64 * 1024});
    auto const began = on.now();
    auto& p = on.connect({.request = "GET /?bytes=3000000 HTTP/1.1\r\nHost: here\r\n\r\n"});
    BOOST_REQUIRE(on.until([&] { return p.ended; }, 300s));
    BOOST_TEST((on.now() - began > 12s));
    BOOST_TEST(p.status == 200);
    BOOST_TEST(p.body.size() == 3'000'000u);
    BOOST_TEST(!p.broken);
    // One that reads nothing has not.
    auto& idle = on.connect({.request = "GET /?bytes=3000000 HTTP/1.1\r\nHost: here\r\n\r\n", .reads = false});
    on.world.run_for(20s);
    idle.read(true);
    on.world.run_for(20s);
    BOOST_TEST(idle.ended);
    BOOST_TEST(idle.body.size() < 3'000'000u);
}

struct moody {
    using policy_axis = pc::guard_axis;
    [[nodiscard]] pc::verdict admit(pc::request const& r) const
    {
        if (r.count("X-Annoys") != 0)
            throw std::runtime_error("a secret of the guard");
        return {};
    }
};

BOOST_AUTO_TEST_CASE(a_guard_that_throws_refuses_with_503_and_the_server_lives)
{
    stage<pc::server<scripted_app, sim, moody>> on;
    auto& lives = on.join();
    auto& p = on.join({.headers = {{"X-Annoys", "1"}}});
    BOOST_TEST(p.status == 503);
    BOOST_REQUIRE(on.until([&] { return p.ended; }));
    BOOST_TEST(p.received.find("secret") == std::string::npos);
    BOOST_TEST(on.server->count(pc::metric::handler_errors) == 1u);
    BOOST_TEST(on.server->count(pc::metric::refused) == 1u);
    BOOST_TEST(on.join().open());
    BOOST_TEST(lives.open());
    BOOST_TEST(on.j.opens() == 2u);
}

BOOST_AUTO_TEST_CASE(only_text_and_binary_can_be_sent)
{
    stage<plain> on;
    auto& p = on.join();
    p.text(an_order("join", 0, "hall"));
    on.settle();
    std::vector const forbidden{pc::opcode::continuation, pc::opcode::close, pc::opcode::ping, pc::opcode::pong,
                                static_cast<pc::opcode>(3)};
    for (auto const op : forbidden) {
        p.text(an_order("send", static_cast<int>(op), "hall", "xx"));
        auto const out = on.server->emitter();
        BOOST_TEST((out.to_all().send("xx", op).status == outcome::refused));
        BOOST_TEST((out.to_room("hall").send("xx", op).status == outcome::refused));
        BOOST_TEST((out.to_session(on.j.opened.at(0)).send("xx", op).status == outcome::refused));
    }
    on.settle();
    BOOST_TEST(on.j.outcomes.size() == forbidden.size());
    for (auto const o : on.j.outcomes)
        BOOST_TEST((o == outcome::refused));
    for (auto const& f : on.j.fan_outs)
        BOOST_TEST((f.status == outcome::refused));
    BOOST_TEST(p.open());
    BOOST_TEST(p.frames.empty());
    BOOST_TEST(p.pings.empty());
    BOOST_TEST(p.pongs.empty());
    p.text(an_order("send", 2, "hall", "xx"));
    BOOST_REQUIRE(on.until([&] { return p.frames.size() == 2; }));
    BOOST_TEST((p.frames[0].op == pc::opcode::binary));
}

BOOST_AUTO_TEST_CASE(a_handler_answers_by_what_it_returns)
{
    stage<plain> on;
    auto& p = on.join();
    p.text(R"({"type":"demands","id":11,"data":{"n":1}})");
    p.text(R"({"type":"asks","id":"twelve","data":{"what":"politely"}})");
    p.text(R"({"type":"asks","id":13,"data":{"what":"rudely"}})");
    p.text(R"({"type":"wants","id":14,"data":{"n":6}})");
    BOOST_REQUIRE(on.until([&] { return p.frames.size() == 4; }));
    auto const all = events_of(p);
    BOOST_TEST(type_of(all[0]) == "$error");
    BOOST_TEST(field(all[0], "id") == "11");
    BOOST_TEST(field(all[0], "code") == "forbidden");
    BOOST_TEST(field(all[0], "message") == "no");
    BOOST_TEST(all[0].find("retry_after_ms") == std::string::npos);
    BOOST_TEST(type_of(all[1]) == "$ok");
    BOOST_TEST(field(all[1], "id") == "twelve");
    BOOST_TEST(type_of(all[2]) == "$error");
    BOOST_TEST(field(all[2], "id") == "13");
    BOOST_TEST(field(all[2], "code") == "rate_limited");
    BOOST_TEST(field(all[2], "retry_after_ms") == "1500");
    BOOST_TEST(type_of(all[3]) == "note");
    BOOST_TEST(field(all[3], "id") == "14");
    BOOST_TEST(field(all[3], "n") == "7");
    // Without an id an agreement needs no answer.
    p.text(R"({"type":"asks","data":{"what":"politely"}})");
    p.text(R"({"type":"demands","data":{"n":1}})");
    on.settle();
    BOOST_TEST(p.frames.size() == 5u);
    BOOST_TEST(type_of(p.frames.back().payload) == "$error");
}

// --- beginning and end ---------------------------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(options_that_are_impossible_are_all_named)
{
    pc::transport::world w{1};
    journal j;
    auto const complaint = [&](pc::server_options o) -> std::string {
        try {
            plain server(std::move(o), scripted_app{&j}, w);
        } catch (std::system_error const& e) {
            BOOST_TEST((e.code() == std::errc::invalid_argument));
            return e.what();
        }
        return {};
    };
    auto const names = [](std::string const& text, std::string_view option) { return text.find(option) != text.npos; };
    BOOST_TEST(complaint({}) == "");
    auto const two = complaint({.read_buffer_bytes = 0, .tick = 0ms});
    BOOST_TEST(names(two, "tick"));
    BOOST_TEST(names(two, "read_buffer_bytes"));
    BOOST_TEST(!names(two, "shards"));
    BOOST_TEST(names(complaint({.shards = 0}), "shards"));
    BOOST_TEST(names(complaint({.shards = 65}), "shards"));
    BOOST_TEST(names(complaint({.max_unopened = 0}), "max_unopened"));
    BOOST_TEST(names(complaint({.max_message_bytes = 0}), "max_message_bytes"));
    BOOST_TEST(names(complaint({.max_outbox_bytes = 0}), "max_outbox_bytes"));
    BOOST_TEST(names(complaint({.max_mailbox_emissions = 0}), "max_mailbox_emissions"));
    BOOST_TEST(names(complaint({.heartbeat = {.timeout = 0s}}), "heartbeat"));
}

BOOST_AUTO_TEST_CASE_TEMPLATE(two_servers_of_many_shards_do_not_share_a_port, Server, both)
{
    stage<Server> on({.shards = 2});
    auto const port = on.server->port();
    journal j;
    {
        Server second({.port = port, .shards = 2}, scripted_app{&j}, on.transport());
        std::string complaint;
        try {
            second.start();
        } catch (std::system_error const& e) {
            BOOST_TEST((e.code() == std::errc::address_in_use));
            complaint = e.what();
        }
        BOOST_TEST(complaint.find("127.0.0.1:" + std::to_string(port)) != std::string::npos);
    }
    for (int i = 0; i < 6; ++i)
        BOOST_TEST(on.join().open());
    BOOST_TEST(on.until([&] { return on.j.opens() == 6; }));
    BOOST_TEST(j.opens() == 0u);
}

BOOST_AUTO_TEST_CASE(a_server_that_is_stopped_before_it_starts_reaches_nobody)
{
    pc::transport::world w{1};
    journal j;
    plain server({.port = 0}, scripted_app{&j}, w);
    auto const out = server.emitter();
    BOOST_TEST((out.to_all().emit(note{}).status == outcome::gone));
    server.stop();
    BOOST_TEST((out.to_all().emit(note{}).status == outcome::gone));
    server.start();
    BOOST_TEST((out.to_all().emit(note{}).status == outcome::gone));
    sim::loop loop(w);
    raw_peer<sim> p(loop, server.port(), {});
    w.run_for(10s);
    BOOST_TEST((out.to_all().emit(note{}).status == outcome::gone));
    BOOST_TEST(p.status == 0);
    BOOST_TEST(p.ended);
    BOOST_TEST(j.opens() == 0u);
}

BOOST_AUTO_TEST_CASE(who_agreed_a_token_and_says_nothing_is_served_after_the_handshake_deadline)
{
    stage<plain> on;
    auto& p = on.join({.tokens = {"polycast.v1.json"}, .says_open = false});
    BOOST_TEST(p.status == 101);
    auto const out = on.server->emitter();
    on.world.run_for(4s);
    BOOST_TEST(on.j.opens() == 0u);
    static_cast<void>(out.to_all().emit(note{1, ""}));
    on.world.run_for(4s);
    BOOST_TEST(on.j.opens() == 1u);
    static_cast<void>(out.to_all().emit(note{2, ""}));
    on.settle();
    BOOST_TEST(numbers_of(p, "note") == std::vector{2}, boost::test_tools::per_element());
    BOOST_TEST(p.frames.size() == 1u);
    p.close();
    BOOST_REQUIRE(on.until([&] { return on.j.closes() == 1; }));
}

BOOST_AUTO_TEST_CASE(a_stop_before_the_first_word_ends_with_1001)
{
    stage<plain> on;
    auto& p = on.join({.tokens = {"polycast.v1.json"}, .says_open = false});
    on.server->stop();
    BOOST_REQUIRE(on.until([&] { return p.ended; }, 10s));
    BOOST_TEST((p.closed_with == close_code::going_away));
    BOOST_TEST(p.frames.empty());
    BOOST_TEST(!p.broken);
    on.settle();
    BOOST_TEST(on.server->connections() == 0u);
    BOOST_TEST(on.j.opens() == 0u);   // who was never opened
    BOOST_TEST(on.j.closes() == 0u);  // is not closed
}

BOOST_AUTO_TEST_SUITE_END()
