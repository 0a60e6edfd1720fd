#include <polycast/event/coalesce.hpp>

#include <boost/test/unit_test.hpp>

#include <array>
#include <string>
#include <string_view>
#include <utility>

namespace pc = polycast;

namespace coalesce_test {

struct plain {
    std::string text;
};
struct delta {
    std::string run_id;
    int turn;
    std::string text;
};
struct keyed_delta {
    std::string run_id;
    int turn;
    std::string text;
};
struct status {
    std::string state;
    int percent;
};
struct keyed_status {
    std::string run_id;
    int percent;
};
struct fence {};
struct vital {};

}  // namespace coalesce_test

using namespace coalesce_test;

template <>
struct pc::event_traits<delta> {
    static constexpr pc::coalesce coalesce = pc::coalesce::append;
    static constexpr std::string_view appended = "text";
};
template <>
struct pc::event_traits<keyed_delta> {
    static constexpr auto coalesce = pc::coalesce::append;
    static constexpr auto appended = "text";
    static constexpr std::array keyed_by{"run_id"};
    static constexpr std::pair<std::string_view, std::string_view> renamed[] = {{"run_id", "runId"}, {"text", "t"}};
};
template <>
struct pc::event_traits<status> {
    static constexpr pc::coalesce coalesce = pc::coalesce::latest;
};
template <>
struct pc::event_traits<keyed_status> {
    static constexpr pc::coalesce coalesce = pc::coalesce::latest;
    static constexpr std::string_view keyed_by[] = {"run_id"};
};
template <>
struct pc::event_traits<fence> {
    static constexpr bool barrier = true;
};
template <>
struct pc::event_traits<vital> {
    static constexpr bool critical = true;
};

BOOST_AUTO_TEST_SUITE(coalesce)

BOOST_AUTO_TEST_CASE(an_event_without_traits_does_not_coalesce)
{
    static_assert(pc::event_coalesce<plain> == pc::coalesce::none && pc::event_appended<plain>.empty());
    static_assert(!pc::event_barrier<plain> && !pc::event_keyed_by<plain>("text"));
    BOOST_TEST(true);
}
BOOST_AUTO_TEST_CASE(every_field_but_the_text_is_the_key_of_append)
{
    static_assert(pc::event_coalesce<delta> == pc::coalesce::append && pc::event_appended<delta> == "text");
    static_assert(pc::event_keyed_by<delta>("run_id") && pc::event_keyed_by<delta>("turn"));
    static_assert(!pc::event_keyed_by<delta>("text"));
    BOOST_TEST(true);
}
BOOST_AUTO_TEST_CASE(a_key_that_is_given_is_all_of_the_key_and_names_fields_as_the_program_does)
{
    static_assert(pc::event_keyed_by<keyed_delta>("run_id") && !pc::event_keyed_by<keyed_delta>("turn"));
    static_assert(pc::event_keyed_by<keyed_status>("run_id") && !pc::event_keyed_by<keyed_status>("percent"));
    static_assert(pc::event_appended<keyed_delta> == "text");
    BOOST_TEST(true);
}
BOOST_AUTO_TEST_CASE(there_is_one_latest_value_of_a_type_without_a_key)
{
    static_assert(pc::event_coalesce<status> == pc::coalesce::latest);
    static_assert(!pc::event_keyed_by<status>("state") && !pc::event_keyed_by<status>("percent"));
    BOOST_TEST(true);
}
BOOST_AUTO_TEST_CASE(a_critical_event_is_a_barrier)
{
    static_assert(pc::event_barrier<fence> && !pc::event_critical<fence>);
    static_assert(pc::event_barrier<vital> && pc::event_critical<vital>);
    BOOST_TEST(true);
}

BOOST_AUTO_TEST_SUITE_END()
