#pragma once

#include <polycast/transport/policy.hpp>

#include <asio/basic_socket_acceptor.hpp>
#include <asio/basic_stream_socket.hpp>
#include <asio/basic_waitable_timer.hpp>
#include <asio/executor_work_guard.hpp>
#include <asio/io_context.hpp>
#include <asio/ip/basic_resolver.hpp>
#include <asio/ip/tcp.hpp>

#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <sys/socket.h>
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

    private:
        // A loop belongs to one thread, so the reactor needs no lock; `post` from another thread still takes one.
        asio::io_context context_{ASIO_CONCURRENCY_HINT_UNSAFE_IO};
        asio::executor_work_guard<executor> work_{context_.get_executor()};
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

    class stream {
    public:
        explicit stream(loop& on) : socket_(on.context().get_executor()) {}  ///< closed
        stream(loop& on, transit&& from) : stream(socket(on.context().get_executor(), protocol::v4(), from.take())) {}
        explicit stream(socket&& connected) noexcept : socket_(std::move(connected))
        {
            std::error_code ignored;
            socket_.non_blocking(true, ignored);
            socket_.set_option(protocol::no_delay(true), ignored);
#if defined(TCP_NOTSENT_LOWAT)
            // What the kernel holds is not overtaken by what is urgent. It keeps what is on its way, which is all that
            // throughput needs; the megabytes that it would take besides wait in the outbox, where they have lanes.
            int const most = max_unsent_bytes;
            ::setsockopt(socket_.native_handle(), IPPROTO_TCP, TCP_NOTSENT_LOWAT, &most, sizeof most);
#endif
        }

        [[nodiscard]] std::size_t read_some(std::span<char> into, std::error_code& ec)
        {
            auto const count = socket_.read_some(asio::buffer(into.data(), into.size()), ec);
            ec = portable(ec);
            return count;
        }
        [[nodiscard]] std::size_t write_some(std::span<char const> one, std::error_code& ec)
        {
            auto const count = socket_.write_some(asio::buffer(one.data(), one.size()), ec);
            ec = portable(ec);
            return count;
        }
        [[nodiscard]] std::size_t write_some(gather_list many, std::error_code& ec)
        {
            std::array<asio::const_buffer, max_gather> buffers;
            std::size_t const count = many.size() < max_gather ? many.size() : max_gather;
            for (std::size_t i = 0; i < count; ++i)
                buffers[i] = asio::const_buffer(many[i].data(), many[i].size());
            auto const written = socket_.write_some(std::span<asio::const_buffer const>(buffers.data(), count), ec);
            ec = portable(ec);
            return written;
        }
        template <class Handler>
        void wait_readable(Handler&& handler)
        {
            wait(socket::wait_read, std::forward<Handler>(handler));
        }
        template <class Handler>
        void wait_writable(Handler&& handler)
        {
            wait(socket::wait_write, std::forward<Handler>(handler));
        }
        void shutdown_send()
        {
            std::error_code ignored;
            socket_.shutdown(socket::shutdown_send, ignored);
        }
        void close()
        {
            std::error_code ignored;
            socket_.close(ignored);
        }
        [[nodiscard]] bool is_open() const noexcept { return socket_.is_open(); }
        [[nodiscard]] static constexpr bool can_leave() noexcept { return true; }
        [[nodiscard]] transit leave()
        {
            std::error_code ignored;
            return transit(socket_.release(ignored));
        }

        // For a transport on top of this one.
        [[nodiscard]] int native_handle() { return socket_.native_handle(); }
        /// Pending waits complete with `operation_canceled`; the stream stays open.
        void cancel_waits()
        {
            std::error_code ignored;
            socket_.cancel(ignored);
        }
        /// `f()` soon, on the stream's loop.
        template <class F>
        void post(F&& f)
        {
            socket_.get_executor().post(std::forward<F>(f), std::allocator<void>());
        }

        [[nodiscard]] std::string peer_address() const
        {
            std::error_code ec;
            auto const peer = socket_.remote_endpoint(ec);
            return ec ? std::string() : peer.address().to_string();
        }

    private:
        static constexpr int max_unsent_bytes = 32 * 1024;

        template <class Handler>
        void wait(socket::wait_type what, Handler&& handler)
        {
            socket_.async_wait(what, [h = std::forward<Handler>(handler)](std::error_code ec) mutable {
                h(portable(ec));
            });
        }
        socket socket_;
    };

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

    class acceptor {
    public:
        explicit acceptor(loop& l) : acceptor_(l.context().get_executor()) {}
        void listen(endpoint const& at, listen_options options, std::error_code& ec)
        {
            auto const address = asio::ip::make_address(at.host, ec);
            if (ec) {
                ec = portable(ec);
                return;
            }
            protocol::endpoint const local(address, at.port);
            if (acceptor_.open(local.protocol(), ec)) {
                ec = portable(ec);
                return;
            }
            acceptor_.set_option(asio::socket_base::reuse_address(true), ec);
            int const on = 1;
            if (!ec && options.share_port &&
                ::setsockopt(acceptor_.native_handle(), SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) != 0)
                ec.assign(errno, std::generic_category());
            if (!ec)
                acceptor_.bind(local, ec);
            if (!ec)
                acceptor_.listen(options.backlog, ec);
            ec = portable(ec);
            if (ec)
                close();
        }
        template <class Handler>
        void accept(Handler&& handler)
        {
            acceptor_.async_accept([h = std::forward<Handler>(handler)](std::error_code ec, socket s) mutable {
                h(portable(ec), stream(std::move(s)));
            });
        }
        void close()
        {
            std::error_code ignored;
            acceptor_.close(ignored);
        }
        [[nodiscard]] std::uint16_t port() const
        {
            std::error_code ec;
            return acceptor_.local_endpoint(ec).port();
        }

    private:
        asio::basic_socket_acceptor<protocol, executor> acceptor_;
    };

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
inline tcp::loop::loop(tcp const&) {}
inline tcp::loop::~loop() = default;
inline void tcp::loop::forget_termination() noexcept { termination_.reset(); }

template <class F>
void tcp::loop::on_termination(F f)
{
    termination_ = std::make_unique<termination>(*this);
    termination_->wake.wait(std::move(f));
}

/// Resolves a name and tries its addresses in turn.
class tcp::connector {
public:
    explicit connector(loop& l) : executor_(l.context().get_executor()) {}
    connector(connector const&) = delete;
    ~connector() { cancel(); }

    template <class Handler>
    void connect(endpoint const& to, Handler handler)
    {
        cancel();
        attempt_ = std::make_shared<attempt>(executor_);
        std::error_code not_numeric;
        auto const address = asio::ip::make_address(to.host, not_numeric);
        if (!not_numeric) {
            attempt_->addresses.emplace_back(address, to.port);
            return next(attempt_, std::move(handler));
        }
        attempt_->resolver.async_resolve(
            to.host, std::to_string(to.port),
            [a = attempt_, h = std::move(handler)](std::error_code ec, resolver::results_type const& found) mutable {
                if (!ec && a->cancelled)
                    ec = asio::error::operation_aborted;
                if (ec)
                    return h(portable(ec), stream(std::move(a->connecting)));
                for (auto const& entry : found)
                    a->addresses.push_back(entry.endpoint());
                next(std::move(a), std::move(h));
            });
    }
    /// The pending handler completes with an error.
    void cancel()
    {
        if (!attempt_)
            return;
        std::error_code ignored;
        attempt_->cancelled = true;
        attempt_->resolver.cancel();
        attempt_->connecting.close(ignored);
        attempt_.reset();
    }

private:
    using resolver = asio::ip::basic_resolver<protocol, executor>;

    struct attempt {
        explicit attempt(executor const& e) : resolver(e), connecting(e) {}
        tcp::connector::resolver resolver;
        socket connecting;
        std::vector<protocol::endpoint> addresses{};
        std::size_t tried = 0;
        bool cancelled = false;
    };

    template <class Handler>
    static void next(std::shared_ptr<attempt> a, Handler handler)
    {
        std::error_code ignored;
        a->connecting.close(ignored);
        auto const& target = a->addresses[a->tried++];
        a->connecting.async_connect(target, [a, h = std::move(handler)](std::error_code ec) mutable {
            if (!ec && a->cancelled)
                ec = asio::error::operation_aborted;
            if (ec && !a->cancelled && a->tried < a->addresses.size())
                return next(std::move(a), std::move(h));
            h(portable(ec), stream(std::move(a->connecting)));
        });
    }

    executor executor_;
    std::shared_ptr<attempt> attempt_;
};

static_assert(transport_policy<tcp>);

}  // namespace polycast::inline v0::transport
