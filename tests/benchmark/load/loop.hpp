// Opens many connections and runs them from one thread: epoll, level triggered, one read an event.
#pragma once

#include "connection.hpp"
#include "process.hpp"

#include <arpa/inet.h>
#include <cstdint>
#include <deque>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdexcept>
#include <string>
#include <string_view>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <system_error>
#include <unistd.h>
#include <vector>

namespace load {

class loop {
public:
    /// `offers`: the subprotocol, if any.
    explicit loop(std::uint16_t port, std::string_view offers = {})
        : port_(port), request_(make_handshake_request(offers)), epoll_(epoll_create1(EPOLL_CLOEXEC)), events_(4096)
    {
        if (epoll_ < 0)
            throw_errno("epoll_create1");
    }
    ~loop()
    {
        for (auto const& each : connections)
            if (each.fd >= 0)
                ::close(each.fd);
        ::close(epoll_);
    }
    loop(loop const&) = delete;
    loop& operator=(loop const&) = delete;

    std::deque<connection> connections;  ///< a deque, as epoll holds their addresses

    /// Connects and shakes hands until `count` more are open, or throws when none opens for 10 seconds.
    void open(std::size_t count)
    {
        // Few at once: an overflowing accept queue drops a SYN, and that costs a second.
        constexpr std::size_t at_once = 64;
        std::size_t started = 0;
        auto const due = open_ + count;
        auto progress = now_seconds();
        while (open_ < due) {
            for (; started < count && connections.size() - open_ < at_once; ++started)
                start();
            auto const before = open_;
            poll([](connection&, std::string_view) { throw std::runtime_error("data before any request"); }, [](connection&) {});
            if (open_ != before)
                progress = now_seconds();
            else if (now_seconds() - progress > 10)
                throw std::runtime_error("no connection opened for 10 s; open are " + std::to_string(open_) + " of " +
                                         std::to_string(due));
        }
    }

    /// Waits up to 100 ms for events. `on_data(connection, bytes)` gets what one read gave; `on_writable(connection)`
    /// is called when a full socket has room again.
    template <class OnData, class OnWritable>
    void poll(OnData&& on_data, OnWritable&& on_writable)
    {
        int const count = epoll_wait(epoll_, events_.data(), static_cast<int>(events_.size()), 100);
        if (count < 0 && errno != EINTR)
            throw_errno("epoll_wait");
        for (int i = 0; i < count; ++i) {
            auto& each = *static_cast<connection*>(events_[static_cast<std::size_t>(i)].data.ptr);
            auto const what = events_[static_cast<std::size_t>(i)].events;
            if ((what & EPOLLOUT) != 0) {
                if (each.open)
                    on_writable(each);
                else
                    request(each);
            }
            if ((what & (EPOLLIN | EPOLLERR | EPOLLHUP)) == 0)
                continue;
            auto const bytes = receive(each);
            if (each.open)
                on_data(each, bytes);
            else
                shake_hands(each, bytes);
        }
    }

    /// Closes every connection as WebSocket has it (1000), so that a server that keeps sessions keeps none of these.
    void say_goodbye()
    {
        auto const goodbye = make_client_frame(opcode::close, "\x03\xe8");
        timeval const patience{2, 0};
        for (auto& each : connections) {
            static_cast<void>(::send(each.fd, goodbye.data(), goodbye.size(), MSG_NOSIGNAL));
            ::fcntl(each.fd, F_SETFL, 0);
            setsockopt(each.fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
        }
        for (auto& each : connections)
            while (::recv(each.fd, buffer_.data(), buffer_.size(), 0) > 0) {
            }
    }

    /// Tells epoll whether `each` waits for room in its socket.
    void watch(connection& each, bool writable, int operation = EPOLL_CTL_MOD)
    {
        epoll_event event{};
        event.events = EPOLLIN | (writable ? EPOLLOUT : 0u);
        event.data.ptr = &each;
        if (epoll_ctl(epoll_, operation, each.fd, &event) != 0)
            throw_errno("epoll_ctl");
    }

private:
    [[noreturn]] static void throw_errno(char const* what) { throw std::system_error(errno, std::generic_category(), what); }

    void start()
    {
        auto& each = connections.emplace_back();
        each.fd = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (each.fd < 0)
            throw_errno("socket (descriptor limit? see ulimit -n)");
        int const one = 1;
        setsockopt(each.fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(port_);
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        if (::connect(each.fd, reinterpret_cast<sockaddr const*>(&address), sizeof address) != 0 && errno != EINPROGRESS)
            throw_errno("connect");
        watch(each, true, EPOLL_CTL_ADD);
    }

    void request(connection& each)
    {
        int error = 0;
        socklen_t size = sizeof error;
        getsockopt(each.fd, SOL_SOCKET, SO_ERROR, &error, &size);
        if (error != 0)
            throw std::system_error(error, std::generic_category(), "connect");
        // An empty socket takes so few bytes at once.
        if (::send(each.fd, request_.data(), request_.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(request_.size()))
            throw_errno("send (handshake)");
        watch(each, false);
    }

    std::string_view receive(connection& each)
    {
        auto const got = ::recv(each.fd, buffer_.data(), buffer_.size(), 0);
        if (got == 0)
            throw std::runtime_error(each.open ? "the server closed a connection" : "the server refused a handshake");
        if (got < 0 && errno != EAGAIN)
            throw_errno("recv");
        return {buffer_.data(), got < 0 ? 0 : static_cast<std::size_t>(got)};
    }

    void shake_hands(connection& each, std::string_view bytes)
    {
        each.early += bytes;
        auto const end = each.early.find("\r\n\r\n");
        if (end == std::string::npos)
            return;
        if (!each.early.starts_with("HTTP/1.1 101") || each.early.find(handshake_accept) == std::string::npos)
            throw std::runtime_error("the server refused a handshake:\n" + each.early);
        if (end + 4 != each.early.size())
            throw std::runtime_error("the server sent data right after the handshake, unasked");
        std::string().swap(each.early);
        each.open = true;
        ++open_;
    }

    std::uint16_t port_;
    std::string request_;
    int epoll_;
    std::size_t open_ = 0;
    std::vector<epoll_event> events_;
    std::vector<char> buffer_ = std::vector<char>(256 * 1024);
};

}  // namespace load
