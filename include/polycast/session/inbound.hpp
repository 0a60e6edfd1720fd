#pragma once

#include <polycast/compression/policy.hpp>
#include <polycast/event/control.hpp>
#include <polycast/event/dispatch.hpp>
#include <polycast/frame/error.hpp>
#include <polycast/frame/utf8.hpp>
#include <polycast/message/control.hpp>
#include <polycast/serializer/error.hpp>
#include <polycast/outbox/encode.hpp>
#include <polycast/session/hooks.hpp>
#include <polycast/session/keepalive.hpp>
#include <polycast/session/session.hpp>

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>

namespace polycast::inline v0::detail {

/// What the assembler and the dispatcher call for one session: messages become events, control becomes answers.
template <class Shard>
struct inbound {
    using session_type = typename Shard::session_type;
    using C = typename Shard::composition_type;
    static constexpr bool is_raw = C::serializer::name == "raw";

    Shard& shard;
    session_type& s;

    // --- for the assembler -----------------------------------------------------------------------------------------

    bool message(opcode op, std::span<char> payload, bool compressed)
    {
        if (s.phase_ != phase::open && s.phase_ != phase::greeting)
            return s.phase_ == phase::closing;  // our close frame is out: what still comes is not looked at
        shard.observe().count(metric::messages_in, 1);
        ++s.record_.messages_in;
        if (!compressed || inflate(op, payload)) {
            if constexpr (is_raw)
                raw(op, payload);
            else
                events(op, payload);
        }
        return s.phase_ == phase::open || s.phase_ == phase::closing;
    }
    bool ping(std::span<char> payload)
    {
        if (s.phase_ == phase::open || s.phase_ == phase::greeting)
            shard.out().pong(s, pong_frame({payload.data(), payload.size()}).view());
        return true;
    }
    bool pong(std::span<char> payload)
    {
        keepalive<Shard>::pong(shard, s, payload);
        return true;
    }
    void close(std::optional<close_code> code, std::string_view reason)
    {
        shard.peer_closed(s, code, reason);
    }

    // --- for the decoder: the first message opens a session that was waiting for it -----------------------------------

    template <class E>
    void event(envelope const& e, E&& received)
    {
        if (begun() && !seen(e))
            dispatcher_type(shard.app(), s, *this).event(e, std::forward<E>(received));
    }
    void unknown(envelope const& e)
    {
        if (begun() && !seen(e))
            dispatcher_type(shard.app(), s, *this).unknown(e);
    }
    void error(envelope const& e, decode_error const& what)
    {
        if (begun())
            bad(e, what);
    }
    [[nodiscard]] bool stopped() const noexcept { return s.phase_ != phase::open && s.phase_ != phase::greeting; }

    /// Reads the events of a payload, and hands them on.
    void decode(std::span<char> payload, bool utf8_checked)
    {
        decode_limits limits;
        limits.utf8_checked = utf8_checked;
        C::serializer::template decode<accepted_events<typename Shard::app_type>>(payload, limits, *this);
    }

    // --- for the dispatcher ----------------------------------------------------------------------------------------

    void control(envelope const& e)
    {
        if (e.type == "$open")
            return greet(e);
        if (!begun())
            return;
        acknowledge(e);
        if (e.type == "$ping")
            answer(e, control::pong{});
        else if (e.type == "$join")
            join(e);
        else if (e.type == "$leave")
            leave(e);
        // WIRE: unknown `$` types are ignored.
    }
    void handled(envelope const& e)
    {
        if (!e.id.empty())
            answer_once(e, control::ok{});
    }
    /// A handler that returns an event has answered with it; one that returns an empty optional has agreed.
    template <polycast::event Reply>
    void handled(envelope const& e, Reply const& reply)
    {
        answer_once(e, reply);
    }
    template <polycast::event Reply>
    void handled(envelope const& e, std::optional<Reply> const& reply)
    {
        if (reply)
            answer_once(e, *reply);
        else
            handled(e);
    }
    void threw(envelope const& e)
    {
        // What the exception says is for the program, not for the client.
        shard.observe().count(metric::handler_errors, 1);
        ++s.record_.errors;
        answer_once(e, control::error_reply{"internal", "the event could not be handled"});
    }
    void unknown_type(envelope const& e)
    {
        ++s.record_.errors;
        answer(e, control::error_reply{"unknown_type", "no event of this type is accepted here"});
    }
    void bad(envelope const& e, decode_error const& error)
    {
        shard.observe().count(metric::bad_messages, 1);
        ++s.record_.errors;
        bool const in_field = !error.path.empty() && error.code != serializer_error::syntax;
        std::string const text = in_field ? error.path + ": " + error.message : error.message;
        answer(e, control::error_reply{in_field ? "bad_field" : "bad_message", text});
    }

    static void say_goodbye(Shard& shard, session_type& s)
    {
        if constexpr (!is_raw)
            if (!s.plain_)
                static_cast<void>(shard.emit_to(s, control::bye{.reason = "drain", .reconnect_after_ms = {200, 5000}}));
    }

private:
    using dispatcher_type = dispatcher<typename Shard::app_type, session_type, inbound>;

    /// False if the session did not survive its opening.
    [[nodiscard]] bool begun()
    {
        if (s.phase_ == phase::greeting)
            opening<Shard>::begin(shard, s);
        return s.phase_ == phase::open;
    }
    template <class Reply>
    void answer(envelope const& e, Reply const& reply)
    {
        static_cast<void>(shard.emit_to(s, reply, envelope_head{.id_json = e.id}));
    }

    /// The answer to a request that has run. In a session that is kept it is remembered, so that the request does not run
    /// again if it comes again; an event is in the log.
    template <class Reply>
    void answer_once(envelope const& e, Reply const& reply)
    {
        if constexpr (C::delivery::resumes)
            if (s.ledger_ && !e.id.empty()) {
                frame_ref remembered;
                if constexpr (event_control<Reply>) {
                    byte_buffer& text = encode_scratch();
                    if (C::serializer::encode(text, envelope_head{.id_json = e.id}, reply))
                        return;
                    remembered = shared_frame::message(C::serializer::frame_opcode, text.view());
                }
                auto const keep = shard.options().delivery.max_requests;
                shard.journal().requested(*s.ledger_, e.id, remembered ? remembered->payload() : std::string_view(), keep);
                s.ledger_->answer(e.id, remembered, keep);
                if (remembered)
                    return static_cast<void>(shard.out().answer(s, remembered));
            }
        answer(e, reply);
    }
    /// Whether `e` is a request that has run before: then it is answered as it was.
    [[nodiscard]] bool seen([[maybe_unused]] envelope const& e)
    {
        acknowledge(e);
        if constexpr (C::delivery::resumes)
            if (s.ledger_ && !e.id.empty())
                if (frame_ref const* const was = s.ledger_->answered(e.id)) {
                    shard.observe().count(metric::repeated, 1);
                    if (*was)
                        static_cast<void>(shard.out().answer(s, *was));
                    return true;
                }
        return false;
    }
    void acknowledge([[maybe_unused]] envelope const& e)
    {
        if constexpr (C::delivery::resumes)
            if (s.ledger_ && e.received)
                shard.keeps().acknowledge(s, *e.received);
    }

    /// WIRE, reliable mode: `$open` begins a session, or resumes one, whose connection this has become.
    void greet(envelope const& e)
    {
        bool const first = s.phase_ == phase::greeting;
        control::hello hello;
        if constexpr (C::delivery::resumes) {
            if (!first)
                return answer(e, control::error_reply{"bad_message", "$open: only as the first message"});
            hello.resumed = static_cast<bool>(s.ledger_);
            if (!s.ledger_)
                shard.keeps().begin(s);
            auto const& options = shard.options().delivery;
            hello.session = s.ledger_->name;
            hello.ack = {options.ack_every, static_cast<std::uint32_t>(options.ack_within.count())};
        }
        hello.epoch = shard.epoch();
        hello.heartbeat_ms = static_cast<std::uint64_t>(shard.options().heartbeat.interval.count());
        hello.max_message_bytes = shard.options().max_message_bytes;
        std::string url;
        std::uint8_t next_form = s.profile_;
        if constexpr (has_dictionary<typename C::compression>)
            if (auto const dictionary = shard.codec().dictionary();
                first && (next_form = shard.codec().hello_form(s.profile_)) != s.profile_) {
                url = dictionary_path(dictionary.id);
                hello.dictionary.value = control::dictionary_reference{dictionary.id, url};
            }
        if (first)
            s.phase_ = phase::open;
        // Past the mailbox: nothing may come before it.
        static_cast<void>(shard.out().emit(s, hello, envelope_head{.id_json = e.id}));
        set_profile(next_form);
        if (s.phase_ != phase::open)
            return;
        if (hello.resumed) {
            if constexpr (C::delivery::resumes)
                shard.keeps().resume(s, e.received.value_or(0));
        } else if (first) {
            opening<Shard>::begin(shard, s);
        }
    }
    void set_profile(std::uint8_t form)
    {
        if (s.admitted_ && form != s.profile_) {
            shard.shared().profiles.raise(form);
            shard.shared().profiles.lower(s.profile_);
        }
        s.profile_ = form;
    }
    /// True if `payload`, the first message, resumes a session: then the connection goes there, and the message with it.
    [[nodiscard]] bool moves([[maybe_unused]] std::span<char> payload)
    {
        if constexpr (C::delivery::resumes)
            if (s.phase_ == phase::greeting && !s.unknown_) {
                std::string first(payload.data(), payload.size());
                opening_word word;
                decode_limits limits;
                C::serializer::template decode<polycast::events<>>({first.data(), first.size()}, limits, word);
                if (handle const to = shard.keeps().wanted(s, word.type, word.session)) {
                    shard.keeps().moves(s, to, word.received, {payload.data(), payload.size()});
                    return true;
                }
            }
        return false;
    }
    /// What the first object of a payload says.
    struct opening_word {
        std::string type{}, session{};
        std::uint64_t received = 0;
        bool done = false;

        void control(envelope const& e)
        {
            type = e.type;
            session = e.session;
            received = e.received.value_or(0);
            done = true;
        }
        template <class E>
        void event(envelope const&, E&&)
        {
            done = true;
        }
        void unknown(envelope const&) { done = true; }
        void error(envelope const&, decode_error const&) { done = true; }
        [[nodiscard]] bool stopped() const noexcept { return done; }
    };


    /// A message that came with RSV1 (RFC 7692 §6.2). False if it was refused. `payload` is then what it inflates to.
    [[nodiscard]] bool inflate([[maybe_unused]] opcode op, [[maybe_unused]] std::span<char>& payload)
    {
        if constexpr (C::compression::has_extension) {
            if (!unpacked(payload, [&](byte_buffer& out, std::string_view in, std::size_t max_bytes) {
                    if constexpr (C::compression::keeps_context)
                        return s.context_->decompress(out, in, max_bytes);
                    else
                        return shard.codec().decompress(s.profile_, out, in, max_bytes);
                }))
                return false;
            if (op == opcode::text && !valid_utf8({payload.data(), payload.size()})) {
                std::error_code const ec = wire_error::invalid_utf8;
                shard.fail(s, close_code_for(ec), ec.message());
                return false;
            }
        }
        return true;
    }
    /// Replaces `payload` by what `decompress` makes of it; false if it was refused.
    template <class Decompress>
    [[nodiscard]] bool unpacked(std::span<char>& payload, Decompress decompress)
    {
        byte_buffer& out = shard.unpacked();
        out.clear();
        std::error_code const ec = decompress(out, {payload.data(), payload.size()}, shard.options().max_message_bytes);
        payload = {out.data(), out.size()};
        if (ec)
            shard.fail(s, ec == compression_error::too_large ? close_code::message_too_big : close_code::invalid_payload,
                       ec.message());
        return !ec;
    }

    void raw(opcode op, std::span<char> payload)
    {
        static_assert(takes_messages<typename Shard::app_type, session_type>,
                      "polycast: with serializer::raw the application needs `on(session, message const&)`.");
        polycast::message const m{{payload.data(), payload.size()}, op};
        if (!shard.guarded([&] { shard.app().on(s, m); }))
            shard.close(s, close_code::internal_error, "the message could not be handled");
    }

    void events(opcode op, std::span<char> payload)
    {
        bool utf8_checked = op == opcode::text;
        if constexpr (!C::compression::suffixes.empty()) {
            if (op == opcode::binary && s.profile_ != plain_profile &&
                C::compression::kind(s.profile_) == compression::form_kind::token) {
                if (!unpacked(payload, [&](byte_buffer& out, std::string_view in, std::size_t max_bytes) {
                        return shard.codec().decompress(s.profile_, out, in, max_bytes);
                    }))
                    return;
                op = C::serializer::frame_opcode;
                utf8_checked = false;
            }
        }
        if (op != C::serializer::frame_opcode)
            return shard.fail(s, close_code::unsupported_data, "events come in the other kind of frame");
        if (!moves(payload))
            decode(payload, utf8_checked);
    }

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
            if (shard.shared().histories.enabled())
                return join_with_history(e);
            s.join(e.room);
            answer(e, control::ok{.room = e.room});
        } else {
            answer(e, control::error_reply{"no_such_room", "there are no rooms here"});
        }
    }
    /// Between what is replayed and what comes live there is neither a hole nor an overlap: the room is locked, and what
    /// was emitted before is not for this member.
    void join_with_history(envelope const& e)
    {
        auto& histories = shard.shared().histories;
        auto const now = shard.loop().wall_now();
        bool const again = s.is_member(e.room);  // then what is replayed may be on its way already
        for (;;) {
            auto const room = histories.find(e.room);
            if (!room) {
                bool const joined = s.join(e.room);
                if (!histories.find(e.room))  // then nothing was emitted before it was a member
                    return joined_at(e, histories.join(e.room, e.since, e.epoch, now), again);
                if (joined)
                    s.leave(e.room);
                continue;
            }
            auto const locked = room->lock();
            s.join(e.room);
            shard.take_mail();
            return joined_at(e, room->join(e.since, e.epoch == histories.epoch(), now), again);
        }
    }
    void joined_at(envelope const& e, room_history::answer at, bool again)
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
            static_cast<void>(shard.out().enqueue(s, frame, {lane::normal, false, false, true, room_hash(e.room), again}));
    }
    void leave(envelope const& e)
    {
        if constexpr (C::isolation::reaches_rooms)
            if (s.leave(e.room))
                return answer(e, control::ok{.room = e.room});
        answer(e, control::error_reply{"not_joined", "not a member of this room"});
    }
};

}  // namespace polycast::inline v0::detail
