#pragma once

#include <polycast/detail/byte_buffer.hpp>
#include <polycast/observer/policy.hpp>
#include <polycast/outbox/outbox.hpp>
#include <polycast/transport/policy.hpp>

#include <array>
#include <cstddef>
#include <new>
#include <span>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace polycast::inline v0 {

/// How a flush ended.
enum class flushed : std::uint8_t {
    drained,  ///< nothing that was due is left
    blocked,  ///< the transport takes no more for now: wait until it is writable
    failed,   ///< the connection is gone
};

/// Moves frames from outboxes to transports, one system call for as much as possible. One a shard: its scratch memory
/// is used by all sessions in turn. Small frames are copied side by side, large ones gathered by reference.
template <class = void>
class basic_writer {
public:
    /// `joins`: whether events may share a frame; `separator`, which may be empty, then stands between them.
    explicit basic_writer(bool joins, std::string_view separator) : joins_(joins), separator_(separator)
    {
        static_cast<void>(scratch_.prepare(scratch_bytes));
    }

    /// Writes what waits in `box` in the lanes of `due`. In the lanes of `joined`, joinable events that follow one
    /// another share a frame. Adds to `delivered` the events that the transport has begun to take.
    template <class Stream, class Observer>
    [[nodiscard]] flushed flush(outbox& box, Stream& to, lane_mask due, lane_mask joined, detail::node_pool& pool,
                                Observer& observer, std::uint64_t& delivered)
    {
        for (;;) {
            std::size_t total = 0;
            try {
                total = gather(box, due, joins_ ? joined : lane_mask{});
            } catch (...) {
                put_back(box, 0);
                throw;
            }
            if (total == 0)
                return flushed::drained;
            std::error_code ec;
            auto const written =
                run_count_ == 1 ? to.write_some(runs_[0], ec)
                                : to.write_some(transport::gather_list(runs_.data(), run_count_), ec);
            observer.count(metric::writes, 1);
            if (ec && !transport::would_block(ec)) {
                put_back(box, 0);
                return flushed::failed;
            }
            observer.count(metric::bytes_out, written);
            bool const whole = settle(box, written, pool);
            if (auto const events = std::exchange(events_, 0); events != 0) {
                observer.count(metric::delivered, events);
                delivered += events;
            }
            if (!whole)
                return flushed::failed;
            if (written < total)
                return flushed::blocked;
        }
    }

private:
    static constexpr std::size_t scratch_bytes = 64 * 1024;
    static constexpr std::size_t copy_below_bytes = 4 * 1024;
    static constexpr std::size_t max_joined_bytes = 4 * 1024;  ///< nothing overtakes a frame that has begun
    static constexpr std::size_t max_write_bytes = 1024 * 1024;

    /// What one node gave to this write. A node without bytes of its own is part of the joined frame before it.
    struct pick {
        detail::frame_node* node;  ///< null: the half-written frame
        std::size_t queue;
        std::size_t bytes;         ///< on the wire
        std::size_t counted;       ///< as counted in the outbox
        char const* joined;        ///< the joined frame's bytes in the scratch memory, if this begins one
    };

    [[nodiscard]] char* scratch_room(std::size_t bytes) noexcept
    {
        return scratch_bytes - scratch_.size() < bytes ? nullptr : scratch_.data() + scratch_.size();
    }
    void add_scratch_run(std::size_t bytes)
    {
        char const* const at = scratch_.data() + scratch_.size();
        scratch_.commit(bytes);
        auto* const last = run_count_ == 0 ? nullptr : &runs_[run_count_ - 1];
        if (last != nullptr && last->data() + last->size() == at)
            *last = {last->data(), last->size() + bytes};
        else
            runs_[run_count_++] = {at, bytes};
    }

    /// What is staged came from a lane, and says itself whether that joins.
    [[nodiscard]] static bool joins(outbox const& box, std::size_t queue, lane_mask joined) noexcept
    {
        auto const& front = *box.front(queue);
        return front.frame->joinable() && (front.joins || (joined >> queue & 1) != 0);
    }
    [[nodiscard]] std::size_t gather(outbox& box, lane_mask due, lane_mask joined)
    {
        scratch_.clear();
        run_count_ = 0;
        picks_.clear();
        std::size_t total = 0;
        if (auto const rest = box.partial(); !rest.empty()) {
            runs_[run_count_++] = rest;
            picks_.push_back({nullptr, 0, rest.size(), rest.size(), nullptr});
            total = rest.size();
        }
        while (run_count_ < transport::max_gather && total < max_write_bytes) {
            auto const queue = box.next(due);
            if (queue == outbox::queue_count)
                break;
            auto const& frame = *box.front(queue)->frame;
            if (joins(box, queue, joined)) {
                if (auto const bytes = gather_joined(box, queue); bytes != 0) {
                    total += bytes;
                    continue;
                }
                if (scratch_.size() != 0)
                    break;  // no room left in this write
            }
            auto const wire = frame.wire();
            if (wire.size() <= copy_below_bytes) {
                char* const at = scratch_room(wire.size());
                if (at == nullptr)
                    break;
                std::memcpy(at, wire.data(), wire.size());
                add_scratch_run(wire.size());
            } else {
                runs_[run_count_++] = wire;
            }
            total += wire.size();
            picks_.push_back({nullptr, queue, wire.size(), wire.size(), nullptr});
            picks_.back().node = box.pop(queue);
        }
        return total;
    }

    /// Joins the joinable events at the front of `queue` that fit the scratch memory; 0 if not even one does.
    [[nodiscard]] std::size_t gather_joined(outbox& box, std::size_t queue)
    {
        std::size_t payload = 0;
        std::size_t count = 0;
        auto const room = scratch_bytes - scratch_.size();
        auto const op = box.front(queue)->frame->op();
        bool const staged = box.front(queue)->joins;
        for (auto const* n = box.front(queue);
             n != nullptr && n->frame->joinable() && n->joins == staged && n->frame->op() == op; n = box.after(queue, n)) {
            auto const more = n->frame->payload().size() + (count != 0 ? separator_.size() : 0);
            if (payload + more + max_header_bytes > room || (count != 0 && payload + more > max_joined_bytes))
                break;
            payload += more;
            ++count;
        }
        if (count == 0)
            return 0;
        char* const start = scratch_room(payload + max_header_bytes);
        char* at = start + encode_header(start, {.op = op, .payload_bytes = payload});
        auto const bytes = static_cast<std::size_t>(at - start) + payload;
        for (std::size_t i = 0; i < count; ++i) {
            auto const event = box.front(queue)->frame->payload();
            if (i != 0)
                at += separator_.copy(at, separator_.size());
            std::memcpy(at, event.data(), event.size());
            at += event.size();
            auto const counted = box.front(queue)->frame->wire_bytes();
            picks_.push_back({nullptr, queue, i == 0 ? bytes : 0, counted, i == 0 ? start : nullptr});
            picks_.back().node = box.pop(queue, i != 0);
        }
        add_scratch_run(bytes);
        return bytes;
    }

    /// Takes `written` bytes off the front; what was not begun goes back to its queue. False if a frame was begun whose rest
    /// could not be kept: the connection cannot go on.
    [[nodiscard]] bool settle(outbox& box, std::size_t written, detail::node_pool& pool)
    {
        std::size_t i = 0;
        while (i < picks_.size() && written >= picks_[i].bytes && (written != 0 || picks_[i].bytes == 0)) {
            written -= picks_[i].bytes;
            finish(box, picks_[i++], pool);
        }
        bool whole = true;
        if (i < picks_.size() && written != 0) {
            try {
                i = split(box, i, written, pool);
            } catch (std::bad_alloc const&) {
                whole = false;
            }
        }
        put_back(box, i);
        return whole;
    }
    void put_back(outbox& box, std::size_t first) noexcept
    {
        for (std::size_t back = picks_.size(); back-- > first;)
            if (picks_[back].node != nullptr)
                box.unpop(picks_[back].queue, picks_[back].node, picks_[back].bytes == 0);
    }
    void finish(outbox& box, pick const& p, detail::node_pool& pool)
    {
        if (p.node == nullptr) {
            box.count_out(p.counted);
            return box.advance_partial(p.bytes);
        }
        box.count_out(p.counted, p.node->events);
        events_ += p.node->events;
        pool.give_back(p.node);
    }
    /// Pick `i` was written in part; returns the first pick behind its frame.
    std::size_t split(outbox& box, std::size_t i, std::size_t written, detail::node_pool& pool)
    {
        pick const& p = picks_[i];
        if (p.node == nullptr) {
            box.advance_partial(written);
            box.count_out(written);
            return i + 1;
        }
        if (p.joined == nullptr) {
            box.set_partial(std::move(p.node->frame), written);
            box.count_out(written, p.node->events);
            events_ += p.node->events;
            pool.give_back(p.node);
            return i + 1;
        }
        // A joined frame exists in the scratch memory only: its rest needs a home of its own.
        auto rest = shared_frame::verbatim({p.joined + written, p.bytes - written});
        box.count_in(rest->wire_bytes());
        box.set_partial(std::move(rest), 0);
        do {
            finish(box, picks_[i++], pool);
        } while (i < picks_.size() && picks_[i].bytes == 0);
        return i;
    }

    bool joins_;
    std::string_view separator_;
    detail::byte_buffer scratch_;
    std::array<std::span<char const>, transport::max_gather> runs_{};
    std::size_t run_count_ = 0;
    std::vector<pick> picks_;
    std::uint64_t events_ = 0;  ///< finished or begun by the last write
};
using writer = basic_writer<>;

}  // namespace polycast::inline v0
