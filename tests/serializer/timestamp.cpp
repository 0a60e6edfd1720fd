#include <polycast/serializer/timestamp.hpp>

#include <boost/test/unit_test.hpp>

#include <random>
#include <string>

namespace pd = polycast::detail;

static_assert(pd::parse_timestamp("1970-01-02T00:00:01.25Z")->second == 86401);
static_assert(pd::parse_timestamp("1970-01-01T01:00:00+01:00")->second == 0);
static_assert(!pd::parse_timestamp("1970-02-30T00:00:00Z"));

namespace {
std::string written(std::int64_t milliseconds)
{
    char text[pd::timestamp_bytes] = {};
    return pd::write_timestamp(milliseconds, text) ? std::string(text, sizeof text) : "refused";
}
}  // namespace

BOOST_AUTO_TEST_SUITE(timestamps)

BOOST_AUTO_TEST_CASE(a_time_is_written_in_utc_with_milliseconds)
{
    BOOST_TEST(written(0) == "1970-01-01T00:00:00.000Z");
    BOOST_TEST(written(7) == "1970-01-01T00:00:00.007Z");  // the second is the kept one
    BOOST_TEST(written(-1) == "1969-12-31T23:59:59.999Z");
    BOOST_TEST(written(951'827'696'789) == "2000-02-29T12:34:56.789Z");
    BOOST_TEST(written(1'795'222'923'456) == "2026-11-21T01:02:03.456Z");
}

BOOST_AUTO_TEST_CASE(only_years_of_four_digits_are_written)
{
    BOOST_TEST(written(253'402'300'799'999) == "9999-12-31T23:59:59.999Z");
    BOOST_TEST(written(253'402'300'800'000) == "refused");
    BOOST_TEST(written(-62'167'219'200'000) == "0000-01-01T00:00:00.000Z");
    BOOST_TEST(written(-62'167'219'200'001) == "refused");
    BOOST_TEST(written(0) == "1970-01-01T00:00:00.000Z");  // a refusal leaves nothing behind
}

BOOST_AUTO_TEST_CASE(what_is_written_is_read_back)
{
    std::mt19937_64 random(1);
    std::uniform_int_distribution<std::int64_t> any(-62'167'219'200'000, 253'402'300'799'999);
    for (int i = 0; i < 5000; ++i) {
        std::int64_t const time = any(random);
        auto const read = pd::parse_timestamp(written(time));
        BOOST_TEST_REQUIRE(read.has_value());
        BOOST_TEST_REQUIRE(read->second * 1000 + read->nanosecond / 1'000'000 == time);
    }
}

BOOST_AUTO_TEST_CASE(fractions_and_offsets_are_read)
{
    BOOST_TEST(pd::parse_timestamp("1970-01-01T00:00:00.1234567899Z")->nanosecond == 123'456'789);
    BOOST_TEST(pd::parse_timestamp("1970-01-01t00:00:00z")->second == 0);
    BOOST_TEST(pd::parse_timestamp("1970-01-01T02:00:00+01:30")->second == 1800);
    BOOST_TEST(pd::parse_timestamp("1970-01-01T00:00:00-00:01")->second == 60);
}

BOOST_AUTO_TEST_CASE(what_is_no_rfc_3339_time_is_refused)
{
    for (char const* text :
         {"", "1970", "1970-01-01", "1970-01-01T00:00:00", "1970-01-01 00:00:00Z", "1970-13-01T00:00:00Z",
          "1970-00-01T00:00:00Z", "1970-02-29T00:00:00Z", "1970-01-01T24:00:00Z", "1970-01-01T00:60:00Z",
          "1970-01-01T00:00:61Z", "1970-01-01T00:00:00.Z", "1970-01-01T00:00:00ZZ", "1970-01-01T00:00:00+0100",
          "1970-01-01T00:00:00+24:00", "1970-01-01T00:00:00+01:60", "+970-01-01T00:00:00Z", "1970-1-01T00:00:000Z"})
        BOOST_TEST(!pd::parse_timestamp(text), text);
}

BOOST_AUTO_TEST_SUITE_END()
