#pragma once

#include <polycast/frame/close_code.hpp>
#include <polycast/observer/policy.hpp>
#include <polycast/outbox/outbox.hpp>
#include <polycast/session/outcome.hpp>
#include <polycast/session/room_to_send.hpp>
#include <polycast/session/tally.hpp>

#include <cstddef>
#include <cstdint>

namespace polycast::inline v0::detail {

/// What happens at the caps of a session's outbox: who goes, who is refused, who waits for room.
template <class Shard>
class pressure {
public:
    using session_type = typename Shard::session_type;
    using C = typename Shard::composition_type;

    pressure(Shard& shard, node_pool& nodes) noexcept : shard_(shard), nodes_(nodes) {}

    /// Whether so much more may wait. What a resume has staged to be sent again is bounded by the log's own cap.
    [[nodiscard]] bool has_room(session_type const& s, std::size_t bytes, std::size_t events = 1) const noexcept
    {
        auto const& o = shard_.options();
        if (shard_.journal().backlog_bytes() > o.delivery.max_backlog_bytes)
            return false;  // what cannot be kept is not taken
        std::size_t held = s.box_.queued_bytes();
        std::size_t most = o.max_outbox_bytes;
        if constexpr (C::delivery::resumes) {
            if (auto* const l = s.ledger_.get(); l != nullptr && s.has_connection()) {
                l->replayed = l->replayed < s.box_.staged_bytes() ? l->replayed : s.box_.staged_bytes();
                held -= l->replayed;
            } else if (l != nullptr) {  // a barrier may have brought waiting events into the log
                held += l->log_bytes();
                most += o.delivery.max_log_bytes;
            }
        }
        return held + bytes <= most && s.box_.events() + events <= o.max_outbox_events;
    }
    /// Drops what may go in favour of the event at hand. False if that is not enough.
    [[nodiscard]] bool make_room(session_type& s, std::size_t bytes, urgency const& u)
    {
        auto const choice = shard_.options().backpressure;
        if (choice == backpressure::pause || (!u.critical && choice != backpressure::drop_oldest_normal))
            return false;
        bool made = drop_from(s, outbox::queue_of(lane::normal), bytes) || drop_from(s, outbox::queue_of(lane::batch), bytes);
        if (!made && u.critical) {
            made = drop_from(s, outbox::queue_of(lane::high), bytes);
            // Earlier barriers may have staged it all. What is counted, or compressed in order, has to be sent.
            if (!made && !s.counts_events() && !remembers(s))
                made = drop_from(s, outbox::staged, bytes);
        }
        return made;
    }
    /// The event at hand is not queued.
    outcome refuse(session_type& s, urgency const& u)
    {
        auto const choice = shard_.options().backpressure;
        if (choice == backpressure::pause)
            return outcome::over_budget;
        if (u.event) {
            ++s.counts_.published;
            shard_.observe().count(metric::published, 1);
            dropped(s);
        } else {
            shard_.observe().count(metric::dropped, 1);
        }
        // A critical event is never lost in silence: who cannot be told is told to come again.
        if ((u.critical || choice == backpressure::disconnect) && s.has_connection())
            shard_.ends().fail(s, close_code::slow_reader, u.critical ? "critical events came faster than they were read"
                                                               : "events came faster than they were read");
        return outcome::over_budget;
    }
    /// Something has been written: who waits for room may go on.
    void relieved(session_type& s)
    {
        if (s.waiting_ != nullptr && s.box_.queued_bytes() <= shard_.options().max_outbox_bytes / 2 &&
            s.box_.events() <= shard_.options().max_outbox_events / 2)
            shard_.tells().has_room(s);
    }

private:
    [[nodiscard]] static bool remembers([[maybe_unused]] session_type const& s) noexcept
    {
        if constexpr (C::compression::keeps_context)
            return s.context_ != nullptr;
        else
            return false;
    }
    /// Drops the oldest of a queue that may go, until there is room; false if there is none even so.
    [[nodiscard]] bool drop_from(session_type& s, std::size_t queue, std::size_t bytes)
    {
        while (!has_room(s, bytes)) {
            auto* const node = s.box_.oldest_droppable(queue);
            if (node == nullptr)
                return false;
            s.box_.remove(queue, node);
            shard_.out().left_lane(s, *node);
            shard_.log().forgotten(s, *node);
            if (node->events != 0)
                dropped(s);
            nodes_.give_back(node);
        }
        return true;
    }
    void dropped(session_type& s)
    {
        ++s.counts_.dropped;
        shard_.observe().count(metric::dropped, 1);
        if constexpr (C::delivery::resumes)
            if (s.ledger_) {
                s.ledger_->owe_gap(1, loss::evicted);  // told before the next number is given
                shard_.log().owes(s);
                if (s.has_connection())
                    shard_.out().mark_dirty(s);  // so now, if nothing else is to be written
                return;
            }
        shard_.tells().dropped(s, {0, 0, 1, loss::evicted});
    }

    Shard& shard_;
    node_pool& nodes_;
};

}  // namespace polycast::inline v0::detail
