#pragma once

#include <polycast/event/control.hpp>
#include <polycast/event/envelope.hpp>
#include <polycast/outbox/shared_frame.hpp>
#include <polycast/room/histories.hpp>
#include <polycast/session/hooks.hpp>
#include <polycast/session/port.hpp>
#include <polycast/session/session.hpp>

namespace polycast::inline v0::detail {

/// What a client's `$join` and `$leave` do, and what it is given of a room's past. They are requests: one that comes again
/// is answered as it was.
template <class Shard, class Answers>
struct joining {
    using session_type = typename Shard::session_type;
    using C = typename Shard::composition_type;

    Shard& shard;
    session_type& s;
    Answers& answers;

    void join(envelope const& e)
    {
        if constexpr (C::isolation::reaches_rooms) {
            auto const& options = shard.options();
            if (e.room.empty() || e.room.size() > options.max_room_name_bytes)
                return answer(e, control::error_reply{"bad_field", "room: missing, or longer than is allowed"});
            if (s.groups.size() >= options.max_rooms_per_session && !s.is_member(e.room))
                return answer(e, control::error_reply{"overloaded", "a member of too many rooms"});
            bool allowed = C::isolation::clients_join_freely;
            if constexpr (has_may_join<typename Shard::app_type, session_type>)
                if (!shard.guarded([&] { allowed = shard.app().may_join(s, e.room); }))
                    allowed = false;
            if (!allowed)
                return answer(e, control::error_reply{"forbidden", "this room is not open to you"});
            if constexpr (keeps_histories<C>)
                if (shard.shared().histories.enabled())
                    return join_with_history(e);
            s.join(e.room);
            answer(e, control::ok{.room = e.room});
        } else {
            answer(e, control::error_reply{"no_such_room", "there are no rooms here"});
        }
    }
    void leave(envelope const& e)
    {
        if constexpr (C::isolation::reaches_rooms)
            if (s.leave(e.room))
                return answer(e, control::ok{.room = e.room});
        answer(e, control::error_reply{"not_joined", "not a member of this room"});
    }

private:
    /// Between what is replayed and what comes live there is neither a hole nor an overlap: the room is locked, and what
    /// was emitted before is not for this member.
    void join_with_history(envelope const& e)
    {
        auto& histories = shard.shared().histories;
        auto const now = shard.loop().wall_now();
        for (;;) {
            auto const room = histories.find(e.room);
            if (!room) {
                bool const joined = s.join(e.room);
                if (!histories.find(e.room))  // then nothing was emitted before it was a member
                    return joined_at(e, histories.join(e.room, e.since, e.epoch, now));
                if (joined)
                    s.leave(e.room);
                continue;
            }
            auto const locked = room->lock();
            s.join(e.room);
            shard.take_mail();
            return joined_at(e, room->join(e.since, e.epoch == histories.epoch(), now));
        }
    }
    void joined_at(envelope const& e, room_history::answer at)
    {
        // Of a past that does not fit the outbox a part would be dropped: then it is denied as a whole.
        std::size_t bytes = 0;
        for (frame_ref const& frame : at.replay)
            bytes += frame->wire_bytes();
        if (!at.replay.empty() && !shard.out().has_room(s, bytes, at.replay.size())) {
            at.recovered = false;
            at.replay.clear();
        }
        control::ok ok{.room = e.room, .offset = at.offset, .epoch = shard.shared().histories.epoch()};
        ok.recovered = at.recovered;
        answer(e, ok);
        for (frame_ref const& frame : at.replay)
            static_cast<void>(
                shard.out().enqueue(s, frame, {.critical = true, .event = true, .room = room_hash(e.room), .alone = true}));
    }
    template <class Reply>
    void answer(envelope const& e, Reply const& reply)
    {
        answers.answer_once(e, reply);
    }
};

}  // namespace polycast::inline v0::detail
