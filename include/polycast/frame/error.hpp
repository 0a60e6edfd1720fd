#pragma once

#include <polycast/error.hpp>
#include <polycast/frame/close_code.hpp>

#include <string>
#include <system_error>
#include <type_traits>

namespace polycast::inline v0 {

/// How received bytes broke the framing rules or a limit of this end. After any of them the connection is failed
/// (RFC 6455 §7.1.7) with the code that `close_code_for` names.
enum class wire_error {
    /// RSV1, RSV2 or RSV3 is set and no extension gave it a meaning here (RFC 6455 §5.2, RFC 7692 §6).
    reserved_bits = 1,
    /// The opcode is one of 3–7 or 11–15 (RFC 6455 §5.2).
    reserved_opcode,
    /// A client's frame is not masked (RFC 6455 §5.1).
    mask_missing,
    /// A server's frame is masked (RFC 6455 §5.1).
    mask_unexpected,
    /// The length is not in its shortest form (RFC 6455 §5.2).
    length_not_minimal,
    /// The top bit of a 64-bit length is set (RFC 6455 §5.2).
    length_top_bit,
    /// A control frame carries more than 125 bytes (RFC 6455 §5.5).
    control_too_long,
    /// A control frame is fragmented (RFC 6455 §5.5).
    control_fragmented,
    /// A continuation frame without a message to continue (RFC 6455 §5.4).
    unexpected_continuation,
    /// A new message began before the last fragment of the current one (RFC 6455 §5.4).
    expected_continuation,
    /// Text, or the reason of a close frame, is not UTF-8 (RFC 6455 §8.1).
    invalid_utf8,
    /// The payload of a close frame is a single byte (RFC 6455 §5.5.1).
    bad_close_payload,
    /// A close frame names a code that must not be sent (RFC 6455 §7.4).
    bad_close_code,
    /// A frame is longer than `message_limits::max_frame_bytes` (RFC 6455 §10.4).
    frame_too_large,
    /// A message is longer than `message_limits::max_message_bytes` (RFC 6455 §10.4).
    message_too_large,
    /// A message has more frames than `message_limits::max_fragments` (RFC 6455 §10.4).
    too_many_fragments,
};

}  // namespace polycast::inline v0

template <>
struct std::is_error_code_enum<polycast::wire_error> : std::true_type {
};

namespace polycast::inline v0 {

class wire_category_type final : public std::error_category {
    char const* name() const noexcept override { return "polycast.wire"; }
    std::string message(int value) const override
    {
        switch (static_cast<wire_error>(value)) {
        case wire_error::reserved_bits: return "a reserved bit is set";
        case wire_error::reserved_opcode: return "the opcode is reserved";
        case wire_error::mask_missing: return "a client's frame is not masked";
        case wire_error::mask_unexpected: return "a server's frame is masked";
        case wire_error::length_not_minimal: return "the frame length is not in its shortest form";
        case wire_error::length_top_bit: return "the frame length has its top bit set";
        case wire_error::control_too_long: return "a control frame is longer than 125 bytes";
        case wire_error::control_fragmented: return "a control frame is fragmented";
        case wire_error::unexpected_continuation: return "there is no message to continue";
        case wire_error::expected_continuation: return "a message began inside another";
        case wire_error::invalid_utf8: return "text is not UTF-8";
        case wire_error::bad_close_payload: return "a close frame holds a single byte";
        case wire_error::bad_close_code: return "a close frame names an illegal code";
        case wire_error::frame_too_large: return "a frame is too large";
        case wire_error::message_too_large: return "a message is too large";
        case wire_error::too_many_fragments: return "a message has too many fragments";
        }
        return "unknown wire error";
    }
    std::error_condition default_error_condition(int value) const noexcept override
    {
        switch (static_cast<wire_error>(value)) {
        case wire_error::frame_too_large:
        case wire_error::message_too_large:
        case wire_error::too_many_fragments: return failure::validation;
        default: return failure::protocol;
        }
    }
};

inline wire_category_type const wire_category{};

inline std::error_code make_error_code(wire_error e) noexcept
{
    return {static_cast<int>(e), wire_category};
}

/// The code to close with after `ec`: 1007 and 1009 where RFC 6455 §7.4.1 has one for it, 1002 for every other breach
/// of framing, 1011 for what is no `wire_error`.
[[nodiscard]] inline close_code close_code_for(std::error_code ec) noexcept
{
    if (ec.category() != wire_category)
        return close_code::internal_error;
    switch (static_cast<wire_error>(ec.value())) {
    case wire_error::invalid_utf8: return close_code::invalid_payload;
    case wire_error::frame_too_large:
    case wire_error::message_too_large:
    case wire_error::too_many_fragments: return close_code::message_too_big;
    default: return close_code::protocol_error;
    }
}

}  // namespace polycast::inline v0
