#include <polycast/handshake/request.hpp>

#include <boost/test/unit_test.hpp>

#include <string>
#include <vector>

using namespace polycast;
using namespace std::string_literals;
using namespace std::string_view_literals;

namespace {

int status_of(std::string_view head, head_limits const& limits = {})
{
    parsed_request const read = parse_request(head, limits);
    // Given a byte at a time, the answer is the same, and never changes once it is there.
    for (std::size_t size = 0; size <= head.size(); ++size) {
        parsed_request const early = parse_request(head.substr(0, size), limits);
        if (early.status != head_status::need_more) {
            BOOST_TEST((early.status == read.status));
            if (read.status == head_status::complete)
                BOOST_TEST(early.consumed_bytes == read.consumed_bytes);
            break;
        }
    }
    BOOST_TEST((read.status == head_status::error) == (read.http_status != 0));
    BOOST_TEST((read.status == head_status::error) == !read.text.empty());
    return read.status == head_status::complete ? 200 : read.http_status;
}

std::string with_fields(std::string_view fields)
{
    return "GET / HTTP/1.1\r\nHost: a\r\n"s.append(fields).append("\r\n");
}

std::string with_line(std::string_view line)
{
    return std::string(line) + "\r\nHost: a\r\n\r\n";
}

}  // namespace

BOOST_AUTO_TEST_SUITE(handshake_request)

BOOST_AUTO_TEST_CASE(a_whole_head_is_read_and_the_bytes_after_it_are_left)
{
    std::string const head =
        "GET /chat?user=a&x=1 HTTP/1.1\r\nHost: example:80\r\nX-Empty:\r\nCookie:  a=b; c=d \r\n\r\n";
    parsed_request read = parse_request(head + "\x81\x80");
    BOOST_REQUIRE((read.status == head_status::complete));
    BOOST_TEST(read.consumed_bytes == head.size());
    request const moved = std::move(read.value);
    BOOST_TEST(moved.method() == "GET");
    BOOST_TEST(moved.target() == "/chat?user=a&x=1");
    BOOST_TEST(moved.path() == "/chat");
    BOOST_TEST(moved.query_string() == "user=a&x=1");
    BOOST_TEST(moved.host() == "example:80");
    BOOST_TEST(moved.header("COOKIE") == "a=b; c=d");
    BOOST_TEST(moved.header("x-empty") == "");
    BOOST_TEST(moved.count("x-empty") == 1U);
    BOOST_TEST(moved.header("absent") == "");
    BOOST_TEST(moved.count("absent") == 0U);
    BOOST_TEST(!moved.has_body());
    std::string names;
    moved.for_each_header([&](auto name, auto value) { names.append(name).append("=").append(value).append("|"); });
    BOOST_TEST(names == "Host=example:80|X-Empty=|Cookie=a=b; c=d|");
}

BOOST_AUTO_TEST_CASE(every_part_of_a_head_needs_more)
{
    std::string const head = "\r\nGET /chat HTTP/1.1\r\nHost: example\r\nA: b\r\n\r\n";
    for (std::size_t size = 0; size != head.size(); ++size)
        BOOST_TEST((parse_request(std::string_view(head).substr(0, size)).status == head_status::need_more));
    BOOST_TEST((parse_request(head).status == head_status::complete));
    BOOST_TEST(parse_request(head).consumed_bytes == head.size());
}

BOOST_AUTO_TEST_CASE(request_lines_are_read_strictly)  // RFC 9112 §3
{
    BOOST_TEST(status_of(with_line("GET / HTTP/1.1")) == 200);
    BOOST_TEST(status_of(with_line("M-SEARCH /x HTTP/1.1")) == 200);
    BOOST_TEST(status_of(with_line("GET / HTTP/1.0")) == 505);
    BOOST_TEST(status_of(with_line("GET / HTTP/2.0")) == 505);
    BOOST_TEST(status_of(with_line("GET / HTTP/1.2")) == 200);
    for (auto const line : {"GET /"sv,
                            "GET  / HTTP/1.1"sv,
                            "GET /  HTTP/1.1"sv,
                            " GET / HTTP/1.1"sv,
                            "GET / HTTP/1.1 "sv,
                            "GET / http/1.1"sv,
                            "GET / HTTP/11"sv,
                            "GET / HTTP/1.1x"sv,
                            "G(T / HTTP/1.1"sv,
                            "GET\t/\tHTTP/1.1"sv,
                            "GET x HTTP/1.1"sv,
                            "GET * HTTP/1.1"sv,
                            "GET a:80 HTTP/1.1"sv,
                            "GET /a b HTTP/1.1"sv,
                            "GET /#f HTTP/1.1"sv,
                            "GET /\x01 HTTP/1.1"sv,
                            "GET /\r HTTP/1.1"sv,
                            "GET /\xC3\xA9 HTTP/1.1"sv,
                            "GET"sv,
                            "GET "sv,
                            "GET  "sv,
                            "GET  HTTP/1.1"sv,
                            "GET / HTTP/1.1\rX"sv})
        BOOST_TEST_CONTEXT(line) BOOST_TEST(status_of(with_line(line)) == 400);
}

BOOST_AUTO_TEST_CASE(an_absolute_target_names_the_host)  // RFC 9112 §3.2.2
{
    auto const read = parse_request(with_line("GET http://real:1/p?q=/?x HTTP/1.1"));
    BOOST_TEST(read.value.host() == "real:1");
    BOOST_TEST(read.value.path() == "/p");
    BOOST_TEST(read.value.query_string() == "q=/?x");
    BOOST_TEST(parse_request(with_line("GET wss://real HTTP/1.1")).value.path() == "/");
    auto const bare = parse_request(with_line("GET ws://real?a=b HTTP/1.1"));
    BOOST_TEST(bare.value.path() == "/");
    BOOST_TEST(bare.value.query("a").value() == "b");
    BOOST_TEST(status_of(with_line("GET ftp://a/ HTTP/1.1")) == 400);
    BOOST_TEST(status_of(with_line("GET http://user@a/ HTTP/1.1")) == 400);
    BOOST_TEST(status_of(with_line("GET http:///x HTTP/1.1")) == 400);
    // "://" inside the query of an origin target is only text
    BOOST_TEST(parse_request(with_line("GET /r?to=http://b/c HTTP/1.1")).value.path() == "/r");
}

BOOST_AUTO_TEST_CASE(field_lines_are_read_strictly)  // RFC 9112 §5
{
    BOOST_TEST(status_of(with_fields("A:b\r\nC: \t d e\t\r\nF: \xC3\xA9\r\n")) == 200);
    for (auto const fields : {"A : b\r\n"sv, " A: b\r\n"sv, "A: b\r\n c\r\n"sv, "A: b\r\n\tc\r\n"sv, "A b\r\n"sv,
                              ": b\r\n"sv, "A\xC3: b\r\n"sv, "A: b\rc\r\n"sv, "A: b\nC: d\r\n"sv, "A: b\x01\r\n"sv,
                              "A: \0\r\n"sv, "A: \x7F\r\n"sv, "(): b\r\n"sv, "A: b\r\r\n"sv})
        BOOST_TEST_CONTEXT(fields) BOOST_TEST(status_of(with_fields(fields)) == 400);
    BOOST_TEST(status_of("GET / HTTP/1.1\nHost: a\n\n") == 400);
}

BOOST_AUTO_TEST_CASE(there_is_exactly_one_host)  // RFC 9112 §3.2
{
    BOOST_TEST(status_of("GET / HTTP/1.1\r\n\r\n") == 400);
    BOOST_TEST(status_of("GET / HTTP/1.1\r\nHost:\r\n\r\n") == 400);
    BOOST_TEST(status_of("GET / HTTP/1.1\r\nHost: a, b\r\n\r\n") == 400);
    BOOST_TEST(status_of("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n") == 400);
    BOOST_TEST(status_of(with_fields("host: a\r\n")) == 400);
}

BOOST_AUTO_TEST_CASE(fields_that_must_be_single_are_not_repeated)
{
    for (std::string const name :
         {"Origin", "Cookie", "Authorization", "Sec-WebSocket-Key", "sec-websocket-version", "Content-Length"}) {
        BOOST_TEST(status_of(with_fields(name + ": 1\r\n")) == 200);
        BOOST_TEST(status_of(with_fields(name + ": 1\r\n" + name + ": 1\r\n")) == 400);
    }
    BOOST_TEST(status_of(with_fields("X: 1\r\nX: 1\r\n")) == 200);
}

BOOST_AUTO_TEST_CASE(lengths_that_two_servers_could_read_differently_are_refused)  // RFC 9112 §6.3
{
    for (auto const fields : {"Content-Length: x\r\n"sv, "Content-Length: +1\r\n"sv, "Content-Length: 1, 1\r\n"sv,
                              "Content-Length:\r\n"sv, "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n"sv})
        BOOST_TEST_CONTEXT(fields) BOOST_TEST(status_of(with_fields(fields)) == 400);
    BOOST_TEST(!parse_request(with_fields("Content-Length: 0\r\n")).value.has_body());
    BOOST_TEST(parse_request(with_fields("Content-Length: 10\r\n")).value.has_body());
    BOOST_TEST(parse_request(with_fields("Transfer-Encoding: chunked\r\n")).value.has_body());
}

BOOST_AUTO_TEST_CASE(another_protocol_is_refused_with_its_first_bytes)
{
    BOOST_TEST((parse_request("\x16\x03\x01\x02").status == head_status::error));
    BOOST_TEST((parse_request("{\"type\"").status == head_status::error));
    BOOST_TEST((parse_request("PING\r\n").status == head_status::error));
}

BOOST_AUTO_TEST_CASE(heads_over_a_limit_are_refused_before_they_end)
{
    head_limits const limits{.max_head_bytes = 200, .max_fields = 3};
    BOOST_TEST(status_of("GET /" + std::string(300, 'x'), limits) == 414);
    BOOST_TEST(status_of("GET / HTTP/1.1\r\nHost: a\r\nX: " + std::string(300, 'x'), limits) == 431);
    BOOST_TEST(status_of(with_fields("X: " + std::string(300, 'x') + "\r\n"), limits) == 431);
    BOOST_TEST(status_of(with_fields("A: 1\r\nB: 2\r\n"), limits) == 200);
    BOOST_TEST(status_of(with_fields("A: 1\r\nB: 2\r\nC: 3\r\n"), limits) == 431);
    std::string const fits = with_fields("X: y\r\n");
    BOOST_TEST(status_of(fits, {.max_head_bytes = fits.size(), .max_fields = 9}) == 200);
    BOOST_TEST(status_of(fits, {.max_head_bytes = fits.size() - 1, .max_fields = 9}) == 431);
}

BOOST_AUTO_TEST_CASE(query_parameters_are_decoded)
{
    auto const read = parse_request(with_line("GET /?a=1&b=x%20y+z&%63=%C3%A9&a=2&d&e=&f=100%&g=%zz&h=a=b HTTP/1.1"));
    request const& asked = read.value;
    BOOST_TEST(asked.query("a").value() == "1");
    BOOST_TEST(asked.query("b").value() == "x y z");
    BOOST_TEST(asked.query("c").value() == "é");
    BOOST_TEST(asked.query("d").value() == "");
    BOOST_TEST(asked.query("e").value() == "");
    BOOST_TEST(asked.query("f").value() == "100%");
    BOOST_TEST(asked.query("g").value() == "%zz");
    BOOST_TEST(asked.query("h").value() == "a=b");
    BOOST_TEST(!asked.query("i"));
    BOOST_TEST(!parse_request(with_line("GET / HTTP/1.1")).value.query("a"));
}

BOOST_AUTO_TEST_CASE(lists_run_over_all_fields_of_a_name)
{
    auto const read = parse_request(with_fields("Connection: keep-alive, UPGRADE\r\nX: 1\r\nconnection:, close ,\r\n"));
    request const& asked = read.value;
    BOOST_TEST(asked.has_token("Connection", "upgrade"));
    BOOST_TEST(asked.has_token("Connection", "Close"));
    BOOST_TEST(!asked.has_token("Connection", "keep"));
    std::string elements;
    asked.for_each_element("CONNECTION", [&](std::string_view one) { elements.append(one).append("|"); });
    BOOST_TEST(elements == "keep-alive|UPGRADE|close|");
}

BOOST_AUTO_TEST_SUITE_END()
