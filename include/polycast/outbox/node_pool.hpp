#pragma once

#include <polycast/outbox/shared_frame.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <new>
#include <utility>

namespace polycast::inline v0::detail {

/// A place in a queue: a reference to a frame, and what its queue is told of it. Half a cache line: a broadcast has one for
/// each receiver.
struct alignas(32) frame_node {
    frame_node* next = nullptr;
    frame_node* previous = nullptr;  ///< the first has none that counts
    frame_ref frame{};
    std::uint32_t entry = 0;     ///< how a durable log names it
    std::uint8_t events = 0;     ///< of the application, that it stands for: 1, or 0
    bool critical = false;       ///< never dropped
    bool joins = false;          ///< may share a frame with its neighbours
};

static_assert(sizeof(frame_node) == 32);

/// References that a shard has in stock. One to each receiver of a broadcast, and back from each, would be as many locked
/// instructions; here a frame's count is touched once for many.
class reference_stock {
public:
    reference_stock() = default;
    reference_stock(reference_stock const&) = delete;
    ~reference_stock() { settle(); }

    [[nodiscard]] frame_ref take(frame_ref const& of)
    {
        entry& e = at(of.get());
        if (e.frame != of.get()) {
            settle(e);
            e.frame = of.get();
        }
        if (e.count == 0) {
            of->acquire(handful);
            e.count = handful;
        }
        --e.count;
        in_use_ = true;
        return frame_ref::adopt(of.get());
    }
    /// It may be none: a frame that was written in part has gone on to where its rest waits.
    void give_back(frame_ref&& reference) noexcept
    {
        entry& e = at(reference.get());
        if (e.frame != reference.get() || !reference)
            return static_cast<void>(frame_ref(std::move(reference)));
        ++e.count;
        static_cast<void>(reference.leave());
    }
    /// Keeps nothing: once a turn, so that no frame is kept for long.
    void settle() noexcept
    {
        if (std::exchange(in_use_, false))
            for (entry& e : entries_)
                settle(e);
    }

private:
    static constexpr std::uint32_t handful = 64;
    static constexpr unsigned index_bits = 6;
    struct entry {
        shared_frame* frame = nullptr;
        std::uint32_t count = 0;
    };
    [[nodiscard]] entry& at(shared_frame const* f) noexcept
    {
        return entries_[reinterpret_cast<std::uintptr_t>(f) * std::uint64_t{0x9E37'79B9'7F4A'7C15} >> (64 - index_bits)];
    }
    static void settle(entry& e) noexcept
    {
        shared_frame* const frame = std::exchange(e.frame, nullptr);
        if (auto const count = std::exchange(e.count, 0); count != 0)
            frame->release(count);
    }
    std::array<entry, std::size_t{1} << index_bits> entries_{};
    bool in_use_ = false;
};

/// A shard's supply of nodes: they come in blocks, go back when a frame has been written, and are never given up, so
/// that queueing in the steady state allocates nothing. A block that is whole again is handed out from its beginning: the
/// nodes of a broadcast lie side by side, however they came back.
class node_pool {
public:
    node_pool() = default;
    node_pool(node_pool const&) = delete;
    ~node_pool()
    {
        while (block* const b = std::exchange(all_, all_ == nullptr ? nullptr : all_->older)) {
            for (std::uint32_t i = 0; i < b->begun; ++i)
                b->nodes()[i].~frame_node();  // some still wait in an outbox
            std::free(b);
        }
    }

    [[nodiscard]] frame_node* take(frame_ref frame)
    {
        if (current_ == nullptr || current_->full())
            change();
        block& b = *current_;
        ++b.taken;
        frame_node* const node = b.free != nullptr ? std::exchange(b.free, b.free->next) : &b.nodes()[b.begun++];
        return ::new (static_cast<void*>(node)) frame_node{.frame = std::move(frame)};  // it held none
    }
    void give_back(frame_node* node) noexcept
    {
        references_.give_back(std::move(node->frame));
        block& b = *reinterpret_cast<block*>(reinterpret_cast<std::uintptr_t>(node) & ~std::uintptr_t{block_bytes - 1});
        if (--b.taken == 0) {
            b.free = nullptr;
            b.begun = 0;
        } else {
            node->next = std::exchange(b.free, node);
        }
        if (&b != current_ && !std::exchange(b.listed, true)) {
            (first_ == nullptr ? first_ : last_->next) = &b;
            last_ = &b;
            b.next = nullptr;
        }
    }
    /// A further reference.
    [[nodiscard]] frame_ref refer(frame_ref const& to) { return references_.take(to); }
    /// At the end of a turn.
    void settle() noexcept { references_.settle(); }

private:
    static constexpr std::size_t block_bytes = 8192;  ///< and its alignment, so that a node knows its block
    struct block {
        static constexpr std::uint32_t size = block_bytes / sizeof(frame_node) - 2;
        block* older;         ///< of all
        block* next;          ///< of those that have nodes to give
        frame_node* free;     ///< that came back
        std::uint32_t begun;  ///< that have ever been taken since it was whole
        std::uint32_t taken;
        bool listed;
        [[nodiscard]] bool full() const noexcept { return taken == size; }
        [[nodiscard]] frame_node* nodes() noexcept { return reinterpret_cast<frame_node*>(this) + 2; }
    };
    static_assert(sizeof(block) <= 2 * sizeof(frame_node));

    void change()
    {
        if (first_ == nullptr) {
            void* const memory = std::aligned_alloc(block_bytes, block_bytes);
            if (memory == nullptr)
                throw std::bad_alloc{};
            all_ = current_ = ::new (memory) block{.older = all_, .next = nullptr, .free = nullptr, .begun = 0, .taken = 0,
                                                   .listed = false};
            return;
        }
        current_ = std::exchange(first_, first_->next);
        current_->listed = false;
    }

    reference_stock references_;
    block* current_ = nullptr;
    block* first_ = nullptr;
    block* last_ = nullptr;
    block* all_ = nullptr;
};

}  // namespace polycast::inline v0::detail
