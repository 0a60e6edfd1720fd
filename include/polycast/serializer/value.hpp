#pragma once

#include <polycast/event/describe.hpp>
#include <polycast/event/enumerators.hpp>
#include <polycast/event/values.hpp>

#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <type_traits>
#include <utility>

namespace polycast::inline v0::detail {

// Types are told by what they can do, not by their names: no container header is needed here.

template <class T>
inline constexpr bool is_nullable = false;
template <class T>
inline constexpr bool is_nullable<nullable<T>> = true;

template <class T>
concept character = std::same_as<T, char> || std::same_as<T, wchar_t> || std::same_as<T, char8_t> ||
                    std::same_as<T, char16_t> || std::same_as<T, char32_t>;
template <class T>
concept text_view = std::is_class_v<T> && std::convertible_to<T const&, std::string_view>;
template <class T>
concept text = text_view<T> && requires(T& t, char const* bytes, std::size_t count) { t.assign(bytes, count); };
template <class T>
concept optional_like = requires(T& t) {
    typename T::value_type;
    t.has_value();
    t.emplace();
    t.reset();
};
template <class T>
concept duration_like = requires(T const& t) {
    typename T::period;
    { t.count() } -> std::same_as<typename T::rep>;
};
template <class T>
concept calendar_time = requires(T const& t) {
    requires std::same_as<typename T::clock, std::chrono::system_clock>;
    t.time_since_epoch();
};
template <class T>
concept variant_like = requires(T const& t) {
    t.index();
    t.valueless_by_exception();
};
template <class T>
concept array_like = requires(T& t) {
    typename T::value_type;
    std::tuple_size<T>::value;
    t.data();
};
template <class T>
concept map_like = requires(T& t, typename T::key_type&& key) {
    requires text<typename T::key_type>;
    typename T::mapped_type;
    t.try_emplace(std::move(key));
};
template <class T>
concept sequence = !text_view<T> && requires(T& t, typename T::value_type&& element) {
    t.push_back(std::move(element));
    t.begin();
    t.end();
};

enum class value_kind : std::uint8_t {
    unsupported, boolean, integer, real, enumeration, text, text_view, optional, nullable, raw,
    duration, time, variant, array, map, sequence, aggregate,
};

/// How the type `T` travels.
template <class T>
consteval value_kind kind_of()
{
    if constexpr (std::same_as<T, bool>)
        return value_kind::boolean;
    else if constexpr (character<T>)
        return value_kind::unsupported;
    else if constexpr (std::integral<T>)
        return value_kind::integer;
    else if constexpr (std::floating_point<T>)
        return value_kind::real;
    else if constexpr (std::is_enum_v<T>)
        return value_kind::enumeration;
    else if constexpr (std::same_as<T, raw_json>)
        return value_kind::raw;
    else if constexpr (is_nullable<T>)
        return value_kind::nullable;
    else if constexpr (text<T>)
        return value_kind::text;
    else if constexpr (text_view<T>)
        return value_kind::text_view;
    else if constexpr (optional_like<T>)
        return value_kind::optional;
    else if constexpr (duration_like<T>)
        return value_kind::duration;
    else if constexpr (calendar_time<T>)
        return value_kind::time;
    else if constexpr (variant_like<T>)
        return value_kind::variant;
    else if constexpr (array_like<T>)
        return value_kind::array;
    else if constexpr (map_like<T>)
        return value_kind::map;
    else if constexpr (sequence<T>)
        return value_kind::sequence;
    else if constexpr (event<T>)
        return value_kind::aggregate;
    else
        return value_kind::unsupported;
}

/// What a value looks like on the wire: how a reader tells a variant's alternatives apart.
enum class wire_shape : std::uint8_t { boolean, number, text, list, tagged, ambiguous };

template <class T>
consteval wire_shape shape_of()
{
    switch (kind_of<T>()) {
    case value_kind::boolean: return wire_shape::boolean;
    case value_kind::integer:
    case value_kind::real:
    case value_kind::duration: return wire_shape::number;
    case value_kind::text:
    case value_kind::text_view:
    case value_kind::time: return wire_shape::text;
    case value_kind::array:
    case value_kind::sequence: return wire_shape::list;
    case value_kind::aggregate: return wire_shape::tagged;
    case value_kind::enumeration:
        if constexpr (std::is_enum_v<T>)
            return named_enum<T> ? wire_shape::text : wire_shape::number;
        [[fallthrough]];
    default: return wire_shape::ambiguous;
    }
}

/// The alternatives of a variant, and whether a reader can tell them apart: at most one of each JSON kind, but any
/// number of aggregates, which are written `{"name":{…}}`.
template <class V>
struct alternatives;
template <template <class...> class V, class... Ts>
struct alternatives<V<Ts...>> {
    static constexpr bool distinct = [] {
        wire_shape const shapes[] = {shape_of<Ts>()...};
        for (std::size_t i = 0; i < sizeof...(Ts); ++i) {
            if (shapes[i] == wire_shape::ambiguous)
                return false;
            for (std::size_t j = 0; j < i; ++j)
                if (shapes[i] == shapes[j] && shapes[i] != wire_shape::tagged)
                    return false;
        }
        return true;
    }();
    static_assert(distinct, "polycast: the alternatives of this variant cannot be told apart: have at most one "
                            "boolean, number, string and list each; aggregates are told by name; wrap the others.");
    /// Calls `f.template operator()<T>()` for each alternative until one returns true.
    template <class F>
    static constexpr bool find(F&& f)
    {
        return (f.template operator()<Ts>() || ...);
    }
};

}  // namespace polycast::inline v0::detail
