#include <polycast/session/opening.hpp>

#include "../support/stage.hpp"

#include <boost/test/unit_test.hpp>

#include <tuple>

using namespace support;

BOOST_AUTO_TEST_SUITE(server_handshake)

using both = std::tuple<pc::server<bench, sim>, pc::server<bench, tcp>>;
using simulated_server = pc::server<bench, sim>;

template <class Stage>
auto& ask(Stage& on, std::string request)
{
    auto& p = on.connect({.request = std::move(request)});
    on.until([&] { return p.ended; });
    return p;
}

BOOST_AUTO_TEST_CASE_TEMPLATE(an_upgrade_is_answered_101_and_the_key_is_answered, Server, both)
{
    stage<Server> on;
    auto& p = on.join();
    BOOST_TEST(p.status == 101);
    BOOST_TEST(p.answer.header("Sec-WebSocket-Accept") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");  // RFC 6455 §1.3
    BOOST_TEST(p.token() == "");
    BOOST_TEST(on.j.opens() == 1u);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(the_token_that_the_server_knows_is_chosen, Server, both)
{
    stage<Server> on;
    BOOST_TEST(on.join({.tokens = {"other", "polycast.v1.json"}}).token() == "polycast.v1.json");
    auto& stranger = on.join({.tokens = {"other", "polycast.v1.json.zstd"}});
    BOOST_TEST(stranger.status == 101);
    BOOST_TEST(stranger.token() == "");
}

BOOST_AUTO_TEST_CASE_TEMPLATE(what_opened_says_comes_behind_the_101, Server, both)
{
    stage<Server> on;
    auto& p = on.user("greeted");
    BOOST_REQUIRE(on.until([&] { return p.frames.size() == 1; }));
    BOOST_TEST(field(p.frames[0].payload, "text") == "welcome");
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_plain_request_reaches_the_page_on_the_same_port, Server, both)
{
    stage<Server> on;
    auto& p = ask(on, "GET /page HTTP/1.1\r\nHost: x\r\n\r\n");
    BOOST_TEST(p.status == 200);
    BOOST_TEST(p.answer.header("Content-Type") == "text/html");
    BOOST_TEST(p.answer.header("Content-Length") == "9");
    BOOST_TEST(p.body == "<p>a page");
    BOOST_TEST(!p.broken);
    BOOST_TEST(on.j.opens() == 0u);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_large_page_arrives_whole, Server, both)
{
    stage<Server> on;
    auto& p = ask(on, "GET /big HTTP/1.1\r\nHost: x\r\n\r\n");
    BOOST_TEST(p.status == 200);
    BOOST_TEST(p.body.size() == 3'000'000u);
    BOOST_TEST(!p.broken);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_large_page_arrives_whole_at_a_client_that_has_shut_its_end, Server, both)
{
    stage<Server> on;
    for (std::size_t const bytes : {400'000u, 3'000'000u}) {
        auto& p = on.connect({.request = "GET /big?bytes=" + std::to_string(bytes) + " HTTP/1.1\r\nHost: x\r\n\r\n"});
        on.until([&] { return p.connected; });
        p.shut();
        on.until([&] { return p.ended; });
        BOOST_TEST(p.body.size() == bytes);
        BOOST_TEST(!p.broken);
    }
}

BOOST_AUTO_TEST_CASE_TEMPLATE(head_gets_the_length_but_not_the_body, Server, both)
{
    stage<Server> on;
    auto& p = ask(on, "HEAD /page HTTP/1.1\r\nHost: x\r\n\r\n");
    BOOST_TEST(p.status == 200);
    BOOST_TEST(p.answer.header("Content-Length") == "9");
    BOOST_TEST(p.body == "");
}

BOOST_AUTO_TEST_CASE(other_methods_are_answered_405)
{
    stage<simulated_server> on;
    auto& p = ask(on, "DELETE /page HTTP/1.1\r\nHost: x\r\n\r\n");
    BOOST_TEST(p.status == 405);
    BOOST_TEST(p.answer.header("Allow") == "GET, HEAD");
}

BOOST_AUTO_TEST_CASE(a_version_other_than_13_is_answered_426)
{
    stage<simulated_server> on;
    auto& p = ask(on, "GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                      "Sec-WebSocket-Version: 8\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n");
    BOOST_TEST(p.status == 426);
    BOOST_TEST(p.answer.header("Sec-WebSocket-Version") == "13");
    BOOST_TEST(on.server->count(pc::metric::refused) == 1u);
}

BOOST_AUTO_TEST_CASE(what_is_no_http_is_answered_400)
{
    stage<simulated_server> on;
    BOOST_TEST(ask(on, "\x16\x03\x01 hello\r\n\r\n").status == 400);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_page_of_another_origin_is_answered_403, Server, both)
{
    stage<Server> on;
    BOOST_TEST(on.join({.headers = {{"Origin", "http://evil.example"}}}).status == 403);
    BOOST_TEST(on.join({.headers = {{"Origin", "http://127.0.0.1"}}}).status == 101);
    BOOST_TEST(on.j.opens() == 1u);
}

BOOST_AUTO_TEST_CASE(who_is_not_admitted_gets_the_applications_status)
{
    stage<simulated_server> on;
    auto& p = on.user("banned");
    BOOST_TEST(p.status == 401);
    on.until([&] { return p.ended; });
    BOOST_TEST(p.body == "not you\n");
}

BOOST_AUTO_TEST_CASE(an_exception_in_identify_or_http_is_answered_500_without_its_text)
{
    stage<simulated_server> on;
    for (auto* const p : {&on.user("breaks"), &ask(on, "GET /throws HTTP/1.1\r\nHost: x\r\n\r\n")}) {
        on.until([&] { return p->ended; });
        BOOST_TEST(p->status == 500);
        BOOST_TEST(p->received.find("secret") == std::string::npos);
    }
    BOOST_TEST(on.server->count(pc::metric::handler_errors) == 2u);
}

BOOST_AUTO_TEST_CASE(an_exception_in_opened_closes_with_1011_and_without_its_text)
{
    stage<simulated_server> on;
    auto& p = on.user("unopened");
    BOOST_REQUIRE(on.until([&] { return p.ended; }));
    BOOST_TEST((p.closed_with == pc::close_code::internal_error));
    BOOST_TEST(p.received.find("secret") == std::string::npos);
    on.settle();
    BOOST_TEST(on.j.closes() == 1u);
}

BOOST_AUTO_TEST_CASE(a_head_that_comes_too_slowly_is_answered_408_after_five_seconds)
{
    stage<simulated_server> on;
    auto const began = on.now();
    auto& p = on.connect({.request = "GET / HTTP/1.1\r\nHost: x\r\n"});
    BOOST_REQUIRE(on.until([&] { return p.status != 0; }));
    BOOST_TEST(p.status == 408);
    BOOST_TEST((on.now() - began >= 5s));
    BOOST_TEST((on.now() - began <= 6100ms));
}

BOOST_AUTO_TEST_CASE(a_head_byte_by_byte_is_read_as_one)
{
    stage<simulated_server> on;
    auto& p = on.connect({.request = "G"});
    std::string const rest = "ET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                             "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n" +
                             masked(pc::opcode::text, an_order("notes", 2));
    for (char const c : rest) {
        p.write({&c, 1});
        on.settle();
    }
    BOOST_TEST(p.status == 101);
    BOOST_TEST(numbers_of(p, "note") == count_to(2), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(frames_in_the_same_read_as_the_head_are_taken)
{
    stage<simulated_server> on;
    auto& p = on.connect();
    p.text(an_order("notes", 3));
    BOOST_REQUIRE(on.until([&] { return p.frames.size() == 3; }));
    BOOST_TEST(numbers_of(p, "note") == count_to(3), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_listening_port_that_is_taken_is_an_exception_that_names_the_address)
{
    stage<pc::server<bench, tcp>> on;
    journal j;
    pc::server<bench, tcp> second{{.port = on.server->port()}, bench{&j}};
    BOOST_CHECK_EXCEPTION(second.start(), std::system_error, [&](std::system_error const& e) {
        return std::string_view(e.what()).find("127.0.0.1:" + std::to_string(on.server->port())) != std::string_view::npos;
    });
}

BOOST_AUTO_TEST_SUITE_END()
