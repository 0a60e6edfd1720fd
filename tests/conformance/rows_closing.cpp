// Section 6, the rows that are bytes; those that take time or an application are in server.cpp and client.cpp.

#include "table.hpp"

#include <string>
#include <vector>

namespace rfc {

using namespace std::string_literals;

void closings(visitor const& each)
{
    int n = 0;
    auto const number = [&](int group) { return "6." + std::to_string(group) + "." + std::to_string(++n); };
    /// The peer closes: what comes behind its close frame is never looked at.
    auto const closed = [](int code, std::string no, std::string source, std::string title, std::vector<part> sends,
                           std::size_t good = 0) {
        row r = fails(code, std::move(no), std::move(source), std::move(title), std::move(sends), good);
        return r;
    };
    char const* const source = "RFC 6455 §5.5.1";
    each(closed(1005, number(1), source, "a close frame without a body is answered by one", {frame(close)}));
    each(closed(1000, number(1), source, "a close frame with a code is answered with it", {close_of(1000)}));
    each(closed(1000, number(1), source, "a close frame with a reason is answered", {close_of(1000, "that is all")}));
    each(closed(1000, number(1), source, "a reason of 123 bytes is allowed", {close_of(1000, letters(123))}));
    each(fails(1002, number(1), "RFC 6455 §5.5", "a reason of 124 bytes makes the frame too long",
               {close_of(1000, letters(124))}));
    each(fails(1002, number(1), source, "a body of one byte is refused", {frame(close, "\x03")}));
    each(closed(1000, number(1), source, "a reason may be any text", {close_of(1000, "κόσμε \xF0\x9F\x91\x8B")}));
    n = 0;
    for (unsigned const code : {1000u, 1001u, 1002u, 1003u, 1007u, 1008u, 1009u, 1010u, 1011u, 1012u, 1013u, 1014u,
                                3000u, 3999u, 4000u, 4999u}) {
        each(closed(static_cast<int>(code), number(2), "RFC 6455 §7.4",
                    "code " + std::to_string(code) + " is answered with it", {close_of(code)}));
        each(closed(static_cast<int>(code), number(2), "RFC 6455 §7.4",
                    "code " + std::to_string(code) + " with a reason is answered with it",
                    {close_of(code, "because")}));
    }
    n = 0;
    for (unsigned const code :
         {0u, 1u, 500u, 999u, 1004u, 1005u, 1006u, 1015u, 1016u, 1100u, 1999u, 2000u, 2999u, 5000u, 32768u, 65535u}) {
        each(fails(1002, number(3), "RFC 6455 §7.4", "code " + std::to_string(code) + " is refused", {close_of(code)}));
        each(fails(1002, number(3), "RFC 6455 §7.4", "code " + std::to_string(code) + " with a reason is refused",
                   {close_of(code, "because")}));
    }
    n = 0;
    struct bad {
        char const* what;
        std::string reason;
    };
    for (bad const& b : {bad{"a surrogate", "Hello-\xED\xA0\x80"s}, bad{"an overlong form", "\xC0\xAF"s},
                         bad{"a lone continuation byte", "ok \x80"s}, bad{"half a character", "half \xE2\x82"s},
                         bad{"more than U+10FFFF", "\xF4\x90\x80\x80"s},
                         bad{"an illegal byte at its very end", letters(122) + "\xFF"}})
        each(fails(1007, number(4), "RFC 6455 §8.1", "a reason with "s + b.what + " is refused",
                   {close_of(1000, b.reason)}));
    n = 0;
    each(closed(1000, number(5), source, "text behind a close frame is ignored", {close_of(1000), text_of("late")}));
    each(closed(1000, number(5), source, "a ping behind a close frame is not answered",
                {close_of(1000), ping_of("late")}));
    each(closed(1000, number(5), source, "a second close frame is not answered", {close_of(1000), close_of(1001)}));
    each(closed(1000, number(5), source, "what is no frame, behind a close frame, changes nothing",
                {close_of(1000), as_it_is("\xFF\xFF\xFF\xFFgarbage"s)}));
    each(closed(1000, number(5), source, "a close frame inside a fragmented message ends it, the message is dropped",
                {begins("never whole"), close_of(1000), ends("too late")}));
    each(closed(1001, number(5), source, "a close frame behind fragments and a ping ends the message",
                {begins("never whole"), ping_of("before"), close_of(1001)}, 2));
    row echoed = closed(1000, number(5), source, "messages before a close frame are served",
                        {text_of("one"), ping_of("two"), binary_of("three"), close_of(1000, "done")}, 3);
    echoed.roles = of_server;  // a client need not send what it has queued when it is closed
    each(echoed);
    row failed_first =
        fails(1002, number(5), "RFC 6455 §7.1.7", "what is broken is refused before the close frame behind it is read",
              {frame(ping, "", false), close_of(1000)});
    each(failed_first);
}

}  // namespace rfc
