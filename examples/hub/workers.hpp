// A few threads for work that an event loop must not wait for.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <stop_token>
#include <thread>
#include <utility>
#include <vector>

namespace hub {

/// Runs jobs on `threads` threads, at most `max_waiting` of them waiting. Ends by asking the running ones to stop and
/// forgetting the others.
class workers {
public:
    using job = std::function<void()>;

    workers(std::size_t threads, std::size_t max_waiting) : max_waiting_(max_waiting)
    {
        for (std::size_t i = 0; i != threads; ++i)
            threads_.emplace_back([this](std::stop_token stop) { work(stop); });
    }

    /// False if the queue is full. Any thread.
    [[nodiscard]] bool submit(job j)
    {
        {
            std::lock_guard const lock(mutex_);
            if (waiting_.size() >= max_waiting_)
                return false;
            waiting_.push_back(std::move(j));
        }
        ready_.notify_one();
        return true;
    }
    [[nodiscard]] std::uint32_t active() const noexcept { return active_.load(); }
    [[nodiscard]] std::uint32_t waiting() const
    {
        std::lock_guard const lock(mutex_);
        return static_cast<std::uint32_t>(waiting_.size());
    }

private:
    void work(std::stop_token const& stop)
    {
        for (;;) {
            std::unique_lock lock(mutex_);
            if (!ready_.wait(lock, stop, [this] { return !waiting_.empty(); }) || stop.stop_requested())
                return;
            job const next = std::move(waiting_.front());
            waiting_.pop_front();
            ++active_;
            lock.unlock();
            next();
            --active_;
        }
    }

    std::size_t const max_waiting_;
    mutable std::mutex mutex_;
    std::condition_variable_any ready_;
    std::deque<job> waiting_;
    std::atomic<std::uint32_t> active_{0};
    std::vector<std::jthread> threads_;  ///< last: they end before what they use
};

}  // namespace hub
