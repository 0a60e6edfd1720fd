#pragma once

#include <polycast/compression/policy.hpp>
#include <polycast/delivery/journal.hpp>
#include <polycast/delivery/ledger.hpp>
#include <polycast/observer/policy.hpp>
#include <polycast/session/arrival.hpp>
#include <polycast/session/handle.hpp>
#include <polycast/session/hooks.hpp>
#include <polycast/session/inbound.hpp>
#include <polycast/session/session.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace polycast::inline v0::detail {

/// Keeps sessions while they have no connection: lost, away, resumed by another connection, or expired. The session stays
/// where it is, with its handle, its rooms and its log; the connection comes to it.
template <class Shard>
class keeping {
public:
    using session_type = typename Shard::session_type;
    using C = typename Shard::composition_type;
    using arrival_type = arrival<C>;

    explicit keeping(Shard& shard) noexcept : shard_(shard) {}

    /// The first `$open` of a client: from here on its events are counted.
    void begin(session_type& s)
    {
        auto& shared = shard_.shared();
        s.ledger_ = std::make_unique<ledger>(shared.next_session_id.fetch_add(1, std::memory_order_relaxed), random_name());
        shared.users.name(s.ledger_->name, s.user_, s.handle_);
        shard_.journal().opened(*s.ledger_, s.user_);
    }
    /// The session that the first message of `s` wants to resume; no handle if there is none.
    [[nodiscard]] handle wanted(session_type const& s, std::string_view type, std::string_view session) const
    {
        return type != "$open" || session.empty() ? handle{} : shard_.shared().users.find(session, s.user_);
    }
    /// `s` has only just said what it wants: its connection leaves for `a.to`. False if it cannot.
    [[nodiscard]] bool depart(session_type& s, std::string_view rest)
    {
        if (s.blocked_ || !s.stream_.can_leave())
            return false;
        arrival_type a{.connection = s.stream_.leave()};
        a.to = moving_.to;
        a.received = moving_.received;
        a.first = std::move(moving_.first);
        a.rest = rest;
        a.user = std::move(s.user_);
        a.profile = s.profile_;
        a.compressed = s.assembler_.compressed();
        a.context = std::move(s.context_);
        if (a.to.shard == shard_.index()) {
            arrive(std::move(a));
        } else {
            auto const to = a.to;
            shard_.shared().doors[to.shard].put(std::move(a));
            shard_.shared().mailboxes[to.shard].knock();
        }
        return true;
    }
    /// Notes what `depart` needs.
    void moves(session_type& s, handle to, std::uint64_t received, std::string first)
    {
        s.phase_ = phase::moving;
        moving_ = {to, received, std::move(first)};
    }

    /// A connection has come, from this shard or another.
    void arrive(arrival_type&& a)
    {
        session_type* s = shard_.find(a.to);
        bool const resumes = s != nullptr && s->is_kept() && s->admitted_ && a.received <= s->ledger_->count();
        if (resumes) {
            if (s->phase_ == phase::away)
                --away_;
            else
                leave_connection(*s);
        } else {
            s = &shard_.emplace(typename C::transport::stream(shard_.loop()));
            s->user_ = std::move(a.user);
            s->unknown_ = true;
        }
        take_over(*s, a);
        inbound<Shard>{shard_, *s}.decode({a.first.data(), a.first.size()}, true);
        if (s->phase_ == phase::open && !a.rest.empty())
            shard_.in().feed(*s, {a.rest.data(), a.rest.size()});
        shard_.in().go_on(*s);
    }
    /// `$open` of a session that has its new connection.
    void resume(session_type& s, std::uint64_t received)
    {
        auto& l = *s.ledger_;
        acknowledge(s, received);
        shard_.observe().count(metric::resumed, 1);
        if (auto const from = received + 1; from < l.first()) {
            auto const lost = l.settle_evicted();
            s.counts_.dropped += lost;
            shard_.observe().count(metric::dropped, lost);
            if (lost != 0)
                shard_.tells().dropped(s, {from, l.first() - 1, lost, loss::evicted});
            shard_.out().tell_gap(s, from, l.first() - 1, loss::evicted);
        }
        shard_.out().resume(s);
        if constexpr (has_resumed<typename Shard::app_type, session_type>)
            shard_.guarded([&] { shard_.app().resumed(s); });
    }
    /// The client has everything up to `number`. What it cannot have is ignored.
    void acknowledge(session_type& s, std::uint64_t number)
    {
        auto& l = *s.ledger_;
        if (number <= l.acknowledged() || number > l.count())
            return;
        auto const delivered = l.acknowledge(number);
        s.counts_.delivered += delivered;
        shard_.observe().count(metric::delivered, delivered);
        shard_.journal().trimmed(l, number, true);
    }
    /// Keeps the log of `s` under its cap of bytes. What is evicted may have arrived: that shows when `s` is resumed.
    void bound_log(session_type& s)
    {
        auto& l = *s.ledger_;
        if (!s.has_connection())
            return;  // what comes is refused at the cap instead
        while (l.log_bytes() > shard_.options().delivery.max_log_bytes)
            shard_.journal().trimmed(l, l.evict(), false);
    }

    /// The connection of a kept session is gone.
    void lost(session_type& s, close_info info)
    {
        leave_connection(s);
        s.phase_ = phase::away;
        s.due_at_ = s.active_at_ + shard_.options().delivery.resume_window;
        ++away_;
        order_.push_back({s.handle_, s.connection_});
        shard_.observe().count(metric::away, 1);
        gone_.push_back({s.handle_, s.parting_ ? std::move(*s.parting_) : std::move(info)});
        s.parting_.reset();
        for (; away_ - expiring_.size() > shard_.options().delivery.max_away_sessions; order_.pop_front())
            if (auto* const oldest = still_away(order_.front()))
                expiring_.push_back(oldest->handle_);
        if (order_.size() > 2 * away_ + 64)
            std::erase_if(order_, [this](absence const& a) { return still_away(a) == nullptr; });
        shard_.want_turn();
    }
    /// A session of an earlier process, as a durable log has it, waits for a connection.
    template <class Stored>
    void restore(Stored const& stored)
    {
        auto& s = shard_.emplace(typename C::transport::stream(shard_.loop()));
        s.user_ = stored.user;
        s.plain_ = false;
        s.restored_ = true;
        s.active_at_ = s.opened_at_ = shard_.now();
        s.ledger_ = std::make_unique<ledger>(stored.id, stored.name);
        auto& l = *s.ledger_;
        l.restore(stored.acked);
        for (auto const& e : stored.entries) {
            bool const readable = e.frame && shard_.out().can_unpack(*e.frame);
            if (e.number == 0) {
                if (readable)
                    shard_.out().wait_in_lane(s, e.frame, {e.lane_, e.critical, false, true}, static_cast<std::uint32_t>(e.id));
                else
                    l.owe_gap(1, loss::restarted);
                l.next_entry = static_cast<std::uint32_t>(e.id) + 1;
                continue;
            }
            l.restore_lost(e.number - 1);
            if (readable)
                l.append(e.frame, shard_.seconds());
            else
                l.skip(e.skipped != 0 ? e.skipped : 1, e.skipped != 0 ? loss::evicted : loss::restarted, shard_.seconds());
        }
        l.restore_lost(stored.count);
        if (stored.owed != 0)
            l.owe_gap(stored.owed, loss::evicted);
        for (auto const& r : stored.requests)
            l.remember(r.id,
                       r.answer.empty() ? ledger::answer{{}, true}
                                        : ledger::answer{shared_frame::message(C::serializer::frame_opcode, r.answer), false},
                       shard_.options().delivery.max_requests, shard_.options().delivery.max_log_bytes);
        s.counts_.published = l.unresolved() + s.box_.events();
        shard_.observe().count(metric::published, s.counts_.published);
        s.phase_ = phase::away;
        s.due_at_ = s.active_at_ + shard_.options().delivery.resume_window;
        ++away_;
        order_.push_back({s.handle_, s.connection_});
        static_cast<void>(shard_.admitted(s));
        shard_.shared().users.name(l.name, s.user_, s.handle_);
        for (std::string const& room : stored.rooms)
            static_cast<void>(shard_.rooms().join(s, room));
        if constexpr (has_opened<typename Shard::app_type, session_type>)
            shard_.guarded([&] { shard_.app().opened(s); });
    }
    /// A kept session that has no connection ends.
    void forget(session_type& s)
    {
        if (s.phase_ == phase::away)
            --away_;
    }
    /// Once a tick.
    void look(session_type& s)
    {
        auto& l = *s.ledger_;
        auto const& options = shard_.options().delivery;
        if (s.phase_ == phase::away && shard_.now() >= s.due_at_)
            return expire(s);
        auto const oldest = static_cast<std::uint32_t>(
            std::chrono::duration_cast<std::chrono::seconds>(options.max_log_age).count());
        while (l.oldest() != nullptr && shard_.seconds() - l.oldest()->stamp > oldest)
            shard_.journal().trimmed(l, l.evict(), false);
    }
    /// What the application is told at the end of a turn.
    void end_turn()
    {
        for (std::size_t i = 0; i < gone_.size(); ++i) {
            [[maybe_unused]] end const e = std::move(gone_[i]);
            if constexpr (has_away<typename Shard::app_type, session_type>)
                if (auto* const s = shard_.find(e.of); s != nullptr && s->phase_ == phase::away)
                    shard_.guarded([&] { shard_.app().away(*s, e.info); });
        }
        gone_.clear();
        for (std::size_t i = 0; i < expiring_.size(); ++i)
            if (auto* const s = shard_.find(expiring_[i]); s != nullptr && s->phase_ == phase::away)
                expire(*s);
        expiring_.clear();
    }
    [[nodiscard]] std::size_t away() const noexcept { return away_; }

private:
    struct departure {
        handle to{};
        std::uint64_t received = 0;
        std::string first{};
    };
    struct absence {
        handle of;
        std::uint8_t connection;
    };
    struct end {
        handle of;
        close_info info;
    };

    [[nodiscard]] std::string random_name()
    {
        std::string name = "s_";
        for (int word = 0; word < 2; ++word) {
            auto bits = shard_.loop().random();
            for (int i = 0; i < 13; ++i) {
                name += "0123456789abcdefghijklmnopqrstuv"[bits & 31];
                bits >>= 5;
            }
        }
        return name;
    }
    [[nodiscard]] session_type* still_away(absence const& a)
    {
        auto* const s = shard_.find(a.of);
        return s != nullptr && s->phase_ == phase::away && s->connection_ == a.connection ? s : nullptr;
    }
    /// What belonged to the connection goes; what was not acknowledged, and what waits, stays.
    void leave_connection(session_type& s)
    {
        s.stream_.close();
        ++s.connection_;
        shard_.out().drop_connection(s);
        if (std::exchange(s.counted_, false))
            shard_.shared().users.release(s.user_);
        s.reading_ = s.blocked_ = s.held_ = s.close_sent_ = s.close_owed_ = s.ping_pending_ = false;
        s.misses_ = 0;
        s.assembler_ = {};
        s.context_ = {};
        s.head_.reset();
    }
    void take_over(session_type& s, arrival_type& a)
    {
        s.stream_ = typename C::transport::stream(shard_.loop(), std::move(a.connection));
        s.counted_ = true;
        s.plain_ = false;
        if (s.admitted_ && s.profile_ != a.profile) {
            shard_.shared().profiles.raise(a.profile);
            shard_.shared().profiles.lower(s.profile_);
        }
        s.profile_ = a.profile;
        s.context_ = std::move(a.context);
        s.assembler_ = {};
        s.assembler_.set_compressed(a.compressed);
        s.active_at_ = shard_.now();
        shard_.enter(s, phase::greeting, shard_.options().handshake_timeout);
    }
    void expire(session_type& s)
    {
        shard_.observe().count(metric::expired, 1);
        if constexpr (has_expired<typename Shard::app_type, session_type>)
            shard_.guarded([&] { shard_.app().expired(s, s.tally()); });
        shard_.ends().finish(s, {close_code::abnormal, "the session was not resumed in time", false});
    }

    Shard& shard_;
    departure moving_;
    std::size_t away_ = 0;
    std::deque<absence> order_;  ///< of loss; entries that have resumed are skipped
    std::vector<end> gone_;
    std::vector<handle> expiring_;
};

/// For a delivery that keeps nothing.
template <class Shard>
    requires(!Shard::composition_type::delivery::resumes)
class keeping<Shard> {
public:
    explicit keeping(Shard&) noexcept {}
    static void end_turn() noexcept {}
};

}  // namespace polycast::inline v0::detail
