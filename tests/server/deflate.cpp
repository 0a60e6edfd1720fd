#include <polycast/compression/deflate.hpp>

#include "../support/foreign_deflate.hpp"
#include "../support/stage.hpp"

#include <boost/test/unit_test.hpp>

#if POLYCAST_WITH_ZLIB
#include <string>
#include <tuple>
#include <vector>

using namespace support;
using pc::metric;

namespace {

struct echo_app {
    void on(auto& session, pc::message const& m) { session.send(m.payload, m.op); }
};
template <class Transport>
using sharing = pc::server<bench, Transport, pc::compression::deflate<pc::compression::shared>>;
template <class Transport>
using shared_echo = pc::server<echo_app, Transport, pc::serializer::raw, pc::compression::deflate<pc::compression::shared>>;
template <class Transport>
using dedicated_echo = pc::server<echo_app, Transport, pc::serializer::raw, pc::isolation::per_connection,
                                  pc::compression::deflate<pc::compression::dedicated>>;

std::string const chatter = "the quick brown fox jumps over the lazy dog, and the lazy dog looks at the quick brown fox; "
                            "the fox jumps again, and the dog looks again, and again, and again";

std::string agreed(auto const& peer)
{
    return std::string(peer.answer.header("Sec-WebSocket-Extensions"));
}
peer_options offers(std::string extensions, std::string user = "member")
{
    peer_options o;
    o.target = "/?user=" + user;
    o.extensions = std::move(extensions);
    return o;
}
/// The other end of what the answer says.
foreign_deflate other_end(std::string const& answer)
{
    auto const bits = [&](std::string_view name) {
        auto const at = answer.find(name);
        return at == answer.npos ? 15 : std::stoi(answer.substr(at + name.size()));
    };
    auto const has = [&](std::string_view name) { return answer.find(name) != answer.npos; };
    return {{bits("client_max_window_bits="), !has("client_no_context_takeover")},
            {bits("server_max_window_bits="), !has("server_no_context_takeover")}};
}

}  // namespace

BOOST_AUTO_TEST_SUITE(server_deflate)

using both_shared = std::tuple<shared_echo<sim>, shared_echo<tcp>>;
using all_echoes = std::tuple<shared_echo<sim>, shared_echo<tcp>, dedicated_echo<sim>, dedicated_echo<tcp>>;

BOOST_AUTO_TEST_CASE_TEMPLATE(messages_of_both_kinds_come_back_compressed_whatever_their_size, Server, all_echoes)
{
    pc::server_options options;
    options.max_message_bytes = 2 << 20;
    options.max_outbox_bytes = 16 << 20;
    stage<Server> on(options);
    auto& p = on.join(offers("permessage-deflate"));
    BOOST_REQUIRE(agreed(p).starts_with("permessage-deflate"));
    foreign_deflate peer = other_end(agreed(p));
    std::size_t sent = 0;
    for (std::size_t const size : {0u, 1u, 127u, 128u, 126u, 4000u, 65535u, 65536u, 1u << 20})
        for (pc::opcode const op : {pc::opcode::text, pc::opcode::binary}) {
            std::string text;
            while (text.size() < size)
                text += chatter + std::to_string(text.size());
            text.resize(size);
            p.write(masked(op, peer.compress(text), true, true));
            BOOST_REQUIRE(on.until([&] { return p.frames.size() == sent + 1 || p.ended; }));
            BOOST_REQUIRE(p.frames.size() == ++sent);
            auto const& f = p.frames.back();
            BOOST_TEST((f.op == op));
            BOOST_TEST(((f.rsv1 ? peer.decompress(f.payload) : f.payload) == text));
            BOOST_TEST(f.rsv1 == (size >= 128));
            if (size > 1000)
                BOOST_TEST(f.payload.size() < size / 3);
        }
}

BOOST_AUTO_TEST_CASE(every_legal_offer_of_windows_and_takeover_is_agreed_and_spoken)
{
    stage<shared_echo<sim>> on_shared({.max_connections = 0});
    stage<dedicated_echo<sim>> on_dedicated({.max_connections = 0});
    auto const talk = [](auto& on, std::string const& offer) {
        auto& p = on.join(offers(offer));
        BOOST_TEST_CONTEXT(offer << " -> " << agreed(p))
        {
            BOOST_REQUIRE(!agreed(p).empty());
            foreign_deflate peer = other_end(agreed(p));
            for (int i = 0; i < 4; ++i) {
                std::string text;
                for (int n = 0; n < 40; ++n)
                    text += chatter + std::to_string(n * i);
                p.write(masked(pc::opcode::text, peer.compress(text), true, true));
                on.settle();
                BOOST_REQUIRE(p.frames.size() == static_cast<std::size_t>(i + 1));
                BOOST_TEST(p.frames.back().rsv1);
                BOOST_TEST(peer.decompress(p.frames.back().payload) == text);
            }
        }
        p.close();
        on.settle();
    };
    for (std::string const server_bits : {"", "; server_max_window_bits=9", "; server_max_window_bits=12", "; server_max_window_bits=15"})
        for (std::string const client_bits : {"", "; client_max_window_bits", "; client_max_window_bits=8", "; client_max_window_bits=10", "; client_max_window_bits=15"})
            for (std::string const server_takeover : {"", "; server_no_context_takeover"})
                for (std::string const client_takeover : {"", "; client_no_context_takeover"}) {
                    std::string const offer = "permessage-deflate" + server_bits + client_bits + server_takeover + client_takeover;
                    talk(on_shared, offer);
                    talk(on_dedicated, offer);
                }
}

BOOST_AUTO_TEST_CASE(an_offer_that_cannot_be_met_is_declined_and_the_next_is_taken)
{
    stage<shared_echo<sim>> on;
    for (std::string const bad : {"permessage-deflate; server_max_window_bits=8", "permessage-deflate; unheard_of",
                                   "permessage-deflate; server_max_window_bits=16", "x-webkit-deflate-frame"}) {
        auto& alone = on.join(offers(bad));
        BOOST_TEST(alone.status == 101);
        BOOST_TEST(agreed(alone).empty());
        auto& with_fallback = on.join(offers(bad + ", permessage-deflate; server_no_context_takeover"));
        BOOST_TEST(agreed(with_fallback).starts_with("permessage-deflate"));
    }
}

BOOST_AUTO_TEST_CASE_TEMPLATE(without_agreement_rsv1_is_a_protocol_error, Server, both_shared)
{
    stage<Server> on;
    auto& p = on.join(offers(""));
    BOOST_TEST(agreed(p).empty());
    p.write(masked(pc::opcode::text, "x", true, true));
    BOOST_REQUIRE(on.until([&] { return p.ended; }));
    BOOST_TEST((p.closed_with == pc::close_code::protocol_error));
}

BOOST_AUTO_TEST_CASE_TEMPLATE(plain_messages_go_beside_compressed_ones, Server, all_echoes)
{
    stage<Server> on;
    auto& p = on.join(offers("permessage-deflate"));
    foreign_deflate peer = other_end(agreed(p));
    p.text("as it is");
    p.write(masked(pc::opcode::text, peer.compress("compressed"), true, true));
    p.text("as it is again");
    BOOST_REQUIRE(on.until([&] { return p.frames.size() == 3; }));
    BOOST_TEST(p.frames[0].payload == "as it is");
    BOOST_TEST(p.frames[1].payload == "compressed");
    BOOST_TEST(p.frames[2].payload == "as it is again");
}

BOOST_AUTO_TEST_CASE_TEMPLATE(what_is_broken_is_refused_with_its_code, Server, all_echoes)
{
    struct row {
        char const* what;
        std::string payload;
        pc::opcode op;
        pc::close_code code;
    };
    foreign_deflate maker({15, false}, {15, false});
    for (row const& r : {row{"garbage", "\xFF\xFF\xFF\xFF garbage", pc::opcode::binary, pc::close_code::invalid_payload},
                         row{"cut short", maker.compress(chatter).substr(0, 20), pc::opcode::binary, pc::close_code::invalid_payload},
                         row{"not UTF-8", maker.compress("\xC3\x28 is no text"), pc::opcode::text, pc::close_code::invalid_payload},
                         row{"a bomb", maker.compress(std::string(20'000'000, 'b')), pc::opcode::binary, pc::close_code::message_too_big}}) {
        BOOST_TEST_CONTEXT(r.what)
        {
            stage<Server> on;
            auto& p = on.join(offers("permessage-deflate"));
            p.write(masked(r.op, r.payload, true, true));
            BOOST_REQUIRE(on.until([&] { return p.ended; }));
            BOOST_TEST((p.closed_with == r.code));
            BOOST_TEST(p.frames.empty());
        }
    }
}

BOOST_AUTO_TEST_CASE(an_event_to_a_room_is_compressed_once_for_each_window_in_use)
{
    stage<sharing<sim>> on({.max_connections = 0});
    std::string const narrow = "permessage-deflate; server_max_window_bits=10";
    for (int i = 0; i < 30; ++i)
        on.connect(offers(i % 3 == 0 ? "" : i % 3 == 1 ? "permessage-deflate" : narrow));
    BOOST_REQUIRE(on.until([&] { return on.j.opens() == 30; }));
    auto const encodes = on.server->count(metric::encodes);
    on.server->emitter().to_all().emit(note{7, chatter});
    on.server->emitter().to_all().emit(note{8, "short"});
    on.settle();
    BOOST_TEST(on.server->count(metric::encodes) == encodes + 2);
    BOOST_TEST(on.server->count(metric::compressions) == 2u);
    for (std::size_t i = 0; i < on.peers.size(); ++i) {
        auto const& p = on.peers[i];
        BOOST_REQUIRE(p.frames.size() == 2u);
        BOOST_TEST(p.frames[0].rsv1 == (i % 3 != 0));
        std::string text = p.frames[0].payload;
        if (i % 3 != 0) {
            foreign_deflate peer = other_end(agreed(p));
            text = peer.decompress(text);
        }
        BOOST_TEST(field(text, "text") == chatter);
        BOOST_TEST(!p.frames[1].rsv1);
        BOOST_TEST(field(p.frames[1].payload, "text") == "short");
    }
}

/// Emits while nobody reads, so that the order in which frames are compressed and written can differ.
struct talker {
    struct say {
        int count = 0;
    };
    using accepts = pc::events<say>;
    void on(auto& session, say const& asked)
    {
        for (int i = 0; i < asked.count; ++i) {
            session.emit(bulk{i});
            session.emit(note{i, chatter + chatter});
            session.emit(urgent{i});
        }
    }
};
using dedicated_talker = pc::server<talker, sim, pc::isolation::per_connection, pc::batching::window<10, 50>,
                                    pc::compression::deflate<pc::compression::dedicated>>;

BOOST_AUTO_TEST_CASE(a_context_follows_the_order_of_the_wire_through_lanes_windows_and_a_full_socket)
{
    stage<dedicated_talker> on({}, 5, {.send_window_bytes = 3000, .partial_write_probability = 0.3});
    auto& p = on.join(offers("permessage-deflate"));
    foreign_deflate peer = other_end(agreed(p));
    p.read(false);
    p.text(R"({"type":"say","data":{"count":300}})");
    on.settle();
    p.ping("between");
    on.settle();
    p.read(true);
    BOOST_REQUIRE(on.until([&] { return !p.pongs.empty() && p.frames.size() >= 3; }));
    on.world.run_for(2s);
    for (auto& f : p.frames)
        if (f.rsv1)
            f.payload = peer.decompress(f.payload);
    BOOST_TEST(numbers_of(p, "bulk") == count_to(300), boost::test_tools::per_element());
    BOOST_TEST(numbers_of(p, "note") == count_to(300), boost::test_tools::per_element());
    BOOST_TEST(numbers_of(p, "urgent") == count_to(300), boost::test_tools::per_element());
    BOOST_TEST(p.open());
}

BOOST_AUTO_TEST_SUITE_END()
#endif
