#pragma once

#include <polycast/detail/byte_buffer.hpp>

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace polycast::inline v0::detail {

inline constexpr std::uint64_t every_byte = 0x0101'0101'0101'0101;
inline constexpr std::uint64_t every_high_bit = 0x8080'8080'8080'8080;

/// A high bit for each byte of `word` that JSON escapes in a string: `"`, `\` and controls. A borrow may mark the byte
/// after one that is marked rightly; the first mark is exact.
[[nodiscard]] constexpr std::uint64_t escaped_bytes(std::uint64_t word) noexcept
{
    std::uint64_t const quote = word ^ (every_byte * '"');
    std::uint64_t const backslash = word ^ (every_byte * '\\');
    return ((quote - every_byte) & ~quote & every_high_bit) | ((backslash - every_byte) & ~backslash & every_high_bit) |
           ((word - every_byte * 0x20) & ~word & every_high_bit);
}

[[nodiscard]] constexpr bool is_escaped(char c) noexcept
{
    return static_cast<unsigned char>(c) < 0x20 || c == '"' || c == '\\';
}

/// The first byte in [at, end) that JSON escapes in a string, or `end`. `AsciiOnly` also stops at bytes from 0x80.
template <bool AsciiOnly>
[[nodiscard]] inline char const* skip_unescaped(char const* at, char const* end) noexcept
{
    for (; end - at >= 8; at += 8) {
        std::uint64_t word;
        std::memcpy(&word, at, 8);
        if (std::uint64_t const marks = escaped_bytes(word) | (AsciiOnly ? word & every_high_bit : 0); marks != 0) {
            if constexpr (std::endian::native == std::endian::little)
                return at + std::countr_zero(marks) / 8;
            break;
        }
    }
    while (at != end && !is_escaped(*at) && !(AsciiOnly && (*at & 0x80) != 0))
        ++at;
    return at;
}

/// The bytes of the UTF-8 sequence at `at`; 0 if it is none (RFC 3629 §4).
[[nodiscard]] constexpr std::size_t utf8_sequence(char const* at, char const* end) noexcept
{
    auto const byte = [&](std::ptrdiff_t i) { return static_cast<unsigned>(static_cast<unsigned char>(at[i])); };
    auto const within = [&](std::ptrdiff_t i, unsigned low, unsigned high) {
        return i < end - at && byte(i) >= low && byte(i) <= high;
    };
    unsigned const lead = byte(0);
    if (lead < 0x80)
        return 1;
    if (lead >= 0xC2 && lead <= 0xDF)
        return within(1, 0x80, 0xBF) ? 2 : 0;
    if (lead >= 0xE0 && lead <= 0xEF)
        return within(1, lead == 0xE0 ? 0xA0 : 0x80, lead == 0xED ? 0x9F : 0xBF) && within(2, 0x80, 0xBF) ? 3 : 0;
    if (lead >= 0xF0 && lead <= 0xF4)
        return within(1, lead == 0xF0 ? 0x90 : 0x80, lead == 0xF4 ? 0x8F : 0xBF) && within(2, 0x80, 0xBF) &&
                       within(3, 0x80, 0xBF)
                   ? 4
                   : 0;
    return 0;
}

inline void write_escape(byte_buffer& out, char c)
{
    switch (c) {
    case '"': out.append("\\\"", 2); return;
    case '\\': out.append("\\\\", 2); return;
    case '\n': out.append("\\n", 2); return;
    case '\r': out.append("\\r", 2); return;
    case '\t': out.append("\\t", 2); return;
    default: break;
    }
    char const hex[] = "0123456789abcdef";
    char const text[] = {'\\', 'u', '0', '0', hex[(c >> 4) & 0xF], hex[c & 0xF]};
    out.append(text, sizeof text);
}

/// Appends `text` as a JSON string. A frame of text must be UTF-8 (RFC 6455 §8.1): what is not becomes U+FFFD.
inline void write_text(byte_buffer& out, std::string_view text)
{
    char const* at = text.data();
    char const* const end = at + text.size();
    char const* run = at;  // bytes from here on go out as they are
    *out.prepare(text.size() + 2) = '"';
    out.commit(1);
    while ((at = skip_unescaped<true>(at, end)) != end) {
        if (std::size_t const sequence = is_escaped(*at) ? 0 : utf8_sequence(at, end); sequence != 0) {
            at += sequence;
            continue;
        }
        out.append(run, static_cast<std::size_t>(at - run));
        if (is_escaped(*at))
            write_escape(out, *at);
        else
            out.append("\xEF\xBF\xBD", 3);
        run = ++at;
    }
    out.append(run, static_cast<std::size_t>(end - run));
    out.push_back('"');
}

}  // namespace polycast::inline v0::detail
