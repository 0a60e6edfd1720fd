#include <polycast/client.hpp>
#include <polycast/transport/tls.hpp>

#if POLYCAST_WITH_OPENSSL

#include "../support/foreign_tls.hpp"
#include "../support/tls_stage.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <deque>
#include <filesystem>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

using namespace support;
using pc::metric;
using pc::transport::client_certificates;
using pc::transport::tls_version;

BOOST_AUTO_TEST_SUITE(server_tls)

/// Sends back what it is told, and tells who told it.
struct mirror {
    void on(auto& s, pc::message const& m) { s.send(m.payload == "who?" ? s.peer_name() : m.payload, m.op); }
};
using mirrors = pc::server<mirror, tls, pc::serializer::raw, pc::compression::zstd<3>>;
using benches = pc::server<bench, tls>;

pc::server_options roomy()
{
    pc::server_options o;
    o.max_message_bytes = 32 << 20;
    o.max_outbox_bytes = 64 << 20;
    return o;
}
pc::server_options hasty()
{
    pc::server_options o;
    o.handshake_timeout = o.close_timeout = 100ms;
    o.tick = 10ms;
    return o;
}
template <class Stage>
std::string echo(Stage& on, auto& p, std::string_view text)
{
    auto const before = p.frames.size();
    p.text(text);
    on.until([&] { return p.frames.size() > before || p.ended; });
    return p.frames.size() > before ? p.frames.back().payload : std::string("nothing");
}

BOOST_AUTO_TEST_CASE(events_go_both_ways_over_both_versions)
{
    for (auto const version : {tls_version::v1_2, tls_version::v1_3}) {
        tls_setup::next().server.minimum_version = tls_setup::next().server.maximum_version = version;
        stage<benches> on;
        auto& p = on.join({.target = "/?user=member", .tokens = {"polycast.v1.json"}});
        BOOST_REQUIRE(p.status == 101);
        p.text(an_order("notes", 500, "", "secret"));
        BOOST_TEST(on.until([&] { return p.frames.size() == 500; }));
        BOOST_TEST(numbers_of(p, "note") == count_to(500), boost::test_tools::per_element());
        p.ping("are you there?");
        BOOST_TEST(on.until([&] { return p.pongs.size() == 1; }));
        on.server->emitter().to_room("hall").emit(note{7, "from another thread"});
        BOOST_TEST(on.until([&] { return p.frames.size() == 501; }));
        p.close();
        BOOST_TEST(on.until([&] { return p.ended; }));
        BOOST_TEST((p.closed_with == pc::close_code::normal));
        BOOST_TEST(on.until([&] { return on.j.closes() == 1; }));
        BOOST_TEST((on.j.closed[0].second.code == pc::close_code::normal));
        BOOST_TEST(!p.broken);
    }
}

BOOST_AUTO_TEST_CASE(a_message_of_16_mib_goes_both_ways)
{
    stage<mirrors> on(roomy());
    auto& p = on.join();
    std::string big(16 << 20, ' ');
    for (std::size_t i = 0; i < big.size(); ++i)
        big[i] = static_cast<char>('a' + i * i % 26);
    BOOST_TEST((echo(on, p, big) == big));
}

BOOST_AUTO_TEST_CASE(a_slow_reader_gets_all_of_it_in_order)
{
    stage<benches> on;
    auto& p = on.join({.target = "/?user=member"});
    p.read(false);
    for (int i = 0; i < 40; ++i)
        p.text(an_order("big notes", 5));
    on.until([&] { return on.j.with([](auto& j) { return j.orders; }) == 40; }, 2s);
    p.ping("pong comes between frames, not inside one");
    on.settle();
    p.read(true);
    BOOST_TEST(on.until([&] { return p.frames.size() == 200; }));
    BOOST_TEST(!p.broken);
    auto const all = numbers_of(p, "note");
    for (std::size_t i = 0; i < all.size(); ++i)
        BOOST_REQUIRE(all[i] == static_cast<int>(i % 5));
}

BOOST_AUTO_TEST_CASE(plain_http_requests_are_served_over_tls)
{
    stage<benches> on;
    auto& p = on.connect({.request = "GET /big HTTP/1.1\r\nHost: localhost\r\n\r\n"});
    BOOST_TEST(on.until([&] { return p.ended; }));
    BOOST_TEST(p.status == 200);
    BOOST_TEST(p.body.size() == 3'000'000u);
}

BOOST_AUTO_TEST_CASE(who_speaks_plain_http_on_the_tls_port_is_shut_at_once)
{
    stage<benches> on;
    std::deque<raw_peer<tcp>> plain;
    for (int i = 0; i < 20; ++i)
        plain.emplace_back(on.loop, on.server->port(), peer_options{});
    BOOST_TEST(on.until([&] { return std::ranges::all_of(plain, [](auto const& p) { return p.ended; }); }, 2s));
    for (auto const& p : plain) {
        BOOST_TEST(p.received == "");
        BOOST_TEST(p.status == 0);
    }
    BOOST_TEST(on.server->connections() == 0u);
    BOOST_TEST(on.join().open());
}

BOOST_AUTO_TEST_CASE(a_handshake_that_stalls_is_ended_by_the_deadline_and_costs_nothing_meanwhile)
{
    stage<benches> on(hasty());
    std::deque<foreign_tls> all;
    std::string hello;
    for (int i = 0; i < 4; ++i) {
        auto& f = all.emplace_back(on.server->port(), i == 3 ? TLS1_2_VERSION : TLS1_3_VERSION);
        SSL_do_handshake(f.ssl());
        hello = f.made();
        f.send(std::string_view(hello).substr(0, i == 0 ? 0 : i == 1 ? 40 : hello.size()));  // and no more
    }
    auto const begun = on.now();
    auto const ended = [](foreign_tls& f) {
        char bytes[4096];
        ::ssize_t n;
        while ((n = ::recv(f.fd, bytes, sizeof bytes, 0)) > 0) {
        }
        return n == 0 || errno == ECONNRESET;
    };
    BOOST_TEST(on.until([&] { return std::ranges::all_of(all, ended); }, 3s));
    BOOST_TEST((on.now() - begun >= 100ms));
    BOOST_TEST(on.server->count(metric::writes) <= 2 * all.size());  // of the 408 that cannot be said
    BOOST_TEST(on.join().open());
}

BOOST_AUTO_TEST_CASE(bytes_may_come_one_at_a_time)
{
    for (int const version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
        stage<mirrors> on;
        foreign_tls f(on.server->port(), version);
        SSL_do_handshake(f.ssl());
        auto const trickle = [&](std::string const& bytes) {
            for (char const& c : bytes) {
                f.send({&c, 1});
                std::this_thread::yield();
            }
        };
        BOOST_REQUIRE(on.until([&] {
            trickle(f.made());
            f.pump();
            return f.done();
        }));
        trickle(f.encrypted("GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"));
        trickle(f.encrypted(masked(pc::opcode::text, "letter by letter")));
        BOOST_TEST(on.until([&] {
            f.pump();
            return f.received.ends_with("letter by letter");
        }));
        BOOST_TEST(f.received.starts_with("HTTP/1.1 101"));
    }
}

BOOST_AUTO_TEST_CASE(the_application_learns_who_the_certificate_says_it_is)
{
    tls_setup::next().server.ask_clients = client_certificates::optional;
    {
        stage<mirrors> on;
        BOOST_TEST(echo(on, on.join(), "who?") == "");
    }
    tls_setup::next().server.ask_clients = client_certificates::required;
    tls_setup::next().client.certificate_chain_file = certificates::get().client.chain_file;
    tls_setup::next().client.private_key_file = certificates::get().client.key_file;
    {
        stage<mirrors> on;
        BOOST_TEST(echo(on, on.join(), "who?") == "CN=Ada \xC5\x81ovelace");
    }
    tls_setup::next().server.ask_clients = client_certificates::required;
    {
        stage<mirrors> on;
        auto& p = on.join();
        BOOST_TEST(!p.open());
        BOOST_TEST(on.server->connections() == 0u);
    }
}

/// Lets in who has a certificate, under the name in it.
struct members_only {
    pc::identity identify(pc::request const&, std::string_view peer_name)
    {
        return {.user = std::string(peer_name), .admitted = !peer_name.empty(), .status = 401, .reason = "who are you?"};
    }
    void on(auto& s, pc::message const&) { s.send(s.user()); }
};

BOOST_AUTO_TEST_CASE(a_certificate_can_name_the_user)
{
    using members = pc::server<members_only, tls, pc::serializer::raw>;
    tls_setup::next().server.ask_clients = client_certificates::optional;
    {
        stage<members> on;
        BOOST_TEST(on.join().status == 401);
    }
    tls_setup::next().server.ask_clients = client_certificates::optional;
    tls_setup::next().client.certificate_chain_file = certificates::get().client.chain_file;
    tls_setup::next().client.private_key_file = certificates::get().client.key_file;
    stage<members> on;
    BOOST_TEST(echo(on, on.join(), "?") == "CN=Ada \xC5\x81ovelace");
}

BOOST_AUTO_TEST_CASE(certificates_are_renewed_while_connections_go_on)
{
    auto const& c = certificates::get();
    auto const copy = [](std::string const& from, std::string const& to) {
        std::filesystem::copy_file(from, to, std::filesystem::copy_options::overwrite_existing);
    };
    auto& own = tls_setup::next().server;
    own.certificate_chain_file = c.folder.file("renewable.pem");
    own.private_key_file = c.folder.file("renewable.key");
    std::string const chain = own.certificate_chain_file, key = own.private_key_file;
    copy(c.server.chain_file, chain);
    copy(c.server.key_file, key);
    stage<mirrors> on;
    auto const shown = [&] {
        foreign_tls f(on.server->port());
        on.until([&] {
            f.pump();
            return f.done();
        });
        char name[64] = "";
        if (X509* const x = SSL_get0_peer_certificate(f.ssl()))
            X509_NAME_get_text_by_NID(X509_get_subject_name(x), NID_commonName, name, sizeof name);
        return std::string(name);
    };
    auto& old = on.join();
    BOOST_TEST(echo(on, old, "before") == "before");
    BOOST_TEST(shown() == "server");
    copy(c.renewed.chain_file, chain);
    BOOST_CHECK_THROW(on.server_side.reload(), std::system_error);
    BOOST_TEST(shown() == "server");
    copy(c.renewed.key_file, key);
    // While messages are on their way, on the server's thread.
    std::string many;
    for (int i = 0; i < 2000; ++i)
        many += masked(pc::opcode::text, std::to_string(i));
    old.write(many);
    on.server_side.reload();
    BOOST_TEST(shown() == "renewed");
    BOOST_TEST(echo(on, on.join(), "new") == "new");
    BOOST_TEST(on.until([&] { return old.frames.size() == 2001; }));
    BOOST_TEST(echo(on, old, "after") == "after");
}

BOOST_AUTO_TEST_CASE(many_shards_share_one_certificate)
{
    stage<mirrors> on({.shards = 3});
    for (int i = 0; i < 24; ++i)
        on.connect();
    BOOST_TEST(on.until([&] { return std::ranges::all_of(on.peers, [](auto& p) { return p.open(); }); }));
    for (auto& p : on.peers)
        BOOST_TEST(echo(on, p, "here") == "here");
}

BOOST_AUTO_TEST_CASE(a_server_that_stops_says_goodbye_over_tls)
{
    stage<mirrors> on;
    auto& p = on.join();
    on.server->stop();
    BOOST_TEST(on.until([&] { return p.ended; }));
    BOOST_TEST((p.closed_with == pc::close_code::going_away));
    BOOST_TEST(!p.broken);
}

struct caller {
    std::vector<std::string>* heard;
    std::error_code* failure_;
    using accepts = pc::events<note>;
    void on(auto&, note const& n) { heard->push_back(n.text); }
    void failed(std::error_code ec, unsigned, std::chrono::milliseconds) { *failure_ = ec; }
};

BOOST_AUTO_TEST_CASE(our_client_speaks_to_our_server)
{
    stage<benches> on;
    std::vector<std::string> heard;
    std::error_code failed;
    pc::client<caller, tls> client(on.loop, {.url = "wss://localhost:" + std::to_string(on.server->port()) + "/"},
                                   caller{&heard, &failed});
    client.start();
    BOOST_REQUIRE(on.until([&] { return client.is_open() || failed; }));
    client.emit(order{.what = "notes", .n = 3, .text = "through TLS"});
    BOOST_TEST(on.until([&] { return heard.size() == 3; }));
    BOOST_TEST(heard.back() == "through TLS");
    client.stop();
    BOOST_TEST(on.until([&] { return client.stopped() && on.j.closes() == 1; }));
    BOOST_TEST((on.j.closed[0].second.code == pc::close_code::normal));
    BOOST_TEST(!failed);
}

BOOST_AUTO_TEST_CASE(our_client_tells_why_it_does_not_trust_a_server)
{
    auto const& c = certificates::get();
    for (auto const& [shown, why] : {std::pair(&c.misnamed, pc::tls_error::certificate_name_mismatch),
                                     std::pair(&c.expired, pc::tls_error::certificate_expired),
                                     std::pair(&c.untrusted, pc::tls_error::certificate_not_trusted)}) {
        tls_setup::next().server.certificate_chain_file = shown->chain_file;
        tls_setup::next().server.private_key_file = shown->key_file;
        stage<benches> on;
        std::vector<std::string> heard;
        std::error_code failed;
        pc::client<caller, tls> client(on.loop,
                                       {.url = "wss://localhost:" + std::to_string(on.server->port()) + "/", .reconnect = false},
                                       caller{&heard, &failed});
        client.start();
        BOOST_TEST(on.until([&] { return client.stopped(); }));
        BOOST_TEST(failed == why);
        BOOST_TEST(on.server->connections() == 0u);
    }
}

BOOST_AUTO_TEST_CASE(a_server_without_a_certificate_does_not_start)
{
    mirrors server;
    BOOST_CHECK_EXCEPTION(server.start(), std::system_error,
                          [](auto const& e) { return e.code() == pc::tls_error::server_without_certificate; });
}

BOOST_AUTO_TEST_SUITE_END()

#endif  // POLYCAST_WITH_OPENSSL
