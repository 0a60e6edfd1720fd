// The floor: a server that knows nothing. It counts the bytes of masked frames of one known size and writes as many
// canned replies, which is what any WebSocket server on epoll has to spend at least. With --room, whoever sends a frame of the
// length of `sub` is a receiver, and every frame of anybody else is one can to each of them.
//
//   raw_epoll --port N --bytes PAYLOAD [--room]

#include "../../../examples/load/wire.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string>
#include <string_view>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>
#include <vector>

namespace {

struct peer {
    int fd = -1;
    bool open = false;
    std::size_t counted_bytes = 0;  ///< of the frame that is under way
    std::size_t unsent_bytes = 0;
    std::size_t offset = 0;  ///< into the canned reply
};

[[noreturn]] void fail(char const* what)
{
    std::perror(what);
    std::_Exit(1);
}

}  // namespace

int main(int argc, char** argv)
{
    std::uint16_t port = 0;
    std::size_t payload_bytes = 20;
    bool room = false;
    for (int i = 1; i < argc; ++i) {
        if (std::string_view(argv[i]) == "--port" && i + 1 < argc)
            port = static_cast<std::uint16_t>(std::atoi(argv[++i]));
        else if (std::string_view(argv[i]) == "--bytes" && i + 1 < argc)
            payload_bytes = static_cast<std::size_t>(std::atol(argv[++i]));
        else if (std::string_view(argv[i]) == "--room")
            room = true;
    }
    auto const payload = load::make_payload(room ? "pub" : "", payload_bytes);
    auto const join_bytes = load::make_client_frame(load::opcode::text, "sub").size();
    auto const joined = load::make_server_frame(load::opcode::text, "ok");
    std::vector<peer*> receivers;
    auto const request_bytes = load::make_client_frame(load::opcode::text, payload).size();
    auto const reply = load::make_server_frame(load::opcode::text, payload);
    std::string canned;
    while (canned.size() < 64 * 1024)
        canned += reply;
    std::string const greeting = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                                 "Sec-WebSocket-Accept: " + std::string(load::handshake_accept) + "\r\n\r\n";

    std::signal(SIGTERM, [](int) { std::_Exit(0); });
    int const listener = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    int const one = 1;
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    if (::bind(listener, reinterpret_cast<sockaddr*>(&address), size) != 0 || ::listen(listener, 1024) != 0 ||
        ::getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size) != 0)
        fail("listen");
    std::printf("listening on 127.0.0.1:%u\n", ntohs(address.sin_port));
    std::fflush(stdout);

    int const epoll = epoll_create1(0);
    std::vector<epoll_event> events(1024);
    std::vector<char> buffer(512 * 1024);
    auto const watch = [&](int fd, void* what, std::uint32_t mask, int operation) {
        epoll_event event{};
        event.events = mask;
        event.data.ptr = what;
        if (epoll_ctl(epoll, operation, fd, &event) != 0)
            fail("epoll_ctl");
    };
    watch(listener, nullptr, EPOLLIN, EPOLL_CTL_ADD);
    // False when the socket is full. An echo client waits for its replies, so the next readable event comes in time
    // for small ones; for the rest EPOLLOUT is asked for.
    auto const flush = [&](peer& each) {
        bool full = false;
        while (each.unsent_bytes > 0 && !full) {
            auto const from = std::string_view(canned).substr(each.offset);
            auto const sent = ::send(each.fd, from.data(), std::min(from.size(), each.unsent_bytes), MSG_NOSIGNAL);
            full = sent < 0;
            if (!full) {
                each.unsent_bytes -= static_cast<std::size_t>(sent);
                each.offset = (each.offset + static_cast<std::size_t>(sent)) % reply.size();
            }
        }
        if (full)
            watch(each.fd, &each, EPOLLIN | EPOLLOUT, EPOLL_CTL_MOD);
        return !full;
    };
    for (;;) {
        int const count = epoll_wait(epoll, events.data(), static_cast<int>(events.size()), -1);
        for (int i = 0; i < count; ++i) {
            auto* const each = static_cast<peer*>(events[static_cast<std::size_t>(i)].data.ptr);
            if (each == nullptr) {
                for (int fd; (fd = ::accept4(listener, nullptr, nullptr, SOCK_NONBLOCK)) >= 0;) {
                    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
                    watch(fd, new peer{.fd = fd}, EPOLLIN, EPOLL_CTL_ADD);
                }
                continue;
            }
            if ((events[static_cast<std::size_t>(i)].events & EPOLLOUT) != 0 && flush(*each))
                watch(each->fd, each, EPOLLIN, EPOLL_CTL_MOD);
            auto const got = ::recv(each->fd, buffer.data(), buffer.size(), 0);
            if (got < 0)
                continue;
            if (got == 0) {
                std::erase(receivers, each);
                ::close(each->fd);
                delete each;
                continue;
            }
            if (!each->open) {  // the request is small and comes in one piece
                each->open = true;
                ::send(each->fd, greeting.data(), greeting.size(), MSG_NOSIGNAL);
                continue;
            }
            if (room && static_cast<std::size_t>(got) == join_bytes) {
                receivers.push_back(each);
                ::send(each->fd, joined.data(), joined.size(), MSG_NOSIGNAL);
                continue;
            }
            each->counted_bytes += static_cast<std::size_t>(got);
            auto const answer_bytes = each->counted_bytes / request_bytes * reply.size();
            each->counted_bytes %= request_bytes;
            if (!room) {
                each->unsent_bytes += answer_bytes;
                flush(*each);
            } else if (answer_bytes != 0) {
                for (peer* const receiver : receivers) {
                    receiver->unsent_bytes += answer_bytes;
                    flush(*receiver);
                }
            }
        }
    }
}
