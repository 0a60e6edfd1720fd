// What both ends of a benchmark agree on: the opening handshake, the payload, and how client frames look.
// Shared by the load generator and raw_epoll, the reference server that answers from a can.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace load {

// The example key of RFC 6455 §1.3: with one key for every connection the right answer is a constant, so checking
// it costs the generator no SHA-1.
inline constexpr std::string_view handshake_request =
    "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
inline std::string make_handshake_request(std::string_view offers)
{
    std::string request(handshake_request);
    if (!offers.empty())
        request.insert(request.size() - 2, "Sec-WebSocket-Protocol: " + std::string(offers) + "\r\n");
    return request;
}
inline constexpr std::string_view handshake_accept = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

enum class opcode : std::uint8_t { continuation = 0, text = 1, binary = 2, close = 8, ping = 9, pong = 10 };

/// `bytes` printable characters that begin with `prefix`. The period of 61 shows a chunk that slipped by a power of two.
inline std::string make_payload(std::string_view prefix, std::size_t bytes)
{
    std::string payload(prefix);
    while (payload.size() < bytes)
        payload.push_back(static_cast<char>('0' + payload.size() % 61));
    payload.resize(bytes);
    return payload;
}

inline void append_frame_header(std::string& out, opcode op, std::size_t payload_bytes, bool masked)
{
    auto const mask_bit = masked ? 0x80u : 0u;
    out.push_back(static_cast<char>(0x80u | static_cast<unsigned>(op)));
    int length_bytes = 0;
    if (payload_bytes < 126) {
        out.push_back(static_cast<char>(mask_bit | payload_bytes));
    } else {
        length_bytes = payload_bytes < 65536 ? 2 : 8;
        out.push_back(static_cast<char>(mask_bit | (length_bytes == 2 ? 126u : 127u)));
    }
    while (length_bytes-- > 0)
        out.push_back(static_cast<char>(payload_bytes >> (8 * length_bytes)));
}

/// A whole client frame. The key repeats from frame to frame, which servers cannot know; it is not zero, because a
/// server might skip unmasking with a zero key.
inline std::string make_client_frame(opcode op, std::string_view payload)
{
    constexpr unsigned char key[4] = {0x37, 0xfa, 0x21, 0x3d};
    std::string frame;
    append_frame_header(frame, op, payload.size(), true);
    frame.append(reinterpret_cast<char const*>(key), sizeof key);
    for (std::size_t i = 0; i < payload.size(); ++i)
        frame.push_back(static_cast<char>(static_cast<unsigned char>(payload[i]) ^ key[i % 4]));
    return frame;
}

inline std::string make_server_frame(opcode op, std::string_view payload)
{
    std::string frame;
    append_frame_header(frame, op, payload.size(), false);
    frame.append(payload);
    return frame;
}

}  // namespace load
