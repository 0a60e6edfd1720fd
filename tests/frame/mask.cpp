#include <polycast/frame/mask.hpp>

#include <boost/test/unit_test.hpp>

#include <string>

using namespace polycast;

namespace {

constexpr std::array<char, 4> octets{0x37, static_cast<char>(0xFA), 0x21, 0x3D};
constexpr auto key = std::bit_cast<masking_key>(octets);

/// RFC 6455 §5.3 to the letter, a byte at a time.
std::string masked(std::string text, std::size_t phase = 0)
{
    for (std::size_t i = 0; i != text.size(); ++i)
        text[i] = static_cast<char>(text[i] ^ octets[(phase + i) % 4]);
    return text;
}

std::string sample(std::size_t size)
{
    std::string text;
    for (std::size_t i = 0; i != size; ++i)
        text += static_cast<char>('!' + i % 90);
    return text;
}

constexpr bool hello_of_the_rfc()  // RFC 6455 §5.7
{
    std::array<char, 5> bytes{0x7f, static_cast<char>(0x9f), 0x4d, 0x51, 0x58};
    bool const ascii = unmask(bytes, key);
    return ascii && bytes == std::array<char, 5>{'H', 'e', 'l', 'l', 'o'};
}
static_assert(hello_of_the_rfc());

}  // namespace

BOOST_AUTO_TEST_SUITE(frame_mask)

BOOST_AUTO_TEST_CASE(unmasking_inverts_masking_at_every_length_and_alignment)
{
    for (std::size_t size = 0; size != 100; ++size)
        for (std::size_t offset = 0; offset != 8; ++offset) {
            std::string const text = sample(size);
            std::string buffer = std::string(offset, '.') + masked(text) + "...";
            bool const ascii = unmask(std::span(buffer).subspan(offset, size), key);
            BOOST_REQUIRE(buffer == std::string(offset, '.') + text + "...");
            BOOST_REQUIRE(ascii);
        }
}

BOOST_AUTO_TEST_CASE(a_payload_unmasks_the_same_in_any_two_pieces)
{
    std::string const text = sample(71);
    for (std::size_t cut = 0; cut <= text.size(); ++cut) {
        std::string buffer = masked(text);
        unmask(std::span(buffer).first(cut), key);
        unmask(std::span(buffer).subspan(cut), advance(key, cut));
        BOOST_REQUIRE(buffer == text);
    }
}

BOOST_AUTO_TEST_CASE(one_byte_that_is_not_ascii_is_noticed_wherever_it_is)
{
    for (std::size_t size = 1; size != 80; ++size)
        for (std::size_t at = 0; at != size; ++at) {
            std::string text = sample(size);
            text[at] = static_cast<char>(0x80);
            std::string buffer = masked(text);
            BOOST_REQUIRE(!unmask(buffer, key));
            BOOST_REQUIRE(buffer == text);
        }
}

BOOST_AUTO_TEST_CASE(a_masked_copy_leaves_the_source_alone)
{
    for (std::size_t size = 0; size != 70; ++size) {
        std::string const text = sample(size);
        std::string copy(size + 1, '#');
        mask_copy(copy.data(), text, key);
        BOOST_REQUIRE(copy == masked(text) + "#");
    }
}

BOOST_AUTO_TEST_SUITE_END()
