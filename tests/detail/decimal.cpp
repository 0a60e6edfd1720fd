#include <polycast/detail/decimal.hpp>

#include <bit>
#include <boost/test/unit_test.hpp>
#include <charconv>
#include <cmath>
#include <limits>
#include <random>
#include <string>

namespace {

std::string written(double value)
{
    char text[32];
    return {text, polycast::detail::write_real(text, value)};
}
std::string shortest(double value)
{
    char text[32];
    return {text, std::to_chars(text, text + sizeof text, value).ptr};
}

}  // namespace

BOOST_AUTO_TEST_SUITE(decimal)

BOOST_AUTO_TEST_CASE(a_real_is_written_as_the_standard_writes_it)
{
    for (double const value : {0.0, -0.0, 0.001, 0.0125, 0.25, -0.5, 1.0, 9.999999, 100.0, 10'000.0, 99'999.999999, 99'999.9999999,
                               100'000.0, 1e8, 1e-4, 1.0 / 3, 5e-324, 1.7976931348623157e308,
                               std::numeric_limits<double>::infinity()})
        BOOST_TEST(written(value) == shortest(value));
    BOOST_TEST(written(0.0125) == "0.0125");
    BOOST_TEST(written(-12.5) == "-12.5");
}

BOOST_AUTO_TEST_CASE(of_random_reals_too)
{
    std::mt19937_64 random(20261121);
    for (int i = 0; i < 200'000; ++i) {
        double const decimal = static_cast<double>(random() % 1'000'000'000) / std::pow(10, random() % 9);
        for (double const value : {decimal, -decimal, std::nextafter(decimal, 1e9), std::bit_cast<double>(random())})
            if (!std::isnan(value) && written(value) != shortest(value))
                BOOST_FAIL(written(value) + " is not " + shortest(value));
    }
}

BOOST_AUTO_TEST_SUITE_END()
