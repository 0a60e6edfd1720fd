#include <polycast/session/client_options.hpp>

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include <string_view>

namespace pc = polycast;
using namespace std::chrono_literals;

BOOST_AUTO_TEST_SUITE(client_options)

BOOST_AUTO_TEST_CASE(a_url_names_host_port_and_target)
{
    auto const whole = pc::parse_websocket_url("ws://example.org:8765/chat?user=a&b=c").value();
    BOOST_TEST(whole.host == "example.org");
    BOOST_TEST(whole.port == 8765);
    BOOST_TEST(whole.authority == "example.org:8765");
    BOOST_TEST(whole.target == "/chat?user=a&b=c");
    BOOST_TEST(!whole.secure);
    auto const bare = pc::parse_websocket_url("ws://example.org").value();
    BOOST_TEST(bare.port == 80);
    BOOST_TEST(bare.authority == "example.org");
    BOOST_TEST(bare.target == "/");
    BOOST_TEST(pc::parse_websocket_url("ws://a?x=1").value().target == "/?x=1");
    auto const six = pc::parse_websocket_url("wss://[::1]:99/").value();
    BOOST_TEST(six.secure);
    BOOST_TEST(six.host == "::1");
    BOOST_TEST(six.authority == "[::1]:99");
    BOOST_TEST(six.port == 99);
    BOOST_TEST(pc::parse_websocket_url("wss://[::1]").value().port == 443);
}

char const* const not_urls[] = {
    "",        "ws:/",         "http://a/",  "ws://",         "ws:///x",   "ws://:80",  "ws://a:",     "ws://a:0",
    "ws://a:65536", "ws://a:8x", "ws://a:123456", "ws://[::1", "ws://[::1]x", "ws://user@a/", "ws://a/#f", "ws://a/ b"};

BOOST_DATA_TEST_CASE(what_is_no_websocket_url_is_refused, boost::unit_test::data::make(not_urls), url)
{
    BOOST_TEST(!pc::parse_websocket_url(url).has_value());
}

BOOST_AUTO_TEST_CASE(delays_grow_to_the_cap)
{
    pc::backoff_options const options{.spread = pc::jitter::none};
    BOOST_TEST((pc::backoff_delay(options, 0, 7) == 1s));
    BOOST_TEST((pc::backoff_delay(options, 1, 7) == 2s));
    BOOST_TEST((pc::backoff_delay(options, 4, 7) == 16s));
    BOOST_TEST((pc::backoff_delay(options, 5, 7) == 30s));
    BOOST_TEST((pc::backoff_delay(options, 4'000'000'000u, 7) == 30s));
}

BOOST_AUTO_TEST_CASE(jitter_stays_in_its_range)
{
    std::uint64_t const most = ~std::uint64_t{0};
    BOOST_TEST((pc::backoff_delay({.spread = pc::jitter::half}, 1, 0) == 1s));
    BOOST_TEST((pc::backoff_delay({.spread = pc::jitter::half}, 1, most) == 3s));
    BOOST_TEST((pc::backoff_delay({.spread = pc::jitter::full}, 1, 0) == 0s));
    BOOST_TEST((pc::backoff_delay({.spread = pc::jitter::full}, 1, most) == 1999ms));
}

BOOST_AUTO_TEST_SUITE_END()
