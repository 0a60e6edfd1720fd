#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <type_traits>

namespace polycast::inline v0 {

/// The four bytes of a masking key in wire order, as `memcpy` reads them. A client draws a fresh, unpredictable one for
/// each frame (RFC 6455 §5.3); any 32 random bits are a key.
using masking_key = std::uint32_t;

/// The key for what follows `bytes` payload bytes that were masked with `key`: the payload of one frame may arrive in
/// pieces of any length.
[[nodiscard]] constexpr masking_key advance(masking_key key, std::size_t bytes) noexcept
{
    int const bits = static_cast<int>(8 * (bytes & 3));
    return std::endian::native == std::endian::little ? std::rotr(key, bits) : std::rotl(key, bits);
}

namespace detail {

/// Writes `count` bytes of `in`, masked, to `out`, which may be `in`. Returns the bits that occur in what it wrote.
constexpr std::uint64_t mask_bytes(char* out, char const* in, std::size_t count, masking_key key) noexcept
{
    std::uint64_t seen = 0;
    if (std::is_constant_evaluated()) {
        auto const octets = std::bit_cast<std::array<char, 4>>(key);
        for (std::size_t i = 0; i != count; ++i) {
            out[i] = static_cast<char>(in[i] ^ octets[i & 3]);
            seen |= static_cast<unsigned char>(out[i]);
        }
        return (seen & 0x80) != 0 ? ~std::uint64_t{0} : 0x7F7F'7F7F'7F7F'7F7F;
    }
    std::uint64_t const wide = (std::uint64_t{key} << 32) | key;
    // In vector registers, by the extension that g++ and clang share: what they make of arrays of words goes through memory.
    // memcpy because nothing here is aligned.
    using vector [[gnu::vector_size(16)]] = std::uint64_t;
    vector const keys = {wide, wide};
    vector found = {0, 0};
    for (; count >= 32; count -= 32, in += 32, out += 32) {
        vector first, second;
        std::memcpy(&first, in, 16);
        std::memcpy(&second, in + 16, 16);
        first ^= keys;
        second ^= keys;
        std::memcpy(out, &first, 16);
        std::memcpy(out + 16, &second, 16);
        found |= first | second;
    }
    seen = found[0] | found[1];
    for (; count >= 8; count -= 8, in += 8, out += 8) {
        std::uint64_t word;
        std::memcpy(&word, in, 8);
        word ^= wide;
        std::memcpy(out, &word, 8);
        seen |= word;
    }
    if (count >= 4) {
        std::uint32_t word;
        std::memcpy(&word, in, 4);
        word ^= key;
        std::memcpy(out, &word, 4);
        seen |= word;
        count -= 4;
        in += 4;
        out += 4;
    }
    auto const octets = std::bit_cast<std::array<char, 4>>(key);
    for (std::size_t i = 0; i != count; ++i) {
        out[i] = static_cast<char>(in[i] ^ octets[i]);
        seen |= static_cast<unsigned char>(out[i]);
    }
    return seen;
}

}  // namespace detail

/// Unmasks `bytes` in place (masking is its own inverse, RFC 6455 §5.3). Returns true if every byte is ASCII
/// afterwards: the pass over the bytes is paid for, so text need not be read again to be known as UTF-8.
constexpr bool unmask(std::span<char> bytes, masking_key key) noexcept
{
    return (detail::mask_bytes(bytes.data(), bytes.data(), bytes.size(), key) & 0x8080'8080'8080'8080) == 0;
}

/// Writes `payload`, masked, to `out`, which has room for as many bytes and does not overlap it.
constexpr void mask_copy(char* out, std::string_view payload, masking_key key) noexcept
{
    detail::mask_bytes(out, payload.data(), payload.size(), key);
}

}  // namespace polycast::inline v0
