#pragma once

#include <polycast/detail/byte_buffer.hpp>
#include <polycast/event/dispatch.hpp>
#include <polycast/event/envelope.hpp>
#include <polycast/frame/close_code.hpp>
#include <polycast/frame/opcode.hpp>
#include <polycast/observer/policy.hpp>
#include <polycast/session/client_codec.hpp>
#include <polycast/session/client_counting.hpp>
#include <polycast/session/client_session.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <system_error>

namespace polycast::inline v0::detail {

/// What the assembler and the dispatcher call for a client: messages become events.
template <class Link>
class client_inbound {
public:
    explicit client_inbound(Link& link) noexcept : link_(link) {}

    // --- for the assembler ---

    bool message(opcode op, std::span<char> payload, bool rsv1)
    {
        // After our close frame the server's messages are read for its own, and not handed on.
        if (link_.phase_ != Link::phase::open)
            return true;
        if constexpr (has_dictionary<compression>)
            if (link_.dictionary_.fetching()) {
                link_.dictionary_.keep(op, payload, rsv1);
                return true;
            }
        link_.observer_.count(metric::messages_in, 1);
        if (std::error_code const ec = take(op, payload, rsv1))
            link_.closing_.fail(close_code_for_content(ec), ec.message());
        link_.codec_.settle();
        return true;
    }
    bool ping(std::span<char> payload)
    {
        if (link_.phase_ == Link::phase::open)
            link_.output_.pong({payload.data(), payload.size()});
        return true;
    }
    bool pong(std::span<char>) { return true; }
    void close(std::optional<close_code> code, std::string_view reason)
    {
        if constexpr (has_dictionary<compression>)
            if (link_.phase_ == Link::phase::open && link_.dictionary_.fetching())
                return link_.dictionary_.keep_close(code, reason);  // it is behind what is kept
        link_.closing_.peer_closes(code.value_or(close_code::no_status), reason);
    }

    // --- for the dispatcher ---

    void control(envelope const& said)
    {
        if constexpr (Link::reliable)
            link_.delivery_.control(said);
        if (said.type == "$bye" && said.reconnect_min_ms && said.reconnect_max_ms &&
            *said.reconnect_min_ms <= *said.reconnect_max_ms && *said.reconnect_max_ms <= max_invited_delay_ms)
            link_.attempts_.invited(std::chrono::milliseconds(*said.reconnect_min_ms),
                                 std::chrono::milliseconds(*said.reconnect_max_ms));
        if (said.type == "$hello" && !said.dictionary_id.empty() && link_.codec_.is_packed(opcode::binary) &&
            !link_.codec_.use_dictionary(said.dictionary_id)) {
            if constexpr (has_dictionary<compression>)
                link_.dictionary_.fetch(said.dictionary_id, said.dictionary_url);
            else
                return link_.closing_.lacks_dictionary();
        }
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
    using compression = typename Link::compression;
    static constexpr std::uint64_t max_invited_delay_ms = 3'600'000;

    /// Hands a message on, as what it is once nothing is compressed any more. What does not decompress is an error, and
    /// the application never sees it.
    [[nodiscard]] std::error_code take(opcode op, std::span<char> payload, bool rsv1)
    {
        std::size_t const most = link_.options_.max_message_bytes;
        if (rsv1)
            if (std::error_code const ec = link_.codec_.inflate(op, payload, most))
                return ec;
        bool is_events = Link::speaks_polycast && op == serializer::frame_opcode;
        decode_limits limits;
        limits.utf8_checked = op == opcode::text;
        if (link_.codec_.is_packed(op)) {
            if (std::error_code const ec = link_.codec_.unpack(payload, most))
                return ec;
            is_events = true;
        }
        if constexpr (Link::speaks_polycast)
            if (is_events) {
                if constexpr (Link::reliable)
                    if (!link_.delivery_.is_plain()) {
                        limits.max_errors = static_cast<std::size_t>(-1);  // each is counted
                        serializer::template decode<accepted_events<typename Link::app_type>>(
                            payload, limits, client_counting<Link, client_inbound>(link_, *this));
                        return {};
                    }
                dispatch<serializer>(link_.app_, link_.session_, payload, limits, *this);
                return {};
            }
        dispatch_message(link_.app_, link_.session_, polycast::message{{payload.data(), payload.size()}, op}, *this);
        return {};
    }

    Link& link_;
};

}  // namespace polycast::inline v0::detail
