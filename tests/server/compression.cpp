#include <polycast/outbox/encode.hpp>

#include "../support/stage.hpp"

#include <boost/test/unit_test.hpp>

#include <string>
#include <tuple>

using namespace support;
using pc::metric;

BOOST_AUTO_TEST_SUITE(server_compression)

using both = std::tuple<pc::server<bench, sim, pc::compression::zstd<3>>, pc::server<bench, tcp, pc::compression::zstd<3>>>;
using packed = pc::server<bench, sim, pc::compression::zstd<3>>;

std::string zipped(std::string_view text)
{
    pc::detail::byte_buffer out;
    BOOST_REQUIRE(pc::compression::zstd<3>{}.compress(1, out, text));
    return {out.data(), out.size()};
}
peer_options speaks(std::vector<std::string> tokens, std::string user = "member")
{
    return {.target = "/?user=" + user, .tokens = std::move(tokens)};
}

BOOST_AUTO_TEST_CASE_TEMPLATE(the_compressed_token_is_preferred_and_both_ways_are_compressed, Server, both)
{
    stage<Server> on;
    auto& p = on.join(speaks({"polycast.v1.json", "polycast.v1.json.zstd"}));
    BOOST_TEST(p.token() == "polycast.v1.json.zstd");
    p.binary(zipped(an_order("notes", 1, "", std::string(3000, 'a'))));
    BOOST_REQUIRE(on.until([&] { return p.frames.size() == 1; }));
    BOOST_TEST((p.frames[0].op == pc::opcode::binary));
    BOOST_TEST(p.frames[0].payload.size() < 400u);
    BOOST_TEST(field(events_of(p).at(0), "text") == std::string(3000, 'a'));
}

BOOST_AUTO_TEST_CASE(who_does_not_offer_it_gets_plain_text)
{
    stage<packed> on;
    for (auto* const p : {&on.join(), &on.join(speaks({"polycast.v1.json"}))}) {
        p->text(an_order("notes", 1, "", "plain"));
        on.settle();
        BOOST_REQUIRE(p->frames.size() == 1u);
        BOOST_TEST((p->frames[0].op == pc::opcode::text));
    }
}

BOOST_AUTO_TEST_CASE(text_is_taken_from_a_compressed_session_too)
{
    stage<packed> on;
    auto& p = on.join(speaks({"polycast.v1.json.zstd"}));
    p.text(an_order("notes", 1, "", "as text"));
    on.settle();
    BOOST_TEST(field(events_of(p).at(0), "text") == "as text");
}

BOOST_AUTO_TEST_CASE(a_room_of_two_profiles_costs_one_encoding_and_one_compression)
{
    stage<packed> on({.max_connections = 0});
    for (int i = 0; i < 40; ++i)
        on.connect(speaks(i % 2 == 0 ? std::vector<std::string>{"polycast.v1.json.zstd"} : std::vector<std::string>{}));
    BOOST_REQUIRE(on.until([&] { return on.j.opens() == 40; }));
    auto const encodes = on.server->count(metric::encodes);
    auto const compressions = on.server->count(metric::compressions);
    on.peers[0].text(an_order("room", 1, "hall", "to all of you"));
    on.settle();
    BOOST_TEST(on.server->emitter().to_room("hall").emit(note{1, "again"}).queued == 1u);
    on.server->emitter().to_all().emit(note{2, "and again"});
    on.settle();
    for (auto const& p : on.peers)
        BOOST_TEST(numbers_of(p, "note") == (std::vector{0, 1, 2}), boost::test_tools::per_element());
    BOOST_TEST(on.server->count(metric::encodes) == encodes + 3);
    BOOST_TEST(on.server->count(metric::compressions) == compressions + 3);
}

BOOST_AUTO_TEST_CASE(what_nobody_speaks_is_not_made)
{
    stage<packed> on;
    auto& p = on.join(speaks({}));
    on.server->emitter().to_all().emit(note{1, ""});
    on.settle();
    BOOST_TEST(on.server->count(metric::compressions) == 0u);
    BOOST_TEST(p.frames.size() == 1u);
    p.close();
    on.settle();
    auto& q = on.join(speaks({"polycast.v1.json.zstd"}));
    on.server->emitter().to_all().emit(note{2, ""});
    on.settle();
    BOOST_TEST(on.server->count(metric::compressions) == 2u);  // the `$hello`, and the note
    BOOST_TEST(numbers_of(q, "note") == std::vector{2}, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE_TEMPLATE(what_cannot_be_unpacked_is_closed_with_1007, Server, both)
{
    for (std::string const& bad : {std::string("garbage"), zipped("{}").substr(0, 5), zipped("{}") + "x", std::string()}) {
        stage<Server> on;
        auto& p = on.join(speaks({"polycast.v1.json.zstd"}));
        p.binary(bad);
        BOOST_REQUIRE(on.until([&] { return p.ended; }));
        BOOST_TEST((p.closed_with == pc::close_code::invalid_payload));
    }
}

BOOST_AUTO_TEST_CASE(what_inflates_beyond_the_limit_is_closed_with_1009)
{
    stage<packed> on;
    auto& p = on.join(speaks({"polycast.v1.json.zstd"}));
    p.binary(zipped("{\"type\":\"$x\"}" + std::string(64 * 1024 - 13, ' ')));
    on.settle();
    BOOST_TEST(p.open());
    auto const bomb = zipped(std::string(60'000'000, ' '));
    BOOST_TEST(bomb.size() < 64 * 1024u);
    p.binary(bomb);
    BOOST_REQUIRE(on.until([&] { return p.ended; }));
    BOOST_TEST((p.closed_with == pc::close_code::message_too_big));
}

BOOST_AUTO_TEST_CASE(text_inside_the_compressed_message_must_be_utf8)
{
    stage<packed> on;
    auto& p = on.join(speaks({"polycast.v1.json.zstd"}));
    p.binary(zipped("{\"type\":\"order\",\"data\":{\"what\":\"\xC3\x28\",\"n\":0,\"room\":\"\",\"text\":\"\"}}"));
    on.settle();
    BOOST_TEST(on.j.orders == 0);
    if (p.open())
        BOOST_TEST(type_of(events_of(p).at(0)) == "$error");
}

BOOST_AUTO_TEST_CASE(one_profile_encoded_for_everybody_is_the_same_bytes_for_everybody)
{
    stage<packed> on;
    auto& a = on.join(speaks({"polycast.v1.json.zstd"}));
    auto& b = on.join(speaks({"polycast.v1.json.zstd"}));
    on.server->emitter().to_room("hall").emit(note{1, "same"});
    on.settle();
    BOOST_REQUIRE(a.frames.size() == 1u);
    BOOST_TEST((a.frames[0].payload == b.frames.at(0).payload));
}

BOOST_AUTO_TEST_SUITE_END()
