#pragma once

#include <polycast/outbox/frame_queue.hpp>
#include <polycast/outbox/lane.hpp>

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <utility>

namespace polycast::inline v0 {

/// Which queues a write may take from: control, what is staged, then one bit a lane.
using lane_mask = std::uint8_t;
inline constexpr lane_mask control_only = 0b11;  ///< control frames, and what has its place behind them
inline constexpr lane_mask all_lanes = 0b11111;
[[nodiscard]] constexpr lane_mask mask_of(lane l) noexcept
{
    return static_cast<lane_mask>(4U << static_cast<unsigned>(l));
}

/// What waits for one session: control frames above all; what is staged, whose order is final; then three lanes; and the
/// rest of a frame that is half written. Bytes are counted exactly; the cap is the caller's, asked before `push`. No I/O.
class outbox {
public:
    static constexpr std::size_t control = 0;
    static constexpr std::size_t staged = 1;
    static constexpr std::size_t queue_count = 2 + lane_count;

    [[nodiscard]] static constexpr std::size_t queue_of(lane l) noexcept { return 2 + static_cast<std::size_t>(l); }

    [[nodiscard]] bool empty() const noexcept { return queued_bytes_ == 0; }
    [[nodiscard]] std::size_t queued_bytes() const noexcept { return queued_bytes_; }
    /// Frames in one lane.
    [[nodiscard]] std::uint32_t waiting(lane l) const noexcept { return waiting_[queue_of(l)]; }

    [[nodiscard]] std::uint32_t waiting_control() const noexcept { return waiting_[control]; }
    /// Frames in all lanes.
    [[nodiscard]] std::uint32_t waiting_in_lanes() const noexcept { return waiting_[2] + waiting_[3] + waiting_[4]; }
    [[nodiscard]] std::uint32_t waiting_staged() const noexcept { return waiting_[staged]; }
    [[nodiscard]] std::size_t staged_bytes() const noexcept { return staged_bytes_; }
    /// Events of the application that wait in any queue.
    [[nodiscard]] std::uint32_t events() const noexcept { return events_; }
    /// Puts `frame` in the place of the newest control frame, if that is a `kind`.
    [[nodiscard]] bool replace_last_control(frame_ref const& frame, opcode kind) noexcept
    {
        detail::frame_node* const last = queues_[control].back();
        if (last == nullptr || (static_cast<unsigned char>(last->frame->wire().front()) & 0xF) != static_cast<unsigned>(kind))
            return false;
        queued_bytes_ += frame->wire_bytes();
        queued_bytes_ -= last->frame->wire_bytes();
        last->frame = frame;
        return true;
    }

    /// `events`: 1 for an event of the application, 0 for all else.
    detail::frame_node* push(detail::node_pool& pool, std::size_t queue, frame_ref frame, std::uint8_t events = 0)
    {
        auto const bytes = frame->wire_bytes();
        detail::frame_node* const node = pool.take(std::move(frame));
        node->events = events;
        queues_[queue].push_back(node);
        fill(queue);
        queued_bytes_ += bytes;
        count_staged(queue, bytes);
        events_ += events;
        ++waiting_[queue];
        return node;
    }
    /// Takes a node that waits out of `queue`, and out of all counts.
    void remove(std::size_t queue, detail::frame_node* node) noexcept
    {
        queues_[queue].remove(node);
        drain(queue);
        queued_bytes_ -= node->frame->wire_bytes();
        count_staged(queue, -node->frame->wire_bytes());
        events_ -= node->events;
        --waiting_[queue];
    }
    /// Whether `frame` waits in a lane.
    [[nodiscard]] bool holds(shared_frame const* frame) const noexcept
    {
        for (std::size_t q = queue_of(lane::high); q < queue_count; ++q)
            for (detail::frame_node const* n = queues_[q].front(); n != nullptr; n = queues_[q].after(n))
                if (n->frame.get() == frame)
                    return true;
        return false;
    }
    /// The oldest in `queue` that may be dropped, or none.
    [[nodiscard]] detail::frame_node* oldest_droppable(std::size_t queue) const noexcept
    {
        detail::frame_node* n = queues_[queue].front();
        while (n != nullptr && n->critical)
            n = queues_[queue].after(n);
        return n;
    }

    /// The queue to take from next, or `queue_count` if those in `due` are empty. Control first, then what is staged; then
    /// by weight: of sixteen turns the high lane is preferred in ten, normal in five, batch in one, so no lane ever
    /// starves.
    [[nodiscard]] std::size_t next(lane_mask due) const noexcept
    {
        unsigned const ready = due & filled_;
        static constexpr std::array<std::uint8_t, 16> preferred{2, 2, 3, 2, 2, 3, 2, 2, 3, 2, 2, 3, 2, 2, 3, 4};
        if (std::size_t const first = preferred[turn_ % preferred.size()]; (ready & control_only) == 0 && (ready >> first & 1) != 0)
            return first;
        return ready == 0 ? queue_count : static_cast<std::size_t>(std::countr_zero(ready));
    }
    /// Takes the front of a queue. Its bytes and events stay counted until `count_out`. `in_turn`: it belongs to what was
    /// taken before, and is no turn of its own: else a lane whose events share frames would upset the weights.
    [[nodiscard]] detail::frame_node* pop(std::size_t queue, bool in_turn = false) noexcept
    {
        turn_ = static_cast<std::uint8_t>(turn_ + (queue > staged && !in_turn));
        --waiting_[queue];
        count_staged(queue, -queues_[queue].front()->frame->wire_bytes());
        auto* const node = queues_[queue].pop_front();
        drain(queue);
        return node;
    }
    /// Gives what `pop` took its final place. It stays counted.
    void stage(detail::frame_node* node) noexcept
    {
        queues_[staged].push_back(node);
        fill(staged);
        count_staged(staged, node->frame->wire_bytes());
        ++waiting_[staged];
    }
    [[nodiscard]] detail::frame_node* front(std::size_t queue) const noexcept { return queues_[queue].front(); }
    /// The one behind `node` in a queue, or none.
    [[nodiscard]] detail::frame_node* after(std::size_t queue, detail::frame_node const* node) const noexcept
    {
        return queues_[queue].after(node);
    }
    /// Puts back what `pop` took, last taken first.
    void unpop(std::size_t queue, detail::frame_node* node, bool in_turn = false) noexcept
    {
        turn_ = static_cast<std::uint8_t>(turn_ - (queue > staged && !in_turn));
        ++waiting_[queue];
        count_staged(queue, node->frame->wire_bytes());
        queues_[queue].push_front(node);
        fill(queue);
    }

    /// What is left of a frame that the transport took in part. It goes before everything.
    [[nodiscard]] std::span<char const> partial() const noexcept
    {
        return partial_ ? partial_->wire().subspan(partial_at_) : std::span<char const>();
    }
    void set_partial(frame_ref frame, std::size_t written_bytes) noexcept
    {
        partial_ = std::move(frame);
        partial_at_ = written_bytes;
    }
    void advance_partial(std::size_t written_bytes) noexcept
    {
        partial_at_ += written_bytes;
        if (partial_at_ == partial_->wire_bytes())
            partial_ = {};
    }

    void count_in(std::size_t bytes) noexcept { queued_bytes_ += bytes; }
    void count_out(std::size_t bytes, std::uint32_t events = 0) noexcept
    {
        queued_bytes_ -= bytes;
        events_ -= events;
    }

    /// Drops what is staged, and the lanes. Control frames stay, and a frame that is half written, which must end before
    /// another follows.
    void drop_waiting(detail::node_pool& pool) noexcept
    {
        for (std::size_t q = staged; q < queue_count; ++q)
            drop_queue(q, pool);
    }
    /// Drops all that was meant for one connection; the lanes stay.
    void drop_connection(detail::node_pool& pool) noexcept
    {
        if (partial_)
            queued_bytes_ -= partial_->wire_bytes() - partial_at_;
        partial_ = {};
        drop_queue(control, pool);
        drop_queue(staged, pool);
    }
    /// Drops everything.
    void clear(detail::node_pool& pool) noexcept
    {
        drop_connection(pool);
        drop_waiting(pool);
        queued_bytes_ = 0;  // what was taken and not counted out is gone too
        events_ = 0;
    }

private:
    void fill(std::size_t queue) noexcept { filled_ = static_cast<lane_mask>(filled_ | 1U << queue); }
    void drain(std::size_t queue) noexcept
    {
        if (queues_[queue].empty())
            filled_ = static_cast<lane_mask>(filled_ & ~(1U << queue));
    }
    void count_staged(std::size_t queue, std::size_t bytes) noexcept
    {
        if (queue == staged)
            staged_bytes_ = static_cast<std::uint32_t>(staged_bytes_ + bytes);  // less than nothing wraps as it should
    }
    void drop_queue(std::size_t q, detail::node_pool& pool) noexcept
    {
        while (!queues_[q].empty()) {
            count_out(queues_[q].front()->frame->wire_bytes(), queues_[q].front()->events);
            pool.give_back(queues_[q].pop_front());
        }
        drain(q);
        waiting_[q] = 0;
        if (q == staged)
            staged_bytes_ = 0;
    }

    std::array<detail::frame_queue, queue_count> queues_{};
    std::size_t queued_bytes_ = 0;
    std::array<std::uint32_t, queue_count> waiting_{};
    std::uint32_t staged_bytes_ = 0;
    frame_ref partial_{};
    std::size_t partial_at_ = 0;
    std::uint32_t events_ = 0;
    std::uint8_t turn_ = 0;
    lane_mask filled_ = 0;  ///< queues that are not empty
};
static_assert(sizeof(outbox) <= 96, "an idle session pays for its outbox");

}  // namespace polycast::inline v0
