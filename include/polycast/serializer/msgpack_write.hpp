#pragma once

#include <polycast/detail/byte_buffer.hpp>
#include <polycast/detail/endian.hpp>
#include <polycast/event/coalesce.hpp>
#include <polycast/event/describe.hpp>
#include <polycast/event/enumerators.hpp>
#include <polycast/frame/utf8.hpp>
#include <polycast/serializer/error.hpp>
#include <polycast/serializer/msgpack_json.hpp>
#include <polycast/serializer/msgpack_text.hpp>
#include <polycast/serializer/timestamp.hpp>
#include <polycast/serializer/value.hpp>

#include <array>
#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string_view>
#include <type_traits>
#include <utility>

namespace polycast::inline v0::detail {

/// Appends values as MessagePack. Allocates nothing but the buffer's growth, but for a `raw_json`, which is parsed in a
/// scratch buffer of the thread. `error` is the first fault; what was written is then not to be used.
struct msgpack_writer {
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

    /// The number of fields that are there: all but the `std::optional`s without value.
    template <class T>
    [[nodiscard]] static std::size_t count_present(T const& value)
    {
        return with_fields(value,
                           [](auto const&... all) { return (std::size_t{is_present(all)} + ... + std::size_t{0}); });
    }

    /// Each field as key and value; a `std::optional` without value is left out.
    template <class T>
    void fields(T const& value)
    {
        with_fields(value, [this](auto const&... all) {
            [ this, &all... ]<std::size_t... I>(std::index_sequence<I...>)
            {
                (this->template field<T, I>(all), ...);
            }
            (std::make_index_sequence<sizeof...(all)>{});
        });
    }

    template <class T>
    void write(T const& value)
    {
        constexpr value_kind kind = kind_of<T>();
        static_assert(kind != value_kind::unsupported,
                      "polycast: an event has a field of a type that cannot be encoded.");
        if constexpr (kind == value_kind::boolean) {
            out.push_back(static_cast<char>(value ? msgpack_format::yes : msgpack_format::no));
        } else if constexpr (kind == value_kind::integer) {
            write_integer(out, value);
        } else if constexpr (kind == value_kind::real) {
            real(value);
        } else if constexpr (kind == value_kind::enumeration) {
            enumeration(value);
        } else if constexpr (kind == value_kind::text || kind == value_kind::text_view) {
            text(std::string_view(value));
        } else if constexpr (kind == value_kind::optional) {
            value.has_value() ? write(*value) : out.push_back(static_cast<char>(msgpack_format::nil));
        } else if constexpr (kind == value_kind::nullable) {
            write(value.value);
        } else if constexpr (kind == value_kind::raw) {
            json(value.text);
        } else if constexpr (kind == value_kind::duration) {
            write(value.count());
        } else if constexpr (kind == value_kind::time) {
            time(value);
        } else if constexpr (kind == value_kind::variant) {
            alternative(value);
        } else if constexpr (byte_list<T>) {
            head(msgpack_head::binary, value.size());
            out.append(reinterpret_cast<char const*>(value.data()), value.size());
        } else if constexpr (kind == value_kind::array || kind == value_kind::sequence) {
            list(value);
        } else if constexpr (kind == value_kind::map) {
            head(msgpack_head::map, value.size());
            for (auto const& [key, mapped] : value) {
                text(std::string_view(key));
                write(mapped);
            }
        } else if constexpr (kind == value_kind::aggregate) {
            head(msgpack_head::map, count_present(value));
            fields(value);
        }
    }

    void head(msgpack_head kind, std::size_t count)
    {
        if (count > std::numeric_limits<std::uint32_t>::max())
            return fail(serializer_error::out_of_range);
        write_head(out, kind, count);
    }

    void text(std::string_view value)
    {
        if (value.size() > std::numeric_limits<std::uint32_t>::max() / 3)
            return fail(serializer_error::out_of_range);
        write_str(out, value);
    }

    /// JSON text as the MessagePack of the same value.
    void json(std::string_view text)
    {
        if (serializer_error const e = json_to_msgpack(out, text); e != serializer_error{})
            fail(e);
    }

private:
    template <class Field>
    [[nodiscard]] static constexpr bool is_present(Field const& value)
    {
        if constexpr (kind_of<Field>() == value_kind::optional)
            return value.has_value();
        else
            return true;
    }

    template <class T, std::size_t I, class Field>
    void field(Field const& value)
    {
        if (!is_present(value))
            return;
        constexpr std::string_view name = field_names<T>[I];
        static constexpr auto key = packed_str<packed_str_bytes(name.size())>(name);
        out.append(key.data(), key.size());
        [[maybe_unused]] std::size_t const begin = out.size();
        if constexpr (kind_of<Field>() == value_kind::optional)
            write(*value);
        else
            write(value);
        if constexpr (is_appended<T, I>)
            if (sought == &value)
                found = {begin, out.size()};
    }

    template <std::floating_point Real>
    void real(Real value)
    {
        if (!(value >= std::numeric_limits<Real>::lowest() && value <= std::numeric_limits<Real>::max()))
            return fail(serializer_error::not_a_number);
        if constexpr (sizeof(Real) > sizeof(double))
            if (value < std::numeric_limits<double>::lowest() || value > std::numeric_limits<double>::max())
                return fail(serializer_error::out_of_range);
        write_real(out, static_cast<double>(value));
    }

    template <class E>
    void enumeration(E value)
    {
        if constexpr (named_enum<E>) {
            std::string_view const name = enumerator_name(value);
            if (name.empty())
                fail(serializer_error::unknown_enumerator);
            write_str(out, name);
        } else {
            write(static_cast<std::underlying_type_t<E>>(value));
        }
    }

    template <class Time>
    void time(Time value)
    {
        auto const since = std::chrono::floor<std::chrono::milliseconds>(value).time_since_epoch();
        char* const at = out.prepare(timestamp_bytes + 1);
        if (!write_timestamp(since.count(), at + 1))
            return fail(serializer_error::out_of_range);
        static_assert(timestamp_bytes < 32);
        at[0] = static_cast<char>(msgpack_format::fixstr | timestamp_bytes);
        out.commit(timestamp_bytes + 1);
    }

    template <class List>
    void list(List const& value)
    {
        std::size_t count = 0;
        if constexpr (requires { value.size(); })
            count = value.size();
        else
            for (auto const& element : value)
                static_cast<void>(element), ++count;
        head(msgpack_head::array, count);
        for (auto const& element : value)
            // Not deduced: the elements of vector<bool> are proxies.
            write<typename List::value_type>(element);
    }

    template <class Variant>
    void alternative(Variant const& value)
    {
        static_assert(alternatives<Variant>::distinct);
        visit(
            [this]<class T>(T const& held) {
                if constexpr (kind_of<T>() == value_kind::aggregate) {
                    head(msgpack_head::map, 1);
                    static constexpr auto name = packed_str<packed_str_bytes(event_name<T>.size())>(event_name<T>);
                    out.append(name.data(), name.size());
                }
                write(held);
            },
            value);
    }
};

}  // namespace polycast::inline v0::detail
