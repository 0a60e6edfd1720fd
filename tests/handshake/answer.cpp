#include <polycast/handshake/answer.hpp>

#include <boost/test/unit_test.hpp>

#include <string>

using namespace polycast;
using namespace std::string_view_literals;

BOOST_AUTO_TEST_SUITE(handshake_answer)

BOOST_AUTO_TEST_CASE(a_response_head_is_read_and_every_part_of_it_needs_more)
{
    auto const head = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n"sv;
    for (std::size_t size = 0; size != head.size(); ++size)
        BOOST_TEST((parse_response(head.substr(0, size)).status == head_status::need_more));
    parsed_response const read = parse_response(std::string(head) + "\x81\x00");
    BOOST_REQUIRE((read.status == head_status::complete));
    BOOST_TEST(read.consumed_bytes == head.size());
    BOOST_TEST(read.value.status() == 101);
    BOOST_TEST(read.value.header("upgrade") == "websocket");
}

BOOST_AUTO_TEST_CASE(status_lines_are_read_strictly)  // RFC 9112 §4
{
    auto const outcome = [](std::string_view line) { return parse_response(std::string(line) + "\r\nA: b\r\n\r\n"); };
    BOOST_TEST(outcome("HTTP/1.1 404 Not Found").value.status() == 404);
    BOOST_TEST(outcome("HTTP/1.1 200 ").value.status() == 200);
    BOOST_TEST(outcome("HTTP/1.1 200").value.status() == 200);
    for (auto const line :
         {"HTTP/1.0 101 x"sv, "HTTP/2 101 x"sv, "HTTP/1.1 10 x"sv, "HTTP/1.1 1011 x"sv, "HTTP/1.1  101 x"sv,
          "HTTP/1.1 abc x"sv, "ICY 200 OK"sv, "HTTP/1.1 101 a\rb"sv, ""sv, "HTTP/1.1 "sv, "HTTP"sv})
        BOOST_TEST_CONTEXT(line) BOOST_TEST((outcome(line).error == handshake_error::bad_response));
    BOOST_TEST((parse_response("HTTP/1.1 101 x\nA: b\n\n").error == handshake_error::bad_response));
    BOOST_TEST((parse_response("HTTP/1.1 101 x\r\nA : b\r\n\r\n").error == handshake_error::bad_response));
}

BOOST_AUTO_TEST_CASE(a_response_head_over_a_limit_is_refused)
{
    head_limits const limits{.max_head_bytes = 100, .max_fields = 1};
    BOOST_TEST(
        (parse_response("HTTP/1.1 101 " + std::string(200, 'x'), limits).error == handshake_error::head_too_large));
    BOOST_TEST(
        (parse_response("HTTP/1.1 101 x\r\nA: b\r\nC: d\r\n\r\n", limits).error == handshake_error::head_too_large));
}

BOOST_AUTO_TEST_SUITE_END()
