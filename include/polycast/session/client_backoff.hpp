#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <utility>

namespace polycast::inline v0 {

/// How much of a delay is left to chance, so that clients which lost one server do not return in one instant.
enum class jitter : std::uint8_t {
    none,
    half,  ///< the delay ± 50 %
    full,  ///< anything between nothing and the delay
};

/// How long a client waits before it connects again: `initial`, then `factor` times more each time, up to `cap`.
struct backoff_options {
    std::chrono::milliseconds initial = std::chrono::seconds{1};
    double factor = 2;
    std::chrono::milliseconds cap = std::chrono::seconds{30};
    jitter spread = jitter::half;
};

/// The delay before the attempt that follows `failures` failed ones in a row. `random` is any 64 bits.
[[nodiscard]] inline std::chrono::milliseconds backoff_delay(backoff_options const& options, unsigned failures,
                                                             std::uint64_t random) noexcept
{
    double const cap = static_cast<double>(options.cap.count());
    double delay = static_cast<double>(options.initial.count());
    for (unsigned i = 0; i < failures && delay < cap; ++i)
        delay *= options.factor;
    delay = delay < cap ? delay : cap;
    double const chance = static_cast<double>(random >> 11) * 0x1p-53;  // 0 … 1
    switch (options.spread) {
    case jitter::none: break;
    case jitter::half: delay *= 0.5 + chance; break;
    case jitter::full: delay *= chance; break;
    }
    return std::chrono::milliseconds{static_cast<std::int64_t>(delay)};
}

namespace detail {

/// Knows how often it went wrong, and so when to connect again. Has no clock of its own.
template <class = void>
class basic_client_retry {
public:
    using milliseconds = std::chrono::milliseconds;

    [[nodiscard]] unsigned failures() const noexcept { return failures_; }

    void opened() noexcept
    {
        failures_ = 0;
        invited_.reset();
    }
    /// The server says when it wants to be connected to again (`$bye`).
    void invited(milliseconds from, milliseconds to) noexcept { invited_ = window{from, to}; }

    /// An attempt failed. Returns the delay to the next.
    [[nodiscard]] milliseconds failed(backoff_options const& options, std::uint64_t random) noexcept
    {
        return at_least_one(backoff_delay(options, failures_++, random));
    }
    /// A connection ended. One that was of no use, let in and at once shown out, is no success: the next such waits
    /// longer.
    [[nodiscard]] milliseconds ended(backoff_options const& options, bool useless, std::uint64_t random) noexcept
    {
        useless_ = useless ? useless_ + 1 : 0;
        if (invited_) {
            auto const width = static_cast<std::uint64_t>((invited_->to - invited_->from).count());
            return invited_->from + milliseconds(random % (width + 1));
        }
        return at_least_one(backoff_delay(options, useless_ == 0 ? 0 : useless_ - 1, random));
    }

private:
    struct window {
        milliseconds from, to;
    };
    [[nodiscard]] static milliseconds at_least_one(milliseconds delay) noexcept
    {
        return delay.count() > 0 ? delay : milliseconds{1};
    }

    unsigned failures_ = 0;  ///< in a row
    unsigned useless_ = 0;   ///< in a row
    std::optional<window> invited_{};
};
using client_retry = basic_client_retry<>;

}  // namespace detail

}  // namespace polycast::inline v0
