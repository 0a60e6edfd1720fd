#pragma once

#include <polycast/detail/byte_buffer.hpp>
#include <polycast/detail/decimal.hpp>
#include <polycast/event/coalesce.hpp>
#include <polycast/event/describe.hpp>
#include <polycast/event/enumerators.hpp>
#include <polycast/frame/utf8.hpp>
#include <polycast/serializer/error.hpp>
#include <polycast/serializer/json_text.hpp>
#include <polycast/serializer/timestamp.hpp>
#include <polycast/serializer/value.hpp>

#include <array>
#include <chrono>
#include <cstddef>
#include <limits>
#include <string_view>
#include <utility>

namespace polycast::inline v0::detail {

/// Appends values as JSON. Allocates nothing but the buffer's growth. `error` is the first fault; what was written is
/// then not to be used.
struct json_writer {
    byte_buffer& out;
    serializer_error error{};
    /// The text whose place in `out` is asked for: a field of the event itself, none of an aggregate inside it.
    void const* sought = nullptr;
    encoded_span found{};

    void fail(serializer_error e) noexcept
    {
        if (error == serializer_error{})
            error = e;
    }

    /// Each field as `,"key":value`; a `std::optional` without value is left out.
    template <class T>
    void fields(T const& value)
    {
        with_fields(value, [this](auto const&... all) {
            [this, &all...]<std::size_t... I>(std::index_sequence<I...>) {
                (this->template field<T, I>(all), ...);
            }(std::make_index_sequence<sizeof...(all)>{});
        });
    }

    template <class T, std::size_t I, class Field>
    void field(Field const& value)
    {
        if constexpr (kind_of<Field>() == value_kind::optional) {
            if (!value.has_value())
                return;
            write(*value, key_text<T, I>);
        } else {
            [[maybe_unused]] std::size_t const begin = out.size() + key_text<T, I>.size();
            write(value, key_text<T, I>);
            if constexpr (is_appended<T, I>)
                if (sought == &value)
                    found = {begin, out.size()};
        }
    }

    /// Turns `,"a":1,"b":2`, written since `begin`, into an object: the first comma becomes the brace.
    void close_object(std::size_t begin)
    {
        if (out.size() == begin) {
            out.append("{}", 2);
        } else {
            out.data()[begin] = '{';
            out.push_back('}');
        }
    }

    template <class T>
    void write(T const& value)
    {
        write(value, std::array<char, 0>{});
    }
    /// With `before`, a key or a comma, in front: what is written together takes one look at how much room there is.
    template <class T, std::size_t Size>
    void write(T const& value, std::array<char, Size> const& before)
    {
        constexpr value_kind kind = kind_of<T>();
        static_assert(kind != value_kind::unsupported,
                      "polycast: an event has a field of a type that cannot be encoded.");
        if constexpr (kind == value_kind::boolean) {
            value ? write_literal(out, before, "true") : write_literal(out, before, "false");
        } else if constexpr (kind == value_kind::integer) {
            write_number(out, value, before);
        } else if constexpr (kind == value_kind::real) {
            if (value >= std::numeric_limits<T>::lowest() && value <= std::numeric_limits<T>::max())  // finite
                write_number(out, static_cast<std::conditional_t<std::same_as<T, float>, float, double>>(value), before);
            else
                fail(serializer_error::not_a_number);
        } else if constexpr (kind == value_kind::enumeration) {
            enumeration(value, before);
        } else if constexpr (kind == value_kind::text || kind == value_kind::text_view) {
            write_text(out, std::string_view(value), before);
        } else if constexpr (kind == value_kind::optional) {
            value.has_value() ? write(*value, before) : write_literal(out, before, "null");
        } else if constexpr (kind == value_kind::nullable) {
            write(value.value, before);
        } else if constexpr (kind == value_kind::duration) {
            write(value.count(), before);
        } else if constexpr (kind == value_kind::time) {
            time(value, before);
        } else {
            write_literal(out, before, "");
            if constexpr (kind == value_kind::raw) {
                raw(value.text);
            } else if constexpr (kind == value_kind::variant) {
                alternative(value);
            } else if constexpr (kind == value_kind::array || kind == value_kind::sequence) {
                list(value);
            } else if constexpr (kind == value_kind::map) {
                std::size_t const begin = out.size();
                for (auto const& [key, mapped] : value) {
                    write_text(out, std::string_view(key), comma);
                    write(mapped, std::array{':'});
                }
                close_object(begin);
            } else if constexpr (kind == value_kind::aggregate) {
                std::size_t const begin = out.size();
                fields(value);
                close_object(begin);
            }
        }
    }

private:
    static constexpr std::array comma{','};

    template <class E, std::size_t Size>
    void enumeration(E value, std::array<char, Size> const& before)
    {
        if constexpr (named_enum<E>) {
            std::string_view const name = enumerator_name(value);
            if (name.empty())
                fail(serializer_error::unknown_enumerator);
            write_text(out, name, before);
        } else {
            write(static_cast<std::underlying_type_t<E>>(value), before);
        }
    }

    void raw(std::string_view text)
    {
        if (!valid_utf8(text))
            return fail(serializer_error::invalid_utf8);
        std::size_t const begin = out.size();
        out.append(text.empty() ? std::string_view("null") : text);
        // Newlines separate the events of a frame. Within JSON text they are but white space.
        for (char* c = out.data() + begin; c != out.data() + out.size(); ++c)
            if (*c == '\n')
                *c = ' ';
    }

    template <class Time, std::size_t Size>
    void time(Time value, std::array<char, Size> const& before)
    {
        auto const since = std::chrono::floor<std::chrono::milliseconds>(value).time_since_epoch();
        char* const at = put(out.prepare(Size + timestamp_bytes + 2), before);
        if (!write_timestamp(since.count(), at + 1))
            return fail(serializer_error::out_of_range);
        at[0] = '"';
        at[timestamp_bytes + 1] = '"';
        out.commit(Size + timestamp_bytes + 2);
    }

    template <class List>
    void list(List const& value)
    {
        std::size_t const begin = out.size();
        for (auto const& element : value)
            write<typename List::value_type>(element, comma);  // not deduced: the elements of vector<bool> are proxies
        if (out.size() == begin)
            out.push_back('[');
        else
            out.data()[begin] = '[';
        out.push_back(']');
    }

    template <class Variant>
    void alternative(Variant const& value)
    {
        static_assert(alternatives<Variant>::distinct);
        visit(
            [this]<class T>(T const& held) {
                if constexpr (kind_of<T>() == value_kind::aggregate) {
                    constexpr auto opening = joined<event_name<T>.size() + 4>("{\"", event_name<T>, "\":");
                    out.append(opening.data(), opening.size());
                    write(held);
                    out.push_back('}');
                } else {
                    write(held);
                }
            },
            value);
    }
};

}  // namespace polycast::inline v0::detail
