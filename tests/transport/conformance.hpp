#pragma once

// What every transport must do, as bodies that are templates over it: see the table of transport_policy. A `rig` knows
// how to make one loop of a transport and how to turn it until something holds.

#include <polycast/transport/simulated.hpp>
#include <polycast/transport/tcp.hpp>

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace conformance {

namespace transport = polycast::transport;
using namespace std::chrono_literals;

template <class Transport>
struct rig;

template <>
struct rig<transport::simulated> {
    transport::world world{1};
    transport::simulated transport{world};
    transport::simulated::loop loop{transport};

    template <class Predicate>
    bool until(Predicate&& done)
    {
        return world.run_until(done, 10s);
    }
};

/// For transports of the kernel, whose loop runs for real.
template <class Transport>
struct kernel_rig {
    Transport transport{};
    typename Transport::loop loop{transport};

    template <class Predicate>
    bool until(Predicate&& done)
    {
        auto const deadline = loop.now() + 10s;
        typename Transport::timer again{loop};
        auto look = [&](auto& self) -> void {
            if (done() || loop.now() > deadline)
                return loop.stop();
            again.start(200us, [&] { self(self); });
        };
        loop.context().restart();
        look(look);
        loop.run();
        return done();
    }
};

template <>
struct rig<transport::tcp> : kernel_rig<transport::tcp> {};

/// Two ends of one connection.
template <class Transport>
struct pair : rig<Transport> {
    using stream = typename Transport::stream;
    typename Transport::acceptor acceptor{this->loop};
    typename Transport::connector connector{this->loop};
    std::optional<stream> client, server;

    pair()
    {
        std::error_code ec;
        acceptor.listen({}, {}, ec);
        BOOST_REQUIRE(!ec);
        acceptor.accept([this](std::error_code e, stream s) {
            BOOST_TEST(!e);
            server.emplace(std::move(s));
        });
        connector.connect({"127.0.0.1", acceptor.port()}, [this](std::error_code e, stream s) {
            BOOST_TEST(!e);
            client.emplace(std::move(s));
        });
        BOOST_REQUIRE(this->until([this] { return client && server; }));
        if constexpr (Transport::secure)
            this->secure(*client, *server);
    }
};

/// Reads all that comes until the end or an error, which it keeps.
template <class Stream>
struct reader {
    Stream& from;
    std::string got{};
    std::error_code end{};
    std::size_t piece_bytes = 4096;

    void start()
    {
        from.wait_readable([this](std::error_code ec) {
            std::string piece(piece_bytes, '\0');
            while (!ec)
                got.append(piece.data(), from.read_some(piece, ec));
            if (transport::would_block(ec))
                return start();
            end = ec;
        });
    }
};

template <class Stream>
struct writer {
    Stream& to;
    std::string text;
    std::size_t written = 0;
    bool blocked = false;
    std::error_code error{};

    [[nodiscard]] std::size_t left() const { return text.size() - written; }
    void go(std::string_view more = {})
    {
        text += more;
        std::error_code ec;
        while (!ec && left() != 0)
            written += to.write_some(std::span<char const>(text).subspan(written), ec);
        if (transport::would_block(ec)) {
            blocked = true;
            to.wait_writable([this](std::error_code e) { e ? void(error = e) : go(); });
        } else {
            error = ec;
        }
    }
};

inline std::string numbered(std::size_t bytes)
{
    std::string text;
    for (int i = 0; text.size() < bytes; ++i)
        text += std::to_string(i) + ' ';
    return text;
}

template <class T>
void a_handler_runs_after_the_call_that_was_given_it()
{
    rig<T> r;
    int ran = 0;
    typename T::timer timer{r.loop};
    typename T::notifier notifier{r.loop};
    notifier.notify();
    r.loop.post([&, only = std::make_unique<int>(1)] { ran += *only; });
    timer.start(0ns, [&, only = std::make_unique<int>(1)] { ran += *only; });
    notifier.wait([&, only = std::make_unique<int>(1)] { ran += *only; });
    BOOST_TEST(ran == 0);
    BOOST_TEST(r.until([&] { return ran == 3; }));
}

template <class T>
void posted_functions_run_in_order_and_once()
{
    rig<T> r;
    std::vector<int> order;
    r.loop.post([&] {
        r.loop.post([&] { order.push_back(3); });
        order.push_back(1);
    });
    r.loop.post([&] { order.push_back(2); });
    BOOST_TEST(r.until([&] { return order.size() == 3; }));
    BOOST_TEST(order == (std::vector{1, 2, 3}), boost::test_tools::per_element());
}

template <class T>
void timers_fire_in_the_order_of_their_times_and_not_when_forgotten()
{
    rig<T> r;
    std::vector<int> order;
    typename T::timer late{r.loop}, early{r.loop}, again{r.loop}, cancelled{r.loop};
    std::optional<typename T::timer> gone(std::in_place, r.loop);
    auto const before = r.loop.now();
    late.start(20ms, [&] { order.push_back(2); });
    early.start(5ms, [&] { order.push_back(1); });
    again.start(1ms, [&] { order.push_back(-1); });
    again.start(30ms, [&] { order.push_back(3); });
    cancelled.start(1ms, [&] { order.push_back(-2); });
    cancelled.cancel();
    gone->start(1ms, [&] { order.push_back(-3); });
    gone.reset();
    BOOST_TEST(r.until([&] { return order.size() == 3; }));
    BOOST_TEST(order == (std::vector{1, 2, 3}), boost::test_tools::per_element());
    BOOST_TEST((r.loop.now() - before >= 30ms));
}

template <class T>
void a_notification_before_the_wait_is_kept_and_later_ones_merge()
{
    rig<T> r;
    int told = 0;
    typename T::notifier notifier{r.loop};
    auto wait = [&](auto& self) -> void {
        notifier.wait([&] {
            ++told;
            self(self);
        });
    };
    notifier.notify();
    notifier.notify();
    wait(wait);
    BOOST_TEST(r.until([&] { return told == 1; }));
    notifier.notify();
    BOOST_TEST(r.until([&] { return told == 2; }));
}

template <class T>
void bytes_arrive_in_order_through_a_full_window()
{
    pair<T> p;
    std::string const sent = numbered(16 << 20);
    writer<typename T::stream> w{*p.client, sent};
    w.go();
    BOOST_TEST(w.blocked);
    reader<typename T::stream> r{*p.server};
    r.piece_bytes = 100'000;
    r.start();
    BOOST_TEST(p.until([&] { return r.got.size() == sent.size(); }));
    BOOST_TEST((r.got == sent));
    BOOST_TEST(w.left() == 0u);
    BOOST_TEST(!w.error);
}

template <class T>
void nothing_to_read_would_block()
{
    pair<T> p;
    char byte;
    std::error_code ec;
    BOOST_TEST(p.client->read_some({&byte, 1}, ec) == 0u);
    BOOST_TEST(transport::would_block(ec));
}

template <class T>
void a_gathered_write_keeps_its_order()
{
    pair<T> p;
    std::string const a = "one ", b, c = "two ", d = "three";
    std::span<char const> const runs[] = {a, b, c, d};
    std::error_code ec;
    BOOST_TEST(p.server->write_some(transport::gather_list(runs), ec) == 13u);
    reader<typename T::stream> r{*p.client};
    r.start();
    BOOST_TEST(p.until([&] { return r.got.size() == 13; }));
    BOOST_TEST(r.got == "one two three");
}

template <class T>
void the_end_is_read_after_the_last_byte_and_the_other_way_stays_open()
{
    pair<T> p;
    reader<typename T::stream> at_server{*p.server}, at_client{*p.client};
    writer<typename T::stream> question{*p.client, "question"}, answer{*p.server, "answer"};
    at_server.start();
    at_client.start();
    question.go();
    p.client->shutdown_send();
    BOOST_TEST(p.until([&] { return bool(at_server.end); }));
    BOOST_TEST(at_server.got == "question");
    BOOST_TEST(!at_client.end);
    answer.go();
    p.server->close();
    BOOST_TEST(p.until([&] { return bool(at_client.end); }));
    BOOST_TEST(at_client.got == "answer");
}

template <class T>
void closing_completes_a_wait_with_an_error()
{
    pair<T> p;
    std::optional<std::error_code> told;
    p.client->wait_readable([&](std::error_code ec) { told = ec; });
    p.client->close();
    p.client->close();
    BOOST_TEST(!told);
    BOOST_TEST(!p.client->is_open());
    BOOST_TEST(p.until([&] { return told.has_value(); }));
    BOOST_TEST(bool(*told));
    std::error_code ec;
    char byte = 0;
    BOOST_TEST(p.client->read_some({&byte, 1}, ec) == 0u);
    BOOST_TEST((ec && !transport::would_block(ec)));
    told.reset();
    p.client->wait_writable([&](std::error_code e) { told = e; });
    BOOST_TEST(p.until([&] { return told.has_value(); }));
    BOOST_TEST(bool(*told));
}

template <class T>
void destroying_a_stream_that_waits_is_safe()
{
    pair<T> p;
    auto const witness = std::make_shared<int>(0);
    bool failed = true;
    p.client->wait_readable([&failed, witness](std::error_code ec) { failed = bool(ec); });
    p.client.reset();
    BOOST_TEST(p.until([&] { return witness.use_count() == 1; }));
    BOOST_TEST(failed);
}

template <class T>
void a_moved_stream_keeps_its_wait()
{
    pair<T> p;
    bool readable = false;
    p.client->wait_readable([&](std::error_code ec) { readable = !ec; });
    auto moved = std::move(*p.client);
    writer<typename T::stream> w{*p.server, "x"};
    w.go();
    BOOST_TEST(p.until([&] { return readable; }));
    char byte = 0;
    std::error_code ec;
    BOOST_TEST(moved.read_some({&byte, 1}, ec) == 1u);
    BOOST_TEST(byte == 'x');
}

template <class T>
void writing_to_a_peer_that_closed_fails_soon()
{
    pair<T> p;
    p.server->close();
    std::error_code error;
    BOOST_TEST(p.until([&] {
        std::error_code ec;
        (void)p.client->write_some(std::span<char const>("x", 1), ec);
        if (ec && !transport::would_block(ec))
            error = ec;
        return bool(error);
    }));
}

template <class T>
void connecting_where_nobody_listens_is_refused()
{
    rig<T> r;
    std::uint16_t port = 0;
    {
        typename T::acceptor once{r.loop};
        std::error_code ec;
        once.listen({}, {}, ec);
        port = once.port();
    }
    typename T::connector c{r.loop};
    std::optional<std::error_code> told;
    c.connect({"127.0.0.1", port}, [&](std::error_code ec, typename T::stream s) {
        told = ec;
        BOOST_TEST((ec || s.is_open()));
    });
    BOOST_TEST(r.until([&] { return told.has_value(); }));
    BOOST_TEST((*told == std::errc::connection_refused));
}

template <class T>
void a_cancelled_connect_completes_with_an_error()
{
    pair<T> p;
    std::optional<std::error_code> told;
    p.connector.connect({"127.0.0.1", p.acceptor.port()}, [&](std::error_code ec, typename T::stream) { told = ec; });
    p.connector.cancel();
    BOOST_TEST(p.until([&] { return told.has_value(); }));
    BOOST_TEST(bool(*told));
}

template <class T>
void closing_an_acceptor_completes_its_accept_with_an_error()
{
    pair<T> p;
    std::optional<std::error_code> told;
    p.acceptor.accept([&](std::error_code ec, typename T::stream) { told = ec; });
    p.acceptor.close();
    BOOST_TEST(p.until([&] { return told.has_value(); }));
    BOOST_TEST(bool(*told));
}

template <class T>
void connections_that_come_together_are_accepted_each_once_and_not_inside_the_call()
{
    using stream = typename T::stream;
    rig<T> r;
    typename T::acceptor acceptor{r.loop};
    std::error_code ec;
    acceptor.listen({}, {}, ec);
    BOOST_REQUIRE(!ec);
    std::vector<stream> accepted, connected;
    std::vector<std::unique_ptr<typename T::connector>> connectors;
    for (int i = 0; i < 50; ++i) {
        connectors.push_back(std::make_unique<typename T::connector>(r.loop));
        connectors.back()->connect({"127.0.0.1", acceptor.port()}, [&](std::error_code e, stream s) {
            BOOST_TEST(!e);
            connected.push_back(std::move(s));
        });
    }
    bool inside = false;
    std::optional<std::error_code> end;
    auto take = [&](auto& self) -> void {
        inside = true;
        acceptor.accept([&](std::error_code e, stream s) {
            BOOST_TEST(!inside);
            if (e) {
                end = e;
                return;
            }
            accepted.push_back(std::move(s));
            self(self);
            if (accepted.size() == 40)  // those that wait are left alone, although this was asked for the next
                acceptor.close();
        });
        inside = false;
    };
    BOOST_REQUIRE(r.until([&] { return connected.size() == 50; }));
    take(take);
    BOOST_TEST(r.until([&] { return end.has_value(); }));
    BOOST_TEST(accepted.size() == 40u);
}

template <class T>
void connections_spread_over_the_acceptors_of_a_shared_port()
{
    using stream = typename T::stream;
    rig<T> r;
    typename T::acceptor a{r.loop}, b{r.loop}, alone{r.loop};
    std::error_code ec;
    a.listen({"127.0.0.1", 0}, {.share_port = true}, ec);
    BOOST_REQUIRE(!ec);
    b.listen({"127.0.0.1", a.port()}, {.share_port = true}, ec);
    BOOST_REQUIRE(!ec);
    alone.listen({"127.0.0.1", a.port()}, {}, ec);
    BOOST_TEST((ec == std::errc::address_in_use));
    std::vector<stream> streams;
    std::size_t at_a = 0, at_b = 0;
    auto take = [&](auto& self, auto& acceptor, std::size_t& count) -> void {
        acceptor.accept([&](std::error_code e, stream s) {
            if (e)
                return;
            ++count;
            streams.push_back(std::move(s));
            self(self, acceptor, count);
        });
    };
    take(take, a, at_a);
    take(take, b, at_b);
    std::vector<std::unique_ptr<typename T::connector>> connectors;
    for (int i = 0; i < 64; ++i) {
        connectors.push_back(std::make_unique<typename T::connector>(r.loop));
        connectors.back()->connect({"127.0.0.1", a.port()},
                                   [&](std::error_code, stream s) { streams.push_back(std::move(s)); });
    }
    BOOST_TEST(r.until([&] { return streams.size() == 128; }));
    BOOST_TEST(at_a + at_b == 64u);
    BOOST_TEST(at_a > 0u);
    BOOST_TEST(at_b > 0u);
    BOOST_TEST(!streams.front().peer_address().empty());
    a.close();
    b.close();
    (void)r.until([n = 0]() mutable { return ++n > 2; });
}

}  // namespace conformance
