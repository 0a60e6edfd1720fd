// Warm-up, measurement, and the line of JSON that says what came of it.
#pragma once

#include "histogram.hpp"
#include "options.hpp"
#include "process.hpp"

#include <cstdint>
#include <cstdio>
#include <limits>
#include <stdexcept>
#include <string>
#include <string_view>

namespace load {

/// A flat JSON object.
class report {
public:
    report& add(std::string_view name, double value, int digits = 6)
    {
        char text[64];
        std::snprintf(text, sizeof text, "%.*f", digits, value);
        return put(name, text);
    }
    report& add(std::string_view name, std::uint64_t value) { return put(name, std::to_string(value)); }
    /// `prefix` stands before each name.
    report& add_quantiles(histogram const& times, std::string const& prefix = {})
    {
        auto const micros = [&](double share) { return static_cast<double>(times.quantile(share)) * 1e-3; };
        add(prefix + "p50_us", micros(0.5), 3)
            .add(prefix + "p90_us", micros(0.9), 3)
            .add(prefix + "p99_us", micros(0.99), 3);
        return add(prefix + "p999_us", micros(0.999), 3).add(prefix + "max_us", micros(1), 3);
    }
    void print() const { std::printf("{%s}\n", text_.c_str()); }

private:
    report& put(std::string_view name, std::string const& value)
    {
        text_.append(text_.empty() ? "\"" : ", \"").append(name).append("\": ").append(value);
        return *this;
    }
    std::string text_;
};

/// What had been done and spent at one moment. The difference of two is a measurement.
struct snapshot {
    double wall = 0, own_cpu = 0, server_cpu = 0, own_wait = 0, server_wait = 0;
    std::uint64_t messages = 0;
};

/// Sees a loop through warm-up and measurement: `while (meter.goes_on()) turn();`. `messages` is what the mode counts.
/// Throws where nothing comes: a server that never answers ends the measurement, not only the time.
class meter {
public:
    meter(settings const& s, std::uint64_t const& messages)
        : settings_(s), messages_(messages), now_ns_(load::now_ns()), moved_ns_(now_ns_),
          warm_ns_(now_ns_ + nanoseconds(s.warm_up_seconds)),
          patience_ns_(nanoseconds(5 + (s.rate > 0 ? 2 / s.rate : 0)))
    {
    }

    /// Once before each turn.
    bool goes_on()
    {
        now_ns_ = load::now_ns();
        if (seen_ != messages_) {
            seen_ = messages_;
            moved_ns_ = now_ns_;
        } else if (now_ns_ - moved_ns_ > patience_ns_) {
            throw std::runtime_error("nothing came for " + std::to_string(patience_ns_ / 1'000'000'000) + " s, after " +
                                     std::to_string(seen_) + " messages: does the server answer this mode at all?");
        }
        if (!measuring()) {
            if (now_ns_ < warm_ns_ || held_)
                return true;
            begin_ = take();
            begin_ns_ = now_ns_;
            end_ns_ = now_ns_ + nanoseconds(settings_.seconds);
            return true;
        }
        // Who has seen nothing yet waits for as long as there is patience.
        if (now_ns_ < end_ns_ || messages_ == begin_.messages)
            return true;
        end_ = take();
        return false;
    }
    /// Prolongs the warm-up while true.
    void hold(bool on) { held_ = on; }
    bool measuring() const { return begin_ns_ != none; }
    std::int64_t now_ns() const { return now_ns_; }
    std::int64_t begin_ns() const { return begin_ns_; }
    std::int64_t end_ns() const { return end_ns_; }
    double seconds() const { return end_.wall - begin_.wall; }
    std::uint64_t messages() const { return end_.messages - begin_.messages; }
    double server_cpu_seconds() const { return end_.server_cpu - begin_.server_cpu; }

    report result() const
    {
        report r;
        r.add("messages", messages()).add("seconds", seconds()).add("server_cpu_seconds", server_cpu_seconds(), 9);
        r.add("generator_cpu_seconds", end_.own_cpu - begin_.own_cpu, 9);
        r.add("server_waited_seconds", end_.server_wait - begin_.server_wait, 9);
        return r.add("generator_waited_seconds", end_.own_wait - begin_.own_wait, 9);
    }

private:
    static constexpr std::int64_t none = std::numeric_limits<std::int64_t>::max();
    static std::int64_t nanoseconds(double seconds) { return static_cast<std::int64_t>(seconds * 1e9); }
    snapshot take() const
    {
        auto const server = settings_.server;
        return {now_seconds(),
                own_cpu_seconds(),
                cpu_seconds(server),
                waited_seconds(0),
                server == 0 ? 0 : waited_seconds(server),
                messages_};
    }

    settings const& settings_;
    std::uint64_t const& messages_;
    std::uint64_t seen_ = 0;
    std::int64_t now_ns_, moved_ns_, warm_ns_, patience_ns_;
    std::int64_t begin_ns_ = none, end_ns_ = none;
    bool held_ = false;
    snapshot begin_, end_;
};

}  // namespace load
