#pragma once

#include <polycast/detail/byte_buffer.hpp>
#include <polycast/detail/endian.hpp>
#include <polycast/frame/utf8.hpp>
#include <polycast/serializer/json_text.hpp>
#include <polycast/serializer/value.hpp>

#include <array>
#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string_view>

namespace polycast::inline v0::detail {

/// The first bytes of the specification's table ("Formats"). A `fix…` format has its length in the low bits.
namespace msgpack_format {
inline constexpr unsigned fixmap = 0x80, fixarray = 0x90, fixstr = 0xA0, nil = 0xC0, never = 0xC1, no = 0xC2,
                          yes = 0xC3, bin8 = 0xC4, bin32 = 0xC6, ext8 = 0xC7, ext32 = 0xC9, float32 = 0xCA,
                          float64 = 0xCB, uint8 = 0xCC, uint64 = 0xCF, int8 = 0xD0, int64 = 0xD3, fixext1 = 0xD4,
                          fixext16 = 0xD8, str8 = 0xD9, str32 = 0xDB, array16 = 0xDC, array32 = 0xDD, map16 = 0xDE,
                          map32 = 0xDF, negative_fixint = 0xE0;
}  // namespace msgpack_format

/// What begins with a length.
enum class msgpack_head : std::uint8_t { text, binary, array, map };

template <std::unsigned_integral T>
inline void write_big(byte_buffer& out, unsigned format, T value)
{
    char* const at = out.prepare(1 + sizeof(T));
    at[0] = static_cast<char>(format);
    store_big(at + 1, value);
    out.commit(1 + sizeof(T));
}

/// Appends the smallest head for `count`, which fits 32 bits: bytes of a str or bin, elements, or pairs.
inline void write_head(byte_buffer& out, msgpack_head kind, std::size_t count)
{
    struct forms {
        unsigned fix, fix_below, format8, format16;  // 0: there is none
    };
    constexpr forms of[] = {{msgpack_format::fixstr, 32, msgpack_format::str8, msgpack_format::str8 + 1},
                            {0, 0, msgpack_format::bin8, msgpack_format::bin8 + 1},
                            {msgpack_format::fixarray, 16, 0, msgpack_format::array16},
                            {msgpack_format::fixmap, 16, 0, msgpack_format::map16}};
    forms const& form = of[static_cast<std::size_t>(kind)];
    if (count < form.fix_below)
        out.push_back(static_cast<char>(form.fix | static_cast<unsigned>(count)));
    else if (form.format8 != 0 && count <= 0xFF)
        write_big(out, form.format8, static_cast<std::uint8_t>(count));
    else if (count <= 0xFFFF)
        write_big(out, form.format16, static_cast<std::uint16_t>(count));
    else
        write_big(out, form.format16 + 1, static_cast<std::uint32_t>(count));
}

/// Appends an integer in as few bytes as hold it.
template <std::integral T>
inline void write_integer(byte_buffer& out, T value)
{
    using namespace msgpack_format;
    if (std::signed_integral<T> && value < 0) {
        auto const number = static_cast<std::int64_t>(value);
        auto const bits = static_cast<std::uint64_t>(number);
        if (number >= -32)
            out.push_back(static_cast<char>(bits));
        else if (number >= std::numeric_limits<std::int8_t>::min())
            write_big(out, int8, static_cast<std::uint8_t>(bits));
        else if (number >= std::numeric_limits<std::int16_t>::min())
            write_big(out, int8 + 1, static_cast<std::uint16_t>(bits));
        else if (number >= std::numeric_limits<std::int32_t>::min())
            write_big(out, int8 + 2, static_cast<std::uint32_t>(bits));
        else
            write_big(out, int64, bits);
        return;
    }
    auto const number = static_cast<std::uint64_t>(value);
    if (number < 0x80)
        out.push_back(static_cast<char>(number));
    else if (number <= 0xFF)
        write_big(out, uint8, static_cast<std::uint8_t>(number));
    else if (number <= 0xFFFF)
        write_big(out, uint8 + 1, static_cast<std::uint16_t>(number));
    else if (number <= 0xFFFF'FFFF)
        write_big(out, uint8 + 2, static_cast<std::uint32_t>(number));
    else
        write_big(out, uint64, number);
}

/// Appends a finite number: as float 32 where that is the same number.
inline void write_real(byte_buffer& out, double value)
{
    constexpr double most = std::numeric_limits<float>::max();
    if (value >= -most && value <= most && static_cast<double>(static_cast<float>(value)) == value)
        write_big(out, msgpack_format::float32, std::bit_cast<std::uint32_t>(static_cast<float>(value)));
    else
        write_big(out, msgpack_format::float64, std::bit_cast<std::uint64_t>(value));
}

[[nodiscard]] inline bool is_utf8(std::string_view text) noexcept
{
    char const* const end = text.data() + text.size();
    char const* const at = skip_ascii(text.data(), end);
    return at == end || valid_utf8({at, static_cast<std::size_t>(end - at)});
}

/// Calls `whole(run)` for the stretches of `text` that are UTF-8 and `broken()` for each byte between them.
template <class Whole, class Broken>
void split_utf8(std::string_view text, Whole whole, Broken broken)
{
    char const* at = text.data();
    char const* const end = at + text.size();
    char const* run = at;
    while (at != end) {
        if (std::size_t const sequence = utf8_sequence(at, end); sequence != 0) {
            at += sequence;
            continue;
        }
        whole(std::string_view{run, static_cast<std::size_t>(at - run)});
        broken();
        run = ++at;
    }
    whole(std::string_view{run, static_cast<std::size_t>(end - run)});
}

/// Appends `text` as a str, which is UTF-8 by the specification: what is not becomes U+FFFD, as in JSON.
inline void write_str(byte_buffer& out, std::string_view text)
{
    if (is_utf8(text)) {
        write_head(out, msgpack_head::text, text.size());
        out.append(text);
        return;
    }
    constexpr std::string_view replacement = "\xEF\xBF\xBD";
    std::size_t bytes = 0;
    split_utf8(
        text, [&](std::string_view run) { bytes += run.size(); }, [&] { bytes += replacement.size(); });
    write_head(out, msgpack_head::text, bytes);
    split_utf8(
        text, [&](std::string_view run) { out.append(run); }, [&] { out.append(replacement); });
}

/// The bytes of a str that `write_str` wrote, without its head.
[[nodiscard]] inline std::string_view unpacked_str(std::string_view packed) noexcept
{
    auto const format = static_cast<unsigned char>(packed.front());
    std::size_t const length_bytes = format < msgpack_format::str8 ? 0 : std::size_t{1} << (format - msgpack_format::str8);
    return packed.substr(1 + length_bytes);
}

/// The size of `packed_str` for a name of that many bytes; names are shorter than 64 KiB.
[[nodiscard]] consteval std::size_t packed_str_bytes(std::size_t name_bytes)
{
    return name_bytes + (name_bytes < 32 ? 1 : name_bytes <= 0xFF ? 2 : 3);
}
/// A name that the compiler knows, as a str.
template <std::size_t Size>
[[nodiscard]] consteval std::array<char, Size> packed_str(std::string_view name)
{
    std::array<char, Size> out{};
    std::size_t at = Size - name.size();
    if (at == 1) {
        out[0] = static_cast<char>(msgpack_format::fixstr | name.size());
    } else {
        out[0] = static_cast<char>(msgpack_format::str8 + (at - 2));
        for (std::size_t i = 1; i != at; ++i)
            out[i] = static_cast<char>(static_cast<unsigned char>(name.size() >> (8 * (at - 1 - i))));
    }
    for (char const c : name)
        out[at++] = c;
    return out;
}

/// What travels as bin: bytes side by side. In JSON they are numbers.
template <class T>
concept byte_list = (array_like<T> || sequence<T>)&&std::same_as<typename T::value_type, std::byte>&& requires(T& t)
{
    {
        t.data()
        } -> std::same_as<std::byte*>;
    t.size();
};

}  // namespace polycast::inline v0::detail
