#pragma once

#include <polycast/config.hpp>
#include <polycast/transport/simulated_network.hpp>

#if POLYCAST_WITH_SIMULATION

namespace polycast::inline v0::transport {

// Bytes on a simulated connection: what an end asks for, what arrives, and what goes wrong on the way.

inline std::size_t simulated_network::read(std::uint64_t id, simulated_side side, std::span<char> into,
                                           std::error_code& ec)
{
    ec = {};
    end* const e = find_open(id, side);
    if (!e) {
        ec = std::make_error_code(std::errc::bad_file_descriptor);
        return 0;
    }
    std::size_t const count = std::min(into.size(), e->received.size() - e->taken);
    if (count == 0) {
        if (e->broken)
            ec = std::make_error_code(std::errc::connection_reset);
        else if (e->at_end)
            ec = std::make_error_code(std::errc::no_message_available);  // no errc means end of stream
        else if (!into.empty())
            ec = std::make_error_code(std::errc::operation_would_block);
        return 0;
    }
    std::copy_n(e->received.data() + e->taken, count, into.data());
    e->taken += count;
    if (e->taken == e->received.size()) {
        e->received.clear();
        e->taken = 0;
    }
    give_back(id, opposite(side), count);
    return count;
}

inline std::size_t simulated_network::write(std::uint64_t id, simulated_side side, gather_list from,
                                            std::error_code& ec)
{
    ec = {};
    end* const e = find_open(id, side);
    if (!e || e->sent_all || e->broken) {
        ec = std::make_error_code(e ? std::errc::broken_pipe : std::errc::bad_file_descriptor);
        return 0;
    }
    std::size_t offered = 0;
    for (auto const run : from.first(std::min(from.size(), max_gather)))
        offered += run.size();
    if (offered == 0)
        return 0;
    std::size_t const room = options.send_window_bytes - std::min(e->unread, options.send_window_bytes);
    std::size_t count = std::min(room, offered);
    if (count == 0) {
        ec = std::make_error_code(std::errc::operation_would_block);
        return 0;
    }
    simulated_chance& chance = schedule_.chance();
    if (chance.happens(options.partial_write_probability))
        count = 1 + chance.below(count);
    std::string bytes;
    for (auto run = from.begin(); bytes.size() < count; ++run)
        bytes.append(run->data(), std::min(run->size(), count - bytes.size()));
    e->unread += count;
    e->bytes_written += count;
    ++e->writes;
    schedule_.note(side == simulated_side::client ? "client writes" : "server writes", id, count, bytes);
    connection& c = *find(id);
    if (bytes.size() <= options.max_segment_bytes && options.max_segment_bytes > 1) {
        send(id, c, side, {piece_kind::data, std::move(bytes)});
        return count;
    }
    for (std::size_t at = 0; at < count;) {
        std::size_t const size = 1 + chance.below(std::min(count - at, options.max_segment_bytes));
        send(id, c, side, {piece_kind::data, bytes.substr(at, size)});
        at += size;
    }
    return count;
}

inline void simulated_network::wait_readable(std::uint64_t id, simulated_side side, simulated_task task)
{
    end* const e = find_open(id, side);
    if (!e)
        return;
    e->reading = schedule_.hold(e->loop, std::move(task));
    if (e->readable() || schedule_.chance().happens(options.spurious_wakeup_probability))
        schedule_.complete(std::exchange(e->reading, {}), {});
}

inline void simulated_network::wait_writable(std::uint64_t id, simulated_side side, simulated_task task)
{
    end* const e = find_open(id, side);
    if (!e)
        return;
    e->writing = schedule_.hold(e->loop, std::move(task));
    if (schedule_.chance().happens(options.spurious_wakeup_probability))
        schedule_.complete(std::exchange(e->writing, {}), {});
    wake(*e);
}

inline void simulated_network::shutdown_send(std::uint64_t id, simulated_side side)
{
    end* const e = find_open(id, side);
    if (!e || std::exchange(e->sent_all, true))
        return;
    send(id, *find(id), side, {piece_kind::end_of_stream, {}});
}

inline void simulated_network::close(std::uint64_t id, simulated_side side)
{
    end* const e = find_open(id, side);
    if (!e)
        return;
    connection& c = *find(id);
    schedule_.note(side == simulated_side::client ? "client closes" : "server closes", id, e->bytes_written);
    auto const canceled = std::make_error_code(std::errc::operation_canceled);
    schedule_.complete(std::exchange(e->reading, {}), canceled);
    schedule_.complete(std::exchange(e->writing, {}), canceled);
    // As the kernel does: closing over bytes that nobody has read resets the connection.
    if (e->taken < e->received.size())
        send(id, c, side, {piece_kind::reset, {}});
    else if (!e->sent_all)
        send(id, c, side, {piece_kind::end_of_stream, {}});
    e->open = false;
    e->received.clear();
    e->taken = 0;
    if (!c.ends[0].open && !c.ends[1].open)
        connections_.erase(id);
}

inline std::string simulated_network::peer_address(std::uint64_t id, simulated_side side) const
{
    auto const it = connections_.find(id);
    if (it == connections_.end())
        return {};
    // Each loop is a host of its own.
    std::uint32_t const host = it->second.ends[index(opposite(side))].loop;
    return "10.0." + std::to_string(host / 250 % 256) + "." + std::to_string(host % 250 + 1);
}

inline void simulated_network::send(std::uint64_t id, connection& c, simulated_side from, piece what)
{
    if (c.dead || c.silent)
        return;
    // An arrival takes the oldest piece of its direction: one order, however the latencies fall.
    c.ends[index(from)].flight.push_back(std::move(what));
    schedule_.after(latency(), [this, id, from](std::error_code) { arrive(id, from); }, true);
}

inline void simulated_network::arrive(std::uint64_t id, simulated_side from)
{
    connection* const c = find(id);
    if (!c || c->dead || c->silent)
        return;
    simulated_chance& chance = schedule_.chance();
    if (chance.happens(options.stall_probability))
        stall(id, options.stall_for);
    if (c->stalled_until > schedule_.now()) {
        schedule_.after(c->stalled_until - schedule_.now(), [this, id, from](std::error_code) { arrive(id, from); },
                        true);
        return;
    }
    end& sender = c->ends[index(from)];
    piece next = std::move(sender.flight.front());
    sender.flight.pop_front();
    end& e = c->ends[index(opposite(from))];
    if (next.kind == piece_kind::data)
        return receive(id, *c, opposite(from), std::move(next.bytes));
    schedule_.note(next.kind == piece_kind::reset ? "reset arrives" : "end arrives", id, index(opposite(from)));
    (next.kind == piece_kind::reset ? e.broken : e.at_end) = true;
    wake(e);
}

inline void simulated_network::receive(std::uint64_t id, connection& c, simulated_side to, std::string bytes)
{
    simulated_chance& chance = schedule_.chance();
    bool severed = false;
    if (bytes_until_cut && *bytes_until_cut <= bytes.size()) {
        bytes.resize(static_cast<std::size_t>(*bytes_until_cut));
        bytes_until_cut.reset();
        severed = true;
    } else if (chance.happens(options.cut_probability)) {
        bytes.resize(chance.below(bytes.size() + 1));
        severed = true;
    }
    if (bytes_until_cut)
        *bytes_until_cut -= bytes.size();
    end& e = c.ends[index(to)];
    schedule_.note(to == simulated_side::client ? "client receives" : "server receives", id, bytes.size(), bytes);
    if (e.open)
        e.received.append(bytes);
    else
        reset_later(id, opposite(to));  // nobody is there to read it
    if (severed)
        return cut(id);
    wake(e);
    if (chance.happens(options.vanish_probability))
        vanish(id);
}

inline void simulated_network::reset_later(std::uint64_t id, simulated_side side)
{
    schedule_.after(latency(), [this, id, side](std::error_code) {
        if (end* const e = find_open(id, side); e && !e->broken) {
            schedule_.note("reset", id, index(side));
            e->broken = true;
            wake(*e);
        }
    }, true);
}

inline void simulated_network::give_back(std::uint64_t id, simulated_side writer, std::size_t bytes)
{
    schedule_.after(latency(), [this, id, writer, bytes](std::error_code) {
        connection* const c = find(id);
        if (!c || c->silent)
            return;
        end& e = c->ends[index(writer)];
        e.unread -= bytes;
        if (e.open)
            wake(e);
    }, true);
}

inline void simulated_network::cut(std::uint64_t id)
{
    connection* const c = find(id);
    if (!c || c->dead || c->silent)
        return;
    schedule_.note("cut", id, 0);
    c->dead = true;
    reset_later(id, simulated_side::client);
    reset_later(id, simulated_side::server);
}

inline void simulated_network::vanish(std::uint64_t id)
{
    connection* const c = find(id);
    if (!c || c->silent)
        return;
    schedule_.note("vanish", id, 0);
    c->silent = true;
}

inline void simulated_network::stall(std::uint64_t id, std::chrono::nanoseconds duration)
{
    connection* const c = find(id);
    if (!c)
        return;
    schedule_.note("stall", id, static_cast<std::uint64_t>(duration.count()));
    c->stalled_until = std::max(c->stalled_until, schedule_.now() + duration);
}

inline std::vector<connection_info> simulated_network::connections() const
{
    std::vector<connection_info> all;
    for (auto const& [id, c] : connections_) {
        auto const told = [](end const& e) { return connection_info::end{e.bytes_written, e.writes, e.open}; };
        all.push_back({id, c.port, told(c.ends[0]), told(c.ends[1]), c.established});
    }
    return all;
}

}  // namespace polycast::inline v0::transport

#endif  // POLYCAST_WITH_SIMULATION
