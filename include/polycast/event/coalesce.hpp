#pragma once

#include <polycast/event/describe.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <type_traits>
#include <utility>

namespace polycast::inline v0 {

/// How events that wait for one receiver become fewer. Only events of one subject do: one type, one room, one key.
enum class coalesce : std::uint8_t {
    none,    ///< each event is sent
    append,  ///< the text of the newer is put behind the text of the older; all else is the newer's
    latest,  ///< the newer replaces the older
};

/// Where a value stands in encoded bytes, counted from the first byte of its event.
struct encoded_span {
    std::size_t begin = 0;
    std::size_t end = 0;
};

namespace detail {

/// Stands for a field that is not there.
inline constexpr std::size_t no_field = static_cast<std::size_t>(-1);

/// The place of the field that the program calls `name`, in order of declaration.
template <class T>
consteval std::size_t declared_field(std::string_view name)
{
    constexpr auto names = declared_names<T>(std::make_index_sequence<field_count<T>>{});
    for (std::size_t i = 0; i < names.size(); ++i)
        if (names[i] == name)
            return i;
    return no_field;
}

template <class T>
concept says_how_it_coalesces = requires { event_traits<T>::coalesce; };
template <class T>
concept says_what_is_appended = requires { event_traits<T>::appended; };
template <class T>
concept says_its_key = requires { event_traits<T>::keyed_by; };

template <class T>
consteval coalesce how_it_coalesces()
{
    if constexpr (says_how_it_coalesces<T>)
        return event_traits<T>::coalesce;
    else
        return coalesce::none;
}

template <class T>
consteval std::size_t appended_field()
{
    if constexpr (says_what_is_appended<T>)
        return declared_field<T>(event_traits<T>::appended);
    else
        return no_field;
}

template <class Field>
concept text_to_append = std::convertible_to<Field const&, std::string_view> &&
                         requires(Field& f, char const* bytes, std::size_t count) { f.assign(bytes, count); };

/// Which fields are text, as a type: it is asked without an object.
struct ask_for_text {
    template <class... Fields>
    auto operator()(Fields const&...) const -> std::integer_sequence<bool, text_to_append<std::remove_cv_t<Fields>>...>;
};
template <bool... Text>
consteval bool is_text(std::integer_sequence<bool, Text...>, std::size_t field)
{
    bool const text[] = {Text..., false};
    return field < sizeof...(Text) && text[field];
}
template <class T>
inline constexpr bool appends_text =
    is_text(decltype(with_fields(std::declval<T const&>(), ask_for_text{})){}, appended_field<T>());

template <class T>
consteval bool keys_are_fields()
{
    if constexpr (says_its_key<T>)
        for (std::string_view const name : event_traits<T>::keyed_by)
            if (declared_field<T>(name) == no_field)
                return false;
    return true;
}

/// Whether field `index` is part of the key: what two events of one subject have in common.
template <class T>
consteval bool in_key(std::size_t index)
{
    if constexpr (says_its_key<T>) {
        for (std::string_view const name : event_traits<T>::keyed_by)
            if (declared_field<T>(name) == index)
                return true;
        return false;
    } else {
        return how_it_coalesces<T>() == coalesce::append && index != appended_field<T>();
    }
}

template <class T>
struct checked_coalescing {
    static constexpr coalesce how = how_it_coalesces<T>();

    static_assert(how == coalesce::none || !event_critical<T>,
                  "polycast: a critical event is never coalesced: take `critical` or `coalesce` out of event_traits<T>.");
    static_assert(how == coalesce::none || !event_barrier<T>,
                  "polycast: a barrier is never coalesced: take `barrier` or `coalesce` out of event_traits<T>.");
    static_assert(how != coalesce::append || says_what_is_appended<T>,
                  "polycast: coalesce::append needs to know the text: give event_traits<T>::appended, a field's name.");
    static_assert(how == coalesce::append || !says_what_is_appended<T>,
                  "polycast: event_traits<T>::appended is for coalesce::append only.");
    static_assert(how != coalesce::none || !says_its_key<T>,
                  "polycast: event_traits<T>::keyed_by is for an event that coalesces: give event_traits<T>::coalesce.");
    static_assert(!says_what_is_appended<T> || appended_field<T>() != no_field,
                  "polycast: event_traits<T>::appended names a field that T does not have.");
    static_assert(!says_what_is_appended<T> || appended_field<T>() == no_field || appends_text<T>,
                  "polycast: event_traits<T>::appended names a field that is no std::string: only text is appended.");
    static_assert(keys_are_fields<T>(), "polycast: event_traits<T>::keyed_by names a field that T does not have.");
    static_assert(!says_what_is_appended<T> || !says_its_key<T> || !in_key<T>(appended_field<T>()),
                  "polycast: event_traits<T>::keyed_by names the appended text, which is never twice the same.");
};

template <class T, std::size_t I>
inline constexpr bool is_key = in_key<T>(I);
/// Whether field `I` of `T` is the text that is appended.
template <class T, std::size_t I>
inline constexpr bool is_appended = how_it_coalesces<T>() == coalesce::append && I == appended_field<T>();

/// The text of `event` that is appended.
template <class T>
[[nodiscard]] void const* appended_text(T const& event) noexcept
{
    return with_fields(event, [](auto const&... fields) {
        void const* const addresses[] = {&fields...};
        return addresses[appended_field<T>()];
    });
}

}  // namespace detail

/// How `T` coalesces.
template <class T>
inline constexpr coalesce event_coalesce = detail::checked_coalescing<T>::how;

/// The field of `T` that `coalesce::append` appends to, as the program calls it; else empty.
template <class T>
inline constexpr std::string_view event_appended = [] {
    static_cast<void>(detail::checked_coalescing<T>::how);
    if constexpr (detail::says_what_is_appended<T>)
        return std::string_view(event_traits<T>::appended);
    else
        return std::string_view();
}();

/// Whether the field that the program calls `name` is part of `T`'s key. Without `keyed_by` these are all fields but
/// the text for `append`, and none for `latest`: there is one value of the type and room.
template <class T>
[[nodiscard]] consteval bool event_keyed_by(std::string_view name)
{
    static_cast<void>(detail::checked_coalescing<T>::how);
    return detail::in_key<T>(detail::declared_field<T>(name));
}

}  // namespace polycast::inline v0
