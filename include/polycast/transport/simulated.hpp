#pragma once

#include <polycast/config.hpp>
#include <polycast/transport/policy.hpp>
#include <polycast/transport/simulated_world.hpp>

#if POLYCAST_WITH_SIMULATION

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <system_error>
#include <type_traits>
#include <utility>

namespace polycast::inline v0::transport {

/// The null transport: a deterministic network on a virtual clock (see `world`). A loop is turned by the world's
/// `run_…` functions; `loop.run()` turns the whole world until that loop is stopped or nothing is left to do.
/// Any host name is this world; a port is a listening acceptor in it. Each loop has an address of its own.
class simulated {
public:
    using policy_axis = transport_axis;
    static constexpr bool threaded = false;
    static constexpr bool secure = false;

    simulated(transport::world& w) noexcept : world_(&w) {}
    [[nodiscard]] transport::world& world() const noexcept { return *world_; }
    [[nodiscard]] std::chrono::system_clock::time_point wall_now() const noexcept { return world_->wall_now(); }

    class loop;
    class stream;
    class transit;
    class timer;
    class notifier;
    class acceptor;
    class connector;

private:
    transport::world* world_;
};

class simulated::loop {
public:
    explicit loop(simulated const& in) : world_(in.world()), id_(world_.schedule().add_loop()) {}
    loop(loop const&) = delete;
    loop& operator=(loop const&) = delete;
    /// Handlers that have not run are destroyed, not called.
    ~loop() { world_.schedule().remove_loop(id_); }

    template <class F>
    void post(F&& f)
    {
        world_.schedule().post(id_, [f = std::forward<F>(f)](std::error_code) mutable { f(); });
    }
    void run()
    {
        while (!world_.schedule().stopped(id_) && world_.step()) {
        }
        world_.schedule().stop(id_, false);
    }
    /// Handlers of this loop stay where they are until `run` is called or the loop is destroyed.
    void stop() { world_.schedule().stop(id_, true); }
    [[nodiscard]] std::chrono::steady_clock::time_point now() const noexcept { return world_.now(); }
    [[nodiscard]] std::chrono::system_clock::time_point wall_now() const noexcept { return world_.wall_now(); }
    [[nodiscard]] std::uint64_t random() { return world_.schedule().random(id_); }

    [[nodiscard]] transport::world& world() noexcept { return world_; }
    [[nodiscard]] std::uint32_t id() const noexcept { return id_; }

private:
    transport::world& world_;
    std::uint32_t id_;
};

class simulated::stream {
public:
    stream() noexcept = default;  ///< closed
    explicit stream(loop&) noexcept {}
    stream(simulated_network& network, std::uint64_t connection, simulated_side side)
        : network_(&network), connection_(connection), loop_(network.loop_of(connection, side)), side_(side),
          open_(true)
    {
    }
    stream(loop& on, transit&& from) noexcept;
    stream(stream&& other) noexcept { swap(other); }
    stream& operator=(stream&& other) noexcept
    {
        stream taken(std::move(other));
        swap(taken);
        return *this;
    }
    ~stream() { close(); }

    [[nodiscard]] std::size_t read_some(std::span<char> into, std::error_code& ec)
    {
        if (open_)
            return network_->read(connection_, side_, into, ec);
        ec = std::make_error_code(std::errc::bad_file_descriptor);
        return 0;
    }
    [[nodiscard]] std::size_t write_some(std::span<char const> one, std::error_code& ec)
    {
        return write_some(gather_list(&one, 1), ec);
    }
    [[nodiscard]] std::size_t write_some(gather_list many, std::error_code& ec)
    {
        if (open_)
            return network_->write(connection_, side_, many, ec);
        ec = std::make_error_code(std::errc::bad_file_descriptor);
        return 0;
    }
    template <class Handler>
    void wait_readable(Handler&& handler)
    {
        if (open_)
            network_->wait_readable(connection_, side_, std::forward<Handler>(handler));
        else
            fail(std::forward<Handler>(handler));
    }
    template <class Handler>
    void wait_writable(Handler&& handler)
    {
        if (open_)
            network_->wait_writable(connection_, side_, std::forward<Handler>(handler));
        else
            fail(std::forward<Handler>(handler));
    }
    void shutdown_send()
    {
        if (open_)
            network_->shutdown_send(connection_, side_);
    }
    void close()
    {
        if (std::exchange(open_, false))
            network_->close(connection_, side_);
    }
    [[nodiscard]] bool is_open() const noexcept { return open_; }
    [[nodiscard]] static constexpr bool can_leave() noexcept { return true; }
    [[nodiscard]] transit leave() noexcept;
    [[nodiscard]] std::string peer_address() const
    {
        return open_ ? network_->peer_address(connection_, side_) : std::string();
    }

private:
    void swap(stream& other) noexcept
    {
        std::swap(network_, other.network_);
        std::swap(connection_, other.connection_);
        std::swap(loop_, other.loop_);
        std::swap(side_, other.side_);
        std::swap(open_, other.open_);
    }
    void fail(simulated_task handler)
    {
        if (network_)
            network_->schedule().complete(network_->schedule().hold(loop_, std::move(handler)),
                                          std::make_error_code(std::errc::bad_file_descriptor));
    }

    simulated_network* network_ = nullptr;
    std::uint64_t connection_ = 0;
    std::uint32_t loop_ = 0;
    simulated_side side_ = simulated_side::client;
    bool open_ = false;
};

/// A connection on its way from one loop to another.
class simulated::transit {
public:
    explicit transit(stream&& s) noexcept : stream_(std::move(s)) {}

private:
    friend stream;
    stream stream_;
};

inline simulated::transit simulated::stream::leave() noexcept
{
    return transit(std::move(*this));
}
inline simulated::stream::stream(loop& on, transit&& from) noexcept
{
    swap(from.stream_);
    loop_ = on.id();
    if (open_)
        network_->move(connection_, side_, loop_);
}

class simulated::timer {
public:
    explicit timer(loop& l) noexcept : schedule_(l.world().schedule()), loop_(l.id()) {}
    timer(timer const&) = delete;
    timer& operator=(timer const&) = delete;
    ~timer() { cancel(); }

    template <class Handler>
    void start(std::chrono::nanoseconds after, Handler&& handler)
    {
        cancel();
        wait_ = schedule_.hold(loop_, [h = std::forward<Handler>(handler)](std::error_code) mutable { h(); });
        due_ = schedule_.after(after, [s = &schedule_, w = wait_](std::error_code) { s->complete(w, {}); }, false);
    }
    void cancel()
    {
        schedule_.forget(due_);
        schedule_.drop(std::exchange(wait_, {}));
    }

private:
    simulated_schedule& schedule_;
    std::uint32_t loop_;
    simulated_wait wait_{};
    simulated_schedule::due due_{};
};

class simulated::notifier {
public:
    explicit notifier(loop& l) noexcept : schedule_(l.world().schedule()), loop_(l.id()) {}
    notifier(notifier const&) = delete;
    notifier& operator=(notifier const&) = delete;
    ~notifier() { schedule_.drop(wait_); }

    template <class Handler>
    void wait(Handler&& handler)
    {
        wait_ = schedule_.hold(loop_, [this, h = std::forward<Handler>(handler)](std::error_code) mutable {
            told_ = false;
            h();
        });
        if (told_)
            schedule_.complete(wait_, {});
    }
    void notify()
    {
        told_ = true;
        schedule_.complete(wait_, {});
    }

private:
    simulated_schedule& schedule_;
    std::uint32_t loop_;
    simulated_wait wait_{};
    bool told_ = false;
};

class simulated::acceptor {
public:
    explicit acceptor(loop& l) noexcept : network_(l.world().wires()), loop_(l.id()) {}
    acceptor(acceptor const&) = delete;
    acceptor& operator=(acceptor const&) = delete;
    ~acceptor() { close(); }

    void listen(endpoint const& at, listen_options options, std::error_code& ec)
    {
        close();
        port_ = at.port;
        id_ = network_.listen(loop_, port_, options.share_port, ec);
    }
    template <class Handler>
    void accept(Handler&& handler)
    {
        network_.accept(id_, [n = &network_, id = id_, h = std::forward<Handler>(handler)](std::error_code ec) mutable {
            std::uint64_t const arrived = ec ? 0 : n->take_arrived(id);
            if (arrived != 0)
                return h(ec, stream(*n, arrived, simulated_side::server));
            h(std::make_error_code(std::errc::operation_canceled), stream());
        });
    }
    void close() { network_.close_acceptor(std::exchange(id_, 0)); }
    [[nodiscard]] std::uint16_t port() const noexcept { return port_; }

private:
    simulated_network& network_;
    std::uint32_t loop_;
    std::uint32_t id_ = 0;
    std::uint16_t port_ = 0;
};

class simulated::connector {
public:
    explicit connector(loop& l) noexcept : network_(l.world().wires()), loop_(l.id()) {}
    connector(connector const&) = delete;
    connector& operator=(connector const&) = delete;
    ~connector() { cancel(); }

    template <class Handler>
    void connect(endpoint const& to, Handler&& handler)
    {
        cancel();
        std::uint64_t const id = network_.begin_connect(loop_, to.port);
        // The handler carries the stream while it waits: wherever it is dropped, the connection ends.
        wait_ = network_.schedule().hold(
            loop_, [s = stream(network_, id, simulated_side::client),
                    h = std::forward<Handler>(handler)](std::error_code ec) mutable {
                if (ec)
                    s.close();
                h(ec, std::move(s));
            });
        network_.answer_connect(id, wait_);
    }
    void cancel()
    {
        network_.schedule().complete(std::exchange(wait_, {}), std::make_error_code(std::errc::operation_canceled));
    }

private:
    simulated_network& network_;
    std::uint32_t loop_;
    simulated_wait wait_{};
};

static_assert(transport_policy<simulated>);

}  // namespace polycast::inline v0::transport

#endif  // POLYCAST_WITH_SIMULATION
