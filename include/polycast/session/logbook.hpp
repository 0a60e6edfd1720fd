#pragma once

#include <polycast/delivery/journal.hpp>
#include <polycast/observer/policy.hpp>
#include <polycast/outbox/encode.hpp>
#include <polycast/session/port.hpp>
#include <polycast/session/session.hpp>

#include <chrono>
#include <string_view>
#include <system_error>

namespace polycast::inline v0::detail {

/// What becomes of a shard's sessions and events, in the words of its log. Says nothing where nothing outlives the
/// process.
template <class Shard>
class logbook {
public:
    using session_type = typename Shard::session_type;
    using C = typename Shard::composition_type;
    using journal_type = session_journal<typename C::delivery>;
    static constexpr bool durable = journal_type::durable;

    logbook(Shard& shard, typename journal_type::database& in) : shard_(shard), journal_(in) {}
    [[nodiscard]] journal_type& journal() noexcept { return journal_; }

    void joined([[maybe_unused]] session_type& s, [[maybe_unused]] std::string_view room)
    {
        if constexpr (durable)
            if (s.ledger_)
                journal_.joined(*s.ledger_, room);
    }
    void left([[maybe_unused]] session_type& s, [[maybe_unused]] std::string_view room)
    {
        if constexpr (durable)
            if (s.ledger_)
                journal_.left(*s.ledger_, room);
    }
    /// An event waits in a lane.
    void accepted([[maybe_unused]] session_type& s, [[maybe_unused]] frame_node& node, [[maybe_unused]] urgency const& u)
    {
        if constexpr (durable)
            if (s.ledger_ && u.event) {
                journal_.accepted(*s.ledger_, node, u.lane);
                shard_.want_turn();
            }
    }
    /// It left its lane without a number.
    void forgotten([[maybe_unused]] session_type& s, [[maybe_unused]] frame_node const& node)
    {
        if constexpr (durable)
            if (s.ledger_ && node.events != 0)
                journal_.removed(*s.ledger_, node);
    }
    /// Events were dropped, and have no number yet: a server that is killed before they have one must know.
    void owes([[maybe_unused]] session_type& s)
    {
        if constexpr (durable) {
            journal_.owes(*s.ledger_);
            shard_.want_turn();
        }
    }
    /// An event of a room with a history. Each shard tells what it is about to send: an offset that anybody has seen is in
    /// the log, and not given again.
    void sends([[maybe_unused]] posted<C> const& p)
    {
        if constexpr (durable)
            if (p.offset != 0) {
                auto const now = shard_.loop().wall_now().time_since_epoch();
                journal_.history(p.name, p.offset, std::chrono::duration_cast<std::chrono::milliseconds>(now).count(),
                                 p.frames[plain_profile]);
                if (p.trimmed_to != 0)
                    journal_.history_trimmed(p.name, p.trimmed_to);
                for (auto const& [room, floor] : shard_.shared().take_forgotten())
                    journal_.history_forgotten(room, floor);
                shard_.want_turn();
            }
    }
    /// What was said so far is on the disk, where there is one. False if it is not; it is tried again with the next. Until
    /// then no session that counts is sent anything: were the process to die, it would give the same numbers again.
    bool commit()
    {
        if constexpr (durable)
            if (std::error_code const ec = journal_.commit()) {
                shard_.observe().count(metric::log_failures, 1);
                shard_.tells().log_failed(ec);
                return false;
            }
        return true;
    }

private:
    Shard& shard_;
    [[no_unique_address]] journal_type journal_;
};

}  // namespace polycast::inline v0::detail
