#include <polycast/compression/any_of.hpp>
#include <polycast/compression/deflate.hpp>
#include <polycast/compression/dictionary.hpp>
#include <polycast/compression/zstd.hpp>

#include "../support/foreign_deflate.hpp"
#include "../support/stage.hpp"

#include <boost/test/unit_test.hpp>

#if POLYCAST_WITH_ZLIB
#include <string>
#include <tuple>

using namespace support;

namespace server_any_of {

using derived = pc::compression::zstd<3, pc::compression::dictionary::of<pc::events<order, note>>>;

struct said_back {
    std::string text;
};
struct parrot {
    using accepts = pc::events<order>;
    void on(auto& session, order const& o) { session.emit(said_back{o.text}); }
};
template <class Transport, class... Ps>
using remembering = pc::server<parrot, Transport, pc::isolation::per_connection, pc::compression::any_of<Ps...>>;
using dedicated = pc::compression::deflate<pc::compression::dedicated>;
using all = std::tuple<remembering<sim, derived, dedicated>, remembering<tcp, derived, dedicated>,
                       remembering<sim, dedicated, derived>>;

}  // namespace server_any_of
using namespace server_any_of;

BOOST_AUTO_TEST_SUITE(server_any_of_policies)

BOOST_AUTO_TEST_CASE_TEMPLATE(one_connection_remembers_while_another_has_the_dictionary_and_a_third_neither, Server,
                              all)
{
    stage<Server> on;
    peer_options zstd, deflate;
    zstd.tokens = {"polycast.v1.json.zstd"};
    zstd.extensions = deflate.extensions = "permessage-deflate";
    auto& zipped = on.join(zstd);
    auto& deflated = on.join(deflate);
    auto& plain = on.join();
    BOOST_TEST(zipped.answer.header("Sec-WebSocket-Extensions").empty());
    BOOST_TEST(deflated.answer.header("Sec-WebSocket-Extensions") == "permessage-deflate");
    BOOST_TEST(plain.answer.header("Sec-WebSocket-Extensions").empty());

    foreign_deflate peer({15, true}, {15, true});
    derived const theirs;
    std::string const text =
        "something long enough to be compressed, and then the same thing once more; " + std::string(100, '-');
    auto const said = an_order("", 1, "", text);
    std::size_t first = 0;
    for (std::size_t i = 0; i < 3; ++i) {
        pc::detail::byte_buffer packed, unpacked;
        BOOST_REQUIRE(theirs.compress(2, packed, said));
        zipped.binary(std::string(packed.view()));
        deflated.write(masked(pc::opcode::text, peer.compress(said), true, true));
        plain.text(said);
        BOOST_REQUIRE(on.until(
            [&] { return zipped.frames.size() > i && deflated.frames.size() > i && plain.frames.size() > i; }));
        BOOST_TEST((zipped.frames[i].op == pc::opcode::binary));
        BOOST_REQUIRE(!theirs.decompress(2, unpacked, zipped.frames[i].payload, 10'000));
        BOOST_TEST(field(unpacked.view(), "text") == text);
        BOOST_TEST(deflated.frames[i].rsv1);
        BOOST_TEST(field(peer.decompress(deflated.frames[i].payload), "text") == text);
        BOOST_TEST(!plain.frames[i].rsv1);
        BOOST_TEST(field(plain.frames[i].payload, "text") == text);
        if (i == 0)
            first = deflated.frames[0].payload.size();
        else
            BOOST_TEST(deflated.frames[i].payload.size() < first / 2);
    }
}

BOOST_AUTO_TEST_SUITE_END()
#endif
