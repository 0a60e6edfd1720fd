#pragma once

#include <polycast/config.hpp>
#include <polycast/detail/task.hpp>

#if POLYCAST_WITH_SIMULATION

#include <cstdint>

namespace polycast::inline v0::transport {

/// The world keeps the handlers of all loops in one order, so that the seed decides between them.
using simulated_task = detail::task<6 * sizeof(void*)>;

/// xoshiro256** seeded by splitmix64: the same numbers on every platform, which `std::` distributions do not promise.
class simulated_chance {
public:
    explicit constexpr simulated_chance(std::uint64_t seed) noexcept
    {
        for (std::uint64_t& word : state_) {
            seed += 0x9E3779B97F4A7C15u;
            std::uint64_t z = seed;
            z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
            z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
            word = z ^ (z >> 31);
        }
    }
    constexpr std::uint64_t next() noexcept
    {
        std::uint64_t const result = rotate(state_[1] * 5, 7) * 9;
        std::uint64_t const t = state_[1] << 17;
        state_[2] ^= state_[0];
        state_[3] ^= state_[1];
        state_[1] ^= state_[2];
        state_[0] ^= state_[3];
        state_[2] ^= t;
        state_[3] = rotate(state_[3], 45);
        return result;
    }
    /// 0 … bound - 1; 0 for a bound of 0.
    constexpr std::uint64_t below(std::uint64_t bound) noexcept { return bound == 0 ? 0 : next() % bound; }
    /// True with probability `p`.
    constexpr bool happens(double p) noexcept
    {
        return p > 0 && static_cast<double>(next() >> 11) * 0x1p-53 < p;
    }

private:
    static constexpr std::uint64_t rotate(std::uint64_t x, int by) noexcept { return (x << by) | (x >> (64 - by)); }

    std::uint64_t state_[4]{};
};

}  // namespace polycast::inline v0::transport

#endif  // POLYCAST_WITH_SIMULATION
