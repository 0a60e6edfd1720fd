#include <polycast/client.hpp>

#include <polycast/compression/zstd.hpp>
#include <polycast/serializer/raw.hpp>

#include "scripted_server.hpp"

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <chrono>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace pc = polycast;
using namespace std::chrono_literals;
using namespace std::string_literals;
using pc::close_code;
using pc::outcome;
using scripted::frame;
using sim = pc::transport::simulated;

namespace {

struct question {
    std::string text;
};
struct answer {
    int number = 0;
};

struct record {
    int opened = 0;
    std::vector<pc::close_info> closed;
    std::vector<int> answers;
    std::vector<std::string> unknown, control, raw;
    std::vector<std::error_code> failures;
    std::vector<std::chrono::milliseconds> delays;
};

struct app {
    using accepts = pc::events<answer, question>;
    record* r;

    void on(auto& session, answer const& a)
    {
        r->answers.push_back(a.number);
        for (int i = 0; i < a.number; ++i)
            BOOST_TEST((session.emit(question{"again"}) == outcome::queued));
    }
    void on(auto& session, question const& q)
    {
        if (q.text == "throw")
            throw std::runtime_error("from a handler");
        session.close(q.text == "restart" ? close_code::service_restart : close_code::normal, "asked to");
        BOOST_TEST(!session.is_open());
    }
    void on(auto&, pc::message const& m) { r->raw.emplace_back(m.payload); }
    void on_unknown(auto&, pc::envelope const& e) { r->unknown.emplace_back(e.type); }
    void on_control(auto&, pc::envelope const& e) { r->control.emplace_back(e.type); }
    void opened(auto& session)
    {
        ++r->opened;
        BOOST_TEST(session.is_open());
        BOOST_TEST(!session.address().empty());
    }
    void closed(auto& session, pc::close_info const& info)
    {
        r->closed.push_back(info);
        BOOST_TEST(r->opened == static_cast<int>(r->closed.size()));
        BOOST_TEST(!session.is_open());
    }
    void failed(std::error_code ec, unsigned, std::chrono::milliseconds next)
    {
        r->failures.push_back(ec);
        r->delays.push_back(next);
    }
};

using client = pc::client<app, sim>;

/// A world with a scripted server and one client in it.
template <class Client = client>
struct scene {
    explicit scene(pc::client_options more = {}, std::uint64_t seed = 1) : world(seed), server(world), loop(world)
    {
        more.url = server.url("/path?user=a");
        c.emplace(loop, std::move(more), app{&r});
    }
    /// Starts, and returns when the client is open.
    scripted::connection& open()
    {
        c->start();
        BOOST_REQUIRE(world.run_until([&] { return c->is_open() && server.connections.back()->upgraded; }));
        world.run_until_idle();
        return server.last();
    }

    record r;
    pc::transport::world world;
    scripted::server server;
    sim::loop loop;
    std::optional<Client> c;
};

std::string const open_message = R"({"type":"$open"})";

/// A network that does everything it can do, with a client that keeps sending numbers through it.
void through_a_bad_network(std::uint64_t seed)
{
    scene<> s({.backoff = {.initial = 10ms, .cap = 100ms},
               .close_timeout = 1s,
               .heartbeat = {.interval = 1s, .timeout = 3s}},
              seed);
    auto& network = s.world.network();
    network.max_segment_bytes = 17;
    network.send_window_bytes = 200;
    network.partial_write_probability = 0.3;
    network.spurious_wakeup_probability = 0.1;
    network.cut_probability = 0.003;
    network.vanish_probability = 0.0005;
    network.stall_probability = 0.003;
    s.c->start();
    int sent = 0;
    while (sent < 200) {
        if (pc::accepted(s.c->send(std::to_string(sent))))
            ++sent;
        s.world.run_for(std::chrono::microseconds(s.world.chance().below(20'000)));
    }
    network.cut_probability = network.vanish_probability = network.stall_probability = 0;
    BOOST_TEST(s.world.run_until([&] { return s.c->is_open() && s.c->queued_messages() == 0; }));
    s.world.run_for(10s);
    std::vector<int> numbers;
    for (auto const& m : s.server.all_messages())
        if (m != open_message)
            numbers.push_back(std::stoi(m));
    BOOST_TEST((std::adjacent_find(numbers.begin(), numbers.end(), std::greater_equal<>()) == numbers.end()));
    BOOST_TEST(numbers.size() > 150u);
    s.c->stop();
    BOOST_TEST(s.world.run_until([&] { return s.c->stopped(); }));
    BOOST_TEST(s.r.opened == static_cast<int>(s.r.closed.size()));
}

}  // namespace

BOOST_AUTO_TEST_SUITE(client_connection)

BOOST_AUTO_TEST_CASE(the_upgrade_names_the_target_the_token_and_the_headers)
{
    scene<> s({.headers = {{"X-Extra", "1"}}, .token = "secret"});
    auto& peer = s.open();
    BOOST_TEST(peer.asked.target() == "/path?user=a");
    BOOST_TEST(peer.asked.header("Host") == s.server.url().substr(5, s.server.url().size() - 6));
    BOOST_TEST(peer.asked.header("Sec-WebSocket-Protocol") == "polycast.v1.json");
    BOOST_TEST(peer.asked.header("X-Extra") == "1");
    BOOST_TEST(peer.asked.header("Authorization") == "Bearer secret");
    BOOST_TEST(s.r.opened == 1);
    BOOST_TEST(s.r.failures.empty());
}

BOOST_AUTO_TEST_CASE(open_is_said_first_and_then_what_was_queued_in_order)
{
    scene<> s;
    BOOST_TEST((s.c->emit(question{"one"}) == outcome::queued));
    BOOST_TEST((s.c->send("two") == outcome::queued));
    BOOST_TEST((s.c->send("ping", pc::opcode::ping) == outcome::refused));
    BOOST_TEST(s.c->queued_messages() == 2u);
    auto& peer = s.open();
    std::vector const expected{open_message, R"({"type":"question","data":{"text":"one"}})"s, "two"s};
    BOOST_TEST(peer.messages == expected, boost::test_tools::per_element());
    BOOST_TEST(s.c->queued_messages() == 0u);
}

BOOST_AUTO_TEST_CASE(without_a_subprotocol_nothing_is_said_unasked)
{
    scene<> s;
    s.server.tokens.clear();
    auto& peer = s.open();
    BOOST_TEST(peer.messages.empty());
    s.c->emit(question{"x"});
    s.world.run_until_idle();
    BOOST_TEST(peer.messages.size() == 1u);
}

BOOST_AUTO_TEST_CASE(events_reach_their_overload_and_others_the_catch_all)
{
    scene<> s;
    s.server.after_upgrade = frame(R"({"type":"answer","data":{"number":0}})");  // in one piece with the handshake
    auto& peer = s.open();
    peer.text(R"({"type":"answer","data":{"number":1}})"
              "\n"
              R"({"type":"other","data":{}})");
    peer.text(R"({"type":"$hello","version":1})");
    peer.text("no json");
    peer.write(frame("bytes", pc::opcode::binary));
    peer.text(R"({"type":"question","data":{"text":"throw"}})");
    s.world.run_until_idle();
    BOOST_TEST(s.r.answers == (std::vector{0, 1}), boost::test_tools::per_element());
    BOOST_TEST(s.r.unknown == (std::vector{"other"s}), boost::test_tools::per_element());
    BOOST_TEST(s.r.control == (std::vector{"$hello"s}), boost::test_tools::per_element());
    BOOST_TEST(s.r.raw == (std::vector{"bytes"s}), boost::test_tools::per_element());
    BOOST_TEST(s.c->observer().read(pc::metric::bad_messages) == 1u);
    BOOST_TEST(s.c->observer().read(pc::metric::handler_errors) == 1u);
    BOOST_TEST(s.c->is_open());
}

BOOST_AUTO_TEST_CASE(what_a_handler_sends_leaves_in_one_write)
{
    scene<> s;
    auto& peer = s.open();
    auto const before = s.world.connections().at(0).client.writes;
    peer.text(R"({"type":"answer","data":{"number":20}})");
    s.world.run_until_idle();
    BOOST_TEST(peer.messages.size() == 21u);
    BOOST_TEST(s.world.connections().at(0).client.writes == before + 1);
}

BOOST_AUTO_TEST_CASE(a_ping_is_answered_with_its_payload)
{
    scene<> s;
    auto& peer = s.open();
    peer.write(pc::ping_frame("now").view());
    s.world.run_until_idle();
    BOOST_TEST(peer.pongs == (std::vector{"now"s}), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_quiet_connection_is_pinged_and_stays)
{
    scene<> s;
    auto& peer = s.open();
    s.world.run_for(5min);
    BOOST_TEST(peer.pings.size() == 10u);
    BOOST_TEST(s.r.closed.empty());
}

BOOST_AUTO_TEST_CASE(a_server_that_vanished_is_given_up_and_connected_to_anew)
{
    scene<> s;
    s.open();
    s.world.vanish_all();
    s.world.run_for(89s);
    BOOST_TEST(s.r.closed.empty());
    s.world.run_for(2s);
    BOOST_TEST(s.r.closed.size() == 1u);
    BOOST_TEST((s.r.closed.at(0).code == close_code::abnormal));
    s.world.run_for(2s);
    BOOST_TEST(s.r.opened == 2);
}

BOOST_AUTO_TEST_CASE(a_lost_connection_is_made_again_and_nothing_queued_is_lost)
{
    scene<> s;
    s.open();
    s.world.cut_all();
    s.world.run_for(100ms);
    BOOST_TEST(s.r.closed.size() == 1u);
    BOOST_TEST((s.c->emit(question{"kept"}) == outcome::queued));
    s.world.run_for(2s);
    BOOST_TEST(s.r.opened == 2);
    BOOST_TEST(s.server.connections.size() == 2u);
    BOOST_TEST(s.server.last().messages.back().find("kept") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(attempts_back_off_and_begin_anew_after_an_opening)
{
    scene<> s({.backoff = {.spread = pc::jitter::none}});
    s.world.refuse_connections(true);
    s.c->start();
    s.world.run_for(80s);
    auto const seconds = std::vector<std::chrono::milliseconds>{1s, 2s, 4s, 8s, 16s, 30s, 30s};
    BOOST_TEST((s.r.delays == seconds));
    BOOST_TEST((s.r.failures.front() == std::errc::connection_refused));
    s.world.refuse_connections(false);
    s.world.run_for(30s);
    BOOST_TEST(s.r.opened == 1);
    s.world.refuse_connections(true);
    s.world.cut_all();
    s.world.run_for(1500ms);
    BOOST_TEST((s.r.delays.back() == 1s));
}

BOOST_AUTO_TEST_CASE(a_limit_of_attempts_ends_the_client)
{
    scene<> s({.max_attempts = 3});
    s.world.refuse_connections(true);
    s.c->start();
    s.world.run_for(1min);
    BOOST_TEST(s.r.failures.size() == 3u);
    BOOST_TEST((s.r.delays.back() == 0s));
    BOOST_TEST(s.c->stopped());
    BOOST_TEST((s.c->emit(question{}) == outcome::gone));
}

BOOST_AUTO_TEST_CASE(a_server_that_never_answers_is_not_waited_for)
{
    scene<> s({.max_attempts = 1});
    s.world.swallow_connections(true);
    s.c->start();
    s.world.run_for(9900ms);
    BOOST_TEST(s.r.failures.empty());
    s.world.run_for(200ms);
    BOOST_TEST((s.r.failures.at(0) == std::errc::timed_out));
}

BOOST_AUTO_TEST_CASE(a_refused_handshake_is_tried_again_but_not_with_refused_credentials)
{
    scene<> busy({.max_attempts = 2});
    busy.server.refuse_with = 503;
    busy.c->start();
    busy.world.run_for(1min);
    BOOST_TEST(busy.r.failures.size() == 2u);
    BOOST_TEST((busy.r.failures.at(0) == pc::failure::rate_limit));
    scene<> forbidden;
    forbidden.server.refuse_with = 401;
    forbidden.c->start();
    forbidden.world.run_for(1min);
    BOOST_TEST(forbidden.r.failures.size() == 1u);
    BOOST_TEST((forbidden.r.failures.at(0) == pc::failure::authentication));
    BOOST_TEST(forbidden.c->stopped());
}

BOOST_AUTO_TEST_CASE(an_answer_to_another_key_is_no_handshake)
{
    scene<> s({.max_attempts = 1});
    s.server.wrong_accept = true;
    s.c->start();
    s.world.run_for(1min);
    BOOST_TEST((s.r.failures.at(0) == pc::handshake_error::bad_accept));
    BOOST_TEST(s.r.opened == 0);
}

BOOST_AUTO_TEST_CASE(a_url_that_is_none_is_told_and_not_tried)
{
    pc::transport::world world{1};
    sim::loop loop{world};
    record r;
    client c(loop, {.url = "http://server/"}, {&r});
    c.start();
    world.run_for(1s);
    BOOST_TEST((r.failures.at(0) == pc::failure::validation));
    BOOST_TEST(c.stopped());
}

BOOST_AUTO_TEST_CASE(a_url_for_another_transport_is_told_as_that_and_not_tried)
{
    for (auto const& url : {"wss://server/", "ws+unix:/run/server:/"}) {
        pc::transport::world world{1};
        sim::loop loop{world};
        record r;
        client c(loop, {.url = url}, {&r});
        c.start();
        world.run_for(1s);
        BOOST_REQUIRE(r.failures.size() == 1u);
        BOOST_TEST((r.failures.at(0) == pc::handshake_error::scheme_mismatch));
        BOOST_TEST(c.stopped());
    }
}

BOOST_AUTO_TEST_CASE(options_that_cannot_be_are_refused_before_anything_happens)
{
    pc::transport::world world{1};
    sim::loop loop{world};
    record r;
    BOOST_CHECK_EXCEPTION(client(loop, {.url = "ws://a/", .headers = {{"Host", "b"}}}, {&r}), std::system_error,
                          [](std::system_error const& e) {
                              return e.code() == std::errc::invalid_argument &&
                                     std::string(e.what()).starts_with("polycast: client_options: headers must not name");
                          });
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(client_closing)

BOOST_AUTO_TEST_CASE(stop_sends_what_is_queued_closes_and_waits_for_the_server)
{
    scene<> s;
    auto& peer = s.open();
    s.c->emit(question{"last"});
    s.c->stop();
    BOOST_TEST(s.world.run_until([&] { return peer.closed_with.has_value(); }));
    BOOST_TEST(peer.messages.back().find("last") != std::string::npos);
    BOOST_TEST((*peer.closed_with == close_code::normal));
    BOOST_TEST(!peer.ended);
    s.world.run_until_idle();
    BOOST_TEST(peer.ended);
    BOOST_TEST(s.c->stopped());
    BOOST_TEST(s.r.closed.size() == 1u);
    BOOST_TEST((s.r.closed.at(0).code == close_code::normal));
    BOOST_TEST(!s.r.closed.at(0).by_peer);
    BOOST_TEST((s.c->emit(question{}) == outcome::gone));
    s.world.run_for(1min);
    BOOST_TEST(s.server.connections.size() == 1u);
}

BOOST_AUTO_TEST_CASE(a_close_that_nobody_answers_ends_at_the_deadline)
{
    scene<> s;
    s.server.answers_close = false;
    auto& peer = s.open();
    s.c->stop();
    s.world.run_for(4900ms);
    BOOST_TEST(!s.c->stopped());
    s.world.run_for(200ms);
    BOOST_TEST(s.c->stopped());
    BOOST_TEST(peer.ended);
    BOOST_TEST(s.r.closed.size() == 1u);
}

BOOST_AUTO_TEST_CASE(stop_before_anything_else_just_stops)
{
    scene<> s;
    s.c->stop();
    s.world.run_for(1s);
    BOOST_TEST(s.c->stopped());
    BOOST_TEST(s.server.connections.empty());
    scene<> waiting;
    waiting.world.refuse_connections(true);
    waiting.c->start();
    waiting.world.run_for(1s);
    waiting.c->stop();
    waiting.world.run_until_idle();
    BOOST_TEST(waiting.c->stopped());
    BOOST_TEST(waiting.r.opened == 0);
}

struct closing_case {
    std::uint16_t code;
    bool connects_again;
    friend std::ostream& operator<<(std::ostream& out, closing_case c) { return out << c.code; }
};
closing_case const closings[] = {{1000, false}, {1001, true}, {1011, true}, {1012, true}, {1013, true}, {1008, false},
                                 {4001, true}, {4003, true}, {4500, false}, {4999, false}};

BOOST_DATA_TEST_CASE(a_close_code_says_whether_to_come_back, boost::unit_test::data::make(closings), sample)
{
    scene<> s;
    s.server.answers_close = false;  // it closes first
    auto& peer = s.open();
    auto const code = static_cast<close_code>(sample.code);
    peer.write(pc::close_frame(code, "because").view());
    s.world.run_until_idle();
    BOOST_TEST((peer.closed_with == code));  // RFC 6455 §5.5.1: echoed
    BOOST_TEST(s.r.closed.empty());          // the server ends the connection
    s.server.connections.front()->end();
    s.world.run_for(3s);
    BOOST_TEST(s.r.closed.size() == 1u);
    BOOST_TEST((s.r.closed.at(0).code == code));
    BOOST_TEST(s.r.closed.at(0).reason == "because");
    BOOST_TEST(s.r.closed.at(0).by_peer);
    BOOST_TEST((s.r.opened == 2) == sample.connects_again);
    BOOST_TEST(s.c->stopped() == !sample.connects_again);
}

BOOST_AUTO_TEST_CASE(a_handler_may_close)
{
    scene<> s;
    auto& peer = s.open();
    peer.text(R"({"type":"question","data":{"text":"restart"}})");
    s.world.run_for(3s);
    BOOST_TEST((peer.closed_with == close_code::service_restart));
    BOOST_TEST(peer.close_reason == "asked to");
    BOOST_TEST(s.r.opened == 2);
    s.server.last().text(R"({"type":"question","data":{"text":"end"}})");
    s.world.run_for(3s);
    BOOST_TEST(s.c->stopped());
    BOOST_TEST(s.r.closed.size() == 2u);
}

BOOST_AUTO_TEST_CASE(goodbye_says_when_to_come_back)
{
    scene<> s;
    auto& peer = s.open();
    peer.text(R"({"type":"$bye","reason":"drain","reconnect_after_ms":[20000,25000],"url":null})");
    peer.write(pc::close_frame(close_code::service_restart).view());
    s.world.run_until_idle();
    s.server.connections.front()->end();
    s.world.run_for(19s);
    BOOST_TEST(s.r.opened == 1);
    s.world.run_for(7s);
    BOOST_TEST(s.r.opened == 2);
}

struct breach {
    char const* what;
    std::string bytes;
    close_code code;
    friend std::ostream& operator<<(std::ostream& out, breach const& b) { return out << b.what; }
};
breach const breaches[] = {
    {"a masked frame", "\x81\x81\x01\x02\x03\x04x", close_code::protocol_error},
    {"a reserved bit", "\xC1\x01x", close_code::protocol_error},
    {"a continuation of nothing", "\x80\x01x"s, close_code::protocol_error},
    {"text that is not UTF-8", "\x81\x01\xFF", close_code::invalid_payload},
    {"a message over the limit", "\x81\x7E\x04\x01"s, close_code::message_too_big},
};

BOOST_DATA_TEST_CASE(a_breach_is_answered_with_its_code_and_a_new_connection, boost::unit_test::data::make(breaches),
                     sample)
{
    scene<> s({.max_message_bytes = 1024});
    auto& peer = s.open();
    peer.write(sample.bytes);
    peer.text(R"({"type":"answer","data":{"number":1}})");
    s.world.run_for(3s);
    BOOST_TEST((peer.closed_with == sample.code));
    BOOST_TEST(s.r.answers.empty());
    BOOST_TEST(s.r.closed.size() == 1u);
    BOOST_TEST((s.r.closed.at(0).code == sample.code));
    BOOST_TEST(!s.r.closed.at(0).by_peer);
    BOOST_TEST(s.r.opened == 2);
}

BOOST_AUTO_TEST_CASE(destroying_an_open_client_ends_it_once)
{
    scene<> s;
    auto& peer = s.open();
    s.c.reset();
    BOOST_TEST(s.r.closed.size() == 1u);
    peer.text(R"({"type":"answer","data":{"number":1}})");
    s.world.run_for(1min);
    BOOST_TEST(s.r.closed.size() == 1u);
    BOOST_TEST(s.r.answers.empty());
    BOOST_TEST(peer.ended);
}

BOOST_AUTO_TEST_CASE(a_client_may_be_destroyed_at_any_step)
{
    for (int steps = 0; steps < 60; ++steps) {
        scene<> s({}, 7);
        s.c->start();
        s.c->emit(question{"x"});
        for (int i = 0; i < steps; ++i)
            s.world.step();
        s.c.reset();
        s.world.run_for(1s);
        BOOST_TEST(s.r.opened == static_cast<int>(s.r.closed.size()));
    }
}

BOOST_AUTO_TEST_CASE(a_client_with_a_loop_of_its_own_runs_until_it_has_stopped)
{
    pc::transport::world world{1};
    scripted::server server{world};
    record r;
    pc::client<app, sim> c({.url = server.url()}, {&r}, world);
    c.emit(question{"before"});
    sim::loop other{world};
    sim::timer later{other};
    later.start(10s, [&] { c.stop(); });
    c.run();
    BOOST_TEST(r.opened == 1);
    BOOST_TEST(r.closed.size() == 1u);
    BOOST_TEST(c.stopped());
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(client_sending)

BOOST_AUTO_TEST_CASE(the_queue_is_bounded_and_says_so)
{
    scene<> s({.max_queued_messages = 3});
    for (int i = 0; i < 3; ++i)
        BOOST_TEST((s.c->emit(question{"x"}) == outcome::queued));
    BOOST_TEST((s.c->emit(question{"x"}) == outcome::over_budget));
    scene<> bytes({.max_queued_bytes = 1000});
    BOOST_TEST((bytes.c->send(std::string(900, 'x')) == outcome::queued));
    BOOST_TEST((bytes.c->send(std::string(100, 'x')) == outcome::over_budget));
    BOOST_TEST(bytes.c->queued_bytes() <= 1000u);
}

BOOST_AUTO_TEST_CASE(a_slow_server_fills_the_queue_and_then_gets_everything)
{
    scene<> s;
    s.world.network().send_window_bytes = 1000;
    auto& peer = s.open();
    s.world.stall_all(10s);
    int accepted = 0;
    while (pc::accepted(s.c->send(std::string(10'000, 'x')))) {
        ++accepted;
        s.world.run_for(1ms);
    }
    BOOST_TEST(accepted == 104);
    s.world.run_for(1min);
    BOOST_TEST(peer.messages.size() == 1u + 104u);
    BOOST_TEST(s.c->queued_bytes() == 0u);
}

BOOST_AUTO_TEST_CASE(zstd_is_offered_first_and_events_then_travel_compressed)
{
    using zstd = pc::compression::zstd<3>;
    scene<pc::client<app, sim, zstd>> s;
    s.server.tokens = {"polycast.v1.json.zstd"};
    auto& peer = s.open();
    BOOST_TEST(peer.asked.header("Sec-WebSocket-Protocol") == "polycast.v1.json.zstd, polycast.v1.json");
    s.c->emit(question{"packed"});
    s.world.run_until_idle();
    BOOST_TEST(peer.messages.size() == 2u);
    BOOST_TEST((peer.kinds.back() == pc::opcode::binary));
    pc::detail::byte_buffer plain;
    BOOST_TEST(!zstd{}.decompress(1, plain, peer.messages.back(), 1000));
    BOOST_TEST(plain.view() == R"({"type":"question","data":{"text":"packed"}})");
    pc::detail::byte_buffer packed;
    BOOST_TEST(zstd{}.compress(1, packed, R"({"type":"answer","data":{"number":0}})"));
    peer.write(frame(packed.view(), pc::opcode::binary));
    s.world.run_until_idle();
    BOOST_TEST(s.r.answers.size() == 1u);
}

BOOST_AUTO_TEST_CASE(a_raw_client_offers_nothing_and_gets_every_message)
{
    scene<pc::client<app, sim, pc::serializer::raw>> s;
    auto& peer = s.open();
    BOOST_TEST(peer.asked.count("Sec-WebSocket-Protocol") == 0u);
    peer.text("text");
    peer.write(frame("binary", pc::opcode::binary));
    s.c->send("out", pc::opcode::binary);
    s.world.run_until_idle();
    BOOST_TEST(s.r.raw == (std::vector{"text"s, "binary"s}), boost::test_tools::per_element());
    BOOST_TEST(peer.messages == (std::vector{"out"s}), boost::test_tools::per_element());
}

BOOST_DATA_TEST_CASE(through_a_bad_network_messages_keep_their_order_and_none_comes_twice,
                     boost::unit_test::data::xrange(1, 80), seed)
{
    through_a_bad_network(static_cast<std::uint64_t>(seed));
}

BOOST_AUTO_TEST_SUITE_END()
