#pragma once

#include <polycast/policy/axis.hpp>

#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <system_error>

namespace polycast::inline v0::transport {

/// Where a server listens or a client connects: `host` is an address or (client) a name, `port` 0 lets the system choose.
struct endpoint {
    std::string host = "127.0.0.1";
    std::uint16_t port = 0;
};

/// How a listening socket is opened.
struct listen_options {
    bool share_port = false;  ///< several acceptors on one port, one a shard (`SO_REUSEPORT`)
    int backlog = 4096;
};

/// Several runs of bytes that leave in one system call, in order.
using gather_list = std::span<std::span<char const> const>;

/// The most runs that `write_some` takes in one call; further ones are left for the next.
inline constexpr std::size_t max_gather = 64;

namespace archetype {
struct any_handler {
    void operator()() const noexcept {}
    void operator()(std::error_code) const noexcept {}
    template <class Stream>
    void operator()(std::error_code, Stream&&) const noexcept
    {
    }
};
}  // namespace archetype

// Named clauses, so that a compiler prints the one that failed.
template <class S>
concept reads_what_is_there = requires(S& s, std::span<char> into, std::error_code& ec) {
    { s.read_some(into, ec) } -> std::same_as<std::size_t>;
};
template <class S>
concept writes_what_fits = requires(S& s, std::span<char const> one, gather_list many, std::error_code& ec) {
    { s.write_some(one, ec) } -> std::same_as<std::size_t>;
    { s.write_some(many, ec) } -> std::same_as<std::size_t>;
};
template <class S>
concept waits_for_readiness = requires(S& s) {
    s.wait_readable(archetype::any_handler{});
    s.wait_writable(archetype::any_handler{});
};
template <class S>
concept ends = requires(S& s) {
    s.shutdown_send();
    s.close();
    { s.is_open() } -> std::same_as<bool>;
    { s.peer_address() } -> std::same_as<std::string>;
};
template <class S>
concept stream = std::movable<S> && reads_what_is_there<S> && writes_what_fits<S> && waits_for_readiness<S> && ends<S>;

template <class L>
concept runs_handlers = requires(L& l) {
    l.post(archetype::any_handler{});
    l.run();
    l.stop();
};
template <class L>
concept tells_time_and_chance = requires(L& l) {
    { l.now() } -> std::same_as<std::chrono::steady_clock::time_point>;
    { l.wall_now() } -> std::same_as<std::chrono::system_clock::time_point>;
    { l.random() } -> std::same_as<std::uint64_t>;
};
template <class T>
concept tells_calendar_time = requires(T const& t) {
    { t.wall_now() } -> std::same_as<std::chrono::system_clock::time_point>;
};
template <class T>
concept has_timer = requires(typename T::timer& t) {
    requires std::constructible_from<typename T::timer, typename T::loop&>;
    t.start(std::chrono::nanoseconds{}, archetype::any_handler{});
    t.cancel();
};
template <class T>
concept has_notifier = requires(typename T::notifier& n) {
    requires std::constructible_from<typename T::notifier, typename T::loop&>;
    n.wait(archetype::any_handler{});
    n.notify();
};
template <class T>
concept has_acceptor = requires(typename T::acceptor& a, endpoint const& at, listen_options o, std::error_code& ec) {
    requires std::constructible_from<typename T::acceptor, typename T::loop&>;
    a.listen(at, o, ec);
    a.accept(archetype::any_handler{});
    a.close();
    { a.port() } -> std::same_as<std::uint16_t>;
};
template <class T>
concept has_connector = requires(typename T::connector& c, endpoint const& to) {
    requires std::constructible_from<typename T::connector, typename T::loop&>;
    c.connect(to, archetype::any_handler{});
    c.cancel();
};

template <class T>
concept moves_between_loops = requires(typename T::stream& s, typename T::loop& l) {
    { s.can_leave() } -> std::same_as<bool>;
    { s.leave() } -> std::same_as<typename T::transit>;
    requires std::constructible_from<typename T::stream, typename T::loop&>;
    requires std::constructible_from<typename T::stream, typename T::loop&, typename T::transit&&>;
};

template <class T>
concept says_whether_it_is_secure = requires { requires std::same_as<decltype(T::secure), bool const>; };
template <class T>
concept secures_what_it_promises = !T::secure || requires(typename T::stream& s, std::string_view server_name) {
    s.secure(server_name);
    { s.peer_certificate_subject() } -> std::same_as<std::string>;
};

/// The event loop, the clock, chance, and the byte streams of a program. Everything that a server or client does with
/// time, randomness or I/O goes through here; nothing below blocks, nothing calls a handler from inside the call that
/// was given it.
///
/// `T` is a value: it is copied into the server or client and each `loop` is made from it, `loop(T const&)`.
///
/// | Expression                     | Meaning                                                                          |
/// |--------------------------------|----------------------------------------------------------------------------------|
/// | `T::threaded`                  | true: a shard has a thread, `loop.launch()`, `loop.join()`; false: others turn it |
/// | `T::secure`                    | true: streams are encrypted, a client's from `stream.secure(name)` on             |
/// | `t.wall_now()`                 | calendar time of a `T`; from any thread                                          |
/// | `loop.post(f)`                 | calls `f()` once on the loop, after what is ready now; from any thread            |
/// | `loop.run()`, `loop.stop()`    | handles until stopped; `stop` from any thread                                     |
/// | `loop.now()`                   | steady time                                                                      |
/// | `loop.wall_now()`              | calendar time; from any thread                                                   |
/// | `loop.random()`                | 64 bits, unpredictable to a peer (simulation: from the seed)                     |
/// | `stream.read_some(span, ec)`   | bytes read; 0 with `would_block`, 0 with another error at the end of stream   |
/// | `stream.write_some(…, ec)`     | bytes taken; 0 with `would_block`; no `SIGPIPE`                                   |
/// | `stream.wait_readable(h)`      | `h(error_code)` once readable or at end; one wait at a time                      |
/// | `stream.wait_writable(h)`      | likewise; an error means that the stream was closed                              |
/// | `stream.hold_back()`          | optional: what is not sent yet stays with the caller, where it can be overtaken   |
/// | `stream.shutdown_send()`       | the peer reads end of stream after what was written                              |
/// | `stream.secure(name)`          | client, once, where `T::secure`: encrypts from here on, to a server proven `name` |
/// | `stream.peer_certificate_subject()` | where `T::secure`: whom the peer has proven to be, or empty                  |
/// | `stream.leave()`               | where nothing waits and `stream.can_leave()`: a `T::transit`, of no loop         |
/// | `stream(loop, transit)`        | takes it up on another loop, on its thread                                       |
/// | `stream(loop)`                 | a closed one                                                                     |
/// | `stream.close()`               | ends both ways; pending waits complete with an error; may be repeated            |
/// | `timer.start(d, h)`            | `h()` after `d`; starting again or `cancel()` forgets the earlier `h`             |
/// | `notifier.notify()`            | from any thread: `h()` of `notifier.wait(h)` runs on the loop; calls may merge    |
/// | `acceptor.listen(at, o, ec)`   | opens, binds and listens; `acceptor.port()` then tells the real port             |
/// | `acceptor.accept(h)`           | `h(error_code, stream)` for the next connection                                  |
/// | `connector.connect(to, h)`     | `h(error_code, stream)`; resolves a name where there are names                   |
///
/// Errors are `std::errc` values or the system's. `would_block` is tested with `transport::would_block(ec)`.
/// Thread rule: everything on the loop's own thread, but where the table says any thread.
/// Models: `tcp` (default), `tls`, `unix_socket`, `simulated` (null: a deterministic network on a virtual clock).
}  // namespace polycast::inline v0::transport

namespace polycast::inline v0 {

template <class T>
concept transport_policy =
    policy_on<T, transport_axis> && std::copy_constructible<T> && transport::tells_calendar_time<T> &&
    transport::stream<typename T::stream> && transport::says_whether_it_is_secure<T> && transport::secures_what_it_promises<T> &&
    transport::runs_handlers<typename T::loop> && transport::tells_time_and_chance<typename T::loop> &&
    transport::moves_between_loops<T> && transport::has_timer<T> && transport::has_notifier<T> && transport::has_acceptor<T> && transport::has_connector<T>;

namespace transport {
/// True for a transport whose addresses are paths of Unix sockets.
template <class T>
inline constexpr bool names_paths = requires { requires T::names_paths; };

/// True for the error of a non-blocking call that has to wait.
[[nodiscard]] inline bool would_block(std::error_code ec) noexcept
{
    return ec == std::errc::operation_would_block || ec == std::errc::resource_unavailable_try_again;
}
}  // namespace transport

}  // namespace polycast::inline v0
