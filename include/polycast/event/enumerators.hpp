#pragma once

#include <polycast/event/describe.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <type_traits>
#include <utility>

namespace polycast::inline v0::detail {

// Enumerators are found by asking the compiler how it would print each value of this range. One function is
// instantiated an enumeration, not one a value.
inline constexpr int first_enumerator = -8;
inline constexpr int last_enumerator = 120;

template <class E, E... V>
consteval auto pretty_enumerators()
{
    return std::string_view{__PRETTY_FUNCTION__};
}

/// Only an enumeration with a fixed underlying type may be asked about values that it does not name.
template <class E>
concept listable_enum = std::is_enum_v<E> && requires { E{0}; };

template <class E>
inline constexpr int first_value =
    std::is_signed_v<std::underlying_type_t<E>> ? first_enumerator : 0;
template <class E>
inline constexpr std::size_t value_count =
    std::is_same_v<std::underlying_type_t<E>, bool> ? 2
                                                    : static_cast<std::size_t>(last_enumerator - first_value<E> + 1);

/// For each value from `first_value<E>` on: the enumerator's name, or empty.
template <class E>
consteval auto list_enumerators()
{
    constexpr std::string_view text = []<std::size_t... I>(std::index_sequence<I...>) {
        return pretty_enumerators<E, static_cast<E>(first_value<E> + static_cast<int>(I))...>();
    }(std::make_index_sequence<value_count<E>>{});
    std::array<std::string_view, value_count<E>> names{};
    std::size_t at = text.find("V = ") + 5;  // and the bracket
    int depth = 0;
    std::size_t begin = at;
    for (std::size_t index = 0; index < names.size() && at < text.size(); ++at) {
        char const c = text[at];
        bool const closes = c == ')' || c == '>' || c == '}' || c == ']';
        if ((c == ',' && depth == 0) || (closes && depth == 0)) {
            std::string_view const name = last_identifier(text.substr(begin, at - begin));
            // A value without enumerator is printed as a cast: `(colour)7`.
            if (!name.empty() && !(name[0] >= '0' && name[0] <= '9'))
                names[index] = name;
            ++index;
            begin = at + 1;
        } else if (closes) {
            --depth;
        } else if (c == '(' || c == '<' || c == '{') {
            ++depth;
        }
    }
    return names;
}

template <class Names>
consteval std::size_t total_bytes(Names const& names)
{
    std::size_t sum = 0;
    for (auto const& name : names)
        sum += name.size();
    return sum;
}

/// The names of one enumeration, end to end. Kept instead of views into the compiler's text, which is long.
template <std::size_t Bytes, std::size_t Values>
struct enumerator_names {
    std::array<char, Bytes + 1> text{};
    std::array<std::uint16_t, Values + 1> begin{};
    std::size_t named = 0;
    std::size_t end = 0;  ///< behind the last that is named: few enumerations go on to 120

    [[nodiscard]] constexpr std::string_view operator[](std::size_t index) const noexcept
    {
        return {text.data() + begin[index], static_cast<std::size_t>(begin[index + 1] - begin[index])};
    }
};

template <class E>
consteval auto kept_enumerators()
{
    constexpr auto names = list_enumerators<E>();
    constexpr std::size_t bytes = total_bytes(names);
    enumerator_names<bytes, value_count<E>> out;
    std::size_t at = 0;
    for (std::size_t i = 0; i < names.size(); ++i) {
        out.begin[i] = static_cast<std::uint16_t>(at);
        out.named += names[i].empty() ? 0U : 1U;
        out.end = names[i].empty() ? out.end : i + 1;
        for (char const c : names[i])
            out.text[at++] = c;
    }
    out.begin[names.size()] = static_cast<std::uint16_t>(at);
    return out;
}

template <class E>
inline constexpr auto enumerator_table = kept_enumerators<E>();

/// Whether `E` travels by name: it has a fixed underlying type and an enumerator between -8 and 120. Other enumerations
/// travel as numbers.
template <class E>
inline constexpr bool named_enum = [] {
    if constexpr (listable_enum<E>)
        return enumerator_table<E>.named != 0;
    else
        return false;
}();

/// The enumerator's name; empty if `value` has none in the range.
template <class E>
[[nodiscard]] constexpr std::string_view enumerator_name(E value) noexcept
{
    auto const& table = enumerator_table<E>;
    auto const number = static_cast<std::underlying_type_t<E>>(value);
    // As unsigned 64 bits, a number below the first value is beyond the last one too.
    std::uint64_t const index = static_cast<std::uint64_t>(number) - static_cast<std::uint64_t>(first_value<E>);
    if (index >= value_count<E>)
        return {};
    return table[static_cast<std::size_t>(index)];
}

/// Finds the enumerator called `name`; false if there is none.
template <class E>
[[nodiscard]] constexpr bool find_enumerator(std::string_view name, E& out) noexcept
{
    auto const& table = enumerator_table<E>;
    if (name.empty())
        return false;
    for (std::size_t i = 0; i < table.end; ++i) {
        if (table[i] == name) {
            out = static_cast<E>(first_value<E> + static_cast<int>(i));
            return true;
        }
    }
    return false;
}

}  // namespace polycast::inline v0::detail
