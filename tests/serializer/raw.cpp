#include <polycast/serializer/raw.hpp>

#include <boost/test/unit_test.hpp>

#include <string>

namespace pc = polycast;

BOOST_AUTO_TEST_SUITE(raw_serializer)

BOOST_AUTO_TEST_CASE(a_message_is_its_bytes_both_ways)
{
    std::string bytes("\0\xFF{\n", 4);
    pc::detail::byte_buffer out;
    BOOST_TEST(!pc::serializer::raw::encode(out, {.room = "ignored"}, pc::message{bytes}));
    BOOST_TEST(out.view() == bytes);

    struct visitor {
        std::string got;
        int calls = 0;
        pc::opcode op{};
        void event(pc::envelope const&, pc::message m) { got = m.payload, op = m.op, ++calls; }
        void control(pc::envelope const&) {}
        void unknown(pc::envelope const&) {}
        void error(pc::envelope const&, pc::decode_error const&) {}
    } v;
    pc::serializer::raw::decode<pc::events<>>(bytes, {}, v, pc::opcode::text);
    BOOST_TEST(v.calls == 1);
    BOOST_TEST(v.got == bytes);
    BOOST_TEST((v.op == pc::opcode::text));
}

BOOST_AUTO_TEST_SUITE_END()
