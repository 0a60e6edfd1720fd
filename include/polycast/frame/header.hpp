#pragma once

#include <polycast/detail/endian.hpp>
#include <polycast/frame/error.hpp>
#include <polycast/frame/mask.hpp>
#include <polycast/frame/opcode.hpp>

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace polycast::inline v0 {

/// 2 fixed + 8 extended length + 4 masking key (RFC 6455 §5.2).
inline constexpr std::size_t max_header_bytes = 2 + 8 + 4;

/// The most that a control frame carries (RFC 6455 §5.5).
inline constexpr std::size_t max_control_payload_bytes = 125;

/// What stands before the payload of a frame (RFC 6455 §5.2).
struct frame_header {
    opcode op = opcode::binary;
    bool fin = true;      ///< the last frame of its message
    bool rsv1 = false;    ///< the message is compressed (RFC 7692 §6)
    bool masked = false;  ///< `key` is meant
    masking_key key = 0;
    std::uint64_t payload_bytes = 0;
};

/// `consumed_bytes` is 0 when the input ends before the header does, and when there is an `error`.
struct decoded_header {
    std::size_t consumed_bytes = 0;
    std::optional<wire_error> error{};
    frame_header header{};
};

/// Reads the frame header at the front of `in`, as the end that we are must: a server takes masked frames only, a
/// client unmasked ones only. What is wrong is told as soon as the bytes that show it are there. Pure: no allocation,
/// no I/O. Whether the frame fits the message in progress and the limits is for the caller to see.
template <role Role>
[[nodiscard]] constexpr decoded_header decode_header(std::span<char const> in, bool allow_rsv1 = false) noexcept
{
    auto const broken = [](wire_error e) { return decoded_header{.error = e}; };
    constexpr bool masked = Role == role::server;
    if (in.empty())
        return {};
    unsigned const first = static_cast<unsigned char>(in[0]);
    unsigned const op = first & 0x0F;
    bool const fin = (first & 0x80) != 0;
    bool const rsv1 = (first & 0x40) != 0;
    bool const control = (op & 0x8) != 0;
    // RFC 6455 §5.2: "MUST be 0 unless an extension is negotiated that defines meanings for non-zero values."
    // RFC 7692 §6.1 gives RSV1 a meaning on the first frame of a data message and nowhere else.
    if ((first & 0x70) != 0 && ((first & 0x30) != 0 || !allow_rsv1 || control || op == 0))
        return broken(wire_error::reserved_bits);
    if (((0b0000'0111'0000'0111U >> op) & 1) == 0)
        return broken(wire_error::reserved_opcode);
    // RFC 6455 §5.5: "All control frames MUST have a payload length of 125 bytes or less and MUST NOT be fragmented."
    if (control && !fin)
        return broken(wire_error::control_fragmented);
    if (in.size() < 2)
        return {};
    unsigned const second = static_cast<unsigned char>(in[1]);
    // RFC 6455 §5.1: "The server MUST close the connection upon receiving a frame that is not masked. […] A client
    // MUST close a connection if it detects a masked frame."
    if (((second & 0x80) != 0) != masked)
        return broken(masked ? wire_error::mask_missing : wire_error::mask_unexpected);
    std::uint64_t payload_bytes = second & 0x7F;
    std::size_t consumed = 2;
    if (payload_bytes > 125) {
        if (control)
            return broken(wire_error::control_too_long);
        // RFC 6455 §5.2: "in all cases, the minimal number of bytes MUST be used to encode the length", "the most
        // significant bit MUST be 0".
        bool const wide = payload_bytes == 127;
        consumed = wide ? 10 : 4;
        if (in.size() < consumed)
            return {};
        payload_bytes =
            wide ? detail::load_big<std::uint64_t>(in.data() + 2) : detail::load_big<std::uint16_t>(in.data() + 2);
        if ((payload_bytes >> 63) != 0)
            return broken(wire_error::length_top_bit);
        if (payload_bytes < (wide ? 0x1'0000U : 126U))
            return broken(wire_error::length_not_minimal);
    }
    masking_key key = 0;
    if constexpr (masked) {
        if (in.size() < consumed + 4)
            return {};
        key = std::bit_cast<masking_key>(
            std::array<char, 4>{in[consumed], in[consumed + 1], in[consumed + 2], in[consumed + 3]});
        consumed += 4;
    }
    return {.consumed_bytes = consumed, .header = {static_cast<opcode>(op), fin, rsv1, masked, key, payload_bytes}};
}

/// How long the header of a frame with that payload is.
[[nodiscard]] constexpr std::size_t encoded_header_bytes(std::uint64_t payload_bytes, bool masked) noexcept
{
    return (payload_bytes < 126 ? 2U : payload_bytes <= 0xFFFF ? 4U : 10U) + (masked ? 4U : 0U);
}

/// Writes `header` to `out`, which has room for `max_header_bytes`, and returns how many bytes it took. The masking key
/// is written if `header.masked`: a client sets it, a server never.
[[gnu::always_inline]] constexpr std::size_t encode_header(char* out, frame_header const& header) noexcept
{
    unsigned const first = static_cast<unsigned>(header.op) | (header.fin ? 0x80U : 0U) | (header.rsv1 ? 0x40U : 0U);
    unsigned const mask_bit = header.masked ? 0x80U : 0U;
    out[0] = static_cast<char>(static_cast<unsigned char>(first));
    std::size_t size = 2;
    unsigned length = 127;
    if (header.payload_bytes < 126) {
        length = static_cast<unsigned>(header.payload_bytes);
    } else if (header.payload_bytes <= 0xFFFF) {
        length = 126;
        detail::store_big(out + 2, static_cast<std::uint16_t>(header.payload_bytes));
        size = 4;
    } else {
        detail::store_big(out + 2, header.payload_bytes);
        size = 10;
    }
    out[1] = static_cast<char>(static_cast<unsigned char>(length | mask_bit));
    if (header.masked) {
        for (char const octet : std::bit_cast<std::array<char, 4>>(header.key))
            out[size++] = octet;
    }
    return size;
}

}  // namespace polycast::inline v0
