#pragma once

#include <polycast/detail/byte_buffer.hpp>
#include <polycast/event/control.hpp>
#include <polycast/event/envelope.hpp>
#include <polycast/frame/close_code.hpp>
#include <polycast/handshake/error.hpp>
#include <polycast/session/client_id.hpp>
#include <polycast/session/client_memory.hpp>
#include <polycast/session/client_requests.hpp>
#include <polycast/session/client_rooms.hpp>
#include <polycast/session/client_session.hpp>
#include <polycast/session/hooks.hpp>
#include <polycast/session/session.hpp>

#include <atomic>
#include <cstdint>
#include <optional>
#include <string_view>
#include <system_error>

namespace polycast::inline v0::detail {

/// Reliable mode (WIRE) at the client's end: says `$open`, waits for `$hello`, counts, acknowledges, joins again, and
/// tells the application. What it remembers is in `client_memory`, `client_rooms` and `client_requests`.
template <class Link>
class client_delivery {
public:
    explicit client_delivery(Link& link) : link_(link), ack_timer_(link.loop_), drain_timer_(link.loop_) {}

    // From any thread ---------------------------------------------------------------------------------------------

    [[nodiscard]] std::uint64_t fresh_id() noexcept { return last_id_.fetch_add(1, std::memory_order_relaxed) + 1; }
    /// The server keeps nothing: ids mean nothing to it.
    [[nodiscard]] bool is_plain() const noexcept { return plain_; }
    void ask(std::string_view room, bool wanted) { rooms_.ask(room, wanted); }

    // On the loop's thread ----------------------------------------------------------------------------------------

    /// The server has answered the upgrade, and chose a token or not.
    void begin(bool plain)
    {
        plain_ = plain;
        link_.outbox_.set_plain(plain);
        if (plain)
            return link_.begin_session();
        greeting_ = true;
        byte_buffer text;
        if (!serializer::encode(text, envelope_head{}, memory_.open()))
            link_.output_.first(text.view(), serializer::frame_opcode);
    }
    void disconnected()
    {
        in_session_ = greeting_ = ack_due_ = draining_ = false;
        ack_timer_.cancel();
        drain_timer_.cancel();
    }
    /// Whether messages of the application may go, and those that come count.
    [[nodiscard]] bool in_session() const noexcept { return in_session_; }
    [[nodiscard]] bool greeting() const noexcept { return greeting_; }

    void control(envelope const& said)
    {
        if (said.type == "$hello" && greeting_)
            greeted(said);
        else if (!in_session_)
            return;
        else if (said.type == "$gap" && said.to)
            skipped(said);
        else if (said.type == "$ok" || said.type == "$error")
            answered(said);
    }
    /// Calls `hand_on()` for an event that has not come before, and counts it in any case.
    template <class HandOn>
    void event(envelope const& around, HandOn&& hand_on)
    {
        if (!in_session_)
            return;  // none is to come before `$hello`
        memory_.count();
        if (around.offset && !around.room.empty() && !rooms_.is_new(around.room, *around.offset))
            return;
        std::uint64_t const id = client_id(around.id);
        if (link_.outbox_.was_answered_by_event(id))
            return;  // the answer, said again
        auto const answer = link_.outbox_.answered(id, true);
        hand_on();
        if (answer == client_requests::answer::to_request)
            tell_answer(id, around);
    }
    /// At the end of each turn, before what there is to say is written.
    void turn_ends()
    {
        if (!in_session_ || !memory_.owes_ack())
            return;
        if (memory_.ack_is_due())
            ack_due_ = true;
        else if (!ack_timer_on_) {
            ack_timer_on_ = true;
            ack_timer_.start(memory_.ack_within(), link_.bound([](Link& self) { self.delivery_.ack_timer_rang(); }));
        }
    }
    /// Appends what goes before messages. False if none may go now.
    bool fill(byte_buffer& out)
    {
        if (!in_session_)
            return plain_;
        bool const said = rooms_.say(
            [&](auto const& message, std::uint64_t id) { append(out, message, client_id_text(id).view()); },
            [&] { return fresh_id(); });
        if (memory_.owes_ack() && (ack_due_ || link_.phase_ == Link::phase::closing)) {
            append(out, memory_.ack(), {});
            ack_due_ = ack_timer_on_ = false;
            ack_timer_.cancel();
        }
        return said;
    }
    /// Whether a client that is to stop may close: all is answered, or was long enough in coming.
    [[nodiscard]] bool may_close()
    {
        if (plain_ || link_.outbox_.queued_messages() == 0)
            return true;
        if (!draining_) {
            draining_ = true;
            drain_timer_.start(link_.options_.close_timeout, link_.bound([](Link& self) { self.delivery_.waited(); }));
        }
        return false;
    }
    /// `stop()` waits for answers.
    [[nodiscard]] bool draining() const noexcept { return draining_; }

    /// Why a connection that ended before `$hello` did.
    [[nodiscard]] static std::error_code why(close_info const& info) noexcept
    {
        switch (info.code) {
        case close_code::unauthorized: return handshake_error::unauthorized;
        case close_code::policy_violation:
        case close_code::blocked:
        case close_code::origin: return handshake_error::forbidden;
        default: return std::make_error_code(std::errc::connection_aborted);
        }
    }

private:
    using serializer = typename Link::serializer;
    using app = typename Link::app_type;
    using session = typename Link::session_type;

    void greeted(envelope const& said)
    {
        auto const how = memory_.hello(said);
        rooms_.begin(how != client_memory::greeting::anew, how != client_memory::greeting::resumed_elsewhere);
        greeting_ = false;
        in_session_ = true;
        link_.begin_session();
        if constexpr (has_client_resumed<app, session>)
            if (how != client_memory::greeting::anew)
                link_.guarded([&] { link_.app_.resumed(link_.session_); });
    }
    void skipped(envelope const& said)
    {
        memory_.skip(*said.to);
        link_.outbox_.again();  // an answer may be among what was lost; the server knows the ids
        if constexpr (has_client_gap<app, session>)
            link_.guarded([&] { link_.app_.gap(link_.session_, said.from.value_or(0), *said.to, said.reason); });
    }
    void answered(envelope const& said)
    {
        std::uint64_t const id = client_id(said.id);
        if (auto const room = rooms_.answered(id, said))
            tell_room(*room, said);
        else if (link_.outbox_.answered(id, false) == client_requests::answer::to_request)
            tell_answer(id, said);
    }
    void tell_room([[maybe_unused]] client_room_answer const& room, [[maybe_unused]] envelope const& said)
    {
        if (!room.joining)
            return;
        if constexpr (has_client_joined<app, session>)
            if (room.granted)
                link_.guarded([&] { link_.app_.joined(link_.session_, room.room, room.recovered); });
        if constexpr (has_client_join_refused<app, session>)
            if (!room.granted)
                link_.guarded([&] { link_.app_.join_refused(link_.session_, room.room, said); });
    }
    void tell_answer([[maybe_unused]] std::uint64_t id, [[maybe_unused]] envelope const& said)
    {
        if constexpr (has_client_answered<app, session>)
            link_.guarded([&] { link_.app_.answered(link_.session_, id, said); });
    }
    void ack_timer_rang()
    {
        ack_timer_on_ = false;
        ack_due_ = true;
    }
    void waited() { link_.closing_.leave(close_code::normal, {}, true); }

    template <class Control>
    void append(byte_buffer& out, Control const& message, std::string_view id)
    {
        text_.clear();
        if (!serializer::encode(text_, envelope_head{.id_json = id}, message))
            link_.output_.append_message(out, {text_.view(), serializer::frame_opcode, true});
    }

    Link& link_;
    std::atomic<std::uint64_t> last_id_{0};
    std::atomic<bool> plain_{false};
    client_memory memory_;
    client_rooms rooms_;
    typename Link::timer ack_timer_, drain_timer_;
    byte_buffer text_;
    bool greeting_ = false;  ///< `$hello` is to come
    bool in_session_ = false;
    bool ack_due_ = false;
    bool ack_timer_on_ = false;
    bool draining_ = false;
};

/// For a delivery that does not resume.
template <class Link>
struct no_client_delivery {
    explicit no_client_delivery(Link&) noexcept {}
};

}  // namespace polycast::inline v0::detail
