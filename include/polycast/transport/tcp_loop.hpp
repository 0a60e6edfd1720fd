#pragma once

#include <polycast/transport/policy.hpp>
#include <polycast/transport/readiness.hpp>

#include <asio/basic_stream_socket.hpp>
#include <asio/basic_waitable_timer.hpp>
#include <asio/executor_work_guard.hpp>
#include <asio/io_context.hpp>
#include <asio/ip/tcp.hpp>

#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <memory>
#include <system_error>
#include <utility>

#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <unistd.h>

namespace polycast::inline v0::transport {

/// TCP through standalone Asio (the default transport). Every Asio object is spelled on the concrete executor: the
/// usual aliases erase it. See `transport_policy` for what each part does.
struct tcp {
    using policy_axis = transport_axis;
    static constexpr bool threaded = true;
    static constexpr bool secure = false;

    using executor = asio::io_context::executor_type;
    using protocol = asio::ip::tcp;
    using socket = asio::basic_stream_socket<protocol, executor>;

    /// Calendar time; from any thread.
    [[nodiscard]] static std::chrono::system_clock::time_point wall_now() noexcept
    {
        return std::chrono::system_clock::now();
    }

    /// Asio 1.22 has a system category of its own that equals no `std::errc`; the standard one does.
    [[nodiscard]] static std::error_code portable(std::error_code ec) noexcept
    {
        return ec.category() == asio::error::get_system_category() ? std::error_code(ec.value(), std::system_category())
                                                                   : ec;
    }

    class loop {
    public:
        explicit loop(tcp const& = {});
        loop(loop const&) = delete;
        ~loop();

        template <class F>
        void post(F&& f)
        {
            context_.get_executor().post(std::forward<F>(f), std::allocator<void>());
        }
        void run() { context_.run(); }
        /// `run` on a thread of its own. Throws `std::system_error` if there can be none.
        void launch()
        {
            // Not std::thread: its header costs every user's compiler more than this one call does.
            auto const entry = [](void* l) -> void* {
                static_cast<loop*>(l)->run();
                return nullptr;
            };
            if (int const error = ::pthread_create(&thread_, nullptr, entry, this))
                throw std::system_error(error, std::generic_category(), "polycast: no thread for a shard");
            launched_ = true;
        }
        /// Waits for that thread to end. Any thread but that one; nothing to wait for is fine.
        void join()
        {
            if (std::exchange(launched_, false))
                ::pthread_join(thread_, nullptr);
        }
        void stop() { context_.stop(); }

        [[nodiscard]] std::chrono::steady_clock::time_point now() const noexcept
        {
            return std::chrono::steady_clock::now();
        }
        [[nodiscard]] std::chrono::system_clock::time_point wall_now() const noexcept { return tcp::wall_now(); }
        /// From the kernel's generator, 64 words a system call.
        [[nodiscard]] std::uint64_t random()
        {
            if (random_left_ == 0) {
                if (::getrandom(random_.data(), sizeof random_, 0) != static_cast<::ssize_t>(sizeof random_))
                    throw std::system_error(errno, std::generic_category(), "polycast: getrandom");
                random_left_ = random_.size();
            }
            return random_[--random_left_];
        }
        /// `f()` on the loop when the process is asked to end: SIGINT or SIGTERM, which otherwise kill it. One loop of a
        /// process at a time; what was done on these signals before is done again when this loop is gone.
        template <class F>
        void on_termination(F f);
        void forget_termination() noexcept;
        [[nodiscard]] asio::io_context& context() noexcept { return context_; }
        [[nodiscard]] detail::readiness& ready() noexcept { return ready_; }

    private:
        void wait_for_ready()
        {
            watched_.async_wait(socket::wait_read, [this](std::error_code ec) {
                if (ec)
                    return;
                ready_.run_ready();
                wait_for_ready();
            });
        }

        // A loop belongs to one thread, so the reactor needs no lock; `post` from another thread still takes one.
        asio::io_context context_{ASIO_CONCURRENCY_HINT_UNSAFE_IO};
        asio::executor_work_guard<executor> work_{context_.get_executor()};
        detail::readiness ready_;
        // It is only waited on, for which a socket does; Asio's descriptors would be a second set of services.
        socket watched_{context_.get_executor(), protocol::v4(), ready_.descriptor()};
        struct termination;
        std::unique_ptr<termination> termination_;
        std::array<std::uint64_t, 64> random_{};
        std::size_t random_left_ = 0;
        ::pthread_t thread_{};
        bool launched_ = false;
    };

    /// A connection on its way from one loop to another.
    class transit {
    public:
        explicit transit(int descriptor) noexcept : descriptor_(descriptor) {}
        transit(transit&& other) noexcept : descriptor_(other.take()) {}
        ~transit()
        {
            if (descriptor_ >= 0)
                ::close(descriptor_);
        }
        [[nodiscard]] int take() noexcept { return std::exchange(descriptor_, -1); }

    private:
        int descriptor_;
    };

    class waits;
    class stream;
    class timer {
    public:
        explicit timer(loop& l) : timer_(l.context().get_executor()) {}
        timer(timer const&) = delete;
        ~timer() { ++*turn_; }

        template <class Handler>
        void start(std::chrono::nanoseconds after, Handler&& handler)
        {
            timer_.expires_after(after);
            // Asio may have queued the completion before a cancel or the destructor; only the newest start counts.
            timer_.async_wait(
                [h = std::forward<Handler>(handler), newest = turn_, mine = ++*turn_](std::error_code) mutable {
                    if (*newest == mine)
                        h();
                });
        }
        void cancel()
        {
            ++*turn_;
            timer_.cancel();
        }

    private:
        using clock = std::chrono::steady_clock;
        asio::basic_waitable_timer<clock, asio::wait_traits<clock>, executor> timer_;
        std::shared_ptr<std::uint64_t> turn_ = std::make_shared<std::uint64_t>(0);
    };

    class notifier {
    public:
        explicit notifier(loop& l) : event_(l.context().get_executor(), protocol::v4(), opened()) {}
        notifier(notifier const&) = delete;
        ~notifier() { *gone_ = 1; }

        template <class Handler>
        void wait(Handler&& handler)
        {
            event_.async_wait(socket::wait_read,
                              [h = std::forward<Handler>(handler), this, gone = gone_](std::error_code ec) mutable {
                                  std::uint64_t count;
                                  // Asio may have queued the completion before the destructor: `this` is then no more.
                                  if (*gone == 0 && !ec && ::read(event_.native_handle(), &count, sizeof count) > 0)
                                      h();
                              });
        }
        void notify()
        {
            std::uint64_t const one = 1;
            [[maybe_unused]] auto const n = ::write(event_.native_handle(), &one, sizeof one);
        }

    private:
        static int opened()
        {
            int const fd = ::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
            if (fd < 0)
                throw std::system_error(errno, std::generic_category(), "polycast: eventfd");
            return fd;
        }
        // An eventfd. It is only waited on, for which a socket does; Asio's descriptors would be a second set of services.
        socket event_;
        std::shared_ptr<std::uint64_t> gone_ = std::make_shared<std::uint64_t>(0);
    };

    class listener;
    class acceptor;
    class connector;
};

/// A signal handler may do little; this one wakes the loop.
struct tcp::loop::termination {
    explicit termination(loop& l) : wake(l)
    {
        current = this;
        struct sigaction action = {};
        action.sa_handler = [](int) {
            int const error = errno;
            if (termination* const t = current) {
                t->restore();  // a second signal does what it did before: kill, as the impatient expect
                t->wake.notify();
            }
            errno = error;
        };
        ::sigaction(SIGINT, &action, &before[0]);
        ::sigaction(SIGTERM, &action, &before[1]);
    }
    termination(termination const&) = delete;
    ~termination()
    {
        restore();
        current = nullptr;
    }
    void restore() noexcept
    {
        ::sigaction(SIGINT, &before[0], nullptr);
        ::sigaction(SIGTERM, &before[1], nullptr);
    }
    notifier wake;
    struct sigaction before[2];
    static inline std::atomic<termination*> current = nullptr;
};
inline tcp::loop::loop(tcp const&)
{
    wait_for_ready();
}
inline tcp::loop::~loop()
{
    std::error_code ignored;
    static_cast<void>(watched_.release(ignored));  // `ready_` closes it
}
inline void tcp::loop::forget_termination() noexcept { termination_.reset(); }

template <class F>
void tcp::loop::on_termination(F f)
{
    termination_ = std::make_unique<termination>(*this);
    termination_->wake.wait(std::move(f));
}

}  // namespace polycast::inline v0::transport
