#pragma once

#include <polycast/compression/policy.hpp>
#include <polycast/event/control.hpp>
#include <polycast/event/dispatch.hpp>
#include <polycast/frame/error.hpp>
#include <polycast/frame/utf8.hpp>
#include <polycast/message/control.hpp>
#include <polycast/serializer/error.hpp>
#include <polycast/serializer/policy.hpp>
#include <polycast/outbox/encode.hpp>
#include <polycast/session/greeting.hpp>
#include <polycast/session/hooks.hpp>
#include <polycast/session/joining.hpp>
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
    static constexpr bool is_raw = !has_envelope<typename C::serializer>;

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
        shard.ends().peer_closed(s, code, reason);
    }

    /// What a message was put together in.
    void spent(byte_buffer&& payload) noexcept { shard.in().keep(std::move(payload)); }

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
            return greeting<Shard>{shard, s}.open(e);
        if (!begun())
            return;
        acknowledge(e);
        using joins = joining<Shard, inbound>;
        if (e.type == "$ping")
            answer(e, control::pong{});
        else if (e.type == "$join" && !seen(e))
            joins{shard, s, *this}.join(e);
        else if (e.type == "$leave" && !seen(e))
            joins{shard, s, *this}.leave(e);
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
    friend joining<Shard, inbound>;
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
    /// again if it comes again.
    template <class Reply>
    void answer_once(envelope const& e, Reply const& reply)
    {
        if constexpr (C::delivery::resumes)
            if (s.ledger_ && !e.id.empty()) {
                byte_buffer& text = encode_scratch();
                envelope_head head{.id_json = e.id};
                if (!event_control<Reply>)
                    head.timestamp = shard.loop().wall_now();
                if (C::serializer::encode(text, head, reply))
                    return;
                auto const frame = shared_frame::message(C::serializer::frame_opcode, text.view());
                auto const& options = shard.options().delivery;
                shard.journal().requested(*s.ledger_, e.id, event_control<Reply> ? frame->payload() : std::string_view(),
                                          options.max_requests);
                s.ledger_->remember(e.id, {frame, !event_control<Reply>}, options.max_requests, options.max_log_bytes);
                if constexpr (event_control<Reply>)
                    return static_cast<void>(shard.out().answer_again(s, *frame));
                frame->mark_joinable();
                return static_cast<void>(shard.out().enqueue(s, frame, urgency_of<Reply>));
            }
        answer(e, reply);
    }
    /// Whether `e` is a request that has run before: then it is answered as it was. An event that the log still has, or a
    /// lane, comes from there.
    [[nodiscard]] bool seen([[maybe_unused]] envelope const& e)
    {
        acknowledge(e);
        if constexpr (C::delivery::resumes)
            if (s.ledger_ && !e.id.empty())
                if (auto const* const was = s.ledger_->answered(e.id)) {
                    shard.observe().count(metric::repeated, 1);
                    if (!was->event)
                        static_cast<void>(shard.out().answer_again(s, *was->frame));
                    else if (!was->frame)
                        answer(e, control::ok{});  // what it was, an earlier process knew
                    else if (!s.ledger_->holds(was->frame.get()) && !s.box_.holds(was->frame.get()))
                        static_cast<void>(shard.out().enqueue(s, frame_ref(was->frame), {.event = true, .alone = true}));
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
                shard.ends().fail(s, close_code_for(ec), ec.message());
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
            shard.ends().fail(s, ec == compression_error::too_large ? close_code::message_too_big : close_code::invalid_payload,
                       ec.message());
        return !ec;
    }

    void raw(opcode op, std::span<char> payload)
    {
        static_assert(takes_messages<typename Shard::app_type, session_type>,
                      "polycast: with serializer::raw the application needs `on(session, message const&)`.");
        polycast::message const m{{payload.data(), payload.size()}, op};
        if (!shard.guarded([&] { shard.app().on(s, m); }))
            shard.ends().close(s, close_code::internal_error, "the message could not be handled");
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
            return shard.ends().fail(s, close_code::unsupported_data, "events come in the other kind of frame");
        if (!greeting<Shard>{shard, s}.moves(payload))
            decode(payload, utf8_checked);
    }
};

}  // namespace polycast::inline v0::detail
