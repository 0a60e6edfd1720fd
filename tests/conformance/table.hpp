#pragma once

// The table: what must hold of a WebSocket endpoint, by number, with the section of the RFC it comes from. A row is data;
// the engines (server.cpp, client.cpp) say the same bytes to a polycast server and to a polycast client.
//
//  1 framing             6 closing
//  2 pings and pongs     7 permessage-deflate
//  3 reserved bits, opcodes   8 sizes and limits
//  4 fragments           9 masking
//  5 text               10 handshake, server   11 handshake, client

#include "wire.hpp"

#include <cstdint>
#include <functional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace rfc {

enum role : unsigned { of_server = 1, of_client = 2, of_both = 3 };

/// `narrow`: messages of 1,000 bytes at most; the server also takes frames of 500 bytes and 8 fragments at most.
enum class limits : std::uint8_t { wide, narrow };

/// In how many ways the bytes are delivered; see `deliveries`.
enum class effort : std::uint8_t {
    every_split,  ///< whole, byte by byte, and in two at every place
    some_splits,  ///< whole, byte by byte, and in two at places near each header
    whole_only,
};

struct row {
    std::string number, source, title;
    std::vector<part> sends;
    std::vector<message> messages{};   ///< what is echoed
    std::vector<std::string> pongs{};  ///< where the connection fails, the last may be missing
    int closes_with = 0;               ///< 1005: without a code; 0: stays open, until the test's end closes with 1000
    bool waits = false;                ///< the bytes end in mid-air: nothing may be said yet
    unsigned roles = of_both;
    limits within = limits::wide;
    effort tries = effort::every_split;
};
using visitor = std::function<void(row const&)>;

/// What a sound end makes of the first `count` of `parts`: messages and pongs.
inline void expect(row& r, std::size_t count)
{
    message now{};
    for (part const& p : r.sends) {
        if (count-- == 0)
            break;
        if (p.op == ping)
            r.pongs.push_back(p.payload);
        if (p.op > binary)
            continue;
        if (p.op != continuation)
            now = {p.op, {}};
        now.payload += p.payload;
        if (p.fin)
            r.messages.push_back(now);
    }
}
/// A row of legal frames: every message comes back, every ping is answered.
inline row holds(std::string number, std::string source, std::string title, std::vector<part> sends)
{
    row r{std::move(number), std::move(source), std::move(title), std::move(sends)};
    expect(r, r.sends.size());
    return r;
}
/// A row whose parts behind the first `good` end the connection.
inline row fails(int code, std::string number, std::string source, std::string title, std::vector<part> sends,
                 std::size_t good = 0)
{
    row r{std::move(number), std::move(source), std::move(title), std::move(sends)};
    r.closes_with = code;
    expect(r, good);
    return r;
}
/// A row that ends before anything can be said of it.
inline row waits(std::string number, std::string source, std::string title, std::vector<part> sends)
{
    row r{std::move(number), std::move(source), std::move(title), std::move(sends)};
    r.waits = true;
    return r;
}

// The sections, each a file of rows.
void framing(visitor const& each);     // 1
void pings(visitor const& each);       // 2
void reserved(visitor const& each);    // 3
void fragments(visitor const& each);   // 4
void texts(visitor const& each);       // 5
void closings(visitor const& each);    // 6
void compressed(visitor const& each);  // 7, with permessage-deflate agreed; nothing without zlib
void sizes(visitor const& each);       // 8
void maskings(visitor const& each);    // 9

/// `length` bytes of text, the same each time.
inline std::string letters(std::size_t length)
{
    std::string out(length, ' ');
    for (std::size_t i = 0; i < length; ++i)
        out[i] = static_cast<char>('a' + i % 23);
    return out;
}
/// `length` bytes of every value, the same each time.
inline std::string noise(std::size_t length)
{
    std::string out(length, ' ');
    std::uint32_t state = 1;
    for (char& c : out) {
        state = state * 1664525 + 1013904223;
        c = static_cast<char>(state >> 24);
    }
    return out;
}
inline std::string hex(std::string_view bytes)
{
    std::string out;
    for (char const c : bytes) {
        out += "0123456789ABCDEF"[static_cast<unsigned char>(c) >> 4];
        out += "0123456789ABCDEF"[static_cast<unsigned char>(c) & 15];
    }
    return out;
}

/// Where a row was run.
enum class arena : std::uint8_t { server_simulated, server_tcp, client_simulated, client_tcp };
inline constexpr std::size_t arenas = 4;

/// One delivery of one row, and what was wrong with it (empty: nothing). Printed at the end, all of it or, by section,
/// the sums.
void record(std::string_view number, std::string_view source, std::string_view title, arena where,
            std::string_view delivered, std::string_view fault);

}  // namespace rfc
