#include <polycast/detail/endian.hpp>

#include <boost/test/unit_test.hpp>

#include <array>
#include <cstdint>

using polycast::detail::load_big;
using polycast::detail::store_big;

static_assert(load_big<std::uint8_t>("\xFE") == 0xFE);
static_assert(load_big<std::uint16_t>("\x01\xFF") == 0x01FF);
static_assert(load_big<std::uint32_t>("\xFF\x02\x03\x04") == 0xFF020304);
static_assert(load_big<std::uint64_t>("\x80\x02\x03\x04\x05\x06\x07\xF8") == 0x80020304050607F8);

static_assert([] {
    std::array<char, 8> bytes{};
    store_big(bytes.data(), std::uint64_t{0x80020304050607F8});
    return bytes[0] == '\x80' && bytes[7] == '\xF8' && load_big<std::uint64_t>(bytes.data()) == 0x80020304050607F8;
}());
