#pragma once

#include <polycast/compression/policy.hpp>
#include <polycast/session/handle.hpp>

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace polycast::inline v0::detail {

/// Where a session keeps what its compression remembers: nowhere, or behind a pointer that is set if it was agreed.
template <class Compression>
using context_of = std::conditional_t<Compression::keeps_context, std::unique_ptr<typename Compression::context>,
                                      compression::no_context>;

/// A connection whose `$open` names a session, on its way to that session's shard.
template <class C>
struct arrival {
    typename C::transport::transit connection;
    handle to{};
    std::string user{};
    std::uint64_t received = 0;
    std::string first{};  ///< the message that says `$open`, and what else is in it
    std::string rest{};   ///< what was read behind it
    std::uint8_t profile = 0;
    [[no_unique_address]] context_of<typename C::compression> context{};
    bool compressed = false;
};

/// Connections that come from other shards: many may put, the shard takes.
template <class C>
class arrivals {
public:
    void put(arrival<C>&& a)
    {
        std::lock_guard const lock(mutex_);
        waiting_.push_back(std::move(a));
    }
    [[nodiscard]] std::vector<arrival<C>> take()
    {
        std::lock_guard const lock(mutex_);
        return std::exchange(waiting_, {});
    }

private:
    std::mutex mutex_;
    std::vector<arrival<C>> waiting_;
};

}  // namespace polycast::inline v0::detail
