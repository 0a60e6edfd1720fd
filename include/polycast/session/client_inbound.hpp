#pragma once

#include <polycast/detail/byte_buffer.hpp>
#include <polycast/event/dispatch.hpp>
#include <polycast/event/envelope.hpp>
#include <polycast/frame/close_code.hpp>
#include <polycast/frame/opcode.hpp>
#include <polycast/message/control.hpp>
#include <polycast/observer/policy.hpp>
#include <polycast/session/client_session.hpp>

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace polycast::inline v0::detail {

/// What the assembler and the dispatcher call for a client: messages become events.
template <class Link>
class client_inbound {
public:
    explicit client_inbound(Link& link) noexcept : link_(link) {}

    // --- for the assembler ---

    bool message(opcode op, std::span<char> payload, bool)
    {
        // After our close frame the server's messages are read for its own, and not handed on.
        if (link_.phase_ != Link::phase::open)
            return true;
        link_.observer_.count(metric::messages_in, 1);
        bool is_events = link_.speaks_polycast && op == serializer::frame_opcode;
        decode_limits limits;
        limits.utf8_checked = op == opcode::text;
        byte_buffer unpacked;
        if constexpr (Link::compression::compresses)
            if (link_.compressed_ && op == opcode::binary) {
                std::string_view const packed{payload.data(), payload.size()};
                is_events = !Link::compression::decompress(unpacked, packed, link_.options_.max_message_bytes);
                limits.utf8_checked = false;
                if (is_events)
                    payload = {unpacked.data(), unpacked.size()};
            }
        polycast::message const whole{{payload.data(), payload.size()}, op};
        if constexpr (Link::speaks_polycast)
            if (is_events) {
                dispatch<serializer>(link_.app_, link_.session_, payload, limits, *this);
                return true;
            }
        dispatch_message(link_.app_, link_.session_, whole, *this);
        return true;
    }
    bool ping(std::span<char> payload)
    {
        // A server that pings and does not read is not answered for ever.
        if (link_.phase_ == Link::phase::open && link_.wire_.first().size() < max_waiting_bytes)
            link_.wire_.first().append(pong_frame({payload.data(), payload.size()}, link_.fresh_key()).view());
        return true;
    }
    bool pong(std::span<char>) { return true; }
    void close(std::optional<close_code> code, std::string_view reason)
    {
        link_.peer_closes(code.value_or(close_code::no_status), reason);
    }

    // --- for the dispatcher ---

    void control(envelope const& said)
    {
        if (said.type == "$bye" && said.reconnect_min_ms && said.reconnect_max_ms &&
            *said.reconnect_min_ms <= *said.reconnect_max_ms && *said.reconnect_max_ms <= max_invited_delay_ms)
            link_.bye_.emplace(*said.reconnect_min_ms, *said.reconnect_max_ms);
        if constexpr (has_on_control<typename Link::app_type, typename Link::session_type>)
            link_.guarded([&] { link_.app_.on_control(link_.session_, said); });
    }
    void handled(envelope const&) {}
    void threw(envelope const&) { link_.observer_.count(metric::handler_errors, 1); }
    void unknown_type(envelope const&) {}
    void bad(envelope const&, decode_error const&) { link_.observer_.count(metric::bad_messages, 1); }
    [[nodiscard]] bool stopped() const noexcept { return link_.phase_ != Link::phase::open; }

private:
    using serializer = typename Link::serializer;
    static constexpr std::size_t max_waiting_bytes = 16 * 1024;
    static constexpr std::uint64_t max_invited_delay_ms = 3'600'000;

    Link& link_;
};

}  // namespace polycast::inline v0::detail
