#include <polycast/serializer/msgpack.hpp>

#include <polycast/serializer/json.hpp>

#include "../support/msgpack.hpp"

#include <array>
#include <chrono>
#include <cstdint>
#include <deque>
#include <limits>
#include <list>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <type_traits>
#include <unordered_map>
#include <variant>
#include <vector>

using namespace support;
using pc::serializer_error;

// Named: clang 14 does not take an optional of a local aggregate as a field.
namespace msgpack_random {

enum class colour : std::uint8_t { red, green, blue };
enum class far : std::int32_t { away = 5000, further = 100'000 };
struct item {
    std::string name;
    int n;
    friend bool operator==(item const&, item const&) = default;
};
struct leaf {
    double weight;
    std::optional<std::string> label;
    friend bool operator==(leaf const&, leaf const&) = default;
};
using millis = std::chrono::sys_time<std::chrono::milliseconds>;
/// Each type of field that an event may have.
struct all {
    bool flag;
    std::int8_t i8;
    std::uint8_t u8;
    std::int16_t i16;
    std::uint16_t u16;
    std::int32_t i32;
    std::uint32_t u32;
    std::int64_t i64;
    std::uint64_t u64;
    float small;
    double real;
    std::string text;
    colour named;
    far numbered;
    std::optional<std::int64_t> maybe;
    std::optional<item> maybe_item;
    pc::nullable<double> nullable;
    std::vector<item> items;
    std::vector<bool> bits;
    std::vector<std::vector<std::string>> table;
    std::list<std::uint16_t> list;
    std::deque<float> deque;
    std::array<int, 3> triple;
    std::map<std::string, item> by_name;
    std::unordered_map<std::string, std::vector<std::uint64_t>> by_hash;
    std::variant<bool, double, std::string, std::vector<int>, item, leaf> either;
    std::chrono::microseconds duration;
    std::chrono::duration<double> seconds;
    millis time;
    std::vector<std::byte> bytes;
    std::array<std::byte, 5> five;
    pc::raw_json raw;
    friend bool operator==(all const&, all const&) = default;
};
}  // namespace msgpack_random

namespace {

using namespace msgpack_random;
using catalog = pc::events<all, item, leaf>;
using packed_all = decoding<catalog, all>;
using json_all = decoding<catalog, all, pc::serializer::json>;

/// Values of every type, with a liking for the ends of ranges.
class dice {
public:
    explicit dice(std::uint32_t seed) : random_(seed) {}

    std::size_t below(std::size_t n) { return std::uniform_int_distribution<std::size_t>(0, n - 1)(random_); }
    std::uint64_t bits() { return std::uniform_int_distribution<std::uint64_t>()(random_); }

    template <class T>
    T any()
    {
        T out{};
        fill(out);
        return out;
    }

private:
    template <class T>
    void fill(T& out)
    {
        using pc::detail::value_kind;
        constexpr value_kind kind = pc::detail::kind_of<T>();
        if constexpr (std::is_same_v<T, bool>) {
            out = below(2) == 0;
        } else if constexpr (std::is_same_v<T, std::byte>) {
            out = static_cast<std::byte>(below(256));
        } else if constexpr (kind == value_kind::integer) {
            // Any number of significant bits, so that each width comes up.
            auto const value = static_cast<T>(bits() >> below(64));
            out = below(8) == 0                          ? std::numeric_limits<T>::max()
                  : below(8) == 0                        ? std::numeric_limits<T>::min()
                  : std::is_signed_v<T> && below(2) == 0 ? static_cast<T>(~value)
                                                         : value;
        } else if constexpr (kind == value_kind::real) {
            do
                if constexpr (sizeof(T) == 4)
                    out = std::bit_cast<T>(static_cast<std::uint32_t>(bits()));
                else
                    out = std::bit_cast<T>(bits());
            while (!(out - out == 0));
            if (below(3) == 0)
                out = static_cast<T>(static_cast<int>(below(1000))) / 4;
        } else if constexpr (std::is_same_v<T, colour>) {
            out = static_cast<colour>(below(3));
        } else if constexpr (std::is_same_v<T, far>) {
            out = static_cast<far>(any<std::int32_t>());
        } else if constexpr (std::is_same_v<T, pc::raw_json>) {
            out.text = json(3);
        } else if constexpr (kind == value_kind::text) {
            out = text();
        } else if constexpr (kind == value_kind::optional) {
            if (below(2) == 0)
                fill(out.emplace());
        } else if constexpr (kind == value_kind::nullable) {
            fill(out.value);
        } else if constexpr (kind == value_kind::duration) {
            out = T{any<typename T::rep>()};
        } else if constexpr (kind == value_kind::time) {
            out = T{std::chrono::milliseconds{static_cast<std::int64_t>(bits() % 315'000'000'000'000) -
                                              62'000'000'000'000}};
        } else if constexpr (kind == value_kind::variant) {
            switch (below(6)) {
            case 0: out = any<bool>(); break;
            case 1: out = any<double>(); break;
            case 2: out = any<std::string>(); break;
            case 3: out = any<std::vector<int>>(); break;
            case 4: out = any<item>(); break;
            default: out = any<leaf>(); break;
            }
        } else if constexpr (kind == value_kind::array) {
            for (auto& element : out)
                fill(element);
        } else if constexpr (kind == value_kind::sequence) {
            for (std::size_t left = length(); left != 0; --left)
                out.push_back(any<typename T::value_type>());
        } else if constexpr (kind == value_kind::map) {
            for (std::size_t left = length(); left != 0; --left)
                out[text()] = any<typename T::mapped_type>();
        } else {
            pc::for_each_field(out, [this](std::string_view, auto& field) { this->fill(field); });
        }
    }
    std::size_t length() { return below(20) == 0 ? 14 + below(5) : below(4); }
    std::string text()
    {
        static constexpr std::string_view pieces[] = {
            "a", "B", " ", "\"", "\\", "\n", "\x01", "\xC3\xA9", "\xE2\x82\xAC", "\xF0\x9F\x98\x80", "/", "0"};
        std::string out;
        for (std::size_t left = below(30) == 0 ? 25 + below(300) : below(12); left != 0; --left)
            out += pieces[below(std::size(pieces))];
        return out;
    }
    /// Without spaces and with the shortest numbers: as it comes back.
    std::string json(int depth)
    {
        pc::detail::byte_buffer out;
        switch (depth == 0 ? below(5) : below(7)) {
        case 0: return "null";
        case 1: return below(2) == 0 ? "true" : "false";
        case 2: pc::detail::json_writer{out}.write(any<std::int64_t>()); break;
        case 3: pc::detail::json_writer{out}.write(static_cast<double>(below(1000)) + 0.25); break;
        case 4: pc::detail::json_writer{out}.write(text()); break;
        case 5: {
            std::string list = "[";
            for (std::size_t left = length(); left != 0; --left)
                list += json(depth - 1) + (left == 1 ? "" : ",");
            return list + "]";
        }
        default: {
            std::string map = "{";
            for (std::size_t left = length(); left != 0; --left)
                map += "\"k" + std::to_string(left) + "\":" + json(depth - 1) + (left == 1 ? "" : ",");
            return map + "}";
        }
        }
        return std::string(out.view());
    }

    std::mt19937 random_;
};

}  // namespace

BOOST_AUTO_TEST_SUITE(msgpack_at_random)

BOOST_AUTO_TEST_CASE(any_value_comes_back_as_it_was_and_is_the_same_through_json)
{
    dice d(20261121);
    std::size_t packed_bytes = 0, json_bytes = 0;
    for (int round = 0; round < 1500; ++round) {
        all const value = d.any<all>();
        std::string const bytes = encoded(value, {.room = "r", .offset = 1 + d.below(100)});
        pc::detail::byte_buffer text;
        BOOST_REQUIRE(!pc::serializer::json::encode(text, {.room = "r"}, value));
        packed_all const from_bytes(bytes);
        json_all const from_text(text.view());
        BOOST_TEST_CONTEXT(text.view())
        {
            BOOST_REQUIRE(from_bytes.r.kept.size() == 1u);
            BOOST_REQUIRE((from_bytes.r.kept[0] == value));
            BOOST_REQUIRE(from_text.r.kept.size() == 1u);
            BOOST_REQUIRE((from_text.r.kept[0] == value));
        }
        packed_bytes += bytes.size();
        json_bytes += text.size();
    }
    BOOST_TEST(packed_bytes < json_bytes * 9 / 10);
}

BOOST_AUTO_TEST_CASE(what_json_says_of_an_event_msgpack_says_of_the_same_event)
{
    // Both get the same words, the one as text, the other transcribed. Whole and wrong ones.
    using words = std::string_view;
    for (words const line : {words(R"({"type":"item","data":{"name":"x","n":1},"id":7})"),
                             words(R"({"id":"a","data":{"n":1},"type":"item"})"),
                             words(R"({"type":"item","data":{"name":"x","n":1,"n":2},"id":7})"),
                             words(R"({"type":"item","data":{"name":5,"n":1}})"),
                             words(R"({"type":"item","data":{"name":"x","n":3000000000}})"),
                             words(R"({"type":"item","data":null})"),
                             words(R"({"type":"item","data":[],"room":5,"id":"q"})"),
                             words(R"({"type":"leaf","data":{"weight":1,"label":null}})"),
                             words(R"({"type":"leaf","data":{"weight":"1"}})"),
                             words(R"({"type":"leaf","id":null})"),
                             words(R"({"type":null})"),
                             words(R"({"type":"else","data":{"a":[1,{"b":null}]},"id":1})"),
                             words(R"({"type":"$join","room":"r","since":5,"id":1})"),
                             words(R"({"type":"$join","since":-5})"),
                             words(R"({"data":5})"),
                             words(R"({"type":"$hello","ack":{"every":"1"}})"),
                             words(R"({"type":"$bye","reconnect_after_ms":[1]})"),
                             words(R"({"type":"leaf","received":1,"received":2})"),
                             words(R"({"type":"$hello","dictionary":{"id":5}})"),
                             words(R"({"type":"$hello","dictionary":5,"ack":5})"),
                             words(R"({"type":"$bye","reconnect_after_ms":null,"url":null})"),
                             words("{}")}) {
        BOOST_TEST_CONTEXT(line)
        {
            json_all const text(line);
            packed_all const bytes(packed(line));
            BOOST_TEST(text.r.calls == bytes.r.calls, boost::test_tools::per_element());
            BOOST_TEST(text.r.id == bytes.r.id);
            BOOST_TEST_REQUIRE(text.r.faults.size() == bytes.r.faults.size());
            if (!text.r.faults.empty()) {
                BOOST_TEST(text.r.faults[0].code == bytes.r.faults[0].code);
                BOOST_TEST(text.r.faults[0].path == bytes.r.faults[0].path);
                BOOST_TEST(text.r.faults[0].type == bytes.r.faults[0].type);
                BOOST_TEST(text.r.faults[0].id == bytes.r.faults[0].id);
            }
        }
    }
}

BOOST_AUTO_TEST_CASE(a_payload_cut_anywhere_is_refused_without_reading_beyond_it)
{
    dice d(5);
    for (int round = 0; round < 3; ++round) {
        all const value = d.any<all>();
        std::string const bytes = encoded(value, {.room = "room", .offset = 70'000, .id_json = "\"i\""});
        for (std::size_t size = 0; size < bytes.size(); ++size) {
            packed_all const cut(std::string_view(bytes).substr(0, size));
            BOOST_TEST_REQUIRE(cut.r.calls.size() == 1u);
            BOOST_TEST_REQUIRE(cut.r.faults.size() == 1u);
            BOOST_TEST_REQUIRE(cut.r.faults[0].code == serializer_error::syntax);
            decoding<pc::events<>, all> const unknown(std::string_view(bytes).substr(0, size));
            BOOST_TEST_REQUIRE(unknown.r.calls.size() == 1u);
            BOOST_TEST_REQUIRE(unknown.r.faults.size() == 1u);
        }
    }
}

BOOST_AUTO_TEST_CASE(garbage_never_harms)
{
    dice d(77);
    std::size_t events = 0;
    for (int round = 0; round < 20'000; ++round) {
        std::string bytes(d.below(60), '\0');
        for (char& c : bytes)
            c = static_cast<char>(d.below(256));
        // With a good beginning it gets further in.
        if (d.below(2) == 0)
            bytes = std::string("\x82\xA4type\xA3") + "all\xA4" + "data\xDE\x00\x20" + bytes;
        packed_all const result(bytes);
        BOOST_TEST_REQUIRE(!result.r.calls.empty());
        events += result.r.faults.size() != result.r.calls.size();
    }
    BOOST_TEST(events < 100u);
}

BOOST_AUTO_TEST_CASE(mutated_payloads_never_harm_and_what_is_accepted_can_be_encoded_and_read_again)
{
    dice d(123);
    std::size_t accepted = 0;
    for (int round = 0; round < 4000; ++round) {
        std::string bytes =
            encoded(d.any<all>(), {.id_json = "9"}) + packed(R"({"type":"other","data":[1,{"a":null}]})") +
            packed(R"({"type":"$hello","ack":{"every":1},"reconnect_after_ms":[1,2]})") + encoded(item{"x", 1});
        for (std::size_t edits = 1 + d.below(4); edits != 0 && !bytes.empty(); --edits) {
            std::size_t const at = d.below(bytes.size());
            switch (d.below(5)) {
            case 0:
            case 1: bytes[at] = static_cast<char>(d.below(256)); break;
            case 2: bytes.erase(at, 1 + d.below(8)); break;
            case 3: bytes.insert(at, bytes.substr(d.below(bytes.size()), d.below(20))); break;
            default: bytes.resize(at + 1); break;
            }
        }
        packed_all const first(bytes, {.utf8_checked = d.below(4) == 0});
        for (auto const& value : first.r.kept) {
            pc::detail::byte_buffer out;
            BOOST_TEST_REQUIRE(!pc::serializer::msgpack::encode(out, {}, value));
            packed_all const again(out.view());
            BOOST_TEST_REQUIRE(again.r.kept.size() == 1u);
            BOOST_TEST_REQUIRE((again.r.kept[0] == value));
            ++accepted;
        }
    }
    BOOST_TEST(accepted > 200u);
}

BOOST_AUTO_TEST_SUITE_END()
