#include <polycast/handshake/upgrade.hpp>

#include "../support/extensions.hpp"

#include <boost/test/unit_test.hpp>

#include <array>
#include <string>

using namespace polycast;
using namespace std::string_literals;
using namespace std::string_view_literals;

namespace {

/// The handshake of RFC 6455 §1.3, with `from` replaced by `to`.
request asked(std::string_view from = "", std::string_view to = "")
{
    std::string head = "GET /chat HTTP/1.1\r\nHost: server.example.com\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                       "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nOrigin: http://example.com\r\n"
                       "Sec-WebSocket-Protocol: chat, superchat\r\nSec-WebSocket-Version: 13\r\n\r\n";
    if (!from.empty()) {
        BOOST_REQUIRE(head.find(from) != std::string::npos);
        head.replace(head.find(from), from.size(), to);
    }
    parsed_request read = parse_request(head);
    BOOST_REQUIRE((read.status == head_status::complete));
    return std::move(read.value);
}

int status_of(request const& r)
{
    auto const result = check_upgrade(r);
    return result.accepted() ? 101 : result.refusal.status;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(handshake_upgrade)

BOOST_AUTO_TEST_CASE(the_handshake_of_the_rfc_is_accepted)  // RFC 6455 §1.3
{
    request const r = asked();
    auto const result = check_upgrade(r);
    BOOST_TEST(is_upgrade(r));
    BOOST_TEST(result.accepted());
    std::array const preferred{"superchat"sv, "chat"sv};
    BOOST_TEST(switching_response(result.accept, choose_subprotocol(preferred, r)) ==
               "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
               "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Protocol: superchat\r\n\r\n");
}

BOOST_AUTO_TEST_CASE(tokens_are_compared_without_case_and_in_lists)
{
    BOOST_TEST(status_of(asked("Connection: Upgrade", "Connection: keep-alive, upgrade")) == 101);
    BOOST_TEST(status_of(asked("Upgrade: websocket", "UPGRADE: WebSocket")) == 101);
}

BOOST_AUTO_TEST_CASE(a_handshake_that_lacks_a_part_is_refused)  // RFC 6455 §4.2.1
{
    BOOST_TEST(status_of(asked("GET", "POST")) == 405);
    BOOST_TEST(status_of(asked("Upgrade: websocket", "Upgrade: h2c")) == 426);
    BOOST_TEST(status_of(asked("Connection: Upgrade", "Connection: keep-alive")) == 426);
    BOOST_TEST(status_of(asked("Sec-WebSocket-Key", "X-Key")) == 400);
    BOOST_TEST(status_of(asked("ZQ==", "ZQ")) == 400);
    BOOST_TEST(status_of(asked("Sec-WebSocket-Version", "X-Version")) == 426);
    BOOST_TEST(status_of(asked("Origin", "Content-Length: 3\r\nOrigin")) == 400);
    BOOST_TEST(status_of(asked("superchat", "chat")) == 400);
    BOOST_TEST(status_of(asked("superchat", "super chat")) == 400);
    BOOST_TEST(status_of(asked("Origin", "Sec-WebSocket-Extensions: a;\r\nOrigin")) == 400);
    BOOST_TEST(status_of(asked("Origin", "Sec-WebSocket-Extensions: a; b=1\r\nOrigin")) == 101);
}

BOOST_AUTO_TEST_CASE(another_version_is_told_which_one_is_spoken)  // RFC 6455 §4.4
{
    auto const result = check_upgrade(asked("Version: 13", "Version: 8"));
    BOOST_REQUIRE(!result.accepted());
    std::string const bytes = encode_response(result.refusal);
    BOOST_TEST(bytes.starts_with("HTTP/1.1 426 Upgrade Required\r\n"));
    BOOST_TEST(bytes.find("\r\nSec-WebSocket-Version: 13\r\n") != std::string::npos);
    BOOST_TEST(bytes.find("\r\nUpgrade: websocket\r\n") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(subprotocols_without_end_are_refused)
{
    std::string many = "p0";
    for (int i = 1; i != 64; ++i)
        many += ", p" + std::to_string(i);
    BOOST_TEST(status_of(asked("chat, superchat", many)) == 101);
    BOOST_TEST(status_of(asked("chat, superchat", many + ", one-more")) == 400);
}

BOOST_AUTO_TEST_CASE(extensions_over_all_fields_are_declined)
{
    request const r = asked("Origin", "Sec-WebSocket-Extensions: a; b\r\nSec-WebSocket-Extensions: c, d\r\nOrigin");
    auto const result = check_upgrade(r);
    BOOST_REQUIRE(result.accepted());
    BOOST_REQUIRE(parse_extensions(r)->size() == 3U);
    BOOST_TEST(parse_extensions(r)->back().name == "d");
    BOOST_TEST(switching_response(result.accept).find("Extensions") == std::string::npos);
}

BOOST_AUTO_TEST_CASE(the_server_prefers_and_a_credential_is_never_echoed)
{
    request const r = asked("chat, superchat", "bearer.aGVsbG8, two, one");
    std::array const preferred{"bearer.aGVsbG8"sv, "zero"sv, "one"sv, "two"sv};
    BOOST_TEST(choose_subprotocol(preferred, r) == "one");
    BOOST_TEST(choose_subprotocol(std::array{"One"sv}, r) == "");
    BOOST_TEST(bearer_token(r).value() == "hello");
    BOOST_TEST(!bearer_token(asked()));
    BOOST_TEST(!bearer_token(asked("superchat", "bearer.a")));
}

BOOST_AUTO_TEST_SUITE_END()
