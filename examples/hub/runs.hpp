// Who has which run, how many at once, and on what threads.
#pragma once

#include "agent.hpp"
#include "workers.hpp"

#include <algorithm>
#include <chrono>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

namespace hub {

struct run_limits {
    std::size_t threads = 2;
    std::size_t max_waiting = 32;
    std::size_t max_per_owner = 4;  ///< running or waiting: nobody fills the queue alone
    std::size_t max_question_bytes = 2000;
    std::chrono::seconds time{10};  ///< of one run
};

/// Starts, counts and cancels runs. An owner sees and cancels only its own. Any thread.
class runs {
public:
    explicit runs(workspace const& files, run_limits limits = {})
        : files_(files), limits_(limits), workers_(limits.threads, limits.max_waiting)
    {
    }
    ~runs()
    {
        std::lock_guard const lock(mutex_);
        for (auto& [id, r] : active_)
            r.stop.request_stop();
    }

    /// Queues a run that answers to `out`; or says why not.
    [[nodiscard]] std::optional<agent_error> start(std::string const& owner, reply_to out, question const& asked)
    {
        if (asked.text.find_first_not_of(" \t\r\n") == std::string::npos)
            return agent_error{"bad_question", "the question is empty", {}, {}};
        if (asked.text.size() > limits_.max_question_bytes)
            return agent_error{"bad_question", "the question is longer than 2,000 bytes", {}, {}};

        std::stop_source stop;
        std::string id;
        {
            std::lock_guard const lock(mutex_);
            if (count_of(owner) >= limits_.max_per_owner)
                return agent_error{
                    "rate_limited", "you have " + std::to_string(limits_.max_per_owner) + " runs already", {}, 500};
            id = "run_" + started_ + "_" + std::to_string(++last_);
            active_.emplace(id, entry{owner, stop});
        }
        bool const queued = workers_.submit([this, id, out = std::move(out), asked, stop] {
            budget const allowed{stop.get_token(), std::chrono::steady_clock::now() + limits_.time};
            run r(out, id, asked.thread_id.value_or("thread_" + id), asked.text);
            auto result = answer(r, files_, asked, allowed);
            forget(id);  // first: who hears of the end may count on it
            r.end(std::move(result));
        });
        if (queued)
            return {};
        forget(id);
        return agent_error{"overloaded", "too many questions are waiting; ask again in a moment", {}, 1000};
    }
    /// False if `owner` has no such run. It ends at its next step, with status `cancelled`.
    [[nodiscard]] bool cancel(std::string const& owner, std::string const& id)
    {
        std::lock_guard const lock(mutex_);
        auto const at = active_.find(id);
        return at != active_.end() && at->second.owner == owner && (at->second.stop.request_stop(), true);
    }
    [[nodiscard]] std::vector<std::string> of(std::string const& owner) const
    {
        std::lock_guard const lock(mutex_);
        std::vector<std::string> out;
        for (auto const& [id, r] : active_)
            if (r.owner == owner)
                out.push_back(id);
        return out;
    }
    [[nodiscard]] std::uint32_t active() const noexcept { return workers_.active(); }
    [[nodiscard]] std::uint32_t waiting() const { return workers_.waiting(); }

private:
    struct entry {
        std::string owner;
        std::stop_source stop;
    };
    [[nodiscard]] std::size_t count_of(std::string const& owner) const
    {
        return static_cast<std::size_t>(
            std::ranges::count(active_, owner, [](auto const& r) { return r.second.owner; }));
    }
    void forget(std::string const& id)
    {
        std::lock_guard const lock(mutex_);
        active_.erase(id);
    }

    workspace const& files_;
    run_limits const limits_;
    mutable std::mutex mutex_;
    std::map<std::string, entry> active_;
    std::uint64_t last_ = 0;
    /// In every run's name, so that it differs from those of before a restart.
    std::string const started_ =
        std::to_string(std::chrono::system_clock::now().time_since_epoch() / std::chrono::seconds(1));
    workers workers_;  ///< last: its threads end before what they use
};

}  // namespace hub
