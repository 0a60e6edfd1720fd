// Section 7, the rows that are bytes: what is said once permessage-deflate is agreed on (RFC 7692). Every message is
// compressed for itself, so that the rows hold whatever was agreed.

#include "table.hpp"
#include "zlib_peer.hpp"

#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace rfc {

#if POLYCAST_WITH_ZLIB
namespace {

using namespace std::string_literals;

constexpr unsigned rsv1 = 4;

/// Whatever is asked for again is not compressed again.
std::string const& deflated(std::string const& plain)
{
    static std::map<std::string, std::string> all;
    auto const [at, anew] = all.try_emplace(plain);
    if (anew)
        at->second = zlib_peer({15, true}, {15, true}).compress(plain);
    return at->second;
}
row speaks(std::string number, std::string source, std::string title, std::vector<part> sends,
           std::vector<message> expected)
{
    row r{std::move(number), std::move(source), std::move(title), std::move(sends)};
    r.messages = std::move(expected);
    return r;
}
/// `payload` as the frames of one compressed message, of `bytes` each.
std::vector<part> in_frames(unsigned op, std::string_view payload, std::size_t bytes)
{
    std::vector<part> parts;
    for (std::size_t at = 0; at == 0 || at < payload.size(); at += bytes)
        parts.push_back(frame(at == 0 ? op : unsigned{continuation}, payload.substr(at, bytes),
                              at + bytes >= payload.size(), at == 0 ? rsv1 : 0));
    return parts;
}

}  // namespace

void compressed(visitor const& each)
{
    int n = 0;
    auto const number = [&](int group) { return "7." + std::to_string(group) + "." + std::to_string(++n); };
    auto const frame_of = [](std::string_view payload, unsigned op = text) { return frame(op, payload, true, rsv1); };
    // The examples of the RFC, §7.2.3.
    struct example {
        char const *source, *what;
        std::string payload;
        std::string says;
    };
    for (example const& e :
         {example{"RFC 7692 §7.2.3.1", "one block", "\xf2\x48\xcd\xc9\xc9\x07\x00"s, "Hello"},
          example{"RFC 7692 §7.2.3.3", "a block that is not compressed",
                  "\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00"s, "Hello"},
          example{"RFC 7692 §7.2.3.4", "a final block and an empty one", "\xf3\x48\xcd\xc9\xc9\x07\x00\x00"s, "Hello"},
          example{"RFC 7692 §7.2.3.5", "two blocks", "\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00"s, "Hello"},
          example{"RFC 7692 §7.2.3.6", "an empty message", "\x00"s, ""},
          example{"RFC 7692 §7.2.3.4", "a final block and nothing behind it", "\xf3\x48\xcd\xc9\xc9\x07\x00"s, "Hello"},
          example{"RFC 7692 §7.2.3.6", "an empty block of fixed codes", "\x02\x00"s, ""},
          example{"RFC 7692 §7.2.1", "many empty blocks", "\x00\x00\x00\xff\xff\x00\x00\x00\xff\xff\x02\x00"s, ""}}) {
        each(speaks(number(2), e.source, "the RFC's example of "s + e.what + " is understood", {frame_of(e.payload)},
                    {{text, e.says}}));
        for (std::size_t at = 1; at < e.payload.size(); ++at) {
            row r = speaks("7.2." + std::to_string(n) + ".1", "RFC 7692 §6.1", "the same in two frames is understood",
                           {frame(text, e.payload.substr(0, at), false, rsv1), ends(e.payload.substr(at))},
                           {{text, e.says}});
            r.tries = effort::some_splits;
            each(r);
        }
    }
    n = 0;
    for (std::size_t const size :
         {0u,    1u,    2u,     16u,    64u,    125u,    126u,     127u,     128u,     256u,
          1000u, 4096u, 16384u, 65535u, 65536u, 131072u, 1048576u, 4194304u, 8388608u, 16777216u}) {
        auto const say = [&](unsigned op, std::string plain, char const* what) {
            row r = speaks(number(3), "RFC 7692 §6", what + std::to_string(size) + " bytes comes back",
                           {frame_of(deflated(plain), op)}, {});
            r.messages.push_back({op, std::move(plain)});
            r.tries = size <= 256 ? effort::every_split : size <= 16384 ? effort::some_splits : effort::whole_only;
            each(r);
        };
        say(text, letters(size), "compressed text of ");
        if (size <= 1048576)
            say(binary, noise(size), "compressed binary of ");
    }
    n = 0;
    std::string const big = letters(200'000) + hex(noise(100'000));
    for (std::size_t const bytes : {64u, 256u, 1024u, 4096u, 65536u}) {
        row r = speaks(number(4), "RFC 7692 §6.1",
                       "a compressed message in frames of " + std::to_string(bytes) + " bytes comes back",
                       in_frames(text, deflated(big), bytes), {{text, big}});
        r.tries = effort::whole_only;
        each(r);
    }
    std::string const small = "compressed, compressed, compressed";
    each(speaks(number(4), "RFC 7692 §6.1", "a compressed message in frames of one byte comes back",
                in_frames(binary, deflated(small), 1), {{binary, small}}));
    each(speaks(number(4), "RFC 7692 §6.1", "empty frames before and behind a compressed payload do no harm",
                {frame(text, "", false, rsv1), goes_on(deflated(small)), ends("")}, {{text, small}}));
    row pinged =
        speaks(number(4), "RFC 7692 §6.1", "control frames between the frames of a compressed message are answered",
               in_frames(text, deflated(small), 5), {{text, small}});
    pinged.sends.insert(pinged.sends.begin() + 1, ping_of("as it is"));
    pinged.pongs = {"as it is"};
    each(pinged);
    each(speaks(number(4), "RFC 7692 §6", "a message may be compressed or not, each for itself",
                {text_of("plain"), frame_of(deflated(small)), text_of(""), frame_of(deflated("b"), binary),
                 begins("fragments "), ends("too")},
                {{text, "plain"}, {text, small}, {text, ""}, {binary, "b"}, {text, "fragments too"}}));
    each(speaks(number(4), "RFC 7692 §6", "a plain message may look like a compressed one",
                {binary_of(deflated(small)), frame_of(deflated(small), binary)},
                {{binary, deflated(small)}, {binary, small}}));
    n = 0;
    char const* const bits = "RFC 7692 §6.1";
    each(fails(1002, number(5), bits, "RSV1 on a continuation is refused",
               {frame(text, "\xf2", false, rsv1), frame(continuation, "\x48", true, rsv1)}));
    each(fails(1002, number(5), bits, "RSV1 on the continuation of a plain message is refused",
               {begins("plain"), frame(continuation, "\x48", true, rsv1)}));
    for (auto const& [op, what] :
         {std::pair{ping, "a ping"}, std::pair{pong, "a pong"}, std::pair{close, "a close frame"}})
        each(fails(1002, number(5), bits, "RSV1 on "s + what + " is refused",
                   {frame(op, op == close ? "\x03\xE8" : "x", true, rsv1)}));
    for (unsigned const rsv : {1u, 2u, 3u, 5u, 6u, 7u})
        each(fails(1002, number(5), "RFC 6455 §5.2",
                   "reserved bits " + std::to_string(rsv) + " are refused though RSV1 has a meaning",
                   {frame(text, deflated(small), true, rsv)}));
    each(fails(1002, number(5), "RFC 6455 §5.4", "a compressed message inside a fragmented one is refused",
               {begins("plain"), frame_of(deflated(small))}));
    each(
        fails(1002, number(5), "RFC 6455 §5.2", "a reserved opcode with RSV1 is refused", {frame(3, "x", true, rsv1)}));
    n = 0;
    char const* const content = "RFC 7692 §7.2.2";
    struct broken {
        char const* what;
        std::string payload;
    };
    std::string const whole = deflated(letters(500) + hex(noise(100)));
    for (broken const& b :
         {broken{"that is no deflate", "\xFF\xFF\xFF\xFF garbage"s}, broken{"with a reserved kind of block", "\x07"s},
          broken{"with a wrong check of a stored block", "\x00\x05\x00\xfa\xfe\x48\x65\x6c\x6c\x6f\x00"s},
          broken{"cut short", whole.substr(0, whole.size() / 2)},
          broken{"without its last byte", whole.substr(0, whole.size() - 2)},
          broken{"with garbage behind its final block", "\xf3\x48\xcd\xc9\xc9\x07\x00\xFF\xFF\xFF"s},
          broken{"with more text behind its final block", "\xf3\x48\xcd\xc9\xc9\x07\x00 and so on and on"s},
          broken{"that refers to what was never said", "\xf2\x00\x11\x00\x00"s},
          broken{"with a stored block that is not whole", "\x00\x05\x00\xfa\xff\x48\x65"s}}) {
        each(fails(1007, number(6), content, "a payload "s + b.what + " is refused", {frame_of(b.payload, binary)}));
        if (std::string_view(b.what).starts_with("that refers"))
            continue;  // with something before it, it may well mean that
        row r = fails(1007, number(6), content, "a payload "s + b.what + " is refused behind messages that were served",
                      {frame_of(deflated("served")), text_of("served too"), frame_of(b.payload)});
        r.messages = {{text, "served"}, {text, "served too"}};
        each(r);
    }
    n = 0;
    for (auto const& [what, bad] :
         {std::pair{"a surrogate", "ok \xED\xA0\x80"s}, std::pair{"an overlong form", "\xC0\xAF"s},
          std::pair{"a lone continuation byte", "\x80"s}, std::pair{"half a character at its end", "half \xE2\x82"s}}) {
        each(fails(1007, number(7), "RFC 6455 §8.1", "compressed text with "s + what + " is refused",
                   {frame_of(deflated(bad))}));
        each(speaks(number(7), "RFC 6455 §8.1", "compressed binary with "s + what + " comes back",
                    {frame_of(deflated(bad), binary)}, {{binary, bad}}));
    }
    n = 0;
    auto const narrow = [](row r) {
        r.within = limits::narrow;
        return r;
    };
    each(narrow(speaks(number(8), "RFC 6455 §10.4", "a message that inflates to the limit comes back",
                       {frame_of(deflated(letters(1000)))}, {{text, letters(1000)}})));
    each(narrow(fails(1009, number(8), "RFC 6455 §10.4", "a message that inflates to one byte more is refused",
                      {frame_of(deflated(letters(1001)))})));
    each(narrow(fails(1009, number(8), "RFC 6455 §10.4", "a message of 100 bytes that inflates to 64 KiB is refused",
                      {frame_of(deflated(std::string(65536, 'b')), binary)})));
    static std::string const sixty_four_mib = zlib_peer({15, true}, {15, true}, 9).compress(std::string(64 << 20, 'b'));
    row bomb = fails(1009, number(8), "RFC 6455 §10.4", "a message of 64 KiB that inflates to 64 MiB is refused",
                     {frame_of(sixty_four_mib, binary)});
    bomb.tries = effort::whole_only;
    each(bomb);
    part claim = frame(binary, "", true, rsv1);
    claim.claims = std::uint64_t{1} << 40;
    each(fails(1009, number(8), "RFC 6455 §10.4", "a compressed frame that claims a terabyte is refused on its header",
               {claim}));
}

#else
void compressed(visitor const&)
{
}
#endif

}  // namespace rfc
