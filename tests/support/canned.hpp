#pragma once

// A transport without a kernel: what a client says is put into a session's hands, what it is told is counted. Nothing in
// it takes memory or time once it runs, so that instructions and allocations of a server are its own, and the same each
// time. One thread turns it; its clock stands still.

#include <polycast/transport/policy.hpp>
#include <polycast/detail/task.hpp>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <deque>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace support {

namespace pc = polycast;

/// What lies outside of the server: its clients, and what its loop has yet to do.
class canned_world {
public:
    using task = pc::detail::task<6 * sizeof(void*)>;

    struct connection {
        std::string_view said{};  ///< by the client, and not read yet; the bytes stay where they are
        task readable{};
        bool open = true;
        std::string told{};  ///< while `keep_told`
        bool keep_told = true;
        std::size_t told_bytes = 0;
    };

    canned_world() { queue_.reserve(1024); }

    /// A client connects.
    connection& connect()
    {
        connection& c = *connections_.emplace_back(std::make_unique<connection>());
        arrived_.push_back(&c);
        accept_one();
        turn();
        return c;
    }
    /// It says `bytes`, and the server does all that it does about it.
    void say(connection& c, std::string_view bytes)
    {
        c.said = bytes;
        while (!c.said.empty() && c.readable) {
            post([&c](std::error_code) { std::exchange(c.readable, {})({}); });
            turn();
        }
    }
    void post(task t) { queue_.push_back(std::move(t)); }
    void accept(connection*& into, task t)
    {
        acceptor_ = std::move(t);
        accepted_ = &into;
        accept_one();
    }
    /// Until there is nothing left to do.
    void turn()
    {
        while (!queue_.empty()) {
            std::swap(queue_, running_);
            for (task& t : running_)
                t({});
            running_.clear();
        }
    }

private:
    void accept_one()
    {
        if (!acceptor_ || arrived_.empty())
            return;
        *accepted_ = arrived_.front();
        arrived_.pop_front();
        post(std::exchange(acceptor_, {}));
    }

    std::vector<std::unique_ptr<connection>> connections_;
    std::deque<connection*> arrived_;
    task acceptor_;
    connection** accepted_ = nullptr;
    std::vector<task> queue_, running_;
};

class canned {
public:
    using policy_axis = pc::transport_axis;
    static constexpr bool threaded = false;
    static constexpr bool secure = false;
    using connection = canned_world::connection;

    explicit canned(canned_world& w) noexcept : world_(&w) {}
    [[nodiscard]] std::chrono::system_clock::time_point wall_now() const noexcept { return noon; }

    class loop {
    public:
        explicit loop(canned const& t) noexcept : world_(t.world_) {}
        template <class F>
        void post(F&& f)
        {
            world_->post([g = std::forward<F>(f)](std::error_code) mutable { g(); });
        }
        void run() {}
        void stop() {}
        [[nodiscard]] std::chrono::steady_clock::time_point now() const noexcept { return morning; }
        [[nodiscard]] std::chrono::system_clock::time_point wall_now() const noexcept { return noon; }
        [[nodiscard]] std::uint64_t random() noexcept { return ++random_ * 0x9E3779B97F4A7C15u; }
        [[nodiscard]] canned_world& world() const noexcept { return *world_; }

    private:
        canned_world* world_;
        std::uint64_t random_ = 0;
    };

    class transit {};

    class stream {
    public:
        explicit stream(loop&) noexcept {}
        stream(loop&, transit&&) noexcept {}
        explicit stream(connection* c) noexcept : connection_(c) {}

        [[nodiscard]] std::size_t read_some(std::span<char> into, std::error_code& ec)
        {
            std::size_t const count = std::min(into.size(), connection_->said.size());
            ec = count != 0 ? std::error_code() : std::make_error_code(std::errc::operation_would_block);
            std::memcpy(into.data(), connection_->said.data(), count);
            connection_->said.remove_prefix(count);
            return count;
        }
        [[nodiscard]] std::size_t write_some(std::span<char const> one, std::error_code& ec)
        {
            ec = {};
            connection_->told_bytes += one.size();
            if (connection_->keep_told)
                connection_->told.append(one.data(), one.size());
            return one.size();
        }
        [[nodiscard]] std::size_t write_some(pc::transport::gather_list many, std::error_code& ec)
        {
            std::size_t sum = 0;
            for (auto const one : many)
                sum += write_some(one, ec);
            return sum;
        }
        void wait_readable(canned_world::task handler) { connection_->readable = std::move(handler); }
        void wait_writable(canned_world::task) {}  // there is always room
        void shutdown_send() {}
        void close()
        {
            if (connection_ != nullptr)
                connection_->open = false;
        }
        [[nodiscard]] bool is_open() const noexcept { return connection_ != nullptr && connection_->open; }
        [[nodiscard]] static constexpr bool can_leave() noexcept { return false; }
        [[nodiscard]] transit leave() noexcept { return {}; }
        [[nodiscard]] std::string peer_address() const { return "canned"; }

    private:
        connection* connection_ = nullptr;
    };

    /// It is never due.
    class timer {
    public:
        explicit timer(loop&) noexcept {}
        template <class Handler>
        void start(std::chrono::nanoseconds, Handler&&)
        {
        }
        void cancel() noexcept {}
    };

    class notifier {
    public:
        explicit notifier(loop& l) noexcept : world_(&l.world()) {}
        template <class Handler>
        void wait(Handler&& handler)
        {
            handler_ = [h = std::forward<Handler>(handler)](std::error_code) mutable { h(); };
        }
        void notify() { world_->post(std::exchange(handler_, {})); }

    private:
        canned_world* world_;
        canned_world::task handler_;
    };

    class acceptor {
    public:
        explicit acceptor(loop& l) noexcept : world_(&l.world()) {}
        void listen(pc::transport::endpoint const&, pc::transport::listen_options, std::error_code& ec) { ec = {}; }
        template <class Handler>
        void accept(Handler&& handler)
        {
            world_->accept(next_, [this, h = std::forward<Handler>(handler)](std::error_code) mutable {
                h(std::error_code(), stream(next_));
            });
        }
        void close() noexcept {}
        [[nodiscard]] std::uint16_t port() const noexcept { return 1; }

    private:
        canned_world* world_;
        connection* next_ = nullptr;
    };

    class connector {
    public:
        explicit connector(loop&) noexcept {}
        template <class Handler>
        void connect(pc::transport::endpoint const&, Handler&&)
        {
        }
        void cancel() noexcept {}
    };

private:
    static constexpr std::chrono::steady_clock::time_point morning{std::chrono::hours{1}};
    static constexpr std::chrono::system_clock::time_point noon{std::chrono::hours{24 * 365 * 50}};
    canned_world* world_;
};
static_assert(pc::transport_policy<canned>);

}  // namespace support
