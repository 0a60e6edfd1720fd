#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <type_traits>

namespace polycast::inline v0 {

namespace detail {

inline constexpr std::uint64_t high_bits = 0x8080'8080'8080'8080;

/// The first byte in [at, end) that is not ASCII, or `end`.
[[nodiscard]] constexpr char const* skip_ascii(char const* at, char const* end) noexcept
{
    if (!std::is_constant_evaluated()) {
        for (; end - at >= 32; at += 32) {
            std::uint64_t words[4];
            std::memcpy(words, at, 32);
            if ((((words[0] | words[1]) | (words[2] | words[3])) & high_bits) != 0)
                break;
        }
        for (; end - at >= 8; at += 8) {
            std::uint64_t word;
            std::memcpy(&word, at, 8);
            if ((word & high_bits) != 0)
                break;
        }
    }
    while (at != end && static_cast<unsigned char>(*at) < 0x80)
        ++at;
    return at;
}

}  // namespace detail

/// Checks UTF-8 (RFC 3629) that arrives in pieces. A code point may be split anywhere; an illegal byte is refused with
/// the piece that holds it, whatever is still to come. Allocates nothing.
class utf8_validator {
public:
    /// Takes the next bytes. False if they cannot be part of UTF-8 text; the validator is then good for nothing until
    /// `reset`.
    [[nodiscard]] constexpr bool feed(std::string_view bytes) noexcept
    {
        char const* at = bytes.data();
        char const* const end = at + bytes.size();
        unsigned owed = owed_;
        unsigned low = low_;
        unsigned high = high_;
        while (at != end) {
            unsigned const byte = static_cast<unsigned char>(*at);
            if (owed != 0) {
                if (byte < low || byte > high)
                    return false;
                --owed;
                low = 0x80;
                high = 0xBF;
                ++at;
            } else if (byte < 0x80) {
                at = detail::skip_ascii(at, end);
            } else {
                // RFC 3629 §4. The second byte of some sequences has a narrower range: it excludes forms longer than
                // needed (E0, F0), the surrogates (ED) and what is over U+10FFFF (F4).
                if (byte >= 0xC2 && byte <= 0xDF) {
                    owed = 1;
                } else if ((byte & 0xF0) == 0xE0) {
                    owed = 2;
                    low = byte == 0xE0 ? 0xA0 : 0x80;
                    high = byte == 0xED ? 0x9F : 0xBF;
                } else if (byte >= 0xF0 && byte <= 0xF4) {
                    owed = 3;
                    low = byte == 0xF0 ? 0x90 : 0x80;
                    high = byte == 0xF4 ? 0x8F : 0xBF;
                } else {
                    return false;
                }
                ++at;
            }
        }
        owed_ = static_cast<std::uint8_t>(owed);
        low_ = static_cast<std::uint8_t>(low);
        high_ = static_cast<std::uint8_t>(high);
        return true;
    }

    /// Whether the bytes so far end where a code point ends.
    [[nodiscard]] constexpr bool complete() const noexcept { return owed_ == 0; }

    constexpr void reset() noexcept { *this = {}; }

private:
    std::uint8_t owed_ = 0;  ///< continuation bytes still to come
    std::uint8_t low_ = 0x80;
    std::uint8_t high_ = 0xBF;
};

/// Whether `text` is UTF-8 as a whole.
[[nodiscard]] constexpr bool valid_utf8(std::string_view text) noexcept
{
    utf8_validator validator;
    return validator.feed(text) && validator.complete();
}

/// The longest prefix of `text` that is UTF-8, ends with a whole code point and has at most `max_bytes` bytes.
[[nodiscard]] constexpr std::string_view utf8_prefix(std::string_view text, std::size_t max_bytes) noexcept
{
    std::string_view const candidate = text.substr(0, max_bytes);
    utf8_validator validator;
    std::size_t whole = 0;
    for (std::size_t i = 0; i != candidate.size() && validator.feed(candidate.substr(i, 1)); ++i)
        whole = validator.complete() ? i + 1 : whole;
    return candidate.substr(0, whole);
}

}  // namespace polycast::inline v0
