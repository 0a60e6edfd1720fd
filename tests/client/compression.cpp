#include <polycast/client.hpp>

#include <polycast/compression/any_of.hpp>
#include <polycast/compression/deflate.hpp>
#include <polycast/compression/zstd.hpp>
#include <polycast/serializer/raw.hpp>

#if POLYCAST_WITH_ZLIB

#include "scripted_server.hpp"

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include <chrono>
#include <optional>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include <zlib.h>

namespace pc = polycast;
using namespace std::chrono_literals;
using pc::close_code;
using pc::handshake_error;
using pc::opcode;
using scripted::frame;
using sim = pc::transport::simulated;
using tcp = pc::transport::tcp;
using raw = pc::serializer::raw;
using shared = pc::compression::deflate<pc::compression::shared>;
using dedicated = pc::compression::deflate<pc::compression::dedicated>;
using zstd = pc::compression::zstd<3>;

namespace {

struct saying {
    std::string text;
};

struct record {
    int opened = 0;
    std::vector<std::string> got{}, heard{};
    std::vector<pc::close_info> closed{};
    std::vector<std::error_code> failures{};
};
struct app {
    using accepts = pc::events<saying>;
    record* r;
    void opened(auto&) { ++r->opened; }
    void on(auto&, saying const& s) { r->heard.push_back(s.text); }
    void on(auto&, pc::message const& m) { r->got.emplace_back(m.payload); }
    void closed(auto&, pc::close_info const& info) { r->closed.push_back(info); }
    void failed(std::error_code ec, unsigned, std::chrono::milliseconds) { r->failures.push_back(ec); }
};

template <class... Policies>
struct scene {
    explicit scene(std::string extensions, pc::client_options more = {})
    {
        server.extensions = std::move(extensions);
        more.url = server.url();
        c.emplace(loop, std::move(more), app{&r});
    }
    scripted::connection& open()
    {
        c->start();
        BOOST_REQUIRE(world.run_until([&] { return c->is_open() && server.connections.back()->upgraded; }));
        world.run_until_idle();
        return server.last();
    }

    record r{};
    pc::transport::world world{1};
    scripted::server server{world};
    sim::loop loop{world};
    std::optional<pc::client<app, sim, Policies...>> c{};
};

/// Compresses as zlib does, whether that gains anything or not (RFC 7692 §7.2.1).
class packer {
public:
    explicit packer(int bits = 15) { BOOST_REQUIRE(::deflateInit2(&stream_, 6, Z_DEFLATED, -bits, 8, 0) == Z_OK); }
    packer(packer const&) = delete;
    ~packer() { ::deflateEnd(&stream_); }
    std::string operator()(std::string_view text)
    {
        std::string out(text.size() + 100, '\0');
        stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
        stream_.avail_in = static_cast<uInt>(text.size());
        stream_.next_out = reinterpret_cast<Bytef*>(out.data());
        stream_.avail_out = static_cast<uInt>(out.size());
        ::deflate(&stream_, Z_SYNC_FLUSH);
        out.resize(out.size() - stream_.avail_out - 4);
        return out;
    }

private:
    ::z_stream stream_{};
};
std::string deflated(std::string_view text)
{
    return packer()(text);
}
std::string inflated(std::string_view bytes)
{
    pc::detail::inflater stream(15);
    pc::detail::byte_buffer out;
    BOOST_TEST(!stream.decompress(out, bytes, 1 << 20));
    return std::string(out.view());
}

std::string const both_forget = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";
std::string const long_text = std::string(400, 'a') + " and so on";

}  // namespace

BOOST_AUTO_TEST_SUITE(client_compression)

BOOST_AUTO_TEST_CASE(messages_of_every_kind_are_compressed_both_ways_once_it_is_agreed)
{
    scene<raw, shared> s(both_forget);
    auto& peer = s.open();
    BOOST_TEST(peer.asked.header("Sec-WebSocket-Extensions") == both_forget + "; client_max_window_bits");
    s.c->send(long_text);
    s.c->send(long_text, opcode::binary);
    s.c->send("short");
    s.world.run_until_idle();
    BOOST_TEST(peer.compressed == (std::vector{true, true, false}), boost::test_tools::per_element());
    BOOST_TEST((peer.kinds == std::vector{opcode::text, opcode::binary, opcode::text}));
    BOOST_TEST(inflated(peer.messages.at(0)) == long_text);
    BOOST_TEST(inflated(peer.messages.at(1)) == long_text);
    BOOST_TEST(peer.messages.at(2) == "short");
    BOOST_TEST(s.c->observer().read(pc::metric::compressions) == 2u);
    peer.write(frame(deflated("zipped é"), opcode::text, true));
    peer.write(frame("plain", opcode::text));
    peer.write(frame(deflated("\xFF\xFE"), opcode::binary, true));
    peer.write(frame(std::string("\x00", 1), opcode::text, true));  // RFC 7692 §7.2.3.6: an empty message
    s.world.run_until_idle();
    BOOST_TEST(s.r.got == (std::vector<std::string>{"zipped é", "plain", "\xFF\xFE", ""}),
               boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(events_are_compressed_too_and_short_ones_are_not)
{
    scene<shared> s(both_forget, {.compression = {.min_bytes = 200}});
    auto& peer = s.open();
    s.c->emit(saying{std::string(100, 'a')});
    s.c->emit(saying{long_text});
    s.world.run_until_idle();
    BOOST_TEST(peer.token == "polycast.v1.json");
    BOOST_TEST(peer.compressed == (std::vector{false, false, true}), boost::test_tools::per_element());  // $open first
    BOOST_TEST(inflated(peer.messages.back()) == R"({"type":"saying","data":{"text":")" + long_text + "\"}}");
    peer.write(frame(deflated(R"({"type":"saying","data":{"text":"hello"}})"), opcode::text, true));
    s.world.run_until_idle();
    BOOST_TEST(s.r.heard == (std::vector<std::string>{"hello"}), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(what_was_not_agreed_is_not_used_and_not_taken)
{
    scene<raw, shared> s("");
    auto& peer = s.open();
    s.c->send(long_text);
    s.world.run_until_idle();
    BOOST_TEST(peer.messages.at(0) == long_text);
    peer.write(frame(deflated("x"), opcode::text, true));
    s.world.run_until([&] { return peer.closed_with.has_value(); });
    BOOST_TEST((peer.closed_with == close_code::protocol_error));
    BOOST_TEST(s.r.got.empty());
    // Nor by a client that has no such thing.
    scene<raw> without("");
    auto& other = without.open();
    BOOST_TEST(other.asked.count("Sec-WebSocket-Extensions") == 0u);
    other.write(frame(deflated("x"), opcode::text, true));
    without.world.run_until([&] { return other.closed_with.has_value(); });
    BOOST_TEST((other.closed_with == close_code::protocol_error));
}

char const* const illegal_answers[] = {
    "permessage-deflate",                                                        // does not forget, as was asked for
    "permessage-deflate; server_no_context_takeover; server_no_context_takeover",
    "permessage-deflate; server_no_context_takeover; client_max_window_bits",
    "permessage-deflate; server_no_context_takeover; client_max_window_bits=7",
    "permessage-deflate; server_no_context_takeover; server_max_window_bits=16",
    "permessage-deflate; server_no_context_takeover; server_max_window_bits",
    "permessage-deflate; server_no_context_takeover=1",
    "permessage-deflate; server_no_context_takeover; unheard_of",
    "permessage-deflate; server_no_context_takeover, permessage-deflate; server_no_context_takeover",
};

BOOST_DATA_TEST_CASE(an_answer_with_illegal_parameters_fails_the_attempt, boost::unit_test::data::make(illegal_answers),
                     extensions)
{
    scene<raw, shared> s(extensions, {.max_attempts = 1});
    s.c->start();
    s.world.run_for(1min);
    BOOST_TEST(s.r.opened == 0);
    BOOST_REQUIRE(s.r.failures.size() == 1u);
    BOOST_TEST((s.r.failures[0] == handshake_error::bad_extension));
}

BOOST_AUTO_TEST_CASE(an_extension_that_was_not_asked_for_fails_the_attempt)
{
    scene<raw> s(both_forget, {.max_attempts = 1});
    s.c->start();
    s.world.run_for(1min);
    BOOST_TEST((s.r.failures.at(0) == handshake_error::unoffered_extension));
    scene<raw, shared> other("x-webkit-deflate-frame", {.max_attempts = 1});
    other.c->start();
    other.world.run_for(1min);
    BOOST_TEST((other.r.failures.at(0) == handshake_error::unoffered_extension));
}

BOOST_AUTO_TEST_CASE(a_window_that_cannot_be_made_means_that_nothing_is_compressed)
{
    scene<raw, shared> s(both_forget + "; client_max_window_bits=8");
    auto& peer = s.open();
    s.c->send(long_text);
    s.world.run_until_idle();
    BOOST_TEST(peer.messages.at(0) == long_text);
    peer.write(frame(deflated("still read"), opcode::text, true));
    s.world.run_until_idle();
    BOOST_TEST(s.r.got.at(0) == "still read");
    // A small one can.
    scene<raw, shared> small(both_forget + "; client_max_window_bits=9");
    auto& nine = small.open();
    small.c->send(long_text);
    small.world.run_until_idle();
    BOOST_TEST(nine.compressed.at(0));
    pc::detail::inflater window(9);
    pc::detail::byte_buffer out;
    BOOST_TEST(!window.decompress(out, nine.messages.at(0), 1000));
    BOOST_TEST(out.view() == long_text);
}

struct breach {
    char const* what;
    std::string payload;
    opcode op;
    close_code code;
    friend std::ostream& operator<<(std::ostream& out, breach const& b) { return out << b.what; }
};
breach const breaches[] = {
    {"a bomb", deflated(std::string(1 << 20, '\0')), opcode::binary, close_code::message_too_big},
    {"one byte over the limit", deflated(std::string(5001, 'x')), opcode::text, close_code::message_too_big},
    {"no deflate at all", "\xFF\xFF\xFF\xFF", opcode::binary, close_code::invalid_payload},
    {"a deflate stream that is cut short", deflated(long_text).substr(0, 5), opcode::text, close_code::invalid_payload},
    {"text that is not UTF-8", deflated("\xC3"), opcode::text, close_code::invalid_payload},
};

BOOST_DATA_TEST_CASE(what_does_not_inflate_closes_and_never_reaches_the_application,
                     boost::unit_test::data::make(breaches), sample)
{
    scene<raw, shared> s(both_forget, {.max_message_bytes = 5000});
    auto& peer = s.open();
    peer.write(frame(deflated(std::string(5000, 'x')), opcode::text, true));
    peer.write(frame(sample.payload, sample.op, true));
    peer.write(frame("after it"));
    s.world.run_for(3s);
    BOOST_TEST((peer.closed_with == sample.code));
    BOOST_TEST(s.r.got.size() == 1u);
    BOOST_REQUIRE(s.r.closed.size() == 1u);
    BOOST_TEST((s.r.closed[0].code == sample.code));
    BOOST_TEST(!s.r.closed[0].by_peer);
    BOOST_TEST(s.r.opened == 2);
}

BOOST_AUTO_TEST_CASE(a_zstd_message_that_is_none_closes_and_never_reaches_the_application)
{
    pc::detail::byte_buffer bomb;
    BOOST_TEST(zstd{}.compress(1, bomb, std::string(1 << 20, '\0')));
    for (auto const& [payload, code] : {std::pair{std::string("no frame"), close_code::invalid_payload},
                                        std::pair{std::string(bomb.view()), close_code::message_too_big}}) {
        scene<zstd> s("", {.max_message_bytes = 5000});
        s.server.tokens = {"polycast.v1.json.zstd"};
        auto& peer = s.open();
        peer.write(frame(payload, opcode::binary));
        s.world.run_for(3s);
        BOOST_TEST((peer.closed_with == code));
        BOOST_TEST(s.r.got.empty());
        BOOST_TEST(s.r.opened == 2);
    }
}

BOOST_AUTO_TEST_CASE(a_server_that_agrees_on_both_gets_each_message_in_one)
{
    scene<pc::compression::any_of<zstd, shared>> s(both_forget);
    s.server.tokens = {"polycast.v1.json.zstd"};
    auto& peer = s.open();
    BOOST_TEST(peer.asked.header("Sec-WebSocket-Protocol") == "polycast.v1.json.zstd, polycast.v1.json");
    s.c->emit(saying{long_text});
    s.c->send(long_text);
    s.world.run_until_idle();
    BOOST_TEST(peer.compressed == (std::vector{false, false, true}), boost::test_tools::per_element());
    pc::detail::byte_buffer out;
    BOOST_TEST(!zstd{}.decompress(1, out, peer.messages.at(1), 1000));
    BOOST_TEST(inflated(peer.messages.at(2)) == long_text);
    pc::detail::byte_buffer packed;
    BOOST_TEST(zstd{}.compress(1, packed, R"({"type":"saying","data":{"text":"one"}})"));
    peer.write(frame(packed.view(), opcode::binary));
    peer.write(frame(deflated(packed.view()), opcode::binary, true));
    peer.write(frame(deflated(R"({"type":"saying","data":{"text":"three"}})"), opcode::text, true));
    s.world.run_until_idle();
    BOOST_TEST(s.r.heard == (std::vector<std::string>{"one", "one", "three"}), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_dedicated_context_remembers_for_one_connection)
{
    scene<raw, dedicated> s("permessage-deflate");
    auto& peer = s.open();
    BOOST_TEST(peer.asked.header("Sec-WebSocket-Extensions") == "permessage-deflate; client_max_window_bits");
    std::string text;
    for (int i = 0; i < 40; ++i)
        text += std::to_string(i * 7919) + ' ';
    auto const exchange = [&](scripted::connection& with) {
        pc::detail::inflater in(15);
        packer out;
        for (int i = 0; i < 2; ++i) {
            s.c->send(text);
            s.world.run_until_idle();
            pc::detail::byte_buffer got;
            BOOST_TEST(!in.decompress(got, with.messages.back(), 1000));
            BOOST_TEST(got.view() == text);
            BOOST_TEST((with.messages.back().size() < 20) == (i == 1));
            with.write(frame(out(text), opcode::text, true));
            s.world.run_until_idle();
            BOOST_TEST(s.r.got.back() == text);
        }
    };
    exchange(peer);
    s.world.cut_all();
    BOOST_REQUIRE(s.world.run_until([&] { return s.r.opened == 2; }));
    s.world.run_until_idle();
    exchange(s.server.last());
}

BOOST_AUTO_TEST_CASE(a_dictionary_that_is_not_known_here_ends_the_connection_with_a_growing_pause)
{
    scene<zstd> s("", {.backoff = {.spread = pc::jitter::none}});
    s.server.tokens = {"polycast.v1.json.zstd"};
    auto& peer = s.open();
    pc::detail::byte_buffer packed;
    BOOST_TEST(zstd{}.compress(1, packed, R"({"type":"$hello","version":1,"dictionary":{"id":"d1","url":"/d1"}})"));
    s.server.after_upgrade = frame(packed.view(), opcode::binary);
    peer.write(s.server.after_upgrade);
    s.world.run_for(500ms);
    BOOST_TEST((peer.closed_with == close_code::unsupported_data));
    s.world.run_for(20s);  // pauses of 1, 2, 4, 8 s
    BOOST_TEST(s.r.opened == 5);
}

BOOST_AUTO_TEST_CASE(over_tcp_it_is_the_same)
{
    tcp::loop loop;
    scripted::basic_server<tcp> server(loop);
    server.extensions = both_forget;
    record r;
    pc::client<app, tcp, raw, shared> c(loop, {.url = server.url()}, app{&r});
    c.start();
    auto const until = [&](auto done) {
        auto const deadline = loop.now() + 10s;
        while (!done() && loop.now() < deadline)
            loop.context().run_one_for(2ms);
        return done();
    };
    BOOST_REQUIRE(until([&] { return r.opened == 1; }));
    c.send(long_text);
    BOOST_REQUIRE(until([&] { return server.last().messages.size() == 1; }));
    BOOST_TEST(inflated(server.last().messages.at(0)) == long_text);
    std::string const bytes = frame(deflated("byte by byte"), opcode::text, true);
    for (char const byte : bytes) {
        server.last().write({&byte, 1});
        until([n = 0]() mutable { return ++n > 1; });
    }
    BOOST_TEST(until([&] { return r.got.size() == 1; }));
    BOOST_TEST(r.got.at(0) == "byte by byte");
    c.stop();
    BOOST_TEST(until([&] { return c.stopped(); }));
}

BOOST_AUTO_TEST_SUITE_END()

#endif  // POLYCAST_WITH_ZLIB
