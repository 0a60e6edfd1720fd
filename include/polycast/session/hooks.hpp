#pragma once

#include <polycast/event/envelope.hpp>
#include <polycast/handshake/request.hpp>
#include <polycast/handshake/response.hpp>

#include <concepts>
#include <string>
#include <string_view>
#include <system_error>

namespace polycast::inline v0 {

/// Who asks to connect, as the application's `identify` says. An empty user is an unknown one: every such connection
/// stands alone. `admitted = false` refuses the handshake with `status` and `reason`.
struct identity {
    std::string user{};
    bool admitted = true;
    int status = 403;
    std::string reason = "not allowed";
};

/// The application: an object with any of these members, found by the compiler, called on the session's shard. With
/// more than one shard several run at once.
///
/// | Member                                        | Called                                                           |
/// |-----------------------------------------------|------------------------------------------------------------------|
/// | `using accepts = events<A, B>`                | which events clients may send                                    |
/// | `on(auto& session, A const&)`                 | for each of them; `on(session, A const&, envelope const&)` too.  |
/// |                                               | An event that it returns is the answer and carries the request   |
/// |                                               | id; `std::optional<refusal>` refuses, or agrees if it is empty   |
/// | `on_unknown(auto& session, envelope const&)`  | for any other type; without it the client is told `unknown_type` |
/// | `on(auto& session, message const&)`           | raw serializer: for each message                                 |
/// | `opened(auto& session)`                       | once, before the first message                                   |
/// | `closed(auto& session, close_info const&)`    | once for each `opened`; the session takes no more events         |
/// | `away(auto& session, close_info const&)`      | `at_least_once`: the connection is gone, the session is not      |
/// | `resumed(auto& session)`                      | `at_least_once`: another connection has resumed it               |
/// | `expired(auto& session, tally const&)`        | `at_least_once`: nobody did in time; once, before `closed`       |
/// | `dropped(auto& session, drop const&)`         | events were lost at a cap; at the end of the turn                |
/// | `log_failed(std::error_code)`                 | the durable log did not take what it was given: it is tried again |
/// | `identify(request const&)` → `identity`       | before `opened`; without it nobody has a user. With              |
/// |                                               | `, std::string_view peer_name` too: what a TLS client's          |
/// |                                               | certificate proves it to be, or nothing (`session::peer_name`)   |
/// | `may_join(auto& session, std::string_view)`   | a client's `$join`; without it the isolation policy decides      |
/// | `http(request const&)` → `http_response`      | a plain GET or HEAD on the same port; without it 404             |
template <class App, class Session>
concept has_opened = requires(App& app, Session& s) { app.opened(s); };

template <class App, class Session>
concept has_closed = requires(App& app, Session& s, struct close_info const& info) { app.closed(s, info); };

template <class App, class Session>
concept has_away = requires(App& app, Session& s, struct close_info const& info) { app.away(s, info); };
template <class App, class Session>
concept has_resumed = requires(App& app, Session& s) { app.resumed(s); };
template <class App, class Session>
concept has_expired = requires(App& app, Session& s, struct tally const& t) { app.expired(s, t); };
template <class App, class Session>
concept has_dropped = requires(App& app, Session& s, struct drop const& d) { app.dropped(s, d); };
template <class App>
concept has_log_failed = requires(App& app, std::error_code ec) { app.log_failed(ec); };

template <class App>
concept has_identify = requires(App& app, request const& r) {
    { app.identify(r) } -> std::convertible_to<identity>;
};
template <class App>
concept has_identify_by_name = requires(App& app, request const& r, std::string_view peer_name) {
    { app.identify(r, peer_name) } -> std::convertible_to<identity>;
};

template <class App, class Session>
concept has_may_join = requires(App& app, Session& s, std::string_view room) {
    { app.may_join(s, room) } -> std::convertible_to<bool>;
};

template <class App>
concept has_http = requires(App& app, request const& r) {
    { app.http(r) } -> std::convertible_to<http_response>;
};

template <class App, class Session>
concept takes_messages = requires(App& app, Session& s, message const& m) { app.on(s, m); };

}  // namespace polycast::inline v0
