#pragma once

#include <polycast/transport/tcp_loop.hpp>

#include <asio/error.hpp>

#include <array>
#include <cerrno>
#include <cstddef>
#include <memory>
#include <new>
#include <span>
#include <string>
#include <system_error>
#include <utility>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

namespace polycast::inline v0::transport {

/// What a descriptor of a loop waits for.
class tcp::waits {
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
    /// Who reads has taken one of perhaps several.
    void expect_more() noexcept { watch_->expect_more(); }
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

class tcp::stream {
public:
    explicit stream(loop& on) noexcept : waits_(on) {}  ///< closed
    stream(loop& on, transit&& from) : stream(on, from.take()) {}
    /// Takes over a connected socket that neither blocks nor waits for more to send (`TCP_NODELAY`).
    stream(loop& on, int descriptor) noexcept : waits_(on), descriptor_(descriptor) {}
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

}  // namespace polycast::inline v0::transport
