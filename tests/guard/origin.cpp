#include <polycast/guard/origin.hpp>

#include <boost/test/unit_test.hpp>

#include <string>

namespace pc = polycast;

namespace {
pc::verdict ask(std::string const& host, std::string const& origin_field)
{
    auto const parsed = pc::parse_request("GET / HTTP/1.1\r\nHost: " + host + "\r\n" + origin_field + "\r\n");
    BOOST_REQUIRE((parsed.status == pc::head_status::complete));
    return pc::guard::same_origin{}.admit(parsed.value);
}
}  // namespace

BOOST_AUTO_TEST_SUITE(guard_same_origin)

BOOST_AUTO_TEST_CASE(a_program_sends_no_origin_and_passes)
{
    BOOST_TEST(ask("example.com", "").admitted);
}

BOOST_AUTO_TEST_CASE(a_page_of_this_host_and_port_passes_whatever_the_case)
{
    BOOST_TEST(ask("example.com", "Origin: http://example.com\r\n").admitted);
    BOOST_TEST(ask("example.com:8765", "Origin: http://example.com:8765\r\n").admitted);
    BOOST_TEST(ask("Example.COM", "Origin: https://eXample.com\r\n").admitted);
}

BOOST_AUTO_TEST_CASE(every_other_page_is_refused_with_403)
{
    for (char const* const origin : {"http://evil.example", "http://example.com.evil.example", "http://example.com:81",
                                     "http://notexample.com", "null", "example.com", "://", "http://", "http://example.com/",
                                     "http://evil.example@example.com"}) {
        auto const v = ask("example.com", "Origin: " + std::string(origin) + "\r\n");
        BOOST_TEST_CONTEXT(origin)
        BOOST_TEST(!v.admitted);
        BOOST_TEST(v.status == 403);
        BOOST_TEST(v.reason != "");
    }
}

BOOST_AUTO_TEST_CASE(an_empty_origin_is_no_origin_of_this_host)
{
    // A guard fails closed: the field is there, and it does not name this host.
    BOOST_TEST(!ask("example.com", "Origin: \r\n").admitted);
}

BOOST_AUTO_TEST_CASE(two_origins_are_refused)
{
    auto const parsed = pc::parse_request(
        "GET / HTTP/1.1\r\nHost: example.com\r\nOrigin: http://example.com\r\nOrigin: http://evil.example\r\n\r\n");
    if (parsed.status == pc::head_status::complete)
        BOOST_TEST(!pc::guard::same_origin{}.admit(parsed.value).admitted);
}

BOOST_AUTO_TEST_CASE(open_admits_every_page)
{
    auto const parsed = pc::parse_request("GET / HTTP/1.1\r\nHost: x\r\nOrigin: http://evil.example\r\n\r\n");
    BOOST_TEST(pc::guard::open{}.admit(parsed.value).admitted);
}

BOOST_AUTO_TEST_SUITE_END()
