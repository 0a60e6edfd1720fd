#include <polycast/event/catalog.hpp>

#include <boost/test/unit_test.hpp>

#include <string>

namespace pc = polycast;

namespace {

struct question {
    std::string text;
};
struct cancel_run {};
struct a {};
// Same length, first, middle and last character: told apart by the comparison alone.
struct tool_one_done {};
struct tool_two_done {};
struct tool_ows_done {};

struct accepting {
    using accepts = pc::events<question, cancel_run>;
};
struct accepting_nothing {};

struct agent_event_0 {};
struct agent_event_1 {};
struct agent_event_2 {};
struct agent_event_3 {};
struct agent_event_4 {};
struct agent_event_5 {};
struct agent_event_6 {};
struct agent_event_7 {};
struct agent_event_8 {};
struct agent_event_9 {};
struct agent_event_10 {};
struct agent_event_11 {};
struct agent_event_12 {};
struct agent_event_13 {};
struct agent_event_14 {};
struct agent_event_15 {};
struct agent_event_16 {};
struct agent_event_17 {};
struct agent_event_18 {};
struct agent_event_19 {};
struct agent_event_20 {};
struct agent_event_21 {};
struct agent_event_22 {};
struct agent_event_23 {};
struct agent_event_24 {};
struct agent_event_25 {};
struct agent_event_26 {};
struct agent_event_27 {};
struct agent_event_28 {};
struct agent_event_29 {};
struct agent_event_30 {};
struct agent_event_31 {};
struct agent_event_32 {};
struct agent_event_33 {};
struct agent_event_34 {};
struct agent_event_35 {};
struct agent_event_36 {};
struct agent_event_37 {};
struct agent_event_38 {};
struct agent_event_39 {};
struct agent_event_40 {};
struct agent_event_41 {};
struct agent_event_42 {};
struct agent_event_43 {};
struct agent_event_44 {};
struct agent_event_45 {};
struct agent_event_46 {};
struct agent_event_47 {};
struct agent_event_48 {};
struct agent_event_49 {};
struct agent_event_50 {};
struct agent_event_51 {};
struct agent_event_52 {};
struct agent_event_53 {};
struct agent_event_54 {};
struct agent_event_55 {};
struct agent_event_56 {};
struct agent_event_57 {};
struct agent_event_58 {};
struct agent_event_59 {};
using sixty = pc::events<agent_event_0, agent_event_1, agent_event_2, agent_event_3, agent_event_4, agent_event_5,
                         agent_event_6, agent_event_7, agent_event_8, agent_event_9, agent_event_10, agent_event_11,
                         agent_event_12, agent_event_13, agent_event_14, agent_event_15, agent_event_16,
                         agent_event_17, agent_event_18, agent_event_19, agent_event_20, agent_event_21,
                         agent_event_22, agent_event_23, agent_event_24, agent_event_25, agent_event_26,
                         agent_event_27, agent_event_28, agent_event_29, agent_event_30, agent_event_31,
                         agent_event_32, agent_event_33, agent_event_34, agent_event_35, agent_event_36,
                         agent_event_37, agent_event_38, agent_event_39, agent_event_40, agent_event_41,
                         agent_event_42, agent_event_43, agent_event_44, agent_event_45, agent_event_46,
                         agent_event_47, agent_event_48, agent_event_49, agent_event_50, agent_event_51,
                         agent_event_52, agent_event_53, agent_event_54, agent_event_55, agent_event_56,
                         agent_event_57, agent_event_58, agent_event_59>;

}  // namespace

using small = pc::events<question, cancel_run, a, tool_one_done, tool_two_done, tool_ows_done>;
static_assert(small::index_of("question") == 0 && small::index_of("cancel_run") == 1 && small::index_of("a") == 2);
static_assert(small::index_of("tool_one_done") == 3 && small::index_of("tool_two_done") == 4);
static_assert(small::index_of("tool_ows_done") == 5 && small::index_of("tool_xxs_done") == small::npos);
static_assert(small::index_of("") == small::npos && small::index_of("questio") == small::npos);
static_assert(pc::events<>::size == 0 && pc::events<>::index_of("question") == pc::events<>::npos);
static_assert(std::is_same_v<pc::accepted_events<accepting>, pc::events<question, cancel_run>>);
static_assert(std::is_same_v<pc::accepted_events<accepting_nothing>, pc::events<>>);

BOOST_AUTO_TEST_SUITE(event_catalog)

BOOST_AUTO_TEST_CASE(each_of_sixty_events_is_found_by_its_name)
{
    for (std::size_t i = 0; i < sixty::size; ++i)
        BOOST_TEST(sixty::index_of("agent_event_" + std::to_string(i)) == i);
    BOOST_TEST(sixty::index_of("agent_event_60") == sixty::npos);
}

BOOST_AUTO_TEST_CASE(visiting_an_index_calls_with_the_event_at_it)
{
    for (std::size_t i = 0; i < sixty::size; ++i) {
        std::string_view visited;
        sixty::visit(i, [&]<class E>() { visited = pc::event_name<E>; });
        BOOST_TEST(visited == "agent_event_" + std::to_string(i));
    }
}

BOOST_AUTO_TEST_SUITE_END()
