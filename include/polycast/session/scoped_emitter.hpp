#pragma once

#include <polycast/event/describe.hpp>
#include <polycast/session/port.hpp>
#include <polycast/session/posting.hpp>

#include <memory>
#include <string>
#include <utility>

namespace polycast::inline v0 {

/// Reaches one user's connections, or one session, and has no member that reaches anyone else. A value: copy it, keep
/// it, use it from any thread, also after the server has gone (`outcome::gone`).
template <class C>
class scoped_emitter {
public:
    scoped_emitter() = default;
    scoped_emitter(std::shared_ptr<detail::port<C>> to, std::string_view user) : port_(std::move(to)), user_(user) {}
    scoped_emitter(std::shared_ptr<detail::port<C>> to, handle session) : port_(std::move(to)), session_(session) {}

    /// Sends to every connection of the user. `gone` if there is none.
    template <event Event>
    sent emit(Event const& event) const
    {
        return port_ ? detail::post_event(*port_, receivers(), event) : sent{};
    }
    /// The same, from a thread of the program's own: while the outcome is `over_budget` or `gone`, waits and tries again
    /// (`retry_options`); `metric::retries` counts. Not in a handler.
    template <event Event>
    sent emit(Event const& event, retry_options const& options) const
    {
        return port_ ? detail::post_event(*port_, receivers(), event, options, detail::sleep_here) : sent{};
    }
    /// Lets go; every later emission is `gone`. May be called again.
    void dispose() noexcept { port_.reset(); }

    [[nodiscard]] std::string const& user() const noexcept { return user_; }

private:
    [[nodiscard]] detail::posted<C> receivers() const
    {
        if (user_.empty())
            return {.kind = detail::audience_kind::session, .to = session_};
        return {.kind = detail::audience_kind::user, .name = user_};
    }

    std::shared_ptr<detail::port<C>> port_{};
    std::string user_{};
    handle session_{};
};

}  // namespace polycast::inline v0
