#pragma once

#include <polycast/event/catalog.hpp>
#include <polycast/event/envelope.hpp>
#include <polycast/serializer/policy.hpp>

#include <concepts>
#include <span>
#include <type_traits>
#include <utility>

namespace polycast::inline v0 {

namespace detail {

template <class App, class Session, class E>
concept handles_with_envelope = requires(App& app, Session& session, E const& event, envelope const& around) {
    app.on(session, event, around);
};
template <class App, class Session, class E>
concept handles_alone = requires(App& app, Session& session, E const& event) { app.on(session, event); };
template <class App, class Session, class E>
concept handles = handles_with_envelope<App, Session, E> || handles_alone<App, Session, E>;
template <class App, class Session>
concept catches_unknown = requires(App& app, Session& session, envelope const& around) {
    app.on_unknown(session, around);
};

/// Instantiated once per event, so that the compiler's note names it.
template <class App, class Session, class E>
struct checked_handler {
    static_assert(handles<App, Session, E>,
                  "polycast: the application accepts an event but has no `on(session, event)` for it.");
    static constexpr bool ok = handles<App, Session, E>;
};

/// The visitor that hands decoded events to the application's overloads.
template <class App, class Session, class Reply>
class dispatcher {
public:
    dispatcher(App& app, Session& session, Reply& reply) noexcept : app_(app), session_(session), reply_(reply) {}

    template <class E>
    void event(envelope const& around, E&& received)
    {
        using type = std::remove_cvref_t<E>;
        if constexpr (std::same_as<type, message> && !handles<App, Session, type>) {
            reply_.unknown_type(around);
        } else if constexpr (checked_handler<App, Session, type>::ok) {
            guarded(around, [&]() -> decltype(auto) {
                if constexpr (handles_with_envelope<App, Session, type>)
                    return app_.on(session_, std::as_const(received), around);
                else
                    return app_.on(session_, std::as_const(received));
            });
        }
    }
    void unknown(envelope const& around)
    {
        if constexpr (catches_unknown<App, Session>)
            guarded(around, [&] { app_.on_unknown(session_, around); });
        else
            reply_.unknown_type(around);
    }
    void control(envelope const& around) { reply_.control(around); }
    void error(envelope const& around, decode_error const& what) { reply_.bad(around, what); }

    [[nodiscard]] bool stopped() const
    {
        if constexpr (requires(Reply const& r) { { r.stopped() } -> std::convertible_to<bool>; })
            return std::as_const(reply_).stopped();
        else
            return false;
    }

private:
    /// Runs a handler. What it throws goes no further; `reply.threw` may look at `std::current_exception()`.
    template <class Handler>
    void guarded(envelope const& around, Handler&& handler)
    {
        using result = std::invoke_result_t<Handler&>;
        try {
            if constexpr (std::is_void_v<result>) {
                handler();
            } else if constexpr (requires(result&& value) { reply_.handled(around, std::forward<result>(value)); }) {
                return reply_.handled(around, handler());
            } else {
                (void)handler();
            }
        } catch (...) {
            return reply_.threw(around);
        }
        reply_.handled(around);
    }

    App& app_;
    Session& session_;
    Reply& reply_;
};

}  // namespace detail

/// Decodes a payload and calls the application for each event in it, in order: `app.on(session, event, envelope)` where
/// there is such an overload, else `app.on(session, event)`; `app.on_unknown(session, envelope)` for a type that is not
/// in `App::accepts`. Call on the session's shard.
///
/// | Expression                          | When                                                                       |
/// |-------------------------------------|----------------------------------------------------------------------------|
/// | `reply.handled(envelope)`           | a handler returned                                                         |
/// | `reply.handled(envelope, result)`   | instead, where it exists and the handler returned a value                  |
/// | `reply.threw(envelope)`             | a handler threw; called inside the catch                                   |
/// | `reply.unknown_type(envelope)`      | no such event, and no `on_unknown`                                         |
/// | `reply.bad(envelope, decode_error)` | refused by the serializer; the envelope has what was read before the fault |
/// | `reply.control(envelope)`           | the type begins with `$`                                                   |
/// | `reply.stopped()`                   | optional: true ends the payload, say because the session was closed        |
template <class Serializer, class App, class Session, class Reply>
void dispatch(App& app, Session& session, std::span<char> payload, decode_limits const& limits, Reply& reply)
{
    detail::dispatcher<App, Session, Reply> visitor(app, session, reply);
    Serializer::template decode<accepted_events<App>>(payload, limits, visitor);
}

/// Hands a message without envelope to `app.on(session, message)`; else `reply.unknown_type`. For frames that the
/// serializer does not read: binary ones under `serializer::json`.
template <class App, class Session, class Reply>
void dispatch_message(App& app, Session& session, message const& received, Reply& reply)
{
    detail::dispatcher<App, Session, Reply>(app, session, reply).event(envelope{}, message{received});
}

}  // namespace polycast::inline v0
