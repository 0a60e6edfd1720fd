#include <polycast/handshake/response.hpp>

#include <boost/test/unit_test.hpp>

#include <string>

using namespace polycast;

BOOST_AUTO_TEST_SUITE(handshake_response)

BOOST_AUTO_TEST_CASE(a_response_says_its_length_and_closes)
{
    BOOST_TEST(encode_response({.status = 200, .body = "hello"}) ==
               "HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 5\r\n"
               "Connection: close\r\n\r\nhello");
}

BOOST_AUTO_TEST_CASE(the_answer_to_head_has_the_length_and_no_body)
{
    std::string const whole = encode_response({.body = "hello"});
    BOOST_TEST(encode_response({.body = "hello"}, true) == whole.substr(0, whole.size() - 5));
}

BOOST_AUTO_TEST_CASE(a_status_without_content_has_none)  // RFC 9110 §6.4.1
{
    BOOST_TEST(encode_response({.status = 204, .body = "x"}) == "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n");
}

BOOST_AUTO_TEST_CASE(a_value_cannot_smuggle_a_field_in)
{
    std::string const bytes = encode_response({.status = 302,
                                               .content_type = "a/b\r\nX: 1",
                                               .headers = {{"Location", "/\r\nSet-Cookie: a=b"},
                                                           {"Bad Name", "x"},
                                                           {"Content-Length", "99"},
                                                           {"Transfer-Encoding", "chunked"},
                                                           {"Fine", "yes"}}});
    BOOST_TEST(bytes == "HTTP/1.1 302 Found\r\nContent-Length: 0\r\nFine: yes\r\nConnection: close\r\n\r\n");
}

BOOST_AUTO_TEST_CASE(an_upgrade_field_is_a_connection_option_too)  // RFC 9110 §7.8
{
    std::string const bytes = encode_response({.status = 426, .headers = {{"Upgrade", "websocket"}}});
    BOOST_TEST(bytes.find("\r\nConnection: Upgrade, close\r\n") != std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()
