#include <polycast/handshake/tunnel.hpp>

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include <ostream>
#include <string>

namespace pc = polycast;
using pc::handshake_error;
using pc::head_status;

BOOST_AUTO_TEST_SUITE(tunnel)

BOOST_AUTO_TEST_CASE(the_request_has_its_target_in_authority_form)
{
    BOOST_TEST(pc::make_tunnel_request("example.org", 443, "") ==
               "CONNECT example.org:443 HTTP/1.1\r\nHost: example.org:443\r\n\r\n");
    BOOST_TEST(pc::make_tunnel_request("::1", 80, "Aladdin:open sesame") ==  // RFC 7617 §2
               "CONNECT [::1]:80 HTTP/1.1\r\nHost: [::1]:80\r\n"
               "Proxy-Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==\r\n\r\n");
    BOOST_TEST(pc::make_tunnel_request("a\r\nX: y", 80, "") == "");
}

struct sample {
    char const* what;
    std::string bytes;
    head_status status;
    std::error_code error;
    std::string left;
    friend std::ostream& operator<<(std::ostream& out, sample const& s) { return out << s.what; }
};
sample const samples[] = {
    {"200", "HTTP/1.1 200 OK\r\n\r\n", head_status::complete, {}, ""},
    {"any 2xx", "HTTP/1.1 204 fine\r\nVia: x\r\n\r\n", head_status::complete, {}, ""},
    {"HTTP/1.0", "HTTP/1.0 200 Connection established\r\n\r\n", head_status::complete, {}, ""},
    {"what is behind is the server's", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc", head_status::complete, {}, "abc"},
    {"an interim answer first", "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\nx", head_status::complete, {}, "x"},
    {"an interim answer only", "HTTP/1.1 103 Early\r\n\r\n", head_status::need_more, {}, ""},
    {"half a head", "HTTP/1.1 200 OK\r\nVia: x\r\n", head_status::need_more, {}, "HTTP/1.1 200 OK\r\nVia: x\r\n"},
    {"credentials", "HTTP/1.1 407 Who\r\n\r\n", head_status::error, handshake_error::unauthorized, ""},
    {"no", "HTTP/1.1 502 Bad Gateway\r\n\r\n", head_status::error, handshake_error::proxy_refused, ""},
    {"a redirection", "HTTP/1.1 302 There\r\n\r\n", head_status::error, handshake_error::proxy_refused, ""},
    {"an upgrade", "HTTP/1.1 101 Up\r\n\r\n", head_status::error, handshake_error::proxy_refused, ""},
    {"the server's 401 is not the proxy's", "HTTP/1.1 401 x\r\n\r\n", head_status::error, handshake_error::proxy_refused, ""},
    {"garbage", "\x16\x03\x01", head_status::error, handshake_error::bad_proxy_response, "\x16\x03\x01"},
    {"HTTP/2", "HTTP/2 200\r\n\r\n", head_status::error, handshake_error::bad_proxy_response, "HTTP/2 200\r\n\r\n"},
};

BOOST_DATA_TEST_CASE(the_answer_is_taken_as_what_it_says, boost::unit_test::data::make(samples), s)
{
    std::string bytes = s.bytes;
    auto const answer = pc::read_tunnel_answer(bytes);
    BOOST_TEST((answer.status == s.status));
    BOOST_TEST((answer.error == s.error));
    BOOST_TEST(bytes == s.left);
}

BOOST_AUTO_TEST_CASE(every_piece_of_an_answer_waits_for_the_rest)
{
    std::string const whole = "HTTP/1.0 200 Connection established\r\nVia: a\r\n\r\n";
    std::string bytes;
    for (std::size_t i = 0; i + 1 < whole.size(); ++i) {
        bytes += whole[i];
        BOOST_TEST((pc::read_tunnel_answer(bytes).status == head_status::need_more));
    }
    bytes += whole.back();
    BOOST_TEST((pc::read_tunnel_answer(bytes).status == head_status::complete));
}

BOOST_AUTO_TEST_CASE(a_head_without_end_is_refused_at_the_limit)
{
    std::string bytes = "HTTP/1.1 200 OK\r\nX: " + std::string(16 * 1024, 'x');
    BOOST_TEST((pc::read_tunnel_answer(bytes).error == handshake_error::bad_proxy_response));
}

BOOST_AUTO_TEST_SUITE_END()
