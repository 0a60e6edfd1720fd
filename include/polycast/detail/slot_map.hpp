#pragma once

#include <cstddef>
#include <cstdint>
#include <new>
#include <utility>
#include <vector>

namespace polycast::inline v0::detail {

/// Objects at addresses that do not move, found by slot number and generation. Memory comes in chunks and is kept.
/// A generation is odd while the slot is taken, so a key of 0 never finds anything.
template <class T, std::size_t ChunkSize = 64>
class slot_map {
    struct slot {
        alignas(T) std::byte storage[sizeof(T)];
        std::uint32_t generation = 0;
        std::uint32_t next_free = 0;
        T* get() noexcept { return std::launder(reinterpret_cast<T*>(storage)); }
    };

public:
    struct key {
        std::uint32_t slot = 0;
        std::uint32_t generation = 0;
    };

    slot_map() = default;
    slot_map(slot_map const&) = delete;
    ~slot_map()
    {
        for_each([this](T&, key k) { erase(k); });
        for (slot* const c : chunks_)
            delete[] c;
    }

    /// Makes a `T` from the key it will have and `arguments`.
    template <class... Arguments>
    T& emplace(Arguments&&... arguments)
    {
        if (free_ == none) {
            auto const first = static_cast<std::uint32_t>(chunks_.size() * ChunkSize);
            chunks_.push_back(nullptr);
            chunks_.back() = new slot[ChunkSize];
            for (std::size_t i = ChunkSize; i-- > 0;) {
                chunks_.back()[i].next_free = free_;
                free_ = first + static_cast<std::uint32_t>(i);
            }
        }
        auto const index = free_;
        slot& s = at(index);
        T* const made = ::new (s.storage) T(key{index, s.generation + 1}, std::forward<Arguments>(arguments)...);
        free_ = s.next_free;
        ++s.generation;
        ++size_;
        return *made;
    }

    [[nodiscard]] T* find(key k) noexcept
    {
        if (k.slot >= chunks_.size() * ChunkSize)
            return nullptr;
        slot& s = at(k.slot);
        return s.generation == k.generation && (k.generation & 1) != 0 ? s.get() : nullptr;
    }

    /// A key that finds nothing is ignored.
    void erase(key k) noexcept
    {
        if (find(k) == nullptr)
            return;
        slot& s = at(k.slot);
        s.get()->~T();
        ++s.generation;
        s.next_free = free_;
        free_ = k.slot;
        --size_;
    }

    [[nodiscard]] std::size_t size() const noexcept { return size_; }

    /// `f(T&, key)` for each; `f` may erase the one it is given.
    template <class F>
    void for_each(F f)
    {
        for (std::size_t c = 0; c < chunks_.size(); ++c)
            for (std::size_t i = 0; i < ChunkSize; ++i)
                if (slot& s = chunks_[c][i]; (s.generation & 1) != 0)
                    f(*s.get(), key{static_cast<std::uint32_t>(c * ChunkSize + i), s.generation});
    }

private:
    static constexpr std::uint32_t none = ~std::uint32_t{0};

    slot& at(std::uint32_t index) noexcept { return chunks_[index / ChunkSize][index % ChunkSize]; }

    std::vector<slot*> chunks_;
    std::uint32_t free_ = none;
    std::size_t size_ = 0;
};

}  // namespace polycast::inline v0::detail
