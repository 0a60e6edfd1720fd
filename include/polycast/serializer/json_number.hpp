#pragma once

#include <cstddef>
#include <cstdint>

namespace polycast::inline v0::detail {

/// A number as most are written: `digits` without the point, `fraction_digits` of them behind it.
struct plain_number {
    char const* end = nullptr;  ///< behind it; null: not one of these, or not a number
    std::uint64_t digits = 0;
    unsigned fraction_digits = 0;
    bool negative = false;
};

/// As many digits cannot overflow `plain_number::digits`.
inline constexpr std::ptrdiff_t max_plain_digits = 18;

/// Reads the digits at `at` behind those of `value`; returns their end.
[[nodiscard]] inline char const* take_digits(char const* at, char const* end, std::uint64_t& value) noexcept
{
    for (; at != end && static_cast<unsigned char>(*at - '0') < 10; ++at)
        value = value * 10 + static_cast<unsigned char>(*at - '0');
    return at;
}

/// Reads the number at `at`: RFC 8259 §6 without `exp`, and with few digits.
[[nodiscard]] inline plain_number scan_plain_number(char const* at, char const* end) noexcept
{
    plain_number number;
    number.negative = at != end && *at == '-';
    char const* const first = at + (number.negative ? 1 : 0);
    at = take_digits(first, end, number.digits);
    std::ptrdiff_t count = at - first;
    // "Leading zeros are not allowed."
    if (count == 0 || (count > 1 && *first == '0'))
        return {};
    if (at != end && *at == '.') {
        char const* const behind = at + 1;
        at = take_digits(behind, end, number.digits);
        if (at == behind)
            return {};
        number.fraction_digits = static_cast<unsigned>(at - behind);
        count += at - behind;
    }
    if (count > max_plain_digits || (at != end && (*at | 0x20) == 'e'))
        return {};
    number.end = at;
    return number;
}

/// The value, if dividing gives it to the last bit: of up to 15 digits both numbers are exact, so IEEE 754 rounds once.
[[nodiscard]] inline bool exact_real(plain_number const& number, double& out) noexcept
{
    constexpr double powers[] = {1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};
    if (number.digits >= 1'000'000'000'000'000 || number.fraction_digits > 15)
        return false;
    double const value = static_cast<double>(static_cast<std::int64_t>(number.digits)) / powers[number.fraction_digits];
    out = number.negative ? -value : value;
    return true;
}

}  // namespace polycast::inline v0::detail
