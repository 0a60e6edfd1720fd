#include "../../examples/load/histogram.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <vector>

using load::histogram;

BOOST_AUTO_TEST_SUITE(load_histogram)

/// The value of that rank, as sorting finds it.
static std::int64_t exact(std::vector<std::int64_t> const& sorted, double share)
{
    auto const rank = static_cast<std::size_t>(std::ceil(share * static_cast<double>(sorted.size())));
    return sorted[rank == 0 ? 0 : rank - 1];
}

BOOST_AUTO_TEST_CASE(quantiles_are_those_of_the_sorted_values_within_1_percent)
{
    std::mt19937_64 random(1);
    for (double const spread : {0.3, 1.0, 3.0}) {  // from a narrow heap to seven orders of magnitude
        std::lognormal_distribution<double> distribution(11, spread);
        histogram recorded;
        std::vector<std::int64_t> values;
        for (int i = 0; i < 20'000; ++i) {
            values.push_back(static_cast<std::int64_t>(distribution(random)));
            recorded.record(values.back());
        }
        std::sort(values.begin(), values.end());
        BOOST_TEST(recorded.count() == values.size());
        for (double const share : {0.001, 0.1, 0.5, 0.9, 0.99, 0.999, 0.9999, 1.0}) {
            auto const right = static_cast<double>(exact(values, share));
            auto const told = static_cast<double>(recorded.quantile(share));
            BOOST_TEST_CONTEXT("spread " << spread << ", share " << share)
            {
                BOOST_TEST(told >= right);  // rounded up, so that nothing looks faster than it was
                BOOST_TEST(told <= right * 1.01);
            }
        }
        BOOST_TEST(recorded.quantile(1) == static_cast<std::uint64_t>(values.back()));
    }
}

BOOST_AUTO_TEST_CASE(every_value_has_a_bucket_of_less_than_1_percent)
{
    std::vector<std::uint64_t> values{0, 1, 127, 128, 255, 256, 257, 511, 512};
    for (int bit = 10; bit < 63; ++bit)
        for (std::uint64_t const off : {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{1} << (bit - 1)})
            for (std::uint64_t const value : {(std::uint64_t{1} << bit) + off, (std::uint64_t{1} << bit) - 1 - off / 4})
                values.push_back(value);
    values.push_back(std::numeric_limits<std::int64_t>::max());
    for (std::uint64_t const value : values) {
        histogram recorded;
        recorded.record(static_cast<std::int64_t>(value));
        recorded.record(std::numeric_limits<std::int64_t>::max());  // or the maximum would hide the bucket's end
        auto const told = recorded.quantile(0.5);
        BOOST_TEST(told >= value);
        BOOST_TEST(told - value <= value / 100);
    }
}

BOOST_AUTO_TEST_CASE(small_values_are_exact_and_times_count)
{
    histogram recorded;
    recorded.record(7, 99);
    recorded.record(200);
    BOOST_TEST(recorded.quantile(0.5) == 7u);
    BOOST_TEST(recorded.quantile(0.99) == 7u);
    BOOST_TEST(recorded.quantile(0.995) == 200u);
    BOOST_TEST(recorded.max() == 200u);
}

BOOST_AUTO_TEST_CASE(an_empty_one_says_0_and_negative_times_count_as_0)
{
    histogram recorded;
    BOOST_TEST(recorded.quantile(0.99) == 0u);
    recorded.record(-5);
    BOOST_TEST(recorded.count() == 1u);
    BOOST_TEST(recorded.quantile(0.99) == 0u);
}

BOOST_AUTO_TEST_SUITE_END()
