#pragma once

#include <polycast/detail/ring.hpp>
#include <polycast/detail/string_map.hpp>
#include <polycast/outbox/shared_frame.hpp>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <utility>

namespace polycast::inline v0 {

/// Why numbers of a session stand for no event any more, as `$gap` says it (WIRE).
enum class loss : std::uint8_t {
    evicted,    ///< a cap of bytes or events
    expired,    ///< older than the log keeps
    restarted,  ///< the server's memory was lost
};
[[nodiscard]] constexpr std::string_view to_string(loss l) noexcept
{
    return l == loss::evicted ? "evicted" : l == loss::expired ? "expired" : "restarted";
}

namespace detail {

/// An entry of a session's log: an event, or a gap, numbers that were given to events that nobody will see. Small, and side
/// by side with its neighbours: a log is written by every event and read by every acknowledgement.
struct logged {
    static constexpr std::uint32_t max_events = (1U << 30) - 1;

    frame_ref frame{};              ///< null: a gap
    std::uint32_t stamp = 0;        ///< when it was logged
    std::uint32_t events : 30 = 0;  ///< how many numbers it has
    std::uint32_t why : 2 = 0;      ///< of a gap
};
static_assert(sizeof(logged) == 16);

/// The reliable side of a session: which numbers were given, which are acknowledged, and the log of what lies between.
/// A number is given when an event's place on the wire is final; numbers begin at 1. Does no I/O and has no clock.
template <class = void>
class basic_ledger {
public:
    basic_ledger(std::uint64_t id_, std::string name_) : id(id_), name(std::move(name_)) {}
    basic_ledger(basic_ledger const&) = delete;

    std::uint64_t const id;
    std::string const name;  ///< a capability: who knows it, and is the same user, may resume the session

    [[nodiscard]] std::uint64_t count() const noexcept { return count_; }
    [[nodiscard]] std::uint64_t acknowledged() const noexcept { return acknowledged_; }
    /// The number of the log's first entry.
    [[nodiscard]] std::uint64_t first() const noexcept { return first_; }
    [[nodiscard]] std::size_t log_bytes() const noexcept { return log_bytes_; }
    /// Events with a number of which it is not known whether the client has them.
    [[nodiscard]] std::uint64_t unresolved() const noexcept { return logged_ + evicted_; }
    [[nodiscard]] logged const* oldest() const noexcept { return log_.empty() ? nullptr : &log_.front(); }

    /// Makes room for one more entry: `append` then does not fail.
    void reserve() { log_.reserve_one(); }
    /// An event takes the next number. `stamp` is the time, in the caller's unit.
    void append(frame_ref const& frame, std::uint32_t stamp)
    {
        log_.push_back({frame, stamp, 1, 0});
        log_bytes_ += frame->wire_bytes();
        ++count_;
        ++logged_;
    }
    /// `numbers` are given to events that were dropped.
    void skip(std::uint64_t numbers, loss why, std::uint32_t stamp)
    {
        auto const reason = static_cast<std::uint32_t>(why);
        while (numbers != 0) {
            if (log_.empty() || log_.back().frame || log_.back().why != reason || log_.back().events == logged::max_events)
                log_.push_back({{}, stamp, 0, 0});
            auto& gap = log_.back();
            auto const part = static_cast<std::uint32_t>(smaller(numbers, logged::max_events - gap.events));
            gap.why = reason & 3;
            gap.events = (gap.events + part) & logged::max_events;
            count_ += part;
            numbers -= part;
        }
    }
    /// The client has everything up to `number`. Returns how many events became delivered by that. Older news is none.
    std::uint64_t acknowledge(std::uint64_t number) noexcept
    {
        if (number <= acknowledged_ || number > count_)
            return 0;
        std::uint64_t delivered = number + 1 >= first_ ? evicted_ : smaller(number - acknowledged_, evicted_);
        evicted_ -= delivered;
        acknowledged_ = number;
        while (!log_.empty() && first_ + log_.front().events - 1 <= number)
            delivered += drop_oldest();
        if (!log_.empty() && first_ <= number) {  // a gap that is known in part
            auto& gap = log_.front();
            gap.events = (gap.events - static_cast<std::uint32_t>(number + 1 - first_)) & logged::max_events;
            first_ = number + 1;
        }
        return delivered;
    }
    /// Forgets the oldest entry. Whether the client has it shows when it resumes. Returns its last number.
    std::uint64_t evict() noexcept
    {
        evicted_ += drop_oldest();
        return first_ - 1;
    }
    /// The client resumes and has everything up to `number`, acknowledged before: what was evicted behind that is lost.
    /// Returns how many events.
    [[nodiscard]] std::uint64_t settle_evicted() noexcept { return std::exchange(evicted_, 0); }

    /// `f(number, logged)` for each entry, in order; `number` is its first.
    template <class F>
    void for_each(F f) const
    {
        std::uint64_t number = first_;
        for (std::size_t i = 0; i < log_.size(); ++i) {
            f(number, log_[i]);
            number += log_[i].events;
        }
    }
    void clear() noexcept
    {
        while (!log_.empty())
            drop_oldest();
        evicted_ = 0;
    }
    /// As a durable log remembers it; before anything else.
    void restore(std::uint64_t acknowledged) noexcept
    {
        count_ = acknowledged_ = acknowledged;
        first_ = acknowledged + 1;
    }
    /// Numbers up to `count` were given; those behind the last entry have none.
    void restore_lost(std::uint64_t count)
    {
        if (count > count_)
            skip(count - count_, loss::restarted, 0);
    }

    // --- requests of the client that have run ----------------------------------------------------------------------

    struct answer {
        frame_ref frame{};   ///< none: of an earlier process, and an event
        bool event = false;  ///< of the application: it has a number, or waits for one
    };
    /// The answer to request `id`, if it has run.
    [[nodiscard]] answer const* answered(std::string_view id_json) const
    {
        auto const at = answers_.find(id_json);
        return at == answers_.end() ? nullptr : &at->second;
    }
    /// Remembers an answer; of more than `keep`, or of more than `most_bytes` together, the oldest are forgotten.
    void remember(std::string_view id_json, answer a, std::size_t keep, std::size_t most_bytes)
    {
        std::size_t const bytes = a.frame ? a.frame->wire_bytes() : 0;
        auto const [at, created] = answers_.try_emplace(std::string(id_json), std::move(a));
        if (!created)
            return;
        order_.push_back(at->first);
        answer_bytes_ += bytes;
        while (order_.size() > keep || (answer_bytes_ > most_bytes && order_.size() > 1)) {
            auto const oldest = answers_.find(order_.front());
            answer_bytes_ -= oldest->second.frame ? oldest->second.frame->wire_bytes() : 0;
            answers_.erase(oldest);
            order_.pop_front();
        }
    }
    /// Whether `frame` is in the log.
    [[nodiscard]] bool holds(shared_frame const* frame) const noexcept
    {
        for (std::size_t i = 0; i < log_.size(); ++i)
            if (log_[i].frame.get() == frame)
                return true;
        return false;
    }
    [[nodiscard]] std::size_t answers() const noexcept { return order_.size(); }

    // --- dropped before they had a number --------------------------------------------------------------------------

    void owe_gap(std::uint64_t events, loss why) noexcept
    {
        owed_ += events;
        owed_why_ = why;
    }
    [[nodiscard]] std::uint64_t owed_gap() const noexcept { return owed_; }
    [[nodiscard]] loss owed_why() const noexcept { return owed_why_; }
    void paid_gap() noexcept { owed_ = 0; }

    std::uint32_t next_entry = 1;  ///< how a durable log names what waits without a number
    std::size_t replayed = 0;      ///< bytes that a resume has staged, and that are not written yet
    bool final = false;            ///< the session ends with its connection

private:
    static std::uint64_t smaller(std::uint64_t a, std::uint64_t b) noexcept { return a < b ? a : b; }
    /// Returns 1 if it was an event, 0 for a gap.
    std::uint64_t drop_oldest() noexcept
    {
        logged& entry = log_.front();
        std::uint64_t const is_event = entry.frame ? 1 : 0;
        if (is_event != 0)
            log_bytes_ -= entry.frame->wire_bytes();
        first_ += entry.events;
        logged_ -= is_event;
        log_.pop_front();
        return is_event;
    }

    ring<logged> log_;
    std::size_t log_bytes_ = 0;
    std::uint64_t count_ = 0;
    std::uint64_t acknowledged_ = 0;
    std::uint64_t first_ = 1;
    std::uint64_t logged_ = 0;   ///< events in the log
    std::uint64_t evicted_ = 0;  ///< events that left it before they were acknowledged
    std::uint64_t owed_ = 0;
    loss owed_why_ = loss::evicted;
    std::size_t answer_bytes_ = 0;
    string_map<answer> answers_;
    std::deque<std::string> order_;
};
using ledger = basic_ledger<>;

}  // namespace detail

}  // namespace polycast::inline v0
