#pragma once

#include <cstddef>
#include <memory>
#include <utility>

namespace polycast::inline v0::detail {

/// First in, first out, side by side in memory that is used again and again. An empty one of modest size keeps its memory,
/// a large one gives it back; a fresh one has none.
template <class T>
class ring {
public:
    ring() = default;
    ring(ring const&) = delete;

    [[nodiscard]] bool empty() const noexcept { return size_ == 0; }
    [[nodiscard]] std::size_t size() const noexcept { return size_; }
    /// The `i`th from the front.
    [[nodiscard]] T& operator[](std::size_t i) noexcept { return at_[(first_ + i) & (capacity_ - 1)]; }
    [[nodiscard]] T const& operator[](std::size_t i) const noexcept { return at_[(first_ + i) & (capacity_ - 1)]; }
    [[nodiscard]] T& front() noexcept { return (*this)[0]; }
    [[nodiscard]] T const& front() const noexcept { return (*this)[0]; }
    [[nodiscard]] T& back() noexcept { return (*this)[size_ - 1]; }
    [[nodiscard]] T const& back() const noexcept { return (*this)[size_ - 1]; }

    /// The next `push_back` needs no memory.
    void reserve_one()
    {
        if (size_ == capacity_)
            grow();
    }
    void push_back(T value)
    {
        reserve_one();
        (*this)[size_] = std::move(value);
        ++size_;
    }
    void pop_front() noexcept
    {
        front() = T();
        first_ = (first_ + 1) & (capacity_ - 1);
        if (--size_ == 0 && capacity_ > kept_capacity) {
            at_.reset();
            capacity_ = first_ = 0;
        }
    }

private:
    static constexpr std::size_t first_capacity = 8;
    static constexpr std::size_t kept_capacity = 64;

    void grow()
    {
        std::size_t const larger = capacity_ == 0 ? first_capacity : 2 * capacity_;
        auto to = std::make_unique<T[]>(larger);
        for (std::size_t i = 0; i < size_; ++i)
            to[i] = std::move((*this)[i]);
        at_ = std::move(to);
        capacity_ = larger;
        first_ = 0;
    }

    std::unique_ptr<T[]> at_;
    std::size_t capacity_ = 0;  ///< a power of two, or 0
    std::size_t first_ = 0;
    std::size_t size_ = 0;
};

}  // namespace polycast::inline v0::detail
