#pragma once

#include <polycast/detail/endian.hpp>

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace polycast::inline v0::detail {

/// SHA-1 (RFC 3174) of `message`. The WebSocket handshake names it (RFC 6455 §4.2.2); it protects nothing, and no other
/// part of the library may use it.
[[nodiscard]] constexpr std::array<char, 20> sha1(std::string_view message) noexcept
{
    std::array<std::uint32_t, 5> hash{0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476, 0xC3D2E1F0};
    // RFC 3174 §4: the message, 0x80, zeros, and its length in bits as the last 8 bytes of a block of 64.
    std::size_t const blocks = (message.size() + 1 + 8 + 63) / 64;
    for (std::size_t block = 0; block != blocks; ++block) {
        std::array<char, 64> bytes{};
        for (std::size_t i = 0; i != 64; ++i) {
            std::size_t const at = block * 64 + i;
            bytes[i] = at < message.size() ? message[at] : at == message.size() ? '\x80' : '\0';
        }
        if (block + 1 == blocks)
            store_big(bytes.data() + 56, std::uint64_t{message.size()} * 8);

        std::array<std::uint32_t, 80> words{};
        for (std::size_t i = 0; i != 16; ++i)
            words[i] = load_big<std::uint32_t>(bytes.data() + 4 * i);
        for (std::size_t i = 16; i != 80; ++i)
            words[i] = std::rotl(words[i - 3] ^ words[i - 8] ^ words[i - 14] ^ words[i - 16], 1);

        auto [a, b, c, d, e] = hash;
        for (std::size_t i = 0; i != 80; ++i) {
            std::uint32_t mix = b ^ c ^ d;
            std::uint32_t constant = i < 40 ? 0x6ED9EBA1 : 0xCA62C1D6;
            if (i < 20) {
                mix = (b & c) | (~b & d);
                constant = 0x5A827999;
            } else if (i >= 40 && i < 60) {
                mix = (b & c) | (b & d) | (c & d);
                constant = 0x8F1BBCDC;
            }
            std::uint32_t const next = std::rotl(a, 5) + mix + e + words[i] + constant;
            e = d;
            d = c;
            c = std::rotl(b, 30);
            b = a;
            a = next;
        }
        hash = {hash[0] + a, hash[1] + b, hash[2] + c, hash[3] + d, hash[4] + e};
    }
    std::array<char, 20> digest{};
    for (std::size_t i = 0; i != hash.size(); ++i)
        store_big(digest.data() + 4 * i, hash[i]);
    return digest;
}

}  // namespace polycast::inline v0::detail
