#pragma once

#include <polycast/outbox/shared_frame.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <forward_list>
#include <utility>

namespace polycast::inline v0::detail {

/// A place in a queue: a reference to a frame, and what its queue is told of it. Half a cache line: a broadcast has one for
/// each receiver.
struct alignas(32) frame_node {
    frame_node* next = nullptr;
    frame_node* previous = nullptr;  ///< of the first: the last
    frame_ref frame{};
    std::uint32_t entry = 0;     ///< how a durable log names it
    std::uint8_t events = 0;     ///< of the application, that it stands for: 1, or 0
    bool critical = false;       ///< never dropped
    bool joins = false;          ///< may share a frame with its neighbours
};

static_assert(sizeof(frame_node) == 32);

/// A shard's supply of nodes: they come in blocks, go back when a frame has been written, and are never given up, so
/// that queueing in the steady state allocates nothing.
class node_pool {
public:
    [[nodiscard]] frame_node* take(frame_ref frame)
    {
        if (free_ == nullptr)
            refill();
        frame_node* const node = std::exchange(free_, free_->next);
        *node = {.frame = std::move(frame)};
        return node;
    }
    void give_back(frame_node* node) noexcept
    {
        node->frame = {};
        node->next = std::exchange(free_, node);
    }

private:
    static constexpr std::size_t block_size = 256;
    void refill()
    {
        for (frame_node& node : blocks_.emplace_front())
            node.next = std::exchange(free_, &node);
    }
    frame_node* free_ = nullptr;
    std::forward_list<std::array<frame_node, block_size>> blocks_;
};

/// First in, first out. Owns no memory: nodes belong to a pool. One word, since every session has one for each lane.
class frame_queue {
public:
    [[nodiscard]] bool empty() const noexcept { return head_ == nullptr; }
    [[nodiscard]] frame_node* front() const noexcept { return head_; }
    [[nodiscard]] frame_node* back() const noexcept { return head_ == nullptr ? nullptr : head_->previous; }
    void push_back(frame_node* node) noexcept
    {
        node->next = nullptr;
        if (head_ == nullptr) {
            head_ = node->previous = node;
            return;
        }
        node->previous = std::exchange(head_->previous, node);
        node->previous->next = node;
    }
    void push_front(frame_node* node) noexcept
    {
        node->next = head_;
        node->previous = head_ == nullptr ? node : std::exchange(head_->previous, node);
        head_ = node;
    }
    [[nodiscard]] frame_node* pop_front() noexcept
    {
        frame_node* const node = std::exchange(head_, head_->next);
        if (head_ != nullptr)
            head_->previous = node->previous;
        return node;
    }
    /// Takes out `node`, wherever it stands.
    void remove(frame_node* node) noexcept
    {
        if (node == head_)
            return static_cast<void>(pop_front());
        node->previous->next = node->next;
        (node->next != nullptr ? node->next : head_)->previous = node->previous;
    }

private:
    frame_node* head_ = nullptr;
};

}  // namespace polycast::inline v0::detail
