#include <polycast/client.hpp>

#include <polycast/server.hpp>
#include <polycast/transport/tls.hpp>

#if POLYCAST_WITH_OPENSSL

#include "../support/certificates.hpp"

#include <boost/test/unit_test.hpp>

#include <chrono>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace pc = polycast;
using namespace std::chrono_literals;
using pc::tls_error;
using pc::transport::tcp;
using pc::transport::tls;
using support::certificates;
using support::identity_files;

namespace {

struct said {
    std::string text;
};
struct echo {
    using accepts = pc::events<said>;
    void on(auto& session, said const& s) { session.emit(s); }
};
struct record {
    int opened = 0;
    std::vector<std::string> heard{};
    std::vector<std::error_code> failures{};
    std::vector<std::chrono::milliseconds> delays{};
    std::vector<pc::close_info> closed{};
};
struct app {
    using accepts = pc::events<said>;
    record* r;
    void opened(auto&) { ++r->opened; }
    void on(auto&, said const& s) { r->heard.push_back(s.text); }
    void closed(auto&, pc::close_info const& info) { r->closed.push_back(info); }
    void failed(std::error_code ec, unsigned, std::chrono::milliseconds next)
    {
        r->failures.push_back(ec);
        r->delays.push_back(next);
    }
};
using client = pc::client<app, tls>;

struct scene {
    pc::server<echo, tls> server;
    tls::loop loop{tls({.ca_file = certificates::get().ca.chain_file})};
    record r{};

    explicit scene(identity_files const& own = certificates::get().server)
        : server({.port = 0}, {}, tls({.certificate_chain_file = own.chain_file, .private_key_file = own.key_file}))
    {
        server.start();
    }
    [[nodiscard]] std::string url(std::string_view scheme = "wss", std::string_view host = "localhost") const
    {
        return std::string(scheme) + "://" + std::string(host) + ":" + std::to_string(server.port()) + "/";
    }
    template <class Predicate>
    bool until(Predicate done)
    {
        auto const deadline = loop.now() + 20s;
        while (!done() && loop.now() < deadline)
            loop.context().run_one_for(2ms);
        return done();
    }
    std::error_code failure(pc::client_options o)
    {
        o.max_attempts = 1;
        client c(loop, std::move(o), app{&r});
        c.start();
        BOOST_TEST(until([&] { return c.stopped(); }));
        BOOST_TEST(r.opened == 0);
        return r.failures.empty() ? std::error_code() : r.failures.back();
    }
};

/// Opens a tunnel to a port of this machine and carries bytes, in clear to itself.
class proxy {
public:
    proxy(tcp::loop& l, std::uint16_t to) : acceptor_(l), connector_(l), to_(to)
    {
        std::error_code ec;
        acceptor_.listen({}, {}, ec);
        acceptor_.accept([this](std::error_code e, tcp::stream s) {
            if (e)
                return;
            down_.emplace(std::move(s));
            carry(down_, up_);
        });
    }
    std::string answer = "HTTP/1.1 200 OK\r\n\r\n";
    std::string seen{};  ///< all that came from the client
    [[nodiscard]] std::string url() const { return "http://127.0.0.1:" + std::to_string(acceptor_.port()); }

private:
    void carry(std::optional<tcp::stream>& from, std::optional<tcp::stream>& to)
    {
        from->wait_readable([this, &from, &to](std::error_code ec) {
            char buffer[16 * 1024];
            auto const n = ec ? 0 : from->read_some(buffer, ec);
            if (ec && !pc::transport::would_block(ec)) {
                from->close();
                if (to)
                    to->close();
                return;
            }
            if (&from == &down_)
                seen.append(buffer, n);
            if (to)
                (void)to->write_some(std::span<char const>(buffer, n), ec);
            else if (seen.ends_with("\r\n\r\n"))
                connect();
            carry(from, to);
        });
    }
    void connect()
    {
        connector_.connect({"127.0.0.1", to_}, [this](std::error_code, tcp::stream s) {
            up_.emplace(std::move(s));
            carry(up_, down_);
            std::error_code ec;
            (void)down_->write_some(std::span<char const>(answer), ec);
        });
    }
    tcp::acceptor acceptor_;
    tcp::connector connector_;
    std::uint16_t to_;
    std::optional<tcp::stream> down_{}, up_{};
};

}  // namespace

BOOST_AUTO_TEST_SUITE(client_tls)

BOOST_AUTO_TEST_CASE(a_wss_url_is_spoken_to_in_tls_and_events_go_both_ways)
{
    scene s;
    for (auto const* const host : {"localhost", "127.0.0.1"}) {
        record r;
        client c(s.loop, {.url = s.url("wss", host)}, app{&r});
        c.start();
        BOOST_REQUIRE(s.until([&] { return r.opened == 1; }));
        c.emit(said{"hello"});
        std::string const big(300'000, 'x');
        c.emit(said{big.substr(0, 60'000)});
        BOOST_TEST(s.until([&] { return r.heard.size() == 2; }));
        BOOST_TEST(r.heard.at(0) == "hello");
        BOOST_TEST(r.heard.at(1).size() == 60'000u);
        c.stop();
        BOOST_TEST(s.until([&] { return c.stopped(); }));
        BOOST_TEST((r.closed.at(0).code == pc::close_code::normal));
        BOOST_TEST(r.failures.empty());
    }
}

BOOST_AUTO_TEST_CASE(a_certificate_that_does_not_convince_is_told_and_tried_again_with_backoff)
{
    auto const& all = certificates::get();
    for (auto const& [own, why] : {std::pair{&all.untrusted, tls_error::certificate_not_trusted},
                                   std::pair{&all.misnamed, tls_error::certificate_name_mismatch},
                                   std::pair{&all.expired, tls_error::certificate_expired}}) {
        scene s(*own);
        client c(s.loop, {.url = s.url(), .backoff = {.initial = 50ms, .spread = pc::jitter::none}}, app{&s.r});
        c.start();
        BOOST_REQUIRE(s.until([&] { return s.r.failures.size() == 3; }));
        for (auto const ec : s.r.failures) {
            BOOST_TEST((ec == why));
            BOOST_TEST((ec == pc::failure::authentication));
        }
        BOOST_TEST((s.r.delays == std::vector<std::chrono::milliseconds>{50ms, 100ms, 200ms}));
        BOOST_TEST(s.r.opened == 0);
    }
}

BOOST_AUTO_TEST_CASE(a_scheme_that_is_not_the_transports_is_told_as_that)
{
    scene s;
    BOOST_TEST((s.failure({.url = s.url("ws")}) == pc::handshake_error::scheme_mismatch));
    tcp::loop plain;
    record r;
    pc::client<app> c(plain, {.url = s.url("wss")}, app{&r});
    c.start();
    while (!c.stopped())
        plain.context().run_one();
    BOOST_TEST((r.failures.at(0) == pc::handshake_error::scheme_mismatch));
}

BOOST_AUTO_TEST_CASE(tls_goes_through_a_proxy_that_sees_only_where_to)
{
    scene s;
    proxy through(s.loop, s.server.port());
    client c(s.loop, {.url = s.url(), .token = "secret-of-the-server", .proxy = through.url()}, app{&s.r});
    c.start();
    BOOST_REQUIRE(s.until([&] { return s.r.opened == 1; }));
    c.emit(said{"secret words"});
    BOOST_TEST(s.until([&] { return s.r.heard.size() == 1; }));
    BOOST_TEST(through.seen.starts_with("CONNECT localhost:" + std::to_string(s.server.port()) + " HTTP/1.1\r\n"));
    BOOST_TEST(through.seen.find("secret") == std::string::npos);
    BOOST_TEST(through.seen.find("GET ") == std::string::npos);
    c.stop();
    BOOST_TEST(s.until([&] { return c.stopped(); }));
}

BOOST_AUTO_TEST_CASE(the_certificate_is_the_servers_also_behind_a_proxy)
{
    scene s(certificates::get().untrusted);
    proxy through(s.loop, s.server.port());
    BOOST_TEST((s.failure({.url = s.url(), .proxy = through.url()}) == tls_error::certificate_not_trusted));
}

BOOST_AUTO_TEST_CASE(clear_bytes_behind_the_proxys_answer_are_no_servers)
{
    scene s;
    proxy through(s.loop, s.server.port());
    through.answer += "HTTP/1.1 101 Switching Protocols\r\n\r\n";
    BOOST_TEST((s.failure({.url = s.url(), .proxy = through.url()}) == pc::handshake_error::bad_proxy_response));
}

BOOST_AUTO_TEST_CASE(a_server_that_speaks_no_tls_is_told_as_that)
{
    scene s;
    pc::server<echo> plain({.port = 0});
    plain.start();
    auto const url = "wss://localhost:" + std::to_string(plain.port()) + "/";
    BOOST_TEST((s.failure({.url = url}) == tls_error::not_tls));
}

BOOST_AUTO_TEST_SUITE_END()

#endif  // POLYCAST_WITH_OPENSSL
