// What both ends of a measurement agree on: the opening handshake, the payload, and how frames look. Made of polycast's
// handshake and frame rooms; the reference server of the benchmark, which answers from a can, reads it too.
#pragma once

#include <polycast/frame/header.hpp>
#include <polycast/frame/mask.hpp>
#include <polycast/frame/opcode.hpp>
#include <polycast/handshake/accept_key.hpp>
#include <polycast/handshake/client_upgrade.hpp>

#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>

namespace load {

namespace pc = polycast;
using pc::opcode;

// The example key of RFC 6455 §1.3. One key for every connection makes the right answer a constant, which a reference
// server can keep in its can.
inline constexpr std::string_view handshake_key = "dGhlIHNhbXBsZSBub25jZQ==";
inline constexpr pc::accept_value handshake_accept_value = pc::accept_key(handshake_key);
inline constexpr std::string_view handshake_accept{handshake_accept_value.data(), handshake_accept_value.size()};
static_assert(handshake_accept == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");

/// `subprotocol`, `extensions`: empty for none.
inline pc::client_offer make_offer(std::string_view host, std::string_view subprotocol, std::string_view extensions)
{
    pc::client_offer offer;
    offer.host = host;
    handshake_key.copy(offer.key.data(), offer.key.size());
    if (!subprotocol.empty())
        offer.subprotocols.emplace_back(subprotocol);
    offer.extensions = extensions;
    return offer;
}

inline std::string make_handshake_request(pc::client_offer const& offer)
{
    std::string request;
    if (auto const ec = pc::make_request(offer, request))
        throw std::system_error(ec, "handshake");
    return request;
}
inline std::string make_handshake_request(std::string_view subprotocol)
{
    return make_handshake_request(make_offer("127.0.0.1", subprotocol, {}));
}

/// `bytes` printable characters that begin with `prefix`. The period of 61 shows a chunk that slipped by a power of two.
inline std::string make_payload(std::string_view prefix, std::size_t bytes)
{
    std::string payload(prefix);
    payload.reserve(bytes);
    while (payload.size() < bytes)
        payload.push_back(static_cast<char>('0' + payload.size() % 61));
    payload.resize(bytes);
    return payload;
}

/// `bytes` characters of text as agents write it, which stands in JSON as it is: for what is compressed on the way.
inline std::string make_prose(std::size_t bytes)
{
    static constexpr std::string_view words[] = {
        "the",    "request", "fails", "because", "handler", "returns", "before", "socket",
        "is",     "closed;", "next",  "step:",   "read",    "tests",   "and",    "compare",
        "output", "with",    "line",  "of",      "a",       "log",     "that",   "names",
    };
    std::string text;
    for (std::uint32_t state = 1; text.size() < bytes;) {
        state = state * 1664525 + 1013904223;  // Numerical Recipes' generator: the same text on every machine
        text += words[(state >> 16) % std::size(words)];
        text += ' ';
        if ((state >> 24) % 7 == 0)
            text += std::to_string(state >> 20) + ' ';
    }
    text.resize(bytes);
    return text;
}

/// Appends a whole frame. As a client's it is masked. Its key repeats from frame to frame, which servers cannot know; it
/// is not zero, because a server might skip unmasking with a zero key.
inline void append_frame(std::string& out, pc::role from, opcode op, std::string_view payload)
{
    bool const masked = from == pc::role::client;
    pc::frame_header const header{.op = op, .masked = masked, .key = 0x3d21fa37, .payload_bytes = payload.size()};
    char head[pc::max_header_bytes];
    out.append(head, pc::encode_header(head, header));
    auto const at = out.size();
    out.append(payload);
    if (masked)
        pc::unmask({out.data() + at, payload.size()}, header.key);  // its own inverse
}

inline std::string make_client_frame(opcode op, std::string_view payload)
{
    std::string frame;
    append_frame(frame, pc::role::client, op, payload);
    return frame;
}

inline std::string make_server_frame(opcode op, std::string_view payload)
{
    std::string frame;
    append_frame(frame, pc::role::server, op, payload);
    return frame;
}

}  // namespace load
