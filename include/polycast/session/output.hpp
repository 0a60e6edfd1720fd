#pragma once

#include <polycast/batching/policy.hpp>
#include <polycast/detail/byte_buffer.hpp>
#include <polycast/event/control.hpp>
#include <polycast/event/describe.hpp>
#include <polycast/event/envelope.hpp>
#include <polycast/frame/header.hpp>
#include <polycast/message/control.hpp>
#include <polycast/outbox/encode.hpp>
#include <polycast/outbox/writer.hpp>
#include <polycast/session/direct_output.hpp>
#include <polycast/session/merging.hpp>
#include <polycast/session/packing.hpp>
#include <polycast/session/pressure.hpp>
#include <polycast/session/session.hpp>
#include <polycast/session/staging.hpp>
#include <polycast/session/tally.hpp>
#include <polycast/session/windows.hpp>

#include <concepts>
#include <cstddef>
#include <new>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace polycast::inline v0::detail {

/// The way out of a shard: event → bytes → outbox → transport, one write a session a turn.
///
/// What a handler sends to the session whose bytes it is handling leaves past the outbox where it may (`direct_output`).
/// Everything else is queued in the receiver's outbox and written when the batching policy says.
template <class Shard>
class output {
public:
    using session_type = typename Shard::session_type;
    using C = typename Shard::composition_type;

    explicit output(Shard& shard)
        : shard_(shard), packing_(shard), staging_(shard, packing_, nodes_, joined_lanes), pressure_(shard, nodes_),
          merging_(shard, nodes_), writer_(C::serializer::joins, C::serializer::separator), windows_(shard.loop()),
          direct_(shard, *this)
    {
    }

    /// To one session, as an event. Encodes once, into the direct buffer if that may be.
    template <class Event>
    outcome emit(session_type& s, Event const& event, envelope_head const& head)
    {
        byte_buffer& text = encode_scratch();
        if constexpr (coalesces_with<typename C::serializer, Event>) {
            encoded_span appended;
            if (C::serializer::encode(text, head, event, &appended))
                return outcome::refused;
            shard_.observe().count(metric::encodes, 1);
            if (!direct_.takes(s, urgency_of<Event>)) {
                auto frame = make_coalescing_frame<typename C::serializer>(head, event, text.view(), appended);
                frame->mark_joinable();
                return enqueue(s, std::move(frame), urgency_of<Event>);
            }
        } else {
            if (C::serializer::encode(text, head, event))
                return outcome::refused;
            shard_.observe().count(metric::encodes, 1);
        }
        return emit_payload(s, {text.view(), C::serializer::frame_opcode, true}, urgency_of<Event>);
    }
    /// To one session, as it is.
    outcome send(session_type& s, std::string_view payload, opcode op)
    {
        return emit_payload(s, {payload, op, false}, {});
    }
    /// An answer of the protocol that was encoded before, compressed as `s` has agreed.
    outcome answer_again(session_type& s, shared_frame const& plain)
    {
        return emit_payload(s, {plain.payload(), plain.op(), true}, urgency_of<control::ok>);
    }
    /// Queues a frame in a lane; the batching policy says when it is written. What there is no memory for is refused, as
    /// it is at a cap.
    outcome enqueue(session_type& s, frame_ref emitted, urgency const& u)
    {
        if (!s.takes_events())
            return outcome::gone;
        try {
            return put_in_lane(s, std::move(emitted), u);
        } catch (std::bad_alloc const&) {
            return refuse(s, u);
        }
    }
    /// A further reference to a frame that many get.
    [[nodiscard]] frame_ref refer(frame_ref const& to) { return nodes_.refer(to); }
    /// Whether so much more can be queued at once.
    [[nodiscard]] bool has_room(session_type const& s, std::size_t bytes, std::size_t events) const noexcept
    {
        return pressure_.has_room(s, bytes, events);
    }
    /// Control frames, protocol messages and HTTP answers: above all lanes, exempt from every drop.
    void control(session_type& s, std::string_view wire)
    {
        s.box_.push(nodes_, outbox::control, shared_frame::verbatim({wire.data(), wire.size()}));
        mark_dirty(s);
    }
    /// A message of the protocol: above all lanes, and never dropped. Who asks and does not read is given up.
    outcome answer(session_type& s, frame_ref const& made)
    {
        if (!s.has_connection())
            return outcome::gone;
        frame_ref const frame = packing_.tells_plain(s) ? made : packing_.fitted(s, made);
        if (s.box_.waiting_control() >= max_waiting_answers) {
            shard_.ends().fail(s, close_code::slow_reader, "answers came faster than they were read");
            return outcome::over_budget;
        }
        s.box_.push(nodes_, outbox::control, frame);
        count(s, frame->wire_bytes(), false);
        mark_dirty(s);
        return outcome::queued;
    }
    void close_windows() { windows_.close_due(shard_); }
    /// RFC 6455 §5.5.3: a pong may answer the newest ping only. To a peer that pings and does not read, one waits.
    void pong(session_type& s, std::string_view wire)
    {
        if (s.box_.waiting_control() >= max_waiting_pongs)
            flush(s);
        if (!s.has_connection())
            return;
        auto frame = shared_frame::verbatim({wire.data(), wire.size()});
        if (s.box_.waiting_control() < max_waiting_pongs || !s.box_.replace_last_control(frame, opcode::pong))
            control(s, wire);
    }
    void window_closed(session_type& s, lane l, std::uint32_t serial)
    {
        if (!windows_.matches(s.windows_, l, serial))
            return;
        windows_.forget(s.windows_, l);
        s.due_ |= mask_of(l);
        if (s.has_connection())
            mark_dirty(s);
    }
    /// A new connection has resumed `s`: what is not acknowledged goes first, then what waits.
    void resume(session_type& s)
        requires C::delivery::resumes
    {
        s.due_ = all_lanes;
        try {
            staging_.replay(s);
        } catch (std::bad_alloc const&) {
            return shard_.ends().kill(s);  // it comes again
        }
        s.ledger_->replayed = s.box_.staged_bytes();
        mark_dirty(s);
    }
    void tell_gap(session_type& s, std::uint64_t from, std::uint64_t to, loss why) { staging_.tell_gap(s, from, to, why); }
    /// As a durable log has kept it.
    void wait_in_lane(session_type& s, frame_ref const& frame, urgency const& u, std::uint32_t entry)
    {
        auto* const node = s.box_.push(nodes_, outbox::queue_of(u.lane), frame, 1);
        node->critical = u.critical;
        node->entry = entry;
    }
    [[nodiscard]] bool can_unpack(shared_frame const& frame) { return packing_.can_unpack(frame); }
    static void left_lane(session_type& s, frame_node const& node) noexcept { merging<Shard>::left(s, node); }

    /// What is sent to the session whose bytes are being handled.
    [[nodiscard]] direct_output<Shard>& direct() noexcept { return direct_; }

    /// Writes what is due. Where memory runs out, the session loses its connection, and no event: which of them the peer
    /// has is not known to the end, and a client that counts finds out when it comes again.
    void flush(session_type& s, bool was_full = false)
    {
        try {
            write_out(s, was_full);
        } catch (std::bad_alloc const&) {
            shard_.ends().kill(s);
        }
    }
    /// There are so many sessions: none is forgotten for want of memory when it has something to be written.
    void expect(std::size_t sessions)
    {
        for (auto* const list : {&dirty_, &flushing_})
            if (list->capacity() < 2 * sessions)  // those of a turn, and those that took the places of its dead
                list->reserve(4 * sessions);
    }
    void flush_dirty()
    {
        flushing_.swap(dirty_);
        if constexpr (Shard::durable)  // what is about to be written is on the disk first, all of it by one commit
            for (handle const h : flushing_)
                if (session_type* const s = shard_.find(h); s != nullptr && s->has_connection() && !s->blocked_ &&
                                                            !s->held_ && staging_.needed(*s))
                    stage_or_end(*s, s->due_, staging_.good_write_bytes());
        for (std::size_t i = 0; i < flushing_.size(); ++i) {
            if (i + 2 < flushing_.size())
                if (session_type const* const soon = shard_.find(flushing_[i + 2]))
                    soon->prefetch();
            if (session_type* const s = shard_.find(flushing_[i])) {
                s->dirty_ = false;
                flush(*s);
            }
        }
        flushing_.clear();
        settle();
    }
    /// Keeps no frame that nobody waits for.
    void settle() noexcept { nodes_.settle(); }
    /// Once a tick: whoever waits for the log to be written is looked at again.
    void retry_log()
    {
        for (handle const h : std::exchange(unlogged_, {}))
            if (session_type* const s = shard_.find(h))
                mark_dirty(*s);
    }
    void mark_dirty(session_type& s) noexcept
    {
        if (std::exchange(s.dirty_, true))
            return;
        dirty_.push_back(s.handle_);  // `expect` has made room
        shard_.want_turn();
    }

    void count(session_type& s, std::size_t bytes, bool event) noexcept
    {
        ++s.record_.messages_out;
        s.record_.bytes_out += bytes;
        if (s.has_connection())
            s.active_at_ = shard_.now();
        shard_.observe().count(metric::messages_out, 1);
        if (event) {
            ++s.counts_.published;
            shard_.observe().count(metric::published, 1);
        }
    }
    void wait_writable(session_type& s)
    {
        if constexpr (requires { s.stream_.hold_back(); })
            if (s.box_.waiting_in_lanes() != 0)
                s.stream_.hold_back();
        s.stream_.wait_writable(typename Shard::ready(shard_, s, true));
        s.blocked_ = true;  // now that somebody will say when it is not
    }

    /// Drops what is queued; what is half written stays, unless the session is dead.
    void drop(session_type& s)
    {
        std::uint64_t lost = s.box_.events();
        if constexpr (C::delivery::resumes)
            if (s.ledger_ && s.phase_ == phase::dead) {
                lost += s.ledger_->unresolved();
                s.ledger_->clear();
            }
        s.counts_.dropped += lost;
        shard_.observe().count(metric::dropped, lost);
        merging_.clear(s);
        if (s.phase_ == phase::dead)
            s.box_.clear(nodes_);
        else
            s.box_.drop_waiting(nodes_);
    }
    /// The connection is gone, the session is not.
    void drop_connection(session_type& s) { s.box_.drop_connection(nodes_); }

private:
    static constexpr std::size_t max_waiting_pongs = 16;
    static constexpr std::size_t max_waiting_answers = 16 * 1024;
    static constexpr lane_mask joined_lanes = [] {
        lane_mask m = 0;
        for (lane const l : {lane::high, lane::normal, lane::batch})
            if (C::batching::when(l) == flush_time::window)
                m |= mask_of(l);
        return m;
    }();

    /// While the transport is full, only its becoming writable leads here: then little is given its final place at once,
    /// since what comes later and is urgent goes behind that.
    void write_out(session_type& s, bool was_full)
    {
        direct_.write(s);
        if (s.blocked_ || !s.has_connection())
            return;
        auto const before = s.box_.queued_bytes();
        bool const all_staged = staging_.needed(s);
        auto const most = staging_.good_write_bytes();
        auto bytes = was_full && staging_.little_bytes < most ? staging_.little_bytes : most;
        do {
            if (all_staged)
                staging_.stage(s, s.held_ ? lane_mask{} : s.due_, bytes);
            bytes = bytes < most / 2 ? 2 * bytes : most;
            if (!shard_.log().commit() && s.counts_events())
                return wait_for_log(s);
            lane_mask const due = all_staged ? control_only : s.due_ | control_only;
            switch (writer_.flush(s.box_, s.stream_, due, joined_lanes, nodes_, shard_.observe(), s.counts_.delivered)) {
            case flushed::failed: return shard_.ends().kill(s);
            case flushed::blocked:
                if (s.box_.queued_bytes() < before)
                    shard_.progress(s);
                pressure_.relieved(s);
                return wait_writable(s);
            case flushed::drained: break;
            }
        } while ((all_staged && !s.held_ && s.box_.next(s.due_) != outbox::queue_count) || closes(s));
        s.due_ = 0;
        pressure_.relieved(s);
        shard_.drained(s);
    }
    outcome put_in_lane(session_type& s, frame_ref&& emitted, urgency const& u)
    {
        auto const queue = outbox::queue_of(u.lane);
        auto plan = merging_.merge(s, emitted, queue, u);
        auto const bytes = emitted->wire_bytes();
        if (!pressure_.has_room(s, plan.more_bytes(bytes), plan.more_events())) [[unlikely]] {
            if (!make_room(s, bytes, u))
                return refuse(s, u);
            plan = {};  // the older one may have left meanwhile
        }
        if (u.barrier && !stage_all(s))  // all that was emitted before it, whatever the lane
            return refuse(s, u);
        bool const first = s.box_.waiting(u.lane) == 0;
        auto* const node = s.box_.push(nodes_, queue, std::move(plan.both ? plan.both : emitted), u.event ? 1 : 0);
        node->critical = u.critical;
        try {
            shard_.log().accepted(s, *node, u);
        } catch (...) {
            s.box_.remove(queue, node);
            nodes_.give_back(node);
            throw;
        }
        // Now it is the session's, and nothing below fails.
        if (plan.taken != nullptr)
            merging_.taken(s, plan.taken, queue);
        merging_.queued(s, node, queue, u);
        count(s, bytes, u.event);
        if (u.barrier) {
            static_cast<void>(stage_all(s));
            if (s.has_connection())
                mark_dirty(s);
            return outcome::queued;
        }
        return s.has_connection() ? schedule(s, u.lane, first) : outcome::queued;
    }
    /// Making room for it may have ended the session.
    outcome refuse(session_type& s, urgency const& u)
    {
        return s.takes_events() ? pressure_.refuse(s, u) : outcome::gone;
    }
    /// False if something stays in its lane. Tried again where there is no connection any more: numbers need little memory.
    bool stage_all(session_type& s)
    {
        return stage_or_end(s, all_lanes, ~std::size_t{0}) || stage_or_end(s, all_lanes, ~std::size_t{0});
    }
    bool stage_or_end(session_type& s, lane_mask lanes, std::size_t most_bytes)
    {
        try {
            staging_.stage(s, lanes, most_bytes);
            return true;
        } catch (std::bad_alloc const&) {
            shard_.ends().kill(s);
            return false;
        }
    }
    outcome emit_payload(session_type& s, outgoing message, urgency const& u)
    {
        bool const directly = direct_.takes(s, u);
        // Asked before it is compressed: what a context has compressed must be sent.
        if (directly && message.payload.size() + direct_.bytes() > shard_.options().max_outbox_bytes)
            return pressure_.refuse(s, u);
        packing_.pack(s, message, directly);
        if (directly)
            return direct_.emit(s, message, u);
        auto frame = shared_frame::message(message.op, message.payload, message.rsv1);
        if (message.packed)
            frame->set_form(s.profile_);
        else if (message.is_event)
            frame->mark_joinable();
        return !u.event && message.is_event ? answer(s, frame) : enqueue(s, std::move(frame), u);
    }
    /// `first`: nothing waited in the lane before.
    outcome schedule(session_type& s, lane l, bool first)
    {
        switch (C::batching::when(l)) {
        case flush_time::now:
            s.due_ |= mask_of(l);
            if constexpr (Shard::durable) {
                // At the end of the turn: what a handler does is kept as one, with the answer, or not at all.
                mark_dirty(s);
                return outcome::queued;
            }
            flush(s);
            return s.box_.empty() ? outcome::delivered : outcome::queued;
        case flush_time::turn:
            s.due_ |= mask_of(l);
            mark_dirty(s);
            break;
        case flush_time::window:
            // By bytes as well: what is held back must not keep the session from being read.
            if (s.box_.waiting(l) >= C::batching::window_messages ||
                s.box_.queued_bytes() > shard_.options().max_outbox_bytes / 4) {
                windows_.forget(s.windows_, l);
                s.due_ |= mask_of(l);
                mark_dirty(s);
            } else if (first || !windows_.is_open(s.windows_, l)) {
                try {
                    windows_.open(shard_, s.handle_, s.windows_, l);
                } catch (std::bad_alloc const&) {  // then it does not wait
                    s.due_ |= mask_of(l);
                    mark_dirty(s);
                }
            }
            break;
        }
        return outcome::queued;
    }
    void wait_for_log(session_type& s)
    {
        for (handle const h : unlogged_)
            if (h == s.handle_)
                return;
        unlogged_.push_back(s.handle_);
    }

    /// The cap is for what the peer does not take, not for what has not been offered to it yet.
    [[nodiscard]] bool make_room(session_type& s, std::size_t bytes, urgency const& u)
    {
        if (s.has_connection() && !s.held_) {
            s.due_ = all_lanes;
            flush(s);
        }
        return s.takes_events() && (pressure_.has_room(s, bytes) || pressure_.make_room(s, bytes, u));
    }
    /// Behind everything that was queued goes the close frame, if one is owed.
    [[nodiscard]] bool closes(session_type& s)
    {
        if (!std::exchange(s.close_owed_, false))
            return false;
        control(s, close_frame(s.close_code_, s.head_ ? *s.head_ : std::string()).view());
        s.held_ = true;  // RFC 6455 §5.5.1: nothing follows it
        return true;
    }

    Shard& shard_;
    packing<Shard> packing_;
    node_pool nodes_;
    staging<Shard> staging_;
    pressure<Shard> pressure_;
    merging<Shard> merging_;
    writer writer_;
    windows<Shard> windows_;
    direct_output<Shard> direct_;
    std::vector<handle> dirty_;
    std::vector<handle> flushing_;
    std::vector<handle> unlogged_;  ///< what they are owed is not in the log yet
};

}  // namespace polycast::inline v0::detail
