#include <polycast/transport/tls.hpp>

#if POLYCAST_WITH_OPENSSL

#include "../support/certificates.hpp"
#include "../support/foreign_tls.hpp"
#include "conformance.hpp"

#include <cerrno>
#include <cstdio>
#include <deque>
#include <fstream>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include <malloc.h>

namespace pc = polycast;
using pc::failure;
using pc::tls_error;
using pc::transport::client_certificates;
using pc::transport::tls;
using pc::transport::tls_options;
using pc::transport::tls_version;
using support::certificates;
using support::foreign_tls;
using support::identity_files;

namespace {

tls_options with(identity_files const& own, tls_options o = {})
{
    o.certificate_chain_file = own.chain_file;
    o.private_key_file = own.key_file;
    if (o.ca_file.empty())
        o.ca_file = certificates::get().ca.chain_file;
    return o;
}
tls_options trusting(tls_options o = {})
{
    o.ca_file = certificates::get().ca.chain_file;
    return o;
}

/// What a connection came to at one of its ends.
struct end {
    std::optional<tls::stream> stream{};
    std::string got{};
    std::error_code error{};  ///< of the first read or write that failed for good

    /// Reads once.
    void look(std::size_t bytes = 4096)
    {
        if (!stream || error)
            return;
        std::string piece(bytes, '\0');
        std::error_code ec;
        got.append(piece.data(), stream->read_some(piece, ec));
        if (ec && !pc::transport::would_block(ec))
            error = ec;
    }
    std::size_t write(std::string_view text, std::error_code& ec) { return stream->write_some(std::span(text), ec); }
    /// True if all of it was taken.
    bool say(std::string_view text)
    {
        std::error_code ec;
        return write(text, ec) == text.size() && !ec;
    }
    [[nodiscard]] bool settled() const { return error || (stream && !stream->version().empty()); }
};

/// A server and a client on one loop.
struct scene : conformance::kernel_rig<tls> {
    std::vector<std::unique_ptr<tls::loop>> lent_{};
    tls::acceptor acceptor;
    std::optional<tls::connector> connector{};
    end client{}, server{};
    std::deque<tls::stream> more{};

    explicit scene(tls_options server_options = with(certificates::get().server))
        : conformance::kernel_rig<tls>{tls(std::move(server_options))}, acceptor(loop)
    {
        std::error_code ec;
        acceptor.listen({}, {}, ec);
        BOOST_REQUIRE(!ec);
        accept();
    }
    void accept()
    {
        acceptor.accept([this](std::error_code ec, tls::stream s) {
            if (ec)
                return;
            server.stream ? void(more.push_back(std::move(s))) : void(server.stream.emplace(std::move(s)));
            accept();
        });
    }
    /// In clear, on a loop of its own that trusts as `options` say.
    void connect(tls_options const& options, std::uint16_t port = 0)
    {
        lent_.emplace_back(std::make_unique<tls::loop>(tls(options)));
        auto& l = *lent_.back();
        connector.emplace(l);
        connector->connect({"127.0.0.1", port ? port : acceptor.port()}, [this](std::error_code ec, tls::stream s) {
            BOOST_TEST(!ec);
            client.stream.emplace(std::move(s));
        });
        BOOST_REQUIRE(until([this] { return client.stream.has_value(); }));
    }
    /// Turns all loops.
    template <class Predicate>
    bool until(Predicate done)
    {
        auto const deadline = loop.now() + std::chrono::seconds(10);
        bool is_done = false;
        while (!(is_done = done()) && loop.now() < deadline) {
            loop.context().restart();
            loop.context().run_one_for(std::chrono::microseconds(200));
            for (auto& l : lent_) {
                l->context().restart();
                l->context().poll();
            }
        }
        return is_done;
    }
    bool settle()
    {
        return until([this] {
            client.look();
            server.look();
            return client.settled() && server.settled();
        });
    }
    void meet(tls_options const& options = trusting(), std::string_view name = "localhost")
    {
        connect(options);
        client.stream->secure(name);
        BOOST_REQUIRE(settle());
    }
    /// The server's end of a connection from elsewhere.
    void await(foreign_tls& f)
    {
        BOOST_REQUIRE(f.connected);
        BOOST_REQUIRE(until([this] { return server.stream.has_value(); }));
    }
    bool greet(foreign_tls& f)
    {
        await(f);
        return until([&] {
            f.pump();
            server.look();
            return (f.done() || f.reason != 0) && server.settled();
        });
    }
    bool exchange()
    {
        client.got.clear();
        server.got.clear();
        if (!client.say("question") || !server.say("answer"))
            return false;
        return until([this] {
            client.look();
            server.look();
            return client.got == "answer" && server.got == "question";
        });
    }
};

}  // namespace

template <>
struct conformance::rig<tls> : conformance::kernel_rig<tls> {
    rig() : conformance::kernel_rig<tls>{tls(with(certificates::get().server))} {}
    void secure(tls::stream& client, tls::stream& server)
    {
        client.secure("127.0.0.1");
        BOOST_REQUIRE(until([&] {
            for (auto* const s : {&client, &server}) {
                char byte;
                std::error_code ec;
                (void)s->read_some({&byte, 1}, ec);
                BOOST_REQUIRE(pc::transport::would_block(ec));
            }
            return !client.version().empty() && !server.version().empty();
        }));
    }
};

#define CONFORMS(body) \
    BOOST_AUTO_TEST_CASE(body) { conformance::body<tls>(); }

BOOST_AUTO_TEST_SUITE(transport_conformance_of_tls)

CONFORMS(a_handler_runs_after_the_call_that_was_given_it)
CONFORMS(posted_functions_run_in_order_and_once)
CONFORMS(timers_fire_in_the_order_of_their_times_and_not_when_forgotten)
CONFORMS(a_notification_before_the_wait_is_kept_and_later_ones_merge)
CONFORMS(bytes_arrive_in_order_through_a_full_window)
CONFORMS(nothing_to_read_would_block)
CONFORMS(a_gathered_write_keeps_its_order)
CONFORMS(the_end_is_read_after_the_last_byte_and_the_other_way_stays_open)
CONFORMS(closing_completes_a_wait_with_an_error)
CONFORMS(destroying_a_stream_that_waits_is_safe)
CONFORMS(a_moved_stream_keeps_its_wait)
CONFORMS(writing_to_a_peer_that_closed_fails_soon)
CONFORMS(connecting_where_nobody_listens_is_refused)
CONFORMS(a_cancelled_connect_completes_with_an_error)
CONFORMS(closing_an_acceptor_completes_its_accept_with_an_error)
CONFORMS(connections_spread_over_the_acceptors_of_a_shared_port)

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(tls_handshake)

struct promises_only : pc::transport::tcp {
    static constexpr bool secure = true;
};
struct says_nothing {
    using policy_axis = pc::transport_axis;
};
static_assert(tls::secure && !pc::transport::tcp::secure && !pc::transport::simulated::secure);
static_assert(pc::transport_policy<tls> && !pc::transport_policy<promises_only>);
static_assert(pc::transport::says_whether_it_is_secure<tls> && !pc::transport::says_whether_it_is_secure<says_nothing>);

BOOST_AUTO_TEST_CASE(both_ends_agree_on_1_3_and_http_1_1)
{
    scene s;
    s.meet();
    BOOST_TEST(!s.client.error);
    BOOST_TEST(s.client.stream->version() == "TLSv1.3");
    BOOST_TEST(s.server.stream->version() == "TLSv1.3");
    BOOST_TEST(s.client.stream->alpn() == "http/1.1");
    BOOST_TEST(s.server.stream->alpn() == "http/1.1");
    BOOST_TEST(s.client.stream->peer_certificate_subject() == "CN=server");
    BOOST_TEST(s.server.stream->peer_certificate_subject() == "");
    BOOST_TEST(s.exchange());
}

BOOST_AUTO_TEST_CASE(who_knows_1_2_only_is_served_with_it)
{
    scene s;
    s.meet(trusting({.maximum_version = tls_version::v1_2}));
    BOOST_TEST(s.client.stream->version() == "TLSv1.2");
    BOOST_TEST(s.exchange());
}

BOOST_AUTO_TEST_CASE(who_knows_no_version_that_is_allowed_is_refused)
{
    scene s(with(certificates::get().server, {.minimum_version = tls_version::v1_3}));
    s.meet(trusting({.maximum_version = tls_version::v1_2}));
    BOOST_TEST(s.server.error == tls_error::no_shared_version);
    BOOST_TEST(s.client.error == tls_error::no_shared_version);
    BOOST_TEST((s.client.error == failure::protocol));
}

BOOST_AUTO_TEST_CASE(a_client_refuses_what_is_not_the_server_it_asked_for)
{
    auto const& c = certificates::get();
    struct row {
        identity_files const* shown;
        char const* name;
        std::optional<tls_error> why;
    };
    for (auto const& [shown, name, why] : {
             row{&c.server, "localhost", {}},
             row{&c.server, "127.0.0.1", {}},
             row{&c.server, "localhost.", {}},
             row{&c.server, "LOCALHOST", {}},
             row{&c.server, "127.0.0.3", tls_error::certificate_name_mismatch},
             row{&c.server, "::1", tls_error::certificate_name_mismatch},
             row{&c.server, "example.test", tls_error::certificate_name_mismatch},
             row{&c.server, "local", tls_error::certificate_name_mismatch},
             row{&c.server, "", tls_error::certificate_name_mismatch},
             row{&c.misnamed, "127.0.0.1", tls_error::certificate_name_mismatch},
             row{&c.misnamed, "localhost", tls_error::certificate_name_mismatch},
             row{&c.nameless, "localhost", tls_error::certificate_name_mismatch},
             row{&c.wild, "www.example.test", {}},
             row{&c.wild, "example.test", tls_error::certificate_name_mismatch},
             row{&c.wild, "a.b.example.test", tls_error::certificate_name_mismatch},
             row{&c.wild, "www.example.org", tls_error::certificate_name_mismatch},
             row{&c.expired, "localhost", tls_error::certificate_expired},
             row{&c.early, "localhost", tls_error::certificate_expired},
             row{&c.untrusted, "localhost", tls_error::certificate_not_trusted},
         }) {
        BOOST_TEST_CONTEXT(name << ", shown " << shown->common_name)
        for (auto const version : {tls_version::v1_2, tls_version::v1_3}) {
            scene s(with(*shown));
            s.connect(trusting({.maximum_version = version}));
            s.client.stream->secure(name);
            BOOST_TEST(s.until([&] {
                s.client.look();
                s.server.look();
                return s.client.settled();
            }));
            if (!why) {
                BOOST_TEST(!s.client.error);
                continue;
            }
            BOOST_TEST(s.client.error == *why);
            BOOST_TEST((s.client.error == failure::authentication));
            // Nothing is said to a server that is not trusted, and the error stays.
            std::error_code ec;
            BOOST_TEST(s.client.write("secret", ec) == 0u);
            BOOST_TEST(ec == *why);
            s.client.stream->close();
            BOOST_TEST(s.until([&] {
                s.server.look();
                return bool(s.server.error);
            }));
            BOOST_TEST(s.server.got == "");
            if (*name != '\0')
                BOOST_TEST(s.server.error == tls_error::certificate_refused);
        }
    }
}

BOOST_AUTO_TEST_CASE(a_name_with_a_zero_in_it_is_no_name)
{
    scene s;
    s.connect(trusting());
    s.client.stream->secure(std::string_view("localhost\0.test", 15));
    s.client.look();
    BOOST_TEST(s.client.error == tls_error::certificate_name_mismatch);
}

BOOST_AUTO_TEST_CASE(the_default_trusts_whom_the_system_trusts_which_is_not_us)
{
    scene s;
    s.meet({});
    BOOST_TEST(s.client.error == tls_error::certificate_not_trusted);
}

BOOST_AUTO_TEST_CASE(any_server_is_taken_only_by_who_says_so_and_proves_nothing)
{
    scene s(with(certificates::get().untrusted));
    s.meet({.insecure_accept_any_server = true}, "example.test");
    BOOST_TEST(!s.client.error);
    BOOST_TEST(s.client.stream->peer_certificate_subject() == "");
    BOOST_TEST(s.exchange());
    scene trusted;
    trusted.meet(trusting({.insecure_accept_any_server = true}));
    BOOST_TEST(trusted.client.stream->peer_certificate_subject() == "");
}

BOOST_AUTO_TEST_CASE(client_certificates_are_asked_for_as_the_options_say)
{
    auto const& c = certificates::get();
    using enum client_certificates;
    struct row {
        client_certificates asked;
        identity_files const* shown;
        std::optional<tls_error> why;
        std::string_view subject;
    };
    for (auto const& [asked, shown, why, subject] : {
             row{none, nullptr, {}, ""},
             row{none, &c.client, {}, ""},
             row{optional, nullptr, {}, ""},
             row{optional, &c.client, {}, "CN=Ada \xC5\x81ovelace"},
             row{optional, &c.foreign_client, tls_error::certificate_not_trusted, ""},
             row{required, nullptr, tls_error::certificate_missing, ""},
             row{required, &c.client, {}, "CN=Ada \xC5\x81ovelace"},
             row{required, &c.foreign_client, tls_error::certificate_not_trusted, ""},
         }) {
        for (auto const version : {tls_version::v1_2, tls_version::v1_3}) {
            scene s(with(c.server, {.ask_clients = asked}));
            s.connect(shown ? with(*shown, {.maximum_version = version}) : trusting({.maximum_version = version}));
            s.client.stream->secure("localhost");
            BOOST_TEST(s.until([&] {
                s.client.look();
                s.server.look();
                return s.client.settled() && s.server.settled();
            }));
            if (!why) {
                BOOST_TEST(!s.server.error);
                BOOST_TEST(s.server.stream->peer_certificate_subject() == subject);
                BOOST_TEST(s.exchange());
                continue;
            }
            BOOST_TEST(s.server.error == *why);
            BOOST_TEST(s.server.stream->peer_certificate_subject() == "");
            s.server.stream->close();
            BOOST_TEST(s.until([&] {
                s.client.look();
                return bool(s.client.error);
            }));
            // TLS 1.2 has no alert of its own for a certificate that is missing.
            bool const vague = why == tls_error::certificate_missing && version == tls_version::v1_2;
            BOOST_TEST(s.client.error == (vague ? tls_error::no_shared_cipher : tls_error::certificate_refused));
        }
    }
}

BOOST_AUTO_TEST_CASE(a_session_with_a_client_certificate_resumes)
{
    scene s(with(certificates::get().server, {.ask_clients = client_certificates::required}));
    SSL_SESSION* ticket = nullptr;
    for (int i = 0; i < 2; ++i) {
        foreign_tls f(s.acceptor.port());
        SSL_use_certificate(f.ssl(), certificates::get().client.certificate.get());
        SSL_use_PrivateKey(f.ssl(), certificates::get().client.key.get());
        if (ticket)
            SSL_set_session(f.ssl(), ticket);
        BOOST_REQUIRE(s.greet(f));
        BOOST_TEST(!s.server.error);
        BOOST_TEST(s.server.say("x"));
        BOOST_REQUIRE(s.until([&] {
            f.pump();
            return f.received == "x";
        }));
        BOOST_TEST(SSL_session_reused(f.ssl()) == i);
        BOOST_TEST(s.server.stream->peer_certificate_subject() == "CN=Ada \xC5\x81ovelace");
        SSL_SESSION_free(std::exchange(ticket, SSL_get1_session(f.ssl())));
        SSL_shutdown(f.ssl());
        s.server = {};
    }
    SSL_SESSION_free(ticket);
}

BOOST_AUTO_TEST_CASE(a_client_is_offered_http_1_1_or_nothing)
{
    using namespace std::string_view_literals;
    struct row {
        std::string_view offered;
        std::string_view chosen;
        bool refused;
    };
    for (auto const& [offered, chosen, refused] :
         {row{"", "", false}, row{"\x08http/1.1", "http/1.1", false}, row{"\x02h2\x08http/1.1", "http/1.1", false},
          row{"\x02h2", "", true}, row{"\x02h2\x02h3", "", true}}) {
        scene s;
        foreign_tls f(s.acceptor.port());
        if (!offered.empty())
            SSL_set_alpn_protos(f.ssl(), reinterpret_cast<unsigned char const*>(offered.data()),
                                static_cast<unsigned>(offered.size()));
        BOOST_REQUIRE(s.greet(f));
        if (refused) {
            BOOST_TEST(s.server.error == tls_error::no_application_protocol);
            BOOST_TEST(s.until([&] {
                f.pump();
                return f.reason != 0;
            }));
            BOOST_TEST(f.reason == SSL_AD_REASON_OFFSET + SSL_AD_NO_APPLICATION_PROTOCOL);
        } else {
            BOOST_TEST(!s.server.error);
            BOOST_TEST(s.server.stream->alpn() == chosen);
        }
    }
}

BOOST_AUTO_TEST_CASE(plain_http_on_a_tls_port_is_told_apart)
{
    using namespace std::string_view_literals;
    for (auto const said : {"GET / HTTP/1.1\r\nHost: a\r\n\r\n"sv, "\x00\x01 no TLS either, and more of it"sv}) {
        scene s;
        foreign_tls f(s.acceptor.port());
        s.await(f);
        f.send(said);
        BOOST_TEST(s.until([&] {
            s.server.look();
            return bool(s.server.error);
        }));
        BOOST_TEST(s.server.error == tls_error::not_tls);
        s.server.stream->close();
        ::ssize_t came = 1;
        BOOST_TEST(s.until([&] {
            char bytes[512];
            came = ::recv(f.fd, bytes, sizeof bytes, 0);
            return came == 0 || (came < 0 && errno != EAGAIN);
        }));
        BOOST_TEST(came == 0);  // no reset: what was said has been taken
    }
}

BOOST_AUTO_TEST_CASE(a_server_that_speaks_plain_http_is_told_apart)
{
    scene s;
    pc::transport::tcp::acceptor plain(s.loop);
    std::error_code ec;
    plain.listen({}, {}, ec);
    BOOST_REQUIRE(!ec);
    std::optional<pc::transport::tcp::stream> server;
    plain.accept([&](std::error_code, pc::transport::tcp::stream t) {
        server.emplace(std::move(t));
        std::error_code ignored;
        (void)server->write_some(std::span(std::string_view("HTTP/1.1 400 Bad Request\r\n\r\n")), ignored);
    });
    s.connect(trusting(), plain.port());
    s.client.stream->secure("localhost");
    BOOST_TEST(s.until([&] {
        s.client.look();
        return bool(s.client.error);
    }));
    BOOST_TEST(s.client.error == tls_error::not_tls);
}

BOOST_AUTO_TEST_CASE(a_client_speaks_in_clear_until_it_is_told_to_secure)
{
    scene s;
    pc::transport::tcp::acceptor proxy(s.loop);
    pc::transport::tcp::connector onward(s.loop);
    std::error_code ec;
    proxy.listen({}, {}, ec);
    std::optional<pc::transport::tcp::stream> near, far;
    proxy.accept([&](std::error_code, pc::transport::tcp::stream t) { near.emplace(std::move(t)); });
    s.connect(trusting(), proxy.port());
    BOOST_TEST(s.client.say("CONNECT localhost HTTP/1.1\r\n\r\n"));
    std::string asked(30, ' ');
    BOOST_TEST(s.until([&] { return near && near->read_some(asked, ec) == 30; }));
    BOOST_TEST(asked == "CONNECT localhost HTTP/1.1\r\n\r\n");
    (void)near->write_some(std::span(std::string_view("HTTP/1.1 200 OK\r\n\r\n")), ec);
    BOOST_TEST(s.until([&] {
        s.client.look();
        return s.client.got == "HTTP/1.1 200 OK\r\n\r\n";
    }));
    BOOST_TEST(s.client.stream->version() == "");
    onward.connect({"127.0.0.1", s.acceptor.port()},
                   [&](std::error_code, pc::transport::tcp::stream t) { far.emplace(std::move(t)); });
    BOOST_REQUIRE(s.until([&] { return far && s.server.stream; }));
    s.client.stream->secure("localhost");
    // From here on the proxy hands bytes on, one at a time.
    auto const relay = [&] {
        for (auto const& [from, to] : {std::pair(&*near, &*far), std::pair(&*far, &*near)}) {
            char byte;
            std::error_code e;
            for (int i = 0; i < 400 && from->read_some({&byte, 1}, e) == 1; ++i) {
                (void)to->write_some(std::span<char const>(&byte, 1), e);
                s.client.look();
                s.server.look();
            }
        }
        s.client.look();  // more may be decrypted than one look takes
        s.server.look();
    };
    BOOST_TEST(s.until([&] {
        relay();
        return s.client.settled() && s.server.settled();
    }));
    BOOST_TEST(!s.client.error);
    std::string const text = conformance::numbered(40'000);
    s.client.got.clear();
    conformance::writer<tls::stream> w{*s.client.stream, text}, v{*s.server.stream, text};
    w.go();
    v.go();
    BOOST_TEST(s.until([&] {
        relay();
        return s.client.got.size() == text.size() && s.server.got.size() == text.size();
    }));
    BOOST_TEST((s.client.got == text && s.server.got == text));
}

BOOST_AUTO_TEST_CASE(a_write_that_waits_for_the_handshake_is_woken_when_a_read_completes_it)
{
    for (int const version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
        scene s;
        foreign_tls f(s.acceptor.port(), version);
        s.await(f);
        std::error_code ec;
        BOOST_TEST(s.server.write("first", ec) == 0u);
        BOOST_TEST(pc::transport::would_block(ec));
        bool woken = false;
        std::error_code told;
        s.server.stream->wait_writable([&](std::error_code e) {
            woken = true;
            told = e;
        });
        // Without a turn of the loop: the wait cannot see the bytes that the reads take.
        for (int i = 0; i < 1000 && !(f.done() && s.server.settled()); ++i) {
            f.pump();
            s.server.look();
        }
        BOOST_REQUIRE(f.done());
        BOOST_TEST(!woken);
        BOOST_TEST(s.until([&] { return woken; }));
        BOOST_TEST(!told);
        BOOST_TEST(s.server.say("first"));
    }
}

BOOST_AUTO_TEST_CASE(a_write_in_the_handshake_waits_for_bytes_and_not_in_a_circle)
{
    scene s;
    foreign_tls f(s.acceptor.port());
    s.await(f);
    int turns = 0;
    auto write = [&](auto& self) -> void {
        ++turns;
        std::error_code ec;
        if (s.server.write("408", ec) == 0 && pc::transport::would_block(ec))
            s.server.stream->wait_writable([&](std::error_code) { self(self); });
        else
            s.server.error = ec;
    };
    write(write);
    auto const until = s.loop.now() + std::chrono::milliseconds(50);
    s.until([&] { return s.loop.now() > until; });
    BOOST_TEST(turns == 1);
    f.drop();
    BOOST_TEST(s.until([&] { return bool(s.server.error); }));
    BOOST_TEST(s.server.error == tls_error::truncated);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(tls_stream)

BOOST_AUTO_TEST_CASE(an_end_without_a_goodbye_is_a_truncation)
{
    for (bool const says_goodbye : {false, true}) {
        scene s;
        foreign_tls f(s.acceptor.port());
        BOOST_REQUIRE(s.greet(f));
        f.send(f.encrypted("all of it?"));
        if (says_goodbye) {
            SSL_shutdown(f.ssl());
            f.send(f.made());
        }
        f.drop();
        BOOST_TEST(s.until([&] {
            s.server.look();
            return bool(s.server.error);
        }));
        BOOST_TEST(s.server.got == "all of it?");
        if (says_goodbye)
            BOOST_TEST(s.server.error == std::error_code(asio::error::eof));
        else
            BOOST_TEST(s.server.error == tls_error::truncated);
    }
}

BOOST_AUTO_TEST_CASE(a_changed_byte_is_noticed)
{
    scene s;
    foreign_tls f(s.acceptor.port());
    BOOST_REQUIRE(s.greet(f));
    auto bytes = f.encrypted("pay 10");
    bytes[8] = static_cast<char>(bytes[8] ^ 1);
    f.send(bytes);
    BOOST_TEST(s.until([&] {
        s.server.look();
        return bool(s.server.error);
    }));
    BOOST_TEST(s.server.got == "");
    BOOST_TEST(s.server.error == tls_error::protocol_error);
}

BOOST_AUTO_TEST_CASE(what_is_decrypted_already_is_readable_at_once_but_not_inside_the_call)
{
    scene s;
    s.meet();
    BOOST_TEST(s.client.say("decrypted in one go"));
    BOOST_TEST(s.until([&] {
        s.server.look(4);
        return s.server.got == "decr";
    }));
    std::optional<std::error_code> told;
    s.server.stream->wait_readable([&](std::error_code ec) { told = ec; });
    BOOST_TEST(!told);
    BOOST_TEST(s.until([&] { return told.has_value(); }));
    BOOST_TEST(!*told);
    told.reset();
    s.server.look(1);
    s.server.stream->wait_readable([&](std::error_code ec) { told = ec; });
    s.server.stream->close();
    BOOST_TEST(s.until([&] { return told.has_value(); }));
    BOOST_TEST(bool(*told));
}

BOOST_AUTO_TEST_CASE(a_part_of_a_record_is_waited_with_not_polled)
{
    scene s;
    foreign_tls f(s.acceptor.port());
    BOOST_REQUIRE(s.greet(f));
    int turns = 0;
    auto wait = [&](auto& self) -> void {
        s.server.stream->wait_readable([&](std::error_code) {
            ++turns;
            s.server.look(5);
            if (!s.server.error)
                self(self);
        });
    };
    wait(wait);
    auto const whole = f.encrypted("whole");
    auto const parts = f.encrypted("parts");
    f.send(whole + parts.substr(0, 10));
    auto const until = s.loop.now() + std::chrono::milliseconds(50);
    s.until([&] { return s.loop.now() > until; });
    BOOST_TEST(s.server.got == "whole");
    BOOST_TEST(turns <= 2);
    f.send(parts.substr(10));
    BOOST_TEST(s.until([&] { return s.server.got == "wholeparts"; }));
    BOOST_TEST(turns <= 4);
    f.drop();
    BOOST_TEST(s.until([&] { return bool(s.server.error); }));
}

BOOST_AUTO_TEST_CASE(small_runs_share_a_record_and_large_ones_fill_theirs)
{
    std::vector<std::size_t> records;
    scene s;
    foreign_tls f(s.acceptor.port());
    BOOST_REQUIRE(s.greet(f));
    SSL_set_msg_callback(s.server.stream->native_tls(),
                         [](int writes, int, int type, void const* header, std::size_t, SSL*, void* to) {
                             auto const* const h = static_cast<unsigned char const*>(header);
                             if (writes && type == SSL3_RT_HEADER && h[0] == SSL3_RT_APPLICATION_DATA)
                                 static_cast<std::vector<std::size_t>*>(to)->push_back(std::size_t(h[3]) * 256 + h[4] - 17);
                         });
    SSL_set_msg_callback_arg(s.server.stream->native_tls(), &records);
    std::string const text = conformance::numbered(60'000);
    auto const send = [&](std::vector<std::size_t> const& sizes) {
        std::vector<std::span<char const>> runs;
        std::size_t at = 0;
        for (auto const n : sizes) {
            runs.emplace_back(text.data() + at, n);
            at += n;
        }
        records.clear();
        f.received.clear();
        std::error_code ec;
        BOOST_TEST(s.server.stream->write_some(pc::transport::gather_list(runs), ec) == at);
        BOOST_TEST(s.until([&] {
            f.pump();
            return f.received.size() == at;
        }));
        BOOST_TEST((f.received == text.substr(0, at)));
        return records;
    };
    using sizes = std::vector<std::size_t>;
    BOOST_TEST(send({1, 0, 200, 3000}) == (sizes{3201}), boost::test_tools::per_element());
    BOOST_TEST(send({100, 40'000, 7}) == (sizes{16'384, 16'384, 7339}), boost::test_tools::per_element());
    BOOST_TEST(send({50'000}) == (sizes{16'384, 16'384, 16'384, 848}), boost::test_tools::per_element());
    BOOST_TEST(send({16'384, 16'384}) == (sizes{16'384, 16'384}), boost::test_tools::per_element());
    BOOST_TEST(send({}) == (sizes{}), boost::test_tools::per_element());
    BOOST_TEST(send({0, 0}) == (sizes{}), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(after_a_write_that_was_taken_in_part_others_may_follow)
{
    scene s;
    s.meet();
    // Nobody reads. What is taken is the peer's, whatever comes next.
    std::string taken;
    std::error_code ec;
    std::string const a = conformance::numbered(1 << 20);
    while (!ec) {
        auto const n = s.client.write(a, ec);
        taken += a.substr(0, n);
    }
    BOOST_TEST(pc::transport::would_block(ec));
    for (int i = 0; i < 50; ++i) {
        std::string const other = "another thought, number " + std::to_string(i) + std::string(static_cast<std::size_t>(i) * 999, '.');
        auto const n = s.client.write(other, ec);
        taken += other.substr(0, n);
        s.server.look(30'000);
        s.until([n = 0]() mutable { return ++n > 3; });
    }
    BOOST_TEST(s.until([&] {
        s.server.look(100'000);
        return s.server.got.size() >= taken.size();
    }));
    BOOST_TEST((s.server.got == taken));
}

BOOST_AUTO_TEST_CASE(what_was_taken_leaves_by_itself_and_the_goodbye_behind_it)
{
    scene s;
    s.meet();
    std::string taken;
    std::error_code ec;
    while (!ec) {
        std::string const more = conformance::numbered(100'000);
        taken += more.substr(0, s.client.write(more, ec));
    }
    s.client.stream->shutdown_send();
    BOOST_TEST(s.client.write("too late", ec) == 0u);
    BOOST_TEST((ec && !pc::transport::would_block(ec)));
    BOOST_TEST(s.until([&] {
        s.server.look(1 << 20);
        return bool(s.server.error);
    }));
    BOOST_TEST((s.server.got == taken));
    BOOST_TEST(s.server.error == std::error_code(asio::error::eof));
    BOOST_TEST(s.server.say("and the other way stays open"));
    BOOST_TEST(s.until([&] {
        s.client.look();
        return s.client.got == "and the other way stays open";
    }));
}

BOOST_AUTO_TEST_CASE(closing_says_goodbye)
{
    scene s;
    s.meet();
    s.client.stream->close();
    BOOST_TEST(s.client.stream->version() == "");
    BOOST_TEST(s.until([&] {
        s.server.look();
        return bool(s.server.error);
    }));
    BOOST_TEST(s.server.error == std::error_code(asio::error::eof));
}

BOOST_AUTO_TEST_CASE(keys_are_changed_in_mid_stream)
{
    scene s;
    s.meet();
    for (int i = 0; i < 5; ++i) {
        for (auto* const e : {&s.client, &s.server})
            BOOST_TEST(SSL_key_update(e->stream->native_tls(), SSL_KEY_UPDATE_REQUESTED) == 1);
        BOOST_TEST(s.exchange());
    }
}

BOOST_AUTO_TEST_CASE(keys_are_changed_while_nobody_reads)
{
    scene s;
    s.meet();
    std::string const text = conformance::numbered(8 << 20);
    conformance::writer<tls::stream> w{*s.client.stream, text}, v{*s.server.stream, text};
    w.go();
    v.go();
    BOOST_TEST(w.blocked);
    BOOST_TEST(v.blocked);
    int round = 0;
    BOOST_TEST(s.until([&] {
        if (++round % 50 == 0)
            for (auto* const e : {&s.client, &s.server})
                (void)SSL_key_update(e->stream->native_tls(), SSL_KEY_UPDATE_REQUESTED);
        s.client.look(100'000);
        s.server.look(100'000);
        return s.client.got.size() == text.size() && s.server.got.size() == text.size();
    }));
    BOOST_TEST((s.client.got == text && s.server.got == text));
}

BOOST_AUTO_TEST_CASE(a_renegotiation_is_refused)  // RFC 9325 §3.5
{
    scene s;
    foreign_tls f(s.acceptor.port(), TLS1_2_VERSION);
    BOOST_REQUIRE(s.greet(f));
    BOOST_TEST(SSL_renegotiate(f.ssl()) == 1);
    BOOST_TEST(s.until([&] {
        SSL_do_handshake(f.ssl());
        f.pump();
        s.server.look();
        return f.reason != 0;
    }));
    BOOST_TEST(f.reason == SSL_R_NO_RENEGOTIATION);
    BOOST_TEST(SSL_num_renegotiations(s.server.stream->native_tls()) == 0);
}

BOOST_AUTO_TEST_CASE(an_idle_connection_costs_what_is_printed)
{
    constexpr std::size_t count = 100;
    for (int const version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
        scene s;
        std::size_t before = 0;
        for (std::size_t i = 0; i <= count; ++i) {
            foreign_tls f(s.acceptor.port(), version);
            BOOST_REQUIRE(s.greet(f));
            s.more.push_back(std::move(*s.server.stream));
            s.server = {};
            if (i == 0)  // what OpenSSL makes once
                before = ::mallinfo2().uordblks;
        }
        auto const after = ::mallinfo2().uordblks;  // 0 under a sanitizer
        if (after > before)
            std::printf("%s, idle connection of a server: %zu bytes of the heap\n", s.more.back().version().data(),
                        (after - before) / count);
        BOOST_TEST((after - before) / count < 32 * 1024u);
    }
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(tls_configuration)

std::system_error refusal_of(tls_options const& o)
{
    try {
        tls const made(o);
    } catch (std::system_error const& e) {
        return e;
    }
    return std::system_error(std::error_code());
}

BOOST_AUTO_TEST_CASE(what_is_wrong_with_the_files_is_told_with_file_and_reason)
{
    auto const& c = certificates::get();
    auto const& folder = c.folder;
    std::string const absent = folder.file("absent.pem");
    std::string const junk = folder.write("junk.pem", "no PEM at all");
    std::string const locked = folder.write("locked.key", folder.key_pem(c.server, "a passphrase"));
    auto const rsa = folder.write("bad.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    struct row {
        tls_options o;
        std::error_code code;
        std::string names;
        std::string says;
    };
    auto const& cert = c.server.chain_file;
    auto const& key = c.server.key_file;
    for (row const& r : {
             row{{.certificate_chain_file = absent, .private_key_file = key}, tls_error::unusable_certificate, absent, "No such file"},
             row{{.certificate_chain_file = junk, .private_key_file = key}, tls_error::unusable_certificate, junk, "no start line"},
             row{{.certificate_chain_file = rsa, .private_key_file = key}, tls_error::unusable_certificate, rsa, ": "},
             row{{.certificate_chain_file = cert, .private_key_file = absent}, tls_error::unusable_key, absent, "No such file"},
             row{{.certificate_chain_file = cert, .private_key_file = junk}, tls_error::unusable_key, junk, ": "},
             row{{.certificate_chain_file = cert, .private_key_file = locked}, tls_error::unusable_key, locked, "encrypted"},
             row{{.certificate_chain_file = cert, .private_key_file = c.client.key_file}, tls_error::key_mismatch, c.client.key_file, "mismatch"},
             row{{.certificate_chain_file = cert}, tls_error::unusable_key, "private_key_file", "not given"},
             row{{.private_key_file = key}, tls_error::unusable_certificate, "certificate_chain_file", "not given"},
             row{{.ca_file = absent}, tls_error::unusable_authorities, absent, "No such file"},
             row{{.ca_file = junk}, tls_error::unusable_authorities, junk, ""},
             row{{.ca_directory = absent}, tls_error::unusable_authorities, absent, "No such file"},
             row{{.ca_directory = junk}, tls_error::unusable_authorities, junk, "Not a directory"},
             row{{.certificate_chain_file = cert, .private_key_file = key, .ask_clients = client_certificates::optional},
                 tls_error::unusable_authorities, "ask_clients", "ca_file"},
             row{{.minimum_version = tls_version::v1_3, .maximum_version = tls_version::v1_2},
                 std::make_error_code(std::errc::invalid_argument), "minimum_version", "maximum_version"},
         }) {
        auto const e = refusal_of(r.o);
        std::string_view const what = e.what();
        BOOST_TEST_CONTEXT(what)
        {
            BOOST_TEST(e.code() == r.code);
            BOOST_TEST(what.find(r.names) != what.npos);
            BOOST_TEST(what.find(r.says) != what.npos);
            if (e.code().category() == pc::tls_category)
                BOOST_TEST((e.code() == failure::validation));
        }
    }
}

BOOST_AUTO_TEST_CASE(a_server_without_a_certificate_does_not_listen)
{
    tls::loop loop{tls{}};
    tls::acceptor a{loop};
    std::error_code ec;
    a.listen({}, {}, ec);
    BOOST_TEST(ec == tls_error::server_without_certificate);
}

BOOST_AUTO_TEST_CASE(a_reload_is_for_new_connections_and_a_bad_one_for_none)
{
    auto const& c = certificates::get();
    auto const copy = [](std::string const& from, std::string const& to) {
        std::ofstream(to) << std::ifstream(from).rdbuf();
    };
    auto const own = with({.chain_file = c.folder.file("own.pem"), .key_file = c.folder.file("own.key")});
    copy(c.server.chain_file, own.certificate_chain_file);
    copy(c.server.key_file, own.private_key_file);
    scene s(own);
    s.meet();
    BOOST_TEST(s.client.stream->peer_certificate_subject() == "CN=server");
    end old_client = std::move(s.client), old_server = std::move(s.server);
    auto const next = [&] {
        s.client = {};
        s.server = {};
        s.meet();
        auto const subject = s.client.stream->peer_certificate_subject();
        std::swap(old_client, s.client);
        std::swap(old_server, s.server);
        BOOST_TEST(s.exchange());
        std::swap(old_client, s.client);
        std::swap(old_server, s.server);
        return subject;
    };
    copy(c.renewed.chain_file, own.certificate_chain_file);
    BOOST_CHECK_EXCEPTION(s.transport.reload(), std::system_error,
                          [](auto const& e) { return e.code() == tls_error::key_mismatch; });
    BOOST_TEST(next() == "CN=server");
    copy(c.renewed.key_file, own.private_key_file);
    tls const of_another_thread = s.transport;
    of_another_thread.reload();
    BOOST_TEST(next() == "CN=renewed");
}

BOOST_AUTO_TEST_CASE(every_error_has_words_and_a_condition)
{
    for (int i = 1; i <= static_cast<int>(tls_error::library_failure); ++i) {
        std::error_code const ec = static_cast<tls_error>(i);
        BOOST_TEST(ec.message() != "unknown TLS error");
        BOOST_TEST(ec.default_error_condition().category().name() == "polycast.failure");
    }
    BOOST_TEST(std::error_code(static_cast<tls_error>(99)).message() == "unknown TLS error");
    BOOST_TEST((std::error_code(tls_error::truncated) == failure::connection));
}

BOOST_AUTO_TEST_SUITE_END()

#endif  // POLYCAST_WITH_OPENSSL
