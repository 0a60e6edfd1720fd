#pragma once

#include <polycast/compression/policy.hpp>
#include <polycast/delivery/ledger.hpp>
#include <polycast/detail/byte_buffer.hpp>
#include <polycast/event/control.hpp>
#include <polycast/event/envelope.hpp>
#include <polycast/outbox/outbox.hpp>
#include <polycast/outbox/shared_frame.hpp>
#include <polycast/serializer/policy.hpp>
#include <polycast/session/merging.hpp>
#include <polycast/session/packing.hpp>

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>

namespace polycast::inline v0::detail {

/// Gives waiting events their final place: from the lanes, in the order of their weights, into the outbox's staged queue,
/// which nothing overtakes. There an event of a reliable session gets its number and enters the log, and a compression
/// that remembers the connection sees events in the order of the wire, and what was left plain so that it could be merged is
/// compressed. Other sessions need it for barriers, and while something waits that may be merged.
template <class Shard>
class staging {
public:
    using session_type = typename Shard::session_type;
    using C = typename Shard::composition_type;
    /// So much is staged before a write: what is staged is not overtaken by the high lane, and not dropped.
    [[nodiscard]] std::size_t good_write_bytes() const noexcept
    {
        auto const cap = shard_.options().max_outbox_bytes;
        return cap < 256 * 1024 ? cap / 4 + 1 : 64 * 1024;
    }
    /// Likewise to a transport that was full a moment ago. What is told to a disk first is told in larger parts.
    static constexpr std::size_t little_bytes = Shard::durable ? 64 * 1024 : 4 * 1024;

    staging(Shard& shard, packing<Shard>& packs, node_pool& nodes, lane_mask joined) noexcept
        : shard_(shard), packing_(packs), nodes_(nodes), joined_(joined)
    {
    }

    /// Whether nothing of `s` is written that was not staged.
    [[nodiscard]] static bool needed([[maybe_unused]] session_type const& s) noexcept
    {
        if constexpr (C::compression::keeps_context)
            if (s.context_)
                return true;
        if constexpr (C::compression::forms != 0)
            if (s.profile_ != plain_profile)
                return true;
        if constexpr (has_envelope<typename C::serializer>)
            if (s.mergeable_ && !s.mergeable_->empty())
                return true;  // what leaves its lane is merged no more: the writer does not tell, `stage` does
        if constexpr (C::delivery::resumes)
            if (s.ledger_)
                return true;
        return false;
    }
    /// Stages what waits in `lanes`, until `most_bytes` or a little more are staged.
    void stage(session_type& s, lane_mask lanes, std::size_t most_bytes)
    {
        pay_gap(s);
        while (s.box_.staged_bytes() < most_bytes) {
            auto const queue = s.box_.next(lanes & static_cast<lane_mask>(~control_only));
            if (queue == outbox::queue_count)
                break;
            // All that may fail is done before the event leaves its lane.
            reserve(s);
            bool const writes = writes_to(s);
            frame_ref fitted;  // none: it is written as it is
            if (writes && !packing_.fits(s, *s.box_.front(queue)->frame))
                fitted = packing_.fitted(s, s.box_.front(queue)->frame);
            frame_node* const node = s.box_.pop(queue);
            shard_.out().left_lane(s, *node);
            if (node->events != 0 && number(s, *node)) {  // the log has it now
                s.box_.count_out(0, node->events);
                node->events = 0;
            }
            node->joins = (joined_ >> queue & 1) != 0;
            if (!writes) {
                s.box_.count_out(node->frame->wire_bytes(), node->events);
                nodes_.give_back(node);
                continue;
            }
            if (fitted) {
                s.box_.count_out(node->frame->wire_bytes());
                s.box_.count_in(fitted->wire_bytes());
                node->frame = std::move(fitted);
            }
            s.box_.stage(node);
        }
    }
    /// A new connection has resumed the session: what is in the log goes first.
    void replay(session_type& s)
        requires C::delivery::resumes
    {
        s.ledger_->for_each([&](std::uint64_t at, logged const& entry) {
            if (!entry.frame)
                return tell_gap(s, at, at + entry.events - 1, static_cast<loss>(entry.why));
            shard_.observe().count(metric::replayed, 1);
            put(s, entry.frame, 0, false);
        });
    }
    /// Goes behind what is staged: numbers that stand for nothing.
    void tell_gap(session_type& s, std::uint64_t from, std::uint64_t to, loss why)
    {
        shard_.observe().count(metric::gaps, 1);
        byte_buffer& text = encode_scratch();
        if (!C::serializer::encode(text, envelope_head{}, control::gap{from, to, to_string(why)}))
            put(s, shared_frame::message(C::serializer::frame_opcode, text.view()), 0, false);
    }

private:
    /// Nothing follows a close frame: what gets its number then is replayed to the next connection.
    [[nodiscard]] static bool writes_to(session_type const& s) noexcept { return s.has_connection() && !s.held_; }
    static void reserve([[maybe_unused]] session_type& s)
    {
        if constexpr (C::delivery::resumes)
            if (s.ledger_)
                s.ledger_->reserve();
    }
    /// False if `s` does not count.
    bool number([[maybe_unused]] session_type& s, [[maybe_unused]] frame_node const& node)
    {
        if constexpr (C::delivery::resumes)
            if (s.ledger_) {
                s.ledger_->append(node.frame, shard_.seconds());
                shard_.journal().numbered(*s.ledger_, node);
                shard_.keeps().bound_log(s);
                return true;
            }
        return false;
    }
    /// Events that were dropped get numbers too: the client is told which.
    void pay_gap([[maybe_unused]] session_type& s)
    {
        if constexpr (C::delivery::resumes)
            if (s.ledger_ && s.ledger_->owed_gap() != 0) {
                auto& l = *s.ledger_;
                l.reserve();
                drop const d{l.count() + 1, l.count() + l.owed_gap(), l.owed_gap(), l.owed_why()};
                l.skip(d.events, d.why, shard_.seconds());
                l.paid_gap();
                shard_.journal().skipped(l, d.from, d.to, d.why);
                shard_.journal().owes(l);
                shard_.tells().dropped(s, d);
                if (writes_to(s))
                    tell_gap(s, d.from, d.to, d.why);
            }
    }
    frame_node* put(session_type& s, frame_ref frame, std::uint8_t events, bool joins)
    {
        frame_node* const node = s.box_.push(nodes_, outbox::staged, packing_.fitted(s, std::move(frame)), events);
        node->joins = joins;
        return node;
    }

    Shard& shard_;
    packing<Shard>& packing_;
    node_pool& nodes_;
    lane_mask const joined_;
};

}  // namespace polycast::inline v0::detail
