#include <polycast/session/client_outbox.hpp>

#include <boost/test/unit_test.hpp>

#include <string>
#include <string_view>

namespace pc = polycast;
using pc::outcome;
using outbox = pc::detail::client_outbox;

namespace {

struct box : outbox {
    explicit box(std::size_t bytes = 1000, std::size_t unconnected = 10) : outbox(bytes, unconnected) {}

    int woken = 0;
    pc::detail::byte_buffer wire;

    outcome put(std::string_view text)
    {
        return push({text, pc::opcode::text, false}, [this] { ++woken; });
    }
    std::string_view next(std::size_t enough = 1000)
    {
        wire.clear();
        fill(wire, enough, [](pc::detail::byte_buffer& out, entry const& e) {
            out.append(e.payload);
            out.push_back('.');
        });
        return wire.view();
    }
};

}  // namespace

BOOST_AUTO_TEST_SUITE(client_outbox)

BOOST_AUTO_TEST_CASE(messages_leave_in_order_and_wake_the_loop_once)
{
    box b;
    BOOST_TEST((b.put("a") == outcome::queued));
    BOOST_TEST((b.put("bc") == outcome::queued));
    BOOST_TEST(b.woken == 1);
    b.set_connected(true);
    BOOST_TEST(b.next() == "a.bc.");
    BOOST_TEST(b.queued_messages() == 2u);
    b.settle(5);
    BOOST_TEST(b.queued_messages() == 0u);
    BOOST_TEST(b.queued_bytes() == 0u);
    b.put("d");
    BOOST_TEST(b.woken == 2);
    BOOST_TEST(b.next() == "d.");
}

BOOST_AUTO_TEST_CASE(a_message_is_settled_with_its_last_byte)
{
    box b;
    b.set_connected(true);
    b.put("aaa");
    b.put("bbb");
    BOOST_TEST(b.next() == "aaa.bbb.");
    b.settle(3);
    BOOST_TEST(b.queued_messages() == 2u);
    b.settle(7);
    BOOST_TEST(b.queued_messages() == 1u);
    b.settle(8);
    BOOST_TEST(b.queued_messages() == 0u);
}

BOOST_AUTO_TEST_CASE(what_a_lost_connection_did_not_take_whole_is_handed_out_again)
{
    box b;
    b.set_connected(true);
    for (auto const* text : {"a", "b", "c", "d"})
        b.put(text);
    BOOST_TEST(b.next(4) == "a.b.");
    b.settle(3);
    b.put("e");
    b.set_connected(false);
    b.set_connected(true);
    BOOST_TEST(b.next() == "b.c.d.");
    b.settle(6);
    BOOST_TEST(b.next() == "e.");
    b.settle(2);
    BOOST_TEST(b.next().empty());
    BOOST_TEST(b.queued_bytes() == 0u);
}

BOOST_AUTO_TEST_CASE(the_cap_in_bytes_is_strict_and_counts_what_is_on_its_way)
{
    box b(100);
    b.set_connected(true);
    std::string const half(100 / 2 - 16, 'x');
    BOOST_TEST((b.put(half) == outcome::queued));
    BOOST_TEST((b.put(half) == outcome::queued));
    BOOST_TEST((b.put("") == outcome::over_budget));
    BOOST_TEST(b.queued_bytes() == 100u);
    BOOST_TEST(b.next().size() == 2 * half.size() + 2);
    BOOST_TEST((b.put("") == outcome::over_budget));
    b.settle(half.size() + 1);
    BOOST_TEST((b.put("") == outcome::queued));
    BOOST_TEST((b.put(std::string(1000, 'x')) == outcome::over_budget));
}

BOOST_AUTO_TEST_CASE(the_cap_in_messages_holds_while_there_is_no_connection)
{
    box b(1000, 2);
    b.put("");
    b.put("");
    BOOST_TEST((b.put("") == outcome::over_budget));
    b.set_connected(true);
    BOOST_TEST((b.put("") == outcome::queued));
}

BOOST_AUTO_TEST_CASE(after_the_end_everything_is_gone)
{
    box b;
    b.end();
    BOOST_TEST((b.put("a") == outcome::gone));
    bool told = false;
    b.signal([&] { told = true; });
    BOOST_TEST(!told);
}

BOOST_AUTO_TEST_SUITE_END()
