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
    // The last block overlaps the one before it. It is read before that is written, since `out` may be `in`, and masked with
    // the key as it is where the block begins. memcpy because nothing here is aligned.
    masking_key const last_key = advance(key, count);
    if (count >= 16) {
        // In vector registers, by the extension that g++ and clang share: what they make of arrays of words goes through memory.
        using vector [[gnu::vector_size(16)]] = masking_key;
        auto const masked = [in](std::size_t at, masking_key k) {
            vector bytes;
            std::memcpy(&bytes, in + at, sizeof bytes);
            return bytes ^ vector{k, k, k, k};
        };
        vector const last = masked(count - 16, last_key);
        vector found = last;
        std::size_t at = 0;
        auto const block = [&] {
            vector const bytes = masked(at, key);
            std::memcpy(out + at, &bytes, sizeof bytes);
            found |= bytes;
            at += sizeof bytes;
        };
        while (count - at > 64)
            block(), block(), block(), block();
        while (count - at > 16)
            block();
        std::memcpy(out + count - 16, &last, 16);
        auto const words = std::bit_cast<std::array<std::uint64_t, 2>>(found);
        return words[0] | words[1];
    }
    auto const two_words = [&](auto keys, auto last_keys) -> std::uint64_t {
        auto first = keys;
        auto last = last_keys;
        std::memcpy(&first, in, sizeof first);
        std::memcpy(&last, in + count - sizeof last, sizeof last);
        first ^= keys;
        last ^= last_keys;
        std::memcpy(out, &first, sizeof first);
        std::memcpy(out + count - sizeof last, &last, sizeof last);
        return first | last;
    };
    if (count >= 8)
        return two_words(std::uint64_t{key} << 32 | key, std::uint64_t{last_key} << 32 | last_key);
    if (count >= 4)
        return two_words(key, last_key);
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
