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

BOOST_AUTO_TEST_CASE(a_url_of_a_unix_socket_is_spelled_as_npm_ws_has_it)
{
    auto const whole = pc::parse_websocket_url("ws+unix:/run/hub.sock:/chat?user=a:b").value();
    BOOST_TEST(whole.local);
    BOOST_TEST(!whole.secure);
    BOOST_TEST(whole.host == "/run/hub.sock");
    BOOST_TEST(whole.target == "/chat?user=a:b");
    BOOST_TEST(whole.authority == "localhost");
    BOOST_TEST(pc::parse_websocket_url("ws+unix:/run/hub.sock").value().target == "/");
    BOOST_TEST(pc::parse_websocket_url("ws+unix:/run/hub.sock:").value().target == "/");
    BOOST_TEST(pc::parse_websocket_url("ws+unix:/run/hub.sock:?a=1").value().target == "/?a=1");
    BOOST_TEST(pc::parse_websocket_url("ws+unix:///run/hub.sock:/").value().host == "/run/hub.sock");
    BOOST_TEST(pc::parse_websocket_url("ws+unix:@hub:/x").value().host == "@hub");
}

BOOST_AUTO_TEST_CASE(a_proxy_may_want_to_know_who_asks)
{
    auto const plain = pc::parse_proxy_url("http://proxy.test:3128").value();
    BOOST_TEST(plain.host == "proxy.test");
    BOOST_TEST(plain.port == 3128);
    BOOST_TEST(plain.credentials == "");
    BOOST_TEST(pc::parse_proxy_url("http://proxy.test/").value().port == 80);
    auto const known = pc::parse_proxy_url("http://ada:p%40ss%3a%C3%A9@[::1]:99").value();
    BOOST_TEST(known.host == "::1");
    BOOST_TEST(known.port == 99);
    BOOST_TEST(known.credentials == "ada:p@ss:\xC3\xA9");
    BOOST_TEST(pc::parse_proxy_url("http://ada@p").value().credentials == "ada:");
}

char const* const not_proxies[] = {"",          "proxy:80",     "https://p",  "socks5://p",      "http://",
                                   "http://p/x", "http://:80",  "http://p:0", "http://a:b@c@p",  "http://a%4@p",
                                   "http://@p",  "http://a%zz@p", "http://p?x", "http://a%3Ab:c@p"};

BOOST_DATA_TEST_CASE(what_is_no_proxy_is_refused, boost::unit_test::data::make(not_proxies), url)
{
    BOOST_TEST(!pc::parse_proxy_url(url).has_value());
}

BOOST_AUTO_TEST_CASE(every_fault_of_the_options_is_listed)
{
    BOOST_TEST(pc::faults(pc::client_options{}) == "");
    BOOST_TEST(pc::faults({.backoff = {.factor = 0.5}, .max_message_bytes = 0}) ==
               "backoff.factor must be 1 or more; max_message_bytes must be above 0");
    for (char const* const name : {"host", "UPGRADE", "Connection", "Content-Length", "Transfer-Encoding",
                                   "sec-websocket-extensions", "Sec-WebSocket-Anything"})
        BOOST_TEST(pc::faults({.headers = {{name, "x"}}}).starts_with("headers must not name"));
    BOOST_TEST(pc::faults({.headers = {{"Cookie", "a=b"}, {"Origin", "x"}}}) == "");
    BOOST_TEST(pc::faults({.headers = {{"a b", "x"}}}).starts_with("headers must have a token"));
    BOOST_TEST(pc::faults({.headers = {{"a", "x\r\nb: c"}}}).starts_with("headers must have a token"));
    BOOST_TEST(pc::faults({.token = "a\nb"}) == "token must have no control character");
    BOOST_TEST(pc::faults({.proxy = "p:80"}) == "proxy must be http://[user:password@]host:port");
    BOOST_TEST(pc::faults({.connect_timeout = 0ms}) == "connect_timeout must be above 0");
    BOOST_TEST(pc::faults({.read_buffer_bytes = 10}) == "read_buffer_bytes must be 1024 or more");
}

char const* const not_urls[] = {
    "",        "ws:/",         "http://a/",  "ws://",         "ws:///x",   "ws://:80",  "ws://a:",     "ws://a:0",
    "ws://a:65536", "ws://a:8x", "ws://a:123456", "ws://[::1", "ws://[::1]x", "ws://user@a/", "ws://a/#f", "ws://a/ b",
    "ws+unix:", "ws+unix:/", "ws+unix:relative:/", "ws+unix:@:/x", "ws+unix://host/path:/x", "ws+unix:/s:x", "ws+unix:/s:/#f"};

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
