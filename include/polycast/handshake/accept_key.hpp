#pragma once

#include <polycast/detail/base64.hpp>
#include <polycast/detail/sha1.hpp>

#include <array>
#include <cstddef>
#include <string_view>

namespace polycast::inline v0 {

/// 16 bytes in base64: the value of `Sec-WebSocket-Key` (RFC 6455 §4.1).
using websocket_key = std::array<char, detail::base64_size(16)>;
/// A SHA-1 in base64: the value of `Sec-WebSocket-Accept` (RFC 6455 §4.2.2).
using accept_value = std::array<char, detail::base64_size(20)>;

/// RFC 6455 §4.1: the key is "a nonce consisting of a randomly selected 16-byte value that has been base64-encoded".
[[nodiscard]] constexpr bool is_websocket_key(std::string_view key) noexcept
{
    return key.size() == websocket_key{}.size() && detail::base64_decoded_bytes(key) == 16;
}

/// The key for a client that drew `random` for this connection.
[[nodiscard]] constexpr websocket_key make_websocket_key(std::array<char, 16> const& random) noexcept
{
    websocket_key key{};
    detail::base64_encode(key.data(), {random.data(), random.size()});
    return key;
}

/// What a server answers to `key` (RFC 6455 §4.2.2, step 5.4). `key` satisfies `is_websocket_key`.
[[nodiscard]] constexpr accept_value accept_key(std::string_view key) noexcept
{
    constexpr std::string_view guid = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    std::array<char, websocket_key{}.size() + guid.size()> both{};
    std::size_t size = 0;
    for (char const c : key.substr(0, websocket_key{}.size()))
        both[size++] = c;
    for (char const c : guid)
        both[size++] = c;
    auto const digest = detail::sha1({both.data(), size});
    accept_value value{};
    detail::base64_encode(value.data(), {digest.data(), digest.size()});
    return value;
}

}  // namespace polycast::inline v0
