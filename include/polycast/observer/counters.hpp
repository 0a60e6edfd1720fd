#pragma once

#include <polycast/observer/policy.hpp>

#include <array>
#include <atomic>

namespace polycast::inline v0::observer {

/// One word a metric. The owning thread adds with a plain load and store, readers see a recent value; no lock, no
/// locked instruction on a shard.
struct counters {
    using policy_axis = observer_axis;

    void count(metric m, std::uint64_t n = 1) noexcept
    {
        auto& cell = cells_[static_cast<std::size_t>(m)];
        cell.store(cell.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
    }
    void count_shared(metric m, std::uint64_t n = 1) noexcept
    {
        cells_[static_cast<std::size_t>(m)].fetch_add(n, std::memory_order_relaxed);
    }
    [[nodiscard]] std::uint64_t read(metric m) const noexcept
    {
        return cells_[static_cast<std::size_t>(m)].load(std::memory_order_relaxed);
    }

private:
    std::array<std::atomic<std::uint64_t>, metric_count> cells_{};
};
static_assert(observer_policy<counters>);

}  // namespace polycast::inline v0::observer
