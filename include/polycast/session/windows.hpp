#pragma once

#include <polycast/batching/policy.hpp>
#include <polycast/outbox/lane.hpp>
#include <polycast/session/handle.hpp>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace polycast::inline v0::detail {

/// Serial of the open batching window of each lane of a session that has windows; 0: none is open.
template <class Batching>
class window_serials {
public:
    [[nodiscard]] std::uint32_t& operator[](lane l) noexcept { return serials_[lanes_before(static_cast<std::size_t>(l))]; }

private:
    static constexpr std::size_t lanes_before(std::size_t end) noexcept
    {
        std::size_t count = 0;
        for (std::size_t l = 0; l < end; ++l)
            count += Batching::when(static_cast<lane>(l)) == flush_time::window;
        return count;
    }
    static constexpr std::size_t windowed = lanes_before(lane_count);
    std::array<std::uint32_t, windowed == 0 ? 1 : windowed> serials_{};
};

/// The open batching windows of a shard. Every window is equally long, so they close in the order they opened and one
/// timer serves all.
template <class Shard>
class windows {
public:
    using serials = window_serials<typename Shard::composition_type::batching>;

    explicit windows(typename Shard::loop_type& loop) : timer_(loop) {}

    /// The first message of a window was queued.
    void open(Shard& shard, handle h, serials& of, lane l)
    {
        serial_ += serial_ == ~std::uint32_t{0} ? 2 : 1;
        later_.push_back({h, l, serial_, shard.loop().now() + Shard::window_delay});
        of[l] = serial_;  // now that it will close
        if (!armed_)
            arm(shard);
    }
    /// The timer has ended.
    void close_due(Shard& shard)
    {
        auto const now = shard.loop().now();
        armed_ = false;
        for (bring(); first_ != next_.size() && next_[first_].closes_at <= now; bring()) {
            window const w = next_[first_++];
            if (auto* const s = shard.find(w.of))
                shard.out().window_closed(*s, w.l, w.serial);
        }
        if (first_ != next_.size())
            arm(shard);
    }
    [[nodiscard]] static bool is_open(serials& of, lane l) noexcept { return of[l] != 0; }
    /// The window was closed by count.
    static void forget(serials& of, lane l) noexcept { of[l] = 0; }
    [[nodiscard]] static bool matches(serials& of, lane l, std::uint32_t serial) noexcept
    {
        return of[l] == serial;
    }

private:
    struct window {
        handle of;
        lane l;
        std::uint32_t serial;
        std::chrono::steady_clock::time_point closes_at;
    };

    void arm(Shard& shard)
    {
        bring();
        timer_.start(next_[first_].closes_at - shard.loop().now(), typename Shard::step{&shard, &Shard::close_windows});
        armed_ = true;
    }
    /// When all of `next_` have closed, those that opened meanwhile are next.
    void bring() noexcept
    {
        if (first_ != next_.size())
            return;
        next_.clear();
        next_.swap(later_);
        first_ = 0;
    }

    typename Shard::transport_type::timer timer_;
    // A queue of two vectors: what is taken from, and what is added to.
    std::vector<window> next_;
    std::vector<window> later_;
    std::size_t first_ = 0;  ///< of `next_`
    std::uint32_t serial_ = 0;
    bool armed_ = false;
};

}  // namespace polycast::inline v0::detail
