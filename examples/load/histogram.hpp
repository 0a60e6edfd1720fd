// A histogram of durations in nanoseconds: log-linear as HdrHistogram's, so that a quantile is off by less than 1 %.
#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace load {

/// Each power of two is divided into 128 buckets, so a value is known to 1/128 of it; below 256 it is known exactly.
/// 58 KiB, whatever is recorded; recording is a shift and an addition.
class histogram {
public:
    /// What is negative counts as 0.
    void record(std::int64_t ns, std::uint64_t times = 1)
    {
        auto const value = static_cast<std::uint64_t>(std::max<std::int64_t>(ns, 0));
        counts_[bucket_of(value)] += times;
        count_ += times;
        max_ = std::max(max_, value);
    }
    std::uint64_t count() const { return count_; }
    std::uint64_t max() const { return max_; }

    /// The least value that a share of `quantile` does not exceed, rounded up to the end of its bucket; 0 if nothing was
    /// recorded. `quantile(1)` is the maximum, exactly.
    std::uint64_t quantile(double share) const
    {
        auto const rank = static_cast<std::uint64_t>(std::ceil(share * static_cast<double>(count_)));
        std::uint64_t seen = 0;
        for (std::size_t bucket = 0; bucket < counts_.size(); ++bucket) {
            seen += counts_[bucket];
            if (seen >= rank && seen != 0)
                return std::min(last_of(bucket), max_);
        }
        return max_;
    }

private:
    static constexpr unsigned bits = 7;
    static constexpr std::size_t step = std::size_t{1} << bits;

    /// Below 2 * step a value is its bucket; above, the exponent and the first `bits` digits behind the leading one.
    static std::size_t bucket_of(std::uint64_t value)
    {
        if (value < 2 * step)
            return static_cast<std::size_t>(value);
        auto const shift = static_cast<unsigned>(std::bit_width(value)) - bits - 1;
        return shift * step + static_cast<std::size_t>(value >> shift);
    }
    static std::uint64_t last_of(std::size_t bucket)
    {
        if (bucket < 2 * step)
            return bucket;
        auto const shift = bucket / step - 1;
        return ((std::uint64_t{bucket % step + step} + 1) << shift) - 1;
    }

    std::vector<std::uint64_t> counts_ = std::vector<std::uint64_t>((64 - bits + 1) * step);
    std::uint64_t count_ = 0;
    std::uint64_t max_ = 0;
};

}  // namespace load
