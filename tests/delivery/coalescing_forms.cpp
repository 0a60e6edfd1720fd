// What coalesced is compressed for each receiver, whatever it speaks.

#include "../support/workshop.hpp"

#include <polycast/compression/deflate.hpp>
#include <polycast/serializer/msgpack.hpp>

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <string>
#include <string_view>

using namespace support;

namespace {

template <class... Policies>
using once = pc::server<workshop, sim, Policies...>;
using zstd = pc::compression::zstd<3>;
using shared_deflate = pc::compression::deflate<pc::compression::shared>;

std::string token(int i)
{
    return "token" + std::to_string(i) + ' ';
}
template <class Peer>
std::string text_of(Peer const& p)
{
    std::string all;
    for (auto const& e : heard(p, "delta"))
        all += field(e, "text");
    return all;
}
/// 500 tokens to peers of that manner, of which one does not read for a while and one has a connection that is lost.
template <class Server>
void an_answer(manner m, bool compressed)
{
    m.user = "ada";
    stage<Server> st({}, 1, {.send_window_bytes = 3000});
    auto& p = enter(st, m);
    auto& slow = enter(st, m);
    slow.read(false);
    std::string text;
    for (int i = 0; i < 500; ++i) {
        st.server->emitter().to_user("ada").emit(delta{"r1", token(i)});
        if (i % 50 == 0)
            st.server->emitter().to_user("ada").emit(fence{i});
        text += token(i);
        st.world.run_for(33'333us);
        BOOST_REQUIRE(balanced(st));
    }
    slow.read(true);
    st.world.run_for(5s);
    BOOST_TEST(text_of(p) == text);
    BOOST_TEST(text_of(slow) == text);
    BOOST_TEST(p.frames.size() <= 40U);
    BOOST_TEST(numbers_in(slow, "fence").size() == 10U);
    bool const packed = std::ranges::any_of(p.frames, [&](auto const& f) {
        return f.rsv1 || (f.op == pc::opcode::binary && p.token().ends_with(".zstd"));
    });
    BOOST_TEST(packed == compressed);
    std::size_t bytes = 0;
    for (auto const& f : p.frames)
        bytes += f.payload.size();
    if (compressed)
        BOOST_TEST(bytes < text.size());
}

}  // namespace

BOOST_AUTO_TEST_SUITE(coalescing_in_every_form)

BOOST_AUTO_TEST_CASE(peers_that_do_not_count)
{
    an_answer<once<zstd>>({.token = "polycast.v1.json.zstd"}, true);
    an_answer<once<zstd>>({}, false);
    an_answer<once<shared_deflate>>({.extensions = "permessage-deflate"}, true);
}
BOOST_AUTO_TEST_CASE(messagepack)
{
    an_answer<once<pc::serializer::msgpack, zstd>>({.token = "polycast.v1.msgpack"}, false);
    an_answer<once<pc::serializer::msgpack, zstd>>({.token = "polycast.v1.msgpack.zstd"}, true);
}
BOOST_AUTO_TEST_CASE(peers_that_count)
{
    an_answer<reliable_workshop<pc::serializer::msgpack, zstd>>({.token = "polycast.v1.msgpack.zstd"}, true);
    an_answer<reliable_workshop<shared_deflate>>({.extensions = "permessage-deflate"}, true);
}

BOOST_AUTO_TEST_CASE(over_tcp_the_text_is_whole)
{
    stage<pc::server<workshop, tcp, pc::delivery::at_least_once<>>> st;
    auto& p = enter(st, {.user = "ada"});
    std::string text;
    for (int i = 0; i < 3000; ++i) {
        st.server->emitter().to_user("ada").emit(delta{"r1", token(i)});
        text += token(i);
    }
    BOOST_TEST(st.until([&] { return text_of(p).size() >= text.size(); }));
    BOOST_TEST(text_of(p) == text);
    BOOST_TEST(heard(p, "delta").size() < 2000U);
}

BOOST_AUTO_TEST_SUITE_END()
