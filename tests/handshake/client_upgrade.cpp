#include <polycast/handshake/client_upgrade.hpp>

#include <polycast/handshake/request.hpp>
#include <polycast/handshake/upgrade.hpp>

#include "../support/extensions.hpp"

#include <boost/test/unit_test.hpp>

#include <array>
#include <string>

using namespace polycast;
using namespace std::string_literals;
using namespace std::string_view_literals;

namespace {

client_offer sample_offer()
{
    client_offer offer;
    offer.host = "server.example.com";
    offer.target = "/chat?x=1";
    offer.key = make_websocket_key({'t', 'h', 'e', ' ', 's', 'a', 'm', 'p', 'l', 'e', ' ', 'n', 'o', 'n', 'c', 'e'});
    offer.subprotocols = {"chat", "superchat"};
    return offer;
}

std::error_code outcome_of(std::string const& head, client_offer const& offer = sample_offer())
{
    parsed_response const read = parse_response(head);
    BOOST_REQUIRE((read.status == head_status::complete));
    return verify_response(read.value, offer);
}

accept_value const right_key = accept_key("dGhlIHNhbXBsZSBub25jZQ==");

/// A good answer, with `from` replaced by `to`.
std::string answer(std::string_view from = "", std::string_view to = "")
{
    std::string head = switching_response(right_key, "chat");
    if (!from.empty()) {
        BOOST_REQUIRE(head.find(from) != std::string::npos);
        head.replace(head.find(from), from.size(), to);
    }
    return head;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(handshake_client_upgrade)

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
    BOOST_TEST(parse_extensions(read.value)->size() == 1U);
    std::string const chosen(choose_subprotocol(std::array{"superchat"sv}, read.value));
    BOOST_TEST(!outcome_of(switching_response(result.accept, chosen), offer));
    BOOST_TEST(!outcome_of(switching_response(result.accept, chosen, "permessage-deflate"), offer));
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
    BOOST_TEST(!outcome_of(answer()));
    BOOST_TEST(!outcome_of(answer("Sec-WebSocket-Protocol: chat\r\n", "")));
    BOOST_TEST((outcome_of(answer("101", "200")) == handshake_error::refused));
    BOOST_TEST((outcome_of(answer("101", "401")) == handshake_error::unauthorized));
    BOOST_TEST((outcome_of(answer("101", "403")) == handshake_error::forbidden));
    BOOST_TEST((outcome_of(answer("101", "503")) == handshake_error::overloaded));
    BOOST_TEST((outcome_of(answer("Upgrade: websocket", "Upgrade: h2c")) == handshake_error::bad_upgrade));
    BOOST_TEST((outcome_of(answer("Upgrade: websocket\r\n", "")) == handshake_error::bad_upgrade));
    BOOST_TEST((outcome_of(answer("Connection: Upgrade", "Connection: close")) == handshake_error::bad_connection));
    BOOST_TEST((outcome_of(answer("s3pP", "S3pP")) == handshake_error::bad_accept));
    BOOST_TEST((outcome_of(answer("Sec-WebSocket-Accept", "X")) == handshake_error::bad_accept));
    BOOST_TEST((outcome_of(answer("Protocol: chat", "Protocol: other")) == handshake_error::unoffered_subprotocol));
    BOOST_TEST((outcome_of(answer("Sec-WebSocket-Protocol: chat",
                               "Sec-WebSocket-Protocol: chat\r\nSec-WebSocket-Protocol: superchat")) ==
                handshake_error::unoffered_subprotocol));
    BOOST_TEST(
        (outcome_of(answer("Protocol: chat", "Protocol: chat, superchat")) == handshake_error::unoffered_subprotocol));
    BOOST_TEST((outcome_of(switching_response(right_key, "", "permessage-deflate")) == handshake_error::unoffered_extension));
    BOOST_TEST((outcome_of(answer("Upgrade: websocket", "Upgrade: websocket\r\nSec-WebSocket-Extensions: ;")) ==
                handshake_error::bad_response));
    BOOST_TEST(!outcome_of(answer("Upgrade: websocket", "upgrade: WEBSOCKET")));
}

BOOST_AUTO_TEST_SUITE_END()
