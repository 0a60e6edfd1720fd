#pragma once

// Events with every kind of field, for the serializers' targets.

#include <polycast/event/catalog.hpp>
#include <polycast/event/control.hpp>
#include <polycast/event/envelope.hpp>
#include <polycast/serializer/error.hpp>

#include <array>
#include <chrono>
#include <concepts>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace rich {

namespace pc = polycast;

enum class colour : std::uint8_t { red, green };
enum class code : std::int16_t { far_away = 5000 };

struct item {
    std::string name;
    int n;
    friend bool operator==(item const&, item const&) = default;
};
struct numbers {
    std::int8_t i8;
    std::int64_t i64;
    std::uint16_t u16;
    std::uint64_t u64;
    double real;
    float small;
    std::chrono::milliseconds took;
    friend bool operator==(numbers const&, numbers const&) = default;
};
struct choices {
    bool flag;
    colour named;
    code numbered;
    std::optional<std::string> maybe;
    pc::nullable<int> nullable;
    std::variant<bool, int, std::string, std::vector<int>, item> either;
    friend bool operator==(choices const&, choices const&) = default;
};
struct lists {
    std::vector<item> items;
    std::vector<bool> bits;
    std::array<int, 2> pair;
    std::map<std::string, item> by_name;
    friend bool operator==(lists const&, lists const&) = default;
};
struct named {
    std::string text;
    std::map<std::string, int> by_name;
    friend bool operator==(named const&, named const&) = default;
};
struct when {
    std::chrono::system_clock::time_point time;
    friend bool operator==(when const&, when const&) = default;
};
struct verbatim {
    pc::raw_json raw;
    friend bool operator==(verbatim const&, verbatim const&) = default;
};
struct all_optional {
    std::optional<int> a;
    std::optional<item> b;
    friend bool operator==(all_optional const&, all_optional const&) = default;
};
struct nothing {};
struct tree {
    std::vector<tree> children;
};

using catalog = pc::events<numbers, choices, lists, named, when, verbatim, all_optional, nothing, tree>;

/// As times travel.
template <class E>
E to_milliseconds(E e)
{
    if constexpr (std::same_as<E, when>)
        e.time = std::chrono::floor<std::chrono::milliseconds>(e.time);
    return e;
}

/// Keeps the one event that is expected.
template <class E>
struct keeper {
    std::optional<E> value{};
    std::string room{}, id{};
    int faults = 0;

    template <class Other>
    void event(pc::envelope const& around, Other&& e)
    {
        if constexpr (std::same_as<std::remove_cvref_t<Other>, E>) {
            faults += value.has_value();
            value = std::forward<Other>(e);
            room = around.room;
            id = around.id;
        } else {
            ++faults;
        }
    }
    void control(pc::envelope const&) { ++faults; }
    void unknown(pc::envelope const&) { ++faults; }
    void error(pc::envelope const&, pc::decode_error const&) { ++faults; }
};

}  // namespace rich
