#include <polycast/session/client_wire.hpp>

#include <polycast/frame/header.hpp>
#include <polycast/session/client_pulse.hpp>

#include <boost/test/unit_test.hpp>

#include <chrono>
#include <string>
#include <string_view>

namespace pc = polycast;
using namespace std::chrono_literals;
using pc::detail::byte_buffer;
using pulse = pc::detail::client_pulse;

BOOST_AUTO_TEST_SUITE(client_wire)

BOOST_AUTO_TEST_CASE(a_message_is_masked_with_its_key)
{
    byte_buffer out;
    pc::detail::append_masked(out, pc::opcode::text, "hello", 0x04030201);
    auto const header = pc::decode_header<pc::role::server>({out.data(), out.size()});
    BOOST_TEST(header.consumed_bytes == 6u);
    BOOST_TEST(header.header.key == 0x04030201u);
    BOOST_TEST(out.view().substr(6) != "hello");
    pc::unmask({out.data() + 6, 5}, header.header.key);
    BOOST_TEST(out.view().substr(6) == "hello");
}

BOOST_AUTO_TEST_CASE(what_goes_first_waits_for_the_next_filling)
{
    pc::detail::client_wire wire;
    auto const text = [&] { return std::string_view(wire.rest().data(), wire.rest().size()); };
    wire.fill([](byte_buffer& out) { out.append("message"); });
    wire.first().append("pong");
    BOOST_TEST(wire.take(4) == 4u);
    BOOST_TEST(text() == "age");
    BOOST_TEST(wire.take(3) == 7u);
    BOOST_TEST(text().empty());
    wire.fill([](byte_buffer& out) { out.append(" next"); });
    BOOST_TEST(text() == "pong next");
    wire.clear();
    BOOST_TEST(text().empty());
}

BOOST_AUTO_TEST_CASE(pings_come_at_the_interval_and_the_end_after_silence)
{
    pc::client_heartbeat const options{.interval = 30s, .timeout = 70s};
    pulse::time_point const start{1h};
    pulse p;
    p.begin(start);
    BOOST_TEST((p.next(options, start) == 30s));
    BOOST_TEST((p.look(options, start + 29s) == pulse::verdict::well));
    BOOST_TEST((p.look(options, start + 30s) == pulse::verdict::ping));
    BOOST_TEST((p.look(options, start + 60s) == pulse::verdict::ping));
    BOOST_TEST((p.next(options, start + 60s) == 10s));
    BOOST_TEST((p.look(options, start + 70s) == pulse::verdict::dead));
    p.heard(start + 65s);
    BOOST_TEST((p.look(options, start + 70s) == pulse::verdict::well));
}

BOOST_AUTO_TEST_CASE(a_heartbeat_may_be_switched_off)
{
    pulse p;
    p.begin(pulse::time_point{1h});
    BOOST_TEST(!p.next({.interval = 0s, .timeout = 0s}, pulse::time_point{9h}).has_value());
    BOOST_TEST((p.look({.interval = 0s, .timeout = 0s}, pulse::time_point{9h}) == pulse::verdict::well));
    BOOST_TEST((p.next({.interval = 0s, .timeout = 5s}, pulse::time_point{1h}) == 5s));
}

BOOST_AUTO_TEST_SUITE_END()
