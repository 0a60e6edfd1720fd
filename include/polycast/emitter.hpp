#pragma once

#include <polycast/fwd.hpp>
#include <polycast/session/posting.hpp>
#include <polycast/session/scoped_emitter.hpp>

#include <memory>
#include <string_view>
#include <utility>

namespace polycast::inline v0 {

/// Receivers chosen by an emitter: one call of `emit` or `send` goes to all of them, encoded once.
template <class C>
class audience {
public:
    audience(std::shared_ptr<detail::port<C>> const& port, detail::posted<C>&& to) : port_(port), to_(std::move(to)) {}

    /// Leaves one session out.
    [[nodiscard]] audience&& except(handle h) &&
    {
        to_.except = h;
        return std::move(*this);
    }
    /// Encodes `event` on this thread and posts it. `gone` if nobody is there, `refused` if it does not encode,
    /// `over_budget` if a shard's mailbox is full.
    template <event Event>
    sent emit(Event const& event) &&
    {
        return port_ ? detail::post_event(*port_, std::move(to_), event) : sent{};
    }
    /// The same, from a thread of the program's own: while the outcome is `over_budget` or `gone`, waits and tries again
    /// (`retry_options`); `metric::retries` counts. Not in a handler: it would hold up every session of the shard.
    template <event Event>
    sent emit(Event const& event, retry_options const& options) &&
    {
        return std::move(*this).emit(event, options, detail::sleep_here);
    }
    /// The same; `sleep(delay)` waits.
    template <event Event, std::invocable<std::chrono::milliseconds> Sleep>
    sent emit(Event const& event, retry_options const& options, Sleep&& sleep) &&
    {
        return port_ ? detail::post_event(*port_, to_, event, options, sleep) : sent{};
    }
    /// Posts a message as it is, outside of events.
    sent send(std::string_view payload, opcode op = opcode::text) &&
    {
        return port_ ? detail::post_message(*port_, std::move(to_), payload, op) : sent{};
    }

private:
    std::shared_ptr<detail::port<C>> port_;
    detail::posted<C> to_;
};

/// Emits to a server's sessions from any thread. A value: copy it and keep it; a default one, or one whose server has
/// stopped, answers `outcome::gone`. Whom it can address is what the isolation policy allows: what is not allowed has
/// no member. It knows the policies but not the application, so an application may hold one.
///
/// ```cpp
/// pc::emitter<pc::isolation::per_user<3>> out = server.emitter();
/// out.to_user("ada").emit(progress{40});
/// ```
template <class C>
class basic_emitter {
public:
    using composition = C;

    basic_emitter() = default;
    explicit basic_emitter(std::shared_ptr<detail::port<C>> port) : port_(std::move(port)) {}

    /// One connection.
    [[nodiscard]] audience<C> to_session(handle h) const
    {
        return {port_, {.kind = detail::audience_kind::session, .to = h}};
    }
    /// All connections of a user.
    [[nodiscard]] audience<C> to_user(std::string_view user) const
        requires C::isolation::reaches_users
    {
        return {port_, {.kind = detail::audience_kind::user, .name = std::string(user)}};
    }
    /// All members of a room.
    [[nodiscard]] audience<C> to_room(std::string_view room) const
        requires C::isolation::reaches_rooms
    {
        return {port_, {.kind = detail::audience_kind::room, .name = std::string(room)}};
    }
    /// Everybody.
    [[nodiscard]] audience<C> to_all() const
        requires C::isolation::reaches_everyone
    {
        return {port_, {.kind = detail::audience_kind::everyone}};
    }
    /// An emitter that can reach that user and nobody else: give this to code that works for one user.
    [[nodiscard]] scoped_emitter<C> for_user(std::string_view user) const
        requires C::isolation::reaches_users
    {
        return {port_, user};
    }

private:
    std::shared_ptr<detail::port<C>> port_{};
};

}  // namespace polycast::inline v0
