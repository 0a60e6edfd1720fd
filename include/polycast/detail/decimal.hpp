#pragma once

#include <polycast/detail/byte_buffer.hpp>

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
    std::uint64_t scale = 1;
    for (int digits = 0; digits <= 6; ++digits, scale *= 10) {
        // Both are exact, so the quotient is the number that the text of `all` stands for. No other text of up to 15 digits
        // is the same number, and none shorter was.
        auto const all = static_cast<std::uint64_t>(size * static_cast<double>(scale) + 0.5);
        if (static_cast<double>(all) / static_cast<double>(scale) != size)
            continue;
        if (value < 0)
            *at++ = '-';
        at = std::to_chars(at, at + 8, all / scale).ptr;
        if (digits == 0)
            return at;
        *at++ = '.';
        auto behind = all % scale;
        for (char* to = at + digits; to != at; behind /= 10)
            *--to = static_cast<char>('0' + behind % 10);
        return at + digits;
    }
    return std::to_chars(at, at + 32, value).ptr;
}
/// Appends a number as JSON has it; NaN and infinity are the caller's to refuse.
template <class Number>
void write_number(byte_buffer& out, Number value)
{
    // The longest: 24 characters of a double, "-1.7976931348623157e+308"; a long double is written as a double.
    char* const at = out.prepare(32);
    if constexpr (std::same_as<Number, double>)
        out.commit(static_cast<std::size_t>(write_real(at, value) - at));
    else
        out.commit(static_cast<std::size_t>(std::to_chars(at, at + 32, value).ptr - at));
}

}  // namespace polycast::inline v0::detail
