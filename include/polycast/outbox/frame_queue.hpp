#pragma once

#include <polycast/outbox/node_pool.hpp>

#include <utility>

namespace polycast::inline v0::detail {

/// First in, first out. Owns no memory: nodes belong to a pool. One word, since every session has one for each lane: the
/// last node, whose `next` is the first. Taking the first does not touch the second, which a cache seldom has.
class frame_queue {
public:
    [[nodiscard]] bool empty() const noexcept { return last_ == nullptr; }
    [[nodiscard]] frame_node* front() const noexcept { return last_ == nullptr ? nullptr : last_->next; }
    [[nodiscard]] frame_node* back() const noexcept { return last_; }
    [[nodiscard]] frame_node* after(frame_node const* node) const noexcept { return node == last_ ? nullptr : node->next; }
    void push_back(frame_node* node) noexcept
    {
        if (last_ == nullptr) {
            node->next = node;
        } else {
            node->next = std::exchange(last_->next, node);
            node->previous = last_;
        }
        last_ = node;
    }
    void push_front(frame_node* node) noexcept
    {
        if (last_ == nullptr)
            return push_back(node);
        node->next = std::exchange(last_->next, node);
        node->next->previous = node;
    }
    [[nodiscard]] frame_node* pop_front() noexcept
    {
        frame_node* const node = last_->next;
        if (node == last_)
            last_ = nullptr;
        else
            last_->next = node->next;
        return node;
    }
    /// Takes out `node`, wherever it stands.
    void remove(frame_node* node) noexcept
    {
        if (node == front())
            return static_cast<void>(pop_front());
        node->previous->next = node->next;
        if (node == last_)
            last_ = node->previous;
        else
            node->next->previous = node->previous;
    }

private:
    frame_node* last_ = nullptr;
};

}  // namespace polycast::inline v0::detail
