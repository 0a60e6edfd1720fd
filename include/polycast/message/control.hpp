#pragma once

#include <polycast/detail/endian.hpp>
#include <polycast/frame/close_code.hpp>
#include <polycast/frame/error.hpp>
#include <polycast/frame/header.hpp>
#include <polycast/frame/mask.hpp>
#include <polycast/frame/utf8.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace polycast::inline v0 {

/// The most that the reason of a close frame takes: 125 bytes of payload less the code.
inline constexpr std::size_t max_close_reason_bytes = max_control_payload_bytes - 2;

/// A whole control frame, ready to be written. Lives on the stack; nothing is allocated.
struct control_frame {
    std::array<char, 2 + 4 + max_control_payload_bytes> bytes;
    std::uint8_t size;

    [[nodiscard]] constexpr std::string_view view() const noexcept { return {bytes.data(), size}; }
};

/// What a close frame says. Without a code the reason is empty; `reason` is a view into the payload.
struct close_payload {
    std::optional<close_code> code;
    std::string_view reason;
    std::optional<wire_error> error;  ///< set: the payload is illegal and the rest means nothing
};

/// Reads the unmasked payload of a close frame (RFC 6455 §5.5.1).
[[nodiscard]] constexpr close_payload decode_close(std::string_view payload) noexcept
{
    if (payload.empty())
        return {};
    // RFC 6455 §5.5.1: "If there is a body, the first two bytes of the body MUST be a 2-byte unsigned integer".
    if (payload.size() == 1)
        return {.code = {}, .reason = {}, .error = wire_error::bad_close_payload};
    auto const code = detail::load_big<std::uint16_t>(payload.data());
    if (!is_receivable(code))
        return {.code = {}, .reason = {}, .error = wire_error::bad_close_code};
    if (!valid_utf8(payload.substr(2)))
        return {.code = {}, .reason = {}, .error = wire_error::invalid_utf8};
    return {.code = static_cast<close_code>(code), .reason = payload.substr(2), .error = {}};
}

namespace detail {

constexpr control_frame make_control(opcode op, std::string_view payload, std::optional<masking_key> key) noexcept
{
    control_frame frame{};
    payload = payload.substr(0, max_control_payload_bytes);
    std::size_t const header_bytes =
        encode_header(frame.bytes.data(), {op, true, false, key.has_value(), key.value_or(0), payload.size()});
    mask_copy(frame.bytes.data() + header_bytes, payload, key.value_or(0));  // key 0 changes nothing
    frame.size = static_cast<std::uint8_t>(header_bytes + payload.size());
    return frame;
}

}  // namespace detail

/// A ping with up to 125 bytes of `payload` (more is cut off). A client gives a fresh `key`, a server none.
[[nodiscard]] constexpr control_frame ping_frame(std::string_view payload, std::optional<masking_key> key = {}) noexcept
{
    return detail::make_control(opcode::ping, payload, key);
}

/// A pong; RFC 6455 §5.5.3: the answer to a ping carries the same payload.
[[nodiscard]] constexpr control_frame pong_frame(std::string_view payload, std::optional<masking_key> key = {}) noexcept
{
    return detail::make_control(opcode::pong, payload, key);
}

/// A close frame. Nothing illegal leaves: a code that must not be on the wire (1005, 1006, 1015, …) or none at all
/// makes a frame without payload, and `reason` is cut at 123 bytes, on a code point, and before what is not UTF-8.
[[nodiscard]] constexpr control_frame close_frame(std::optional<close_code> code, std::string_view reason = {},
                                                  std::optional<masking_key> key = {}) noexcept
{
    if (!code || !is_sendable(*code))
        return detail::make_control(opcode::close, {}, key);
    std::array<char, max_control_payload_bytes> payload{};
    detail::store_big(payload.data(), static_cast<std::uint16_t>(*code));
    std::size_t size = 2;
    for (char const byte : utf8_prefix(reason, max_close_reason_bytes))
        payload[size++] = byte;
    return detail::make_control(opcode::close, {payload.data(), size}, key);
}

}  // namespace polycast::inline v0
