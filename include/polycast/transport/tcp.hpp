#pragma once

#include <polycast/transport/policy.hpp>
#include <polycast/transport/readiness.hpp>

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
#include <new>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/uio.h>
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

    /// What a descriptor of a loop waits for.
    class waits {
    public:
        explicit waits(loop& on) noexcept : on_(&on) {}
        waits(waits&&) noexcept = default;
        waits& operator=(waits&&) noexcept = default;

        template <class Handler>
        void wait(int descriptor, bool writing, Handler&& handler)
        {
            if (descriptor < 0)
                return on_->post([h = std::forward<Handler>(handler)]() mutable {
                    h(std::make_error_code(std::errc::operation_canceled));
                });
            if (!watch_)
                watch_ = std::make_unique<detail::readiness::watch>(on_->ready(), descriptor);
            watch_->wait(writing, std::forward<Handler>(handler));
        }
        /// What waits completes with `operation_canceled`, soon.
        void cancel() noexcept
        try {
            if (!watch_)
                return;
            auto waiting = watch_->take_all();
            if (waiting.empty())
                return;
            on_->post([w = std::move(waiting)]() mutable {
                for (auto& h : w)
                    h(std::make_error_code(std::errc::operation_canceled));
            });
        } catch (std::bad_alloc const&) {  // then nobody is told
        }
        /// The descriptor leaves the loop.
        void forget() noexcept { watch_.reset(); }
        /// The descriptor will be closed.
        void end() noexcept
        {
            cancel();
            if (watch_)
                watch_->closes();
            watch_.reset();
        }
        [[nodiscard]] loop& on() const noexcept { return *on_; }

    private:
        loop* on_;
        std::unique_ptr<detail::readiness::watch> watch_;
    };

    class stream {
    public:
        explicit stream(loop& on) noexcept : waits_(on) {}  ///< closed
        stream(loop& on, transit&& from) : stream(on, from.take()) {}
        /// Takes over a connected socket that does not block.
        stream(loop& on, int descriptor) noexcept : waits_(on), descriptor_(descriptor)
        {
            int const yes = 1;
            ::setsockopt(descriptor_, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
        }
        stream(stream&& other) noexcept
            : waits_(std::move(other.waits_)), descriptor_(std::exchange(other.descriptor_, -1)), held_back_(other.held_back_)
        {
        }
        stream& operator=(stream&& other) noexcept
        {
            if (this != &other) {
                close();
                waits_ = std::move(other.waits_);
                descriptor_ = std::exchange(other.descriptor_, -1);
                held_back_ = other.held_back_;
            }
            return *this;
        }
        ~stream() { close(); }

        [[nodiscard]] std::size_t read_some(std::span<char> into, std::error_code& ec)
        {
            auto const count = result([&] { return ::recv(descriptor_, into.data(), into.size(), 0); }, ec);
            if (count == 0 && !ec && !into.empty())
                ec = asio::error::eof;
            return count;
        }
        [[nodiscard]] std::size_t write_some(std::span<char const> one, std::error_code& ec)
        {
            return result([&] { return ::send(descriptor_, one.data(), one.size(), MSG_NOSIGNAL); }, ec);
        }
        [[nodiscard]] std::size_t write_some(gather_list many, std::error_code& ec)
        {
            std::array<::iovec, max_gather> runs;
            std::size_t const count = many.size() < max_gather ? many.size() : max_gather;
            for (std::size_t i = 0; i < count; ++i)
                runs[i] = {const_cast<char*>(many[i].data()), many[i].size()};  // sendmsg(2) reads only
            ::msghdr message{};
            message.msg_iov = runs.data();
            message.msg_iovlen = count;
            return result([&] { return ::sendmsg(descriptor_, &message, MSG_NOSIGNAL); }, ec);
        }
        template <class Handler>
        void wait_readable(Handler&& handler)
        {
            waits_.wait(descriptor_, false, std::forward<Handler>(handler));
        }
        template <class Handler>
        void wait_writable(Handler&& handler)
        {
            waits_.wait(descriptor_, true, std::forward<Handler>(handler));
        }
        /// What is not yet sent stays with the caller, but for little: what the kernel holds is not overtaken by what is
        /// urgent. It keeps what is on its way, which is all that throughput needs.
        void hold_back() noexcept
        {
#if defined(TCP_NOTSENT_LOWAT)
            int const most = max_unsent_bytes;
            if (!std::exchange(held_back_, true))
                ::setsockopt(descriptor_, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &most, sizeof most);
#endif
        }
        void shutdown_send() { ::shutdown(descriptor_, SHUT_WR); }
        void close() noexcept
        {
            if (descriptor_ < 0)
                return;
            waits_.end();
            ::close(std::exchange(descriptor_, -1));
        }
        [[nodiscard]] bool is_open() const noexcept { return descriptor_ >= 0; }
        [[nodiscard]] static constexpr bool can_leave() noexcept { return true; }
        [[nodiscard]] transit leave()
        {
            waits_.forget();
            return transit(std::exchange(descriptor_, -1));
        }

        // For a transport on top of this one.
        [[nodiscard]] int native_handle() const noexcept { return descriptor_; }
        /// Pending waits complete with `operation_canceled`; the stream stays open.
        void cancel_waits() { waits_.cancel(); }
        /// `f()` soon, on the stream's loop.
        template <class F>
        void post(F&& f)
        {
            waits_.on().post(std::forward<F>(f));
        }

        [[nodiscard]] std::string peer_address() const
        {
            protocol::endpoint peer;
            auto size = static_cast<::socklen_t>(peer.capacity());
            if (::getpeername(descriptor_, peer.data(), &size) != 0)
                return {};
            peer.resize(size);
            return peer.address().to_string();
        }

    private:
        static constexpr int max_unsent_bytes = 32 * 1024;

        template <class Call>
        [[nodiscard]] static std::size_t result(Call call, std::error_code& ec) noexcept
        {
            ::ssize_t count = call();
            while (count < 0 && errno == EINTR)
                count = call();
            if (count < 0) {
                ec.assign(errno, std::system_category());
                return 0;
            }
            ec.clear();
            return static_cast<std::size_t>(count);
        }

        waits waits_;
        int descriptor_ = -1;
        bool held_back_ = false;
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

    /// A listening socket, TCP's or another, that does not block.
    class listener {
    public:
        explicit listener(loop& on) noexcept : waits_(on) {}
        listener(listener const&) = delete;
        ~listener() { close(); }

        /// Owns `descriptor` from here on.
        void open(int descriptor) noexcept
        {
            close();
            descriptor_ = descriptor;
        }
        [[nodiscard]] int native_handle() const noexcept { return descriptor_; }
        /// `h(error_code, descriptor)` for the next connection; -1 with an error.
        template <class Handler>
        void accept(Handler&& handler)
        {
            waits_.wait(descriptor_, false, [this, h = std::forward<Handler>(handler)](std::error_code ec) mutable {
                if (ec)
                    return h(ec, -1);
                int const accepted = ::accept4(descriptor_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
                if (accepted >= 0)
                    return h(ec, accepted);
                ec.assign(errno, std::system_category());
                if (would_block(ec) || ec == std::errc::interrupted || ec == std::errc::connection_aborted)
                    return accept(std::move(h));  // who came is gone, or another shard has it
                h(ec, -1);
            });
        }
        void close() noexcept
        {
            if (descriptor_ < 0)
                return;
            waits_.end();
            ::close(std::exchange(descriptor_, -1));
        }

    private:
        waits waits_;
        int descriptor_ = -1;
    };

    class acceptor {
    public:
        explicit acceptor(loop& l) noexcept : loop_(l), listener_(l) {}
        void listen(endpoint const& at, listen_options options, std::error_code& ec)
        {
            auto const address = asio::ip::make_address(at.host, ec);
            if (ec) {
                ec = portable(ec);
                return;
            }
            protocol::endpoint const local(address, at.port);
            listener_.open(::socket(local.protocol().family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
            int const descriptor = listener_.native_handle();
            int const yes = 1;
            bool const listens =
                descriptor >= 0 && ::setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) == 0 &&
                (!options.share_port || ::setsockopt(descriptor, SOL_SOCKET, SO_REUSEPORT, &yes, sizeof yes) == 0) &&
                ::bind(descriptor, local.data(), static_cast<::socklen_t>(local.size())) == 0 &&
                ::listen(descriptor, options.backlog) == 0;
            if (listens)
                return;
            ec.assign(errno, std::system_category());
            close();
        }
        template <class Handler>
        void accept(Handler&& handler)
        {
            listener_.accept([on = &loop_, h = std::forward<Handler>(handler)](std::error_code ec, int accepted) mutable {
                h(ec, ec ? stream(*on) : stream(*on, accepted));
            });
        }
        void close() noexcept { listener_.close(); }
        [[nodiscard]] std::uint16_t port() const
        {
            protocol::endpoint local;
            auto size = static_cast<::socklen_t>(local.capacity());
            if (::getsockname(listener_.native_handle(), local.data(), &size) != 0)
                return 0;
            local.resize(size);
            return local.port();
        }

    private:
        loop& loop_;
        listener listener_;
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

/// Resolves a name and tries its addresses in turn.
class tcp::connector {
public:
    explicit connector(loop& l) noexcept : loop_(l) {}
    connector(connector const&) = delete;
    ~connector() { cancel(); }

    template <class Handler>
    void connect(endpoint const& to, Handler handler)
    {
        cancel();
        attempt_ = std::make_shared<attempt>(loop_);
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
                    return h(portable(ec), stream(a->on));
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
        explicit attempt(loop& l) : on(l), resolver(l.context().get_executor()), connecting(l.context().get_executor()) {}
        loop& on;
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
            if (!ec)
                a->connecting.non_blocking(true, ec);
            int const descriptor = ec ? -1 : a->connecting.release(ec);
            h(portable(ec), ec ? stream(a->on) : stream(a->on, descriptor));
        });
    }

    loop& loop_;
    std::shared_ptr<attempt> attempt_;
};

static_assert(transport_policy<tcp>);

}  // namespace polycast::inline v0::transport
