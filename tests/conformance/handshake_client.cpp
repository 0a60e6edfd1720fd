// Section 11: what a client asks for, and what it makes of answers (RFC 6455 §4.1, RFC 9110, RFC 9112).

#include "client_side.hpp"

#include <polycast/client.hpp>
#include <polycast/handshake/error.hpp>
#include <polycast/serializer/raw.hpp>

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <functional>
#include <string>
#include <string_view>
#include <system_error>
#include <tuple>
#include <vector>

namespace {

using namespace rfc;
using namespace std::string_literals;
using pc::handshake_error;
using both = std::tuple<sim, tcp>;
template <class Transport>
using side_of = client_side<echo_client, Transport, pc::serializer::raw>;

/// An answer of a server; `@` stands for the accept value.
struct answer_row {
    std::string number, source, title, answer;
    std::error_code fails_with{};
    effort tries = effort::every_split;
};
using answer_visitor = std::function<void(answer_row const&)>;

std::string const line = "HTTP/1.1 101 Switching Protocols\r\n";
std::string const upgrade = "Upgrade: websocket\r\n";
std::string const connection = "Connection: Upgrade\r\n";
std::string const accept = "Sec-WebSocket-Accept: @\r\n";
/// A sound answer, and these fields too.
std::string with(std::string const& fields)
{
    return line + upgrade + connection + accept + fields + "\r\n";
}

void answers(answer_visitor const& each)
{
    int n = 0;
    auto const number = [&] { return "11.1." + std::to_string(++n); };
    char const* const ws = "RFC 6455 §4.1";
    char const* const http = "RFC 9112 §4";
    std::string const rest = upgrade + connection + accept + "\r\n";
    each({number(), ws, "the answer of the RFC is taken", with("")});
    for (char const* const good : {"HTTP/1.1 101 Switching Protocols", "HTTP/1.1 101 ", "HTTP/1.1 101",
                                   "HTTP/1.1 101 Anything at all", "HTTP/1.1 101 caf\xC3\xA9"})
        each({number(), http, "a status line of `"s + good + "` is taken", good + "\r\n"s + rest});
    each({number(), "RFC 9110 §15.2", "100 before 101 is passed over", "HTTP/1.1 100 Continue\r\n\r\n" + line + rest});
    each({number(), "RFC 9110 §15.2", "103 with fields before 101 is passed over",
          "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\nUpgrade: h2c\r\n\r\n" + line + rest});
    struct refusal {
        int status;
        handshake_error why;
    };
    for (refusal const& r : {refusal{200, handshake_error::refused},
                             {204, handshake_error::refused},
                             {301, handshake_error::refused},
                             {302, handshake_error::refused},
                             {307, handshake_error::refused},
                             {400, handshake_error::refused},
                             {401, handshake_error::unauthorized},
                             {403, handshake_error::forbidden},
                             {404, handshake_error::refused},
                             {407, handshake_error::unauthorized},
                             {408, handshake_error::refused},
                             {426, handshake_error::refused},
                             {429, handshake_error::overloaded},
                             {500, handshake_error::refused},
                             {503, handshake_error::overloaded},
                             {999, handshake_error::refused}})
        each({number(), ws, "a status of " + std::to_string(r.status) + " is no upgrade, whatever else is said",
              "HTTP/1.1 " + std::to_string(r.status) + " x\r\n" + rest, r.why});
    for (char const* const bad :
         {"HTTP/1.0 101 x", "HTTP/2.0 101 x", "HTTP/1.2 101 x", "http/1.1 101 x", "HTTP/1.1  101 x", "HTTP/1.1 1011 x",
          "HTTP/1.1 10 x", "HTTP/1.1 101x", "HTTP/1.1 abc", "HTTP/1.1", "101 Switching Protocols", " HTTP/1.1 101 x",
          "\r\nHTTP/1.1 101 x", "HTTP/1.1 101 a\rb", "HTTP/1.1 101 \x01", "HTTP/1.1 -01 x", "ICY 101 OK",
          "\x81\x05Hello"})
        each({number(), http, "a status line of `"s + bad + "` is none", bad + "\r\n"s + rest,
              handshake_error::bad_response});
    n = 0;
    auto const field = [&] { return "11.2." + std::to_string(++n); };
    for (std::string const& good :
         {"upgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-accept: @\r\n"s,
          "UPGRADE: WebSocket\r\nCONNECTION: UPGRADE\r\nSEC-WEBSOCKET-ACCEPT: @\r\n"s,
          "Connection: keep-alive, Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept:@\r\n"s,
          "Connection: keep-alive\r\nConnection: Upgrade\r\nUpgrade:\twebsocket \r\nSec-WebSocket-Accept: \t@ \r\n"s,
          "Server: x\r\nX-Old: caf\xC3\xA9\r\nSet-Cookie: a=b\r\nSet-Cookie: c=d\r\n" + upgrade + connection +
              accept}) {
        std::string shown(good);
        std::erase(shown, '\r');
        std::ranges::replace(shown, '\n', ' ');
        each({field(), ws, "taken: " + shown, line + good + "\r\n"});
    }
    each({field(), ws, "an answer without Upgrade is refused", line + connection + accept + "\r\n",
          handshake_error::bad_upgrade});
    for (char const* const bad : {"h2c", "websockets", "", "websocket, h2c", "\"websocket\""})
        each({field(), ws, "an upgrade to `"s + bad + "` is refused",
              line + "Upgrade: " + bad + "\r\n" + connection + accept + "\r\n", handshake_error::bad_upgrade});
    each({field(), ws, "an answer without Connection is refused", line + upgrade + accept + "\r\n",
          handshake_error::bad_connection});
    for (char const* const bad : {"close", "", "keep-alive", "Upgraded", "\"Upgrade\""})
        each({field(), ws, "a connection of `"s + bad + "` is refused",
              line + upgrade + "Connection: " + bad + "\r\n" + accept + "\r\n", handshake_error::bad_connection});
    each({field(), ws, "an answer without an accept value is refused", line + upgrade + connection + "\r\n",
          handshake_error::bad_accept});
    for (char const* const bad : {"", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", "@@", "@=", "@, @", "\"@\"", "x@"})
        each({field(), ws, "an accept value of `"s + bad + "` is refused",
              line + upgrade + connection + "Sec-WebSocket-Accept: " + bad + "\r\n\r\n", handshake_error::bad_accept});
    each({field(), ws, "two accept values are refused", with(accept), handshake_error::bad_accept});
    each({field(), ws, "a subprotocol nobody asked for is refused", with("Sec-WebSocket-Protocol: chat\r\n"),
          handshake_error::unoffered_subprotocol});
    each({field(), ws, "an empty subprotocol is refused", with("Sec-WebSocket-Protocol:\r\n"),
          handshake_error::unoffered_subprotocol});
    each({field(), ws, "an extension nobody asked for is refused",
          with("Sec-WebSocket-Extensions: permessage-deflate\r\n"), handshake_error::unoffered_extension});
    each({field(), ws, "an extension nobody knows is refused", with("Sec-WebSocket-Extensions: x-unknown; a=\"b\"\r\n"),
          handshake_error::unoffered_extension});
    for (char const* const bad : {"", ";", "a b", "a; b=", "a; b=\"c"})
        each({field(), "RFC 6455 §9.1", "extensions of `"s + bad + "` are refused",
              with("Sec-WebSocket-Extensions: "s + bad + "\r\n"), handshake_error::bad_response});
    n = 0;
    auto const syntax = [&] { return "11.3." + std::to_string(++n); };
    for (std::string const& bad : {"X: a\r\n b\r\n"s, "X: a\r\n\tb\r\n"s, "X: a\rb\r\n"s, "X: a\n"s, "X : a\r\n"s,
                                   "X\t: a\r\n"s, " X: a\r\n"s, ": a\r\n"s, "no colon\r\n"s, "X(y): a\r\n"s,
                                   "X: a"s + '\0' + "b\r\n", "X"s + '\0' + ": b\r\n", "X: \x01\r\n"s, "X: \x7F\r\n"s})
        each({syntax(), "RFC 9112 §5", "a field of " + hex(bad) + " is refused", with(bad),
              handshake_error::bad_response});
    each({syntax(), "RFC 9112 §4", "a status line that ends in LF is refused", "HTTP/1.1 101 x\n" + rest,
          handshake_error::bad_response});
    auto const sized = [](std::size_t bytes) {
        std::string head = with("X-Fill: \r\n");
        head.insert(head.size() - 4, bytes + 1 - 28 - head.size(), 'f');  // `@` becomes 28 bytes
        return head;
    };
    for (auto const& [bytes, why] :
         {std::pair{16384u, std::error_code{}}, std::pair{16385u, std::error_code(handshake_error::head_too_large)},
          std::pair{40000u, std::error_code(handshake_error::head_too_large)}})
        each({syntax(), "RFC 9112 §2.3",
              "a head of " + std::to_string(bytes) + " bytes is " + (why ? "refused" : "taken"), sized(bytes), why,
              effort::some_splits});
    for (int const count : {100, 101}) {
        std::string more;
        for (int i = 3; i < count; ++i)
            more += "X: " + std::to_string(i) + "\r\n";
        each({syntax(), "RFC 9112 §2.3", std::to_string(count) + " fields are " + (count == 100 ? "taken" : "refused"),
              with(more), count == 100 ? std::error_code{} : std::error_code(handshake_error::head_too_large),
              effort::some_splits});
    }
}

template <class Side>
std::string attempt(Side& side, answer_row const& r, delivery how)
{
    auto const end = side.connect();
    auto const value = pc::accept_key(end->field("Sec-WebSocket-Key"));
    std::string answer = r.answer;
    for (std::size_t at; (at = answer.find('@')) != std::string::npos;)
        answer.replace(at, 1, std::string_view(value.data(), value.size()));
    deliver(side, *end, answer, how);
    std::string fault;
    side.until([&] { return side.c->is_open() || !side.seen.failed.empty(); }, 4s);
    if (r.fails_with) {
        if (side.seen.failed.empty())
            fault = side.c->is_open() ? "it was taken" : "it is waited for more";
        else if (side.seen.failed[0] != r.fails_with)
            fault = "told as: " + side.seen.failed[0].message();
        else if (!side.until([&] { return end->ended; }, 4s))
            fault = "the connection is not ended";
        else if (!end->received.empty() || !end->said.closes.empty())
            fault = "something was sent on a connection that never opened";
    } else if (!side.c->is_open()) {
        fault = "it was not taken: " + (side.seen.failed.empty() ? "in doubt"s : side.seen.failed[0].message());
    } else {
        end->write(encode(text_of("on"), false));
        side.until([&] { return end->over() || end->said.messages.size() == 1; });
        end->write(encode(close_of(1000), false));
        fault = judge_end(side, *end, 1000);
        if (fault.empty())
            fault = compare(end->said, {{text, "on"}}, true);
    }
    end->drop();
    side.finish();
    return fault;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(conformance_of_the_clients_handshake)

BOOST_AUTO_TEST_CASE_TEMPLATE(answers_are_judged_as_the_rfc_says, Transport, both)
{
    side_of<Transport> side;
    answers([&](answer_row const& r) {
        for (delivery how : deliveries<Transport>(r.answer.size(), r.tries, {0, r.answer.size() - 20})) {
            if (how.pieces == 1 && r.answer.size() > 8000)
                how.pieces = 7;
            record(r.number, r.source, r.title, side.where, how.name(),
                   fault_of([&] { return attempt(side, r, how); }));
        }
    });
}

BOOST_AUTO_TEST_CASE_TEMPLATE(frames_behind_the_head_are_taken, Transport, both)
{
    side_of<Transport> side;
    std::string const frames = encode(text_of("first"), false) + encode(ping_of("second"), false) +
                               encode(begins("th"), false) + encode(ends("ird"), false);
    for (delivery const how : deliveries<Transport>(agrees("").size() + frames.size(), effort::every_split, {})) {
        auto const end = side.connect();
        deliver(side, *end, agrees(end->field("Sec-WebSocket-Key")) + frames, how);
        side.until([&] { return end->over() || (end->said.messages.size() == 2 && end->said.pongs.size() == 1); });
        end->write(encode(close_of(1000), false));
        auto fault = judge_end(side, *end, 1000);
        fault +=
            compare(end->said, {{text, "first"}, {text, "third"}}, true) + compare_pongs(end->said, {"second"}, true);
        end->drop();
        side.finish();
        record("11.4.1", "RFC 6455 §4.1", "frames in one piece with the answer are taken", side.where, how.name(),
               fault);
    }
}

BOOST_AUTO_TEST_CASE_TEMPLATE(the_request_is_as_the_rfc_says, Transport, both)
{
    side_of<Transport> side;
    run(side, "11.5.1", "RFC 6455 §4.1", "the request has what it must, once, and is sent at once", [](auto& s) {
        auto const end = s.connect();
        std::string const head = end->head;
        end->drop();
        auto const once = [&](std::string_view name, std::string_view value) {
            std::string const wanted = "\r\n" + std::string(name) + ": " + std::string(value);
            auto const at = head.find(wanted);
            return at != head.npos && head.find("\r\n" + std::string(name) + ":", at + 1) == head.npos;
        };
        if (!head.starts_with("GET /chat HTTP/1.1\r\n"))
            return "it asks " + head.substr(0, 40);
        for (auto const& [name, value] : {std::pair{"Upgrade", "websocket\r\n"}, std::pair{"Connection", "Upgrade\r\n"},
                                          std::pair{"Sec-WebSocket-Version", "13\r\n"},
                                          std::pair{"Sec-WebSocket-Key", ""}, std::pair{"Host", "127.0.0.1:"}})
            if (!once(name, value))
                return std::string(name) + " is not as it must be";
        return head.find("Sec-WebSocket-Extensions") == head.npos && head.find("Sec-WebSocket-Protocol") == head.npos
                   ? std::string()
                   : "it offers what it has not";
    });
    run(side, "11.5.2", "RFC 6455 §4.1", "nothing is sent before the answer", [](auto& s) {
        auto const end = s.connect();
        s.c->send("early");
        s.until([] { return false; }, 20ms);
        bool const early = !end->received.empty() || end->over();
        end->write(agrees(end->field("Sec-WebSocket-Key")));
        s.until([&] { return end->said.messages.size() == 1; });
        bool const late = end->said.messages.size() == 1;
        end->drop();
        return early ? "something was" : late ? std::string() : "nothing was sent behind it";
    });
    run(side, "11.5.3", "RFC 6455 §4.1", "a server that ends before its answer is whole is a failure", [](auto& s) {
        auto const end = s.connect();
        end->write("HTTP/1.1 101 Switching");
        end->shut();
        s.until([&] { return !s.seen.failed.empty() && end->ended; }, 4s);
        return s.seen.failed.size() == 1 && end->ended ? std::string() : "it is not";
    });
}

BOOST_AUTO_TEST_CASE(an_answer_is_not_waited_for_for_ever)
{
    side_of<sim> side;
    run(side, "11.6.1", "RFC 6455 §4.1", "an answer that does not come within 10 s is a failure", [](auto& s) {
        auto const began = s.setting.now();
        auto const end = s.connect();
        end->write("HTTP/1.1 101 Switching");
        s.until([&] { return end->ended; });
        auto const took = s.setting.now() - began;
        if (s.seen.failed.empty() || s.seen.failed[0] != std::errc::timed_out)
            return std::string("it is told otherwise");
        return took >= 9900ms && took <= 10100ms ? std::string() : "it took " + std::to_string(took / 1ms) + " ms";
    });
}

BOOST_AUTO_TEST_CASE(the_server_chooses_among_the_subprotocols_that_were_offered)
{
    client_side<echo_client, sim> side;
    struct choice {
        char const* chosen;
        bool legal;
    };
    int n = 0;
    for (choice const& c :
         {choice{"polycast.v1.json", true}, choice{"Polycast.v1.json", false}, choice{"chat", false},
          choice{"polycast.v1.json, chat", false},
          choice{"polycast.v1.json\r\nSec-WebSocket-Protocol: polycast.v1.json", false}, choice{"", false}})
        run(side, "11.7." + std::to_string(++n), "RFC 6455 §4.1",
            "a choice of `"s + c.chosen + "` is " + (c.legal ? "taken" : "refused"), [&](auto& s) {
                auto const end = s.connect();
                std::string answer = agrees(end->field("Sec-WebSocket-Key"));
                answer.insert(answer.size() - 2, "Sec-WebSocket-Protocol: "s + c.chosen + "\r\n");
                end->write(answer);
                s.until([&] { return s.c->is_open() || !s.seen.failed.empty(); });
                bool const taken = s.c->is_open();
                end->drop();
                if (taken != c.legal)
                    return taken ? "it is taken"s : "it is refused";
                return c.legal || s.seen.failed[0] == handshake_error::unoffered_subprotocol ? std::string()
                                                                                             : "told otherwise";
            });
    run(side, "11.7." + std::to_string(++n), "RFC 6455 §4.1", "no choice is taken", [&](auto& s) {
        auto const end = s.open();
        end->drop();
        return std::string();
    });
}

BOOST_AUTO_TEST_SUITE_END()
