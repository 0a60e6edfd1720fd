#include <polycast/event/describe.hpp>

#include <boost/test/unit_test.hpp>

#include <array>
#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace pc = polycast;

struct in_global_namespace {
    int a;
};
namespace some::where {
struct in_a_namespace {
    std::string run_id, reasoning;
};
}  // namespace some::where

namespace {

struct in_an_anonymous_namespace {
    int x;
    some::where::in_a_namespace nested;
};
struct without_fields {};
struct of_one_field {
    std::string text;
};
struct of_every_kind {
    std::optional<std::string> optional;
    std::vector<int> vector;
    std::unique_ptr<int> not_copyable;
    in_an_anonymous_namespace aggregate;
    std::array<int, 3> array;
    std::variant<int, std::string> variant;
    std::map<std::string, int> map;
    std::chrono::milliseconds duration;
    std::chrono::system_clock::time_point time;
    std::string_view view;
    bool flag;
    char const* pointer;
    std::vector<bool> bits;
    pc::lane lane;
};
struct of_48_fields {
    int f0, f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17, f18, f19, f20, f21, f22, f23,
        f24, f25, f26, f27, f28, f29, f30, f31, f32, f33, f34, f35, f36, f37, f38, f39, f40, f41, f42, f43, f44, f45,
        f46, f47;
};
template <class T>
struct instance {
    T value;
};
struct renamed_type {
    int first;
    int second;
};
struct urgent {
    int a;
};
struct with_base : of_one_field {
    int more;
};
class not_an_aggregate {
public:
    explicit not_an_aggregate(int a) : a_(a) {}
    int a_;
};
union either {
    int a;
    float b;
};

template <class T>
constexpr auto name_of_local_in_template()
{
    struct deep_inside {
        T t;
    };
    return pc::event_name<deep_inside>;
}

}  // namespace

template <>
struct pc::event_traits<renamed_type> {
    static constexpr std::string_view name = "another.name";
    static constexpr std::pair<std::string_view, std::string_view> renamed[] = {{"second", "2nd"}};
};
template <>
struct pc::event_traits<instance<int>> {
    static constexpr std::string_view name = "int_instance";
};
template <>
struct pc::event_traits<urgent> {
    static constexpr pc::lane lane = pc::lane::high;
    static constexpr bool critical = true;
};

static_assert(pc::event_name<in_global_namespace> == "in_global_namespace");
static_assert(pc::event_name<some::where::in_a_namespace> == "in_a_namespace");
static_assert(pc::event_name<in_an_anonymous_namespace> == "in_an_anonymous_namespace");
static_assert(pc::event_name<instance<int>> == "int_instance");
static_assert(name_of_local_in_template<int>() == "deep_inside");

static_assert(pc::field_names<without_fields>.empty());
static_assert(pc::field_names<of_one_field>.size() == 1 && pc::field_names<of_one_field>[0] == "text");
static_assert(pc::field_names<some::where::in_a_namespace>[0] == "run_id");
static_assert(pc::field_names<some::where::in_a_namespace>[1] == "reasoning");
static_assert(pc::field_names<of_48_fields>.size() == 48 && pc::field_names<of_48_fields>[47] == "f47");
static_assert(pc::field_names<instance<int>>[0] == "value");

static_assert(pc::event_name<renamed_type> == "another.name");
static_assert(pc::field_names<renamed_type>[0] == "first" && pc::field_names<renamed_type>[1] == "2nd");

static_assert(pc::event_lane<urgent> == pc::lane::high && pc::event_critical<urgent> && !pc::event_control<urgent>);
static_assert(pc::event_lane<of_one_field> == pc::lane::normal && !pc::event_critical<of_one_field>);

static_assert(pc::event<without_fields> && pc::event<of_every_kind> && pc::event<instance<int>>);
static_assert(!pc::event<int> && !pc::event<std::string> && !pc::event<not_an_aggregate> && !pc::event<either>);
static_assert(!pc::event<std::array<int, 2>> && !pc::event<of_one_field const> && !pc::event<of_one_field&>);

BOOST_AUTO_TEST_SUITE(event_description)

BOOST_AUTO_TEST_CASE(fields_of_every_kind_have_their_declared_names)
{
    std::vector<std::string> const expected{"optional", "vector", "not_copyable", "aggregate", "array",
                                            "variant",  "map",    "duration",     "time",      "view",
                                            "flag",     "pointer", "bits",         "lane"};
    auto const& names = pc::field_names<of_every_kind>;
    BOOST_TEST(std::vector<std::string>(names.begin(), names.end()) == expected, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_type_inside_a_function_has_its_plain_name)
{
    struct inside {
        int first_field;
    };
    BOOST_TEST(pc::event_name<inside> == "inside");
    BOOST_TEST(pc::field_names<inside>[0] == "first_field");
}

BOOST_AUTO_TEST_CASE(fields_are_visited_by_reference_in_order)
{
    of_every_kind value{};
    std::vector<void const*> addresses;
    pc::for_each_field(value, [&](std::string_view, auto& field) { addresses.push_back(&field); });
    BOOST_TEST_REQUIRE(addresses.size() == 14u);
    BOOST_TEST(addresses[0] == static_cast<void const*>(&value.optional));
    BOOST_TEST(addresses[2] == static_cast<void const*>(&value.not_copyable));
    BOOST_TEST(addresses[13] == static_cast<void const*>(&value.lane));
}

BOOST_AUTO_TEST_CASE(visited_fields_come_with_their_keys_and_may_be_changed)
{
    renamed_type value{1, 2};
    pc::for_each_field(value, [](std::string_view key, int& field) { field += key == "2nd" ? 40 : 0; });
    BOOST_TEST(value.first == 1);
    BOOST_TEST(value.second == 42);
    of_48_fields many{};
    pc::for_each_field(many, [i = 0](std::string_view, int& field) mutable { field = i++; });
    BOOST_TEST(many.f0 == 0);
    BOOST_TEST(many.f47 == 47);
}

BOOST_AUTO_TEST_SUITE_END()
