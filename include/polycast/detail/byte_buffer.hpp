#pragma once

#include <array>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <new>
#include <string_view>
#include <utility>

namespace polycast::inline v0::detail {

/// A growing run of bytes that leaves new bytes uninitialised, which `std::string` cannot. Keeps its capacity over
/// `clear()`, so a buffer that is used again does not allocate.
class byte_buffer {
public:
    byte_buffer() = default;
    byte_buffer(byte_buffer&& other) noexcept
        : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)),
          capacity_(std::exchange(other.capacity_, 0))
    {
    }
    byte_buffer& operator=(byte_buffer&& other) noexcept
    {
        byte_buffer taken(std::move(other));
        swap(taken);
        return *this;
    }
    ~byte_buffer() { std::free(data_); }

    void swap(byte_buffer& other) noexcept
    {
        std::swap(data_, other.data_);
        std::swap(size_, other.size_);
        std::swap(capacity_, other.capacity_);
    }

    [[nodiscard]] char* data() noexcept { return data_; }
    [[nodiscard]] char const* data() const noexcept { return data_; }
    [[nodiscard]] std::size_t size() const noexcept { return size_; }
    [[nodiscard]] std::size_t capacity() const noexcept { return capacity_; }
    [[nodiscard]] bool empty() const noexcept { return size_ == 0; }
    [[nodiscard]] std::string_view view() const noexcept { return {data_, size_}; }

    /// Makes room for `count` more bytes and returns where they go; `commit` then counts them in. It doubles, but grows to
    /// no more than `at_most` further bytes, for who knows how many there can be.
    [[nodiscard]] char* prepare(std::size_t count, std::size_t at_most = static_cast<std::size_t>(-1))
    {
        if (capacity_ - size_ < count)
            grow(count, at_most);
        return data_ + size_;
    }
    void commit(std::size_t count) noexcept { size_ += count; }

    void append(char const* bytes, std::size_t count)
    {
        if (count == 0)
            return;
        std::memcpy(prepare(count), bytes, count);
        size_ += count;
    }
    void append(std::string_view bytes) { append(bytes.data(), bytes.size()); }
    void push_back(char byte)
    {
        *prepare(1) = byte;
        ++size_;
    }
    void truncate(std::size_t size) noexcept { size_ = size < size_ ? size : size_; }
    void clear() noexcept { size_ = 0; }
    /// Gives the memory back.
    void release() noexcept { byte_buffer{}.swap(*this); }

private:
    [[gnu::noinline]] void grow(std::size_t count, std::size_t at_most)
    {
        std::size_t wanted = capacity_ < 64 ? 128 : capacity_ * 2;
        if (wanted - size_ > at_most)
            wanted = size_ + at_most;
        if (wanted < size_ + count)
            wanted = size_ + count;
        void* const grown = std::realloc(data_, wanted);
        if (grown == nullptr)
            throw std::bad_alloc{};
        data_ = static_cast<char*>(grown);
        capacity_ = wanted;
    }

    char* data_ = nullptr;
    std::size_t size_ = 0;
    std::size_t capacity_ = 0;
};

/// Puts `bytes` to `at`; returns where they end.
template <std::size_t Size>
char* put(char* at, std::array<char, Size> const& bytes) noexcept
{
    if constexpr (Size != 0)
        std::memcpy(at, bytes.data(), Size);
    return at + Size;
}

}  // namespace polycast::inline v0::detail
