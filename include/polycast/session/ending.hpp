#pragma once

#include <polycast/frame/close_code.hpp>
#include <polycast/observer/policy.hpp>
#include <polycast/outbox/outbox.hpp>
#include <polycast/room/registry.hpp>
#include <polycast/session/hooks.hpp>
#include <polycast/session/session.hpp>

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace polycast::inline v0::detail {

/// How connections and sessions end: who closes, what is still sent, when it is over, and that the application is told
/// once. A session that is kept loses its connection only, unless it ends for good.
template <class Shard>
class ending {
public:
    using session_type = typename Shard::session_type;
    using C = typename Shard::composition_type;
    using app_type = typename Shard::app_type;

    explicit ending(Shard& shard) noexcept : shard_(shard) {}

    /// Closes behind what is queued; waits for the peer's close frame, with a deadline. A session that is kept ends by a
    /// code that does not invite its client back.
    void close(session_type& s, close_code code, std::string_view reason)
    {
        shard_.take_mail();  // what was emitted before goes out before
        if (!invites_reconnect(code)) {
            if (s.phase_ == phase::away)
                return finish(s, {code, std::string(reason), false});
            for_good(s);
        }
        if (s.phase_ != phase::open && s.phase_ != phase::greeting)
            return;
        owe_close(s, code, reason);
        ended(s, {code, std::string(reason), false});
        shard_.enter(s, phase::closing, shard_.options().close_timeout);
        s.due_ = all_lanes;
        shard_.out().mark_dirty(s);
    }
    /// The peer broke a rule, or cannot be served: it is told with a close frame, and nothing else is sent.
    void fail(session_type& s, close_code code, std::string_view reason)
    {
        shard_.out().direct().end(s);
        if (!s.has_connection() || s.phase_ == phase::draining || s.phase_ == phase::lingering)
            return;  // told already: what comes after does not give it more time
        ended(s, {code, std::string(reason), false});
        if (s.is_kept())
            s.held_ = true;
        else
            shard_.out().drop(s);
        owe_close(s, code, reason);
        drain_out(s);
    }
    /// The peer has sent its close frame; ours goes behind what is queued, unless it has gone already.
    void peer_closed(session_type& s, std::optional<close_code> code, std::string_view reason)
    {
        shard_.out().direct().end(s);
        if (!s.has_connection())
            return;
        if (code == close_code::normal)
            for_good(s);  // the client is done
        ended(s, {code.value_or(close_code::no_status), std::string(reason), true});
        // RFC 6455 §5.5.1: "the endpoint typically echos the status code it received."
        owe_close(s, code.value_or(close_code::no_status), {});
        drain_out(s);
    }
    /// Nothing more is wanted from the peer; what is queued still leaves.
    void drain_out(session_type& s)
    {
        shard_.enter(s, phase::draining, shard_.options().close_timeout);
        s.due_ = all_lanes;
        shard_.out().mark_dirty(s);
    }
    /// The session ends with its connection. It takes nothing from now on: a durable log must not bring it back without
    /// what it was not given. What a server keeps that stops, it keeps.
    void for_good([[maybe_unused]] session_type& s)
    {
        if constexpr (C::delivery::resumes)
            if (s.ledger_ && !std::exchange(s.ledger_->final, true) && !shard_.draining())
                shard_.journal().ended(*s.ledger_);
    }
    /// The session ends now, whatever it was doing.
    void finish(session_type& s, close_info info)
    {
        if (s.phase_ == phase::dead)
            return;
        if constexpr (C::delivery::resumes)
            if (s.phase_ == phase::away)
                shard_.keeps().forget(s);
        for_good(s);
        ended(s, std::move(info));
        kill(s);
    }
    /// The connection is lost, or has ended in full.
    void kill(session_type& s)
    {
        if (s.phase_ == phase::dead || (s.phase_ == phase::away && s.is_kept()))
            return;
        close_info info{close_code::abnormal, "the connection was lost", true};
        if constexpr (C::delivery::resumes)
            if (s.is_kept() && s.admitted_)
                return shard_.keeps().lost(s, std::move(info));
        ended(s, std::move(info));
        bury(s);
    }
    /// Nothing more is owed to anybody.
    void bury(session_type& s)
    {
        s.phase_ = phase::dead;
        s.stream_.close();
        shard_.out().drop(s);
        dead_.push_back(s.handle_);
        shard_.want_turn();
    }

    /// At the end of a turn, once all else is done: `closed` for each session that has ended; `closed` may end others.
    void farewells()
    {
        for (std::size_t i = 0; i < ended_.size(); ++i) {
            end const e = std::move(ended_[i]);
            farewell(*shard_.find(e.of), e.info);
        }
        ended_.clear();
    }
    /// `erase(handle)` for each that is dead.
    template <class Erase>
    void bury_the_dead(Erase erase)
    {
        for (handle const h : dead_)
            erase(h);
        dead_.clear();
    }

private:
    struct end {
        handle of;
        close_info info;
    };

    /// A close frame follows behind everything that is queued, once.
    static void owe_close(session_type& s, close_code code, std::string_view reason)
    {
        if (std::exchange(s.close_sent_, true))
            return;
        s.close_owed_ = true;
        s.close_code_ = code;
        s.head_ = std::make_unique<std::string>(reason);
    }
    /// From now on it receives nothing, once; if it was opened, `closed` follows. Of a session that is kept, this is only
    /// how its connection ends.
    void ended(session_type& s, close_info info)
    {
        if constexpr (C::delivery::resumes)
            if (s.is_kept() && s.admitted_) {
                if (!s.parting_)
                    s.parting_ = std::make_unique<close_info>(std::move(info));
                return;
            }
        if (std::exchange(s.counted_, false))
            shard_.shared().users.release(s.user_);
        else if (!s.admitted_)
            return;
        if (std::exchange(s.ended_, true))
            return;
        shard_.shared().alive[shard_.index()].set(s.handle_.slot, 0);
        if constexpr (C::delivery::resumes) {
            if (s.ledger_) {
                shard_.shared().users.forget(s.ledger_->name);
                if (!shard_.draining())  // a durable log keeps what a server that stops has
                    shard_.journal().ended(*s.ledger_);
            }
            if (s.parting_)
                info = std::move(*s.parting_);
        }
        ended_.push_back({s.handle_, std::move(info)});
        shard_.want_turn();
    }
    void farewell(session_type& s, [[maybe_unused]] close_info const& info)
    {
        if (!std::exchange(s.admitted_, false))
            return;
        shard_.left(s);
        group_registry<session_type>::leave_all(s);
        shard_.observe().count(metric::closed, 1);
        s.wake_producers(false);
        if constexpr (has_closed<app_type, session_type>)
            shard_.guarded([&] { shard_.app().closed(s, info); });
    }

    Shard& shard_;
    std::vector<end> ended_;
    std::vector<handle> dead_;
};

}  // namespace polycast::inline v0::detail
