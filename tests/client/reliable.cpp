#include <polycast/client.hpp>

#include <polycast/delivery/at_least_once.hpp>
#include <polycast/serializer/msgpack.hpp>

#include "scripted_server.hpp"

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace pc = polycast;
using namespace std::chrono_literals;
using namespace std::string_literals;
using pc::close_code;
using pc::outcome;
using scripted::frame;
using sim = pc::transport::simulated;
using pc::delivery::at_least_once;

namespace {

struct number {
    int n = 0;
};
struct said {
    std::string text;
};

struct record {
    std::vector<std::string> log;  ///< what the application was told, in order
    std::vector<int> numbers;
    std::vector<std::error_code> failures;
    int opened = 0, closed = 0;

    [[nodiscard]] bool has(std::string_view line) const { return std::find(log.begin(), log.end(), line) != log.end(); }
};

struct app {
    using accepts = pc::events<number, said>;
    record* r;

    void on(auto&, number const& e)
    {
        r->numbers.push_back(e.n);
        r->log.push_back("number " + std::to_string(e.n));
    }
    void on(auto& session, said const& e)
    {
        if (e.text == "throw")
            throw std::runtime_error("from a handler");
        if (e.text == "close")
            session.close(close_code::service_restart);
        r->log.push_back("said " + e.text);
    }
    void on_unknown(auto&, pc::envelope const& e) { r->log.push_back("unknown " + std::string(e.type)); }
    void opened(auto& session)
    {
        ++r->opened;
        r->log.push_back("opened");
        BOOST_TEST(session.is_open());
    }
    void resumed(auto&) { r->log.push_back("resumed"); }
    void closed(auto&, pc::close_info const& info)
    {
        ++r->closed;
        r->log.push_back("closed " + std::to_string(static_cast<int>(info.code)));
    }
    void failed(std::error_code ec, unsigned, std::chrono::milliseconds) { r->failures.push_back(ec); }
    void gap(auto&, std::uint64_t from, std::uint64_t to, std::string_view reason)
    {
        r->log.push_back("gap " + std::to_string(from) + " " + std::to_string(to) + " " + std::string(reason));
    }
    void joined(auto&, std::string_view room, std::optional<bool> recovered)
    {
        r->log.push_back("joined " + std::string(room) + (!recovered ? "" : *recovered ? " recovered" : " lost"));
    }
    void join_refused(auto&, std::string_view room, pc::envelope const& e)
    {
        r->log.push_back("refused " + std::string(room) + " " + std::string(e.code));
    }
    void answered(auto&, std::uint64_t id, pc::envelope const& e)
    {
        r->log.push_back("answered " + std::to_string(id) + " " + std::string(e.type));
    }
};

using client = pc::client<app, sim, at_least_once<>>;

std::string hello(bool resumed, std::string_view session = "s1", std::string_view more = "")
{
    return R"({"type":"$hello","version":1,"session":")" + std::string(session) + R"(","epoch":"k1","resumed":)" +
           (resumed ? "true" : "false") + R"(,"ack":{"every":4,"within_ms":500})" + std::string(more) + "}";
}
std::string event(int n, std::string_view more = "")
{
    return R"({"type":"number")" + std::string(more) + R"(,"data":{"n":)" + std::to_string(n) + "}}";
}
std::string ok(int id, std::string_view more = "")
{
    return R"({"type":"$ok","id":)" + std::to_string(id) + std::string(more) + "}";
}
std::string sent(int id, std::string_view text)
{
    return R"({"type":"said","id":)" + std::to_string(id) + R"(,"data":{"text":")" + std::string(text) + R"("}})";
}
std::string join(int id, std::string_view room, std::string_view more = "")
{
    return R"({"type":"$join","id":)" + std::to_string(id) + R"(,"room":")" + std::string(room) + "\"" +
           std::string(more) + "}";
}
std::string leave(int id, std::string_view room)
{
    return R"({"type":"$leave","id":)" + std::to_string(id) + R"(,"room":")" + std::string(room) + "\"}";
}
std::string ack(int received)
{
    return R"({"type":"$ack","received":)" + std::to_string(received) + "}";
}
std::string const first_open = R"({"type":"$open"})";
std::string open_again(int received, std::string_view session = "s1")
{
    return R"({"type":"$open","session":")" + std::string(session) + R"(","received":)" + std::to_string(received) + "}";
}

/// A world with a scripted server and one reliable client in it.
template <class Client = client>
struct scene {
    explicit scene(pc::client_options more = {}, std::uint64_t seed = 1) : world(seed), server(world), loop(world)
    {
        more.url = server.url();
        more.backoff = {.initial = 100ms, .cap = 1s, .spread = pc::jitter::none};
        c.emplace(loop, std::move(more), app{&r});
    }
    /// Starts, and returns when `$open` has come to a connection that is new.
    scripted::connection& greeted()
    {
        auto const before = server.connections.size();
        c->start();
        BOOST_REQUIRE(world.run_until(
            [&] { return server.connections.size() > before && !server.last().messages.empty(); }));
        return server.last();
    }
    scripted::connection& open(bool resumed = false)
    {
        auto& peer = greeted();
        peer.text(hello(resumed));
        world.run_until_idle();
        return peer;
    }
    void cut()
    {
        world.cut_all();
        world.run_until_idle();
    }

    record r;
    pc::transport::world world;
    scripted::server server;
    sim::loop loop;
    std::optional<Client> c;
};

using lines = std::vector<std::string>;

/// The least server that keeps a session: what it counts it replays, and an id that it knows it only answers again.
class keeper {
public:
    explicit keeper(scene<>& s) : scene_(s) {}

    lines handled;     ///< what the client sent, each id once
    int repeated = 0;  ///< ids that came again
    int resumed = 0;

    template <class Predicate>
    bool run_until(Predicate done)
    {
        return scene_.world.run_until([&] {
            look();
            return done();
        });
    }
    void emit(std::string text)
    {
        log_.push_back(std::move(text));
        if (current_ != nullptr)
            current_->text(log_.back());
    }

private:
    void look()
    {
        auto const& all = scene_.server.connections;
        looked_.resize(all.size());
        for (std::size_t i = 0; i < all.size(); ++i)
            while (looked_[i] < all[i]->messages.size())
                take(*all[i], all[i]->messages[looked_[i]++]);
    }
    static std::size_t number_after(std::string const& text, std::string_view key)
    {
        auto const at = text.find(key);
        return at == std::string::npos ? 0 : std::stoul(text.substr(at + key.size()));
    }
    void take(scripted::connection& from, std::string const& text)
    {
        auto const id = static_cast<int>(number_after(text, R"("id":)"));
        if (text.find("$open") != std::string::npos) {
            bool const known = text.find("s1") != std::string::npos;
            current_ = &from;
            resumed += known;
            from.text(hello(known));
            if (!known)
                log_.clear();  // it has not heard of a session, so it cannot have had anything
            for (auto at = number_after(text, R"("received":)"); at < log_.size(); ++at)
                from.text(log_[at]);
        } else if (id != 0) {
            if (std::find(ids_.begin(), ids_.end(), id) != ids_.end())
                ++repeated;
            else
                handled.push_back(text);
            ids_.push_back(id);
            if (id % 3 == 0)
                emit(event(1000 + id, R"(,"id":)" + std::to_string(id)));
            else
                from.text(ok(id, text.find("$join") == 1 ? R"(,"room":"a","offset":0,"epoch":"k1")" : ""));
        }
    }

    scene<>& scene_;
    std::vector<std::size_t> looked_;
    std::vector<int> ids_;
    lines log_;
    scripted::connection* current_ = nullptr;
};

/// Rooms are joined before anything else, when there is a session.
int join_id(lines const& handled)
{
    for (std::size_t i = 0; i < handled.size(); ++i)
        if (handled[i].find("$join") != std::string::npos)
            return static_cast<int>(i) + 1;
    return 0;
}

struct hardship {
    std::uint64_t cut_after;  ///< bytes
    std::uint64_t cut_again_after = 0;
    std::size_t max_segment_bytes = 1460;
    int repeated = 0, resumed = 0;  ///< what came of it
};

/// A conversation through cuts. Returns whether it came to the first.
bool cut_conversation(hardship& h)
{
    scene<> s;
    keeper k(s);
    s.world.network().max_segment_bytes = h.max_segment_bytes;
    s.world.cut_after_bytes(h.cut_after);
    s.c->join("a");
    s.c->start();
    int next = 0, emitted = 0;
    auto const feed = [&] {
        if (s.server.connections.size() == 2 && h.cut_again_after != 0)
            s.world.cut_after_bytes(std::exchange(h.cut_again_after, 0));
        if (s.r.opened > 0 && emitted < 6) {
            ++emitted;
            BOOST_TEST(s.c->request(said{std::to_string(emitted)}) != 0u);
        }
        if (!k.handled.empty() && next < 9)
            k.emit(event(++next));
        return std::count(s.r.numbers.begin(), s.r.numbers.end(), 9) != 0 && s.c->queued_messages() == 0 && s.c->is_open();
    };
    bool const done = k.run_until(feed);
    BOOST_TEST(done);
    auto const settled = s.world.now() + 2s;
    BOOST_TEST(k.run_until([&] { return s.world.now() >= settled && s.c->is_open(); }));
    std::vector<int> plain;
    std::copy_if(s.r.numbers.begin(), s.r.numbers.end(), std::back_inserter(plain), [](int v) { return v < 1000; });
    BOOST_TEST(plain == (std::vector{1, 2, 3, 4, 5, 6, 7, 8, 9}), boost::test_tools::per_element());
    lines expected;
    int const joined = join_id(k.handled);
    for (int i = 1; i <= 7; ++i) {
        expected.push_back(i == joined ? join(i, "a") : sent(i, std::to_string(i - (i > joined))));
        auto const is_answer = [&](auto const& line) { return line.starts_with("answered " + std::to_string(i) + " "); };
        BOOST_TEST(std::count_if(s.r.log.begin(), s.r.log.end(), is_answer) == (i != joined));
    }
    BOOST_TEST(k.handled == expected, boost::test_tools::per_element());
    BOOST_TEST(std::count(s.r.log.begin(), s.r.log.end(), "joined a") == 1);
    BOOST_TEST(s.r.opened == s.r.closed + 1);
    h.repeated += k.repeated;
    h.resumed += k.resumed;
    return s.server.connections.size() > 1;
}

}  // namespace

#define IS(what, ...) BOOST_TEST((what) == (lines __VA_ARGS__), boost::test_tools::per_element())

BOOST_AUTO_TEST_SUITE(reliable_client)

BOOST_AUTO_TEST_CASE(nothing_of_the_application_goes_before_hello)
{
    scene<> s;
    s.c->emit(said{"early"});
    s.c->send("raw");
    auto& peer = s.greeted();
    s.world.run_for(3s);
    IS(peer.messages, {first_open});
    BOOST_TEST(!s.c->is_open());
    BOOST_TEST(s.r.log.empty());
    peer.text(hello(false));
    s.world.run_until_idle();
    BOOST_TEST(s.c->is_open());
    IS(peer.messages, {first_open, sent(1, "early"), "raw"});
    IS(s.r.log, {"opened"});
}

BOOST_AUTO_TEST_CASE(a_dropped_session_is_opened_again_with_what_was_received)
{
    scene<> s;
    auto& peer = s.open();
    peer.text(event(1) + "\n" + event(2));
    peer.text(R"({"type":"$pong"})");
    peer.text(event(3));
    s.world.run_until_idle();
    s.cut();
    auto& next = s.open(true);
    IS(next.messages, {open_again(3)});
    next.text(event(4));
    s.world.run_until_idle();
    s.cut();
    IS(s.r.log, {"opened", "number 1", "number 2", "number 3", "closed 1006", "opened", "resumed", "number 4", "closed 1006"});
    auto& third = s.greeted();
    IS(third.messages, {open_again(4)});
}

BOOST_AUTO_TEST_CASE(a_session_that_is_not_held_any_more_counts_from_0)
{
    scene<> s;
    s.open().text(event(1));
    s.world.run_until_idle();
    s.cut();
    auto& second = s.greeted();
    second.text(hello(false, "s2"));
    second.text(event(7));
    s.world.run_until_idle();
    BOOST_TEST(!s.r.has("resumed"));
    s.cut();
    IS(s.greeted().messages, {open_again(1, "s2")});
}

BOOST_AUTO_TEST_CASE(unknown_events_those_that_do_not_decode_and_those_that_throw_are_counted)
{
    scene<> s;
    auto& peer = s.open();
    peer.text(R"({"type":"other","data":{}})");
    peer.text(R"({"type":"number","data":{"n":"none"}})");
    peer.text(R"({"type":"said","data":{"text":"throw"}})");
    std::string many;
    for (int i = 0; i < 40; ++i)
        many += "{\"type\":\"number\",\"data\":{\"n\":\"none\"}}\n";
    peer.text(many);
    peer.text(R"({"type":"$gap","to":"none"})");  // control that does not decode is not
    s.world.run_until_idle();
    s.cut();
    IS(s.greeted().messages, {open_again(43)});
    BOOST_TEST(s.c->observer().read(pc::metric::bad_messages) == 42u);
    BOOST_TEST(s.c->observer().read(pc::metric::handler_errors) == 1u);
}

BOOST_AUTO_TEST_CASE(events_are_acknowledged_by_count)
{
    scene<> s;
    auto& peer = s.open();
    for (int i = 1; i <= 3; ++i)
        peer.text(event(i));
    s.world.run_until_idle();
    IS(peer.messages, {first_open});
    peer.text(event(4) + "\n" + event(5));
    s.world.run_until_idle();
    IS(peer.messages, {first_open, ack(5)});
}

BOOST_AUTO_TEST_CASE(events_are_acknowledged_in_time_after_the_first)
{
    scene<> s;
    auto& peer = s.open();
    s.world.run_for(10s);
    peer.text(event(1));
    s.world.run_for(450ms);
    peer.text(event(2));
    s.world.run_until_idle();
    IS(peer.messages, {first_open});
    s.world.run_for(100ms);
    IS(peer.messages, {first_open, ack(2)});
    s.world.run_for(10s);
    IS(peer.messages, {first_open, ack(2)});
    peer.text(event(3));
    s.world.run_for(600ms);
    IS(peer.messages, {first_open, ack(2), ack(3)});
}

BOOST_AUTO_TEST_CASE(what_was_said_in_open_is_not_acknowledged_once_more)
{
    scene<> s;
    s.open().text(event(1));
    s.world.run_until_idle();
    s.cut();
    auto& peer = s.open(true);
    s.world.run_for(2s);
    IS(peer.messages, {open_again(1)});
}

BOOST_AUTO_TEST_CASE(a_gap_is_told_and_counted)
{
    scene<> s;
    auto& peer = s.open();
    peer.text(event(1));
    peer.text(R"({"type":"$gap","from":2,"to":10,"reason":"evicted"})");
    peer.text(event(11));
    peer.text(R"({"type":"$gap","from":2,"to":3,"reason":"evicted"})");
    s.world.run_until_idle();
    IS(s.r.log, {"opened", "number 1", "gap 2 10 evicted", "number 11", "gap 2 3 evicted"});
    IS(peer.messages, {first_open, ack(10)});
    s.world.run_for(1s);
    IS(peer.messages, {first_open, ack(10), ack(11)});
}

BOOST_AUTO_TEST_CASE(a_graceful_close_acknowledges_and_then_says_1000)
{
    scene<> s;
    auto& peer = s.open();
    peer.text(event(1));
    s.world.run_until_idle();
    s.c->stop();
    BOOST_TEST(s.world.run_until([&] { return s.c->stopped(); }));
    IS(peer.messages, {first_open, ack(1)});
    BOOST_TEST((*peer.closed_with == close_code::normal));
    BOOST_TEST(s.r.closed == 1);
}

BOOST_AUTO_TEST_CASE(a_destroyed_client_just_ends)
{
    scene<> s;
    auto& peer = s.open();
    s.c->emit(said{"x"});
    peer.text(event(1));
    s.world.run_until_idle();
    s.c.reset();
    s.world.run_for(1min);
    BOOST_TEST(!peer.closed_with);
    IS(peer.messages, {first_open, sent(1, "x")});
    BOOST_TEST(s.r.closed == 1);
    BOOST_TEST(s.server.connections.size() == 1u);
}

BOOST_AUTO_TEST_CASE(a_client_may_be_destroyed_or_stopped_at_any_step)
{
    for (int steps = 0; steps < 80; ++steps)
        for (bool const destroy : {false, true}) {
            scene<> s({}, 7);
            s.server.after_upgrade = frame(hello(false)) + frame(event(1));
            s.c->start();
            s.c->emit(said{"x"});
            s.c->join("a");
            for (int i = 0; i < steps; ++i)
                s.world.step();
            if (destroy)
                s.c.reset();
            else
                s.c->stop();
            s.world.run_for(1min);
            BOOST_TEST(s.r.opened == s.r.closed);
            BOOST_TEST((destroy || s.c->stopped()));
        }
}

BOOST_AUTO_TEST_CASE(a_server_that_says_no_hello_is_given_up)
{
    scene<> s({.connect_timeout = 2s});
    s.greeted();
    s.world.run_for(1950ms);
    BOOST_TEST(s.r.failures.empty());
    s.world.run_for(100ms);
    BOOST_REQUIRE(s.r.failures.size() == 1u);
    BOOST_TEST((s.r.failures[0] == std::errc::timed_out));
    s.greeted().end();
    s.world.run_until_idle();
    BOOST_TEST(s.r.failures.size() == 2u);
    auto& peer = s.greeted();
    peer.write(pc::close_frame(close_code::try_again_later).view());
    s.world.run_until_idle();
    peer.end();
    s.world.run_until_idle();
    BOOST_TEST(s.r.failures.size() == 3u);
    auto& last = s.greeted();
    last.write(pc::close_frame(close_code::unauthorized).view());
    s.world.run_until_idle();
    last.end();
    s.world.run_until_idle();
    BOOST_REQUIRE(s.r.failures.size() == 4u);
    BOOST_TEST((s.r.failures[3] == pc::handshake_error::unauthorized));
    BOOST_TEST(s.c->stopped());
    BOOST_TEST(s.r.log.empty());
}

BOOST_AUTO_TEST_CASE(an_event_before_hello_and_a_second_hello_do_nothing)
{
    scene<> s;
    s.server.after_upgrade = frame(event(1));
    auto& peer = s.open();
    peer.text(event(2));
    peer.text(hello(false, "s9"));
    s.world.run_until_idle();
    IS(s.r.log, {"opened", "number 2"});
    s.cut();
    IS(s.greeted().messages, {open_again(1)});
}

BOOST_AUTO_TEST_CASE(what_comes_after_a_handler_closed_is_not_counted)
{
    scene<> s;
    auto& peer = s.open();
    peer.text(event(1) + "\n" + R"({"type":"said","data":{"text":"close"}})" + "\n" + event(3));
    peer.text(event(4));
    s.world.run_until_idle();
    IS(peer.messages, {first_open, ack(2)});
    BOOST_TEST((*peer.closed_with == close_code::service_restart));
    IS(s.greeted().messages, {open_again(2)});
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(reliable_client_requests)

BOOST_AUTO_TEST_CASE(an_event_is_sent_on_each_connection_until_it_is_answered)
{
    scene<> s;
    auto& peer = s.open();
    for (auto const* text : {"a", "b", "c"})
        BOOST_TEST((s.c->emit(said{text}) == outcome::queued));
    s.world.run_until_idle();
    IS(peer.messages, {first_open, sent(1, "a"), sent(2, "b"), sent(3, "c")});
    BOOST_TEST(s.c->queued_messages() == 3u);
    peer.text(ok(2));
    s.world.run_until_idle();
    s.cut();
    s.c->emit(said{"d"});
    auto& next = s.open(true);
    IS(next.messages, {open_again(0), sent(1, "a"), sent(3, "c"), sent(4, "d")});
    next.text(ok(1) + "\n" + R"({"type":"$error","id":3,"code":"rate_limited","retry_after_ms":10})");
    s.world.run_until_idle();
    s.cut();
    auto& third = s.open(false);  // also to a server that remembers nothing
    IS(third.messages, {open_again(0), sent(4, "d")});
    third.text(ok(4));
    s.world.run_until_idle();
    BOOST_TEST(s.c->queued_messages() == 0u);
    BOOST_TEST(s.c->queued_bytes() == 0u);
}

BOOST_AUTO_TEST_CASE(a_message_without_an_id_is_settled_when_it_is_sent)
{
    scene<> s;
    auto& peer = s.open();
    s.c->emit(said{"a"});
    s.c->send("raw");
    s.c->emit(said{"b"});
    s.world.run_until_idle();
    BOOST_TEST(s.c->queued_messages() == 3u);
    s.cut();
    auto& next = s.open(true);
    IS(next.messages, {open_again(0), sent(1, "a"), sent(2, "b")});
    next.text(ok(1));
    s.world.run_until_idle();
    BOOST_TEST(s.c->queued_messages() == 1u);
    BOOST_TEST(peer.messages.size() == 4u);
}

BOOST_AUTO_TEST_CASE(a_request_is_answered_once_by_ok_error_or_an_event)
{
    scene<> s;
    auto& peer = s.open();
    BOOST_TEST(s.c->request(said{"a"}) == 1u);
    BOOST_TEST((s.c->emit(said{"b"}) == outcome::queued));
    BOOST_TEST(s.c->request(said{"c"}) == 3u);
    BOOST_TEST(s.c->request(said{"d"}) == 4u);
    s.world.run_until_idle();
    peer.text(event(7, R"(,"id":4)"));
    peer.text(ok(2) + "\n" + R"({"type":"$error","id":3,"code":"forbidden"})" + "\n" + ok(1) + "\n" + ok(1) + "\n" + ok(99));
    peer.text(R"({"type":"$ok","id":"1"})");
    s.world.run_until_idle();
    IS(s.r.log, {"opened", "number 7", "answered 4 number", "answered 3 $error", "answered 1 $ok"});
    BOOST_TEST(s.c->queued_messages() == 0u);
}

BOOST_AUTO_TEST_CASE(an_answer_that_comes_again_as_an_event_is_counted_and_not_handed_on)
{
    scene<> s;
    auto& peer = s.open();
    s.c->request(said{"a"});
    s.world.run_until_idle();
    peer.text(event(7, R"(,"id":1)"));
    s.world.run_until_idle();
    s.cut();
    auto& next = s.open(true);
    next.text(event(7, R"(,"id":1)"));
    next.text(event(8, R"(,"id":2)"));       // an id that this client has not given
    next.text(event(9, R"(,"id":"x")"));
    s.world.run_until_idle();
    BOOST_TEST(s.r.numbers == (std::vector{7, 8, 9}), boost::test_tools::per_element());
    s.cut();
    IS(s.greeted().messages, {open_again(4)});
}

BOOST_AUTO_TEST_CASE(an_answer_that_is_replayed_keeps_the_request_from_being_sent_again)
{
    scene<> s;
    s.open();
    s.c->request(said{"a"});
    s.c->request(said{"b"});
    s.world.run_until_idle();
    s.cut();
    auto& next = s.greeted();
    next.text(hello(true) + "\n" + event(1, R"(,"id":1)"));
    s.world.run_until_idle();
    IS(next.messages, {open_again(0), sent(2, "b")});
    BOOST_TEST(s.r.has("answered 1 number"));
}

BOOST_AUTO_TEST_CASE(a_gap_makes_unanswered_requests_be_asked_again)
{
    scene<> s;
    auto& peer = s.open();
    s.c->request(said{"a"});
    s.c->send("raw");
    s.world.run_until_idle();
    peer.text(R"({"type":"$gap","from":1,"to":1,"reason":"evicted"})");
    s.world.run_until_idle();
    IS(peer.messages, {first_open, sent(1, "a"), "raw", sent(1, "a")});
    peer.text(ok(1) + "\n" + ok(1));
    s.world.run_until_idle();
    IS(s.r.log, {"opened", "gap 1 1 evicted", "answered 1 $ok"});
}

BOOST_AUTO_TEST_CASE(no_more_are_under_way_than_a_server_knows_again)
{
    scene<> s;
    auto& peer = s.open();
    for (int i = 1; i <= 300; ++i)
        s.c->emit(said{"x"});
    s.world.run_until_idle();
    BOOST_TEST(peer.messages.size() == 1u + 200u);
    peer.text(ok(2));  // the oldest is still without an answer
    s.world.run_until_idle();
    BOOST_TEST(peer.messages.size() == 1u + 200u);
    peer.text(ok(1));
    s.world.run_until_idle();
    BOOST_TEST(peer.messages.size() == 1u + 202u);
    BOOST_TEST(peer.messages.back() == sent(202, "x"));
}

BOOST_AUTO_TEST_CASE(the_queue_is_bounded_in_count_and_bytes_with_what_is_unanswered)
{
    scene<> s({.max_queued_messages = 3});
    for (int i = 0; i < 3; ++i)
        BOOST_TEST((s.c->emit(said{"x"}) == outcome::queued));
    BOOST_TEST((s.c->emit(said{"x"}) == outcome::over_budget));
    BOOST_TEST(s.c->request(said{"x"}) == 0u);
    scene<> bytes({.max_queued_bytes = 1000});
    auto& peer = bytes.open();
    BOOST_TEST((bytes.c->emit(said{std::string(800, 'x')}) == outcome::queued));
    bytes.world.run_until_idle();
    BOOST_TEST(peer.messages.size() == 2u);
    BOOST_TEST((bytes.c->emit(said{std::string(200, 'x')}) == outcome::over_budget));
    BOOST_TEST(bytes.c->queued_bytes() <= 1000u);
    peer.text(ok(1));
    bytes.world.run_until_idle();
    BOOST_TEST((bytes.c->emit(said{std::string(200, 'x')}) == outcome::queued));
}

BOOST_AUTO_TEST_CASE(stop_waits_for_answers_then_acknowledges_and_closes)
{
    scene<> s;
    auto& peer = s.open();
    s.c->request(said{"a"});
    s.c->stop();
    s.c->emit(said{"b"});
    s.world.run_for(1s);
    BOOST_TEST(!peer.closed_with);
    IS(peer.messages, {first_open, sent(1, "a"), sent(2, "b")});
    peer.text(ok(1));
    peer.text(event(5));
    s.world.run_until_idle();
    BOOST_TEST(!peer.closed_with);
    peer.text(ok(2));
    s.world.run_until_idle();
    BOOST_TEST((*peer.closed_with == close_code::normal));
    BOOST_TEST(peer.messages.back() == ack(1));
    BOOST_TEST(s.c->stopped());
    IS(s.r.log, {"opened", "answered 1 $ok", "number 5", "closed 1000"});
}

BOOST_AUTO_TEST_CASE(stop_waits_no_longer_than_close_timeout)
{
    scene<> s({.close_timeout = 2s});
    auto& peer = s.open();
    s.c->request(said{"a"});
    s.c->stop();
    s.world.run_for(1900ms);
    BOOST_TEST(!peer.closed_with);
    s.world.run_for(200ms);
    BOOST_TEST(peer.closed_with.has_value());
    BOOST_TEST(s.c->stopped());
    scene<> silent({.close_timeout = 2s});
    silent.c->emit(said{"a"});
    auto& mute = silent.greeted();
    silent.c->stop();
    silent.world.run_for(5s);
    BOOST_TEST(silent.c->stopped());
    IS(mute.messages, {first_open});
    BOOST_TEST(silent.r.closed == 0);
}

BOOST_AUTO_TEST_CASE(without_a_subprotocol_events_have_no_id_and_are_sent_once)
{
    scene<> s;
    s.server.tokens.clear();
    s.c->start();
    BOOST_TEST(s.world.run_until([&] { return s.c->is_open(); }));
    s.c->emit(said{"a"});
    BOOST_TEST(s.c->request(said{"b"}) == 0u);
    s.c->join("room");
    for (int i = 0; i < 300; ++i)
        s.c->send("raw");
    s.world.run_until_idle();
    auto& peer = s.server.last();
    BOOST_TEST(peer.messages.size() == 301u);
    BOOST_TEST(peer.messages.front() == R"({"type":"said","data":{"text":"a"}})");
    peer.text(event(1, R"(,"id":1)"));
    peer.text(hello(true));
    s.world.run_for(10s);
    BOOST_TEST(peer.messages.size() == 301u);
    BOOST_TEST(s.c->queued_messages() == 0u);
    s.cut();
    s.world.run_for(1s);
    BOOST_TEST(s.server.connections.size() == 2u);
    BOOST_TEST(s.server.last().messages.empty());
    s.c->stop();
    BOOST_TEST(s.world.run_until([&] { return s.c->stopped(); }));
    IS(s.r.log, {"opened", "number 1", "closed 1006", "opened", "closed 1000"});
}

BOOST_AUTO_TEST_CASE(ids_and_control_are_said_in_messagepack_too)
{
    scene<pc::client<app, sim, at_least_once<>, pc::serializer::msgpack>> s;
    s.server.tokens = {"polycast.v1.msgpack"};
    using pack = pc::serializer::msgpack;
    auto const packed = [](auto const& what, std::string_view id = {}) {
        pc::detail::byte_buffer out;
        BOOST_TEST(!pack::encode(out, {.id_json = id}, what));
        return std::string(out.view());
    };
    auto& peer = s.greeted();
    IS(peer.messages, {packed(pc::control::open{})});
    peer.write(frame(packed(pc::control::hello{.session = "s1", .epoch = "k"}), pc::opcode::binary));
    s.c->request(said{"a"});
    s.world.run_until_idle();
    BOOST_TEST(peer.messages.back() == packed(said{"a"}, "1"));
    peer.write(frame(packed(pc::control::ok{}, "1") + packed(number{3}), pc::opcode::binary));
    s.world.run_for(1s);
    BOOST_TEST(peer.messages.back() == packed(pc::control::ack{1}));
    IS(s.r.log, {"opened", "answered 1 $ok", "number 3"});
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(reliable_client_drops)

BOOST_AUTO_TEST_CASE(a_conversation_cut_after_any_byte_is_finished_once_and_in_order)
{
    hardship h{1};
    while (cut_conversation(h))
        ++h.cut_after;
    BOOST_TEST(h.cut_after > 1000u);
    BOOST_TEST(h.resumed > 500);
    BOOST_TEST(h.repeated > 100);
    BOOST_TEST_MESSAGE("cut after each of " << h.cut_after << " bytes");
}

BOOST_DATA_TEST_CASE(a_conversation_cut_twice_is_finished_once_and_in_order, boost::unit_test::data::xrange(1, 400), seed)
{
    std::uint64_t const mixed = static_cast<std::uint64_t>(seed) * 2654435761U;
    hardship h{300 + mixed % 1500, 300 + mixed / 1500 % 1500, seed % 2 == 0 ? 1460u : 7u};
    cut_conversation(h);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(reliable_client_rooms)

BOOST_AUTO_TEST_CASE(a_room_is_joined_once_and_again_in_a_new_session)
{
    scene<> s;
    BOOST_TEST((s.c->join("b") == outcome::queued));
    BOOST_TEST((s.c->join("") == outcome::refused));
    s.c->emit(said{"x"});
    auto& peer = s.open();
    s.c->join("a");
    s.c->join("b");
    s.world.run_until_idle();
    IS(peer.messages, {first_open, join(2, "b"), sent(1, "x"), join(3, "a")});
    peer.text(ok(2, R"(,"room":"b")") + "\n" + ok(1) + "\n" + ok(3, R"(,"room":"a")"));
    s.world.run_until_idle();
    IS(s.r.log, {"opened", "joined b", "joined a"});
    s.c->join("a");
    s.world.run_until_idle();
    BOOST_TEST(peer.messages.size() == 4u);
    s.cut();
    IS(s.open(true).messages, {open_again(0)});
    s.cut();
    IS(s.open(false).messages, {open_again(0), join(4, "a"), join(5, "b")});
}

BOOST_AUTO_TEST_CASE(an_unanswered_join_is_said_again_with_its_id_in_the_same_session)
{
    scene<> s;
    s.c->join("a");
    s.open();
    s.cut();
    IS(s.open(true).messages, {open_again(0), join(1, "a")});
    s.cut();
    auto& third = s.open(false);
    IS(third.messages, {open_again(0), join(2, "a")});
    third.text(ok(1) + "\n" + ok(2, R"(,"room":"a")"));
    s.world.run_until_idle();
    IS(s.r.log, {"opened", "closed 1006", "opened", "resumed", "closed 1006", "opened", "joined a"});
}

BOOST_AUTO_TEST_CASE(a_new_session_asks_for_what_came_since)
{
    scene<> s;
    s.c->join("a");
    auto& peer = s.open();
    peer.text(ok(1, R"(,"room":"a","offset":17,"epoch":"k1")"));
    s.world.run_until_idle();
    s.cut();
    auto& second = s.open(false);
    IS(second.messages, {open_again(0), join(2, "a", R"(,"since":17,"epoch":"k1")")});
    second.text(ok(2, R"(,"room":"a","offset":19,"epoch":"k1","recovered":true)"));
    second.text(event(18, R"(,"room":"a","offset":18)") + "\n" + event(19, R"(,"room":"a","offset":19)"));
    second.text(event(20, R"(,"room":"a","offset":20)"));
    s.world.run_until_idle();
    s.cut();
    auto& third = s.open(false);
    IS(third.messages, {open_again(3), join(3, "a", R"(,"since":20,"epoch":"k1")")});
    third.text(ok(3, R"(,"room":"a","offset":2,"epoch":"k2","recovered":false)"));
    third.text(event(3, R"(,"room":"a","offset":3)"));
    s.world.run_until_idle();
    IS(s.r.log, {"opened", "joined a", "closed 1006", "opened", "joined a recovered", "number 18", "number 19",
                 "number 20", "closed 1006", "opened", "joined a lost", "number 3"});
    s.cut();
    IS(s.open(false).messages, {open_again(1), join(4, "a", R"(,"since":3,"epoch":"k2")")});
}

BOOST_AUTO_TEST_CASE(an_event_that_was_seen_in_its_room_is_counted_and_not_handed_on)
{
    scene<> s;
    s.c->join("a");
    auto& peer = s.open();
    peer.text(ok(1, R"(,"room":"a","offset":5,"epoch":"k1")"));
    for (int const n : {5, 6, 7, 6, 7, 8})
        peer.text(event(n, R"(,"room":"a","offset":)" + std::to_string(n)));
    peer.text(event(1, R"(,"room":"b","offset":1)"));
    peer.text(event(1, R"(,"room":"b","offset":1)"));  // no room of ours: the server put us there
    peer.text(event(2, R"(,"room":"a")"));
    s.world.run_until_idle();
    BOOST_TEST(s.r.numbers == (std::vector{6, 7, 8, 1, 1, 2}), boost::test_tools::per_element());
    s.cut();
    IS(s.greeted().messages, {open_again(9)});
}

BOOST_AUTO_TEST_CASE(what_is_replayed_before_a_join_is_answered_again_is_handed_on_once)
{
    scene<> s;
    s.c->join("a");
    auto& peer = s.open();
    peer.text(ok(1, R"(,"room":"a","offset":5,"epoch":"k1")"));
    s.world.run_until_idle();
    s.cut();
    s.open(false);  // $join with since 5; its answer is lost, and so are the events
    s.cut();
    auto& third = s.greeted();
    third.text(hello(true) + "\n" + event(6, R"(,"room":"a","offset":6)"));
    s.world.run_until_idle();
    IS(third.messages, {open_again(0), join(2, "a", R"(,"since":5,"epoch":"k1")")});
    third.text(ok(2, R"(,"room":"a","offset":6,"epoch":"k1","recovered":true)"));
    third.text(event(6, R"(,"room":"a","offset":6)") + "\n" + event(7, R"(,"room":"a","offset":7)"));
    s.world.run_until_idle();
    BOOST_TEST(s.r.numbers == (std::vector{6, 7}), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(an_answer_to_a_join_said_again_does_not_hide_what_is_still_to_come)
{
    scene<> s;
    s.c->join("a");
    s.open();
    s.cut();
    auto& next = s.open(true);  // a member all the time; 7 and 8 wait in a lane when `$ok` is said
    next.text(event(6, R"(,"room":"a","offset":6)"));
    next.text(ok(1, R"(,"room":"a","offset":8,"epoch":"k1")"));
    next.text(event(7, R"(,"room":"a","offset":7)") + "\n" + event(8, R"(,"room":"a","offset":8)"));
    s.world.run_until_idle();
    BOOST_TEST(s.r.numbers == (std::vector{6, 7, 8}), boost::test_tools::per_element());
    s.cut();
    IS(s.open(false).messages, {open_again(3), join(2, "a", R"(,"since":8,"epoch":"k1")")});
}

BOOST_AUTO_TEST_CASE(what_comes_before_a_room_is_recovered_does_not_hide_what_is)
{
    scene<> s;
    s.c->join("a");
    auto& peer = s.open();
    peer.text(ok(1, R"(,"room":"a","offset":5,"epoch":"k1")"));
    s.world.run_until_idle();
    s.cut();
    auto& next = s.open(false);
    next.text(event(8, R"(,"room":"a","offset":8)"));  // the server's application put us there before
    next.text(ok(2, R"(,"room":"a","offset":8,"epoch":"k1","recovered":true)"));
    for (int const n : {6, 7, 8, 9})
        next.text(event(n, R"(,"room":"a","offset":)" + std::to_string(n)));
    s.world.run_until_idle();
    BOOST_TEST(s.r.numbers == (std::vector{8, 6, 7, 9}), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(offsets_of_a_lost_history_say_nothing_of_the_new_one)
{
    scene<> s;
    s.c->join("a");
    auto& peer = s.open();
    peer.text(ok(1, R"(,"room":"a","offset":900,"epoch":"k1")"));
    s.world.run_until_idle();
    s.cut();
    auto& next = s.greeted();
    auto said = hello(true);
    said.replace(said.find("k1"), 2, "k2");
    next.text(said + "\n" + event(901, R"(,"room":"a","offset":901)") + "\n" + event(1, R"(,"room":"a","offset":1)"));
    s.world.run_until_idle();
    IS(next.messages, {open_again(0), join(2, "a", R"(,"since":900,"epoch":"k1")")});
    next.text(ok(2, R"(,"room":"a","offset":1,"epoch":"k2","recovered":false)"));
    next.text(event(2, R"(,"room":"a","offset":2)"));
    s.world.run_until_idle();
    BOOST_TEST(s.r.numbers == (std::vector{901, 1, 2}), boost::test_tools::per_element());
    BOOST_TEST(s.r.has("joined a lost"));
}

BOOST_AUTO_TEST_CASE(a_room_is_left_and_what_was_seen_of_it_is_forgotten)
{
    scene<> s;
    s.c->join("a");
    auto& peer = s.open();
    peer.text(ok(1, R"(,"room":"a","offset":5,"epoch":"k1")"));
    s.world.run_until_idle();
    s.c->leave("a");
    s.c->leave("never joined");
    s.world.run_until_idle();
    s.c->join("a");
    s.world.run_until_idle();
    IS(peer.messages, {first_open, join(1, "a"), leave(2, "a")});  // one at a time
    peer.text(ok(2, R"(,"room":"a")"));
    s.world.run_until_idle();
    BOOST_TEST(peer.messages.back() == join(3, "a"));
    s.c->leave("a");
    s.world.run_until_idle();
    peer.text(ok(3, R"(,"room":"a","offset":9,"epoch":"k1")"));
    s.world.run_until_idle();
    BOOST_TEST(peer.messages.back() == leave(4, "a"));
    s.cut();
    IS(s.open(true).messages, {open_again(0), leave(4, "a")});
    s.cut();
    IS(s.open(false).messages, {open_again(0)});
}

BOOST_AUTO_TEST_CASE(a_refused_join_is_told_and_not_tried_again)
{
    scene<> s;
    s.c->join("a");
    auto& peer = s.open();
    peer.text(R"({"type":"$error","id":1,"code":"forbidden","message":"no"})");
    s.world.run_until_idle();
    s.cut();
    IS(s.open(false).messages, {open_again(0)});
    BOOST_TEST(s.r.has("refused a forbidden"));
    s.c->join("a");
    s.world.run_until_idle();
    BOOST_TEST(s.server.last().messages.back() == join(2, "a"));
}

BOOST_AUTO_TEST_CASE(many_rooms_are_joined_before_anything_else_and_some_at_a_time)
{
    scene<> s;
    for (int i = 100; i < 220; ++i)
        s.c->join(std::to_string(i));
    s.c->emit(said{"x"});
    auto& peer = s.open();
    BOOST_TEST(peer.messages.size() == 51u);
    for (int id = 2; id <= 71; ++id) {
        peer.text(ok(id));
        s.world.run_until_idle();
    }
    BOOST_REQUIRE(peer.messages.size() == 122u);
    BOOST_TEST(peer.messages[120] == join(121, "219"));
    BOOST_TEST(peer.messages[121] == sent(1, "x"));
}

BOOST_AUTO_TEST_SUITE_END()
