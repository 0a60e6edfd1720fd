#pragma once

#include <polycast/detail/task.hpp>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <system_error>
#include <utility>
#include <vector>

#include <sys/epoll.h>
#include <unistd.h>

namespace polycast::inline v0::detail {

/// Which descriptors of a loop are ready: an epoll set of its own, which the loop's reactor watches as one descriptor.
///
/// Asio's reactor is told anew of every wait, by a system call. Here a descriptor stays in the set (level-triggered)
/// while somebody waits most of the time, so a wait that follows a wait costs nothing. On the loop's thread.
class readiness {
public:
    using handler = task<3 * sizeof(void*)>;
    class watch;

    readiness() : descriptor_(::epoll_create1(EPOLL_CLOEXEC))
    {
        if (descriptor_ < 0)
            throw std::system_error(errno, std::generic_category(), "polycast: epoll_create1");
    }
    readiness(readiness const&) = delete;
    ~readiness() { ::close(descriptor_); }
    [[nodiscard]] int descriptor() const noexcept { return descriptor_; }

    /// Calls the handlers of what is ready now, up to a bound.
    void run_ready();

private:
    friend watch;
    /// Whether the watch whose handlers are being called is still there.
    [[nodiscard]] bool still_there() const noexcept { return events_[static_cast<std::size_t>(at_)].data.ptr != nullptr; }
    static constexpr int max_events = 128;

    int descriptor_;
    std::array<::epoll_event, max_events> events_{};
    int at_ = 0;
    int count_ = 0;
};

/// What one descriptor waits for. It does not own the descriptor, and goes before that is closed.
class readiness::watch {
public:
    watch(readiness& in, int descriptor) noexcept : in_(in), descriptor_(descriptor) {}
    watch(watch const&) = delete;
    ~watch()
    {
        if (listed_ != 0)
            ::epoll_ctl(in_.descriptor_, EPOLL_CTL_DEL, descriptor_, nullptr);
        for (int i = in_.at_; i < in_.count_; ++i)
            if (in_.events_[static_cast<std::size_t>(i)].data.ptr == this)
                in_.events_[static_cast<std::size_t>(i)].data.ptr = nullptr;
    }

    /// `h(error_code)` when it is readable, or `writing`, or has failed. Throws `std::bad_alloc`.
    void wait(bool writing, handler&& h)
    {
        std::uint32_t const event = writing ? EPOLLOUT : EPOLLIN;
        if ((listed_ & event) == 0)
            list(listed_ | event);
        if (!writing && !read_) {
            read_ = std::move(h);
            return;
        }
        if (!seldom_)
            seldom_ = std::make_unique<seldom>();
        if (writing && !seldom_->write)
            seldom_->write = std::move(h);
        else
            seldom_->more.push_back({writing, std::move(h)});
    }
    /// From a handler that was called because there is something to read, and has taken one of perhaps several: if it waits
    /// again it is called again in this turn, for a turn of the loop for each would keep the last ones waiting.
    void expect_more() noexcept { more_expected_ = true; }
    /// The descriptor will be closed, and so leave the set.
    void closes() noexcept { listed_ = 0; }
    /// Takes the handlers that wait.
    [[nodiscard]] std::vector<handler> take_all()
    {
        std::vector<handler> all;
        auto const take = [&all](handler& h) {
            if (h)
                all.push_back(std::move(h));
        };
        auto const others = std::move(seldom_);
        if (others)
            take(others->write);
        take(read_);
        if (others)
            for (extra& e : others->more)
                take(e.what);
        return all;
    }

private:
    friend readiness;
    struct extra {
        bool writing;
        handler what;
    };
    /// What few ever wait for; whoever did may again.
    struct seldom {
        handler write;
        std::vector<extra> more;  ///< beside the one that reads and the one that writes
    };

    static constexpr int max_at_once = 16;  ///< others wait

    void list(std::uint32_t events)
    {
        ::epoll_event e{};
        e.events = events;
        e.data.ptr = this;
        int const operation = listed_ == 0 ? EPOLL_CTL_ADD : events == 0 ? EPOLL_CTL_DEL : EPOLL_CTL_MOD;
        // Of an open descriptor that can be waited for, only for want of memory or of the user's watches (epoll_ctl(2)).
        if (::epoll_ctl(in_.descriptor_, operation, descriptor_, &e) != 0)
            throw std::bad_alloc();
        listed_ = static_cast<std::uint8_t>(events);
    }
    /// Calls those that wait for this now; what they begin to wait for is another turn's. False if this is no more.
    [[nodiscard]] bool call(bool writing)
    {
        readiness const& in = in_;  // a handler may be the end of this
        handler first;
        if (!writing)
            first = std::move(read_);
        else if (seldom_)
            first = std::move(seldom_->write);
        std::vector<handler> others;
        if (seldom_)
            std::erase_if(seldom_->more, [&](extra& e) {
                if (e.writing == writing)
                    others.push_back(std::move(e.what));
                return e.writing == writing;
            });
        if (first)
            first({});
        for (handler& h : others)
            h(in.still_there() ? std::error_code() : std::make_error_code(std::errc::operation_canceled));
        return in.still_there();
    }
    [[nodiscard]] bool waits(bool writing) const noexcept
    {
        if (!writing && read_)
            return true;
        if (!seldom_)
            return false;
        if (writing && seldom_->write)
            return true;
        for (extra const& e : seldom_->more)
            if (e.writing == writing)
                return true;
        return false;
    }
    void ready(std::uint32_t events)
    {
        bool const failed = (events & (EPOLLERR | EPOLLHUP)) != 0;
        std::uint32_t unwanted = 0;
        for (bool const writing : {true, false}) {
            std::uint32_t const event = writing ? EPOLLOUT : EPOLLIN;
            if ((events & event) == 0 && !failed)
                continue;
            if (!waits(writing)) {
                unwanted |= event;
                continue;
            }
            int left = writing ? 1 : max_at_once;
            do {
                more_expected_ = false;
                if (!call(writing))
                    return;
            } while (--left > 0 && more_expected_ && waits(writing));
        }
        // What nobody waits for is not told again: in the set as long as it is waited for most of the time.
        if ((unwanted & listed_) != 0)
            list(listed_ & ~unwanted);
    }

    readiness& in_;
    int const descriptor_;
    std::uint8_t listed_ = 0;  ///< EPOLLIN, EPOLLOUT
    bool more_expected_ = false;
    handler read_;
    std::unique_ptr<seldom> seldom_;
};
static_assert(sizeof(readiness::watch) <= 56, "an idle connection pays for it");

inline void readiness::run_ready()
{
    count_ = ::epoll_wait(descriptor_, events_.data(), max_events, 0);
    for (at_ = 0; at_ < count_; ++at_) {
        auto const& e = events_[static_cast<std::size_t>(at_)];
        if (e.data.ptr != nullptr)
            static_cast<watch*>(e.data.ptr)->ready(e.events);
    }
    at_ = count_ = 0;
}

}  // namespace polycast::inline v0::detail
