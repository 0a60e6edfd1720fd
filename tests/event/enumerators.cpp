#include <polycast/event/enumerators.hpp>

#include <boost/test/unit_test.hpp>

#include <cstdint>

namespace pd = polycast::detail;

namespace {
enum class colour : std::uint8_t { red, green2 = 5, last = 120, beyond = 200 };
enum class balance : std::int8_t { least = -8, minus_one = -1, none = 0, most = 120 };
enum class wide : std::uint64_t { small = 1, huge = 0xFFFF'FFFF'FFFF'FFFF };
enum class far_away { a = 1000, b };
enum unfixed { unfixed_a, unfixed_b };
enum fixed_unscoped : int { fixed_a, fixed_b };
enum class yes_no : bool { no, yes };
}  // namespace

static_assert(pd::enumerator_name(colour::red) == "red" && pd::enumerator_name(colour::green2) == "green2");
static_assert(pd::enumerator_name(colour::last) == "last");
static_assert(pd::enumerator_name(colour{1}).empty() && pd::enumerator_name(colour::beyond).empty());
static_assert(pd::enumerator_name(balance::least) == "least" && pd::enumerator_name(balance::minus_one) == "minus_one");
static_assert(pd::enumerator_name(balance{-100}).empty());
static_assert(pd::enumerator_name(wide::small) == "small" && pd::enumerator_name(wide::huge).empty());
static_assert(pd::enumerator_name(fixed_b) == "fixed_b");
static_assert(pd::enumerator_name(yes_no::yes) == "yes" && pd::enumerator_name(yes_no::no) == "no");
static_assert(pd::named_enum<colour> && !pd::named_enum<far_away> && !pd::named_enum<unfixed>);

BOOST_AUTO_TEST_SUITE(enumerators)

BOOST_AUTO_TEST_CASE(an_enumerator_is_found_by_its_name_only)
{
    colour found{};
    BOOST_TEST(pd::find_enumerator("green2", found));
    BOOST_TEST((found == colour::green2));
    balance least{};
    BOOST_TEST(pd::find_enumerator("least", least));
    BOOST_TEST((least == balance::least));
    balance most{};
    BOOST_TEST(pd::find_enumerator("most", most));  // the last that can be found
    BOOST_TEST((most == balance::most));
    for (char const* name : {"", "green", "green22", "Red", "5", "beyond", "colour::red"})
        BOOST_TEST(!pd::find_enumerator(name, found), name);
}

BOOST_AUTO_TEST_CASE(an_enumeration_inside_a_function_has_plain_names)
{
    enum class inside { one, two };
    BOOST_TEST(pd::enumerator_name(inside::two) == "two");
}

BOOST_AUTO_TEST_SUITE_END()
