#include <polycast/handshake/upgrade.hpp>

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
    return result.refusal ? result.refusal->status : 101;
}

client_offer sample_offer()
{
    client_offer offer;
    offer.host = "server.example.com";
    offer.target = "/chat?x=1";
    offer.key = make_websocket_key({'t', 'h', 'e', ' ', 's', 'a', 'm', 'p', 'l', 'e', ' ', 'n', 'o', 'n', 'c', 'e'});
    offer.subprotocols = {"chat", "superchat"};
    return offer;
}

std::error_code verdict(std::string const& head, client_offer const& offer = sample_offer())
{
    parsed_response const read = parse_response(head);
    BOOST_REQUIRE((read.status == head_status::complete));
    return verify_response(read.value, offer);
}

accept_value const accept = accept_key("dGhlIHNhbXBsZSBub25jZQ==");

/// A good answer, with `from` replaced by `to`.
std::string answer(std::string_view from = "", std::string_view to = "")
{
    std::string head = switching_response(accept, "chat");
    if (!from.empty()) {
        BOOST_REQUIRE(head.find(from) != std::string::npos);
        head.replace(head.find(from), from.size(), to);
    }
    return head;
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
    std::string const bytes = encode_response(*result.refusal);
    BOOST_TEST(bytes.starts_with("HTTP/1.1 426 Upgrade Required\r\n"));
    BOOST_TEST(bytes.find("\r\nSec-WebSocket-Version: 13\r\n") != std::string::npos);
    BOOST_TEST(bytes.find("\r\nUpgrade: websocket\r\n") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(extensions_are_handed_on_over_all_fields)
{
    auto const result =
        check_upgrade(asked("Origin", "Sec-WebSocket-Extensions: a; b\r\nSec-WebSocket-Extensions: c, d\r\nOrigin"));
    BOOST_REQUIRE(result.accepted());
    BOOST_REQUIRE(result.extensions.size() == 3U);
    BOOST_TEST(result.extensions[2].name == "d");
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

BOOST_AUTO_TEST_CASE(a_client_and_a_server_understand_each_other)
{
    client_offer offer = sample_offer();
    offer.extensions = "permessage-deflate; client_max_window_bits";
    offer.headers = {{"Cookie", "a=b"}};
    std::string bytes;
    BOOST_TEST(!make_request(offer, bytes));
    parsed_request const read = parse_request(bytes);
    BOOST_REQUIRE((read.status == head_status::complete));
    auto const result = check_upgrade(read.value);
    BOOST_REQUIRE(result.accepted());
    BOOST_TEST(read.value.header("Cookie") == "a=b");
    BOOST_TEST(read.value.query("x").value() == "1");
    BOOST_TEST(result.extensions.size() == 1U);
    std::string const chosen(choose_subprotocol(std::array{"superchat"sv}, read.value));
    BOOST_TEST(!verdict(switching_response(result.accept, chosen), offer));
    BOOST_TEST(!verdict(switching_response(result.accept, chosen, "permessage-deflate"), offer));
}

BOOST_AUTO_TEST_CASE(a_request_cannot_be_broken_apart_by_its_parts)
{
    auto const refused = [](auto change) {
        client_offer offer = sample_offer();
        change(offer);
        std::string bytes;
        return make_request(offer, bytes) == handshake_error::bad_request;
    };
    BOOST_TEST(!refused([](auto&) {}));
    BOOST_TEST(refused([](auto& o) { o.host = ""; }));
    BOOST_TEST(refused([](auto& o) { o.host = "a\r\nX: y"; }));
    BOOST_TEST(refused([](auto& o) { o.target = "chat"; }));
    BOOST_TEST(refused([](auto& o) { o.target = "/ HTTP/1.1\r\n"; }));
    BOOST_TEST(refused([](auto& o) { o.key = {}; }));
    BOOST_TEST(refused([](auto& o) { o.subprotocols = {"a", "a"}; }));
    BOOST_TEST(refused([](auto& o) { o.subprotocols = {"a b"}; }));
    BOOST_TEST(refused([](auto& o) { o.extensions = "a;"; }));
    BOOST_TEST(refused([](auto& o) { o.headers = {{"X", "a\r\nY: b"}}; }));
    BOOST_TEST(refused([](auto& o) { o.headers = {{"sec-websocket-key", "a"}}; }));
    BOOST_TEST(refused([](auto& o) { o.headers = {{"Host", "a"}}; }));
}

BOOST_AUTO_TEST_CASE(a_client_fails_a_wrong_answer)  // RFC 6455 §4.1
{
    BOOST_TEST(!verdict(answer()));
    BOOST_TEST(!verdict(answer("Sec-WebSocket-Protocol: chat\r\n", "")));
    BOOST_TEST((verdict(answer("101", "200")) == handshake_error::refused));
    BOOST_TEST((verdict(answer("101", "401")) == handshake_error::unauthorized));
    BOOST_TEST((verdict(answer("101", "403")) == handshake_error::forbidden));
    BOOST_TEST((verdict(answer("101", "503")) == handshake_error::overloaded));
    BOOST_TEST((verdict(answer("Upgrade: websocket", "Upgrade: h2c")) == handshake_error::bad_upgrade));
    BOOST_TEST((verdict(answer("Upgrade: websocket\r\n", "")) == handshake_error::bad_upgrade));
    BOOST_TEST((verdict(answer("Connection: Upgrade", "Connection: close")) == handshake_error::bad_connection));
    BOOST_TEST((verdict(answer("s3pP", "S3pP")) == handshake_error::bad_accept));
    BOOST_TEST((verdict(answer("Sec-WebSocket-Accept", "X")) == handshake_error::bad_accept));
    BOOST_TEST((verdict(answer("Protocol: chat", "Protocol: other")) == handshake_error::unoffered_subprotocol));
    BOOST_TEST((verdict(answer("Sec-WebSocket-Protocol: chat",
                               "Sec-WebSocket-Protocol: chat\r\nSec-WebSocket-Protocol: superchat")) ==
                handshake_error::unoffered_subprotocol));
    BOOST_TEST(
        (verdict(answer("Protocol: chat", "Protocol: chat, superchat")) == handshake_error::unoffered_subprotocol));
    BOOST_TEST((verdict(switching_response(accept, "", "permessage-deflate")) == handshake_error::unoffered_extension));
    BOOST_TEST((verdict(answer("Upgrade: websocket", "Upgrade: websocket\r\nSec-WebSocket-Extensions: ;")) ==
                handshake_error::bad_response));
    BOOST_TEST(!verdict(answer("Upgrade: websocket", "upgrade: WEBSOCKET")));
}

BOOST_AUTO_TEST_SUITE_END()
