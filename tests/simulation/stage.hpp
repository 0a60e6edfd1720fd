#pragma once

// One simulation: a server, its clients and the network in a world of one seed, from the first connection until nothing
// more can come. Throws `violation`.

#include "application.hpp"
#include "log_files.hpp"

#if POLYCAST_WITH_SQLITE
#include "../support/failing_disk.hpp"
#else
struct failing_disk {
    static void full(bool) {}
};
#endif

#include <polycast/server.hpp>
#include <polycast/transport/simulated.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace simulation {

/// How a composition fills in the options that only it has; what today's server lacks is left out.
template <class Options>
void set_limits(Options& o, scenario const& plan)
{
    o.port = 9000;
    o.shards = plan.shards;
    o.max_connections = 0;
    o.max_outbox_bytes = plan.outbox_bytes;
    o.read_buffer_bytes = 16 * 1024;
    o.heartbeat = {plan.heartbeat, milliseconds(4000), 1};
    o.handshake_timeout = handshake_timeout;
    if constexpr (requires { o.delivery.resume_window; }) {
        o.max_outbox_events = plan.outbox_events;
        if constexpr (requires { o.history.max_events; })
            o.history.max_events = plan.history ? plan.history_events : 0;
        o.backpressure = static_cast<decltype(o.backpressure)>(plan.policy);
        o.delivery.resume_window = plan.resume_window;
        o.delivery.max_log_bytes = plan.log_bytes;
        o.delivery.max_log_age = plan.log_age;
        o.delivery.ack_every = plan.ack_every;
        o.delivery.max_requests = plan.max_requests;
    }
}

template <class Server>
class stage {
public:
    explicit stage(scenario const& plan, bool record = false)
        : plan_(plan), world_({.seed = plan.seed, .network = plan.network, .record_trace = record}),
          rules_(plan.history, plan.history_events, plan.outbox_bytes >= (1U << 20) && plan.outbox_events > 10'000), around_{world_, rules_, dice(plan.seed ^ 0xA5A5)}, voice_(around_, plan)
    {
        rules_.now_us = [this] { return now_us(); };
        around_.max_requests = std::min(plan.max_requests, plan.log_bytes / 250);  // answers are bounded in bytes too
        violation::first().clear();
    }
    stage(stage const&) = delete;

    tallies const& run()
    {
        open_server();
        bring_clients();
        plan_emissions();
        for (timed_fault const& f : plan_.faults)
            at(f.at, [this, f] { strike(f); });
        turn_until([&] { return now() >= plan_.active; }, plan_.active);
        calm();
        wait_for_quiet();
        judge();
        close_server();
        rules_.all_closed();
        check_first();
        rules_.seen.seeds = 1;
        return rules_.seen;
    }
    [[nodiscard]] std::string const& trace() const { return world_.trace(); }
    [[nodiscard]] std::uint64_t trace_hash() const { return world_.trace_hash(); }
    [[nodiscard]] tallies& seen() { return rules_.seen; }

private:
    static constexpr std::uint64_t max_steps = 20'000'000;
    static constexpr bool durable = [] {
        if constexpr (Server::composition::delivery::resumes)
            return Server::composition::delivery::log::durable;
        else
            return false;
    }();
    using isolation = typename Server::composition::isolation;

    [[nodiscard]] milliseconds now() const
    {
        return std::chrono::duration_cast<milliseconds>(world_.now() - std::chrono::steady_clock::time_point(1h));
    }
    [[nodiscard]] std::uint64_t now_us() const
    {
        return static_cast<std::uint64_t>(
            std::chrono::duration_cast<std::chrono::microseconds>(world_.now().time_since_epoch()).count());
    }
    template <class F>
    void at(std::chrono::nanoseconds after, F f)
    {
        world_.schedule().after(after, [f = std::move(f)](std::error_code) mutable { f(); }, false);
    }

    // --- the server -----------------------------------------------------------------------------------------------

    void open_server()
    {
        pc::server_options options;
        set_limits(options, plan_);
        around_.port = options.port;
        if constexpr (durable)
            options.delivery.log_file = log_.path().string();
        server_ = std::make_unique<Server>(std::move(options), application(around_, voice_, sessions_), sim(world_));
        server_->start();
    }
    /// Without a log all sessions end with the server. With one they go on as its files are now: of what the old server
    /// says and writes while it is taken down, a process that was killed would have said and written nothing.
    void restart(milliseconds down)
    {
        if (!server_ || disk_troubles_ != 0)  // what is in memory only would be lost with it
            return;
        around_.note("server dies");
        if constexpr (durable)
            log_.freeze();
        around_.deaf = durable;
        server_.reset();
        around_.deaf = false;
        if constexpr (durable) {
            log_.thaw();
            sessions_.clear();
            rules_.killed();
        } else {
            if (!rules_.alive().empty())
                rules_.alive().front()->broken("open, and its server is gone");
            rules_.restarted();
        }
        at(down, [this] {
            around_.note("server starts");
            open_server();
            rules_.all_restored();
        });
    }
    void close_server()
    {
        server_->stop();
        world_.run_for(std::chrono::seconds(20));
        server_.reset();
    }

    // --- who acts -------------------------------------------------------------------------------------------------

    void bring_clients()
    {
        int index = 0;
        for (auto const& p : plan_.clients) {
            auto& c = clients_.emplace_back(around_, index++, user(p.user), p.how);
            for (std::uint32_t const r : p.rooms)
                c.join(room(r));
            c.start(p.arrives);
            for (std::uint32_t i = 0; i < p.requests; ++i)
                at(around_.chance.between(p.arrives, plan_.active), [this, &c] {
                    c.request(static_cast<wish>(around_.chance.below(wish_count)), any_room());
                });
            for (std::uint32_t const r : p.rooms)
                if (around_.chance.happens(0.3)) {
                    auto const when = around_.chance.between(p.arrives, plan_.active);
                    at(when, [&c, r] { c.leave(room(r)); });
                    if (around_.chance.happens(0.6))
                        at(when + around_.chance.between(1ms, 5s), [&c, r] { c.join(room(r)); });
                }
        }
    }
    void plan_emissions()
    {
        for (std::uint32_t left = plan_.emissions; left != 0;) {
            std::uint32_t const together = around_.chance.happens(plan_.burstiness) ? std::min(left, plan_.burst) : 1;
            left -= together;
            at(around_.chance.between(0ms, plan_.active), [this, together] {
                // Of a burst, most goes to one receiver: that is what fills an outbox.
                auto const how = around_.chance.next();
                auto const whom = around_.chance.next();
                for (std::uint32_t i = 0; i < together && server_; ++i)
                    emit(how, whom);
            });
        }
    }
    void emit(std::uint64_t how, std::uint64_t whom)
    {
        auto out = server_->emitter();
        auto const what = voice_.any_kind();
        switch (how % 4) {
        case 0:
            if (auto const& alive = rules_.alive(); !alive.empty()) {
                ledger& l = *alive[whom % alive.size()];
                return voice_.say_one(what, application::whole(l), [&](auto n) { rules_.to_session(n, l); },
                                      [&](auto const& e) { return out.to_session(handle_of(l)).emit(e); });
            }
            break;
        case 1:
            if (plan_.rooms != 0) {
                std::string const to = room(static_cast<std::uint32_t>(whom % plan_.rooms));
                return voice_.say_one(what, to, [&](auto n) { rules_.to_room(n, to); },
                                      [&](auto const& e) { return out.to_room(to).emit(e); });
            }
            break;
        case 2:
            if constexpr (isolation::reaches_everyone)
                return voice_.say_one(what, "all", [&](auto n) { rules_.to_all(n); },
                                      [&](auto const& e) { return out.to_all().emit(e); });
            break;
        default: break;
        }
        std::string const name = user(static_cast<std::uint32_t>(whom % plan_.users));
        voice_.say_one(what, "u:" + name, [&](auto n) { rules_.to_user(n, name); },
                       [&](auto const& e) { return out.to_user(name).emit(e); });
    }
    [[nodiscard]] static std::string user(std::uint32_t i) { return "user" + std::to_string(i); }
    [[nodiscard]] static std::string room(std::uint32_t i) { return "room" + std::to_string(i); }
    [[nodiscard]] std::string any_room()
    {
        return plan_.rooms == 0 ? "" : room(static_cast<std::uint32_t>(around_.chance.below(plan_.rooms)));
    }
    [[nodiscard]] pc::handle handle_of(ledger const& l) const
    {
        for (auto const& [value, of] : sessions_)
            if (of == &l)
                return {static_cast<std::uint8_t>(value >> 56), static_cast<std::uint32_t>(value >> 32) & 0xFF'FFFF,
                        static_cast<std::uint32_t>(value)};
        return {};
    }

    // --- faults ---------------------------------------------------------------------------------------------------

    void strike(timed_fault const& f)
    {
        auto& c = clients_[f.who];
        auto const ms = milliseconds(f.how_much * 50);
        auto const some = [this](auto const&) { return around_.chance.happens(0.4); };
        ++rules_.seen.faults[static_cast<std::size_t>(f.what)];
        around_.note(fault_names[static_cast<std::size_t>(f.what)], f.who, f.how_much);
        switch (f.what) {
        case fault::cut_all: world_.cut_all(); break;
        case fault::cut_some: world_.cut(some); break;
        case fault::cut_at_byte: world_.cut_after_bytes(f.how_much * 37 + 1); break;
        case fault::vanish: world_.vanish(some); break;
        case fault::stall: world_.stall(some, ms); break;
        case fault::refuse:
            world_.refuse_connections(true);
            at(ms, [this] { world_.refuse_connections(false); });
            break;
        case fault::swallow:
            world_.swallow_connections(true);
            at(ms, [this] { world_.swallow_connections(false); });
            break;
        case fault::drop_self: c.drop(); break;
        case fault::close_for_good: c.close_for_good(); break;
        case fault::stop_reading:
            c.read(false);
            at(2 * ms, [&c] { c.read(true); });
            break;
        case fault::server_closes: server_closes(c, f.how_much); break;
        case fault::clock_jump: world_.schedule().advance_to(world_.schedule().now() + std::chrono::seconds(3 * f.how_much)); break;
        case fault::restart: restart(milliseconds(f.how_much * 20)); break;
        case fault::full_disk:
            disk_.full(true);
            ++disk_troubles_;
            at(ms, [this] {
                disk_.full(false);
                at(std::chrono::seconds(3), [this] { --disk_troubles_; });  // by then it is written
            });
            break;
        case fault::allocation: voice_.failing += SIMULATION_FAILS_ALLOCATIONS ? 3 : 0; break;
        }
    }
    void server_closes(reference_client& c, std::uint64_t how)
    {
        static constexpr pc::close_code codes[] = {pc::close_code::migrate, pc::close_code::stale, pc::close_code::blocked,
                                                   pc::close_code::normal, pc::close_code::service_restart};
        auto const code = codes[how % std::size(codes)];
        if (c.session() && c.session()->shut) {
            c.session()->ending |= !pc::invites_reconnect(code);
            c.session()->shut(code);
        }
    }

    // --- running and judging --------------------------------------------------------------------------------------

    void check_first() const
    {
        if (!violation::first().empty())
            throw violation(violation::first());
    }
    template <class Done>
    bool turn_until(Done done, std::chrono::nanoseconds within)
    {
        auto const limit = world_.now() + within;
        bool over = false;
        at(within, [&over] { over = true; });  // the clock stops there
        while (!over && world_.now() < limit) {
            if (done())
                return true;
            if (!world_.step())
                return false;
            if (++rules_.seen.steps == max_steps)
                throw violation(say("no rest after ", max_steps, " steps; ", clients_.empty() ? "" : clients_.front().state()));
            check_first();
            if (++since_check_ >= 64) {
                since_check_ = 0;
                check_invariants();
            }
        }
        if (!over)
            while (!over && world_.step())
                check_first();
        return done();
    }
    void check_invariants()
    {
        ++rules_.seen.checks;
        for (ledger const* const l : rules_.alive()) {
            if (!l->look)
                continue;
            probe const p = l->look();
            if (p.counted && p.published != p.delivered + p.coalesced + p.dropped + p.pending)
                l->broken(say("published ", p.published, " but delivered ", p.delivered, ", coalesced ", p.coalesced,
                              ", dropped ", p.dropped, ", pending ", p.pending));
            // The cap; what a resuming client is sent again; and control frames, which are exempt.
            if (p.queued_bytes > plan_.outbox_bytes + plan_.log_bytes + 16 * 1024)
                l->broken(say(p.queued_bytes, " bytes wait, of ", plan_.outbox_bytes));
        }
    }
    /// The network is itself again, and clients are good; whoever is away comes back.
    void calm()
    {
        around_.note("calm");
        around_.calm = true;
        auto& n = world_.network();
        n.cut_probability = n.vanish_probability = n.stall_probability = 0;
        world_.refuse_connections(false);
        world_.swallow_connections(false);
        voice_.failing = 0;
        disk_.full(false);
        for (auto& c : clients_)
            c.be_good();
    }
    /// A client whose connection is half open does not know it until the server does.
    [[nodiscard]] bool quiet() const
    {
        for (auto const& c : clients_)
            if (!c.settled() || !rules_.missing(*c.session()).empty() || pending(*c.session()) != 0)
                return false;
        return server_ != nullptr;
    }
    [[nodiscard]] static std::uint64_t pending(ledger const& l)
    {
        if (!l.look)
            return 0;
        probe const p = l.look();
        return p.counted ? p.pending : 0;
    }
    /// Until all have what they are owed, and for a while nothing else comes.
    void wait_for_quiet()
    {
        for (int rounds = 0; rounds < 600; ++rounds) {
            turn_until([] { return false; }, std::chrono::milliseconds(rounds < 40 ? 250 : 2000));
            if (!quiet())
                continue;
            turn_until([] { return false; }, std::chrono::seconds(3));
            if (quiet())
                return;
        }
    }
    void judge()
    {
        check_invariants();
        for (auto const& c : clients_) {
            if (!c.settled())
                throw violation(say("not quiet after the calm: ", c.state()));
            ledger const& l = *c.session();
            if (auto const missing = rules_.missing(l); !missing.empty())
                throw violation(missing);
            rules_.settle(l);
            if (auto const events = pending(l); events != 0)
                l.broken(say(events, " events are pending, though its client has acknowledged everything"));
            if (l.last_gone != 0)
                l.broken(say("emission ", l.last_gone, " was told that nobody is there"));
        }
    }

    scenario const plan_;
    pc::transport::world world_;
    model rules_;
    surroundings around_;
    speech voice_;
    std::map<std::uint64_t, ledger*> sessions_{};
    failing_disk disk_{};
    int disk_troubles_ = 0;
    log_files log_{};
    std::unique_ptr<Server> server_{};
    std::deque<reference_client> clients_{};
    std::uint64_t since_check_ = 0;
};

}  // namespace simulation
