#include <polycast/serializer/msgpack.hpp>

#include "../support/msgpack.hpp"
#include "../support/stage.hpp"

#include <boost/test/unit_test.hpp>

#include <string>
#include <tuple>
#include <vector>

using namespace support;
using pc::serializer::msgpack;
using zstd = pc::compression::zstd<3>;

namespace {

using plain = std::tuple<pc::server<bench, sim, msgpack>, pc::server<bench, tcp, msgpack>>;
using zipping = std::tuple<pc::server<bench, sim, msgpack, zstd>, pc::server<bench, tcp, msgpack, zstd>>;
using windowed = pc::server<bench, sim, msgpack, pc::batching::window<3, 2000>>;

std::string zipped(std::string_view bytes)
{
    pc::detail::byte_buffer out;
    BOOST_REQUIRE(zstd{}.compress(1, out, bytes));
    return std::string(out.view());
}
std::string unzipped(std::string_view bytes)
{
    pc::detail::byte_buffer out;
    return zstd{}.decompress(1, out, bytes, 1 << 20) ? "cannot be unpacked" : std::string(out.view());
}
/// Without the times of emission, which are RFC 3339 text as in JSON.
std::string untimed(std::string text)
{
    constexpr std::string_view key = "\"timestamp\":\"";
    for (std::size_t at = 0; (at = text.find(key)) != text.npos;) {
        BOOST_TEST(pc::detail::parse_timestamp(text.substr(at + key.size(), 24)).has_value());
        text.erase(at, key.size() + 26);
    }
    return text;
}
/// What a peer received, as JSON, an event a line.
template <class Peer>
std::string heard(Peer const& p)
{
    std::string all;
    for (auto const& f : p.frames) {
        BOOST_TEST((f.op == pc::opcode::binary));
        bool const packs = p.token().ends_with(".zstd");
        all += unpacked(packs ? unzipped(f.payload) : f.payload) + "\n";
    }
    return untimed(std::move(all));
}
/// The peer's `$open` is MessagePack too.
peer_options speaks(std::vector<std::string> tokens, std::string user = "")
{
    return {.target = "/?user=" + user, .tokens = std::move(tokens), .says_open = false};
}
std::string order_bytes(std::string_view what, int n = 0, std::string_view room = {}, std::string_view text = {})
{
    return packed(an_order(what, n, room, text));
}

}  // namespace

BOOST_AUTO_TEST_SUITE(server_msgpack)

BOOST_AUTO_TEST_CASE_TEMPLATE(the_token_is_agreed_and_everything_is_messagepack_in_binary_frames, Server, plain)
{
    stage<Server> on;
    auto& p = on.join(speaks({"polycast.v1.json", "polycast.v1.msgpack"}, "greeted"));
    BOOST_TEST(p.token() == "polycast.v1.msgpack");
    on.settle();
    BOOST_TEST(p.frames.empty());  // reliable mode: nothing before `$open`
    p.binary(packed(R"({"type":"$open","id":"first"})"));
    BOOST_REQUIRE(on.until([&] { return p.frames.size() == 2; }));
    std::string const begin = heard(p);
    BOOST_TEST(begin.starts_with(R"({"type":"$hello","id":"first","version":1,"session":"s_)"));
    BOOST_TEST(begin.ends_with("{\"type\":\"note\",\"data\":{\"n\":0,\"text\":\"welcome\"}}\n"));
    p.frames.clear();
    p.binary(packed(R"({"type":"$ping","id":1})") + packed(R"({"type":"$join","id":2,"room":"thread/42"})"));
    p.binary(order_bytes("notes", 2, "", "€"));
    p.binary(packed(R"({"id":"a\"b","type":"order","data":{"what":"none","n":0,"room":"","text":""}})"));
    p.binary(packed(R"({"type":"nobody knows","id":18446744073709551615})"));
    BOOST_REQUIRE(on.until([&] { return p.frames.size() == 6; }));
    std::string all = heard(p);
    for (auto const* line : {R"({"type":"$pong","id":1})", R"({"type":"note","data":{"n":0,"text":"€"}})",
                             R"({"type":"note","data":{"n":1,"text":"€"}})", R"({"type":"$ok","id":"a\"b"})",
                             R"({"type":"$error","id":18446744073709551615,"code":"unknown_type",)"})
        BOOST_TEST((all.find(line) != all.npos), line << " in " << all);
    BOOST_TEST((all.find(R"("id":2)") != all.npos));
}

BOOST_AUTO_TEST_CASE_TEMPLATE(who_offers_no_token_gets_messagepack_in_plain_mode, Server, plain)
{
    stage<Server> on;
    auto& p = on.join(speaks({}, "greeted"));
    BOOST_TEST(p.token() == "");
    BOOST_REQUIRE(on.until([&] { return p.frames.size() == 1; }));
    BOOST_TEST(heard(p) == "{\"type\":\"note\",\"data\":{\"n\":0,\"text\":\"welcome\"}}\n");
    p.text(R"({"type":"$ping"})");
    BOOST_REQUIRE(on.until([&] { return p.ended; }));
    BOOST_TEST((p.closed_with == pc::close_code::unsupported_data));
}

BOOST_AUTO_TEST_CASE_TEMPLATE(the_compressed_token_holds_the_same_in_zstd_frames, Server, zipping)
{
    stage<Server> on;
    auto& p = on.join(speaks({"polycast.v1.msgpack", "polycast.v1.msgpack.zstd"}));
    BOOST_TEST(p.token() == "polycast.v1.msgpack.zstd");
    p.binary(zipped(packed(R"({"type":"$open"})")));
    p.binary(zipped(order_bytes("notes", 1, "", std::string(3000, 'a')) + packed(R"({"type":"$ping"})")));
    BOOST_REQUIRE(on.until([&] { return p.frames.size() == 3; }));
    BOOST_TEST(p.frames[1].payload.size() < 400u);
    std::string const all = heard(p);
    BOOST_TEST(all.starts_with(R"({"type":"$hello","version":1)"));
    BOOST_TEST((all.find(std::string(3000, 'a')) != all.npos));
    BOOST_TEST(all.ends_with("{\"type\":\"$pong\"}\n"));
}

BOOST_AUTO_TEST_CASE_TEMPLATE(errors_name_the_field_and_the_id_and_leave_the_connection_open, Server, plain)
{
    stage<Server> on;
    auto& p = on.join(speaks({}));
    p.binary(packed(R"({"type":"order","data":{"what":5},"id":"q1"})") + packed(R"({"type":"$ping","id":2})"));
    BOOST_REQUIRE(on.until([&] { return p.frames.size() == 2; }));
    BOOST_TEST(heard(p) == "{\"type\":\"$error\",\"id\":\"q1\",\"code\":\"bad_field\","
                           "\"message\":\"data.what: expected a string\"}\n{\"type\":\"$pong\",\"id\":2}\n");
    p.frames.clear();
    // A broken map takes the rest of its frame along, but not the next frame.
    p.binary(packed(R"({"type":"$ping","id":3})") + "\x81\xC1" + packed(R"({"type":"$ping","id":4})"));
    p.binary(packed(R"({"type":"$ping","id":5})"));
    BOOST_REQUIRE(on.until([&] { return p.frames.size() == 3; }));
    BOOST_TEST(heard(p) == "{\"type\":\"$pong\",\"id\":3}\n{\"type\":\"$error\",\"code\":\"bad_message\","
                           "\"message\":\"expected a value\"}\n{\"type\":\"$pong\",\"id\":5}\n");
    BOOST_TEST(p.open());
}

BOOST_AUTO_TEST_CASE(a_batching_window_joins_events_back_to_back_in_one_frame)
{
    stage<windowed> on;
    auto& p = on.join(speaks({}, "member"));
    p.binary(order_bytes("notes", 3));
    BOOST_REQUIRE(on.until([&] { return !p.frames.empty(); }));
    on.settle();
    BOOST_REQUIRE(p.frames.size() == 1u);
    BOOST_TEST(heard(p) == "{\"type\":\"note\",\"data\":{\"n\":0,\"text\":\"\"}}\n"
                           "{\"type\":\"note\",\"data\":{\"n\":1,\"text\":\"\"}}\n"
                           "{\"type\":\"note\",\"data\":{\"n\":2,\"text\":\"\"}}\n");
    // Two wait for the window's end.
    auto const before = on.now();
    p.frames.clear();
    p.binary(order_bytes("notes", 2));
    BOOST_REQUIRE(on.until([&] { return !p.frames.empty(); }));
    BOOST_TEST((on.now() - before >= 1900ms));
    BOOST_TEST(p.frames.size() == 1u);
}

BOOST_AUTO_TEST_CASE(a_room_hears_one_encoding)
{
    using server = pc::server<bench, sim, msgpack>;
    stage<server> on;
    auto& a = on.join(speaks({}, "member"));
    auto& b = on.join(speaks({}, "member"));
    auto const encodes = on.server->count(pc::metric::encodes);
    on.server->emitter().to_room("hall").emit(note{1, "same"});
    BOOST_REQUIRE(on.until([&] { return a.frames.size() == 1 && b.frames.size() == 1; }));
    BOOST_TEST((a.frames[0].payload == b.frames[0].payload));
    BOOST_TEST(on.server->count(pc::metric::encodes) == encodes + 1);
}

BOOST_AUTO_TEST_SUITE_END()
