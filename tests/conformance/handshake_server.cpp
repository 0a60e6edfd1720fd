// Section 10: what a server makes of requests (RFC 6455 §4.2, RFC 9110, RFC 9112).

#include "server_side.hpp"

#include <polycast/compression/zstd.hpp>
#include <polycast/serializer/raw.hpp>
#include <polycast/server.hpp>

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

namespace {

using namespace rfc;
using namespace std::string_literals;

struct site {
    void on(auto& session, pc::message const& m) { session.send(m.payload, m.op); }
    pc::http_response http(pc::request const& asked)
    {
        if (asked.path() == "/page")
            return {.content_type = "text/html", .body = "<p>a page"};
        return {.status = 404, .body = "no such page"};
    }
};
struct said {
    std::string text;
};
struct events_app {
    using accepts = pc::events<said>;
    void on(auto& session, said const& s) { session.emit(s); }
};
template <class Transport>
using site_side = server_side<pc::server<site, Transport, pc::serializer::raw>>;
using both = std::tuple<sim, tcp>;

struct request_row {
    std::string number, source, title, request;
    int status = 101;
    std::vector<std::string> has{};    ///< stand in the head of the answer
    std::vector<std::string> lacks{};  ///< do not
    bool bodiless = false;
    effort tries = effort::every_split;
};
using request_visitor = std::function<void(request_row const&)>;

std::string const upgrade = "Upgrade: websocket\r\nConnection: Upgrade\r\n";
std::string const key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
std::string const version = "Sec-WebSocket-Version: 13\r\n";
std::string const host = "Host: a.example\r\n";
std::string const line = "GET / HTTP/1.1\r\n";
/// A sound request, and these fields too.
std::string with(std::string const& fields)
{
    return line + host + upgrade + key + version + fields + "\r\n";
}

void request_lines(request_visitor const& each)
{
    int n = 0;
    auto const number = [&] { return "10.1." + std::to_string(++n); };
    std::string const rest = host + upgrade + key + version + "\r\n";
    char const* const ws = "RFC 6455 §4.2.1";
    char const* const http = "RFC 9112 §3";
    each({number(),
          "RFC 6455 §1.3",
          "the example of the RFC is agreed to with its accept value",
          asks,
          101,
          {"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="}});
    each({number(), ws, "a target with a query is agreed to", "GET /chat?room=1&x=%20 HTTP/1.1\r\n" + rest});
    each({number(), "RFC 9112 §3.2.2", "an absolute target is agreed to",
          "GET http://a.example/chat HTTP/1.1\r\n" + rest});
    each({number(), "RFC 9112 §3.2.2", "an absolute target without a path is agreed to",
          "GET ws://a.example:80 HTTP/1.1\r\n" + rest});
    each({number(), "RFC 9112 §2.2", "an empty line before the request is ignored", "\r\n" + line + rest});
    each({number(), "RFC 9110 §2.5", "a higher minor version is spoken to", "GET / HTTP/1.2\r\n" + rest});
    for (char const* const method : {"POST", "PUT", "HEAD", "DELETE", "OPTIONS", "PATCH", "get", "BREW"})
        each({number(),
              ws,
              "an upgrade by "s + method + " is refused",
              std::string(method) + " / HTTP/1.1\r\n" + rest,
              405,
              {"\r\nAllow: GET\r\n"},
              {},
              method == "HEAD"s});
    for (char const* const v : {"HTTP/1.0", "HTTP/0.9", "HTTP/2.0", "HTTP/3.0", "HTTP/9.9"})
        each({number(), ws, "version "s + v + " is refused", "GET / "s + v + "\r\n" + rest, 505});
    for (char const* const v :
         {"HTTP/1", "HTTP/11", "HTTP/1.1 ", "http/1.1", "HTTQ/1.1", "HTTP/1.x", "HTTP/a.1", "HTTP/1.10", "FTP/1.1", ""})
        each({number(), http, "a version of `"s + v + "` is no HTTP", "GET / "s + v + "\r\n" + rest, 400});
    for (char const* const target :
         {"chat", "*", "a.example:80", "ftp://a.example/", "http://", "http:///x", "http://a b/", "/a b", "/a\tb",
          "/\x01", "/\x80", "/\x7F", "http://user@a.example/", "/page#part", "/*#"})
        each({number(), http, "a target of `"s + target + "` is refused", "GET "s + target + " HTTP/1.1\r\n" + rest,
              400});
    for (char const* const begin :
         {"GET  / HTTP/1.1", " GET / HTTP/1.1", "GET / HTTP/1.1 ", "GET\t/ HTTP/1.1", "GET /  HTTP/1.1", "GET/HTTP/1.1",
          "GET", "(GET) / HTTP/1.1", "G\xC3\x89T / HTTP/1.1"})
        each(
            {number(), http, "a request line of `"s + begin + "` is refused", std::string(begin) + "\r\n" + rest, 400});
    each({number(), "RFC 9112 §2.2", "two empty lines before the request are not", "\r\n\r\n" + line + rest, 400});
    each({number(), "RFC 9112 §2.2", "what is no HTTP (TLS) is refused",
          "\x16\x03\x01\x02\x00\x01\x00\x01\xFC\x03\x03\r\n\r\n"s, 400});
}

void hosts(request_visitor const& each)
{
    int n = 0;
    auto const number = [&] { return "10.2." + std::to_string(++n); };
    char const* const source = "RFC 9112 §3.2";
    std::string const rest = upgrade + key + version + "\r\n";
    for (char const* const good :
         {"a.example", "a.example:8080", "127.0.0.1", "127.0.0.1:80", "[::1]", "[::1]:8080", "localhost", "A.Example",
          "a_b.example", "xn--bcher-kva.example", "a%20b", "a.example:"})
        each({number(), source, "a host of `"s + good + "` is taken", line + "Host: " + good + "\r\n" + rest});
    each({number(), source, "a request without a host is refused", line + rest, 400});
    each({number(), source, "a request with two hosts is refused", line + host + host + rest, 400});
    each({number(), source, "a request with two hosts in two spellings is refused",
          line + host + "HOST: b.example\r\n" + rest, 400});
    each({number(), source, "an absolute target does not make up for a missing host",
          "GET http://a.example/ HTTP/1.1\r\n" + rest, 400});
    for (char const* const bad : {"",
                                  "a b",
                                  "a.example/",
                                  "user@a.example",
                                  "a.example, b.example",
                                  "a\\b",
                                  "\"a\"",
                                  "a.example:port",
                                  "a.example:80:80",
                                  "a%2",
                                  "a%zz",
                                  "[::1",
                                  "::1",
                                  "[::1]x",
                                  "[a]b:1",
                                  "[g::1]",
                                  ":80",
                                  "a[1]",
                                  "[]",
                                  "b\xC3\xBC"
                                  "cher.example"})
        each({number(), source, "a host of `"s + bad + "` is refused", line + "Host: " + bad + "\r\n" + rest, 400});
}

void upgrades(request_visitor const& each)
{
    int n = 0;
    auto const number = [&] { return "10.3." + std::to_string(++n); };
    char const* const source = "RFC 6455 §4.2.1";
    std::string const rest = key + version + "\r\n";
    for (char const* const good :
         {"Upgrade: websocket\r\nConnection: Upgrade\r\n", "Upgrade: WebSocket\r\nConnection: upgrade\r\n",
          "UPGRADE: WEBSOCKET\r\nCONNECTION: UPGRADE\r\n", "upgrade:websocket\r\nconnection:upgrade\r\n",
          "Upgrade: h2c, websocket\r\nConnection: keep-alive, Upgrade\r\n",
          "Upgrade: websocket , h2c\r\nConnection: Upgrade,keep-alive\r\n",
          "Upgrade: ,websocket,\r\nConnection: ,, upgrade ,\r\n",
          "Upgrade: h2c\r\nUpgrade: websocket\r\nConnection: keep-alive\r\nConnection: Upgrade\r\n",
          "Upgrade:\t websocket \t\r\nConnection: \tUpgrade\t \r\n"}) {
        std::string shown(good);
        std::erase(shown, '\r');
        std::ranges::replace(shown, '\n', ' ');
        each({number(), source, "agreed to: " + shown, line + host + good + rest});
    }
    each({number(),
          source,
          "an upgrade that Connection does not name is refused",
          line + host + "Upgrade: websocket\r\n" + rest,
          426,
          {"\r\nUpgrade: websocket\r\n"}});
    each({number(),
          source,
          "an upgrade that Connection names not exactly is refused",
          line + host + "Upgrade: websocket\r\nConnection: Upgraded, no-upgrade, \"upgrade\"\r\n" + rest,
          426,
          {"\r\nUpgrade: websocket\r\n"}});
    each({number(), source, "without Upgrade it is a plain GET", line + host + "Connection: Upgrade\r\n" + rest, 404});
    for (char const* const other : {"h2c", "websockets", "web socket", "\"websocket\"", "websocket/13"})
        each({number(), source, "an upgrade to `"s + other + "` is none of ours",
              line + host + "Upgrade: " + other + "\r\nConnection: Upgrade\r\n" + rest, 404});
    n = 0;
    auto const key_number = [&] { return "10.4." + std::to_string(++n); };
    auto const with_key = [&](std::string const& k) { return line + host + upgrade + version + k + "\r\n"; };
    for (char const* const good : {"AAAAAAAAAAAAAAAAAAAAAA==", "/////////////////////w==", "x3JJHMbDL1EzLkh9GBhXDw==",
                                   "  dGhlIHNhbXBsZSBub25jZQ==\t"})
        each({key_number(), source, "a key of `"s + good + "` is taken",
              with_key("Sec-WebSocket-Key: "s + good + "\r\n")});
    each({key_number(), source, "a request without a key is refused", with_key(""), 400});
    each({key_number(), source, "a request with two keys is refused", with_key(key + key), 400});
    for (char const* const bad :
         {"", "dGhlIHNhbXBsZSBub25jZQ", "dGhlIHNhbXBsZSBub25jZQ=", "dGhlIHNhbXBsZSBub25j", "dGhlIHNhbXBsZSBub25jZWU=",
          "dGhlIHNhbXBsZSBub25jZWVl", "dGhlIHNhbXBsZSBub25j!Q==", "dGhlIHNhbXBsZSBub25jZQ==AAAA",
          "dGhlIHNhbXBs ZSBub25jZQ==", "dGhlIHNhbXBsZSBub25jZR==", "dGhlIHNhbXBsZSBub25jZQ==, dGhlIHNhbXBsZSBub25jZQ==",
          "\"dGhlIHNhbXBsZSBub25jZQ==\"", "dGhlIHNhbXBsZSBub25-ZQ==", "========================"})
        each({key_number(), source, "a key of `"s + bad + "` is refused",
              with_key("Sec-WebSocket-Key: "s + bad + "\r\n"), 400});
    n = 0;
    auto const version_number = [&] { return "10.5." + std::to_string(++n); };
    auto const with_version = [&](std::string const& v) { return line + host + upgrade + key + v + "\r\n"; };
    for (char const* const other : {"0", "8", "12", "14", "013", "255", "13, 12", "12, 13", "13.0", "x", ""})
        each({version_number(),
              "RFC 6455 §4.4",
              "version `"s + other + "` is answered with the one that is spoken",
              with_version("Sec-WebSocket-Version: "s + other + "\r\n"),
              426,
              {"\r\nSec-WebSocket-Version: 13\r\n", "\r\nUpgrade: websocket\r\n"}});
    each({version_number(),
          "RFC 6455 §4.4",
          "no version is answered with the one that is spoken",
          with_version(""),
          426,
          {"\r\nSec-WebSocket-Version: 13\r\n"}});
    each({version_number(), source, "two versions are refused", with_version(version + version), 400});
}

void fields(request_visitor const& each)
{
    int n = 0;
    auto const number = [&] { return "10.6." + std::to_string(++n); };
    char const* const source = "RFC 9112 §5";
    struct case_of {
        char const* what;
        std::string field;
        int status;
    };
    for (case_of const& c : {
             case_of{"names in any case, fields in any order, unknown fields",
                     "x-uNkNoWn: 1\r\nX-Unknown: 2\r\nX-Empty:\r\n", 101},
             case_of{"bytes above ASCII in a value", "X-Old: caf\xC3\xA9\r\n", 101},
             case_of{"a tab in a value", "X: a\tb\r\n", 101},
             case_of{"a folded line (space)", "X: a\r\n b\r\n", 400},
             case_of{"a folded line (tab)", "X: a\r\n\tb\r\n", 400},
             case_of{"a line of white space", " \r\n", 400},
             case_of{"a bare CR in a value", "X: a\rb\r\n", 400},
             case_of{"a bare CR at the end of a value", "X: a\r\r\n", 400},
             case_of{"a bare LF at the end of a line", "X: a\n", 400},
             case_of{"a bare LF in place of the last line", "X: a\r\n\n", 400},
             case_of{"a space before the colon", "X : a\r\n", 400},
             case_of{"a tab before the colon", "X\t: a\r\n", 400},
             case_of{"a space before the name", " X: a\r\n", 400},
             case_of{"a name of nothing", ": a\r\n", 400},
             case_of{"a line without a colon", "nothing of the kind\r\n", 400},
             case_of{"a name that is no token", "X(y): a\r\n", 400},
             case_of{"a name above ASCII", "Caf\xC3\xA9: a\r\n", 400},
             case_of{"NUL in a value", "X: a"s + '\0' + "b\r\n", 400},
             case_of{"NUL in a name", "X"s + '\0' + ": b\r\n", 400},
             case_of{"a control byte in a value", "X: \x01\r\n", 400},
             case_of{"an escape byte in a value", "X: \x1B[2J\r\n", 400},
             case_of{"DEL in a value", "X: \x7F\r\n", 400},
             case_of{"two origins", "Origin: http://a.example\r\nOrigin: http://a.example\r\n", 400},
             case_of{"two cookies fields", "Cookie: a=1\r\nCookie: b=2\r\n", 400},
             case_of{"another site's origin", "Origin: http://evil.example\r\n", 403},
             case_of{"the own origin", "Origin: http://a.example\r\n", 101},
             case_of{"a body of no bytes", "Content-Length: 0\r\n", 101},
             case_of{"a body of five bytes announced", "Content-Length: 5\r\n", 400},
             case_of{"a chunked body announced", "Transfer-Encoding: chunked\r\n", 400},
             case_of{"two lengths", "Content-Length: 0\r\nContent-Length: 0\r\n", 400},
             case_of{"a list of lengths", "Content-Length: 0, 0\r\n", 400},
             case_of{"a negative length", "Content-Length: -1\r\n", 400},
             case_of{"a length with a sign", "Content-Length: +0\r\n", 400},
             case_of{"a length of nothing", "Content-Length:\r\n", 400},
             case_of{"a length in hexadecimal", "Content-Length: 0x0\r\n", 400},
             case_of{"a length beside a coding", "Content-Length: 0\r\nTransfer-Encoding: chunked\r\n", 400},
         })
        each({number(), source, c.what + (c.status == 101 ? " is taken"s : " is refused"s), with(c.field), c.status});
    each({number(), source, "a request line that ends in LF is refused",
          "GET / HTTP/1.1\n" + host + upgrade + key + version + "\r\n", 400});
    n = 0;
    auto const size = [&] { return "10.7." + std::to_string(++n); };
    auto const sized = [](std::size_t bytes) {
        std::string head = with("X-Fill: \r\n");
        head.insert(head.size() - 4, bytes - head.size(), 'f');
        return head;
    };
    request_row r{size(), "RFC 6585 §5", "a head of 16,384 bytes is taken", sized(16384)};
    r.tries = effort::some_splits;
    each(r);
    r = {size(), "RFC 6585 §5", "a head of 16,385 bytes is refused", sized(16385), 431};
    r.tries = effort::some_splits;
    each(r);
    r = {size(), "RFC 6585 §5", "a head without an end is refused when 16,384 bytes have come",
         sized(40000).substr(0, 16384), 431};
    r.tries = effort::some_splits;
    each(r);
    r = {size(), "RFC 9110 §15.5.15", "a request line that does not end within 16,384 bytes is refused",
         "GET /" + std::string(16384, 'a'), 414};
    r.tries = effort::some_splits;
    each(r);
    r = {size(), "RFC 9112 §3", "a target of 8,000 bytes is taken",
         "GET /" + std::string(7999, 'a') + " HTTP/1.1\r\n" + host + upgrade + key + version + "\r\n"};
    r.tries = effort::some_splits;
    each(r);
    for (int const count : {100, 101}) {
        std::string more;
        for (int i = 5; i < count; ++i)
            more += "X: " + std::to_string(i) + "\r\n";
        r = {size(), "RFC 6585 §5", std::to_string(count) + " fields are " + (count == 100 ? "taken" : "refused"),
             with(more), count == 100 ? 101 : 431};
        r.tries = effort::some_splits;
        each(r);
    }
}

void offers(request_visitor const& each)
{
    int n = 0;
    auto const extension = [&] { return "10.8." + std::to_string(++n); };
    for (char const* const good :
         {"x-unknown", "x-unknown; a", "x-unknown; a=1", "x-unknown; a=\"1\"", "x-unknown ; a = b ; c",
          "a, b; c, d; e=f", ", a,, b,", "x; a=\"q\\w\"", "permessage-deflate; client_max_window_bits"})
        each({extension(),
              "RFC 6455 §9.1",
              "an offer of `"s + good + "` is no fault, and not taken up",
              with("Sec-WebSocket-Extensions: "s + good + "\r\n"),
              101,
              {},
              {"Sec-WebSocket-Extensions"}});
    each({extension(),
          "RFC 6455 §9.1",
          "offers in two fields are no fault",
          with("Sec-WebSocket-Extensions: a\r\nSec-WebSocket-Extensions: b; c=\"d\"\r\n"),
          101,
          {},
          {"Sec-WebSocket-Extensions"}});
    for (char const* const bad : {"", ",", ";", "a;", "a; ;b", "a; =b", "a; b=", "a b", "a; b=\"c", "a; b=\"c d\"",
                                  "a; b=\"\"", "a; b=c d", "a/b", "a; b=\"c\\", "\"a\"", "a=b", "a;b=\"x\"y"})
        each({extension(), "RFC 6455 §9.1", "an offer of `"s + bad + "` is malformed",
              with("Sec-WebSocket-Extensions: "s + bad + "\r\n"), 400});
    n = 0;
    auto const protocol = [&] { return "10.9." + std::to_string(++n); };
    for (char const* const good : {"chat", "chat, superchat", "a,b , c", ",a,", "polycast.v1.json"})
        each({protocol(),
              "RFC 6455 §4.2.2",
              "subprotocols `"s + good + "` that are not spoken are not agreed to, and no fault",
              with("Sec-WebSocket-Protocol: "s + good + "\r\n"),
              101,
              {},
              {"Sec-WebSocket-Protocol"}});
    for (char const* const bad : {"a, a", "a b", "a;b", "\"a\"", "a, b, a", "a/b", "caf\xC3\xA9", "a, (b)"})
        each({protocol(), "RFC 6455 §4.1", "subprotocols `"s + bad + "` are malformed",
              with("Sec-WebSocket-Protocol: "s + bad + "\r\n"), 400});
    each({protocol(), "RFC 6455 §4.1", "one subprotocol in two fields is malformed",
          with("Sec-WebSocket-Protocol: a\r\nSec-WebSocket-Protocol: a\r\n"), 400});
    n = 0;
    auto const plain = [&] { return "10.10." + std::to_string(++n); };
    each({plain(),
          "RFC 9110 §9.3.1",
          "a GET of a page is served",
          "GET /page HTTP/1.1\r\n" + host + "\r\n",
          200,
          {"\r\nContent-Type: text/html\r\n", "\r\nContent-Length: 9\r\n"}});
    each({plain(), "RFC 9110 §9.3.1", "a GET of a page by its absolute target is served",
          "GET http://a.example/page HTTP/1.1\r\n" + host + "\r\n", 200});
    each({plain(), "RFC 9110 §9.3.1", "a GET of what is not there is answered 404",
          "GET /none HTTP/1.1\r\n" + host + "\r\n", 404});
    each({plain(),
          "RFC 9110 §9.3.2",
          "a HEAD has the length and no body",
          "HEAD /page HTTP/1.1\r\n" + host + "\r\n",
          200,
          {"\r\nContent-Length: 9\r\n"},
          {},
          true});
    each({plain(),
          "RFC 9110 §9.3.2",
          "a HEAD of what is not there has no body",
          "HEAD /none HTTP/1.1\r\n" + host + "\r\n",
          404,
          {"\r\nContent-Length: 12\r\n"},
          {},
          true});
    for (char const* const method : {"POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "BREW"})
        each({plain(),
              "RFC 9110 §15.5.6",
              method + " is answered 405 with what is allowed"s,
              std::string(method) + " /page HTTP/1.1\r\n" + host + "\r\n",
              405,
              {"\r\nAllow: GET, HEAD\r\n"}});
    each({plain(),
          "RFC 9110 §9.3.7",
          "OPTIONS * is answered 405",
          "OPTIONS * HTTP/1.1\r\n" + host + "\r\n",
          405,
          {"\r\nAllow: GET, HEAD\r\n"}});
    each({plain(), "RFC 9110 §9.3.3", "a POST with a body is answered 405, the body not waited for",
          "POST /page HTTP/1.1\r\n" + host + "Content-Length: 1000\r\n\r\nname=va", 405});
    each({plain(), "RFC 9112 §9.6", "what follows a plain request is not answered",
          "GET /page HTTP/1.1\r\n" + host + "\r\nGET /page HTTP/1.1\r\n" + host + "\r\n", 200});
}

/// An answer that is none to an upgrade: whole, and the last of its connection.
std::string judge_refusal(auto& side, auto& end, request_row const& r)
{
    if (!side.until([&] { return end.ended; }, 4s))
        return "the server does not end the connection behind its answer";
    if (end.reset)
        return "the connection was reset";
    std::string const length = end.field("Content-Length");
    if (length.empty() || (r.bodiless ? !end.received.empty() : std::to_string(end.received.size()) != length))
        return "a length of `" + length + "` and a body of " + std::to_string(end.received.size()) + " bytes";
    if (!r.bodiless && end.received.empty())
        return "it does not say why";
    if (end.field("Connection").find("close") == std::string::npos)
        return "it does not say that it closes";
    if (r.status == 426 && end.field("Connection").find("Upgrade") == std::string::npos)
        return "Upgrade is no connection option";
    return {};
}

template <class Side>
std::string attempt(Side& side, request_row const& r, delivery how)
{
    auto const end = side.connect();
    deliver(side, *end, r.request, how);
    side.until([&] { return end->ended || !end->head.empty(); });
    std::string fault;
    auto const head = end->head;
    if (end->status() != r.status)
        fault = "answered " + std::to_string(end->status()) + ", not " + std::to_string(r.status);
    for (auto const& text : r.has)
        if (fault.empty() && head.find(text) == std::string::npos)
            fault = "the answer lacks " + text;
    for (auto const& text : r.lacks)
        if (fault.empty() && head.find(text) != std::string::npos)
            fault = "the answer has " + text;
    if (fault.empty() && r.status != 101)
        fault = judge_refusal(side, *end, r);
    if (fault.empty() && r.status == 101) {
        if (end->field("Upgrade") != "websocket" || end->field("Connection") != "Upgrade" ||
            end->has_field("Content-Length"))
            fault = "the answer is no upgrade";
        end->write(encode(text_of("on"), true));
        side.until([&] { return end->over() || end->said.messages.size() == 1; });
        end->write(encode(close_of(1000), true));
        if (fault.empty())
            fault = judge_end(side, *end, 1000);
        if (fault.empty())
            fault = compare(end->said, {{text, "on"}}, true);
    }
    end->drop();
    side.settle();
    return fault;
}

template <class Transport>
void run_section(void (*section)(request_visitor const&))
{
    site_side<Transport> side;
    section([&](request_row const& r) {
        for (delivery how : deliveries<Transport>(r.request.size(), r.tries, {0, r.request.size() - 20})) {
            if (how.pieces == 1 && r.request.size() > 8000)
                how.pieces = 7;  // byte by byte would take more than 5 s of the virtual clock
            record(r.number, r.source, r.title, side.where, how.name(),
                   fault_of([&] { return attempt(side, r, how); }));
        }
    });
}

}  // namespace

BOOST_AUTO_TEST_SUITE(conformance_of_the_servers_handshake)

BOOST_AUTO_TEST_CASE_TEMPLATE(request_lines_are_read_as_the_rfc_says, Transport, both)
{
    run_section<Transport>(request_lines);
}
BOOST_AUTO_TEST_CASE_TEMPLATE(there_is_one_valid_host, Transport, both)
{
    run_section<Transport>(hosts);
}
BOOST_AUTO_TEST_CASE_TEMPLATE(an_upgrade_is_agreed_to_as_the_rfc_says, Transport, both)
{
    run_section<Transport>(upgrades);
}
BOOST_AUTO_TEST_CASE_TEMPLATE(fields_are_read_as_the_rfc_says, Transport, both)
{
    run_section<Transport>(fields);
}
BOOST_AUTO_TEST_CASE_TEMPLATE(offers_and_plain_requests_are_answered_as_the_rfc_says, Transport, both)
{
    run_section<Transport>(offers);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(frames_behind_the_head_are_taken, Transport, both)
{
    site_side<Transport> side;
    std::string const frames = encode(text_of("first"), true) + encode(ping_of("second"), true) +
                               encode(begins("th"), true) + encode(ends("ird"), true);
    std::string const bytes = asks + frames;
    for (delivery const how : deliveries<Transport>(bytes.size(), effort::every_split, {})) {
        auto const end = side.connect();
        deliver(side, *end, bytes, how);
        side.until([&] { return end->over() || (end->said.messages.size() == 2 && end->said.pongs.size() == 1); });
        end->write(encode(close_of(1000), true));
        auto fault = judge_end(side, *end, 1000);
        fault +=
            compare(end->said, {{text, "first"}, {text, "third"}}, true) + compare_pongs(end->said, {"second"}, true);
        end->drop();
        side.settle();
        record("10.11.1", "RFC 6455 §4.2.2", "frames behind the head, sent before the answer, are taken", side.where,
               how.name(), fault);
    }
}

BOOST_AUTO_TEST_CASE(a_slow_head_is_refused)
{
    site_side<sim> side;
    int n = 0;
    for (std::string const& begun : {""s, "G"s, asks.substr(0, 60), asks.substr(0, asks.size() - 1)})
        run(side, "10.11." + std::to_string(2 + n++), "RFC 9110 §15.5.9",
            "a head of which " + std::to_string(begun.size()) + " bytes have come within 5 s is answered 408",
            [&](auto& s) {
                auto const end = s.connect();
                auto const began = s.on->now();
                for (std::size_t i = 0; i < begun.size(); ++i) {
                    end->write(begun.substr(i, 1));
                    s.until([] { return false; }, 10ms);
                }
                s.until([&] { return end->ended; });
                auto const took = s.on->now() - began;
                std::string fault = judge_refusal(s, *end, request_row{{}, {}, {}, {}, 408});
                if (end->status() != 408)
                    fault = "answered " + std::to_string(end->status());
                if (took < 4s || took > 6100ms)
                    fault = "it took " + std::to_string(took / 1ms) + " ms";
                end->drop();
                s.settle();
                return fault;
            });
}

BOOST_AUTO_TEST_CASE(the_servers_preference_decides_between_subprotocols)
{
    server_side<pc::server<events_app, sim, pc::compression::zstd<3>>> side;
    struct choice {
        char const *offered, *chosen;
    };
    int n = 0;
    for (choice const& c : {choice{"polycast.v1.json", "polycast.v1.json"},
                            choice{"polycast.v1.json, polycast.v1.json.zstd", "polycast.v1.json.zstd"},
                            choice{"polycast.v1.json.zstd, polycast.v1.json", "polycast.v1.json.zstd"},
                            choice{"chat, polycast.v1.json", "polycast.v1.json"},
                            choice{"polycast.v1.json\r\nSec-WebSocket-Protocol: chat", "polycast.v1.json"},
                            choice{"POLYCAST.V1.JSON", ""}, choice{"bearer.c2VjcmV0", ""},
                            choice{"bearer.c2VjcmV0, polycast.v1.json", "polycast.v1.json"}, choice{"chat", ""}})
        run(side, "10.12." + std::to_string(++n), "RFC 6455 §4.2.2",
            "of `"s + c.offered + "` the server takes `" + c.chosen + "`", [&](auto& s) {
                auto const end = s.connect();
                end->write(with("Sec-WebSocket-Protocol: "s + c.offered + "\r\n"));
                s.until([&] { return end->ended || !end->head.empty(); });
                std::string fault;
                if (end->status() != 101)
                    fault = "answered " + std::to_string(end->status());
                else if (end->field("Sec-WebSocket-Protocol") != c.chosen ||
                         end->has_field("Sec-WebSocket-Protocol") != (*c.chosen != '\0'))
                    fault = "it took " + end->field("Sec-WebSocket-Protocol");
                end->drop();
                s.settle();
                return fault;
            });
    run(side, "10.12." + std::to_string(++n), "RFC 6455 §7.4.1",
        "events in the other kind of frame are refused with 1003", [&](auto& s) {
            auto const end = s.open();
            end->write(encode(binary_of("{\"type\":\"said\"}"), true));
            auto const fault = judge_end(s, *end, 1003);
            end->drop();
            return fault;
        });
}

BOOST_AUTO_TEST_SUITE_END()
