#pragma once

#include <cstdint>

namespace polycast::inline v0 {

/// What a frame carries (RFC 6455 §5.2). The values between are reserved; a peer that sends one is refused.
enum class opcode : std::uint8_t {
    continuation = 0x0,
    text = 0x1,
    binary = 0x2,
    close = 0x8,
    ping = 0x9,
    pong = 0xA,
};

/// Which end we are. A server receives masked frames and sends unmasked ones; a client the other way round
/// (RFC 6455 §5.1).
enum class role : std::uint8_t { server, client };

/// A whole message that an application may send: text or binary.
[[nodiscard]] constexpr bool is_data(opcode op) noexcept
{
    return op == opcode::text || op == opcode::binary;
}

/// Control frames may stand between the fragments of a message (RFC 6455 §5.5).
[[nodiscard]] constexpr bool is_control(opcode op) noexcept
{
    return (static_cast<unsigned>(op) & 0x8U) != 0;
}

}  // namespace polycast::inline v0
