#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace polycast::inline v0::detail {

inline constexpr std::string_view base64_alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// How many characters `bytes` bytes take, padding included.
[[nodiscard]] constexpr std::size_t base64_size(std::size_t bytes) noexcept
{
    return (bytes + 2) / 3 * 4;
}

/// Writes `in` in base64 with padding (RFC 4648 §4) to `out`, which has room for `base64_size(in.size())`.
constexpr void base64_encode(char* out, std::string_view in) noexcept
{
    for (std::size_t i = 0; i < in.size(); i += 3) {
        std::size_t const left = in.size() - i;
        auto const byte = [&](std::size_t k) { return k < left ? static_cast<unsigned char>(in[i + k]) : 0U; };
        unsigned const group = byte(0) << 16 | byte(1) << 8 | byte(2);
        *out++ = base64_alphabet[group >> 18];
        *out++ = base64_alphabet[group >> 12 & 63];
        *out++ = left > 1 ? base64_alphabet[group >> 6 & 63] : '=';
        *out++ = left > 2 ? base64_alphabet[group & 63] : '=';
    }
}

[[nodiscard]] inline std::string base64_encode(std::string_view in)
{
    std::string out(base64_size(in.size()), '\0');
    base64_encode(out.data(), in);
    return out;
}

/// The value of a base64 character, or -1.
[[nodiscard]] constexpr int base64_value(char c, bool url = false) noexcept
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    if (c == (url ? '-' : '+'))
        return 62;
    return c == (url ? '_' : '/') ? 63 : -1;
}

/// How many bytes `text` stands for if it is canonical base64 with padding (RFC 4648 §4: no other characters, and the
/// bits that the padding leaves unused are zero, §3.5).
[[nodiscard]] constexpr std::optional<std::size_t> base64_decoded_bytes(std::string_view text) noexcept
{
    if (text.size() % 4 != 0)
        return {};
    if (text.empty())
        return 0;
    std::size_t const padding = text.ends_with("==") ? 2 : text.ends_with('=') ? 1 : 0;
    std::string_view const digits = text.substr(0, text.size() - padding);
    for (char const c : digits)
        if (base64_value(c) < 0)
            return {};
    auto const unused = static_cast<unsigned>(padding == 2 ? 15 : padding == 1 ? 3 : 0);
    if ((static_cast<unsigned>(base64_value(digits.back())) & unused) != 0)
        return {};
    return text.size() / 4 * 3 - padding;
}

/// Decodes base64url without padding (RFC 4648 §5), as tokens use it.
[[nodiscard]] inline std::optional<std::string> base64url_decode(std::string_view text)
{
    if (text.size() % 4 == 1)
        return {};
    std::string out;
    out.reserve(text.size() * 3 / 4);
    unsigned bits = 0;
    unsigned held = 0;
    for (char const c : text) {
        int const value = base64_value(c, true);
        if (value < 0)
            return {};
        bits = (bits << 6 | static_cast<unsigned>(value)) & 0xFFFF;
        held += 6;
        if (held >= 8) {
            held -= 8;
            out += static_cast<char>(static_cast<unsigned char>(bits >> held));
        }
    }
    if ((bits & ((1U << held) - 1)) != 0)
        return {};
    return out;
}

}  // namespace polycast::inline v0::detail
