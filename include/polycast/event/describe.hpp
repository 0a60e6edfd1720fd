#pragma once

#include <polycast/event/fields.hpp>
#include <polycast/outbox/lane.hpp>

#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <type_traits>
#include <utility>

namespace polycast::inline v0 {

/// What a program may say about its event `T` beyond its fields. Specialise it with any of these members:
///
/// | Member                                                                       | Meaning                          |
/// |------------------------------------------------------------------------------|----------------------------------|
/// | `static constexpr std::string_view name = "…";`                              | name on the wire                 |
/// | `static constexpr std::pair<std::string_view, std::string_view> renamed[] =` | field → key on the wire          |
/// | `static constexpr polycast::lane lane = polycast::lane::high;`               | default `lane::normal`           |
/// | `static constexpr bool critical = true;`                                     | never dropped; a barrier         |
/// | `static constexpr bool barrier = true;`                                      | never overtaken within a run     |
/// | `static constexpr polycast::coalesce coalesce = polycast::coalesce::append;` | see event/coalesce.hpp           |
/// | `static constexpr std::string_view appended = "…";`                          | field: the text, for `append`    |
/// | `static constexpr std::string_view keyed_by[] =`                             | fields that coalescing compares  |
/// | `static constexpr bool control = true;`                                      | fields beside `type`, for WIRE   |
///
/// `name` and `renamed` may be given for nested aggregates too.
template <class T>
struct event_traits {};

namespace detail {

/// Declared only: the names of its fields are read from their addresses, at compile time.
template <class T>
struct subject {
    T value;
};
#ifdef __clang__
#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wundefined-var-template"
#pragma clang diagnostic ignored "-Wundefined-internal"
#endif
template <class T>
struct external {
    static subject<T> const object;
};

struct field_address {
    void const* address;
};

// These return `auto`: g++ would append the meaning of a written return type to the text.
template <field_address Field>
consteval auto pretty_field()
{
    return std::string_view{__PRETTY_FUNCTION__};
}
template <class T>
consteval auto pretty_type()
{
    return std::string_view{__PRETTY_FUNCTION__};
}

[[nodiscard]] constexpr bool is_identifier_byte(char c) noexcept
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || (c & 0x80) != 0;
}

/// The identifier that `text` ends with, but for closing brackets.
[[nodiscard]] constexpr std::string_view last_identifier(std::string_view text) noexcept
{
    while (!text.empty() && (text.back() == ')' || text.back() == '}' || text.back() == ']'))
        text.remove_suffix(1);
    std::size_t at = text.size();
    while (at != 0 && is_identifier_byte(text[at - 1]))
        --at;
    return text.substr(at);
}

template <class T, std::size_t... I>
consteval std::array<std::string_view, sizeof...(I)> declared_names(std::index_sequence<I...>)
{
    if constexpr (sizeof...(I) == 0) {
        return {};
    } else {
        constexpr auto addresses = with_fields(external<T>::object.value, [](auto const&... fields) {
            return std::array<void const*, sizeof...(I)>{static_cast<void const*>(&fields)...};
        });
        return {last_identifier(pretty_field<field_address{addresses[I]}>())...};
    }
}
#ifdef __clang__
#pragma clang diagnostic pop
#endif

[[nodiscard]] constexpr bool plain_key(std::string_view key) noexcept
{
    for (char const c : key)
        if (static_cast<unsigned char>(c) < 0x20 || c == '"' || c == '\\')
            return false;
    return !key.empty();
}

template <class T>
consteval auto wire_names()
{
    auto names = declared_names<T>(std::make_index_sequence<field_count<T>>{});
    if constexpr (requires { event_traits<T>::renamed; })
        for (auto& name : names)
            for (auto const& [from, to] : event_traits<T>::renamed)
                if (name == from) {
                    name = to;
                    break;
                }
    return names;
}

template <class T>
consteval bool renames_known_fields()
{
    if constexpr (requires { event_traits<T>::renamed; }) {
        auto const names = declared_names<T>(std::make_index_sequence<field_count<T>>{});
        for (auto const& [from, to] : event_traits<T>::renamed) {
            bool found = false;
            for (auto const& name : names)
                found = found || name == from;
            if (!found || !plain_key(to))
                return false;
        }
    }
    return true;
}

template <class Names>
consteval bool all_different(Names const& names)
{
    for (std::size_t i = 0; i < names.size(); ++i)
        for (std::size_t j = 0; j < i; ++j)
            if (names[i] == names[j])
                return false;
    return true;
}

template <class T>
struct checked_names {
    static_assert(renames_known_fields<T>(),
                  "polycast: event_traits<T>::renamed names a field that T does not have, or gives it a bad key.");
    static_assert(all_different(wire_names<T>()), "polycast: two fields of one event have the same key.");
    static constexpr auto value = wire_names<T>();
};

template <class T>
consteval std::string_view name_of_type()
{
    if constexpr (requires { event_traits<T>::name; }) {
        static_assert(plain_key(event_traits<T>::name),
                      "polycast: event_traits<T>::name is empty or has characters that JSON would escape.");
        return event_traits<T>::name;
    } else {
        static_assert(!last_identifier(pretty_type<T>()).empty(),
                      "polycast: an instance of a template has no plain name as an event; give event_traits<T>::name.");
        return last_identifier(pretty_type<T>());
    }
}

/// `prefix + name + suffix`, kept in the program without the compiler's text around the name.
template <std::size_t Size>
consteval std::array<char, Size> joined(std::string_view prefix, std::string_view name, std::string_view suffix)
{
    std::array<char, Size> out{};
    std::size_t at = 0;
    for (std::string_view const part : {prefix, name, suffix})
        for (char const c : part)
            out[at++] = c;
    return out;
}
template <class T>
inline constexpr auto type_text = joined<name_of_type<T>().size()>("", name_of_type<T>(), "");
template <class T, std::size_t I>
inline constexpr auto key_text =
    joined<checked_names<T>::value[I].size() + 4>(",\"", checked_names<T>::value[I], "\":");

template <class T, std::size_t... I>
consteval auto kept_names(std::index_sequence<I...>)
{
    return std::array<std::string_view, sizeof...(I)>{
        std::string_view{key_text<T, I>.data() + 2, key_text<T, I>.size() - 4}...};
}

}  // namespace detail

/// A class that needs no registration to be an event: an aggregate that can be moved, with public fields and no base.
template <class T>
concept event = std::is_class_v<T> && std::is_aggregate_v<T> && std::same_as<T, std::remove_cv_t<T>> &&
                std::move_constructible<T> && !requires { std::tuple_size<T>::value; };

/// The name of `T` on the wire: its unqualified name, or `event_traits<T>::name`.
template <class T>
inline constexpr std::string_view event_name{detail::type_text<T>.data(), detail::type_text<T>.size()};

/// The keys of `T`'s fields on the wire, in order of declaration: an array of `std::string_view`.
template <class T>
inline constexpr auto field_names = detail::kept_names<T>(std::make_index_sequence<detail::field_count<T>>{});

/// The lane that `T` leaves on unless the emission says otherwise.
template <class T>
inline constexpr lane event_lane = [] {
    if constexpr (requires { event_traits<T>::lane; })
        return event_traits<T>::lane;
    else
        return lane::normal;
}();

/// Whether `T` may never be dropped, coalesced or overtaken.
template <class T>
inline constexpr bool event_critical = requires { requires event_traits<T>::critical; };

/// Whether `T` is never coalesced away and never overtaken within a run: nothing that was emitted before it is merged into
/// something behind it.
template <class T>
inline constexpr bool event_barrier = event_critical<T> || requires { requires event_traits<T>::barrier; };

/// Whether `T` is a message of the protocol: its fields stand beside `type`.
template <class T>
inline constexpr bool event_control = requires { requires event_traits<T>::control; };

/// Calls `f(key, reference)` for each field of `value`, in order of declaration.
template <class T, class F>
constexpr void for_each_field(T& value, F&& f)
{
    detail::with_fields(value, [&f](auto&... fields) {
        [[maybe_unused]] std::size_t index = 0;
        (f(field_names<std::remove_cv_t<T>>[index++], fields), ...);
    });
}

}  // namespace polycast::inline v0
