#pragma once

namespace polycast::inline v0::detail {

// What this library would need of <algorithm>, which in C++20 brings the ranges: too much to read for some lines.

template <class Iterator, class Predicate>
[[nodiscard]] constexpr Iterator find_where(Iterator from, Iterator end, Predicate is_it)
{
    while (from != end && !is_it(*from))
        ++from;
    return from;
}

template <class T>
[[nodiscard]] constexpr T least(T a, T b) noexcept
{
    return b < a ? b : a;
}
template <class T>
[[nodiscard]] constexpr T greatest(T a, T b) noexcept
{
    return a < b ? b : a;
}

}  // namespace polycast::inline v0::detail
