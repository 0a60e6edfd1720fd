#pragma once

#include <polycast/session/handle.hpp>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace polycast::inline v0::detail {

/// Tells any thread whether a handle still names an open session of one shard. The shard alone writes. Memory comes
/// in blocks that stay, so a reader needs no lock.
class liveness {
public:
    liveness() = default;
    liveness(liveness const&) = delete;
    ~liveness()
    {
        for (auto& b : blocks_)
            delete b.load(std::memory_order_relaxed);
    }

    /// On the shard: the session in `slot` is open now (0: none is).
    void set(std::uint32_t slot, std::uint32_t generation)
    {
        auto& place = blocks_[slot / block_size];
        block* b = place.load(std::memory_order_relaxed);
        if (b == nullptr) {
            b = new block{};
            place.store(b, std::memory_order_release);
        }
        (*b)[slot % block_size].store(generation, std::memory_order_release);
    }
    /// From any thread.
    [[nodiscard]] bool open(handle h) const noexcept
    {
        block const* const b = blocks_[h.slot / block_size].load(std::memory_order_acquire);
        return b != nullptr && h && (*b)[h.slot % block_size].load(std::memory_order_acquire) == h.generation;
    }

private:
    static constexpr std::size_t block_size = 8192;
    using block = std::array<std::atomic<std::uint32_t>, block_size>;
    std::array<std::atomic<block*>, (1U << 24) / block_size> blocks_{};  // as many slots as a handle can name
};

}  // namespace polycast::inline v0::detail
