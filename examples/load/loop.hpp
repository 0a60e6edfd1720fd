// Opens many connections and runs them from one thread: epoll, level triggered, one read an event.
#pragma once

#include "connection.hpp"
#include "options.hpp"
#include "process.hpp"

#include <polycast/handshake/answer.hpp>
#include <polycast/handshake/client_upgrade.hpp>
#include <polycast/handshake/deflate_offer.hpp>

#include <cstdint>
#include <deque>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <system_error>
#include <unistd.h>
#include <vector>

namespace load {

class loop {
public:
    static constexpr std::int64_t usual_wait_ns = 100'000'000;
    static constexpr pc::deflate_terms deflate_terms{.server_no_context_takeover = true,
                                                     .client_no_context_takeover = true};

    explicit loop(settings const& s, std::string_view subprotocol = {}, bool deflate = false)
        : settings_(s), epoll_(epoll_create1(EPOLL_CLOEXEC)), events_(4096)
    {
        if (epoll_ < 0)
            throw_errno("epoll_create1");
        offer(subprotocol, deflate);
        if (s.rate > 0)
            prctl(PR_SET_TIMERSLACK, 1);  // an open loop sleeps until a message is due, not 50 µs longer
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

    std::deque<connection> connections;    ///< a deque, as epoll holds their addresses
    std::vector<connection*> just_opened;  ///< during the last `poll`
    std::vector<connection*> just_ended;   ///< likewise, of those that are `closing`

    /// What connections ask for from now on.
    void offer(std::string_view subprotocol, bool deflate)
    {
        offer_ = make_offer("127.0.0.1:" + std::to_string(settings_.port), subprotocol,
                            deflate ? pc::deflate_offer(deflate_terms) : std::string());
        request_ = make_handshake_request(offer_);
    }

    /// Connects and shakes hands until `count` more are open.
    void open(std::size_t count)
    {
        // Few at once: an overflowing accept queue drops a SYN, and that costs a second.
        constexpr std::size_t at_once = 64;
        std::size_t started = 0, opened = 0;
        auto const begin = now_seconds();
        while (opened < count) {
            for (; started < count && started - opened < at_once; ++started)
                start(add());
            poll([](connection&, std::span<char>) { throw std::runtime_error("data before any request"); },
                 [](connection&) {});
            opened += just_opened.size();
            if (opened < count && now_seconds() - begin > settings_.connect_within_seconds)
                throw std::runtime_error(std::to_string(opened) + " of " + std::to_string(count) +
                                         " connections opened within --connect-within " +
                                         std::to_string(settings_.connect_within_seconds) + " s");
        }
    }
    /// A further connection, not yet started.
    connection& add()
    {
        auto& each = connections.emplace_back();
        each.index = static_cast<std::uint32_t>(connections.size() - 1);
        return each;
    }
    /// Begins to connect, anew if it was dropped; it will be in `just_opened`.
    void start(connection& each)
    {
        each.fd = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (each.fd < 0)
            throw_errno("socket (descriptor limit? see ulimit -n)");
        each.since_ns = now_ns();
        int const one = 1;
        setsockopt(each.fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        auto const address = loopback(settings_.port);
        if (::connect(each.fd, reinterpret_cast<sockaddr const*>(&address), sizeof address) != 0 &&
            errno != EINPROGRESS)
            throw_errno("connect");
        watch(each, true, EPOLL_CTL_ADD);
    }
    /// Ends a connection at once, without a word, and without keeping its port for a minute: the server sees a reset. Not
    /// while in `poll`, which may still hold events of it.
    void drop(connection& each)
    {
        linger const no_time{1, 0};
        setsockopt(each.fd, SOL_SOCKET, SO_LINGER, &no_time, sizeof no_time);
        ::close(each.fd);
        auto const index = each.index;
        each = connection{};
        each.index = index;
    }

    /// Waits for events, at most that long. `on_data(connection, std::span<char>)` gets what one read gave;
    /// `on_writable(connection)` is called when a full socket has room again.
    template <class OnData, class OnWritable>
    void poll(OnData&& on_data, OnWritable&& on_writable, std::int64_t wait_ns = usual_wait_ns)
    {
        just_opened.clear();
        just_ended.clear();
        int const count = wait(wait_ns);
        for (int i = 0; i < count; ++i) {
            auto const& event = events_[static_cast<std::size_t>(i)];
            auto& each = *static_cast<connection*>(event.data.ptr);
            try {
                happened(each, event.events, on_data, on_writable);
            } catch (std::exception const& error) {
                throw std::runtime_error("connection " + std::to_string(each.index + 1) + " of " +
                                         std::to_string(connections.size()) + ", after " +
                                         std::to_string(each.received) + " messages: " + error.what());
            }
        }
    }

    /// Closes every connection as WebSocket has it (1000), so that a server that keeps sessions keeps none of these. Waits
    /// for the server's close frames, 2 s at most in all.
    void say_goodbye()
    {
        auto const deadline = now_seconds() + 2;
        for (auto& each : connections)
            if (each.open)
                close(each);
        for (auto& each : connections)
            for (double left = 2; each.open && (left = deadline - now_seconds()) > 0;) {
                auto const micros = static_cast<suseconds_t>(left * 1e6) + 1;
                timeval const patience{micros / 1'000'000, micros % 1'000'000};
                ::fcntl(each.fd, F_SETFL, 0);
                setsockopt(each.fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
                if (::recv(each.fd, buffer_.data(), buffer_.size(), 0) <= 0)
                    break;
            }
    }
    /// Sends a close frame.
    void close(connection& each)
    {
        auto const goodbye = pc::close_frame(pc::close_code::normal, {}, pc::masking_key{0x3d21fa37});
        each.closing = true;
        each.since_ns = now_ns();
        static_cast<void>(::send(each.fd, goodbye.view().data(), goodbye.size, MSG_NOSIGNAL));
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

    /// Writes once for all that one read answered, and has epoll watch a socket that is full.
    void send(connection& each, outgoing const& out, std::uint64_t frames)
    {
        bool const watched = each.wants_write;
        each.send(out, frames);
        if (each.wants_write != watched)
            watch(each, each.wants_write);
    }
    void flush(connection& each, outgoing const& out)
    {
        each.flush(out);
        if (!each.wants_write)
            watch(each, false);
    }

private:
    [[noreturn]] static void throw_errno(char const* what)
    {
        throw std::system_error(errno, std::generic_category(), what);
    }

    int wait(std::int64_t ns)
    {
        timespec const left{0, ns < 0 ? 0 : ns > usual_wait_ns ? usual_wait_ns : ns};
        int const count =
            epoll_pwait2(epoll_, events_.data(), static_cast<int>(events_.size()), &left, nullptr);  // Linux 5.11
        if (count < 0 && errno != EINTR)
            throw_errno("epoll_pwait2");
        return count;
    }

    template <class OnData, class OnWritable>
    void happened(connection& each, std::uint32_t what, OnData&& on_data, OnWritable&& on_writable)
    {
        if ((what & EPOLLOUT) != 0) {
            if (each.open)
                on_writable(each);
            else
                request(each);
        }
        if ((what & (EPOLLIN | EPOLLERR | EPOLLHUP)) == 0)
            return;
        auto const bytes = receive(each);
        if (each.closing)
            look_for_end(each, bytes);
        else if (each.open)
            on_data(each, bytes);
        else
            shake_hands(each, bytes);
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

    std::span<char> receive(connection& each)
    {
        auto const got = ::recv(each.fd, buffer_.data(), buffer_.size(), 0);
        if (each.closing && (got == 0 || (got < 0 && errno != EAGAIN)))
            return {};
        if (got == 0)
            throw std::runtime_error(each.open ? "the server closed the connection without a close frame"
                                               : "the server closed the connection instead of answering the handshake" +
                                                     (each.early.empty() ? "" : "; it said: " + each.early));
        if (got < 0 && errno != EAGAIN)
            throw_errno("recv");
        return {buffer_.data(), got < 0 ? 0 : static_cast<std::size_t>(got)};
    }

    /// What comes before the server's close frame is let go.
    void look_for_end(connection& each, std::span<char> bytes)
    {
        bool ended = bytes.empty();
        struct {
            bool& ended;
            bool message(opcode, std::span<char>, bool) { return true; }
            bool ping(std::span<char>) { return true; }
            bool pong(std::span<char>) { return true; }
            void close(std::optional<pc::close_code>, std::string_view) { ended = true; }
        } sink{ended};
        if (each.messages.consume(bytes, pc::message_limits{}, sink) || ended)
            just_ended.push_back(&each);
    }

    void shake_hands(connection& each, std::span<char> bytes)
    {
        each.early.append(bytes.data(), bytes.size());
        auto const parsed = pc::parse_response(each.early);
        if (parsed.status == pc::head_status::need_more)
            return;
        auto error = parsed.error ? parsed.error : pc::verify_response(parsed.value, offer_);
        if (error)
            throw std::runtime_error("the handshake failed (" + error.message() + "); the server answered:\n" +
                                     each.early.substr(0, 400));
        if (!offer_.subprotocols.empty() && parsed.value.count("Sec-WebSocket-Protocol") == 0)
            throw std::runtime_error("the server does not speak " + offer_.subprotocols.front());
        if (!offer_.extensions.empty()) {
            auto const deflate = pc::check_deflate_answer(parsed.value, deflate_terms);
            if (!deflate.legal || !deflate.agreed)
                throw std::runtime_error("the server does not agree to `" + offer_.extensions + "`; it answered:\n" +
                                         each.early);
            each.messages.set_compressed(true);
        }
        if (parsed.consumed_bytes != each.early.size())
            throw std::runtime_error("the server sent data right after the handshake, unasked");
        std::string().swap(each.early);
        each.open = true;
        just_opened.push_back(&each);
    }

    settings const& settings_;
    pc::client_offer offer_;
    std::string request_;
    int epoll_;
    std::vector<epoll_event> events_;
    std::vector<char> buffer_ = std::vector<char>(256 * 1024);
};

}  // namespace load
