#pragma once

#include <polycast/detail/byte_buffer.hpp>
#include <polycast/session/outcome.hpp>

#include <cstddef>
#include <mutex>
#include <string_view>

namespace polycast::inline v0::detail {

/// Where any thread puts a client's messages, each a `Record` with its bytes behind it, and the loop's thread takes them
/// over. Knows how much the client holds, also of what was taken over, and keeps it below the caps.
template <class Record>
class client_intake {
public:
    client_intake(std::size_t max_bytes, std::size_t max_unconnected) noexcept
        : max_bytes_(max_bytes), max_unconnected_(max_unconnected)
    {
    }

    /// From any thread. `wake()` is called, in the lock, for the first message that the loop does not know of.
    template <class Wake>
    outcome push(Record const& head, std::string_view payload, Wake&& wake)
    {
        std::lock_guard const lock(mutex_);
        if (ended_)
            return outcome::gone;
        std::size_t const bytes = sizeof(Record) + payload.size();
        if (bytes > max_bytes_ || held_bytes_ > max_bytes_ - bytes || (!connected_ && held_count_ >= max_unconnected_))
            return outcome::over_budget;
        incoming_.append(reinterpret_cast<char const*>(&head), sizeof head);
        incoming_.append(payload);
        held_bytes_ += bytes;
        ++held_count_;
        if (!woken_) {
            woken_ = true;
            wake();
        }
        return outcome::queued;
    }
    /// Calls `wake()` in the lock; false if there is nobody to wake any more.
    template <class Wake>
    bool signal(Wake&& wake)
    {
        std::lock_guard const lock(mutex_);
        if (!ended_)
            wake();
        return !ended_;
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

    void connected(bool is)
    {
        std::lock_guard const lock(mutex_);
        connected_ = is;
    }
    /// Puts what has come behind what `taken` holds; the next message wakes the loop again. Two buffers take turns: no
    /// allocation a message.
    void take(byte_buffer& taken)
    {
        std::lock_guard const lock(mutex_);
        woken_ = false;
        if (taken.empty())
            return taken.swap(incoming_);
        taken.append(incoming_.view());
        incoming_.clear();
    }
    /// So much is held no more.
    void release(std::size_t bytes, std::size_t count)
    {
        std::lock_guard const lock(mutex_);
        held_bytes_ -= bytes;
        held_count_ -= count;
    }

private:
    std::size_t const max_bytes_;
    std::size_t const max_unconnected_;
    mutable std::mutex mutex_;
    byte_buffer incoming_;
    std::size_t held_bytes_ = 0;
    std::size_t held_count_ = 0;
    bool connected_ = false;
    bool ended_ = false;
    bool woken_ = false;
};

}  // namespace polycast::inline v0::detail
