#pragma once

#include <polycast/event/describe.hpp>
#include <polycast/event/envelope.hpp>
#include <polycast/frame/close_code.hpp>
#include <polycast/frame/opcode.hpp>
#include <polycast/session/hooks.hpp>
#include <polycast/session/outcome.hpp>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>
#include <system_error>

namespace polycast::inline v0 {

/// The connection of a client, as its application's handlers see it. Valid until `closed` returns, on the loop's
/// thread; elsewhere use the client itself.
template <class Link>
class client_session {
public:
    explicit client_session(Link& link) noexcept : link_(&link) {}

    /// Sends an event. It leaves at the end of the turn, together with what else the handler sends.
    template <event Event>
    outcome emit(Event const& event)
    {
        return link_->emit(event);
    }
    /// Sends an event and returns its id, with which `answered` is told the answer; 0: it was refused.
    template <event Event>
        requires Link::reliable
    std::uint64_t request(Event const& event)
    {
        return link_->request(event);
    }
    /// As `client::join` and `client::leave`.
    outcome join(std::string_view room)
        requires Link::reliable
    {
        return link_->ask(room, true);
    }
    outcome leave(std::string_view room)
        requires Link::reliable
    {
        return link_->ask(room, false);
    }
    /// Sends a message as it is, outside of events.
    outcome send(std::string_view payload, opcode op = opcode::text) { return link_->send(payload, op); }
    /// Sends what is queued, then closes. The client connects again if `invites_reconnect(code)`, else it stops.
    void close(close_code code = close_code::normal, std::string_view reason = {}) { link_->close(code, reason); }

    [[nodiscard]] bool is_open() const noexcept { return link_->is_open(); }
    /// The subprotocol that the server chose; empty in plain mode.
    [[nodiscard]] std::string_view subprotocol() const noexcept { return link_->subprotocol(); }
    [[nodiscard]] std::string address() const { return link_->address(); }

private:
    Link* link_;
};

/// The application of a client: an object with any of these members, found by the compiler, called on the loop's
/// thread. What they throw is counted (`metric::handler_errors`) and goes no further.
///
/// | Member                                              | Called                                                     |
/// |-----------------------------------------------------|------------------------------------------------------------|
/// | `using accepts = events<A, B>`                      | which events the server may send                           |
/// | `on(auto& session, A const&)`                       | for each of them; with `, envelope const&` too             |
/// | `on_unknown(auto& session, envelope const&)`        | for any other type; without it they are dropped            |
/// | `on_control(auto& session, envelope const&)`        | for messages of the protocol: `$ok`, `$error`, `$gap`, …   |
/// | `on(auto& session, message const&)`                 | raw serializer: each message; else those that are no event |
/// | `opened(auto& session)`                             | connected, before the first message                        |
/// | `closed(auto& session, close_info const&)`          | once for each `opened`                                     |
/// | `failed(std::error_code, unsigned n, milliseconds)` | `n`th attempt in a row failed; the delay to the next or 0  |
///
/// And where the delivery policy resumes (`opened` is then called after `$hello`; what ends before that has `failed`):
///
/// | Member                                               | Called                                                    |
/// |------------------------------------------------------|-----------------------------------------------------------|
/// | `resumed(auto& session)`                             | after `opened`: no event was lost, none comes twice       |
/// | `gap(auto& session, std::uint64_t from, to,`         | the server has dropped these events of the session        |
/// | `    std::string_view reason)`                       |                                                           |
/// | `joined(auto& session, std::string_view room,`       | a room was joined; after a drop perhaps once more. True:  |
/// | `    std::optional<bool> recovered)`                 | what came since follows; false: it is lost                |
/// | `join_refused(auto& session, std::string_view room,` | with `$error`; the room is not asked for again            |
/// | `    envelope const&)`                               |                                                           |
/// | `answered(auto& session, std::uint64_t id,`          | once for each `request`: `$ok`, `$error`, or an event,    |
/// | `    envelope const&)`                               | which was handed to its `on` before                       |
template <class App, class Session>
concept has_on_control = requires(App& app, Session& s, envelope const& e) { app.on_control(s, e); };

template <class App, class Session>
concept has_client_resumed = requires(App& app, Session& s) { app.resumed(s); };

template <class App, class Session>
concept has_client_gap = requires(App& app, Session& s, std::uint64_t at, std::string_view reason) {
    app.gap(s, at, at, reason);
};

template <class App, class Session>
concept has_client_joined = requires(App& app, Session& s, std::string_view room, std::optional<bool> recovered) {
    app.joined(s, room, recovered);
};

template <class App, class Session>
concept has_client_join_refused = requires(App& app, Session& s, std::string_view room, envelope const& said) {
    app.join_refused(s, room, said);
};

template <class App, class Session>
concept has_client_answered = requires(App& app, Session& s, std::uint64_t id, envelope const& said) {
    app.answered(s, id, said);
};

template <class App>
concept has_failed = requires(App& app, std::error_code ec, unsigned attempt, std::chrono::milliseconds next) {
    app.failed(ec, attempt, next);
};

}  // namespace polycast::inline v0
