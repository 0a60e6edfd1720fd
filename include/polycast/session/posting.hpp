#pragma once

#include <polycast/delivery/retry.hpp>
#include <polycast/event/describe.hpp>
#include <polycast/event/envelope.hpp>
#include <polycast/session/port.hpp>

#include <chrono>
#include <concepts>
#include <cstdint>
#include <memory>
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

/// Encodes an event for a room and hands it to `deliver(posted)`. In a room with a history it takes the next offset and
/// is kept; the room is locked until it is delivered, so that offsets arrive everywhere in their order. `begin()` is called
/// first, in the lock. `deliver` posts to the shards of `mask`: to all, or, if one has no room, to none.
template <class C, class Event, class Count, class Begin, class Deliver>
[[nodiscard]] sent emit_to_room(port<C>& to, posted<C>&& p, std::uint64_t mask, Event const& event, Count count, Begin begin,
                                Deliver deliver)
{
    envelope_head head{.room = p.name, .timestamp = to.wall_now()};
    p.urgent = urgency_of<Event>;
    auto const encode = [&](auto wanted) {
        return !encode_event<C>(p.frames, to.codec, head, event, wanted, count);
    };
    auto const wanted = to.profiles_in_use();
    if constexpr (keeps_histories<C>) {
        if (to.histories.enabled()) {
            auto const room = to.histories.open(
                p.name, [&](std::string_view name, std::uint64_t floor) { to.forget_room(name, floor); });
            auto const locked = room->lock();
            begin();
            head.offset = p.offset = room->next_offset();
            p.urgent.lane = lane::normal;  // one lane for all: who has seen an offset has seen those below
            p.urgent.room = room_hash(p.name);
            if (!encode([&](std::size_t profile) { return profile == plain_profile || wanted(profile); }))
                return {outcome::refused, 0, 0, 0};
            if (!to.has_room(mask, p.bytes()))
                return to.refused(mask);
            p.trimmed_to = room->keep(p.frames[plain_profile], *head.timestamp).to;
            return deliver(p);
        }
    }
    begin();
    if (!encode(wanted))
        return {outcome::refused, 0, 0, 0};
    return to.has_room(mask, p.bytes()) ? deliver(p) : to.refused(mask);
}

/// Keeps an event for a user who has no session.
template <class C, class Event, class Count>
[[nodiscard]] sent keep_for_later(port<C>& to, posted<C>& p, Event const& event, Count count)
{
    sent result;
    envelope_head const head{.timestamp = to.wall_now(), .recovered = true};
    auto const plain_only = [](std::size_t profile) { return profile == plain_profile; };
    if (encode_event<C>(p.frames, to.codec, head, event, plain_only, count))
        return {outcome::refused, 0, 0, 0};
    auto const [kept, forgotten] = to.users.keep_offline(p.name, p.frames[plain_profile], urgency_of<Event>);
    for (std::size_t i = 0; i < forgotten; ++i)
        count(metric::gone);
    if (kept) {
        count(metric::offline);
        result.count(outcome::queued);
    }
    return result;
}

/// Encodes `event` on this thread, once a profile in use, and posts it to the shards it concerns. Any thread.
template <class C, class Event>
[[nodiscard]] sent post_event(port<C>& to, posted<C>&& p, Event const& event)
{
    auto const count = [&](metric m) { to.shared_observer.count_shared(m, 1); };
    auto mask = to.is_open() ? shards_for(to, p) : 0;
    if (mask == 0) {
        if constexpr (C::delivery::resumes && !event_control<Event>)
            if (p.kind == audience_kind::user && to.is_open())
                if (sent const kept = keep_for_later(to, p, event, count); kept.status != outcome::gone)
                    return kept;
        mask = to.is_open() ? shards_for(to, p) : 0;  // a session may have come in between
        if (mask == 0)
            return {};
    }
    if (p.kind == audience_kind::room)
        return emit_to_room(
            to, std::move(p), mask, event, count, [] {}, [&](posted<C> const& made) { return to.post_surely(mask, made); });
    envelope_head const head{.timestamp = to.wall_now()};
    p.urgent = urgency_of<Event>;
    if (encode_event<C>(p.frames, to.codec, head, event, to.profiles_in_use(), count))
        return {outcome::refused, 0, 0, 0};
    return to.post(mask, p);
}

/// The same, tried again while its outcome may change; `sleep(delay)` is called in between, on this thread.
template <class C, class Event, class Sleep>
[[nodiscard]] sent post_event(port<C>& to, posted<C> const& p, Event const& event, retry_options const& options, Sleep&& sleep)
{
    return with_retry(
        options, [&] { return post_event(to, posted<C>(p), event); },
        [&](std::chrono::milliseconds delay) {
            sleep(delay);
            to.shared_observer.count_shared(metric::retries, 1);
        });
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
