#pragma once

#include <polycast/detail/string_map.hpp>

#include <cstdint>
#include <mutex>
#include <string_view>
#include <vector>

namespace polycast::inline v0::detail {

/// Who is connected, over all shards: caps are checked and a connection counted in one step, and an emission to a user
/// goes only to shards where that user is. Any thread; the one lock is taken per open, close and `to_user`, never per
/// message.
class directory {
public:
    enum class admission : std::uint8_t { admitted, server_full, user_full };

    explicit directory(std::uint32_t shards) : shards_(shards) {}

    /// Counts a connection in, if the caps allow it. A cap of 0 is none; an empty user has no cap of its own.
    [[nodiscard]] admission admit(std::string_view user, std::uint32_t shard, std::uint32_t max_all,
                                  std::uint32_t max_a_user)
    {
        std::lock_guard const lock(mutex_);
        if (max_all != 0 && connections_ >= max_all)
            return admission::server_full;
        if (!user.empty()) {
            auto const [at, created] = users_.try_emplace(std::string(user));
            entry& e = at->second;
            if (max_a_user != 0 && e.connections >= max_a_user)
                return admission::user_full;
            if (created)
                e.on_shard.resize(shards_);
            ++e.connections;
            ++e.on_shard[shard];
            e.shards |= std::uint64_t{1} << shard;
        }
        ++connections_;
        return admission::admitted;
    }
    /// Undoes an `admit`.
    void release(std::string_view user, std::uint32_t shard)
    {
        std::lock_guard const lock(mutex_);
        --connections_;
        if (user.empty())
            return;
        auto const at = users_.find(user);
        entry& e = at->second;
        if (--e.on_shard[shard] == 0)
            e.shards &= ~(std::uint64_t{1} << shard);
        if (--e.connections == 0)
            users_.erase(at);
    }

    /// One bit a shard that has a connection of `user`.
    [[nodiscard]] std::uint64_t shards_of(std::string_view user) const
    {
        std::lock_guard const lock(mutex_);
        auto const at = users_.find(user);
        return at == users_.end() ? 0 : at->second.shards;
    }
    [[nodiscard]] std::uint32_t connections() const
    {
        std::lock_guard const lock(mutex_);
        return connections_;
    }

private:
    struct entry {
        std::uint32_t connections = 0;
        std::uint64_t shards = 0;
        std::vector<std::uint32_t> on_shard{};
    };
    std::uint32_t const shards_;
    mutable std::mutex mutex_;
    std::uint32_t connections_ = 0;
    string_map<entry> users_;
};

}  // namespace polycast::inline v0::detail
