#pragma once

#include <polycast/config.hpp>
#include <polycast/transport/simulated_traffic.hpp>

#if POLYCAST_WITH_SIMULATION

namespace polycast::inline v0::transport {

/// What a simulated world is made of.
struct world_options {
    std::uint64_t seed = 1;
    network_options network{};
    bool record_trace = false;                           ///< keep `trace()` as text; its hash is always kept
    std::uint64_t max_steps_per_instant = 1'000'000;     ///< handlers without time passing; beyond it: throws
};

/// A deterministic world: a virtual clock, loops that take turns, and a network that delays, chops, cuts, stalls and
/// forgets, all decided by one seed. The same seed and the same program give the same trace, on every platform.
/// Servers and clients of transport `simulated` live in it. It outlives every object made from it, and belongs to one
/// thread: what other transports allow from any thread is, here, called on that one.
class world {
public:
    explicit world(world_options const& options)
        : schedule_(options.seed, options.record_trace, options.max_steps_per_instant),
          network_(schedule_, options.network)
    {
    }
    explicit world(std::uint64_t seed) : world(world_options{.seed = seed}) {}
    world(world const&) = delete;
    world& operator=(world const&) = delete;

    /// Virtual time. It begins at an hour, so that a default-made time point is in the past.
    [[nodiscard]] std::chrono::steady_clock::time_point now() const noexcept
    {
        return std::chrono::steady_clock::time_point{std::chrono::hours{1} + schedule_.now()};
    }
    /// 2026-01-01T00:00:00Z when the world begins.
    [[nodiscard]] std::chrono::system_clock::time_point wall_now() const noexcept
    {
        using target = std::chrono::system_clock::duration;
        return std::chrono::system_clock::time_point{std::chrono::duration_cast<target>(
            std::chrono::seconds{1'767'225'600} + schedule_.now())};
    }
    /// From the seed; for choices of a test itself.
    [[nodiscard]] simulated_chance& chance() noexcept { return schedule_.chance(); }

    /// Runs one handler, or moves the clock to the next event. False: nothing will ever happen again.
    bool step() { return schedule_.step(simulated_schedule::time::max()); }
    /// Runs everything of the next `duration`; the clock is then there.
    void run_for(std::chrono::nanoseconds duration)
    {
        auto const limit = schedule_.now() + duration;
        while (schedule_.step(limit)) {
        }
        schedule_.advance_to(limit);
    }
    /// Runs until `done()` holds, asked after each step, at most for `within`. Returns whether it holds.
    template <class Predicate>
    bool run_until(Predicate&& done, std::chrono::nanoseconds within = std::chrono::seconds{60})
    {
        auto const limit = schedule_.now() + within;
        while (!done()) {
            if (!schedule_.step(limit)) {
                schedule_.advance_to(limit);
                return done();
            }
        }
        return true;
    }
    template <class Predicate>
    bool run_until(Predicate&& done, std::chrono::steady_clock::time_point deadline)
    {
        return run_until(done, deadline - now());
    }
    /// Runs until no handler is ready and nothing is on the way in the network. Timers that come due meanwhile run;
    /// later ones are not waited for.
    void run_until_idle()
    {
        while (!schedule_.idle() && step()) {
        }
    }

    /// One line for everything that happened on the network (with `record_trace`), and the program's notes.
    [[nodiscard]] std::string const& trace() const noexcept { return schedule_.trace(); }
    /// Of the trace and of every byte that was carried.
    [[nodiscard]] std::uint64_t trace_hash() const noexcept { return schedule_.trace_hash(); }
    void note(std::string_view what, std::uint64_t who = 0, std::uint64_t count = 0)
    {
        schedule_.note(what, who, count);
    }

    /// The network's behaviour from now on.
    [[nodiscard]] network_options& network() noexcept { return network_.options; }
    [[nodiscard]] std::vector<connection_info> connections() const { return network_.connections(); }

    /// Resets the connections that `chosen(connection_info)` picks: bytes on the way are lost, bytes that had arrived
    /// can still be read, then both ends see `connection_reset`. Returns how many.
    template <class Predicate>
    std::size_t cut(Predicate&& chosen)
    {
        return each(chosen, [&](std::uint64_t id) { network_.cut(id); });
    }
    std::size_t cut_all() { return cut(every); }
    /// Cuts the connection that carries the `count`th byte from now, right after that byte.
    void cut_after_bytes(std::uint64_t count) { network_.bytes_until_cut = count; }
    /// Half-open: from now on nothing arrives on these connections in either direction, and nobody is told.
    template <class Predicate>
    std::size_t vanish(Predicate&& chosen)
    {
        return each(chosen, [&](std::uint64_t id) { network_.vanish(id); });
    }
    std::size_t vanish_all() { return vanish(every); }
    /// What is on the way arrives after `duration`, in order.
    template <class Predicate>
    std::size_t stall(Predicate&& chosen, std::chrono::nanoseconds duration)
    {
        return each(chosen, [&](std::uint64_t id) { network_.stall(id, duration); });
    }
    std::size_t stall_all(std::chrono::nanoseconds duration) { return stall(every, duration); }
    /// Every attempt to connect is refused, as if nothing listened.
    void refuse_connections(bool on) noexcept { network_.refusing = on; }
    /// No attempt to connect is ever answered.
    void swallow_connections(bool on) noexcept { network_.swallowing = on; }

    /// What the parts of `simulated` are made of; not for programs.
    [[nodiscard]] simulated_schedule& schedule() noexcept { return schedule_; }
    [[nodiscard]] simulated_network& wires() noexcept { return network_; }

private:
    static constexpr auto every = [](connection_info const&) { return true; };

    template <class Predicate, class Action>
    std::size_t each(Predicate&& chosen, Action&& act)
    {
        std::size_t count = 0;
        for (connection_info const& c : network_.connections())
            if (chosen(c)) {
                act(c.id);
                ++count;
            }
        return count;
    }

    simulated_schedule schedule_;
    simulated_network network_;
};

}  // namespace polycast::inline v0::transport

#endif  // POLYCAST_WITH_SIMULATION
