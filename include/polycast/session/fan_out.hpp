#pragma once

#include <polycast/event/describe.hpp>
#include <polycast/session/port.hpp>
#include <polycast/session/posting.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace polycast::inline v0::detail {

/// Hands the frame of each receiver's profile to its outbox. A receiver costs a reference and a place in a queue.
template <class Shard, class Sessions, class C>
void fan_out(Shard& shard, Sessions const& to, posted<C> const& p, sent& result)
{
    auto const count = to.size();
    for (std::size_t i = 0; i < count; ++i) {
        auto* const s = to[i];
        if (i + 2 < count)
            to[i + 2]->prefetch();
        if (p.except && s->handle() == p.except)
            continue;
        if (auto const& frame = p.frames[shard.profile(*s)])
            if (auto const o = shard.out().enqueue(*s, shard.out().refer(frame), p.urgent); o != outcome::gone)
                result.count(o);
    }
}

/// Delivers on this shard what was posted to it.
template <class Shard, class C>
sent fan_out_local(Shard& shard, posted<C> const& p)
{
    sent result;
    switch (p.kind) {
    case audience_kind::session:
        if (auto* const s = shard.find(p.to))
            fan_out(shard, std::array{s}, p, result);
        break;
    case audience_kind::user:
        if (auto* const g = shard.users().find(p.name))
            fan_out(shard, g->members, p, result);
        break;
    case audience_kind::room:
        if (auto* const g = shard.rooms().find(p.name))
            fan_out(shard, g->members, p, result);
        break;
    case audience_kind::everyone:
        shard.for_each_session([&](auto& s) { fan_out(shard, std::array{&s}, p, result); });
        break;
    }
    return result;
}

/// The members of a room as a handler addresses them: on this shard at once, on the others through their mailboxes.
template <class Shard>
class local_audience {
public:
    using C = typename Shard::composition_type;

    local_audience(Shard& shard, std::string_view room, bool allowed) : shard_(shard), allowed_(allowed)
    {
        to_.kind = audience_kind::room;
        to_.name = room;
    }
    /// Leaves one session out.
    [[nodiscard]] local_audience&& except(handle h) &&
    {
        to_.except = h;
        return std::move(*this);
    }
    /// Sends an event to each member, encoded once.
    template <event Event>
    sent emit(Event const& event) &&
    {
        if (!allowed_)
            return {outcome::refused, 0, 0, 0};
        if (nobody_listens())
            return {};
        return emit_to_room(
            shard_.shared(), std::move(to_), others(), event, shard_.counter(), [this] { shard_.take_mail(); },
            [this](posted<C> const& made) { return deliver(made); });
    }
    /// Sends a message as it is.
    sent send(std::string_view payload, opcode op = opcode::text) &&
    {
        if (!is_data(op) || !allowed_)
            return {outcome::refused, 0, 0, 0};
        if (nobody_listens())
            return {};
        shard_.take_mail();
        auto& shared = shard_.shared();
        to_.frames = encode_message<C>(shared.codec, payload, op, shared.profiles_in_use(), shard_.counter());
        return shared.has_room(others(), to_.bytes()) ? deliver(to_) : shared.refused(others());
    }

private:
    [[nodiscard]] std::uint64_t others() const
    {
        return shard_.shared().every_shard() & ~(std::uint64_t{1} << shard_.index());
    }
    [[nodiscard]] bool nobody_listens() const
    {
        return others() == 0 && shard_.rooms().find(to_.name) == nullptr && !shard_.shared().histories.enabled();
    }
    sent deliver(posted<C> const& made)
    {
        shard_.log().sends(made);
        sent result = fan_out_local(shard_, made);
        if (made.offset != 0 && result.receivers == 0)
            result.status = outcome::queued;  // for those who will ask for it
        if (others() != 0) {
            auto const elsewhere = shard_.shared().post_surely(others(), made);
            result.status = result.receivers == 0 || elsewhere.status < result.status ? elsewhere.status : result.status;
            result.receivers += elsewhere.receivers;
            result.queued += elsewhere.queued;
            result.refused += elsewhere.refused;
        }
        return result;
    }

    Shard& shard_;
    bool allowed_;
    posted<C> to_{};
};

}  // namespace polycast::inline v0::detail
