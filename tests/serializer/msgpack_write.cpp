#include <polycast/serializer/msgpack.hpp>

#include <polycast/event/control.hpp>

#include "../support/msgpack.hpp"

#include <array>
#include <chrono>
#include <cstdint>
#include <limits>
#include <list>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

using namespace support;
using namespace std::string_literals;

namespace {

struct nothing {};
template <class T>
struct holds {
    T v{};
};
struct inner {
    int n;
};
struct optionals {
    std::optional<int> a, b;
    pc::nullable<int> c;
};
enum class status : std::uint8_t { started, done };
enum class code { far_away = 5000 };
using either = std::variant<bool, double, std::string, std::vector<int>, inner>;

std::error_code last_error;

}  // namespace

template <class T>
struct pc::event_traits<holds<T>> {
    static constexpr std::string_view name = "h";
};

namespace {

/// The bytes of one value, in hexadecimal: behind `{"type":"h","data":{"v":`.
template <class T>
std::string written(T const& value)
{
    pc::detail::byte_buffer out;
    out.append("before");
    last_error = pc::serializer::msgpack::encode(out, {}, holds<T>{value});
    std::string const bytes(out.view());
    if (last_error)
        return bytes == "before" ? "nothing" : "something";
    std::string const head = "before\x82\xA4type\xA1h\xA4"s + "data\x81\xA1v"s;
    BOOST_REQUIRE(bytes.starts_with(head));
    return to_hex(std::string_view(bytes).substr(head.size()));
}
std::string first(std::string const& hex, std::size_t bytes)
{
    return hex.substr(0, bytes * 3 - 1);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(msgpack_encoding)

BOOST_AUTO_TEST_CASE(integers_take_the_smallest_format_that_holds_them)
{
    BOOST_TEST(written(0) == "00");
    BOOST_TEST(written(std::int8_t{127}) == "7f");
    BOOST_TEST(written(std::int64_t{127}) == "7f");
    BOOST_TEST(written(128) == "cc 80");
    BOOST_TEST(written(std::uint8_t{255}) == "cc ff");
    BOOST_TEST(written(256) == "cd 01 00");
    BOOST_TEST(written(65535) == "cd ff ff");
    BOOST_TEST(written(65536) == "ce 00 01 00 00");
    BOOST_TEST(written(std::uint32_t{0xFFFFFFFF}) == "ce ff ff ff ff");
    BOOST_TEST(written(std::int64_t{0x1'0000'0000}) == "cf 00 00 00 01 00 00 00 00");
    BOOST_TEST(written(std::numeric_limits<std::uint64_t>::max()) == "cf ff ff ff ff ff ff ff ff");
    BOOST_TEST(written(-1) == "ff");
    BOOST_TEST(written(-32) == "e0");
    BOOST_TEST(written(-33) == "d0 df");
    BOOST_TEST(written(std::int8_t{-128}) == "d0 80");
    BOOST_TEST(written(-129) == "d1 ff 7f");
    BOOST_TEST(written(-32768) == "d1 80 00");
    BOOST_TEST(written(-32769) == "d2 ff ff 7f ff");
    BOOST_TEST(written(std::numeric_limits<std::int32_t>::min()) == "d2 80 00 00 00");
    BOOST_TEST(written(std::int64_t{-2147483649}) == "d3 ff ff ff ff 7f ff ff ff");
    BOOST_TEST(written(std::numeric_limits<std::int64_t>::min()) == "d3 80 00 00 00 00 00 00 00");
}

BOOST_AUTO_TEST_CASE(floats_take_32_bits_where_nothing_is_lost)
{
    BOOST_TEST(written(0.25) == "ca 3e 80 00 00");
    BOOST_TEST(written(0.1F) == "ca 3d cc cc cd");
    BOOST_TEST(written(0.1) == "cb 3f b9 99 99 99 99 99 9a");
    BOOST_TEST(written(1e300) == "cb 7e 37 e4 3c 88 00 75 9c");
    BOOST_TEST(written(-0.0) == "ca 80 00 00 00");
    BOOST_TEST(written(static_cast<long double>(1.5)) == "ca 3f c0 00 00");
}

BOOST_AUTO_TEST_CASE(a_number_that_no_application_expects_is_an_error_and_leaves_the_buffer)
{
    for (double const value : {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity(),
                               -std::numeric_limits<double>::infinity()}) {
        BOOST_TEST(written(value) == "nothing");
        BOOST_TEST(last_error == pc::serializer_error::not_a_number);
    }
    BOOST_TEST(written(std::numeric_limits<long double>::max()) == "nothing");
    BOOST_TEST(last_error == pc::serializer_error::out_of_range);
    BOOST_TEST(written(status{9}) == "nothing");
    BOOST_TEST(last_error == pc::serializer_error::unknown_enumerator);
    using far = std::chrono::sys_time<std::chrono::days>;
    BOOST_TEST(written(far{std::chrono::days{10'000'000}}) == "nothing");
    BOOST_TEST(last_error == pc::serializer_error::out_of_range);
}

BOOST_AUTO_TEST_CASE(booleans_nil_and_text_are_as_the_specification_has_them)
{
    BOOST_TEST(written(false) == "c2");
    BOOST_TEST(written(true) == "c3");
    BOOST_TEST(written(pc::nullable<int>{}) == "c0");
    BOOST_TEST(written(""s) == "a0");
    BOOST_TEST(written("abc"s) == "a3 61 62 63");
    BOOST_TEST(first(written(std::string(31, 'x')), 2) == "bf 78");
    BOOST_TEST(first(written(std::string(32, 'x')), 3) == "d9 20 78");
    BOOST_TEST(first(written(std::string(255, 'x')), 3) == "d9 ff 78");
    BOOST_TEST(first(written(std::string(256, 'x')), 4) == "da 01 00 78");
    BOOST_TEST(first(written(std::string(65535, 'x')), 4) == "da ff ff 78");
    BOOST_TEST(first(written(std::string(65536, 'x')), 6) == "db 00 01 00 00 78");
}

BOOST_AUTO_TEST_CASE(arrays_and_maps_have_the_smallest_head)
{
    using list = std::vector<int>;
    BOOST_TEST(written(list{}) == "90");
    BOOST_TEST(written(list{1, 2}) == "92 01 02");
    BOOST_TEST(first(written(list(15)), 2) == "9f 00");
    BOOST_TEST(first(written(list(16)), 4) == "dc 00 10 00");
    BOOST_TEST(first(written(list(65535)), 4) == "dc ff ff 00");
    BOOST_TEST(first(written(list(65536)), 6) == "dd 00 01 00 00 00");
    BOOST_TEST(written(std::list<int>{1}) == "91 01");
    BOOST_TEST(written(std::vector<bool>{true, false}) == "92 c3 c2");
    BOOST_TEST(written(std::array<int, 3>{1, 2, 3}) == "93 01 02 03");
    std::map<std::string, int> map{{"a", 1}};
    BOOST_TEST(written(map) == "81 a1 61 01");
    for (int i = 0; i != 16; ++i)
        map[std::string(1, static_cast<char>('a' + i))] = 1;
    BOOST_TEST(first(written(map), 5) == "de 00 10 a1 61");
    for (int i = 0; map.size() < 65536; ++i)
        map[std::to_string(i)] = 1;
    BOOST_TEST(first(written(map), 5) == "df 00 01 00 00");
}

BOOST_AUTO_TEST_CASE(bytes_are_bin)
{
    using bytes = std::vector<std::byte>;
    BOOST_TEST(written(bytes{}) == "c4 00");
    BOOST_TEST(written(bytes{std::byte{0xFF}}) == "c4 01 ff");
    BOOST_TEST(first(written(bytes(255)), 3) == "c4 ff 00");
    BOOST_TEST(first(written(bytes(256)), 4) == "c5 01 00 00");
    BOOST_TEST(first(written(bytes(65536)), 6) == "c6 00 01 00 00 00");
    BOOST_TEST(written(std::array<std::byte, 2>{}) == "c4 02 00 00");
}

BOOST_AUTO_TEST_CASE(other_fields_are_what_they_are_in_json)
{
    using namespace std::chrono;
    BOOST_TEST(written(status::done) == "a4 64 6f 6e 65");
    BOOST_TEST(written(code::far_away) == "cd 13 88");
    BOOST_TEST(written(milliseconds{77}) == "4d");
    BOOST_TEST(written(sys_time<microseconds>{microseconds{1'999}}) == "b8 " + to_hex("1970-01-01T00:00:00.001Z"));
    BOOST_TEST(written(inner{4}) == "81 a1 6e 04");
    BOOST_TEST(written(either{true}) == "c3");
    BOOST_TEST(written(either{1.5}) == "ca 3f c0 00 00");
    BOOST_TEST(written(either{"s"s}) == "a1 73");
    BOOST_TEST(written(either{std::vector{1}}) == "91 01");
    BOOST_TEST(written(either{inner{4}}) == "81 a5 69 6e 6e 65 72 81 a1 6e 04");
    BOOST_TEST(unpacked(encoded(optionals{{}, 2, {}})) == R"({"type":"optionals","data":{"b":2,"c":null}})");
    BOOST_TEST(unpacked(encoded(optionals{1, {}, {3}})) == R"({"type":"optionals","data":{"a":1,"c":3}})");
}

BOOST_AUTO_TEST_CASE(what_is_not_utf8_becomes_the_replacement_character_at_any_place)
{
    for (std::size_t before = 0; before < 40; ++before) {
        std::string const run(before, 'a');
        for (auto const& [bad, good] : {std::pair{"\xFF", "\xEF\xBF\xBD"},
                                        {"\xE2\x82", "\xEF\xBF\xBD\xEF\xBF\xBD"},
                                        {"\xE2\x82\xAC", "\xE2\x82\xAC"},
                                        {"\xED\xA0\x80", "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"}})
            BOOST_TEST(written(run + bad + run) == written(run + good + run));
    }
}

BOOST_AUTO_TEST_CASE(raw_json_is_the_same_value_with_the_smallest_heads)
{
    auto const raw = [](std::string_view text) { return written(pc::raw_json{std::string(text)}); };
    BOOST_TEST(raw("") == "c0");
    BOOST_TEST(raw(" null ") == "c0");
    BOOST_TEST(raw("[true,false, 5,-33,1.5,0.1,\"\\u20ac\\n\"]") ==
               "97 c3 c2 05 d0 df ca 3f c0 00 00 cb 3f b9 99 99 99 99 99 9a a4 e2 82 ac 0a");
    BOOST_TEST(raw(R"({"a":{"b":[]},"c":{}})") == "82 a1 61 81 a1 62 90 a1 63 80");
    BOOST_TEST(raw("[18446744073709551615,-9223372036854775808,18446744073709551616]") ==
               "93 cf ff ff ff ff ff ff ff ff d3 80 00 00 00 00 00 00 00 ca 5f 80 00 00");
    for (std::size_t const count : {15UL, 16UL, 70'000UL}) {
        std::string list = "[[0]";
        std::string map = "{\"\":[]";
        std::string ones;
        for (std::size_t i = 1; i != count; ++i) {
            list += ",1";
            map += ",\"\":[]";
            ones += " 01";
        }
        std::string const head = count == 15 ? "9f" : count == 16 ? "dc 00 10" : "dd 00 01 11 70";
        BOOST_TEST((raw(list + "]") == head + " 91 00" + ones));
        std::string const map_head = count == 15 ? "8f a0 90" : count == 16 ? "de 00 10 a0 90" : "df 00 01 11 70 a0 90";
        BOOST_TEST((raw(map + "}").starts_with(map_head)));
    }
    for (auto const& [bad, why] : {std::pair{"[1", pc::serializer_error::syntax},
                                   {"1 2", pc::serializer_error::syntax},
                                   {" ", pc::serializer_error::syntax},
                                   {"1e999", pc::serializer_error::out_of_range},
                                   {"\"\xFF\"", pc::serializer_error::invalid_utf8},
                                   {R"("\udc00")", pc::serializer_error::invalid_utf8}}) {
        BOOST_TEST(raw(bad) == "nothing");
        BOOST_TEST(last_error == why);
    }
    BOOST_TEST(raw(std::string(1'000'000, '[')) == "nothing");
    BOOST_TEST(last_error == pc::serializer_error::too_deep);
}

BOOST_AUTO_TEST_CASE(the_envelope_has_what_is_set_in_the_order_of_wire)
{
    using namespace std::chrono;
    system_clock::time_point const when{milliseconds{1'795'222'923'456}};
    BOOST_TEST(
        unpacked(encoded(inner{1}, {.room = "thread/\"42", .offset = 21, .timestamp = when, .id_json = "\"a\""})) ==
        R"({"type":"inner","room":"thread/\"42","offset":21,"timestamp":"2026-11-21T01:02:03.456Z",)"
        R"("id":"a","data":{"n":1}})");
    BOOST_TEST(to_hex(encoded(nothing{})) == "81 a4 74 79 70 65 a7 6e 6f 74 68 69 6e 67");
    BOOST_TEST(unpacked(encoded(nothing{}, {.offset = 3})) == R"({"type":"nothing","offset":3})");
}

BOOST_AUTO_TEST_CASE(an_id_is_the_value_that_its_json_says)
{
    auto const id = [](std::string_view json) {
        std::string const bytes = encoded(nothing{}, {.id_json = json});
        return to_hex(std::string_view(bytes).substr(encoded(nothing{}).size() + 3));
    };
    BOOST_TEST(id("9") == "09");
    BOOST_TEST(id("18446744073709551615") == "cf ff ff ff ff ff ff ff ff");
    BOOST_TEST(id("\"\"") == "a0");
    BOOST_TEST(id("\"ab\"") == "a2 61 62");
    BOOST_TEST(id(R"("a\"\n\u20ac")") == "a6 61 22 0a e2 82 ac");
    BOOST_TEST(id("-1") == "ff");
    for (auto const* bad : {"\"", "\"a", "a", "\"a\"b\"", "9x"}) {
        pc::detail::byte_buffer out;
        BOOST_TEST((pc::serializer::msgpack::encode(out, {.id_json = bad}, nothing{}) == pc::serializer_error::syntax));
        BOOST_TEST(out.empty());
    }
}

BOOST_AUTO_TEST_CASE(control_has_its_fields_beside_the_type)
{
    namespace c = pc::control;
    BOOST_TEST(unpacked(encoded(c::error_reply{"rate_limited", "60 messages a minute", 1200}, {.id_json = "9"})) ==
               R"({"type":"$error","id":9,"code":"rate_limited","message":"60 messages a minute",)"
               R"("retry_after_ms":1200})");
    BOOST_TEST(unpacked(encoded(c::ok{}, {.room = "ignored", .offset = 3, .id_json = "9"})) ==
               R"({"type":"$ok","id":9})");
    BOOST_TEST(unpacked(encoded(c::ok{"thread/42", 21, "k3", true}, {.id_json = "1"})) ==
               R"({"type":"$ok","id":1,"room":"thread/42","offset":21,"epoch":"k3","recovered":true})");
    BOOST_TEST(
        unpacked(encoded(c::hello{
            .session = "s_7Q", .epoch = "k3", .resumed = true, .heartbeat_ms = 30000, .max_message_bytes = 65536})) ==
        R"({"type":"$hello","version":1,"session":"s_7Q","epoch":"k3","resumed":true,"heartbeat_ms":30000,)"
        R"("ack":{"every":32,"within_ms":500},"max_message_bytes":65536,"dictionary":null})");
    BOOST_TEST(unpacked(encoded(c::bye{"drain", {200, 5000}, {}})) ==
               R"({"type":"$bye","reason":"drain","reconnect_after_ms":[200,5000],"url":null})");
    BOOST_TEST(unpacked(encoded(c::pong{})) == R"({"type":"$pong"})");
    BOOST_TEST(unpacked(encoded(c::open{"s_7Q", 1057, {}})) == R"({"type":"$open","session":"s_7Q","received":1057})");
}

BOOST_AUTO_TEST_SUITE_END()
