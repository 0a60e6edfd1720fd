#include <polycast/compression/any_of.hpp>
#include <polycast/compression/deflate.hpp>
#include <polycast/compression/dictionary.hpp>
#include <polycast/compression/zstd.hpp>

#include "../support/foreign_deflate.hpp"
#include "../support/stage.hpp"

#include <boost/test/unit_test.hpp>

#include <string>
#include <tuple>

using namespace support;

namespace server_dictionary {

using derived = pc::compression::zstd<3, pc::compression::dictionary::of<pc::events<note, vital, urgent>>>;
using loaded = pc::compression::zstd<3, pc::compression::dictionary::loaded>;
template <class Compression, class Transport = sim>
using serving = pc::server<bench, Transport, Compression>;
using both = std::tuple<serving<derived, sim>, serving<derived, tcp>>;

peer_options speaks(std::vector<std::string> tokens, std::string extensions = {})
{
    peer_options o;
    o.target = "/?user=member";
    o.tokens = std::move(tokens);
    o.extensions = std::move(extensions);
    return o;
}
std::string plain_zstd(std::string_view frame)
{
    pc::detail::byte_buffer out;
    return pc::compression::zstd<3>{}.decompress(1, out, frame, 1 << 20) ? "refused" : std::string(out.view());
}
/// As a client that has fetched `bytes`.
template <class Policy>
std::string unpack(Policy const& policy, std::string_view frame)
{
    pc::detail::byte_buffer out;
    return policy.decompress(2, out, frame, 1 << 20) ? "refused" : std::string(out.view());
}
template <class Stage>
std::string fetch(Stage& on, std::string const& path, std::string const& method = "GET")
{
    peer_options o;
    o.request = method + " " + path + " HTTP/1.1\r\nHost: h\r\n\r\n";
    auto& p = on.connect(o);
    BOOST_REQUIRE(on.until([&] { return p.ended; }));
    return p.status == 200 ? p.body : std::to_string(p.status);
}

}  // namespace server_dictionary
using namespace server_dictionary;

BOOST_AUTO_TEST_SUITE(server_dictionaries)

BOOST_AUTO_TEST_CASE_TEMPLATE(hello_names_the_dictionary_a_get_fetches_it_and_events_need_it, Server, both)
{
    stage<Server> on;
    auto& p = on.join(speaks({"polycast.v1.json.zstd"}));
    auto const hello = plain_zstd(p.hello);
    BOOST_TEST(type_of(hello) == "$hello");
    auto const url = field(hello, "url");
    BOOST_TEST(url == "/polycast/dictionary/" + field(hello, "id"));
    auto const bytes = fetch(on, url);
    BOOST_TEST(bytes == derived().dictionary().bytes);
    on.server->emitter().to_all().emit(note{4, "through the dictionary"});
    p.text(an_order("notes", 1, "", "a reply as well"));
    BOOST_REQUIRE(on.until([&] { return p.frames.size() == 2; }));
    BOOST_TEST(plain_zstd(p.frames[0].payload).find("through the dictionary") == std::string::npos);
    pc::compression::zstd<3, pc::compression::dictionary::loaded> client{{.dictionary = bytes}};
    BOOST_TEST(field(unpack(client, p.frames[0].payload), "text") == "through the dictionary");
    BOOST_TEST(field(unpack(client, p.frames[1].payload), "text") == "a reply as well");
    pc::detail::byte_buffer without;
    BOOST_REQUIRE(pc::compression::zstd<3>{}.compress(1, without, unpack(client, p.frames[0].payload)));
    BOOST_TEST(p.frames[0].payload.size() < without.size() * 3 / 4);
}

BOOST_AUTO_TEST_CASE(only_the_id_that_the_server_minted_is_served_or_said)
{
    stage<serving<derived>> on;
    auto const id = std::string(derived().dictionary().id);
    BOOST_TEST(id.size() == 16u);
    for (auto const& path : {std::string("/polycast/dictionary/"), std::string("/polycast/dictionary/0000000000000000"),
                             "/polycast/dictionary/" + id + "x", "/polycast/dictionary/" + id.substr(1)})
        BOOST_TEST(fetch(on, path) == "404");
    BOOST_TEST(fetch(on, "/polycast/dictionary/" + id, "HEAD").empty());
    BOOST_TEST(fetch(on, "/polycast/dictionary/" + id, "POST") == "405");
    auto o = speaks({"polycast.v1.json.zstd"});
    o.says_open = false;
    auto& p = on.join(o);
    p.text(R"({"type":"$open","dictionary":{"id":"attacker","url":"/attacker"}})");
    BOOST_REQUIRE(on.until([&] { return p.frames.size() == 1; }));
    BOOST_TEST(plain_zstd(p.frames[0].payload).find("attacker") == std::string::npos);
    BOOST_TEST(plain_zstd(p.frames[0].payload).find(id) != std::string::npos);
}

BOOST_AUTO_TEST_CASE(who_does_not_greet_and_who_speaks_plain_text_needs_no_dictionary)
{
    stage<serving<derived>> on;
    auto& plain = on.join(speaks({"polycast.v1.json"}));
    BOOST_TEST(plain.hello.find("\"dictionary\":null") != std::string::npos);
    auto o = speaks({"polycast.v1.json.zstd"});
    o.says_open = false;
    auto& silent = on.join(o);
    silent.text(R"({"type":"$ping"})");
    on.settle();
    on.server->emitter().to_all().emit(note{4, "to both"});
    on.settle();
    BOOST_REQUIRE(silent.frames.size() == 2u);
    BOOST_TEST(type_of(plain_zstd(silent.frames[0].payload)) == "$pong");
    BOOST_TEST(field(plain_zstd(silent.frames[1].payload), "text") == "to both");
    BOOST_TEST(numbers_of(plain, "note") == std::vector{4}, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_client_may_compress_with_and_without_the_dictionary)
{
    stage<serving<derived>> on;
    derived const policy;
    auto& p = on.join(speaks({"polycast.v1.json.zstd"}));
    for (std::uint8_t form = 1; form <= 2; ++form) {
        pc::detail::byte_buffer out;
        BOOST_REQUIRE(policy.compress(form, out, an_order("notes", 1, "", "form " + std::to_string(form))));
        p.binary(out.view());
        on.settle();
        BOOST_REQUIRE(p.frames.size() == form);
        BOOST_TEST(field(unpack(policy, p.frames.back().payload), "text") == "form " + std::to_string(form));
    }
}

BOOST_AUTO_TEST_CASE(a_loaded_dictionary_is_named_and_none_is_null)
{
    stage<serving<loaded>> without;
    auto& p = without.join(speaks({"polycast.v1.json.zstd"}));
    BOOST_TEST(plain_zstd(p.hello).find("\"dictionary\":null") != std::string::npos);
    without.server->emitter().to_all().emit(note{1, "stateless"});
    without.settle();
    BOOST_REQUIRE(p.frames.size() == 1u);
    BOOST_TEST(field(plain_zstd(p.frames[0].payload), "text") == "stateless");

    pc::server_options options;
    options.compression.dictionary = R"({"type":"note","timestamp":"2026-11-21T","data":{"n":,"text":"}})";
    stage<serving<loaded>> with(options);
    auto& q = with.join(speaks({"polycast.v1.json.zstd"}));
    BOOST_TEST(fetch(with, field(plain_zstd(q.hello), "url")) == options.compression.dictionary);

    // zstd's magic number, and then nothing that follows it.
    options.compression.dictionary = "\x37\xA4\x30\xEC and no dictionary";
    BOOST_CHECK_EXCEPTION(serving<loaded>(options, bench{}, sim{with.world}), std::system_error, [](auto const& e) {
        return e.code() == pc::compression_error::bad_dictionary && e.code() == pc::failure::validation;
    });
}

#if POLYCAST_WITH_ZLIB
BOOST_AUTO_TEST_CASE(any_of_gives_each_client_what_it_can_do_and_compresses_nothing_twice)
{
    using several = pc::compression::any_of<derived, pc::compression::deflate<pc::compression::shared>>;
    stage<serving<several>> on;
    std::string const deflate = "permessage-deflate";
    auto& zipped = on.join(speaks({"polycast.v1.json.zstd", "polycast.v1.json"}, deflate));
    auto& deflated = on.join(speaks({"polycast.v1.json"}, deflate));
    auto& plain = on.join(speaks({}));
    BOOST_TEST(zipped.answer.header("Sec-WebSocket-Extensions").empty());
    BOOST_TEST(!deflated.answer.header("Sec-WebSocket-Extensions").empty());
    std::string const text(500, 'x');
    on.server->emitter().to_all().emit(note{9, text});
    on.settle();
    for (auto* p : {&zipped, &deflated, &plain})
        BOOST_REQUIRE(p->frames.size() == 1u);
    BOOST_TEST(field(unpack(derived(), zipped.frames[0].payload), "text") == text);
    BOOST_TEST(deflated.frames[0].rsv1);
    foreign_deflate peer({15, false}, {15, false});
    BOOST_TEST(field(peer.decompress(deflated.frames[0].payload), "text") == text);
    BOOST_TEST(field(plain.frames[0].payload, "text") == text);
    deflated.write(masked(pc::opcode::text, peer.compress(an_order("notes", 1, "", text)), true, true));
    on.settle();
    BOOST_REQUIRE(deflated.frames.size() == 2u);
    BOOST_TEST(field(peer.decompress(deflated.frames[1].payload), "text") == text);
}
#endif

BOOST_AUTO_TEST_SUITE_END()
