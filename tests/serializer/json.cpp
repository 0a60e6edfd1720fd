#include <polycast/serializer/json.hpp>

#include <polycast/event/control.hpp>

#include <boost/test/unit_test.hpp>

#include <array>
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <variant>
#include <vector>

namespace pc = polycast;
using namespace std::string_literals;
using pc::serializer_error;

namespace {

struct plain {
    std::string text;
    int number;
    friend bool operator==(plain const&, plain const&) = default;
};
enum class colour : std::uint8_t { red, green };
enum class code { far_away = 5000 };
struct item {
    std::string name;
    int n;
    friend bool operator==(item const&, item const&) = default;
};
struct everything {
    bool flag;
    std::int8_t i8;
    std::uint64_t u64;
    double real;
    float small;
    std::string text;
    colour named;
    code numbered;
    std::optional<std::string> maybe;
    pc::nullable<int> nullable;
    std::vector<item> items;
    std::vector<bool> bits;
    std::array<int, 2> pair;
    std::map<std::string, item> by_name;
    std::variant<bool, int, std::string, std::vector<int>, item, plain> either;
    std::chrono::milliseconds duration;
    std::chrono::system_clock::time_point time;
    pc::raw_json raw;
    friend bool operator==(everything const&, everything const&) = default;
};
struct all_optional {
    std::optional<int> a;
    std::optional<std::string> b;
};
struct nothing {};
struct tree {
    std::vector<tree> children;
};
/// Each key begins the next one.
struct alike {
    int a = 0, ab = 0, abc = 0;
    std::optional<double> abcd;
};

using catalog = pc::events<plain, everything, all_optional, nothing, tree, alike>;

/// Writes down what the decoder says.
struct recorder {
    struct fault {
        std::error_code code;
        std::string path, type, id;
        std::size_t at_byte;
    };
    std::vector<std::string> calls;
    std::vector<everything> everythings;
    std::vector<plain> plains;
    std::vector<alike> alikes;
    std::vector<fault> faults;
    pc::envelope last{};
    std::size_t stop_after = 1000;

    template <class E>
    void event(pc::envelope const& around, E&& e)
    {
        last = around;
        calls.push_back("event " + std::string(pc::event_name<E>));
        if constexpr (std::same_as<E, everything>)
            everythings.push_back(std::move(e));
        else if constexpr (std::same_as<E, plain>)
            plains.push_back(std::move(e));
        else if constexpr (std::same_as<E, alike>)
            alikes.push_back(e);
    }
    void control(pc::envelope const& around)
    {
        last = around;
        calls.push_back("control " + std::string(around.type));
    }
    void unknown(pc::envelope const& around)
    {
        calls.push_back("unknown " + std::string(around.type) + " " + std::string(around.data));
    }
    void error(pc::envelope const& around, pc::decode_error const& e)
    {
        calls.push_back("error");
        faults.push_back({e.code, e.path, std::string(around.type), std::string(around.id), e.at_byte});
        BOOST_TEST(!e.message.empty());
    }
    [[nodiscard]] bool stopped() const { return calls.size() >= stop_after; }
};

/// The payload lives in a block of exactly its size: a sanitizer sees a read beyond it.
struct decoded {
    std::unique_ptr<char[]> bytes;
    recorder r;
    explicit decoded(std::string_view text, pc::decode_limits limits = {}, std::size_t stop_after = 1000)
        : bytes(new char[text.size()])
    {
        r.stop_after = stop_after;
        text.copy(bytes.get(), text.size());
        pc::serializer::json::decode<catalog>(std::span(bytes.get(), text.size()), limits, r);
    }
};

std::string event_text(std::string_view type, std::string_view data)
{
    return "{\"type\":\"" + std::string(type) + "\",\"data\":" + std::string(data) + ",\"id\":9}";
}
std::string event_text_reversed(std::string_view type, std::string_view data)
{
    return "{\"id\":9,\"data\":" + std::string(data) + ",\"type\":\"" + std::string(type) + "\"}";
}

std::string const whole = R"({"flag":true,"i8":-128,"u64":18446744073709551615,"real":1.5e3,"small":0.25,)"
                          R"("text":"a\n\"\u20ac\ud83d\ude00\u0000","named":"green","numbered":5000,"maybe":"m",)"
                          R"("nullable":null,"items":[{"name":"x","n":1},{"n":2,"name":"y\\"}],"bits":[true,false],)"
                          R"("pair":[3,4],"by_name":{"k\t":{"name":"z","n":5}},"either":{"item":{"name":"v","n":6}},)"
                          R"("duration":77,"time":"2026-11-21T01:02:03.456Z","raw":{"any": ["\n", 1.0]}})";
everything const whole_value{
    true, -128, 18446744073709551615U, 1500, 0.25F, "a\n\"\xE2\x82\xAC\xF0\x9F\x98\x80\0"s, colour::green,
    code::far_away, "m", {}, {{"x", 1}, {"y\\", 2}}, {true, false}, {3, 4}, {{"k\t", {"z", 5}}}, item{"v", 6},
    std::chrono::milliseconds{77},
    std::chrono::system_clock::time_point{std::chrono::milliseconds{1'795'222'923'456}}, {R"({"any": ["\n", 1.0]})"}};

/// `whole` with one field's value replaced.
std::string with(std::string_view key, std::string_view value)
{
    pc::detail::byte_buffer out;
    std::string text;
    bool first = true;
    auto const append = [&](std::string_view name, std::string_view json) {
        text.append(std::exchange(first, false) ? "{\"" : ",\"").append(name).append("\":").append(json);
    };
    pc::for_each_field(whole_value, [&](std::string_view name, auto const& field) {
        out.clear();
        pc::detail::json_writer{out}.write(field);
        append(name, name == key ? value : out.view());
    });
    return text + "}";
}

}  // namespace

#define TEST_CALLS(actual, ...)                                                                                        \
    BOOST_TEST((actual).r.calls == (std::vector<std::string>{__VA_ARGS__}), boost::test_tools::per_element())
#define TEST_FAULT(actual, code_, path_)                                                                               \
    BOOST_TEST_CONTEXT(path_)                                                                                          \
    {                                                                                                                  \
        decoded const result(actual);                                                                                  \
        BOOST_TEST_REQUIRE(result.r.calls.size() == 1u);                                                               \
        BOOST_TEST_REQUIRE(result.r.faults.size() == 1u);                                                              \
        BOOST_TEST(result.r.faults[0].code == (code_));                                                                \
        BOOST_TEST(result.r.faults[0].path == (path_));                                                                \
    }

BOOST_AUTO_TEST_SUITE(json_decoding)

BOOST_AUTO_TEST_CASE(every_kind_of_field_is_bound_whether_the_type_comes_first_or_last)
{
    for (auto const& text : {event_text("everything", whole), event_text_reversed("everything", whole)}) {
        decoded const result(text);
        TEST_CALLS(result, "event everything");
        BOOST_TEST_REQUIRE(result.r.everythings.size() == 1u);
        BOOST_TEST((result.r.everythings[0] == whole_value));
        BOOST_TEST(result.r.last.id == "9");
        BOOST_TEST(result.r.last.data == "");
    }
}

BOOST_AUTO_TEST_CASE(what_is_encoded_is_decoded_to_an_equal_value)
{
    std::vector<everything> values{whole_value, everything{}};
    values[1].raw.text = "null";
    for (auto const& variant : std::initializer_list<decltype(everything::either)>{
             true, -5, "\xE2\x82\xAC\\"s, std::vector{1, 2}, item{"i", 1}, plain{"p", 2}}) {
        values.push_back(whole_value);
        values.back().either = variant;
        values.back().maybe.reset();
        values.back().nullable.value = 4;
    }
    pc::detail::byte_buffer out;
    for (auto const& value : values) {
        if (!out.empty())
            out.append(pc::serializer::json::separator);
        BOOST_TEST_REQUIRE(!pc::serializer::json::encode(out, {.room = "r"}, value));
    }
    decoded const result(out.view());
    BOOST_TEST((result.r.everythings == values));
    BOOST_TEST(result.r.last.room == "r");
}

BOOST_AUTO_TEST_CASE(the_envelope_is_read_with_its_id_as_it_was_written)
{
    decoded const r(R"( {"room":"a\"b","type":"nothing","id":"x\n\"","service_route":"cost","offset":21,"received":7,)"
                    R"("timestamp":"2026-11-21T01:02:03.456Z","unheard_of":{"a":[1,{}]},"token":null} )");
    TEST_CALLS(r, "event nothing");
    BOOST_TEST(r.r.last.room == "a\"b");
    BOOST_TEST(r.r.last.id == R"("x\n\"")");
    BOOST_TEST(r.r.last.service == "cost");
    BOOST_TEST(r.r.last.timestamp == "2026-11-21T01:02:03.456Z");
    BOOST_TEST(r.r.last.offset.value() == 21u);
    BOOST_TEST(r.r.last.received.value() == 7u);
    BOOST_TEST(!r.r.last.since.has_value());
}

BOOST_AUTO_TEST_CASE(control_messages_that_were_encoded_are_read_into_the_envelope)
{
    pc::detail::byte_buffer out;
    BOOST_TEST(!pc::serializer::json::encode(
        out, {}, pc::control::hello{.session = "s", .epoch = "k", .resumed = true, .heartbeat_ms = 5, .ack = {8, 9}}));
    decoded const hello(out.view());
    TEST_CALLS(hello, "control $hello");
    BOOST_TEST(hello.r.last.session == "s");
    BOOST_TEST(hello.r.last.version.value() == 1u);
    BOOST_TEST(hello.r.last.resumed.value());
    BOOST_TEST(hello.r.last.heartbeat_ms.value() == 5u);
    BOOST_TEST(hello.r.last.ack_every.value() == 8u);
    BOOST_TEST(hello.r.last.ack_within_ms.value() == 9u);
    out.clear();
    BOOST_TEST(!pc::serializer::json::encode(out, {.id_json = "9"}, pc::control::error_reply{"c", "m", 1200}));
    decoded const error(out.view());
    BOOST_TEST(error.r.last.code == "c");
    BOOST_TEST(error.r.last.message == "m");
    BOOST_TEST(error.r.last.retry_after_ms.value() == 1200u);
    BOOST_TEST(error.r.last.id == "9");
    out.clear();
    BOOST_TEST(!pc::serializer::json::encode(out, {}, pc::control::bye{"drain", {200, 5000}, {}}));
    decoded const bye(out.view());
    BOOST_TEST(bye.r.last.reason == "drain");
    BOOST_TEST(bye.r.last.reconnect_min_ms.value() == 200u);
    BOOST_TEST(bye.r.last.reconnect_max_ms.value() == 5000u);
    BOOST_TEST(bye.r.last.url == "");
    out.clear();
    BOOST_TEST(!pc::serializer::json::encode(out, {}, pc::control::ok{"r", 3, "e", false}));
    decoded const ok(out.view());
    BOOST_TEST(!ok.r.last.recovered.value());
    BOOST_TEST(ok.r.last.offset.value() == 3u);
}

BOOST_AUTO_TEST_CASE(the_data_of_unknown_events_and_control_stays_as_it_was_written)
{
    std::string const data = R"({"a": "\u20ac\n", "b":[1, 2.50]})";
    for (auto const& text : {event_text("other", data), event_text_reversed("other", data)})
        TEST_CALLS(decoded(text), "unknown other " + data);
    TEST_CALLS(decoded(R"({"type":"$unheard_of","data":1})"), "control $unheard_of");
}

BOOST_AUTO_TEST_CASE(absent_data_is_accepted_where_no_field_is_required)
{
    TEST_CALLS(decoded(R"({"type":"nothing"})"), "event nothing");
    TEST_CALLS(decoded(R"({"type":"nothing","data":{"ignored":1}})"), "event nothing");
    TEST_CALLS(decoded(R"({"type":"all_optional"})"), "event all_optional");
    TEST_CALLS(decoded(R"({"type":"all_optional","data":{"b":null}})"), "event all_optional");
    TEST_FAULT(R"({"type":"plain"})", serializer_error::missing_field, "data.text");
}

BOOST_AUTO_TEST_CASE(a_payload_holds_several_events_with_any_white_space_between)
{
    TEST_CALLS(decoded("{\"type\":\"nothing\"}\n{\"type\":\"other\"}\r\n \t"
                       "{\"type\":\"$ping\"}{\"type\":\"nothing\"}\n"),
               "event nothing", "unknown other ", "control $ping", "event nothing");
}

BOOST_AUTO_TEST_CASE(a_fault_names_the_field)
{
    using e = serializer_error;
    auto const in = [](std::string_view key, std::string_view value) {
        return event_text("everything", with(key, value));
    };
    BOOST_TEST((decoded(in("", "")).r.calls.front() == "event everything"));
    TEST_FAULT(in("flag", "1"), e::wrong_type, "data.flag");
    TEST_FAULT(in("i8", "128"), e::out_of_range, "data.i8");
    TEST_FAULT(in("i8", "-129"), e::out_of_range, "data.i8");
    TEST_FAULT(in("i8", "1.0"), e::wrong_type, "data.i8");
    TEST_FAULT(in("i8", "\"1\""), e::wrong_type, "data.i8");
    TEST_FAULT(in("i8", "null"), e::wrong_type, "data.i8");
    TEST_FAULT(in("u64", "18446744073709551616"), e::out_of_range, "data.u64");
    TEST_FAULT(in("u64", "-1"), e::out_of_range, "data.u64");
    TEST_FAULT(in("u64", "1e2"), e::wrong_type, "data.u64");
    TEST_FAULT(in("real", "true"), e::wrong_type, "data.real");
    TEST_FAULT(in("real", "1e999"), e::out_of_range, "data.real");
    TEST_FAULT(in("real", "1.8e308"), e::out_of_range, "data.real");
    TEST_FAULT(in("small", "1e39"), e::out_of_range, "data.small");
    TEST_FAULT(in("text", "[\"a\"]"), e::wrong_type, "data.text");
    TEST_FAULT(in("text", R"("\udc00")"), e::invalid_utf8, "data.text");
    TEST_FAULT(in("text", R"("a\ud800")"), e::syntax, "data.text");
    TEST_FAULT(in("named", "\"blue\""), e::unknown_enumerator, "data.named");
    TEST_FAULT(in("named", "1"), e::wrong_type, "data.named");
    TEST_FAULT(in("numbered", "99999999999"), e::out_of_range, "data.numbered");
    TEST_FAULT(in("maybe", "5"), e::wrong_type, "data.maybe");
    TEST_FAULT(in("nullable", "\"5\""), e::wrong_type, "data.nullable");
    TEST_FAULT(in("items", "{}"), e::wrong_type, "data.items");
    TEST_FAULT(in("items", R"([{"name":"x","n":1},{"name":[{}],"n":1}])"), e::wrong_type, "data.items[1].name");
    TEST_FAULT(in("items", R"([{"name":"x"}])"), e::missing_field, "data.items[0].n");
    TEST_FAULT(in("items", R"([{"name":"x","n":1,"n":2}])"), e::duplicate_field, "data.items[0].n");
    TEST_FAULT(in("bits", "[true,1]"), e::wrong_type, "data.bits[1]");
    TEST_FAULT(in("pair", "[1]"), e::out_of_range, "data.pair");
    TEST_FAULT(in("pair", "[1,2,3]"), e::out_of_range, "data.pair");
    TEST_FAULT(in("by_name", R"({"a":{"name":"x","n":1},"a":{"name":"x","n":1}})"), e::duplicate_field,
               "data.by_name.a");
    TEST_FAULT(in("by_name", R"({"a":{"name":1,"n":1}})"), e::wrong_type, "data.by_name.a.name");
    TEST_FAULT(in("either", "null"), e::wrong_type, "data.either");
    TEST_FAULT(in("either", "{}"), e::wrong_type, "data.either");
    TEST_FAULT(in("either", R"({"other":1})"), e::wrong_type, "data.either.other");
    TEST_FAULT(in("either", R"({"item":{"name":"x","n":"1"}})"), e::wrong_type, "data.either.item.n");
    TEST_FAULT(in("either", R"({"item":{"name":"x","n":1},"plain":{}})"), e::wrong_type, "data.either");
    TEST_FAULT(in("either", "1.5"), e::wrong_type, "data.either");
    TEST_FAULT(in("duration", "\"77\""), e::wrong_type, "data.duration");
    TEST_FAULT(in("time", "\"yesterday\""), e::wrong_type, "data.time");
    TEST_FAULT(in("time", "\"0001-01-01T00:00:00Z\""), e::out_of_range, "data.time");
    TEST_FAULT(in("raw", "{\"a\" 1}"), e::syntax, "data.raw");
    TEST_FAULT(event_text("plain", "[]"), e::wrong_type, "data");
    TEST_FAULT(event_text("plain", "null"), e::wrong_type, "data");
    TEST_FAULT(event_text("plain", R"({"text":"x"})"), e::missing_field, "data.number");
}

BOOST_AUTO_TEST_CASE(a_fault_in_the_envelope_names_the_key)
{
    using e = serializer_error;
    TEST_FAULT(R"({"data":{}})", e::missing_field, "type");
    TEST_FAULT(R"({"type":"","data":{}})", e::missing_field, "type");
    TEST_FAULT(R"({"type":5})", e::wrong_type, "type");
    TEST_FAULT(R"({"type":"nothing","room":{"a":[1]}})", e::wrong_type, "room");
    TEST_FAULT(R"({"type":"nothing","id":1.5})", e::wrong_type, "id");
    TEST_FAULT(R"({"type":"nothing","id":-1})", e::out_of_range, "id");
    TEST_FAULT(R"({"type":"nothing","id":[]})", e::wrong_type, "id");
    TEST_FAULT(R"({"type":"nothing","received":"5"})", e::wrong_type, "received");
    TEST_FAULT(R"({"type":"nothing","type":"nothing"})", e::duplicate_field, "type");
    TEST_FAULT(R"({"type":"nothing","data":{},"data":{}})", e::duplicate_field, "data");
    TEST_FAULT(R"({"data":{},"type":"nothing","data":{}})", e::duplicate_field, "data");
}

BOOST_AUTO_TEST_CASE(the_reply_to_a_refused_event_can_carry_its_id_which_comes_after_the_fault)
{
    for (char const* data : {"5", "[[{\"]\":1}]]", R"({"text":{"a":"}"},"number":1})", R"({"text":"x"})"}) {
        decoded const result(event_text("plain", data));
        BOOST_TEST_REQUIRE(result.r.faults.size() == 1u);
        BOOST_TEST(result.r.faults[0].id == "9");
        BOOST_TEST(result.r.faults[0].type == "plain");
    }
}

BOOST_AUTO_TEST_CASE(a_fault_tells_the_byte)
{
    decoded const result("{\"type\":\"nothing\"}\n{\"type\":\"nothing\" x}");
    BOOST_TEST_REQUIRE(result.r.faults.size() == 1u);
    BOOST_TEST(result.r.faults[0].at_byte == 37u);
}

BOOST_AUTO_TEST_CASE(a_malformed_object_is_reported_once_and_the_others_are_kept)
{
    for (std::string const bad :
         {R"({"type":"plain","data":{"text":"a)", R"({"type":"plain","data":{"text":"a\q","number":1}})",
          R"({"type":"plain","data":{"text":"a","number":01}})", R"({"type":"plain","data":{"text":"a","number":1})",
          R"({"type":"plain",})", R"({"type" "plain"})", R"({type:"plain"})", "[1,2]",
          "5", "garbage", "}", R"({"type":"$ack"}})", R"({"type":"other","data":[1,]})",
          R"({"type":"other","data":tru})",
          R"({"type":"other","data":-})", R"({"type":"other","data":"\ud800x"})", R"({"a":1)", "{\"a\":\"\t\"}", "{"}) {
        BOOST_TEST_CONTEXT(bad)
        {
            decoded const result("{\"type\":\"nothing\"}\n" + bad + "\n{\"type\":\"all_optional\"}");
            BOOST_TEST_REQUIRE(result.r.calls.size() >= 3u);
            BOOST_TEST(result.r.calls.front() == "event nothing");
            BOOST_TEST(result.r.calls.back() == "event all_optional");
            BOOST_TEST(result.r.faults.size() == 1u);
        }
    }
}

BOOST_AUTO_TEST_CASE(nesting_beyond_the_limit_is_refused_even_where_it_is_skipped)
{
    auto const nested = [](std::size_t depth) { return std::string(depth, '[') + std::string(depth, ']'); };
    TEST_CALLS(decoded(event_text("other", nested(63))), "unknown other " + nested(63));
    TEST_FAULT(event_text("other", nested(64)), serializer_error::too_deep, "data");
    TEST_FAULT(R"({"type":"nothing","extra":)" + nested(64) + "}", serializer_error::too_deep, "extra");
    std::string tree_text = "{\"children\":[]}";
    for (int i = 0; i < 40; ++i)
        tree_text = "{\"children\":[" + tree_text + "]}";
    decoded const deep(event_text("tree", tree_text));
    BOOST_TEST_REQUIRE(deep.r.faults.size() == 1u);
    BOOST_TEST(deep.r.faults[0].code == serializer_error::too_deep);
    BOOST_TEST(deep.r.faults[0].id == "9");
    // Neither the stack nor the time is the peer's to spend.
    TEST_FAULT(std::string(1'000'000, '['), serializer_error::syntax, "");
    TEST_FAULT("{\"a\":" + std::string(1'000'000, '['), serializer_error::too_deep, "a");
}

BOOST_AUTO_TEST_CASE(fields_are_bound_in_any_order_and_with_any_spelling_of_their_keys)
{
    for (std::string_view const data :
         {R"({"a":1,"ab":2,"abc":3,"abcd":4.5})", R"({"abcd":4.5,"abc":3,"ab":2,"a":1})",
          R"({"abc":3,"a":1,"abcd":4.5,"ab":2})", R"({"a":1,"ab":2,"x":[{"abc":7}],"abc":3,"abcde":null,"abcd":4.5})",
          R"({"x":1,"y":"a","ab":2,"abc":3,"abcd":4.5,"a":1})", R"( { "a" : 1 , "ab" : 2 , "abc" : 3 , "abcd" : 4.5 } )",
          R"({"a": 1, "ab": 2, "abc": 3, "abcd": 4.5})", R"({"\u0061":1,"a\u0062":2,"\u0061bc":3,"abc\u0064":4.5})",
          "{\n\t\"a\"\t:\n1,\"ab\"\r\n:2\n,\n\"abc\":3,\"abcd\":4.5e0\n}"}) {
        BOOST_TEST_CONTEXT(data)
        {
            decoded const result(event_text("alike", data));
            BOOST_TEST_REQUIRE(result.r.alikes.size() == 1u);
            alike const& e = result.r.alikes[0];
            BOOST_TEST((e.a == 1 && e.ab == 2 && e.abc == 3 && e.abcd == 4.5));
        }
    }
    BOOST_TEST(!decoded(event_text("alike", R"({"a":1,"ab":2,"abc":3})")).r.alikes.at(0).abcd.has_value());
    using e = serializer_error;
    TEST_FAULT(event_text("alike", R"({"a":1,"ab":2,"ab":2,"abc":3})"), e::duplicate_field, "data.ab");
    TEST_FAULT(event_text("alike", R"({"a":1,"ab":2,"abc":3,"a":1})"), e::duplicate_field, "data.a");
    TEST_FAULT(event_text("alike", R"({"a":1,"ab":2,"abc":3,"\u0061":1})"), e::duplicate_field, "data.a");
    TEST_FAULT(event_text("alike", R"({"a":1,"x":0,"a":1,"ab":2,"abc":3})"), e::duplicate_field, "data.a");
    TEST_FAULT(event_text("alike", R"({"a":1,"abc":3,"abcd":4.5})"), e::missing_field, "data.ab");
    TEST_FAULT(event_text("alike", R"({"a":1,"ab":2 "abc":3})"), e::syntax, "data");
    TEST_FAULT(event_text("alike", R"({"a":1,"ab":2,,"abc":3})"), e::syntax, "data");
    TEST_FAULT(event_text("alike", R"({"a":1,"ab":2,"abc":3,})"), e::syntax, "data");
    TEST_FAULT(event_text("alike", R"({"a":1,"ab":2,"abc" 3})"), e::syntax, "data");
    TEST_FAULT(event_text("alike", R"({"a":1,"ab":x})"), e::syntax, "data.ab");
    TEST_FAULT(event_text("alike", R"({,"a":1,"ab":2,"abc":3})"), e::syntax, "data");
    decoded const without_comma(event_text("alike", R"({"a":1"ab":2,"abc":3})"));
    BOOST_TEST_REQUIRE(without_comma.r.faults.size() == 1u);
    BOOST_TEST(without_comma.r.faults[0].at_byte == event_text("alike", R"({"a":1)").size() - 8);
}

BOOST_AUTO_TEST_CASE(unknown_fields_are_refused_only_on_demand)
{
    std::string const text = event_text("plain", R"({"text":"a","more":[1],"number":1})");
    TEST_CALLS(decoded(text), "event plain");
    decoded const result(text, {.refuse_unknown_fields = true});
    BOOST_TEST_REQUIRE(result.r.faults.size() == 1u);
    BOOST_TEST(result.r.faults[0].code == serializer_error::unknown_field);
    BOOST_TEST(result.r.faults[0].path == "data.more");
}

BOOST_AUTO_TEST_CASE(a_payload_that_is_not_utf8_or_empty_is_refused_as_a_whole)
{
    TEST_FAULT("{\"type\":\"nothing\",\"room\":\"\xFF\"}", serializer_error::invalid_utf8, "");
    TEST_FAULT("", serializer_error::syntax, "");
    TEST_FAULT(" \n", serializer_error::syntax, "");
    TEST_FAULT("\0"s, serializer_error::syntax, "");
}

BOOST_AUTO_TEST_CASE(errors_are_counted_and_end_the_payload)
{
    std::string text;
    for (int i = 0; i < 100; ++i)
        text += "{\n";
    decoded const result(text);
    BOOST_TEST(result.r.faults.size() == 17u);
    BOOST_TEST(result.r.faults.back().code == serializer_error::too_many_errors);
}

BOOST_AUTO_TEST_CASE(a_visitor_that_stops_sees_no_more)
{
    TEST_CALLS(decoded("{\"type\":\"nothing\"}\n{\"type\":\"nothing\"}", {}, 1), "event nothing");
}

BOOST_AUTO_TEST_CASE(a_number_too_small_for_a_double_is_zero)
{
    decoded const result(event_text("everything", with("real", "1e-999")));
    BOOST_TEST_REQUIRE(result.r.everythings.size() == 1u);
    BOOST_TEST(result.r.everythings[0].real == 0.0);
}

BOOST_AUTO_TEST_CASE(a_payload_cut_anywhere_is_refused_without_reading_beyond_it)
{
    std::string const text = event_text("everything", whole);
    for (std::size_t size = 0; size < text.size(); ++size) {
        decoded const forward(text.substr(0, size));
        BOOST_TEST_REQUIRE(forward.r.faults.size() == 1u);
    }
    std::string const reversed = event_text_reversed("everything", whole);
    for (std::size_t size = 0; size < reversed.size(); ++size)
        BOOST_TEST_REQUIRE(decoded(reversed.substr(0, size)).r.faults.size() == 1u);
}

BOOST_AUTO_TEST_CASE(mutated_payloads_never_harm_and_what_is_accepted_can_be_encoded_and_read_again)
{
    std::mt19937 random(20261121);
    std::string const seed = event_text("everything", whole) + "\n" + event_text_reversed("everything", whole) + "\n" +
                             event_text("plain", R"({"text":"a\u0041","number":-1})") + "\n" +
                             event_text("other", R"([1,"\n",{"a":null}])") + "\n" +
                             R"({"type":"$hello","ack":{"every":1},"reconnect_after_ms":[1,2]})";
    static constexpr std::string_view spice = "{}[]\",:\\u0123456789abcdefn-+.eE\ntrue \t\x01\0\xC3\xA9\xFF";
    auto const below = [&](std::size_t n) { return std::uniform_int_distribution<std::size_t>(0, n - 1)(random); };
    std::size_t accepted = 0;
    for (int round = 0; round < 6000; ++round) {
        std::string text = seed;
        for (std::size_t edits = 1 + below(4); edits != 0 && !text.empty(); --edits) {
            std::size_t const at = below(text.size());
            switch (below(5)) {
            case 0: text[at] = spice[below(spice.size())]; break;
            case 1: text.erase(at, 1 + below(8)); break;
            case 2: text.insert(at, 1, spice[below(spice.size())]); break;
            case 3: text.insert(at, text.substr(below(text.size()), below(20))); break;
            default: text.resize(at + 1); break;
            }
        }
        decoded const first(text, {.utf8_checked = below(4) == 0});
        for (auto const& value : first.r.plains) {
            pc::detail::byte_buffer out;
            BOOST_TEST_REQUIRE(!pc::serializer::json::encode(out, {}, value));
            decoded const again(out.view());
            BOOST_TEST_REQUIRE(again.r.plains.size() == 1u);
            if (pc::valid_utf8(value.text))
                BOOST_TEST_REQUIRE((again.r.plains[0] == value));
            ++accepted;
        }
        for (auto const& value : first.r.everythings) {
            pc::detail::byte_buffer out;
            if (!pc::serializer::json::encode(out, {}, value))
                BOOST_TEST_REQUIRE(decoded(out.view()).r.everythings.size() == 1u);
        }
    }
    BOOST_TEST(accepted > 1000u);
}

BOOST_AUTO_TEST_SUITE_END()
