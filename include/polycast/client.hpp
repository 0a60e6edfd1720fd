#pragma once

#include <polycast/compression/identity.hpp>
#include <polycast/delivery/at_most_once.hpp>
#include <polycast/fwd.hpp>
#include <polycast/observer/counters.hpp>
#include <polycast/serializer/json.hpp>
#include <polycast/session/client_link.hpp>
#include <polycast/transport/tcp.hpp>

#include <memory>
#include <optional>
#include <string_view>
#include <system_error>
#include <utility>

namespace polycast::inline v0 {

/// Connects to a server, connects again after a loss, and hands typed events to an application (`client_session.hpp`
/// lists its members). Written `client<App, Policies...>`, policies in any order: transport `tcp`, serializer `json`,
/// compression `identity`, delivery `at_most_once`, observer `counters` where none is named.
///
/// Messages wait in a bounded queue while there is no connection and leave with the next one; a message that a lost
/// connection took in part is sent again. What a lost connection took whole may not have reached the server
/// (`delivery::at_most_once`).
///
/// With `delivery::at_least_once<>` the client resumes its session: it counts and acknowledges what comes, joins its rooms
/// again, drops what it has seen, and keeps each event that it sends until the server answers it. In one session of a
/// server that keeps it, events then arrive exactly once and in order, both ways; what the server has dropped is told to
/// `gap`. A server that agrees on no subprotocol is served in plain mode, at most once.
///
/// What may heal is tried again, with the backoff of the options: a server that is away or full, a proxy that fails, a
/// TLS certificate that is not trusted, has expired or is for another name (who operates the server may mend it; the
/// application's `failed` is told the `tls_error`). Refused credentials (401, 403, a proxy's 407) and a URL that this
/// client cannot serve end it.
///
/// Construction throws `std::system_error`: `invalid_argument` that lists every option that is out of range, or what the
/// compression policy says of its own.
template <class App, class Transport, class Serializer, class Compression, class Delivery, class Observer>
class basic_client {
    using link = detail::client_link<App, Transport, Serializer, Compression, Delivery, Observer>;

public:
    using loop = typename Transport::loop;
    using session = client_session<link>;

    /// A client with a loop of its own: call `run()`, on a thread of its own for `tcp`, or `start()` where the loop is
    /// turned by a simulated world. Destroy it when `run()` has returned.
    explicit basic_client(client_options options, App app = {}, Transport transport = {})
        : own_(std::in_place, transport),
          link_(std::make_shared<link>(*own_, true, checked(std::move(options)), std::move(app)))
    {
    }
    /// A client on a given loop, which outlives it; many clients may share one. Destroy it on the loop's thread, or
    /// when the loop no longer runs.
    basic_client(loop& on, client_options options, App app = {})
        : link_(std::make_shared<link>(on, false, checked(std::move(options)), std::move(app)))
    {
    }
    basic_client(basic_client const&) = delete;
    basic_client& operator=(basic_client const&) = delete;
    /// Ends the connection without a close handshake; `closed` is still called.
    ~basic_client() { link_->abandon(); }

    /// Begins to connect, soon. Once; from any thread.
    void start() { link_->start(); }
    /// `start()`, and turns the client's own loop until it has stopped: after `stop()`, or by itself when there is no
    /// point in connecting again (a final close code, credentials refused, `max_attempts`). Once.
    void run()
    {
        link_->start();
        if (own_)
            own_->run();
    }
    /// Sends what is queued, closes with 1000, waits for the server or `close_timeout`, and stops. From any thread.
    void stop() { link_->stop(); }

    /// Sends an event. From any thread. `queued`: it will be sent, now or when connected; `over_budget`: the queue is
    /// full; `refused`: it does not encode; `gone`: the client has stopped.
    template <event Event>
    outcome emit(Event const& event)
    {
        return link_->emit(event);
    }
    /// Sends an event and returns its id, with which the application's `answered` is told the answer, once; 0: as the
    /// failures of `emit`, or the server is in plain mode. From any thread.
    template <event Event>
        requires link::reliable
    std::uint64_t request(Event const& event)
    {
        return link_->request(event);
    }
    /// Joins a room, now and again whenever a new session begins; what is missed meanwhile is asked for. Once is enough.
    /// In plain mode there are no rooms to join. From any thread. `refused`: no name; `gone`: the client has stopped.
    outcome join(std::string_view room)
        requires link::reliable
    {
        return link_->ask(room, true);
    }
    /// Leaves a room, and forgets what was seen of it. From any thread; as `join`.
    outcome leave(std::string_view room)
        requires link::reliable
    {
        return link_->ask(room, false);
    }
    /// Sends a message as it is. From any thread; as `emit`.
    outcome send(std::string_view payload, opcode op = opcode::text) { return link_->send(payload, op); }

    /// From any thread.
    [[nodiscard]] bool is_open() const noexcept { return link_->is_open(); }
    /// What waits to be sent. From any thread.
    [[nodiscard]] std::size_t queued_bytes() const { return link_->outbox().queued_bytes(); }
    [[nodiscard]] std::size_t queued_messages() const { return link_->outbox().queued_messages(); }
    [[nodiscard]] Observer const& observer() const noexcept { return link_->observer(); }

    /// On the loop's thread.
    [[nodiscard]] App& app() noexcept { return link_->app(); }
    [[nodiscard]] bool stopped() const noexcept { return link_->stopped(); }

private:
    static client_options checked(client_options&& options)
    {
        if (auto const found = faults(options); !found.empty())
            throw std::system_error(std::make_error_code(std::errc::invalid_argument), "polycast: client_options: " + found);
        return std::move(options);
    }

    std::optional<loop> own_;  // before the link: what is pending in it is destroyed last
    std::shared_ptr<link> link_;
};

}  // namespace polycast::inline v0
