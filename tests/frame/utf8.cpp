#include <polycast/frame/utf8.hpp>

#include <boost/test/unit_test.hpp>

#include <string>
#include <vector>

using namespace polycast;
using namespace std::string_view_literals;

static_assert(valid_utf8(""));
static_assert(valid_utf8("plain"));
static_assert(valid_utf8("κόσμε, мир, 世界, 🌍"));
static_assert(valid_utf8("\xF4\x8F\xBF\xBF"));   // U+10FFFF
static_assert(!valid_utf8("\xF4\x90\x80\x80"));  // over it
static_assert(!valid_utf8("\xED\xA0\x80"));      // a surrogate
static_assert(!valid_utf8("\xC0\xAF"));          // "/" in two bytes
static_assert(!valid_utf8("\xE0\x9F\xBF"));      // in three where two do
static_assert(!valid_utf8("\xF0\x8F\xBF\xBF"));  // in four where three do
static_assert(!valid_utf8("\xE4\xB8"));          // cut off
static_assert(!valid_utf8("\x80"));              // no first byte
static_assert(utf8_prefix("aé", 2) == "a");
static_assert(utf8_prefix("aé", 3) == "aé");
static_assert(utf8_prefix("a\xFF"
                          "b",
                          9) == "a");

namespace {

/// The definition of RFC 3629: what an encoder makes of the scalar values is the language.
std::string encoded(unsigned long c)
{
    auto const byte = [](unsigned long value) { return static_cast<char>(static_cast<unsigned char>(value)); };
    if (c < 0x80)
        return {byte(c)};
    if (c < 0x800)
        return {byte(0xC0 | c >> 6), byte(0x80 | (c & 0x3F))};
    if (c < 0x10000)
        return {byte(0xE0 | c >> 12), byte(0x80 | (c >> 6 & 0x3F)), byte(0x80 | (c & 0x3F))};
    return {byte(0xF0 | c >> 18), byte(0x80 | (c >> 12 & 0x3F)), byte(0x80 | (c >> 6 & 0x3F)), byte(0x80 | (c & 0x3F))};
}

}  // namespace

BOOST_AUTO_TEST_SUITE(frame_utf8)

BOOST_AUTO_TEST_CASE(every_scalar_value_is_text_and_no_surrogate_is)
{
    for (unsigned long c = 0; c != 0x120000; ++c) {
        bool const scalar = c < 0x110000 && (c < 0xD800 || c > 0xDFFF);
        if (valid_utf8(encoded(c)) != scalar)
            BOOST_ERROR("U+" << std::hex << c);
    }
}

BOOST_AUTO_TEST_CASE(of_all_three_byte_strings_as_many_are_text_as_counting_gives)
{
    // a, b and c below are the numbers of code points of one, two and three bytes.
    constexpr unsigned long a = 0x80;
    constexpr unsigned long b = 0x800 - 0x80;
    constexpr unsigned long c = 0x10000 - 0x800 - 0x800;
    unsigned long valid = 0;
    for (unsigned long value = 0; value != 0x1000000; ++value) {
        char const bytes[3] = {static_cast<char>(value >> 16), static_cast<char>(value >> 8), static_cast<char>(value)};
        valid += valid_utf8({bytes, 3});
    }
    BOOST_TEST(valid == a * a * a + 2 * a * b + c);
}

BOOST_AUTO_TEST_CASE(an_illegal_byte_is_refused_with_the_piece_that_holds_it)
{
    std::vector<std::pair<std::string_view, char>> const cases = {
        {"", '\x80'},          {"", '\xBF'},
        {"", '\xC0'},          {"", '\xC1'},
        {"", '\xF5'},          {"", '\xFF'},
        {"\xC3", '('},         {"\xE0", '\x9F'},
        {"\xED", '\xA0'},      {"\xF0", '\x8F'},
        {"\xF4", '\x90'},      {"\xE4\xB8", '\xC3'},
        {"\xF0\x9F\x8C", 'a'}, {"0123456789abcdef0123456789abcdef", '\xFE'},
    };
    for (auto const& [before, byte] : cases) {
        utf8_validator validator;
        BOOST_TEST(validator.feed(before));
        BOOST_TEST(!validator.feed({&byte, 1}));
    }
}

BOOST_AUTO_TEST_CASE(text_may_be_cut_anywhere)
{
    auto const text = "ASCII first, long enough for the fast path; then κόσμε, 世界, 🌍🌍 and ASCII again."sv;
    for (std::size_t cut = 0; cut <= text.size(); ++cut) {
        utf8_validator validator;
        BOOST_REQUIRE(validator.feed(text.substr(0, cut)));
        bool const inside = cut != text.size() && (static_cast<unsigned char>(text[cut]) & 0xC0) == 0x80;
        BOOST_REQUIRE(validator.complete() == !inside);
        BOOST_REQUIRE(validator.feed(text.substr(cut)));
        BOOST_REQUIRE(validator.complete());
    }
}

BOOST_AUTO_TEST_CASE(one_bad_byte_is_found_at_every_place)
{
    for (std::size_t size = 1; size != 80; ++size)
        for (std::size_t at = 0; at != size; ++at) {
            std::string text(size, 'x');
            text[at] = '\xFF';
            BOOST_REQUIRE(!valid_utf8(text));
        }
}

BOOST_AUTO_TEST_SUITE_END()
