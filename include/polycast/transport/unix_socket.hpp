#pragma once

#include <polycast/transport/policy.hpp>
#include <polycast/transport/tcp.hpp>
#include <polycast/transport/unix_listener.hpp>

#include <cerrno>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

namespace polycast::inline v0::transport {

/// Unix stream sockets: the endpoint's `host` (`server_options::address`) is a path with a `/` in it, or `@name` in
/// Linux's abstract namespace; there are no ports. A client's URL is `ws+unix:/path/to/socket:/target`.
///
/// Listening makes the file with `permissions`, by default for its owner alone, whatever the umask: the file system
/// decides who may connect. A socket that nobody listens on is replaced; one that somebody does is `address_in_use`, a
/// file of another kind `not_a_socket`, a path over 107 bytes `filename_too_long`. The process that made the file
/// removes it when it has closed. An abstract name has no permissions: any process of the network namespace may connect.
///
/// `listen_options::share_port`: acceptors of copies of one `unix_socket` accept from one listening socket.
/// `peer_address()` is `unix:uid=1000,pid=4242`: the process that connected, or listens (`SO_PEERCRED`).
template <class = void>
class basic_unix_socket {
public:
    using policy_axis = transport_axis;
    static constexpr bool threaded = true;
    static constexpr bool secure = false;
    static constexpr bool names_paths = true;

    using timer = tcp::timer;
    using notifier = tcp::notifier;

    basic_unix_socket() : basic_unix_socket(0600) {}
    explicit basic_unix_socket(std::uint16_t permissions)
        : shared_(std::make_shared<detail::unix_listeners>(permissions))
    {
    }
    /// Calendar time; from any thread.
    [[nodiscard]] static std::chrono::system_clock::time_point wall_now() noexcept { return tcp::wall_now(); }

    class loop : public tcp::loop {
    public:
        explicit loop(basic_unix_socket const& t) : shared_(t.shared_) {}

    private:
        friend basic_unix_socket;
        std::shared_ptr<detail::unix_listeners> shared_;
    };

    using transit = tcp::transit;

    /// A descriptor is read, written and waited on as TCP's is.
    class stream : private tcp::stream {
    public:
        explicit stream(loop& on) noexcept : tcp::stream(on) {}
        stream(loop& on, transit&& from) : tcp::stream(on, std::move(from)) {}
        using tcp::stream::can_leave;
        using tcp::stream::close;
        using tcp::stream::is_open;
        using tcp::stream::leave;
        using tcp::stream::native_handle;
        using tcp::stream::read_some;
        using tcp::stream::shutdown_send;
        using tcp::stream::wait_readable;
        using tcp::stream::wait_writable;
        using tcp::stream::write_some;

        /// Empty once closed.
        [[nodiscard]] std::string peer_address() const
        {
            ::ucred who{};
            ::socklen_t size = sizeof who;
            if (!is_open() || ::getsockopt(native_handle(), SOL_SOCKET, SO_PEERCRED, &who, &size) != 0)
                return {};
            return "unix:uid=" + std::to_string(who.uid) + ",pid=" + std::to_string(who.pid);
        }

    private:
        friend basic_unix_socket;
        stream(loop& on, int descriptor) noexcept : tcp::stream(on, descriptor) {}
    };

    class acceptor {
    public:
        explicit acceptor(loop& l) : loop_(l), accepting_(l), shared_(l.shared_) {}
        acceptor(acceptor const&) = delete;
        ~acceptor() { close(); }

        void listen(endpoint const& at, listen_options options, std::error_code& ec)
        {
            listener_ = shared_->listen(at.host, options.share_port, options.backlog, ec);
            int const descriptor = ec ? -1 : ::fcntl(listener_->descriptor(), F_DUPFD_CLOEXEC, 0);
            if (!ec && descriptor < 0)
                ec.assign(errno, std::generic_category());
            if (ec)
                return close();
            accepting_.open(descriptor);
        }
        template <class Handler>
        void accept(Handler&& handler)
        {
            accepting_.accept([on = &loop_, h = std::forward<Handler>(handler)](std::error_code ec, int accepted) mutable {
                h(ec, ec ? stream(*on) : stream(*on, accepted));
            });
        }
        void close()
        {
            accepting_.close();
            listener_.reset();
        }
        [[nodiscard]] std::uint16_t port() const noexcept { return 0; }

    private:
        loop& loop_;
        tcp::listener accepting_;
        std::shared_ptr<detail::unix_listeners> shared_;
        std::shared_ptr<detail::unix_listener> listener_;
    };

    class connector {
    public:
        explicit connector(loop& l) : loop_(l) {}
        connector(connector const&) = delete;
        ~connector() { cancel(); }

        template <class Handler>
        void connect(endpoint const& to, Handler handler)
        {
            cancel();
            attempt_ = std::make_shared<attempt>(loop_, to.host);
            loop_.post([a = attempt_, h = std::move(handler)]() mutable { go(std::move(a), std::move(h)); });
        }
        /// The pending handler completes with an error.
        void cancel()
        {
            if (!attempt_)
                return;
            attempt_->cancelled = true;
            attempt_.reset();
        }

    private:
        struct attempt {
            attempt(loop& l, std::string const& path) : on(l), again(l), address(path) {}
            loop& on;
            timer again;
            detail::unix_address address;
            bool cancelled = false;
        };

        template <class Handler>
        static void go(std::shared_ptr<attempt> a, Handler handler)
        {
            using namespace std::chrono_literals;
            std::error_code ec = a->cancelled ? std::make_error_code(std::errc::operation_canceled) : a->address.error();
            int const descriptor = ec ? -1 : detail::unix_connect(a->address, ec);
            if (would_block(ec)) {
                // The backlog is full: to a Unix socket that is no state to wait for, a blocking connect sleeps in it.
                auto& again = a->again;
                return again.start(5ms, [a = std::move(a), h = std::move(handler)]() mutable {
                    go(std::move(a), std::move(h));
                });
            }
            handler(ec, ec ? stream(a->on) : stream(a->on, descriptor));
        }

        loop& loop_;
        std::shared_ptr<attempt> attempt_;
    };

private:
    std::shared_ptr<detail::unix_listeners> shared_;
};
using unix_socket = basic_unix_socket<>;

}  // namespace polycast::inline v0::transport
