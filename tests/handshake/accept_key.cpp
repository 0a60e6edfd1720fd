#include <polycast/handshake/accept_key.hpp>

#include <boost/test/unit_test.hpp>

using namespace polycast;

namespace {

constexpr std::string_view text(auto const& value)
{
    return {value.data(), value.size()};
}

constexpr auto example = accept_key("dGhlIHNhbXBsZSBub25jZQ==");
static_assert(text(example) == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");  // RFC 6455 §1.3

constexpr std::array<char, 16> nonce{'t', 'h', 'e', ' ', 's', 'a', 'm', 'p', 'l', 'e', ' ', 'n', 'o', 'n', 'c', 'e'};
constexpr auto key = make_websocket_key(nonce);
static_assert(text(key) == "dGhlIHNhbXBsZSBub25jZQ==");

static_assert(is_websocket_key("dGhlIHNhbXBsZSBub25jZQ=="));
static_assert(!is_websocket_key(""));
static_assert(!is_websocket_key("dGhlIHNhbXBsZSBub25jZQ"));    // no padding
static_assert(!is_websocket_key("dGhlIHNhbXBsZSBub25jZR=="));  // unused bits
static_assert(!is_websocket_key("dGhlIHNhbXBsZSBub25jZWU="));  // 17 bytes
static_assert(!is_websocket_key("dGhlIHNhbXBsZSBub25jZWVl"));  // 18 bytes
static_assert(!is_websocket_key("dGhlIHNhbXBsZSBub25-ZQ=="));

}  // namespace
