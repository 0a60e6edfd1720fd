#include <polycast/serializer/json_number.hpp>

#include <polycast/serializer/json_bind.hpp>

#include <boost/test/unit_test.hpp>

#include <bit>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <random>
#include <string>
#include <string_view>

namespace pc = polycast;
namespace detail = polycast::detail;

namespace {

struct scanned {
    std::size_t bytes = 0;  ///< 0: not plain
    detail::plain_number number;
    /// The text lives in a block of exactly its size: a sanitizer sees a read beyond it.
    explicit scanned(std::string_view text)
    {
        std::unique_ptr<char[]> const block(new char[text.size()]);
        text.copy(block.get(), text.size());
        number = detail::scan_plain_number(block.get(), block.get() + text.size());
        if (number.end != nullptr)
            bytes = static_cast<std::size_t>(number.end - block.get());
    }
};

template <class T>
bool fits(std::uint64_t digits, bool negative, T expected)
{
    T out = 77;
    return detail::fits(digits, negative, out) && out == expected;
}
template <class T>
bool does_not_fit(std::uint64_t digits, bool negative)
{
    T out = 77;
    return !detail::fits(digits, negative, out) && out == 77;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(json_numbers)

BOOST_AUTO_TEST_CASE(a_plain_number_is_read_to_its_end_and_no_further)
{
    for (std::string_view const text : {"0", "-0", "7", "-12", "0.5", "-0.25", "10.0", "1000000", "0.000000000000000001"}) {
        for (std::string_view const behind : {"", ",", "}", " ", "x", "-", "+1"}) {
            std::size_t const read = scanned(std::string(text).append(behind)).bytes;
            BOOST_TEST(read == (text == "0.000000000000000001" ? 0 : text.size()));
        }
    }
    scanned const number("-12.050,");
    BOOST_TEST(number.number.negative);
    BOOST_TEST(number.number.digits == 12050u);
    BOOST_TEST(number.number.fraction_digits == 3u);
}

BOOST_AUTO_TEST_CASE(what_is_unusual_or_no_number_is_left_alone)
{
    for (char const* const text : {"", "-", "--1", "+1", ".5", "-.5", "1.", "1.x", "1.-5", "01", "00", "-01", "01.5", "1e5", "1E5", "1.5e", "0e0",
                                   "0.5E-3", "x", "1234567890123456789", "1.234567890123456789"})
        BOOST_TEST(scanned(text).bytes == 0u, text);
    BOOST_TEST(scanned("999999999999999999").number.digits == 999'999'999'999'999'999u);
    BOOST_TEST(scanned("-99999999.9999999999").number.digits == 999'999'999'999'999'999u);
}

BOOST_AUTO_TEST_CASE(a_real_of_up_to_15_digits_is_the_nearest_double)
{
    std::mt19937_64 random(20261121);
    for (int i = 0; i < 200'000; ++i) {
        std::string text = std::to_string(random() % (random() % 2 == 0 ? 1'000 : 1'000'000'000'000'000));
        if (std::size_t const digits = text.size(); digits > 1 && random() % 4 != 0)
            text.insert(1 + random() % (digits - 1), ".");
        if (random() % 2 == 0)
            text.insert(0, "-");
        scanned const number(text);
        if (number.bytes == 0)
            continue;  // a zero in front
        double expected = 0;
        std::from_chars(text.data(), text.data() + text.size(), expected);
        double value = 0;
        if (!detail::exact_real(number.number, value) ||
            std::bit_cast<std::uint64_t>(value) != std::bit_cast<std::uint64_t>(expected))
            BOOST_FAIL(text);
    }
    double value = 77;
    BOOST_TEST(!detail::exact_real(scanned("1000000000000000").number, value));
    BOOST_TEST(!detail::exact_real(scanned("0.0000000000000001").number, value));
    BOOST_TEST(value == 77);
    BOOST_TEST(detail::exact_real(scanned("-0").number, value));
    BOOST_TEST(std::bit_cast<std::uint64_t>(value) == std::bit_cast<std::uint64_t>(-0.0));
}

BOOST_AUTO_TEST_CASE(an_integer_fits_exactly_its_range)
{
    BOOST_TEST(fits<std::int8_t>(127, false, 127));
    BOOST_TEST(fits<std::int8_t>(128, true, -128));
    BOOST_TEST(does_not_fit<std::int8_t>(128, false));
    BOOST_TEST(does_not_fit<std::int8_t>(129, true));
    BOOST_TEST(fits<std::uint8_t>(255, false, 255));
    BOOST_TEST(does_not_fit<std::uint8_t>(256, false));
    BOOST_TEST(does_not_fit<std::uint8_t>(1, true));
    BOOST_TEST(does_not_fit<std::uint8_t>(0, true));  // `std::from_chars` refuses the sign, so this does
    BOOST_TEST(fits<int>(2'147'483'648, true, std::numeric_limits<int>::min()));
    BOOST_TEST(does_not_fit<int>(2'147'483'648, false));
    BOOST_TEST(fits<std::int64_t>(999'999'999'999'999'999, true, -999'999'999'999'999'999));
    BOOST_TEST(fits<std::uint64_t>(999'999'999'999'999'999, false, 999'999'999'999'999'999u));
}

BOOST_AUTO_TEST_SUITE_END()
