#include <polycast/serializer/json.hpp>

#include <polycast/event/control.hpp>

#include <boost/test/unit_test.hpp>

#include <array>
#include <chrono>
#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace pc = polycast;
using namespace std::string_literals;

namespace {

struct nothing {};
struct text {
    std::string value;
};
struct numbers {
    std::int8_t i8;
    std::uint8_t u8;
    std::int64_t i64;
    std::uint64_t u64;
    double real;
    float small;
    bool yes;
};
struct optionals {
    std::optional<int> a, b;
    pc::nullable<int> c;
};
struct inner {
    int n;
};
enum class status : std::uint8_t { started, done };
enum class code { far_away = 5000 };
struct rich {
    std::vector<inner> list;
    std::array<bool, 2> array;
    std::vector<bool> bits;
    std::map<std::string, std::vector<int>> map;
    status state;
    code number;
    std::chrono::milliseconds duration;
    std::chrono::sys_time<std::chrono::microseconds> time;
    pc::raw_json raw;
    std::string_view view;
};
struct either {
    std::variant<bool, double, std::string, std::vector<int>, inner, text> value;
};
struct real {
    double value;
};
struct named {
    status value;
};

std::error_code last_error;

template <class E>
std::string encoded(E const& event, pc::envelope_head const& head = {})
{
    pc::detail::byte_buffer out;
    out.append("before");
    last_error = pc::serializer::json::encode(out, head, event);
    return std::string(out.view().substr(6));
}
std::string data_of(auto const& event)
{
    std::string const all = encoded(event);
    std::size_t const at = all.find(",\"data\":");
    return at == std::string::npos ? "none" : all.substr(at + 8, all.size() - at - 9);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(json_encoding)

BOOST_AUTO_TEST_CASE(an_event_without_fields_has_no_data)
{
    BOOST_TEST(encoded(nothing{}) == R"({"type":"nothing"})");
}

BOOST_AUTO_TEST_CASE(the_envelope_has_what_is_set_in_the_order_of_wire)
{
    using namespace std::chrono;
    system_clock::time_point const when{milliseconds{1'795'222'923'456}};
    BOOST_TEST(encoded(text{"x"}, {.room = "thread/\"42", .offset = 21, .timestamp = when, .id_json = "\"a\""}) ==
               R"({"type":"text","room":"thread/\"42","offset":21,"timestamp":"2026-11-21T01:02:03.456Z",)"
               R"("id":"a","data":{"value":"x"}})");
}

BOOST_AUTO_TEST_CASE(numbers_are_written_in_full)
{
    BOOST_TEST(data_of(numbers{-128, 255, std::numeric_limits<std::int64_t>::min(),
                               std::numeric_limits<std::uint64_t>::max(), 0.1, 0.25F, true}) ==
               R"({"i8":-128,"u8":255,"i64":-9223372036854775808,"u64":18446744073709551615,)"
               R"("real":0.1,"small":0.25,"yes":true})");
    BOOST_TEST(data_of(real{-1.7976931348623157e308}) == R"({"value":-1.7976931348623157e+308})");
}

BOOST_AUTO_TEST_CASE(an_optional_without_value_is_absent_and_a_nullable_is_null)
{
    BOOST_TEST(data_of(optionals{{}, 2, {}}) == R"({"b":2,"c":null})");
    BOOST_TEST(data_of(optionals{1, {}, {3}}) == R"({"a":1,"c":3})");
}

BOOST_AUTO_TEST_CASE(containers_enumerations_times_and_nested_aggregates_are_written)
{
    rich const event{{{1}, {2}},          {true, false},         {true, false, true}, {{"k\"", {1, 2}}, {"z", {}}},
                     status::done,        code::far_away,        std::chrono::milliseconds{77},
                     std::chrono::sys_time<std::chrono::microseconds>{std::chrono::microseconds{1'999}},
                     {R"({"any": 1})"},   "view"};
    BOOST_TEST(data_of(event) ==
               R"({"list":[{"n":1},{"n":2}],"array":[true,false],"bits":[true,false,true],)"
               R"("map":{"k\"":[1,2],"z":[]},"state":"done","number":5000,"duration":77,)"
               R"("time":"1970-01-01T00:00:00.001Z","raw":{"any": 1},"view":"view"})");
    BOOST_TEST(data_of(rich{}).starts_with(R"({"list":[],"array":[false,false],"bits":[],"map":{},"state":"started")"));
}

BOOST_AUTO_TEST_CASE(a_variant_is_its_value_and_an_aggregate_in_it_is_tagged)
{
    BOOST_TEST(data_of(either{true}) == R"({"value":true})");
    BOOST_TEST(data_of(either{1.5}) == R"({"value":1.5})");
    BOOST_TEST(data_of(either{"s"s}) == R"({"value":"s"})");
    BOOST_TEST(data_of(either{std::vector{1, 2}}) == R"({"value":[1,2]})");
    BOOST_TEST(data_of(either{inner{4}}) == R"({"value":{"inner":{"n":4}}})");
    BOOST_TEST(data_of(either{text{"t"}}) == R"({"value":{"text":{"value":"t"}}})");
}

BOOST_AUTO_TEST_CASE(a_number_that_json_cannot_carry_is_an_error_and_leaves_the_buffer)
{
    for (double value : {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity(),
                         -std::numeric_limits<double>::infinity()}) {
        BOOST_TEST(encoded(real{value}) == "");
        BOOST_TEST(last_error == pc::serializer_error::not_a_number);
        BOOST_TEST((last_error == pc::failure::internal));
    }
}

BOOST_AUTO_TEST_CASE(a_value_without_enumerator_is_an_error)
{
    BOOST_TEST(encoded(named{status{9}}) == "");
    BOOST_TEST(last_error == pc::serializer_error::unknown_enumerator);
}

BOOST_AUTO_TEST_CASE(what_is_not_utf8_becomes_the_replacement_character_at_any_place)
{
    for (std::size_t before = 0; before < 20; ++before) {
        std::string const run(before, 'a');
        BOOST_TEST(data_of(text{run + "\xFF" + run}) == "{\"value\":\"" + run + "\xEF\xBF\xBD" + run + "\"}");
        BOOST_TEST(data_of(text{run + "\xE2\x82"}) ==
                   "{\"value\":\"" + run + "\xEF\xBF\xBD" + "\xEF\xBF\xBD" + "\"}");
        BOOST_TEST(data_of(text{run + "\xE2\x82\xAC"}) == "{\"value\":\"" + run + "\xE2\x82\xAC" + "\"}");
    }
    BOOST_TEST(pc::valid_utf8(data_of(text{"\xED\xA0\x80 \xC0\x80 \xF4\x90\x80\x80 \xF0\x9F\x98\x80"})));
}

BOOST_AUTO_TEST_CASE(strings_are_escaped_at_any_place)
{
    for (std::size_t before = 0; before < 20; ++before) {
        std::string const run(before, 'a');
        BOOST_TEST(data_of(text{run + "\"\\\n\r\t\x01\x1F/" + run}) ==
                   "{\"value\":\"" + run + R"(\"\\\n\r\t\u0001\u001f/)" + run + "\"}");
    }
    BOOST_TEST(data_of(text{"\0"s}) == R"({"value":"\u0000"})");
    BOOST_TEST(data_of(text{"\x7F"}) == "{\"value\":\"\x7F\"}");
}

BOOST_AUTO_TEST_CASE(raw_json_never_breaks_the_frame)
{
    rich event{};
    event.raw.text = "{\n\"a\":\n1}";
    BOOST_TEST(data_of(event).find('\n') == std::string::npos);
    BOOST_TEST(data_of(event).find("\"raw\":{ \"a\": 1}") != std::string::npos);
    event.raw.text = "\"\xFF\"";
    BOOST_TEST(encoded(event) == "");
    BOOST_TEST(last_error == pc::serializer_error::invalid_utf8);
}

BOOST_AUTO_TEST_CASE(control_has_its_fields_beside_the_type)
{
    namespace c = pc::control;
    BOOST_TEST(encoded(c::error_reply{"rate_limited", "60 messages a minute", 1200}, {.id_json = "9"}) ==
               R"({"type":"$error","id":9,"code":"rate_limited","message":"60 messages a minute",)"
               R"("retry_after_ms":1200})");
    BOOST_TEST(encoded(c::ok{}, {.room = "ignored", .offset = 3, .id_json = "9"}) == R"({"type":"$ok","id":9})");
    BOOST_TEST(encoded(c::ok{"thread/42", 21, "k3", true}, {.id_json = "1"}) ==
               R"({"type":"$ok","id":1,"room":"thread/42","offset":21,"epoch":"k3","recovered":true})");
    BOOST_TEST(encoded(c::hello{.session = "s_7Q", .epoch = "k3", .resumed = true, .heartbeat_ms = 30000,
                                .max_message_bytes = 65536}) ==
               R"({"type":"$hello","version":1,"session":"s_7Q","epoch":"k3","resumed":true,"heartbeat_ms":30000,)"
               R"("ack":{"every":32,"within_ms":500},"max_message_bytes":65536,"dictionary":null})");
    BOOST_TEST(encoded(c::gap{1058, 1090, "evicted"}) == R"({"type":"$gap","from":1058,"to":1090,"reason":"evicted"})");
    BOOST_TEST(encoded(c::bye{"drain", {200, 5000}, {}}) ==
               R"({"type":"$bye","reason":"drain","reconnect_after_ms":[200,5000],"url":null})");
    BOOST_TEST(encoded(c::pong{}) == R"({"type":"$pong"})");
    BOOST_TEST(encoded(c::ping{}) == R"({"type":"$ping"})");
    BOOST_TEST(encoded(c::open{}) == R"({"type":"$open"})");
    BOOST_TEST(encoded(c::open{"s_7Q", 1057, {}}) == R"({"type":"$open","session":"s_7Q","received":1057})");
    BOOST_TEST(encoded(c::ack{1057}) == R"({"type":"$ack","received":1057})");
    BOOST_TEST(encoded(c::join{"thread/42", 17, "k3"}, {.id_json = "1"}) ==
               R"({"type":"$join","id":1,"room":"thread/42","since":17,"epoch":"k3"})");
    BOOST_TEST(encoded(c::leave{"thread/42"}) == R"({"type":"$leave","room":"thread/42"})");
    BOOST_TEST(encoded(c::credit{"thread/42", 64}) == R"({"type":"$credit","room":"thread/42","events":64})");
}

BOOST_AUTO_TEST_SUITE_END()
