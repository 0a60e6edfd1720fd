#pragma once

#include <polycast/detail/byte_buffer.hpp>
#include <polycast/frame/opcode.hpp>
#include <polycast/session/outcome.hpp>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <mutex>
#include <string_view>
#include <vector>

namespace polycast::inline v0::detail {

/// The messages that a client has yet to send, whole and unmasked: they outlive the connection. A message leaves only
/// when the transport has taken its last byte; what a lost connection took in part is sent again, whole, on the next.
/// Any thread puts messages in, the loop's thread takes them out. Two buffers take turns: no allocation a message.
class client_outbox {
public:
    /// A message as it is stored.
    struct entry {
        std::string_view payload;
        opcode op;
        bool is_event;  ///< may be compressed
    };

    client_outbox(std::size_t max_bytes, std::size_t max_unconnected) noexcept
        : max_bytes_(max_bytes), max_unconnected_(max_unconnected)
    {
    }

    /// From any thread. `wake()` is called, in the lock, for the first message that the loop does not know of.
    template <class Wake>
    outcome push(entry const& message, Wake&& wake)
    {
        std::lock_guard const lock(mutex_);
        if (ended_)
            return outcome::gone;
        std::size_t const bytes = sizeof(record) + message.payload.size();
        if (bytes > max_bytes_ || held_bytes_ > max_bytes_ - bytes || (!connected_ && held_count_ >= max_unconnected_))
            return outcome::over_budget;
        record const head{message.payload.size(), message.op, message.is_event};
        incoming_.append(reinterpret_cast<char const*>(&head), sizeof head);
        incoming_.append(message.payload);
        held_bytes_ += bytes;
        ++held_count_;
        if (!woken_) {
            woken_ = true;
            wake();
        }
        return outcome::queued;
    }
    /// Calls `wake()` in the lock, unless the outbox has ended.
    template <class Wake>
    void signal(Wake&& wake)
    {
        std::lock_guard const lock(mutex_);
        if (!ended_)
            wake();
    }
    /// Nothing is taken, and nobody woken, from now on.
    void end()
    {
        std::lock_guard const lock(mutex_);
        ended_ = true;
    }
    [[nodiscard]] std::size_t queued_bytes() const
    {
        std::lock_guard const lock(mutex_);
        return held_bytes_;
    }
    [[nodiscard]] std::size_t queued_messages() const
    {
        std::lock_guard const lock(mutex_);
        return held_count_;
    }

    // The rest is for the loop's thread.

    /// Whether a connection takes messages. Without one, what was handed out and not settled is to be sent again.
    void set_connected(bool connected)
    {
        std::lock_guard const lock(mutex_);
        connected_ = connected;
        handed_out_ = settled_;
        forget_under_way();
    }
    /// Appends messages to `wire`, which is empty or holds what does not come from here, as `encode(wire, entry)` does,
    /// until `enough_bytes` are there. Everything handed out before is settled. To be called until nothing comes: only
    /// then does the next message wake the loop.
    template <class Encode>
    void fill(byte_buffer& wire, std::size_t enough_bytes, Encode&& encode)
    {
        if (handed_out_ == taken_.size()) {
            taken_.clear();
            handed_out_ = settled_ = 0;
            std::lock_guard const lock(mutex_);
            taken_.swap(incoming_);
            woken_ = false;
        }
        while (handed_out_ < taken_.size() && wire.size() < enough_bytes) {
            record head;
            std::memcpy(&head, taken_.data() + handed_out_, sizeof head);
            encode(wire, entry{{taken_.data() + handed_out_ + sizeof head, head.bytes}, head.op, head.is_event});
            handed_out_ += sizeof head + head.bytes;
            under_way_.push_back({wire.size(), handed_out_});
        }
    }
    /// The transport has taken the first `written` bytes of `wire`.
    void settle(std::size_t written)
    {
        std::size_t count = 0;
        std::size_t const before = settled_;
        while (first_ != under_way_.size() && under_way_[first_].wire_end <= written) {
            settled_ = under_way_[first_++].taken_end;
            ++count;
        }
        if (count == 0)
            return;
        if (first_ == under_way_.size())
            forget_under_way();
        std::lock_guard const lock(mutex_);
        held_bytes_ -= settled_ - before;
        held_count_ -= count;
    }

private:
    struct record {
        std::size_t bytes;
        opcode op;
        bool is_event;
    };
    struct mark {
        std::size_t wire_end;
        std::size_t taken_end;
    };

    void forget_under_way() noexcept
    {
        under_way_.clear();
        first_ = 0;
    }

    std::size_t const max_bytes_;
    std::size_t const max_unconnected_;
    mutable std::mutex mutex_;
    byte_buffer incoming_;
    std::size_t held_bytes_ = 0;
    std::size_t held_count_ = 0;
    bool connected_ = false;
    bool ended_ = false;
    bool woken_ = false;

    byte_buffer taken_;
    std::size_t settled_ = 0;     // of taken_: the transport has it
    std::size_t handed_out_ = 0;  // of taken_: encoded into the wire buffer
    std::vector<mark> under_way_;
    std::size_t first_ = 0;  // of under_way_: those before it are settled
};

}  // namespace polycast::inline v0::detail
