#pragma once

#include <concepts>
#include <cstddef>

namespace polycast::inline v0::detail {

/// Reads an unsigned integer in network byte order. Compilers make one load and a byte swap of it.
template <std::unsigned_integral T>
[[nodiscard]] constexpr T load_big(char const* bytes) noexcept
{
    T value = 0;
    for (std::size_t i = 0; i != sizeof(T); ++i)
        value = static_cast<T>(static_cast<T>(value << (sizeof(T) > 1 ? 8 : 0)) | static_cast<unsigned char>(bytes[i]));
    return value;
}

/// Writes `value` in network byte order.
template <std::unsigned_integral T>
constexpr void store_big(char* bytes, T value) noexcept
{
    for (std::size_t i = 0; i != sizeof(T); ++i)
        bytes[i] = static_cast<char>(static_cast<unsigned char>(value >> (8 * (sizeof(T) - 1 - i))));
}

}  // namespace polycast::inline v0::detail
