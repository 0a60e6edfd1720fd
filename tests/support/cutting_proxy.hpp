#pragma once

// A TCP proxy that cuts what it relays: in the middle of frames, at either end or both, with a reset, with an end of
// stream, or by falling silent while both sockets stay open.

#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <list>
#include <random>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

namespace support {

class cutting_proxy {
public:
    using clock = std::chrono::steady_clock;
    static constexpr std::size_t max_clients = 256;
    enum class way : std::uint8_t { reset, end, silence, client_only };  ///< the last: the server is left half-open

    struct figures {
        std::atomic<std::uint64_t> connections{0};
        std::array<std::atomic<std::uint64_t>, 4> cuts{};  ///< by `way`
        std::atomic<std::uint64_t> in_frames{0};           ///< of these: when a part of what was read had been passed on

        [[nodiscard]] std::uint64_t all_cuts() const { return cuts[0] + cuts[1] + cuts[2] + cuts[3]; }
    };

    /// Cuts a connection each `every` on average, until `calm`. A client says who it is by `at=NUMBER` in its request.
    cutting_proxy(std::uint16_t to, std::chrono::microseconds every, std::uint32_t seed) : to_(to), every_(every), chance_(seed)
    {
        listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        auto at = loopback(0);
        ::socklen_t size = sizeof at;
        if (::bind(listener_, reinterpret_cast<::sockaddr*>(&at), sizeof at) != 0 || ::listen(listener_, 256) != 0 ||
            ::getsockname(listener_, reinterpret_cast<::sockaddr*>(&at), &size) != 0)
            std::abort();
        port_ = ntohs(at.sin_port);
        thread_ = std::thread([this] { run(); });
    }
    cutting_proxy(cutting_proxy const&) = delete;
    ~cutting_proxy()
    {
        over_ = true;
        thread_.join();
        for (link const& l : links_)
            for (side const& s : l.sides)
                ::close(s.fd);
        ::close(listener_);
    }

    [[nodiscard]] std::uint16_t port() const noexcept { return port_; }
    [[nodiscard]] figures const& counts() const noexcept { return figures_; }
    /// No more cuts; those that have begun are finished.
    void calm() { calm_ = true; }
    /// When the newest connection of client `n` was cut, once; nothing since: the clock's epoch.
    [[nodiscard]] clock::time_point take_cut(std::size_t n)
    {
        return clock::time_point(clock::duration(cut_at_[n].exchange(0)));
    }

private:
    struct side {
        int fd = -1;
        std::string to_write{};  ///< what the other side has said
        bool ended = false;      ///< will say no more
        bool told = false;       ///< that the other will say no more
    };
    struct link {
        std::array<side, 2> sides{};  ///< the client, the server
        std::string head{};
        std::size_t client = max_clients;
        std::uint64_t serial = 0;
        way how{};
        bool doomed = false, silent = false, dead = false;
        std::size_t cut_side = 0;
        std::size_t bytes_left = 0;
        clock::time_point until{};
    };

    static ::sockaddr_in loopback(std::uint16_t port)
    {
        ::sockaddr_in at{};
        at.sin_family = AF_INET;
        at.sin_port = htons(port);
        at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        return at;
    }
    std::uint32_t below(std::uint32_t n) { return static_cast<std::uint32_t>(chance_() % n); }

    void run()
    {
        auto next_cut = clock::now() + every_;
        std::vector<::pollfd> polled;
        while (!over_) {
            polled.assign(1, {listener_, POLLIN, 0});
            for (link& l : links_)
                for (std::size_t i = 0; i < 2; ++i) {
                    short wanted = 0;
                    if (!l.silent && !l.sides[i].ended && l.sides[1 - i].to_write.empty())
                        wanted |= POLLIN;
                    if (!l.silent && !l.sides[i].to_write.empty())
                        wanted |= POLLOUT;
                    polled.push_back({wanted == 0 ? -1 : l.sides[i].fd, wanted, 0});
                }
            if (::poll(polled.data(), polled.size(), 5) < 0)
                continue;
            auto const now = clock::now();
            std::size_t at = 1;
            for (link& l : links_)
                for (std::size_t i = 0; i < 2; ++i, ++at) {
                    if (!l.dead && !l.silent && (polled[at].revents & POLLOUT) != 0)
                        write(l, i);
                    if (!l.dead && !l.silent && (polled[at].revents & (POLLIN | POLLHUP | POLLERR)) != 0)
                        read(l, i);
                }
            for (link& l : links_)
                if (!l.dead && (l.silent || l.doomed) && now >= l.until)
                    l.silent ? drop(l, true) : cut(l);
            if (now >= next_cut) {
                next_cut = now + every_ / 2 + std::chrono::microseconds(below(static_cast<std::uint32_t>(every_.count()) + 1));
                if (!calm_)
                    doom(now);
            }
            links_.remove_if([](link const& l) { return l.dead; });
            if ((polled[0].revents & POLLIN) != 0)
                accept();
        }
    }
    void accept()
    {
        for (;;) {
            int const fd = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
            if (fd < 0)
                return;
            int const server = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
            auto const at = loopback(to_);
            if (::connect(server, reinterpret_cast<::sockaddr const*>(&at), sizeof at) != 0) {
                ::close(fd);
                ::close(server);
                continue;
            }
            link& l = links_.emplace_back();
            l.sides[0].fd = fd;
            l.sides[1].fd = server;
            ++figures_.connections;
        }
    }
    void doom(clock::time_point now)
    {
        if (links_.empty())
            return;
        auto at = links_.begin();
        std::advance(at, static_cast<std::ptrdiff_t>(below(static_cast<std::uint32_t>(links_.size()))));
        if (at->doomed || at->silent)
            return;
        at->doomed = true;
        at->how = static_cast<way>(below(4));
        at->cut_side = below(2);
        at->bytes_left = below(400);
        at->until = now + std::chrono::milliseconds(200);
    }
    void read(link& l, std::size_t from)
    {
        char bytes[4096];
        auto const n = ::recv(l.sides[from].fd, bytes, sizeof bytes, MSG_DONTWAIT);
        if (n < 0)
            return errno == EAGAIN ? void() : drop(l, true);
        if (n == 0) {
            l.sides[from].ended = true;
            if (l.sides[1 - from].to_write.empty())
                pass_end(l, 1 - from);
            return;
        }
        std::string_view said(bytes, static_cast<std::size_t>(n));
        if (from == 0 && l.client == max_clients)
            know(l, said);
        bool const last = l.doomed && from == l.cut_side && said.size() >= l.bytes_left;
        if (last) {
            figures_.in_frames += l.bytes_left != said.size();
            said = said.substr(0, l.bytes_left);
        } else if (l.doomed && from == l.cut_side) {
            l.bytes_left -= said.size();
        }
        l.sides[1 - from].to_write += said;
        write(l, 1 - from);
        if (last && !l.dead)
            cut(l);
    }
    void know(link& l, std::string_view said)
    {
        l.head += said;
        if (auto const at = l.head.find("at="); at != l.head.npos) {
            l.client = std::strtoul(l.head.c_str() + at + 3, nullptr, 10) % max_clients;
            l.serial = ++newest_[l.client];
        }
    }
    void write(link& l, std::size_t to)
    {
        side& s = l.sides[to];
        auto const n = s.to_write.empty() ? 0 : ::send(s.fd, s.to_write.data(), s.to_write.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && errno != EAGAIN)
            return drop(l, true);
        if (n > 0)
            s.to_write.erase(0, static_cast<std::size_t>(n));
        if (s.to_write.empty() && l.sides[1 - to].ended)
            pass_end(l, to);
    }
    void pass_end(link& l, std::size_t to)
    {
        if (!std::exchange(l.sides[to].told, true))
            ::shutdown(l.sides[to].fd, SHUT_WR);
        if (l.sides[0].told && l.sides[1].told)
            drop(l, false);
    }
    void cut(link& l)
    {
        ++figures_.cuts[static_cast<std::size_t>(l.how)];
        if (l.client != max_clients && l.serial == newest_[l.client])
            cut_at_[l.client] = clock::now().time_since_epoch().count();
        switch (l.how) {
        case way::reset: return drop(l, true);
        case way::end: return drop(l, false);
        case way::silence: break;
        case way::client_only: ::shutdown(l.sides[0].fd, SHUT_RDWR); break;
        }
        l.silent = true;
        l.until = clock::now() + std::chrono::seconds(6);
    }
    static void drop(link& l, bool reset)
    {
        l.dead = true;
        for (side const& s : l.sides) {
            ::linger const at_once{1, 0};
            if (reset)
                ::setsockopt(s.fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
            else
                ::shutdown(s.fd, SHUT_WR);
            ::close(s.fd);
        }
    }

    std::uint16_t const to_;
    std::chrono::microseconds const every_;
    std::mt19937 chance_;
    std::uint16_t port_ = 0;
    int listener_ = -1;
    std::list<link> links_;
    std::array<std::uint64_t, max_clients> newest_{};
    std::array<std::atomic<clock::rep>, max_clients> cut_at_{};
    figures figures_;
    std::atomic<bool> calm_{false}, over_{false};
    std::thread thread_;
};

}  // namespace support
