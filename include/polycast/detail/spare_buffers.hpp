#pragma once

#include <polycast/detail/byte_buffer.hpp>

#include <array>
#include <cstddef>
#include <utility>

namespace polycast::inline v0::detail {

/// Some large buffers that were used and will be again: memory that is freed and taken anew costs a page fault for each
/// of its pages. 16 MiB at most; small ones are not worth a place. Not thread safe.
class spare_buffers {
public:
    static constexpr std::size_t most = 16;
    static constexpr std::size_t min_bytes = 64 * 1024;
    static constexpr std::size_t max_bytes = 1024 * 1024;

    /// The largest whose capacity is from `at_least` to `at_most`; one without any if there is none.
    [[nodiscard]] byte_buffer take(std::size_t at_least, std::size_t at_most) noexcept
    {
        byte_buffer* best = nullptr;
        for (byte_buffer& b : kept_)
            if (b.capacity() >= at_least && b.capacity() <= at_most && (best == nullptr || b.capacity() > best->capacity()))
                best = &b;
        return best == nullptr ? byte_buffer() : std::move(*best);
    }
    /// In the place of the smallest, if that is smaller.
    void keep(byte_buffer&& used) noexcept
    {
        byte_buffer* least = &kept_.front();
        for (byte_buffer& b : kept_)
            if (b.capacity() < least->capacity())
                least = &b;
        if (used.capacity() < min_bytes || used.capacity() > max_bytes || used.capacity() <= least->capacity())
            return;
        *least = std::move(used);
        least->clear();
    }

private:
    std::array<byte_buffer, most> kept_;
};

}  // namespace polycast::inline v0::detail
