#pragma once

#include <polycast/detail/byte_buffer.hpp>

#include <array>
#include <charconv>
#include <concepts>
#include <cstddef>
#include <cstdint>

namespace polycast::inline v0::detail {

/// Writes `value` to `at`, which has room for 32 characters, as `std::to_chars` does: the shortest text that reads back as
/// `value`. Returns the end. What costs, shares and durations mostly are, few digits on either side of the point, is found
/// by trying, at a tenth of the instructions.
inline char* write_real(char* at, double value) noexcept
{
    double const size = value < 0 ? -value : value;
    if (!(size >= 0.001 && size < 100'000))  // beyond, exponents may be shorter
        return std::to_chars(at, at + 32, value).ptr;
    // Both are exact, so the quotient is the number that the text of `all` stands for. No other text of up to 15 digits is
    // the same number, but for zeros at its end.
    constexpr std::int64_t scale = 1'000'000;
    auto const all = static_cast<std::int64_t>(size * static_cast<double>(scale) + 0.5);
    if (static_cast<double>(all) / static_cast<double>(scale) != size)
        return std::to_chars(at, at + 32, value).ptr;
    if (value < 0)
        *at++ = '-';
    at = std::to_chars(at, at + 8, static_cast<std::uint32_t>(all / scale)).ptr;
    auto behind = static_cast<std::uint32_t>(all % scale);
    if (behind == 0)
        return at;
    *at++ = '.';
    int digits = 6;
    for (; behind % 10 == 0; behind /= 10)
        --digits;
    for (char* to = at + digits; to != at; behind /= 10)
        *--to = static_cast<char>('0' + behind % 10);
    return at + digits;
}
/// Appends `before` and a number as JSON has it; NaN and infinity are the caller's to refuse.
template <class Number, std::size_t Size = 0>
void write_number(byte_buffer& out, Number value, std::array<char, Size> const& before = {})
{
    // The longest: 24 characters of a double, "-1.7976931348623157e+308"; a long double is written as a double.
    char* const begin = out.prepare(Size + 32);
    char* const at = put(begin, before);
    if constexpr (std::same_as<Number, double>)
        out.commit(static_cast<std::size_t>(write_real(at, value) - begin));
    else
        out.commit(static_cast<std::size_t>(std::to_chars(at, at + 32, value).ptr - begin));
}

}  // namespace polycast::inline v0::detail
