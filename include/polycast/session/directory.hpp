#pragma once

#include <polycast/detail/string_map.hpp>
#include <polycast/outbox/shared_frame.hpp>
#include <polycast/session/handle.hpp>
#include <polycast/session/tally.hpp>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace polycast::inline v0::detail {

/// An event for a user who has no session.
struct offline_event {
    frame_ref frame;
    urgency urgent;
};
/// Where nothing outlives its connection.
struct no_offline_events {
    [[nodiscard]] static constexpr bool empty() noexcept { return true; }
};

enum class admission : std::uint8_t { admitted, server_full, user_full };

/// Who is here, over all shards: caps are checked and a connection counted in one step; an emission to a user goes only
/// to shards where that user has a session, or waits here for the next one; and a session is found by its name. Any
/// thread; the one lock is taken per open, close, resume and `to_user`, never per message. `Resumes`: the delivery policy.
template <bool Resumes>
class directory {
public:
    using offline_events = std::conditional_t<Resumes, std::deque<offline_event>, no_offline_events>;

    explicit directory(std::uint32_t shards) : shards_(shards) {}
    void set_offline_limits(std::size_t max_events, std::size_t max_users) noexcept
    {
        max_offline_events_ = max_events;
        max_offline_users_ = max_users;
    }

    // --- connections -----------------------------------------------------------------------------------------------

    /// Counts a connection in, if the caps allow it. A cap of 0 is none; an empty user has no cap of its own.
    [[nodiscard]] admission admit(std::string_view user, std::uint32_t max_all, std::uint32_t max_a_user)
    {
        std::lock_guard const lock(mutex_);
        if (max_all != 0 && connections_ >= max_all)
            return admission::server_full;
        if (!user.empty()) {
            entry& e = of(user);
            if (max_a_user != 0 && e.connections >= max_a_user)
                return admission::user_full;
            ++e.connections;
        }
        ++connections_;
        return admission::admitted;
    }
    /// Undoes an `admit`.
    void release(std::string_view user)
    {
        std::lock_guard const lock(mutex_);
        --connections_;
        if (user.empty())
            return;
        auto const at = users_.find(user);
        --at->second.connections;
        erase_if_empty(at);
    }
    [[nodiscard]] std::uint32_t connections() const
    {
        std::lock_guard const lock(mutex_);
        return connections_;
    }

    // --- sessions of a user ----------------------------------------------------------------------------------------

    /// A session of `user` takes events on `shard` from now on; returns those that waited for one, in order.
    [[nodiscard]] offline_events enter(std::string_view user, std::uint32_t shard)
    {
        std::lock_guard const lock(mutex_);
        entry& e = of(user);
        ++on_shard(e, shard);
        e.shards |= std::uint64_t{1} << shard;
        if constexpr (Resumes)
            if (!e.offline.empty())
                waiting_users_.erase(e.waits);
        return std::exchange(e.offline, {});
    }
    void leave(std::string_view user, std::uint32_t shard)
    {
        std::lock_guard const lock(mutex_);
        auto const at = users_.find(user);
        if (--on_shard(at->second, shard) == 0)
            at->second.shards &= ~(std::uint64_t{1} << shard);
        erase_if_empty(at);
    }
    /// One bit a shard that has a session of `user`.
    [[nodiscard]] std::uint64_t shards_of(std::string_view user) const
    {
        std::lock_guard const lock(mutex_);
        auto const at = users_.find(user);
        return at == users_.end() ? 0 : at->second.shards;
    }
    /// What became of an event for a user who has no session.
    struct kept_offline {
        bool kept = false;
        std::size_t forgotten = 0;  ///< others that made room for it
    };
    /// Keeps an event for the user's next session. Critical ones displace others; of too many users the one that has waited
    /// longest is forgotten. Not kept if there is no room, or if there is a session by now.
    [[nodiscard]] kept_offline keep_offline(std::string_view user, frame_ref frame, urgency const& u)
    {
        std::lock_guard const lock(mutex_);
        if (max_offline_events_ == 0 || max_offline_users_ == 0)
            return {};
        kept_offline result{.kept = true};
        if (auto const known = users_.find(user); known == users_.end() || known->second.offline.empty()) {
            if (known != users_.end() && known->second.shards != 0)
                return {};
            if (waiting_users_.size() >= max_offline_users_)
                result.forgotten = forget_longest();
            auto const at = known != users_.end() ? known : place(user);
            at->second.waits = waiting_users_.insert(waiting_users_.end(), at->first);
        }
        auto& waiting = of(user).offline;
        if (waiting.size() >= max_offline_events_) {
            auto at = waiting.begin();
            while (at != waiting.end() && at->urgent.critical)
                ++at;
            if (at == waiting.end() || !u.critical)
                return {};
            waiting.erase(at);
            ++result.forgotten;
        }
        waiting.push_back({std::move(frame), u});
        return result;
    }

    // --- sessions by name ------------------------------------------------------------------------------------------

    void name(std::string_view session, std::string_view user, handle h)
    {
        std::lock_guard const lock(mutex_);
        names_.insert_or_assign(std::string(session), named{std::string(user), h});
    }
    void forget(std::string_view session)
    {
        std::lock_guard const lock(mutex_);
        if (auto const at = names_.find(session); at != names_.end())
            names_.erase(at);
    }
    /// The session of that name, if it is the same user's; else no handle.
    [[nodiscard]] handle find(std::string_view session, std::string_view user) const
    {
        std::lock_guard const lock(mutex_);
        auto const at = names_.find(session);
        return at == names_.end() || at->second.user != user ? handle{} : at->second.session;
    }

private:
    struct nothing {};
    using user_list = std::conditional_t<Resumes, std::list<std::string_view>, nothing>;
    using place_in_list = std::conditional_t<Resumes, std::list<std::string_view>::iterator, nothing>;

    struct entry {
        std::uint32_t connections = 0;
        std::uint64_t shards = 0;
        std::uint32_t on_first = 0;                 ///< sessions on shard 0
        std::unique_ptr<std::uint32_t[]> on_others{};  ///< and on the others, if there are any
        [[no_unique_address]] offline_events offline{};
        [[no_unique_address]] place_in_list waits{};  ///< where `offline` is not empty
    };
    struct named {
        std::string user;
        handle session;
    };

    typename string_map<entry>::iterator place(std::string_view user)
    {
        if (auto const known = users_.find(user); known != users_.end())
            return known;
        entry e;
        if (shards_ > 1)
            e.on_others = std::make_unique<std::uint32_t[]>(shards_ - 1);
        return users_.emplace(std::string(user), std::move(e)).first;
    }
    [[nodiscard]] static std::uint32_t& on_shard(entry& e, std::uint32_t shard) noexcept
    {
        return shard == 0 ? e.on_first : e.on_others[shard - 1];
    }
    entry& of(std::string_view user) { return place(user)->second; }
    std::size_t forget_longest()
    {
        auto const at = users_.find(waiting_users_.front());
        auto const count = at->second.offline.size();
        waiting_users_.pop_front();
        at->second.offline.clear();
        erase_if_empty(at);
        return count;
    }
    void erase_if_empty(typename string_map<entry>::iterator at)
    {
        entry const& e = at->second;
        if (e.connections == 0 && e.shards == 0 && e.offline.empty())
            users_.erase(at);
    }

    std::uint32_t const shards_;
    mutable std::mutex mutex_;
    std::uint32_t connections_ = 0;
    std::size_t max_offline_events_ = 0;
    std::size_t max_offline_users_ = 0;
    string_map<entry> users_;
    [[no_unique_address]] user_list waiting_users_;  ///< for whom events wait, the longest first; keys of `users_`
    [[no_unique_address]] std::conditional_t<Resumes, string_map<named>, nothing> names_;
};

}  // namespace polycast::inline v0::detail
