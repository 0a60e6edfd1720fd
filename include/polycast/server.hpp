#pragma once

#include <polycast/backplane/local.hpp>
#include <polycast/batching/per_tick.hpp>
#include <polycast/compression/identity.hpp>
#include <polycast/delivery/at_most_once.hpp>
#include <polycast/emitter.hpp>
#include <polycast/fwd.hpp>
#include <polycast/guard/origin.hpp>
#include <polycast/isolation/shared.hpp>
#include <polycast/observer/counters.hpp>
#include <polycast/serializer/json.hpp>
#include <polycast/session/options.hpp>
#include <polycast/session/shard.hpp>
#include <polycast/transport/tcp.hpp>

#include <atomic>
#include <memory>
#include <string>
#include <string_view>
#include <system_error>
#include <type_traits>
#include <utility>
#include <vector>

namespace polycast::inline v0 {

/// A WebSocket event server for `App`, configured by the compiler. Named through `polycast::server<App, Policies...>`.
/// See `hooks.hpp` for what an application may have. Construction opens nothing.
template <class App, class C>
class basic_server {
    static_assert(transport_policy<typename C::transport>);
    static_assert(serializer_policy<typename C::serializer>);
    static_assert(compression_policy<typename C::compression>);
    static_assert(isolation_policy<typename C::isolation>);
    static_assert(batching_policy<typename C::batching>);
    static_assert(delivery_policy<typename C::delivery>);
    static_assert(guard_policy<typename C::guard>);
    static_assert(backplane_policy<typename C::backplane>);
    static_assert(observer_policy<typename C::observer>);

    static_assert(!C::compression::keeps_context ||
                      (!C::isolation::reaches_everyone && !C::isolation::reaches_rooms && !C::isolation::reaches_users),
                  "polycast: deflate<dedicated> compresses for one connection, but this isolation policy emits to many at "
                  "once, encoded once for all. Take deflate<shared>, or isolation::per_connection.");

public:
    using app_type = App;
    using composition = C;
    using transport = typename C::transport;
    using emitter_type = basic_emitter<C>;
    using session_type = session<App, C>;

    /// Throws `std::system_error` (`invalid_argument`) that lists every option that is out of range.
    explicit basic_server(server_options options = {}, App app = {})
        requires std::default_initializable<transport>
        : basic_server(std::move(options), std::move(app), transport())
    {
    }
    /// For a transport that needs a value, such as `simulated{world}`.
    basic_server(server_options options, App app, transport const& t)
        : options_(checked(std::move(options))), app_(std::move(app)),
          port_(std::make_shared<detail::port<C>>(options_.shards, t, options_.compression, options_.history,
                                                  random_name(t))),
          log_(options_.delivery)
    {
        if constexpr (C::delivery::resumes)
            port_->users.set_offline_limits(options_.delivery.max_offline_events, options_.delivery.max_offline_users);
        for (std::uint32_t i = 0; i < options_.shards; ++i)
            shards_.push_back(std::make_unique<shard_type>(i, t, options_, app_, port_, log_));
    }
    basic_server(basic_server const&) = delete;
    basic_server& operator=(basic_server const&) = delete;
    /// Stops without a farewell if `stop` was not called or not waited for.
    ~basic_server()
    {
        for (auto& s : shards_)
            s->loop().stop();
        wait();
        finish();
    }

    /// Takes up what a durable log has, listens and begins to serve; returns at once. Throws `std::system_error` that names the address if it cannot
    /// listen. Call once.
    void start()
    {
        restore();
        std::uint16_t at = options_.port;
        for (auto& s : shards_) {
            std::error_code ec;
            s->listen(at, ec);
            if (ec)
                throw std::system_error(ec, "polycast: cannot listen on " + place(at));
            at = s->listening_port();
        }
        listening_port_ = at;
        if (!stopping_)
            port_->set_open(true);
        if constexpr (transport::threaded)
            for (auto& s : shards_)
                s->loop().launch();
    }
    /// `start`, then serves until `stop` or, where the transport has signals, SIGINT or SIGTERM; then drains. `ready()`
    /// is called once the port is open. Throws what `start` throws.
    template <class Ready>
    void run(Ready ready)
    {
        if constexpr (requires { shards_[0]->loop().on_termination([] {}); })
            shards_[0]->loop().on_termination([this] { stop(); });
        start();
        ready();
        if constexpr (!transport::threaded)
            shards_[0]->loop().run();
        wait();
        if constexpr (requires { shards_[0]->loop().forget_termination(); })
            shards_[0]->loop().forget_termination();
        finish();
    }
    void run()
    {
        run([] {});
    }
    /// Begins to drain: no new connections, a goodbye and close 1001 for each session, then the end, at the latest after
    /// `drain_timeout`. From any thread; may be called again.
    void stop()
    {
        stopping_ = true;
        port_->set_open(false);
        for (auto& s : shards_)
            s->post_drain();
    }
    /// Returns when all shards have ended. Not from a handler.
    void wait()
    {
        if constexpr (transport::threaded)
            for (auto& s : shards_)
                s->loop().join();
    }

    /// The real port, after `start`.
    [[nodiscard]] std::uint16_t port() const noexcept { return listening_port_; }
    [[nodiscard]] App& app() noexcept { return app_; }
    [[nodiscard]] server_options const& options() const noexcept { return options_; }

    /// Emits from any thread.
    [[nodiscard]] emitter_type emitter() const { return emitter_type(port_); }
    /// Emits from any thread, to this user only.
    [[nodiscard]] scoped_emitter<C> emitter_for(std::string_view user) const
        requires C::isolation::reaches_users
    {
        return {port_, user};
    }
    /// What was counted so far, over all shards and emitters. Any thread.
    [[nodiscard]] std::uint64_t count(metric m) const noexcept
    {
        std::uint64_t sum = port_->shared_observer.read(m);
        for (auto const& s : shards_)
            sum += std::as_const(*s).observe().read(m);
        return sum;
    }
    /// Open sessions now. Any thread.
    [[nodiscard]] std::uint32_t connections() const { return port_->users.connections(); }

private:
    using shard_type = detail::shard<App, C>;

    static server_options checked(server_options&& options)
    {
        std::string found = faults(options);
        // What one shard has answered another may not have kept yet, and SQLite has one writer anyway.
        if (shard_type::durable && options.shards > 1)
            found.append(found.empty() ? "" : "; ").append("shards must be 1 with a durable log");
        if (!found.empty())
            throw std::system_error(std::make_error_code(std::errc::invalid_argument), "polycast: server_options: " + found);
        return std::move(options);
    }
    [[nodiscard]] std::string place(std::uint16_t port) const
    {
        if constexpr (polycast::transport::names_paths<transport>)
            return options_.address + " (a path with a / in it, or @name)";
        else
            return options_.address + ":" + std::to_string(port);
    }
    /// Tells this run of the server from others.
    static std::string random_name(transport const& t)
    {
        typename transport::loop loop(t);
        auto bits = loop.random();
        std::string name(8, ' ');
        for (char& c : name) {
            c = "0123456789abcdefghijklmnopqrstuv"[bits & 31];
            bits >>= 5;
        }
        return name;
    }
    void restore()
    {
        if constexpr (shard_type::durable) {
            auto const state = log_.recover();
            auto& histories = port_->histories;
            if (state.epoch.empty())
                log_.set_epoch(histories.epoch());
            else
                histories.restore(state.epoch, state.history_floor);
            if constexpr (detail::keeps_histories<C>)
                for (auto const& room : state.rooms) {
                    std::vector<room_history::held> events;
                    for (auto const& e : room.events)
                        events.push_back({e.frame, room_history::time_point(std::chrono::milliseconds(e.at_ms))});
                    histories.restore(room.name, room.offset, std::move(events), port_->wall_now());
                }
            port_->next_session_id = state.last_id + 1;
            std::size_t next = 0;
            for (auto const& s : state.sessions)
                shards_[next++ % shards_.size()]->restore(s);
        }
    }
    void finish()
    {
        port_->set_open(false);
        if (!std::exchange(finished_, true))
            for (auto& s : shards_)
                s->abandon();
    }

    server_options const options_;
    App app_;
    std::shared_ptr<detail::port<C>> port_;
    [[no_unique_address]] typename shard_type::journal_type::database log_;
    std::vector<std::unique_ptr<shard_type>> shards_;
    std::uint16_t listening_port_ = 0;
    std::atomic<bool> stopping_ = false;
    bool finished_ = false;
};

}  // namespace polycast::inline v0
