#pragma once

#include <compare>
#include <cstdint>

namespace polycast::inline v0 {

/// Names a session: 64 bits that any thread may copy, keep and use after the session has closed, which is a returned
/// `outcome::gone`. The generation makes a slot's next session a different handle.
struct handle {
    std::uint8_t shard = 0;
    std::uint32_t slot : 24 = 0;
    std::uint32_t generation = 0;

    friend constexpr bool operator==(handle const&, handle const&) = default;
    /// False for a handle that never named a session.
    [[nodiscard]] explicit constexpr operator bool() const noexcept { return generation != 0; }
    /// One number that is different for every session of a server.
    [[nodiscard]] constexpr std::uint64_t value() const noexcept
    {
        return std::uint64_t{shard} << 56 | std::uint64_t{slot} << 32 | generation;
    }
};
static_assert(sizeof(handle) == 8);

inline constexpr std::uint32_t max_shards = 64;

}  // namespace polycast::inline v0
