#pragma once

#include <polycast/session/hooks.hpp>
#include <polycast/session/session.hpp>
#include <polycast/session/tally.hpp>

#include <cstddef>
#include <system_error>
#include <utility>
#include <vector>

namespace polycast::inline v0::detail {

/// What happens in the middle of a turn and is told at its end, where the application may do what it likes: events that
/// were dropped, room to send again, a log that does not take what it is given.
template <class Shard>
class notices {
public:
    using session_type = typename Shard::session_type;
    using app_type = typename Shard::app_type;

    explicit notices(Shard& shard) noexcept : shard_(shard) {}

    void dropped([[maybe_unused]] session_type& s, [[maybe_unused]] drop const& d)
    {
        if constexpr (has_dropped<app_type, session_type>) {
            if (!drops_.empty() && drops_.back().of == s.handle() && drops_.back().what.why == d.why &&
                (d.from == 0 || drops_.back().what.to + 1 == d.from)) {
                drops_.back().what.events += d.events;
                drops_.back().what.to = d.to;
            } else {
                drops_.push_back({s.handle(), d});
            }
            shard_.want_turn();
        }
    }
    /// There is room again for who waits for it.
    void has_room(session_type& s)
    {
        relieved_.push_back(s.handle());
        shard_.want_turn();
    }
    void log_failed(std::error_code ec) noexcept { log_failure_ = ec; }

    /// At the end of a turn, before the farewells.
    void tell()
    {
        for (std::size_t i = 0; i < drops_.size(); ++i) {
            [[maybe_unused]] lost const d = drops_[i];
            if constexpr (has_dropped<app_type, session_type>)
                if (session_type* const s = shard_.find(d.of); s != nullptr && s->admitted_)  // not after `closed`
                    shard_.guarded([&] { shard_.app().dropped(*s, d.what); });
        }
        drops_.clear();
        for (std::size_t i = 0; i < relieved_.size(); ++i)
            if (session_type* const s = shard_.find(relieved_[i]); s != nullptr && s->is_open())
                s->wake_producers(true);
        relieved_.clear();
        if (auto const ec = std::exchange(log_failure_, {}))
            if constexpr (has_log_failed<app_type>)
                shard_.guarded([&] { shard_.app().log_failed(ec); });
    }

private:
    struct lost {
        handle of;
        drop what;
    };
    Shard& shard_;
    std::vector<lost> drops_;
    std::vector<handle> relieved_;
    std::error_code log_failure_{};
};

}  // namespace polycast::inline v0::detail
