#pragma once

#include <polycast/event/describe.hpp>
#include <polycast/event/envelope.hpp>
#include <polycast/session/port.hpp>

#include <cstdint>
#include <string_view>
#include <utility>

namespace polycast::inline v0::detail {

/// The shards that an emission concerns: none if nobody is there to receive it.
template <class C>
[[nodiscard]] std::uint64_t shards_for(port<C> const& to, posted<C> const& p)
{
    switch (p.kind) {
    case audience_kind::session:
        return p.to && to.shards() > p.to.shard && to.alive[p.to.shard].open(p.to) ? std::uint64_t{1} << p.to.shard : 0;
    case audience_kind::user: return to.users.shards_of(p.name);
    case audience_kind::room:
    case audience_kind::everyone: break;
    }
    return to.every_shard();
}

/// Encodes `event` on this thread, once a profile in use, and posts it to the shards it concerns. Any thread.
template <class C, class Event>
[[nodiscard]] sent post_event(port<C>& to, posted<C>&& p, Event const& event)
{
    auto const mask = to.is_open() ? shards_for(to, p) : 0;
    if (mask == 0)
        return {};
    envelope_head head;
    if (p.kind == audience_kind::room)
        head.room = p.name;
    head.timestamp = to.wall_now();
    p.urgent = urgency_of<Event>;
    auto const count = [&](metric m) { to.shared_observer.count_shared(m, 1); };
    if (encode_event<C>(p.frames, to.codec, head, event, to.profiles_in_use(), count))
        return {outcome::refused, 0, 0, 0};
    return to.post(mask, p);
}

/// The same for a message that is no event.
template <class C>
[[nodiscard]] sent post_message(port<C>& to, posted<C>&& p, std::string_view payload, opcode op)
{
    if (!is_data(op))
        return {outcome::refused, 0, 0, 0};
    auto const mask = to.is_open() ? shards_for(to, p) : 0;
    if (mask == 0)
        return {};
    p.frames = encode_message<C>(to.codec, payload, op, to.profiles_in_use(),
                                 [&](metric m) { to.shared_observer.count_shared(m, 1); });
    return to.post(mask, p);
}

}  // namespace polycast::inline v0::detail
