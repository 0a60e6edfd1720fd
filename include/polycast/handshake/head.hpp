#pragma once

#include <polycast/handshake/fields.hpp>

#include <cstddef>
#include <string_view>

namespace polycast::inline v0 {

/// What a peer may make this end read before it is known. Over a limit a request is refused with 431 (or 414, if not
/// even its first line ends).
struct head_limits {
    std::size_t max_head_bytes = 16 * 1024;
    std::size_t max_fields = 100;
};

/// How far a parser got with the bytes so far.
enum class head_status {
    need_more,  ///< call again with what has arrived since, appended
    complete,
    error,
};

namespace detail {

struct scanned_head {
    std::size_t bytes = 0;        ///< of the whole head, the empty line included; 0 if it has not ended
    std::size_t first_line = 0;   ///< length of the first line without its end; 0 if it has not ended
    bool bare_line_feed = false;  ///< RFC 9112 §2.2 lets a recipient refuse it, and that is the safe choice
};

/// Finds the end of a message head (RFC 9112 §2.1). Looks at line ends only.
[[nodiscard]] constexpr scanned_head scan_head(std::string_view bytes) noexcept
{
    scanned_head found;
    for (std::size_t line = 0;;) {
        std::size_t const feed = bytes.find('\n', line);
        if (feed == std::string_view::npos)
            return found;
        if (feed == line || bytes[feed - 1] != '\r') {
            found.bare_line_feed = true;
            return found;
        }
        if (line == 0)
            found.first_line = feed - 1;
        if (feed - 1 == line) {
            found.bytes = feed + 1;
            return found;
        }
        line = feed + 1;
    }
}

/// RFC 9112 §3.2: `uri-host [ ":" port ]`, with RFC 3986 §3.2.2 and §3.2.3. Not a list, no user information, no path.
[[nodiscard]] constexpr bool is_host(std::string_view text) noexcept
{
    auto const is_digit = [](char c) { return c >= '0' && c <= '9'; };
    auto const is_hex = [&](char c) { return is_digit(c) || (lower(c) >= 'a' && lower(c) <= 'f'); };
    auto const is_letter = [](char c) { return lower(c) >= 'a' && lower(c) <= 'z'; };
    bool const bracketed = text.starts_with('[');
    std::size_t at = bracketed ? 1 : 0;
    if (bracketed) {
        bool colon = false;
        bool zone = false;  // RFC 6874
        for (; at != text.size() && text[at] != ']'; ++at) {
            char const c = text[at];
            colon = colon || c == ':';
            zone = zone || c == '%';
            if (!is_hex(c) && c != ':' && c != '.' && c != '%' &&
                !(zone && (is_letter(c) || c == '-' || c == '_' || c == '~')))
                return false;
        }
        if (!colon || at == text.size())
            return false;
        ++at;
    }
    for (; !bracketed && at != text.size() && text[at] != ':'; ++at) {
        char const c = text[at];
        bool const encoded = c == '%' && at + 2 < text.size() && is_hex(text[at + 1]) && is_hex(text[at + 2]);
        if (!encoded && !is_letter(c) && !is_digit(c) &&
            std::string_view("-._~!$&'()*+;=").find(c) == std::string_view::npos)
            return false;
        at += encoded ? 2 : 0;
    }
    if (at == 0 || (at != text.size() && text[at] != ':'))
        return false;
    for (++at; at < text.size(); ++at)
        if (!is_digit(text[at]))
            return false;
    return true;
}

/// What may stand in the target of a request. Wider than RFC 3986, as browsers are: they send `|` or a lone `%` as
/// typed.
[[nodiscard]] constexpr bool is_target(std::string_view text) noexcept
{
    for (char const c : text)
        if (c <= 0x20 || c >= 0x7F || c == '#')
            return false;
    return !text.empty();
}

}  // namespace detail

}  // namespace polycast::inline v0
