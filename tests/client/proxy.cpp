#include <polycast/client.hpp>

#include <polycast/serializer/raw.hpp>

#include "scripted_server.hpp"

#include <boost/test/unit_test.hpp>

#include <chrono>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace pc = polycast;
using namespace std::chrono_literals;
using pc::handshake_error;
using sim = pc::transport::simulated;

namespace {

/// A proxy that answers what a test says, and then carries bytes both ways.
class proxy {
public:
    proxy(pc::transport::world& w, std::uint16_t server_port)
        : loop_(w), acceptor_(loop_), connector_(loop_), pause_(loop_), server_port_(server_port)
    {
        std::error_code ec;
        acceptor_.listen({}, {}, ec);
        accept();
    }
    std::string answer = "HTTP/1.1 200 Connection established\r\n\r\n";
    std::string more{};        ///< said after `pause`
    std::chrono::milliseconds pause = 0ms;
    bool hangs_up = false;     ///< after the answer
    std::string asked{};       ///< by the last client, of the proxy
    int connections = 0;

    [[nodiscard]] std::string url(std::string_view user = {}) const
    {
        return "http://" + std::string(user) + "proxy:" + std::to_string(acceptor_.port());
    }

private:
    void accept()
    {
        acceptor_.accept([this](std::error_code ec, sim::stream s) {
            if (ec)
                return;
            ++connections;
            asked.clear();
            up_.reset();
            down_.emplace(std::move(s));
            listen();
            accept();
        });
    }
    void say(std::optional<sim::stream>& to, std::string_view bytes)
    {
        std::error_code ec;
        if (to)
            (void)to->write_some(std::span<char const>(bytes), ec);
    }
    void listen()
    {
        down_->wait_readable([this](std::error_code ec) {
            char buffer[4096];
            auto const n = ec ? 0 : down_->read_some(buffer, ec);
            if (ec && !pc::transport::would_block(ec)) {
                down_->close();
                if (up_)
                    up_->close();
                return;
            }
            if (up_)
                say(up_, {buffer, n});
            else
                asked.append(buffer, n);
            if (!up_ && asked.ends_with("\r\n\r\n"))
                reply();
            if (down_->is_open())
                listen();
        });
    }
    void reply()
    {
        connector_.connect({"server", server_port_}, [this](std::error_code, sim::stream s) {
            up_.emplace(std::move(s));
            carry();
            say(down_, answer);
            if (hangs_up)
                return down_->close();
            if (!more.empty())
                pause_.start(pause, [this] { say(down_, more); });
        });
    }
    void carry()
    {
        up_->wait_readable([this](std::error_code ec) {
            char buffer[4096];
            auto const n = ec ? 0 : up_->read_some(buffer, ec);
            if (ec && !pc::transport::would_block(ec))
                return down_->close();
            say(down_, {buffer, n});
            carry();
        });
    }

    sim::loop loop_;
    sim::acceptor acceptor_;
    sim::connector connector_;
    sim::timer pause_;
    std::uint16_t server_port_;
    std::optional<sim::stream> down_{}, up_{};
};

struct record {
    int opened = 0;
    std::vector<std::error_code> failures{};
    std::vector<std::string> got{};
};
struct app {
    record* r;
    void opened(auto&) { ++r->opened; }
    void on(auto&, pc::message const& m) { r->got.emplace_back(m.payload); }
    void failed(std::error_code ec, unsigned, std::chrono::milliseconds) { r->failures.push_back(ec); }
};

struct scene {
    pc::transport::world world{1};
    scripted::server server{world};
    proxy through{world, server.port()};
    sim::loop loop{world};
    record r{};
    std::optional<pc::client<app, sim, pc::serializer::raw>> c{};

    void start(pc::client_options o = {}, std::string_view user = {})
    {
        o.url = server.url("/t");
        o.proxy = through.url(user);
        c.emplace(loop, std::move(o), app{&r});
        c->start();
    }
    /// The only failure, once the client has given up after one attempt.
    std::error_code failure(std::chrono::milliseconds within = 1min)
    {
        start({.max_attempts = 1});
        world.run_for(within);
        BOOST_TEST(c->stopped());
        BOOST_TEST(r.opened == 0);
        BOOST_REQUIRE(r.failures.size() == 1u);
        return r.failures.front();
    }
};

}  // namespace

BOOST_AUTO_TEST_SUITE(client_proxy)

BOOST_AUTO_TEST_CASE(a_tunnel_is_asked_for_and_the_server_is_spoken_to_through_it)
{
    scene s;
    s.start({}, "ada:p%40ss%3A@");
    BOOST_REQUIRE(s.world.run_until([&] { return s.r.opened == 1; }));
    auto const authority = "server:" + std::to_string(s.server.port());
    BOOST_TEST(s.through.asked == "CONNECT " + authority + " HTTP/1.1\r\nHost: " + authority +
                                      "\r\nProxy-Authorization: Basic " + pc::detail::base64_encode("ada:p@ss:") +
                                      "\r\n\r\n");
    BOOST_TEST(s.server.last().asked.header("Host") == authority);
    BOOST_TEST(s.server.last().asked.count("Proxy-Authorization") == 0u);  // it is the proxy's to know
    s.c->send("there");
    s.server.last().text("back");
    BOOST_TEST(s.world.run_until([&] { return s.r.got.size() == 1 && s.server.last().messages.size() == 1; }));
    // A lost connection is made again the same way.
    s.world.cut_all();
    BOOST_TEST(s.world.run_until([&] { return s.r.opened == 2; }));
    BOOST_TEST(s.through.connections == 2);
}

BOOST_AUTO_TEST_CASE(an_answer_in_pieces_is_put_together_and_one_that_is_too_slow_is_not_waited_for)
{
    scene s;
    s.through.answer = "HTTP/1.0 200 Conn";
    s.through.more = "ection established\r\nVia: 1.0 x\r\n\r\n";
    s.through.pause = 9s;
    s.start();
    BOOST_TEST(s.world.run_until([&] { return s.r.opened == 1; }, 20s));
    BOOST_TEST(s.r.failures.empty());
    scene slow;
    slow.through.answer = "HTTP/1.1 200 ";
    slow.through.more = "OK\r\n\r\n";
    slow.through.pause = 11s;
    BOOST_TEST((slow.failure() == std::errc::timed_out));
    BOOST_TEST(slow.server.connections.back()->upgraded == false);
}

BOOST_AUTO_TEST_CASE(refused_credentials_are_not_tried_again)
{
    scene s;
    s.through.answer = "HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic\r\n\r\n";
    s.start();
    s.world.run_for(1min);
    BOOST_TEST(s.c->stopped());
    BOOST_TEST(s.through.connections == 1);
    BOOST_REQUIRE(s.r.failures.size() == 1u);
    BOOST_TEST((s.r.failures[0] == handshake_error::unauthorized));
}

BOOST_AUTO_TEST_CASE(the_proxys_refusal_is_not_the_servers_and_is_tried_again)
{
    scene s;
    s.through.answer = "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 2\r\n\r\nno";
    BOOST_TEST((s.failure() == handshake_error::proxy_refused));
    scene again;
    again.through.answer = "HTTP/1.1 403 Forbidden\r\n\r\n";
    again.start();
    again.world.run_for(3s);
    BOOST_TEST((again.r.failures.at(0) == handshake_error::proxy_refused));
    again.through.answer = "HTTP/1.1 200 OK\r\n\r\n";
    BOOST_TEST(again.world.run_until([&] { return again.r.opened == 1; }));
    // Through an open tunnel, it is the server that refuses.
    scene server;
    server.server.refuse_with = 503;
    BOOST_TEST((server.failure() == handshake_error::overloaded));
}

BOOST_AUTO_TEST_CASE(what_is_no_answer_to_connect_is_told_as_that)
{
    for (std::string const& said : {std::string("SSH-2.0-OpenSSH\r\n"), std::string("HTTP/1.1 200 OK\nVia: x\n\n"),
                                    "HTTP/1.1 200 OK\r\nX: " + std::string(20'000, 'x')}) {
        scene s;
        s.through.answer = said;
        BOOST_TEST((s.failure() == handshake_error::bad_proxy_response));
    }
    scene s;
    s.through.answer = "HTTP/1.1 200";
    s.through.hangs_up = true;
    BOOST_TEST((s.failure() == handshake_error::bad_proxy_response));
}

BOOST_AUTO_TEST_CASE(a_proxy_that_invents_the_servers_answer_is_found_out)
{
    scene s;
    s.through.answer = "HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                       "Connection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
    BOOST_TEST((s.failure() == handshake_error::bad_accept));
}

BOOST_AUTO_TEST_CASE(interim_answers_of_the_server_are_passed_over)
{
    scene s;
    s.server.before_answer = "HTTP/1.1 103 Early Hints\r\nLink: <a>\r\n\r\n";
    s.start();
    BOOST_TEST(s.world.run_until([&] { return s.r.opened == 1; }));
}

BOOST_AUTO_TEST_SUITE_END()
