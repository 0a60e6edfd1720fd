#pragma once

#include <polycast/detail/byte_buffer.hpp>

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <type_traits>

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

template <bool AsciiOnly>
[[nodiscard]] constexpr std::uint64_t marked_word(std::uint64_t word) noexcept
{
    return escaped_bytes(word) | (AsciiOnly ? word & every_high_bit : 0);
}

[[nodiscard]] constexpr bool is_escaped(char c) noexcept
{
    return static_cast<unsigned char>(c) < 0x20 || c == '"' || c == '\\';
}

// What is looked at at once. By the compiler's vectors, as <emmintrin.h> is long.
#ifdef __SSE2__
using text_block [[gnu::vector_size(16)]] = char;

/// A bit for each byte of `block` that JSON escapes in a string; `AsciiOnly`: or that is 0x80 or above.
template <bool AsciiOnly>
[[nodiscard]] inline unsigned marked_bytes(text_block block) noexcept
{
    using signed_bytes [[gnu::vector_size(16)]] = signed char;
    using unsigned_bytes [[gnu::vector_size(16)]] = unsigned char;
    auto marks = (block == '"') | (block == '\\');
    if constexpr (AsciiOnly)
        marks |= reinterpret_cast<signed_bytes>(block) < 0x20;  // 0x80 and above are negative
    else
        marks |= reinterpret_cast<unsigned_bytes>(block) < 0x20;
    return static_cast<unsigned>(__builtin_ia32_pmovmskb128(reinterpret_cast<text_block>(marks)));
}
#else
using text_block = std::uint64_t;

template <bool AsciiOnly>
[[nodiscard]] inline std::uint64_t marked_bytes(text_block block) noexcept
{
    return marked_word<AsciiOnly>(block);
}
#endif

/// `skip_unescaped` for what is shorter than a block; a function of its own, as the words want every register.
template <bool AsciiOnly>
[[nodiscard, gnu::noinline]] inline char const* skip_unescaped_rest(char const* at, char const* end) noexcept
{
    for (; end - at >= 8; at += 8) {
        std::uint64_t word;
        std::memcpy(&word, at, 8);
        if (std::uint64_t const marks = marked_word<AsciiOnly>(word); marks != 0) {
            if constexpr (std::endian::native == std::endian::little)
                return at + std::countr_zero(marks) / 8;
            break;
        }
    }
    while (at != end && !is_escaped(*at) && !(AsciiOnly && (*at & 0x80) != 0))
        ++at;
    return at;
}

/// The first byte in [at, end) that JSON escapes in a string, or `end`. `AsciiOnly` also stops at bytes from 0x80.
template <bool AsciiOnly>
[[nodiscard]] inline char const* skip_unescaped(char const* at, char const* end) noexcept
{
#ifdef __SSE2__
    for (; end - at >= 16; at += 16) {
        text_block block;
        std::memcpy(&block, at, 16);
        if (unsigned const marks = marked_bytes<AsciiOnly>(block); marks != 0)
            return at + std::countr_zero(marks);
    }
#endif
    return skip_unescaped_rest<AsciiOnly>(at, end);
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

/// Copies `text` to `to` up to about where it first needs an escape or is not ASCII, and returns how much of it is done.
/// What is no multiple of a block goes in two that overlap, as nothing is read or written beyond the text.
[[nodiscard]] inline std::size_t copy_plain(char* to, std::string_view text) noexcept
{
    constexpr std::size_t step = sizeof(text_block);
    char const* const from = text.data();
    std::size_t const size = text.size();
    auto const copy_block = [&](std::size_t at) {
        text_block block;
        std::memcpy(&block, from + at, step);
        std::memcpy(to + at, &block, step);
        return marked_bytes<true>(block) == 0;
    };
    if (size >= step) {
        std::size_t at = 0;
        for (; size - at > step; at += step)
            if (!copy_block(at))
                return at;
        return copy_block(size - step) ? size : at;
    }
    auto const copy_ends = [&]<class Word>(Word) {
        Word ends[2];
        std::memcpy(&ends[0], from, sizeof(Word));
        std::memcpy(&ends[1], from + size - sizeof(Word), sizeof(Word));
        std::memcpy(to, &ends[0], sizeof(Word));
        std::memcpy(to + size - sizeof(Word), &ends[1], sizeof(Word));
        std::conditional_t<sizeof(Word) == 4, std::uint64_t, text_block> both;
        std::memcpy(&both, ends, sizeof both);
        if constexpr (sizeof(Word) == 4)
            return marked_word<true>(both) == 0 ? size : 0;
        else
            return marked_bytes<true>(both) == 0 ? size : 0;
    };
    if constexpr (step == 16)
        if (size >= 8)
            return copy_ends(std::uint64_t{});
    if (size >= 4)
        return copy_ends(std::uint32_t{});
    std::size_t at = 0;
    for (; at != size && !is_escaped(from[at]) && (from[at] & 0x80) == 0; ++at)
        to[at] = from[at];
    return at;
}

/// Appends the inside of a JSON string. A frame of text must be UTF-8 (RFC 6455 §8.1): what is not becomes U+FFFD.
inline void write_escaped(byte_buffer& out, std::string_view text)
{
    char const* at = text.data();
    char const* const end = at + text.size();
    char const* run = at;  // bytes from here on go out as they are
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
}

/// The text without its terminator, to be put before something.
template <std::size_t Size>
[[nodiscard]] consteval std::array<char, Size - 1> literal(char const (&text)[Size])
{
    std::array<char, Size - 1> out{};
    for (std::size_t i = 0; i != out.size(); ++i)
        out[i] = text[i];
    return out;
}

/// Appends `before` and `text` as a JSON string, with one look at how much room there is: most text goes out as it is.
template <std::size_t Size>
void write_text(byte_buffer& out, std::string_view text, std::array<char, Size> const& before)
{
    char* const at = put(out.prepare(Size + text.size() + 2), before);
    *at = '"';
    std::size_t const copied = copy_plain(at + 1, text);
    if (copied == text.size()) {
        at[copied + 1] = '"';
        out.commit(Size + copied + 2);
    } else {
        out.commit(Size + 1 + copied);
        write_escaped(out, text.substr(copied));
        out.push_back('"');
    }
}
inline void write_text(byte_buffer& out, std::string_view text) { write_text(out, text, std::array<char, 0>{}); }

/// Appends `before` and `text`, whose sizes are known: a few moves.
template <std::size_t Size, std::size_t TextSize>
void write_literal(byte_buffer& out, std::array<char, Size> const& before, char const (&text)[TextSize])
{
    char* const at = put(out.prepare(Size + TextSize), before);
    std::memcpy(at, text, TextSize);  // with the terminator, which does not count
    out.commit(Size + TextSize - 1);
}

}  // namespace polycast::inline v0::detail
