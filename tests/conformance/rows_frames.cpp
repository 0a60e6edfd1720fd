// Sections 1 to 4: framing, pings, what is reserved, fragments.

#include "table.hpp"

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace rfc {

using namespace std::string_literals;

void framing(visitor const& each)
{
    std::size_t const lengths[] = {0, 1, 2, 124, 125, 126, 127, 128, 65535, 65536};
    int n = 0;
    for (std::size_t const length : lengths) {
        row r = holds("1.1." + std::to_string(++n), "RFC 6455 §5.2",
                      "text of " + std::to_string(length) + " bytes comes back", {text_of(letters(length))});
        r.tries = length == 65535 ? effort::whole_only : length > 1000 ? effort::some_splits : effort::every_split;
        each(r);
        r = holds("1.2." + std::to_string(n), "RFC 6455 §5.2",
                  "binary of " + std::to_string(length) + " bytes comes back as it was", {binary_of(noise(length))});
        r.tries = length > 1000 ? effort::whole_only : effort::every_split;
        each(r);
    }
    n = 0;
    auto const in_form = [](std::size_t length, length_form form) {
        part p = binary_of(noise(length));
        p.form = form;
        return p;
    };
    for (std::size_t const length : {0u, 1u, 125u})
        each(fails(1002, "1.3." + std::to_string(++n), "RFC 6455 §5.2",
                   "a length of " + std::to_string(length) + " in 16 bits is not minimal",
                   {in_form(length, length_form::of_16_bits)}));
    for (std::size_t const length : {0u, 1u, 125u, 126u, 300u, 65535u}) {
        row r = fails(1002, "1.3." + std::to_string(++n), "RFC 6455 §5.2",
                      "a length of " + std::to_string(length) + " in 64 bits is not minimal",
                      {in_form(length, length_form::of_64_bits)});
        r.tries = length > 1000 ? effort::whole_only : effort::every_split;
        each(r);
    }
    part top = binary_of("");
    for (std::uint64_t const claimed : {~std::uint64_t{0}, std::uint64_t{1} << 63, (std::uint64_t{1} << 63) + 5}) {
        top.claims = claimed;
        each(fails(1002, "1.3." + std::to_string(++n), "RFC 6455 §5.2",
                   "a length with the top bit set (" + std::to_string(claimed) + ") is refused", {top}));
    }
    for (std::size_t const length : {0u, 5u, 125u}) {
        part p = ping_of(letters(length));
        p.form = length_form::of_16_bits;
        each(fails(1002, "1.3." + std::to_string(++n), "RFC 6455 §5.5",
                   "a control frame whose length of " + std::to_string(length) + " is in 16 bits is refused", {p}));
        p.form = length_form::of_64_bits;
        each(fails(1002, "1.3." + std::to_string(++n), "RFC 6455 §5.5",
                   "a control frame whose length of " + std::to_string(length) + " is in 64 bits is refused", {p}));
    }
    each(holds("1.4.1", "RFC 6455 §5.6", "messages of both kinds keep their order and kind",
               {text_of("one"), binary_of("two"), text_of(""), binary_of(""), text_of("five")}));
    std::vector<part> many;
    for (int i = 0; i < 40; ++i)
        many.push_back(text_of(std::to_string(i)));
    row r = holds("1.4.2", "RFC 6455 §6.2", "forty messages back to back come back in order", std::move(many));
    each(r);
    std::string const whole = encode(text_of("cut short"), true);
    n = 0;
    for (std::size_t const at : {1u, 2u, 5u, 6u, 10u}) {
        row cut = waits("1.5." + std::to_string(++n), "RFC 6455 §5.2",
                        "the first " + std::to_string(at) + " bytes of a frame make nothing happen",
                        {as_it_is(whole.substr(0, at))});
        cut.roles = of_server;
        each(cut);
        cut.sends = {as_it_is(encode(text_of("cut short"), false).substr(0, at))};
        cut.roles = of_client;
        each(cut);
    }
}

void pings(visitor const& each)
{
    char const* const source = "RFC 6455 §5.5.2";
    each(holds("2.1", source, "an empty ping is answered by an empty pong", {ping_of("")}));
    each(holds("2.2", source, "a ping of text is answered with the same", {ping_of("Hello, world!")}));
    each(holds("2.3", source, "a ping of bytes that are no text is answered with the same",
               {ping_of("\x00\xff\xfe\xfd\xfc\xfb\x00\xff"s)}));
    each(holds("2.4", source, "a ping of 125 bytes is answered with the same", {ping_of(noise(125))}));
    each(fails(1002, "2.5", "RFC 6455 §5.5", "a ping of 126 bytes is refused", {ping_of(noise(126))}));
    each(fails(1002, "2.6", "RFC 6455 §5.5", "a pong of 126 bytes is refused", {pong_of(noise(126))}));
    each(fails(1002, "2.7", "RFC 6455 §5.5", "a ping of 65536 bytes is refused on its header",
               {as_it_is("\x89"s), as_it_is("\xFF"s)}));
    each(holds("2.8", "RFC 6455 §5.5.3", "an empty pong nobody asked for is ignored", {pong_of(""), text_of("on")}));
    each(holds("2.9", "RFC 6455 §5.5.3", "a pong with a payload nobody asked for is ignored",
               {pong_of("unsolicited"), text_of("on")}));
    each(holds("2.10", "RFC 6455 §5.5.3", "a pong nobody asked for before a ping is ignored, the ping answered",
               {pong_of("unsolicited"), ping_of("asked")}));
    each(holds("2.11", "RFC 6455 §5.5.3", "a pong nobody asked for behind a ping is ignored, the ping answered",
               {ping_of("asked"), pong_of("unsolicited"), text_of("on")}));
    std::vector<part> ten;
    for (int i = 0; i < 10; ++i)
        ten.push_back(ping_of("payload-" + std::to_string(i)));
    each(holds("2.12", source, "ten pings in a row are answered in order", ten));
    ten.insert(ten.begin() + 5, text_of("between"));
    each(holds("2.13", source, "a message between pings comes back, the pings are answered", ten));
}

void reserved(visitor const& each)
{
    char const* const source = "RFC 6455 §5.2";
    int n = 0;
    for (unsigned const rsv : {1u, 2u, 3u, 4u, 5u, 6u, 7u}) {
        auto const name = "reserved bits " + std::to_string(rsv);
        auto const number = [&] { return "3." + std::to_string(rsv) + "." + std::to_string(++n); };
        n = 0;
        for (auto const& [op, what] :
             {std::pair{text, "on text"}, std::pair{binary, "on binary"}, std::pair{ping, "on a ping"},
              std::pair{pong, "on a pong"}, std::pair{close, "on a close frame"}})
            each(fails(1002, number(), source, name + " " + what + " are refused",
                       {frame(op, op == close ? "\x03\xE8" : "small", true, rsv)}));
        each(fails(1002, number(), source, name + " on a first fragment are refused",
                   {frame(text, "first", false, rsv), ends("last")}));
        each(fails(1002, number(), source, name + " on a continuation are refused",
                   {begins("first"), frame(continuation, "last", true, rsv)}));
        each(fails(1002, number(), source, name + " behind a message and before a ping: what came before is served",
                   {text_of("before"), frame(text, "refused", true, rsv), ping_of("never")}, 1));
        each(fails(1002, number(), source, name + " are refused on the first byte of the frame",
                   {as_it_is(std::string(1, static_cast<char>(0x81 | rsv << 4)))}));
    }
    n = 0;
    for (unsigned const op : {3u, 4u, 5u, 6u, 7u, 11u, 12u, 13u, 14u, 15u}) {
        auto const name = "opcode " + std::to_string(op);
        auto const number = [&] { return "3.8." + std::to_string(++n); };
        each(fails(1002, number(), source, name + " without a payload is refused", {frame(op)}));
        each(fails(1002, number(), source, name + " with a payload is refused", {frame(op, "reserved")}));
        each(fails(1002, number(), source, name + " behind a message: what came before is served",
                   {text_of("before"), frame(op, ""), ping_of("never")}, 1));
        each(fails(1002, number(), source, name + " inside a fragmented message is refused",
                   {begins("first"), frame(op, ""), ends("last")}));
    }
}

void fragments(visitor const& each)
{
    char const* const source = "RFC 6455 §5.4";
    int n = 0;
    auto const number = [&](int group) { return "4." + std::to_string(group) + "." + std::to_string(++n); };
    for (auto const& [op, what] : {std::pair{ping, "ping"}, std::pair{pong, "pong"}, std::pair{close, "close frame"}}) {
        each(fails(1002, number(1), "RFC 6455 §5.5", what + " without the end bit is refused"s,
                   {frame(op, op == close ? "\x03\xE8" : "part", false), ends("rest")}));
        each(fails(1002, number(1), "RFC 6455 §5.5", what + " without the end bit is refused on its first byte"s,
                   {as_it_is(std::string(1, static_cast<char>(op)))}));
    }
    n = 0;
    for (unsigned const op : {unsigned{text}, unsigned{binary}}) {
        auto const kind = op == text ? "text"s : "binary"s;
        each(holds(number(2), source, kind + " in two fragments comes back as one message",
                   {begins("first, ", op), ends("last")}));
        std::vector<part> letters_one_by_one;
        std::string const all = "one byte a fragment";
        for (std::size_t i = 0; i < all.size(); ++i)
            letters_one_by_one.push_back(
                frame(i == 0 ? op : unsigned{continuation}, all.substr(i, 1), i + 1 == all.size()));
        each(
            holds(number(2), source, kind + " in fragments of one byte comes back as one message", letters_one_by_one));
        each(holds(number(2), source, kind + " in empty fragments is an empty message",
                   {begins("", op), goes_on(""), ends("")}));
        each(holds(number(2), source, kind + " with empty fragments before, between and behind comes back",
                   {begins("", op), goes_on("mid"), goes_on(""), goes_on("dle"), ends("")}));
        std::string const big = op == text ? letters(65536) : noise(65536);
        row wide = holds(number(2), source, kind + " in fragments of 125, 126 and 65536 bytes comes back",
                         {begins(big.substr(0, 125), op), goes_on(big.substr(0, 126)), goes_on(big), ends("end")});
        wide.tries = effort::whole_only;
        each(wide);
        std::vector<part> many{begins("0", op)};
        for (int i = 1; i < 200; ++i)
            many.push_back(goes_on(std::to_string(i)));
        many.push_back(ends("."));
        row r = holds(number(2), source, kind + " in two hundred fragments comes back", std::move(many));
        r.tries = effort::some_splits;
        each(r);
    }
    n = 0;
    each(holds(number(3), source, "a ping between two fragments is answered, the message comes back whole",
               {begins("first, "), ping_of("between"), ends("last")}));
    each(holds(number(3), source, "pings between all of five fragments are answered",
               {begins("1"), ping_of("a"), goes_on("2"), ping_of("b"), goes_on("3"), ping_of("c"), goes_on("4"),
                ping_of("d"), ends("5")}));
    each(holds(number(3), source, "a pong between two fragments is ignored",
               {begins("first, "), pong_of("between"), ends("last")}));
    each(holds(number(3), source, "empty control frames between empty fragments",
               {begins(""), ping_of(""), pong_of(""), ends("")}));
    row answered = waits(number(3), source, "a ping inside a message is answered before the message is whole",
                         {begins("first, "), ping_of("between")});
    answered.pongs = {"between"};
    each(answered);
    n = 0;
    for (bool const fin : {true, false}) {
        auto const which = fin ? "a continuation that ends"s : "a continuation that goes on"s;
        each(fails(1002, number(4), source, which + " nothing that began is refused",
                   {frame(continuation, "what?", fin)}));
        each(fails(1002, number(4), source, which + " nothing, without a payload, is refused",
                   {frame(continuation, "", fin)}));
        each(fails(1002, number(4), source, which + " behind a whole message is refused, the message comes back",
                   {text_of("whole"), frame(continuation, "more", fin), text_of("never")}, 1));
        each(fails(1002, number(4), source, which + " behind a fragmented message is refused, the message comes back",
                   {begins("wh"), ends("ole"), frame(continuation, "more", fin)}, 2));
    }
    n = 0;
    for (unsigned const op : {unsigned{text}, unsigned{binary}})
        for (bool const fin : {true, false}) {
            auto const what = (op == text ? "text"s : "binary"s) + (fin ? "" : " that is to be continued");
            each(fails(1002, number(5), source, what + " inside a fragmented message is refused",
                       {begins("first"), frame(op, "intruder", fin), ends("last")}));
            each(fails(1002, number(5), source, what + " inside a fragmented message, behind a ping, is refused",
                       {begins("first", binary), ping_of("p"), frame(op, "intruder", fin)}, 2));
        }
    each(holds(
        number(5), source, "fragmented messages follow each other",
        {begins("a"), ends("b"), begins("c", binary), goes_on("d"), ends("e"), text_of("f"), begins("g"), ends("h")}));
    each(waits(number(5), source, "a message whose last fragment is missing makes nothing happen",
               {begins("first"), goes_on("second")}));
}

void sizes(visitor const& each)
{
    char const* const source = "RFC 6455 §10.4";
    int n = 0;
    auto const number = [&](int group) { return "8." + std::to_string(group) + "." + std::to_string(++n); };
    auto const coarse = [](row r, effort tries = effort::whole_only) {
        r.tries = tries;
        return r;
    };
    auto const narrow = [](row r, unsigned roles = of_both) {
        r.within = limits::narrow;
        r.roles = roles;
        return r;
    };
    for (std::size_t const kib : {64u, 256u, 1024u, 4096u, 8192u, 16384u}) {
        auto const size = std::to_string(kib) + " KiB";
        each(coarse(
            holds(number(1), "RFC 6455 §5.2", "text of " + size + " comes back", {text_of(letters(kib * 1024))})));
        each(coarse(
            holds(number(1), "RFC 6455 §5.2", "binary of " + size + " comes back", {binary_of(noise(kib * 1024))})));
    }
    n = 0;
    for (std::size_t const bytes : {64u, 256u, 1024u, 4096u, 16384u, 65536u, 262144u}) {
        std::string const all = letters(1024 * 1024);
        std::vector<part> parts;
        for (std::size_t at = 0; at < all.size(); at += bytes)
            parts.push_back(frame(at == 0 ? text : continuation, std::string_view(all).substr(at, bytes),
                                  at + bytes >= all.size()));
        each(coarse(holds(number(2), "RFC 6455 §5.4",
                          "text of 1 MiB in fragments of " + std::to_string(bytes) + " bytes comes back",
                          std::move(parts))));
    }
    n = 0;
    for (std::size_t const bytes : {0u, 16u, 64u, 256u, 1024u}) {
        std::vector<part> parts(1000, text_of(letters(bytes)));
        each(coarse(holds(number(3), "RFC 6455 §6.2",
                          "a thousand messages of " + std::to_string(bytes) + " bytes come back", std::move(parts))));
        std::vector<part> others(1000, binary_of(noise(bytes)));
        each(coarse(holds(number(3), "RFC 6455 §6.2",
                          "a thousand binary messages of " + std::to_string(bytes) + " bytes come back",
                          std::move(others))));
    }
    // Limits: `narrow` takes messages of 1,000 bytes; the server takes frames of 500 bytes and 8 fragments.
    n = 0;
    auto const claiming = [](std::uint64_t length, bool fin = true, unsigned op = binary) {
        part p = frame(op, "", fin);
        p.claims = length;
        return p;
    };
    for (std::uint64_t const length :
         {std::uint64_t{1001}, std::uint64_t{65535}, std::uint64_t{65536}, std::uint64_t{1} << 32,
          (std::uint64_t{1} << 62) - 1, (std::uint64_t{1} << 63) - 1})
        each(
            narrow(fails(1009, number(4), source,
                         "a claim of " + std::to_string(length) + " bytes is refused on the header, before any payload",
                         {claiming(length)})));
    for (std::uint64_t const length : {std::uint64_t{1} << 32, (std::uint64_t{1} << 63) - 1}) {
        each(fails(1009, number(4), source,
                   "a claim of " + std::to_string(length) + " bytes is refused under large limits too",
                   {claiming(length)}));
        each(fails(1009, number(4), source,
                   "a first fragment that claims " + std::to_string(length) + " bytes is refused",
                   {claiming(length, false, text)}));
    }
    std::string const half = letters(500);
    each(narrow(holds(number(4), source, "a message at the limit, in frames at the limit, comes back",
                      {begins(half), ends(half)})));
    each(narrow(fails(1009, number(4), source,
                      "a message that grows over the limit is refused on the header of the frame",
                      {begins(half), goes_on(half), claiming(1, true, continuation)}, 2)));
    each(narrow(holds(number(4), source, "the limit is that of a message, not of a connection",
                      {text_of(half), text_of(half), text_of(half), begins(half), ends(half)})));
    each(narrow(fails(1009, number(4), source, "a frame over the limit of frames is refused on its header",
                      {text_of(half), claiming(501, true, text)}, 1),
                of_server));
    each(narrow(fails(1009, number(4), source, "a continuation that wraps the sum of lengths is refused",
                      {begins(half), claiming((std::uint64_t{1} << 63) - 1, true, continuation)})));
    std::vector<part> eight{begins("0")};
    for (int i = 1; i < 7; ++i)
        eight.push_back(goes_on(std::to_string(i)));
    std::vector<part> nine = eight;
    eight.push_back(ends("7"));
    each(narrow(holds(number(4), source, "a message with as many fragments as are allowed comes back", eight),
                of_server));
    nine.push_back(goes_on(""));
    nine.push_back(ends(""));
    each(narrow(fails(1009, number(4), source, "a message with one fragment more than is allowed is refused", nine),
                of_server));
    std::vector<part> empties(70'000, goes_on(""));
    empties.front() = begins("");
    row endless = fails(1009, number(4), source, "empty fragments without end are refused", std::move(empties));
    endless.tries = effort::whole_only;
    each(endless);
}

void maskings(visitor const& each)
{
    auto const keyed = [](std::uint32_t key, std::string_view payload) {
        part p = text_of(payload);
        p.key = key;
        return p;
    };
    int n = 0;
    auto const number = [&] { return "9.1." + std::to_string(++n); };
    for (auto const& [op, what] : {std::pair{text, "text"}, std::pair{binary, "binary"}, std::pair{ping, "a ping"},
                                   std::pair{pong, "a pong"}, std::pair{close, "a close frame"}}) {
        part p = frame(op, op == close ? "\x03\xE8" : "payload");
        p.wrongly_masked = true;
        row r = fails(1002, number(), "RFC 6455 §5.1", what + " from a client that is not masked is refused"s, {p});
        r.roles = of_server;
        each(r);
        r = fails(1002, number(), "RFC 6455 §5.1", what + " from a server that is masked is refused"s, {p});
        r.roles = of_client;
        each(r);
        p.payload.clear();
        r = fails(1002, number(), "RFC 6455 §5.1", what + " without a payload and not masked is refused"s, {p});
        r.roles = of_server;
        each(r);
        r = fails(1002, number(), "RFC 6455 §5.1", what + " without a payload and masked is refused by a client"s, {p});
        r.roles = of_client;
        each(r);
    }
    row mid = fails(1002, number(), "RFC 6455 §5.1", "masking that changes inside a message is refused",
                    {begins("first"), ends("last")});
    mid.sends.back().wrongly_masked = true;
    each(mid);
    for (std::uint32_t const key : {0u, 0xFFFF'FFFFu, 1u, 0x8000'0000u}) {
        row r = holds(number(), "RFC 6455 §5.3", "a key of " + std::to_string(key) + " is as good as any",
                      {keyed(key, "as good as any"), keyed(key, ""), keyed(key, "again")});
        r.roles = of_server;
        each(r);
    }
    std::vector<part> keys{begins("a first, ")};
    keys[0].key = 0x0102'0304;
    keys.push_back(ping_of("with a key of its own"));
    keys[1].key = 0xA0B0'C0D0;
    keys.push_back(ends("and a last"));
    keys[2].key = 0x1122'3344;
    row r = holds(number(), "RFC 6455 §5.3", "each frame of a message is unmasked with its own key", std::move(keys));
    r.roles = of_server;
    each(r);
}

}  // namespace rfc
