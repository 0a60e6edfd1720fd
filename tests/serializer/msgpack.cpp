#include <polycast/serializer/msgpack.hpp>

#include <polycast/event/control.hpp>

#include "../support/msgpack.hpp"

#include <array>
#include <chrono>
#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <variant>
#include <vector>

using namespace support;
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
struct binary {
    std::vector<std::byte> any;
    std::array<std::byte, 2> two;
    std::variant<int, std::vector<std::byte>> either;
};
struct times {
    std::chrono::sys_time<std::chrono::nanoseconds> fine;
    std::chrono::sys_time<std::chrono::seconds> coarse;
    std::variant<int, std::chrono::sys_time<std::chrono::nanoseconds>> either;
};
struct numbers {
    std::int64_t i64;
    std::uint64_t u64;
    double real;
    float small;
};

using catalog = pc::events<plain, everything, all_optional, nothing, tree, binary, times, numbers>;
template <class Kept>
using decoded_as = decoding<catalog, Kept>;
using decoded = decoded_as<everything>;

std::string const whole = R"({"flag":true,"i8":-128,"u64":18446744073709551615,"real":1.5e3,"small":0.25,)"
                          R"("text":"a\n\"\u20ac\ud83d\ude00\u0000","named":"green","numbered":5000,"maybe":"m",)"
                          R"("nullable":null,"items":[{"name":"x","n":1},{"n":2,"name":"y\\"}],"bits":[true,false],)"
                          R"("pair":[3,4],"by_name":{"k\t":{"name":"z","n":5}},"either":{"item":{"name":"v","n":6}},)"
                          R"("duration":77,"time":"2026-11-21T01:02:03.456Z","raw":{"any":["\n",1.5]}})";
everything const whole_value{true,
                             -128,
                             18446744073709551615U,
                             1500,
                             0.25F,
                             "a\n\"\xE2\x82\xAC\xF0\x9F\x98\x80\0"s,
                             colour::green,
                             code::far_away,
                             "m",
                             {},
                             {{"x", 1}, {"y\\", 2}},
                             {true, false},
                             {3, 4},
                             {{"k\t", {"z", 5}}},
                             item{"v", 6},
                             std::chrono::milliseconds{77},
                             std::chrono::system_clock::time_point{std::chrono::milliseconds{1'795'222'923'456}},
                             {R"({"any":["\n",1.5]})"}};

std::string str(std::string_view text)
{
    pc::detail::byte_buffer out;
    pc::detail::write_str(out, text);
    return std::string(out.view());
}
/// `{"type":…,"data":…,"id":9}`, of which the data is given in bytes; or the other way round.
std::string event_bytes(std::string_view type, std::string_view data)
{
    return "\x83" + str("type") + str(type) + str("data") + std::string(data) + str("id") + "\x09";
}
std::string event_reversed(std::string_view type, std::string_view data)
{
    return "\x83" + str("id") + "\x09" + str("data") + std::string(data) + str("type") + str(type);
}

/// `everything` with one field's value replaced by these bytes; an unknown key adds a field.
std::string with(std::string_view key, std::string_view value)
{
    pc::detail::byte_buffer out;
    std::size_t const count = pc::detail::field_count<everything>;
    pc::detail::write_head(out, pc::detail::msgpack_head::map, count);
    pc::for_each_field(whole_value, [&](std::string_view name, auto const& field) {
        pc::detail::write_str(out, name);
        if (name == key)
            out.append(value);
        else
            pc::detail::msgpack_writer{out}.write(field);
    });
    return event_bytes("everything", out.view());
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

BOOST_AUTO_TEST_SUITE(msgpack_decoding)

BOOST_AUTO_TEST_CASE(every_format_of_the_specification_is_read)
{
    // The specification's section "Formats", from first byte to last; what JSON has no form for is looked at below.
    using row = std::pair<std::string, std::string>;
    for (auto const& [hex, json] : std::vector<row>{
             {"00", "0"},
             {"7f", "127"},  // positive fixint
             {"80", "{}"},
             {"81 a1 61 01", R"({"a":1})"},  // fixmap
             {"90", "[]"},
             {"92 01 c0", "[1,null]"},  // fixarray
             {"a0", "\"\""},
             {"a3 61 62 63", "\"abc\""},  // fixstr
             {"c0", "null"},
             {"c2", "false"},
             {"c3", "true"},  //
             {"c4 00", "\"\""},
             {"c4 02 01 ff", "\"Af8=\""},  // bin 8
             {"c5 00 03 61 62 63", "\"YWJj\""},
             {"c6 00 00 00 01 00", "\"AA==\""},                                                       // bin 16, 32
             {"c7 0c ff 00 00 00 01 00 00 00 00 00 00 00 02", "\"1970-01-01T00:00:02.000000001Z\""},  // timestamp 96
             {"c8 00 0c ff 00 00 00 00 ff ff ff ff ff ff ff ff", "\"1969-12-31T23:59:59.000Z\""},     // ext 16
             {"c9 00 00 00 04 ff 00 00 00 3c", "\"1970-01-01T00:01:00.000Z\""},                       // ext 32
             {"ca 3f c0 00 00", "1.5"},
             {"cb 3f f8 00 00 00 00 00 00", "1.5"},  // float 32, 64
             {"cc 00", "0"},
             {"cc ff", "255"},
             {"cd ff ff", "65535"},  // uint 8, 16
             {"ce ff ff ff ff", "4294967295"},
             {"cf ff ff ff ff ff ff ff ff", "18446744073709551615"},
             {"d0 80", "-128"},
             {"d0 7f", "127"},
             {"d1 80 00", "-32768"},
             {"d1 00 01", "1"},  // int 8, 16
             {"d2 80 00 00 00", "-2147483648"},
             {"d2 7f ff ff ff", "2147483647"},
             {"d3 80 00 00 00 00 00 00 00", "-9223372036854775808"},
             {"d3 ff ff ff ff ff ff ff ff", "-1"},
             {"d6 ff 00 00 00 01", "\"1970-01-01T00:00:01.000Z\""},              // fixext 4: timestamp 32
             {"d7 ff 00 00 00 00 00 00 00 01", "\"1970-01-01T00:00:01.000Z\""},  // fixext 8: timestamp 64
             {"d7 ff ee 6b 27 fc 00 00 00 00", "\"1970-01-01T00:00:00.999999999Z\""},
             {"d9 01 61", "\"a\""},
             {"da 00 01 61", "\"a\""},
             {"db 00 00 00 01 61", "\"a\""},  // str 8, 16, 32
             {"dc 00 01 05", "[5]"},
             {"dd 00 00 00 01 05", "[5]"},  // array 16, 32
             {"de 00 01 a1 61 05", R"({"a":5})"},
             {"df 00 00 00 01 a1 61 05", R"({"a":5})"},  // map 16, 32
             {"e0", "-32"},
             {"ff", "-1"}}) {  // negative fixint
        BOOST_TEST_CONTEXT(hex)
        {
            BOOST_TEST(unpacked(from_hex(hex)) == json);
            TEST_CALLS(decoded(event_bytes("other", from_hex(hex))), "unknown other " + json);
        }
    }
}

BOOST_AUTO_TEST_CASE(the_byte_that_is_never_used_breaks_the_payload)
{
    TEST_FAULT(event_bytes("other", "\xC1"), serializer_error::syntax, "data");
    TEST_FAULT(event_bytes("other", "\x91\xC1"), serializer_error::syntax, "data");
    TEST_FAULT(with("i8", "\xC1"), serializer_error::syntax, "data.i8");
    TEST_FAULT("\xC1"s, serializer_error::syntax, "");
}

BOOST_AUTO_TEST_CASE(what_json_has_no_form_for_is_refused_where_json_is_needed_and_skipped_elsewhere)
{
    for (auto const* hex : {"d4 05 00", "d5 05 00 00", "d6 05 00 00 00 00", "d7 05 00 00 00 00 00 00 00 00",
                            "d8 05 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00", "c7 00 05", "c7 01 05 00",
                            "c8 00 01 05 00", "c9 00 00 00 01 05 00", "d4 ff 00", "81 05 05", "81 c0 c0",
                            "d7 ff ff ff ff ff 00 00 00 00" /* more than a second of nanoseconds */}) {
        std::string const bytes = from_hex(hex);
        TEST_FAULT(event_bytes("other", bytes), serializer_error::wrong_type, "data");
        TEST_CALLS(decoded(event_bytes("nothing", "\x81" + str("more") + bytes)), "event nothing");
    }
    for (auto const* hex :
         {"ca 7f c0 00 00", "cb ff f0 00 00 00 00 00 00", "c7 0c ff 00 00 00 00 7f ff ff ff ff ff ff ff"}) {
        TEST_FAULT(event_bytes("other", from_hex(hex)), serializer_error::out_of_range, "data");
        TEST_CALLS(decoded(event_bytes("nothing", "\x81" + str("more") + from_hex(hex))), "event nothing");
    }
    TEST_FAULT(event_bytes("other", "\x91" + "\xA2\xC3\x28"s), serializer_error::invalid_utf8, "data");
}

BOOST_AUTO_TEST_CASE(every_kind_of_field_is_bound_whether_the_type_comes_first_or_last)
{
    for (auto const& bytes : {event_bytes("everything", packed(whole)), event_reversed("everything", packed(whole))}) {
        decoded const result(bytes);
        TEST_CALLS(result, "event everything");
        BOOST_TEST_REQUIRE(result.r.kept.size() == 1u);
        BOOST_TEST((result.r.kept[0] == whole_value));
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
    std::string bytes;
    for (auto const& value : values)
        bytes += encoded(value, {.room = "r"});
    decoded const result(bytes);
    BOOST_TEST((result.r.kept == values));
    BOOST_TEST(result.r.last.room == "r");
}

BOOST_AUTO_TEST_CASE(an_integer_field_takes_every_width_that_fits)
{
    for (auto const* hex :
         {"05", "cc 05", "cd 00 05", "ce 00 00 00 05", "cf 00 00 00 00 00 00 00 05", "d0 05", "d1 00 05",
          "d2 00 00 00 05", "d3 00 00 00 00 00 00 00 05", "ca 40 a0 00 00", "cb 40 14 00 00 00 00 00 00"}) {
        for (auto const* key : {"i8", "u64", "real", "small", "duration"}) {
            decoded const result(with(key, from_hex(hex)));
            BOOST_TEST_REQUIRE(result.r.kept.size() == 1u);
            everything const& e = result.r.kept[0];
            std::string_view const k = key;
            BOOST_TEST((k == "i8"      ? e.i8
                        : k == "u64"   ? static_cast<int>(e.u64)
                        : k == "real"  ? static_cast<int>(e.real)
                        : k == "small" ? static_cast<int>(e.small)
                                       : static_cast<int>(e.duration.count())) == 5);
        }
    }
    decoded const minus(with("i8", from_hex("cb c0 60 00 00 00 00 00 00")));
    BOOST_TEST_REQUIRE(minus.r.kept.size() == 1u);
    BOOST_TEST(minus.r.kept[0].i8 == -128);
}

BOOST_AUTO_TEST_CASE(the_ends_of_64_bits_are_told_from_what_is_beyond_them)
{
    auto const read = [](std::string_view i64, std::string_view u64) {
        return decoded_as<numbers>(event_bytes("numbers", "\x84" + str("i64") + from_hex(i64) + str("u64") +
                                                              from_hex(u64) + str("real") + "\x01" + str("small") +
                                                              "\x01"));
    };
    // As floats: -2^63, 2^64 - 2048
    auto const ends = read("cb c3 e0 00 00 00 00 00 00", "cb 43 ef ff ff ff ff ff ff");
    BOOST_TEST_REQUIRE(ends.r.kept.size() == 1u);
    BOOST_TEST(ends.r.kept[0].i64 == std::numeric_limits<std::int64_t>::min());
    BOOST_TEST(ends.r.kept[0].u64 == 18446744073709549568U);
    BOOST_TEST(read("cb c3 e0 00 00 00 00 00 01", "00").r.faults.at(0).code == serializer_error::out_of_range);
    BOOST_TEST(read("00", "cb 43 f0 00 00 00 00 00 00").r.faults.at(0).code == serializer_error::out_of_range);
    BOOST_TEST(read("cf 80 00 00 00 00 00 00 00", "00").r.faults.at(0).code == serializer_error::out_of_range);
    BOOST_TEST(read("00", "ff").r.faults.at(0).code == serializer_error::out_of_range);
}

BOOST_AUTO_TEST_CASE(a_time_is_read_from_text_and_from_each_form_of_the_timestamp_extension)
{
    using namespace std::chrono;
    auto const read = [](std::string const& fine, std::string const& coarse) {
        return decoded_as<times>(event_bytes("times", "\x83" + str("fine") + fine + str("coarse") + coarse +
                                                          str("either") + from_hex("d6 ff 00 00 00 07")));
    };
    struct form {
        std::string bytes;
        std::int64_t second, nanosecond;
    };
    for (auto const& [bytes, second, nanosecond] :
         {form{from_hex("d6 ff ff ff ff ff"), 4294967295, 0}, form{from_hex("d7 ff 00 00 00 04 00 00 00 00"), 0, 1},
          form{from_hex("d7 ff ee 6b 27 fc 00 00 00 05"), 5, 999'999'999},
          form{from_hex("c7 0c ff 3b 9a c9 ff ff ff ff ff ff ff ff ff"), -1, 999'999'999},
          form{str("1970-01-01T00:00:01.5Z"), 1, 500'000'000}}) {
        auto const result = read(bytes, bytes);
        BOOST_TEST_REQUIRE(result.r.kept.size() == 1u);
        times const& t = result.r.kept[0];
        BOOST_TEST(t.fine.time_since_epoch().count() == second * 1'000'000'000 + nanosecond);
        BOOST_TEST(t.coarse.time_since_epoch().count() == second);
        BOOST_TEST(t.either.index() == 1u);
    }
    std::string const now = from_hex("d6 ff 00 00 00 01");
    BOOST_TEST(read(from_hex("d4 ff 01"), now).r.faults.at(0).code == serializer_error::wrong_type);
    BOOST_TEST(read(from_hex("d6 fe 00 00 00 01"), now).r.faults.at(0).code == serializer_error::wrong_type);
    BOOST_TEST(read(from_hex("c7 0c ff 00 00 00 00 7f ff ff ff ff ff ff ff"), now).r.faults.at(0).code ==
               serializer_error::out_of_range);
    BOOST_TEST(read(now, "\x01").r.faults.at(0).path == "data.coarse");
}

BOOST_AUTO_TEST_CASE(bytes_are_read_from_bin_and_from_numbers)
{
    auto const read = [](std::string_view any, std::string_view two) {
        return decoded_as<binary>(event_bytes("binary", "\x83" + str("any") + from_hex(any) + str("two") +
                                                            from_hex(two) + str("either") + from_hex("c4 01 09")));
    };
    for (auto const& [any, two] : {std::pair{"c4 02 01 ff", "c4 02 01 ff"},
                                   {"92 01 cc ff", "92 01 cc ff"},
                                   {"c5 00 02 01 ff", "c6 00 00 00 02 01 ff"}}) {
        auto const result = read(any, two);
        BOOST_TEST_REQUIRE(result.r.kept.size() == 1u);
        binary const& b = result.r.kept[0];
        BOOST_TEST((b.any == std::vector<std::byte>{std::byte{1}, std::byte{255}}));
        BOOST_TEST((b.two == std::array<std::byte, 2>{std::byte{1}, std::byte{255}}));
        BOOST_TEST((b.either == decltype(b.either){std::vector<std::byte>{std::byte{9}}}));
    }
    BOOST_TEST(read("c4 00", "c4 02 00 00").r.kept.size() == 1u);
    BOOST_TEST(read("c4 00", "c4 03 00 00 00").r.faults.at(0).code == serializer_error::out_of_range);
    BOOST_TEST(read("c4 00", "c4 01 00").r.faults.at(0).path == "data.two");
    BOOST_TEST(read("a1 61", "c4 02 00 00").r.faults.at(0).code == serializer_error::wrong_type);
    TEST_FAULT(with("text", from_hex("c4 01 61")), serializer_error::wrong_type, "data.text");
}

BOOST_AUTO_TEST_CASE(the_envelope_is_read_with_its_id_as_json_text)
{
    decoded const r(
        packed(R"({"room":"a\"b","type":"nothing","id":"x\n\"","service_route":"cost","offset":21,)"
               R"("received":7,"timestamp":"2026-11-21T01:02:03.456Z","unheard_of":{"a":[1,{}]},"token":null})"));
    TEST_CALLS(r, "event nothing");
    BOOST_TEST(r.r.last.room == "a\"b");
    BOOST_TEST(r.r.id == R"("x\n\"")");
    BOOST_TEST(r.r.last.service == "cost");
    BOOST_TEST(r.r.timestamp == "2026-11-21T01:02:03.456Z");
    BOOST_TEST(r.r.last.offset.value() == 21u);
    BOOST_TEST(r.r.last.received.value() == 7u);
    BOOST_TEST(!r.r.last.since.has_value());
    for (auto const& [hex, json] : {std::pair{"09", "9"},
                                    {"cf ff ff ff ff ff ff ff ff", "18446744073709551615"},
                                    {"cb 42 79 80 00 00 00 00 00", "1752346656768"},
                                    {"a1 78", "\"x\""},
                                    {"c0", ""}}) {
        decoded const result("\x82" + str("type") + str("nothing") + str("id") + from_hex(hex));
        TEST_CALLS(result, "event nothing");
        BOOST_TEST(result.r.id == json);
        if (*json != '\0') {  // and the answer carries the same value
            std::string const answer = unpacked(encoded(pc::control::ok{}, {.id_json = result.r.id}));
            BOOST_TEST(answer == R"({"type":"$ok","id":)" + std::string(json) + "}");
        }
    }
    decoded const stamped("\x82" + str("timestamp") + from_hex("d6 ff 00 00 00 01") + str("type") + str("$x"));
    BOOST_TEST(stamped.r.timestamp == "1970-01-01T00:00:01.000Z");
}

BOOST_AUTO_TEST_CASE(control_messages_that_were_encoded_are_read_into_the_envelope)
{
    std::string const hello = encoded(pc::control::hello{.session = "s",
                                                         .epoch = "k",
                                                         .resumed = true,
                                                         .heartbeat_ms = 5,
                                                         .ack = {8, 9},
                                                         .dictionary = {{{"d", "/d"}}}});
    decoded const h(hello);
    TEST_CALLS(h, "control $hello");
    BOOST_TEST(h.r.last.session == "s");
    BOOST_TEST(h.r.last.version.value() == 1u);
    BOOST_TEST(h.r.last.resumed.value());
    BOOST_TEST(h.r.last.heartbeat_ms.value() == 5u);
    BOOST_TEST(h.r.last.ack_every.value() == 8u);
    BOOST_TEST(h.r.last.ack_within_ms.value() == 9u);
    BOOST_TEST(h.r.last.dictionary_id == "d");
    BOOST_TEST(h.r.last.dictionary_url == "/d");
    decoded const error(encoded(pc::control::error_reply{"c", "m", 1200}, {.id_json = "9"}));
    BOOST_TEST(error.r.last.code == "c");
    BOOST_TEST(error.r.last.message == "m");
    BOOST_TEST(error.r.last.retry_after_ms.value() == 1200u);
    BOOST_TEST(error.r.id == "9");
    decoded const bye(encoded(pc::control::bye{"drain", {200, 5000}, {}}));
    BOOST_TEST(bye.r.last.reason == "drain");
    BOOST_TEST(bye.r.last.reconnect_min_ms.value() == 200u);
    BOOST_TEST(bye.r.last.reconnect_max_ms.value() == 5000u);
    BOOST_TEST(bye.r.last.url == "");
    decoded const ok(encoded(pc::control::ok{"r", 3, "e", false}));
    BOOST_TEST(!ok.r.last.recovered.value());
    BOOST_TEST(ok.r.last.offset.value() == 3u);
}

BOOST_AUTO_TEST_CASE(the_data_of_unknown_events_is_json_text_as_from_any_serializer)
{
    std::string const data = R"({"a":"€\n","b":[1,2.5,null]})";
    for (auto const& bytes : {event_bytes("other", packed(data)), event_reversed("other", packed(data))})
        TEST_CALLS(decoded(bytes), "unknown other " + data);
    TEST_CALLS(decoded(packed(R"({"type":"$unheard_of","data":1})")), "control $unheard_of");
    TEST_CALLS(decoded(packed(R"({"type":"other"})")), "unknown other ");
}

BOOST_AUTO_TEST_CASE(absent_data_is_accepted_where_no_field_is_required)
{
    TEST_CALLS(decoded(packed(R"({"type":"nothing"})")), "event nothing");
    TEST_CALLS(decoded(packed(R"({"type":"nothing","data":{"ignored":1}})")), "event nothing");
    TEST_CALLS(decoded(packed(R"({"type":"all_optional"})")), "event all_optional");
    TEST_CALLS(decoded(packed(R"({"type":"all_optional","data":{"b":null}})")), "event all_optional");
    TEST_FAULT(packed(R"({"type":"plain"})"), serializer_error::missing_field, "data.text");
}

BOOST_AUTO_TEST_CASE(a_payload_holds_several_events_back_to_back)
{
    TEST_CALLS(decoded(packed(R"({"type":"nothing"})") + packed(R"({"type":"other"})") + packed(R"({"type":"$ping"})") +
                       packed(R"({"type":"nothing"})")),
               "event nothing", "unknown other ", "control $ping", "event nothing");
}

BOOST_AUTO_TEST_CASE(a_fault_names_the_field_and_the_next_event_is_read)
{
    using e = serializer_error;
    struct fault {
        std::string_view key, json;
        serializer_error code;
        std::string_view path;
    };
    for (auto const& [key, json, code, path] : {
             fault{"flag", "1", e::wrong_type, "data.flag"},
             fault{"i8", "128", e::out_of_range, "data.i8"},
             fault{"i8", "-129", e::out_of_range, "data.i8"},
             fault{"i8", "1.5", e::wrong_type, "data.i8"},
             fault{"i8", "1e30", e::out_of_range, "data.i8"},
             fault{"i8", "\"1\"", e::wrong_type, "data.i8"},
             fault{"i8", "null", e::wrong_type, "data.i8"},
             fault{"u64", "18446744073709551616", e::out_of_range, "data.u64"},
             fault{"u64", "-1", e::out_of_range, "data.u64"},
             fault{"real", "true", e::wrong_type, "data.real"},
             fault{"small", "1e39", e::out_of_range, "data.small"},
             fault{"text", "[\"a\"]", e::wrong_type, "data.text"},
             fault{"named", "\"blue\"", e::unknown_enumerator, "data.named"},
             fault{"named", "1", e::wrong_type, "data.named"},
             fault{"numbered", "99999999999", e::out_of_range, "data.numbered"},
             fault{"maybe", "5", e::wrong_type, "data.maybe"},
             fault{"nullable", "\"5\"", e::wrong_type, "data.nullable"},
             fault{"items", "{}", e::wrong_type, "data.items"},
             fault{"items", R"([{"name":"x","n":1},{"name":[{}],"n":1}])", e::wrong_type, "data.items[1].name"},
             fault{"items", R"([{"name":"x"}])", e::missing_field, "data.items[0].n"},
             fault{"items", R"([{"name":"x","n":1,"n":2}])", e::duplicate_field, "data.items[0].n"},
             fault{"bits", "[true,1]", e::wrong_type, "data.bits[1]"},
             fault{"pair", "[1]", e::out_of_range, "data.pair"},
             fault{"pair", "[1,2,3]", e::out_of_range, "data.pair"},
             fault{"by_name", R"({"a":{"name":"x","n":1},"a":{"name":"x","n":1}})", e::duplicate_field,
                   "data.by_name.a"},
             fault{"by_name", R"({"a":{"name":1,"n":1}})", e::wrong_type, "data.by_name.a.name"},
             fault{"either", "null", e::wrong_type, "data.either"},
             fault{"either", "{}", e::wrong_type, "data.either"},
             fault{"either", R"({"other":1})", e::wrong_type, "data.either.other"},
             fault{"either", R"({"item":{"name":"x","n":"1"}})", e::wrong_type, "data.either.item.n"},
             fault{"either", R"({"item":{"name":"x","n":1},"plain":{}})", e::wrong_type, "data.either"},
             fault{"either", "1.5", e::wrong_type, "data.either"},
             fault{"duration", "\"77\"", e::wrong_type, "data.duration"},
             fault{"time", "\"yesterday\"", e::wrong_type, "data.time"},
             fault{"time", "5", e::wrong_type, "data.time"},
             fault{"time", "\"0001-01-01T00:00:00Z\"", e::out_of_range, "data.time"},
         }) {
        std::string const bad = with(key, packed(json));
        TEST_FAULT(bad, code, path);
        TEST_CALLS(decoded(packed(R"({"type":"nothing"})") + bad + packed(R"({"type":"nothing"})")), "event nothing",
                   "error", "event nothing");
    }
    TEST_FAULT(with("real", from_hex("ca 7f c0 00 00")), e::out_of_range, "data.real");
    TEST_FAULT(with("i8", from_hex("ca 7f c0 00 00")), e::wrong_type, "data.i8");
    TEST_FAULT(with("small", from_hex("cb 7f f0 00 00 00 00 00 00")), e::out_of_range, "data.small");
    TEST_FAULT(with("text", "\xA1\xFF"), e::invalid_utf8, "data.text");
    TEST_FAULT(with("text", "\xA3\xED\xA0\x80"), e::invalid_utf8, "data.text");
    TEST_FAULT(with("by_name", from_hex("81 01 01")), e::wrong_type, "data.by_name");
    TEST_FAULT(with("items", from_hex("91 81 01 01")), e::wrong_type, "data.items[0]");
    TEST_FAULT(event_bytes("plain", "\x90"), e::wrong_type, "data");
    TEST_FAULT(event_bytes("plain", "\xC0"), e::wrong_type, "data");
}

BOOST_AUTO_TEST_CASE(a_fault_in_the_envelope_names_the_key)
{
    using e = serializer_error;
    auto const fault = [](std::string_view json, serializer_error code, std::string_view path) {
        TEST_FAULT(packed(json), code, path);
    };
    fault(R"({"data":{}})", e::missing_field, "type");
    fault(R"({"type":"","data":{}})", e::missing_field, "type");
    fault(R"({"type":5})", e::wrong_type, "type");
    fault(R"({"type":"nothing","room":{"a":[1]}})", e::wrong_type, "room");
    fault(R"({"type":"nothing","id":1.5})", e::wrong_type, "id");
    fault(R"({"type":"nothing","id":-1})", e::out_of_range, "id");
    fault(R"({"type":"nothing","id":[]})", e::wrong_type, "id");
    fault(R"({"type":"nothing","received":"5"})", e::wrong_type, "received");
    fault(R"({"type":"nothing","type":"nothing"})", e::duplicate_field, "type");
    fault(R"({"type":"nothing","data":{},"data":{}})", e::duplicate_field, "data");
    fault(R"({"data":{},"type":"nothing","data":{}})", e::duplicate_field, "data");
    TEST_FAULT("\x82\x05\x06" + str("type") + str("nothing"), e::wrong_type, "");
    TEST_FAULT("\x82\xA1\xFF\x06" + str("type") + str("nothing"), e::invalid_utf8, "");
    TEST_FAULT("\x82" + str("timestamp") + from_hex("d4 05 00") + str("type") + str("$x"), e::wrong_type, "timestamp");
}

BOOST_AUTO_TEST_CASE(the_reply_to_a_refused_event_can_carry_its_id_which_comes_after_the_fault)
{
    for (char const* data : {"5", R"([[{"]":1}]])", R"({"text":{"a":"}"},"number":1})", R"({"text":"x"})"}) {
        decoded const result(event_bytes("plain", packed(data)));
        BOOST_TEST_REQUIRE(result.r.faults.size() == 1u);
        BOOST_TEST(result.r.faults[0].id == "9");
        BOOST_TEST(result.r.faults[0].type == "plain");
    }
    decoded const result("\x83\x05\x06" + str("type") + str("nothing") + str("id") + "\x09");
    BOOST_TEST(result.r.faults.at(0).id == "9");
}

BOOST_AUTO_TEST_CASE(text_that_is_not_utf8_reaches_nobody)
{
    decoded const result("\x83" + str("id") + "\x09" + str("type") + "\xA2\xC3\x28" + str("data") + "\x80");
    TEST_CALLS(result, "error");
    BOOST_TEST(result.r.faults[0].code == serializer_error::invalid_utf8);
    BOOST_TEST(result.r.faults[0].path == "type");
    BOOST_TEST(result.r.faults[0].type == "");
    BOOST_TEST(result.r.faults[0].id == "9");
}

BOOST_AUTO_TEST_CASE(a_fault_tells_the_byte)
{
    std::string const good = packed(R"({"type":"nothing"})");
    decoded const result(good + packed(R"({"type":5})"));
    BOOST_TEST_REQUIRE(result.r.faults.size() == 1u);
    BOOST_TEST(result.r.faults[0].at_byte == good.size() + 6);
}

BOOST_AUTO_TEST_CASE(a_broken_map_ends_the_payload_with_one_error)
{
    std::string const good = packed(R"({"type":"nothing"})");
    for (std::string const& bad :
         {"\xC1"s, "\x05"s, "\xC0"s, "\x91\x01"s, str("text"), "\x81\xC1"s, "\x81" + str("type") + "\xC1"s,
          std::string(100, 'x'), from_hex("df ff ff ff ff"), from_hex("de 00 ff")}) {
        decoded const result(good + bad + (bad[0] == '\xDE' || bad[0] == '\xDF' ? "" : good + good));
        BOOST_TEST_CONTEXT(to_hex(bad))
        {
            TEST_CALLS(result, "event nothing", "error");
            BOOST_TEST(result.r.faults.at(0).code == serializer_error::syntax);
        }
    }
    // Whatever was wrong before it: the worst is told.
    decoded const both("\x82" + str("type") + "\x05" + str("more") + "\xC1" + good);
    TEST_CALLS(both, "error");
    BOOST_TEST(both.r.faults[0].code == serializer_error::syntax);
}

BOOST_AUTO_TEST_CASE(a_claim_beyond_the_payload_is_refused_before_anything_is_allocated)
{
    for (auto const* hex : {"dd ff ff ff ff",
                            "dc ff ff",
                            "9f",
                            "df ff ff ff ff",
                            "df 7f ff ff ff",
                            "de ff ff",
                            "8f",
                            "db ff ff ff ff",
                            "da ff ff",
                            "d9 ff",
                            "bf",
                            "c6 ff ff ff ff",
                            "c5 ff ff",
                            "c4 ff",
                            "c9 ff ff ff ff 05",
                            "c8 ff ff 05",
                            "c7 ff 05",
                            "d8 05",
                            "cf 00",
                            "cb 00"}) {
        BOOST_TEST_CONTEXT(hex)
        {
            std::string const head = "\x82" + str("type") + str("tree") + str("data");
            for (std::string const& bytes :
                 {head + from_hex(hex), head + "\x81" + str("children") + from_hex(hex), from_hex(hex),
                  "\x82" + str("type") + str("other") + str("data") + "\x91" + from_hex(hex)}) {
                decoded const result(bytes);
                TEST_CALLS(result, "error");
                BOOST_TEST(result.r.faults.at(0).code == serializer_error::syntax);
            }
        }
    }
}

BOOST_AUTO_TEST_CASE(nesting_beyond_the_limit_is_refused_even_where_it_is_skipped)
{
    auto const nested = [](std::size_t depth) { return std::string(depth - 1, '\x91') + "\x90"; };
    TEST_CALLS(decoded(event_bytes("other", nested(63))),
               "unknown other " + std::string(63, '[') + std::string(63, ']'));
    TEST_FAULT(event_bytes("other", nested(64)), serializer_error::too_deep, "data");
    TEST_FAULT("\x82" + str("type") + str("nothing") + str("extra") + nested(64), serializer_error::too_deep, "extra");
    std::string tree_bytes = "\x81" + str("children") + "\x90";
    for (int i = 0; i < 40; ++i)
        tree_bytes = "\x81" + str("children") + "\x91" + tree_bytes;
    decoded const deep(event_bytes("tree", tree_bytes) + packed(R"({"type":"nothing"})"));
    TEST_CALLS(deep, "error", "event nothing");
    BOOST_TEST(deep.r.faults.at(0).code == serializer_error::too_deep);
    BOOST_TEST(deep.r.faults.at(0).id == "9");
    // Neither the stack nor the time is the peer's to spend.
    std::string const bomb = nested(1'000'000);
    TEST_FAULT(bomb, serializer_error::syntax, "");
    TEST_FAULT("\x81" + str("a") + bomb + "", serializer_error::too_deep, "a");
    TEST_FAULT(event_bytes("everything", bomb), serializer_error::wrong_type, "data");
    TEST_FAULT(
        with("raw", bomb), serializer_error::too_deep, "data.raw" + [] {
            std::string indices;
            for (int i = 0; i < 62; ++i)
                indices += "[0]";
            return indices;
        }());
    TEST_FAULT(event_bytes("other", std::string(1'000'000, '\x81')), serializer_error::syntax, "");
    decoded const none(packed(R"({"type":"nothing"})"), {.max_depth = 0});
    BOOST_TEST(none.r.faults.at(0).code == serializer_error::too_deep);
}

BOOST_AUTO_TEST_CASE(unknown_fields_are_refused_only_on_demand)
{
    std::string const bytes = event_bytes("plain", packed(R"({"text":"a","more":[1],"number":1})"));
    TEST_CALLS(decoded(bytes), "event plain");
    decoded const result(bytes, {.refuse_unknown_fields = true});
    BOOST_TEST_REQUIRE(result.r.faults.size() == 1u);
    BOOST_TEST(result.r.faults[0].code == serializer_error::unknown_field);
    BOOST_TEST(result.r.faults[0].path == "data.more");
}

BOOST_AUTO_TEST_CASE(an_empty_payload_is_refused)
{
    TEST_FAULT("", serializer_error::syntax, "");
}

BOOST_AUTO_TEST_CASE(errors_are_counted_and_end_the_payload)
{
    std::string bytes;
    for (int i = 0; i < 100; ++i)
        bytes += packed(R"({"type":5})");
    decoded const result(bytes);
    BOOST_TEST(result.r.faults.size() == 17u);
    BOOST_TEST(result.r.faults.back().code == serializer_error::too_many_errors);
}

BOOST_AUTO_TEST_CASE(a_visitor_that_stops_sees_no_more)
{
    std::string const one = packed(R"({"type":"nothing"})");
    TEST_CALLS(decoded(one + one, {}, 1), "event nothing");
}

BOOST_AUTO_TEST_SUITE_END()
