#pragma once

#include <polycast/transport/tcp_stream.hpp>

#include <asio/ip/address.hpp>

#include <cerrno>
#include <cstdint>
#include <system_error>
#include <utility>

#include <sys/socket.h>
#include <unistd.h>

namespace polycast::inline v0::transport {

/// A listening socket, TCP's or another, that does not block.
class tcp::listener {
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
            if (accepted >= 0) {
                waits_.expect_more();
                return h(ec, accepted);
            }
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

class tcp::acceptor {
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
        bool const listens =  // what it accepts has TCP_NODELAY too
            descriptor >= 0 && ::setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) == 0 &&
            ::setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes) == 0 &&
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

}  // namespace polycast::inline v0::transport
