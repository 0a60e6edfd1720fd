#pragma once

#include <polycast/observer/policy.hpp>
#include <polycast/session/fan_out.hpp>
#include <polycast/session/port.hpp>

#include <cstddef>
#include <new>
#include <utility>
#include <vector>

namespace polycast::inline v0::detail {

/// The receiving end of a shard's mailbox: fans out what other threads, or other emitters on this one, have posted.
template <class Shard>
class intake {
public:
    using C = typename Shard::composition_type;

    [[nodiscard]] bool waiting(Shard& shard) const noexcept { return !taken_.empty() || box(shard).any(); }

    /// Fans out at least `max_bytes` if there is as much. The rest waits for another turn, so that what was fanned out
    /// can be written first. A call from inside a fan-out does nothing.
    [[gnu::always_inline]] void take(Shard& shard, std::size_t max_bytes)
    {
        if (waiting(shard)) [[unlikely]]  // asked before each emission
            take_waiting(shard, max_bytes);
    }

private:
    [[gnu::noinline]] void take_waiting(Shard& shard, std::size_t max_bytes)
    {
        if (std::exchange(taking_, true))
            return;
        try {
            fan_out_waiting(shard, max_bytes);
        } catch (std::bad_alloc const&) {  // no receiver has the one at hand yet: again in another turn
        }
        forget_if_done();
        taking_ = false;
        if (waiting(shard))
            shard.want_turn();
    }
    void fan_out_waiting(Shard& shard, std::size_t max_bytes)
    {
        for (std::size_t bytes = 0; bytes < max_bytes; ++at_) {
            if (forget_if_done()) {
                if (!box(shard).any())
                    return;
                box(shard).take(taken_);
            }
            posted<C> const& p = taken_[at_];
            shard.log().sends(p);
            bytes += p.bytes();
            shard.observe().count(metric::emissions_taken, 1);
            if (fan_out_local(shard, p).receivers == 0)
                shard.observe().count(metric::gone, 1);
        }
    }
    bool forget_if_done() noexcept
    {
        if (at_ != taken_.size())
            return false;
        taken_.clear();
        at_ = 0;
        return true;
    }
    [[nodiscard]] static mailbox<C>& box(Shard& shard) noexcept { return shard.shared().mailboxes[shard.index()]; }

    std::vector<posted<C>> taken_;
    std::size_t at_ = 0;  ///< the first of `taken_` that has not been fanned out
    bool taking_ = false;
};

}  // namespace polycast::inline v0::detail
