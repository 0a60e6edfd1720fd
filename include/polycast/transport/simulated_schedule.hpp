#pragma once

#include <polycast/config.hpp>
#include <polycast/transport/simulated_task.hpp>

#if POLYCAST_WITH_SIMULATION

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace polycast::inline v0::transport {

/// A handler that waits in a loop; 0 is none. Every wait, timer and posted function of the simulation is one of these,
/// held by its loop, so that a loop that goes away takes its handlers with it.
struct simulated_wait {
    std::uint32_t loop = 0;
    std::uint64_t id = 0;
};

/// The order of everything that happens in a simulated world: a virtual clock, the events that are due, and the loops
/// with the handlers that are ready. Among loops that are ready at one instant the seed chooses; within a loop handlers
/// run in the order in which they became ready.
class simulated_schedule {
public:
    using time = std::chrono::nanoseconds;  ///< since the world began

    simulated_schedule(std::uint64_t seed, bool record, std::uint64_t max_steps_per_instant)
        : seed_(seed), chance_(seed), record_(record), max_steps_per_instant_(max_steps_per_instant)
    {
    }

    [[nodiscard]] time now() const noexcept { return now_; }
    [[nodiscard]] simulated_chance& chance() noexcept { return chance_; }

    [[nodiscard]] std::uint32_t add_loop()
    {
        ++last_loop_;
        loops_.try_emplace(last_loop_, seed_ + 0x632BE59BD9B4E019u * last_loop_);
        return last_loop_;
    }
    /// Drops the loop's handlers; their destructors may call anything here.
    void remove_loop(std::uint32_t id)
    {
        auto node = loops_.extract(id);
        std::erase(ready_, id);
        node = {};
    }
    [[nodiscard]] std::uint64_t random(std::uint32_t loop)
    {
        auto const it = loops_.find(loop);
        return it == loops_.end() ? 0 : it->second.chance.next();
    }
    void stop(std::uint32_t loop, bool stopped)
    {
        auto const it = loops_.find(loop);
        if (it == loops_.end() || it->second.stopped == stopped)
            return;
        it->second.stopped = stopped;
        std::erase(ready_, loop);
        if (!stopped && !it->second.ready.empty())
            ready_.push_back(loop);
    }
    [[nodiscard]] bool stopped(std::uint32_t loop) const
    {
        auto const it = loops_.find(loop);
        return it == loops_.end() || it->second.stopped;
    }

    /// Keeps `task` in `loop` until `complete` or `drop`. A loop that is gone drops it at once.
    simulated_wait hold(std::uint32_t loop, simulated_task task)
    {
        auto const it = loops_.find(loop);
        if (it == loops_.end())
            return {};
        it->second.held.emplace(++last_wait_, std::move(task));
        return {loop, last_wait_};
    }
    /// The handler will run on its loop with `ec`. The first completion counts; nothing happens if it has run.
    void complete(simulated_wait wait, std::error_code ec)
    {
        auto const it = loops_.find(wait.loop);
        if (it == loops_.end() || !it->second.held.contains(wait.id))
            return;
        if (it->second.ready.empty() && !it->second.stopped)
            ready_.push_back(wait.loop);
        it->second.ready.push_back({wait.id, ec});
    }
    /// Forgets the handler, also when it is already due.
    void drop(simulated_wait wait)
    {
        auto const it = loops_.find(wait.loop);
        if (it == loops_.end())
            return;
        auto const node = it->second.held.extract(wait.id);  // out of the map before its destructor runs
    }
    void post(std::uint32_t loop, simulated_task task) { complete(hold(loop, std::move(task)), {}); }

    /// When an event is due, and its place among those of the same instant.
    using due = std::pair<time, std::uint64_t>;

    /// Calls `task` after `delay`, outside of any loop. `travels`: it is something on the network, which
    /// `run_until_idle` waits for; a timer is not.
    due after(time delay, simulated_task task, bool travels)
    {
        due const key{now_ + (delay < time::zero() ? time::zero() : delay), ++last_due_};
        travelling_ += travels ? 1 : 0;
        events_.emplace(key, event{std::move(task), travels});
        return key;
    }
    void forget(due key)
    {
        auto const node = events_.extract(key);
        if (!node.empty())
            travelling_ -= node.mapped().travels ? 1 : 0;
    }

    /// Does one thing: runs a ready handler, or moves the clock to the next event not after `limit`. False: none.
    bool step(time limit)
    {
        if (!ready_.empty()) {
            run_one();
            return true;
        }
        if (events_.empty() || events_.begin()->first.first > limit)
            return false;
        auto node = events_.extract(events_.begin());
        travelling_ -= node.mapped().travels ? 1 : 0;
        if (node.key().first > now_) {
            now_ = node.key().first;
            steps_of_instant_ = 0;
        }
        node.mapped().task({});
        return true;
    }
    void advance_to(time t) noexcept
    {
        if (t <= now_)
            return;
        now_ = t;
        steps_of_instant_ = 0;
    }
    /// Nothing is ready and nothing travels.
    [[nodiscard]] bool idle() const noexcept { return ready_.empty() && travelling_ == 0; }

    /// One line of the trace. `bytes` go into the hash, not into the text.
    void note(std::string_view what, std::uint64_t who, std::uint64_t count, std::string_view bytes = {})
    {
        mix(static_cast<std::uint64_t>(now_.count()));
        mix(who);
        mix(count);
        for (std::string_view const part : {what, bytes})
            for (char const c : part)
                hash_ = (hash_ ^ static_cast<unsigned char>(c)) * 0x100000001B3u;
        if (!record_)
            return;
        text_.append(std::to_string(now_.count() / 1000)).append(" us ").append(what);
        text_.append(" #").append(std::to_string(who)).append(" ").append(std::to_string(count)).append("\n");
    }
    [[nodiscard]] std::string const& trace() const noexcept { return text_; }
    [[nodiscard]] std::uint64_t trace_hash() const noexcept { return hash_; }

private:
    struct completion {
        std::uint64_t wait;
        std::error_code ec;
    };
    struct loop_state {
        explicit loop_state(std::uint64_t seed) : chance(seed) {}
        simulated_chance chance;
        bool stopped = false;
        std::deque<completion> ready;
        std::map<std::uint64_t, simulated_task> held;  // ordered: handlers are destroyed in the same order every time
    };
    struct event {
        simulated_task task;
        bool travels;
    };

    void run_one()
    {
        if (++steps_of_instant_ > max_steps_per_instant_)
            throw std::runtime_error("simulation: handlers keep running and the clock stands still");
        auto const at = static_cast<std::ptrdiff_t>(chance_.below(ready_.size()));
        std::uint32_t const id = ready_[static_cast<std::size_t>(at)];
        loop_state& loop = loops_.find(id)->second;
        completion const next = loop.ready.front();
        loop.ready.pop_front();
        if (loop.ready.empty())
            ready_.erase(ready_.begin() + at);
        // Out of the loop before it runs: the handler may destroy the loop, or wait again in the same place.
        auto node = loop.held.extract(next.wait);
        if (!node.empty())
            node.mapped()(next.ec);
    }
    void mix(std::uint64_t word) noexcept { hash_ = (hash_ ^ word) * 0x100000001B3u + (hash_ >> 29); }

    std::uint64_t const seed_;
    simulated_chance chance_;
    time now_{0};
    std::map<due, event> events_;
    std::map<std::uint32_t, loop_state> loops_;
    std::vector<std::uint32_t> ready_;
    std::size_t travelling_ = 0;
    std::uint32_t last_loop_ = 0;
    std::uint64_t last_wait_ = 0;
    std::uint64_t last_due_ = 0;
    std::uint64_t steps_of_instant_ = 0;
    bool const record_;
    std::uint64_t const max_steps_per_instant_;
    std::uint64_t hash_ = 0xCBF29CE484222325u;
    std::string text_;
};

}  // namespace polycast::inline v0::transport

#endif  // POLYCAST_WITH_SIMULATION
