#pragma once

#include <polycast/config.hpp>
#include <polycast/transport/policy.hpp>
#include <polycast/transport/simulated_schedule.hpp>

#if POLYCAST_WITH_SIMULATION

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace polycast::inline v0::transport {

/// How the simulated network treats what is given to it. All may be altered while the world runs; probabilities are
/// 0 … 1, asked once per thing named.
struct network_options {
    std::chrono::nanoseconds latency_min = std::chrono::microseconds{50};
    std::chrono::nanoseconds latency_max = std::chrono::microseconds{500};
    std::size_t max_segment_bytes = 16 * 1024;   ///< what is written arrives in pieces of 1 … this; 1: byte by byte
    std::size_t send_window_bytes = 256 * 1024;  ///< taken from one end and not yet read by the other; more would block
    double partial_write_probability = 0;        ///< per write: only a part of what fits is taken
    double spurious_wakeup_probability = 0;      ///< per wait: completes with nothing there
    double cut_probability = 0;                  ///< per arriving piece: the connection is reset somewhere inside it
    double vanish_probability = 0;               ///< per arriving piece: from now on nothing arrives, nobody is told
    double stall_probability = 0;                ///< per arriving piece: this connection stands still for `stall_for`
    std::chrono::nanoseconds stall_for = std::chrono::seconds{2};
};

/// Which end of a connection: the one that connected, or the one that accepted.
enum class simulated_side : std::uint8_t { client, server };

/// What may be known of a connection, for choosing which to disturb and for counting.
struct connection_info {
    struct end {
        std::uint64_t bytes_written = 0;
        std::uint64_t writes = 0;  ///< successful `write_some` calls
        bool open = false;
    };
    std::uint64_t id = 0;      ///< from 1, in the order of connecting
    std::uint16_t port = 0;    ///< the listening one
    end client{}, server{};
    bool established = false;  ///< some acceptor has it
};

/// The connections, listening ports and faults of a world. `simulated::stream` and its siblings are handles to what is
/// in here; nothing in here calls a handler: it completes waits of the schedule.
class simulated_network {
public:
    simulated_network(simulated_schedule& order, network_options const& initial) : options(initial), schedule_(order) {}

    network_options options;
    bool refusing = false;    ///< new connections are refused
    bool swallowing = false;  ///< new connections are never answered
    std::optional<std::uint64_t> bytes_until_cut{};

    // Ports. An acceptor is a number; 0 is none.
    std::uint32_t listen(std::uint32_t loop, std::uint16_t& port, bool share, std::error_code& ec);
    void accept(std::uint32_t acceptor, simulated_task task);
    /// The next connection that arrived, 0 if there is none (any more).
    std::uint64_t take_arrived(std::uint32_t acceptor);
    void close_acceptor(std::uint32_t acceptor);

    // Connections.
    std::uint64_t begin_connect(std::uint32_t loop, std::uint16_t port);
    void answer_connect(std::uint64_t id, simulated_wait connecting);
    std::size_t read(std::uint64_t id, simulated_side side, std::span<char> into, std::error_code& ec);
    std::size_t write(std::uint64_t id, simulated_side side, gather_list from, std::error_code& ec);
    void wait_readable(std::uint64_t id, simulated_side side, simulated_task task);
    void wait_writable(std::uint64_t id, simulated_side side, simulated_task task);
    void shutdown_send(std::uint64_t id, simulated_side side);
    void close(std::uint64_t id, simulated_side side);
    /// From now on its waits complete on `loop`.
    void move(std::uint64_t id, simulated_side side, std::uint32_t loop)
    {
        if (end* const e = find_open(id, side))
            e->loop = loop;
    }
    [[nodiscard]] std::uint32_t loop_of(std::uint64_t id, simulated_side side) const
    {
        auto const it = connections_.find(id);
        return it == connections_.end() ? 0 : it->second.ends[index(side)].loop;
    }
    [[nodiscard]] std::string peer_address(std::uint64_t id, simulated_side side) const;

    // Faults.
    void cut(std::uint64_t id);
    void vanish(std::uint64_t id);
    void stall(std::uint64_t id, std::chrono::nanoseconds duration);
    [[nodiscard]] std::vector<connection_info> connections() const;

    [[nodiscard]] simulated_schedule& schedule() noexcept { return schedule_; }

private:
    enum class piece_kind : std::uint8_t { data, end_of_stream, reset };
    struct piece {
        piece_kind kind;
        std::string bytes;
    };
    struct end {
        std::uint32_t loop = 0;
        bool open = false;
        bool sent_all = false;      // shut down for sending
        bool at_end = false;        // the peer's end of stream has arrived
        bool broken = false;        // reset
        std::string received;
        std::size_t taken = 0;      // of `received`
        std::size_t unread = 0;     // written by this end, not yet read by the other
        std::deque<piece> flight;   // on the way from this end
        simulated_wait reading{}, writing{};
        std::uint64_t bytes_written = 0, writes = 0;

        [[nodiscard]] bool readable() const noexcept { return taken < received.size() || at_end || broken; }
    };
    struct connection {
        end ends[2];
        std::uint16_t port = 0;
        bool established = false;
        bool dead = false;    // cut: what was on the way is lost
        bool silent = false;  // vanished: so is everything else, and no one hears of it
        std::chrono::nanoseconds stalled_until{0};
    };
    struct acceptor {
        std::uint32_t loop = 0;
        std::uint16_t port = 0;
        bool share = false;
        simulated_wait accepting{};
        std::deque<std::uint64_t> arrived{};
    };

    static constexpr std::size_t index(simulated_side side) noexcept { return static_cast<std::size_t>(side); }
    static constexpr simulated_side opposite(simulated_side side) noexcept
    {
        return side == simulated_side::client ? simulated_side::server : simulated_side::client;
    }
    connection* find(std::uint64_t id)
    {
        auto const it = connections_.find(id);
        return it == connections_.end() ? nullptr : &it->second;
    }
    end* find_open(std::uint64_t id, simulated_side side)
    {
        connection* const c = find(id);
        return c && c->ends[index(side)].open ? &c->ends[index(side)] : nullptr;
    }
    std::chrono::nanoseconds latency()
    {
        auto const spread = options.latency_max - options.latency_min;
        if (spread.count() <= 0)
            return options.latency_min;
        auto const more = schedule_.chance().below(static_cast<std::uint64_t>(spread.count()) + 1);
        return options.latency_min + std::chrono::nanoseconds{static_cast<std::int64_t>(more)};
    }
    void send(std::uint64_t id, connection& c, simulated_side from, piece what);
    void arrive(std::uint64_t id, simulated_side from);
    void receive(std::uint64_t id, connection& c, simulated_side to, std::string bytes);
    void reset_later(std::uint64_t id, simulated_side side);
    void give_back(std::uint64_t id, simulated_side writer, std::size_t bytes);
    void wake(end& e)
    {
        if (e.readable())
            schedule_.complete(std::exchange(e.reading, {}), {});
        // As the kernel does: not for every byte that was read, or the pieces of a full window would become ever smaller.
        if (e.unread <= options.send_window_bytes - options.send_window_bytes / 4 || e.broken)
            schedule_.complete(std::exchange(e.writing, {}), {});
    }

    simulated_schedule& schedule_;
    std::map<std::uint64_t, connection> connections_;
    std::map<std::uint32_t, acceptor> acceptors_;
    std::uint64_t last_connection_ = 0;
    std::uint32_t last_acceptor_ = 0;
    std::uint16_t next_port_ = 40000;
};

inline std::uint32_t simulated_network::listen(std::uint32_t loop, std::uint16_t& port, bool share, std::error_code& ec)
{
    ec = {};
    auto const taken = [&](std::uint16_t p) {
        return std::any_of(acceptors_.begin(), acceptors_.end(), [&](auto const& entry) {
            return entry.second.port == p && !(share && entry.second.share);
        });
    };
    if (port == 0) {
        while (taken(next_port_))
            ++next_port_;
        port = next_port_++;
    } else if (taken(port)) {
        ec = std::make_error_code(std::errc::address_in_use);
        return 0;
    }
    acceptors_.emplace(++last_acceptor_, acceptor{.loop = loop, .port = port, .share = share});
    schedule_.note("listen", last_acceptor_, port);
    return last_acceptor_;
}

inline void simulated_network::accept(std::uint32_t id, simulated_task task)
{
    auto const it = acceptors_.find(id);
    if (it == acceptors_.end())
        return;
    it->second.accepting = schedule_.hold(it->second.loop, std::move(task));
    if (!it->second.arrived.empty())
        schedule_.complete(std::exchange(it->second.accepting, {}), {});
}

inline std::uint64_t simulated_network::take_arrived(std::uint32_t id)
{
    auto const it = acceptors_.find(id);
    if (it == acceptors_.end() || it->second.arrived.empty())
        return 0;
    std::uint64_t const next = it->second.arrived.front();
    it->second.arrived.pop_front();
    return next;
}

inline void simulated_network::close_acceptor(std::uint32_t id)
{
    auto node = acceptors_.extract(id);
    if (node.empty())
        return;
    schedule_.note("stop listening", id, node.mapped().port);
    schedule_.complete(node.mapped().accepting, std::make_error_code(std::errc::operation_canceled));
    for (std::uint64_t const unclaimed : node.mapped().arrived) {
        reset_later(unclaimed, simulated_side::client);
        close(unclaimed, simulated_side::server);
    }
}

inline std::uint64_t simulated_network::begin_connect(std::uint32_t loop, std::uint16_t port)
{
    connection& c = connections_[++last_connection_];
    c.port = port;
    c.ends[0].loop = loop;
    c.ends[0].open = true;
    schedule_.note("connect", last_connection_, port);
    return last_connection_;
}

inline void simulated_network::answer_connect(std::uint64_t id, simulated_wait connecting)
{
    auto const arrived = [this, id, connecting](std::error_code) {
        connection* const c = find(id);
        if (!c || swallowing)
            return;
        std::vector<std::uint32_t> listening;
        for (auto const& [number, a] : acceptors_)
            if (a.port == c->port && !refusing)
                listening.push_back(number);
        std::error_code result;
        if (listening.empty()) {
            result = std::make_error_code(std::errc::connection_refused);
        } else {
            // The kernel spreads connections over the acceptors of a port by a hash; here the seed does.
            acceptor& a = acceptors_.find(listening[schedule_.chance().below(listening.size())])->second;
            c->ends[1].loop = a.loop;
            c->ends[1].open = c->established = true;
            a.arrived.push_back(id);
            schedule_.complete(std::exchange(a.accepting, {}), {});
        }
        schedule_.note(result ? "refused" : "accepted", id, c->port);
        auto const answered = [this, connecting, result](std::error_code) { schedule_.complete(connecting, result); };
        schedule_.after(latency(), answered, true);
    };
    schedule_.after(latency(), arrived, true);
}

}  // namespace polycast::inline v0::transport

#endif  // POLYCAST_WITH_SIMULATION
