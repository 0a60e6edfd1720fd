#pragma once

#include <polycast/detail/byte_buffer.hpp>

#include <array>
#include <cstddef>
#include <utility>

namespace polycast::inline v0::detail {

/// A few large buffers that were used and will be again: memory that is freed and taken anew costs a page fault for each
/// of its pages. Bounded in number and size. Not thread safe.
class spare_buffers {
public:
    /// One of them, or a new one.
    [[nodiscard]] byte_buffer take() noexcept { return count_ == 0 ? byte_buffer() : std::move(kept_[--count_]); }
    void keep(byte_buffer&& used) noexcept
    {
        if (count_ == kept_.size() || used.capacity() == 0 || used.capacity() > max_bytes)
            return;
        used.clear();
        kept_[count_++] = std::move(used);
    }

private:
    static constexpr std::size_t max_bytes = 2 * 1024 * 1024;

    std::array<byte_buffer, 4> kept_;
    std::size_t count_ = 0;
};

}  // namespace polycast::inline v0::detail
