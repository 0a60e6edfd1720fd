// Section 5: UTF-8 (RFC 6455 §8.1, RFC 3629), with the sequences that decoders are usually tried with.

#include "table.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace rfc {

namespace {

using namespace std::string_view_literals;

/// `bad_at`: the place of the first byte that no text can go on with; -1: it is text; `open`: it is, but for its end.
struct sequence {
    std::string_view what;
    std::string_view bytes;
    int bad_at;
};
constexpr int fine = -1;
constexpr int open = -2;

sequence const sequences[] = {
    {"nothing", ""sv, fine},
    {"ASCII", "Hello, world"sv, fine},
    {"NUL and DEL", "\x00\x7F"sv, fine},
    {"Greek", "\xCE\xBA\xE1\xBD\xB9\xCF\x83\xCE\xBC\xCE\xB5"sv, fine},
    {"the first of 2 bytes, U+0080", "\xC2\x80"sv, fine},
    {"the first of 3 bytes, U+0800", "\xE0\xA0\x80"sv, fine},
    {"the first of 4 bytes, U+10000", "\xF0\x90\x80\x80"sv, fine},
    {"the last of 2 bytes, U+07FF", "\xDF\xBF"sv, fine},
    {"the last of 3 bytes, U+FFFF", "\xEF\xBF\xBF"sv, fine},
    {"the last before the surrogates, U+D7FF", "\xED\x9F\xBF"sv, fine},
    {"the first behind the surrogates, U+E000", "\xEE\x80\x80"sv, fine},
    {"the replacement character, U+FFFD", "\xEF\xBF\xBD"sv, fine},
    {"a byte order mark", "\xEF\xBB\xBF"sv, fine},
    {"the last of all, U+10FFFF", "\xF4\x8F\xBF\xBF"sv, fine},
    {"the noncharacter U+FFFE", "\xEF\xBF\xBE"sv, fine},
    {"the noncharacter U+FDD0", "\xEF\xB7\x90"sv, fine},
    {"the noncharacter U+1FFFE", "\xF0\x9F\xBF\xBE"sv, fine},
    {"the noncharacter U+1FFFF", "\xF0\x9F\xBF\xBF"sv, fine},
    {"the noncharacter U+2FFFF", "\xF0\xAF\xBF\xBF"sv, fine},
    {"the noncharacter U+7FFFE", "\xF1\xBF\xBF\xBE"sv, fine},
    {"the noncharacter U+FFFFE", "\xF3\xBF\xBF\xBE"sv, fine},
    {"the noncharacter U+10FFFE", "\xF4\x8F\xBF\xBE"sv, fine},
    {"a mixture", "a\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80z"sv, fine},
    {"a lone continuation byte, 80", "\x80"sv, 0},
    {"a lone continuation byte, BF", "\xBF"sv, 0},
    {"continuation bytes", "\x80\xBF\x80"sv, 0},
    {"a continuation byte behind ASCII", "abc\x9F"sv, 3},
    {"a continuation byte behind a character", "\xC3\xA9\x80"sv, 2},
    {"every first byte of 2 and a space", "\xC2 \xDF "sv, 1},
    {"a first byte of 3 and a space", "\xE1 "sv, 1},
    {"a first byte of 4 and a space", "\xF1 "sv, 1},
    {"3 bytes without the last", "\xE2\x82 "sv, 2},
    {"4 bytes without the last", "\xF0\x9F\x98 "sv, 3},
    {"a first byte in place of the second", "\xE2\xE2\x82\xAC"sv, 1},
    {"the byte FE", "\xFE"sv, 0},
    {"the byte FF", "\xFF"sv, 0},
    {"the bytes FE FE FF FF", "\xFE\xFE\xFF\xFF"sv, 0},
    {"the byte F5", "\xF5\x80\x80\x80"sv, 0},
    {"5 bytes", "\xF8\x88\x80\x80\x80"sv, 0},
    {"6 bytes", "\xFC\x84\x80\x80\x80\x80"sv, 0},
    {"/ in 2 bytes", "\xC0\xAF"sv, 0},
    {"/ in 3 bytes", "\xE0\x80\xAF"sv, 1},
    {"/ in 4 bytes", "\xF0\x80\x80\xAF"sv, 1},
    {"/ in 5 bytes", "\xF8\x80\x80\x80\xAF"sv, 0},
    {"/ in 6 bytes", "\xFC\x80\x80\x80\x80\xAF"sv, 0},
    {"U+007F in 2 bytes", "\xC1\xBF"sv, 0},
    {"U+07FF in 3 bytes", "\xE0\x9F\xBF"sv, 1},
    {"U+FFFF in 4 bytes", "\xF0\x8F\xBF\xBF"sv, 1},
    {"U+1FFFFF in 5 bytes", "\xF8\x87\xBF\xBF\xBF"sv, 0},
    {"U+3FFFFFF in 6 bytes", "\xFC\x83\xBF\xBF\xBF\xBF"sv, 0},
    {"U+0000 in 2 bytes", "\xC0\x80"sv, 0},
    {"U+0000 in 3 bytes", "\xE0\x80\x80"sv, 1},
    {"U+0000 in 4 bytes", "\xF0\x80\x80\x80"sv, 1},
    {"the surrogate U+D800", "\xED\xA0\x80"sv, 1},
    {"the surrogate U+DB7F", "\xED\xAD\xBF"sv, 1},
    {"the surrogate U+DB80", "\xED\xAE\x80"sv, 1},
    {"the surrogate U+DBFF", "\xED\xAF\xBF"sv, 1},
    {"the surrogate U+DC00", "\xED\xB0\x80"sv, 1},
    {"the surrogate U+DFFF", "\xED\xBF\xBF"sv, 1},
    {"a pair of surrogates", "\xED\xA0\x80\xED\xB0\x80"sv, 1},
    {"the last pair of surrogates", "\xED\xAF\xBF\xED\xBF\xBF"sv, 1},
    {"a surrogate behind Greek",
     "\xCE\xBA\xE1\xBD\xB9\xCF\x83\xCE\xBC\xCE\xB5\xED\xA0\x80"
     "edited"sv,
     12},
    {"U+110000", "\xF4\x90\x80\x80"sv, 1},
    {"U+110000 behind Greek",
     "\xCE\xBA\xF4\x90\x80\x80"
     "edited"sv,
     3},
    {"U+1FFFFF", "\xF7\xBF\xBF\xBF"sv, 0},
    {"an illegal byte behind 40 of ASCII", "0123456789012345678901234567890123456789\xFFmore"sv, 40},
    {"an end inside 2 bytes", "ab\xC3"sv, open},
    {"an end behind 1 of 3", "\xE2"sv, open},
    {"an end behind 2 of 3", "ok \xE2\x82"sv, open},
    {"an end behind 1 of 4", "\xF0"sv, open},
    {"an end behind 2 of 4", "\xF0\x9F"sv, open},
    {"an end behind 3 of 4", "\xF0\x9F\x98"sv, open},
};

/// The text in fragments, as `cuts` has it.
std::vector<part> in_fragments(std::string_view bytes, std::vector<std::size_t> const& cuts)
{
    std::vector<part> parts;
    std::size_t at = 0;
    for (std::size_t i = 0; i <= cuts.size(); ++i) {
        std::size_t const end = i == cuts.size() ? bytes.size() : cuts[i];
        parts.push_back(frame(i == 0 ? text : continuation, bytes.substr(at, end - at), i == cuts.size()));
        at = end;
    }
    return parts;
}

void of(sequence const& s, std::string const& number, visitor const& each)
{
    char const* const source = "RFC 6455 §8.1";
    bool const good = s.bad_at == fine;
    std::string const title(s.what);
    auto const say = [&](std::string no, std::string how, std::vector<part> parts, effort tries) {
        row r = good ? holds(std::move(no), source, title + how + " comes back", std::move(parts))
                     : fails(1007, std::move(no), source, title + how + " is refused", std::move(parts));
        r.tries = tries;
        each(r);
    };
    say(number + ".1", "", {text_of(s.bytes)}, effort::every_split);
    for (std::size_t at = 0; at <= s.bytes.size(); ++at)
        say(number + ".2", ", in two fragments,", in_fragments(s.bytes, {at}), effort::some_splits);
    std::vector<std::size_t> every;
    for (std::size_t at = 1; at < s.bytes.size(); ++at)
        every.push_back(at);
    say(number + ".3", ", one byte a fragment,", in_fragments(s.bytes, every), effort::some_splits);
    std::vector<part> with_pings;
    for (part& p : in_fragments(s.bytes, every)) {
        with_pings.push_back(std::move(p));
        if (!with_pings.back().fin)
            with_pings.push_back(ping_of(""));
    }
    if (good)
        say(number + ".4", ", with pings between its bytes,", with_pings, effort::some_splits);
    if (good) {
        row r =
            holds(number + ".5", source, title + " comes back as binary too", {binary_of(s.bytes), ping_of(s.bytes)});
        r.tries = effort::some_splits;
        each(r);
        return;
    }
    // What is not text may be anything else.
    row r = holds(number + ".5", source, title + " is no fault in binary, a ping or a pong",
                  {binary_of(s.bytes), ping_of(s.bytes), pong_of(s.bytes), begins(s.bytes, binary), ends(s.bytes)});
    r.tries = effort::some_splits;
    each(r);
    if (s.bad_at < 0)
        return;
    // Refused with the byte that shows it, though frame and message go on; not sooner.
    auto const until = [&](std::size_t count) {
        part p = frame(text, "ok "sv, false);
        p.payload.append(s.bytes.substr(0, count));
        p.claims = 1000;
        return p;
    };
    auto const bad = static_cast<std::size_t>(s.bad_at);
    r = fails(1007, number + ".6", source, title + " is refused as soon as it shows, inside a frame", {until(bad + 1)});
    each(r);
    r = waits(number + ".7", source, title + " is not refused before it shows", {until(bad)});
    r.tries = effort::some_splits;
    each(r);
    part second = goes_on(s.bytes.substr(0, bad + 1));
    second.claims = 1000;
    r = fails(1007, number + ".8", source, title + " is refused as soon as it shows, inside a later fragment",
              {begins("ok "), ping_of("p"), second}, 2);
    r.tries = effort::some_splits;
    each(r);
}

}  // namespace

void texts(visitor const& each)
{
    int n = 0;
    for (sequence const& s : sequences)
        of(s, "5." + std::to_string(++n), each);
    std::string long_text;
    for (int i = 0; i < 300; ++i)
        long_text += "a\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80";
    std::string const number = "5." + std::to_string(++n);
    row r = holds(number + ".1", "RFC 6455 §8.1", "3,000 bytes of text in every size of character come back",
                  {text_of(long_text)});
    r.tries = effort::some_splits;
    each(r);
    for (std::size_t const at : {1u, 1000u, 1001u, 1003u, 2999u}) {
        r = holds(number + ".2", "RFC 6455 §8.1", "the same in two fragments comes back",
                  in_fragments(long_text, {at}));
        r.tries = effort::some_splits;
        each(r);
    }
    r = fails(1007, number + ".3", "RFC 6455 §8.1", "the same without its last byte is refused",
              {text_of(std::string_view(long_text).substr(0, long_text.size() - 1))});
    r.tries = effort::some_splits;
    each(r);
    r = fails(1007, number + ".4", "RFC 6455 §8.1",
              "a message that ends inside a character is refused though another follows",
              {begins("\xE2"), ends("\x82"), text_of("\xAC")});
    each(r);
    r = holds(number + ".5", "RFC 6455 §8.1", "a character begun in one message is not owed by the next",
              {text_of("a"), begins("\xE2\x82"), ends("\xAC"), text_of("b")});
    each(r);
}

}  // namespace rfc
