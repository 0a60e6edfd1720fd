#pragma once

#include <polycast/event/describe.hpp>
#include <polycast/event/enumerators.hpp>
#include <polycast/serializer/json_bind.hpp>
#include <polycast/serializer/msgpack_json.hpp>
#include <polycast/serializer/msgpack_read.hpp>
#include <polycast/serializer/timestamp.hpp>
#include <polycast/serializer/value.hpp>

#include <bit>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <string_view>
#include <type_traits>
#include <utility>

namespace polycast::inline v0::detail {

template <class T>
bool unpack_value(msgpack_reader& in, T& out, json_path const* path);

/// Takes a float that is a whole number for that integer: JavaScript has but one kind of number, and some of its
/// encoders write those beyond 32 bits as float 64.
inline bool whole_number(msgpack_reader& in, msgpack_integer& out, json_path const* path)
{
    double value = 0;
    if (!in.real(value, path))
        return false;
    if (!(value >= -9223372036854775808.0 && value < 18446744073709551616.0)) {
        bool const number =
            value <= std::numeric_limits<double>::max() && value >= std::numeric_limits<double>::lowest();
        return in.fail(number ? serializer_error::out_of_range : serializer_error::wrong_type,
                       number ? "integer out of the field's range" : "expected an integer", path);
    }
    out.negative = value < 0;
    out.bits =
        out.negative ? static_cast<std::uint64_t>(static_cast<std::int64_t>(value)) : static_cast<std::uint64_t>(value);
    double const back =
        out.negative ? static_cast<double>(static_cast<std::int64_t>(out.bits)) : static_cast<double>(out.bits);
    return back == value || in.fail(serializer_error::wrong_type, "expected an integer", path);
}

template <class T>
bool unpack_integer(msgpack_reader& in, T& out, json_path const* path)
{
    msgpack_integer number;
    msgpack_kind const kind = in.peek();
    if (kind != msgpack_kind::integer && kind != msgpack_kind::real)
        return in.wrong_type("an integer", path);
    if (kind == msgpack_kind::integer ? !in.integer(number, path) : !whole_number(in, number, path))
        return false;
    if (number.negative ? !std::in_range<T>(static_cast<std::int64_t>(number.bits)) : !std::in_range<T>(number.bits))
        return in.fail(serializer_error::out_of_range, "integer out of the field's range", path);
    out = static_cast<T>(number.bits);
    return true;
}

template <class T>
bool unpack_real(msgpack_reader& in, T& out, json_path const* path)
{
    msgpack_kind const kind = in.peek();
    if (kind == msgpack_kind::integer) {
        msgpack_integer number;
        if (!in.integer(number, path))
            return false;
        out = number.negative ? static_cast<T>(static_cast<std::int64_t>(number.bits)) : static_cast<T>(number.bits);
        return true;
    }
    double value = 0;
    if (kind != msgpack_kind::real)
        return in.wrong_type("a number", path);
    if (!in.real(value, path))
        return false;
    // As in JSON, neither NaN nor infinity, and nothing that would become one of them.
    if (!(value >= static_cast<double>(std::numeric_limits<T>::lowest()) &&
          value <= static_cast<double>(std::numeric_limits<T>::max())) &&
        !(sizeof(T) > sizeof(double) && value - value == 0))
        return in.fail(serializer_error::out_of_range, "number out of the field's range", path);
    out = static_cast<T>(value);
    return true;
}

template <class T>
bool unpack_enumeration(msgpack_reader& in, T& out, json_path const* path)
{
    if constexpr (named_enum<T>) {
        std::string_view name;
        if (in.peek() != msgpack_kind::text)
            return in.wrong_type("an enumerator's name", path);
        if (!in.text(name, path))
            return false;
        return find_enumerator(name, out) ||
               in.fail(serializer_error::unknown_enumerator, "no enumerator of this name", path);
    } else {
        std::underlying_type_t<T> number{};
        if (!unpack_value(in, number, path))
            return false;
        out = static_cast<T>(number);
        return true;
    }
}

template <class T>
bool unpack_time(msgpack_reader& in, T& out, json_path const* path)
{
    namespace ch = std::chrono;
    moment time;
    if (in.peek() == msgpack_kind::extension) {
        msgpack_extension extended;
        if (!in.extension(extended, path))
            return false;
        if (!read_timestamp(extended, time))
            return in.fail(serializer_error::wrong_type, "expected a time", path);
    } else {
        std::string_view written;
        if (in.peek() != msgpack_kind::text)
            return in.wrong_type("an RFC 3339 time", path);
        if (!in.text(written, path))
            return false;
        auto const parsed = parse_timestamp(written);
        if (!parsed)
            return in.fail(serializer_error::wrong_type, "expected an RFC 3339 time", path);
        time = *parsed;
    }
    constexpr auto first = ch::duration_cast<ch::seconds>(T::duration::min()).count();
    constexpr auto last = ch::duration_cast<ch::seconds>(T::duration::max()).count();
    if (time.second <= first || time.second >= last)
        return in.fail(serializer_error::out_of_range, "time out of the field's range", path);
    out = T{ch::duration_cast<typename T::duration>(ch::seconds{time.second}) +
            ch::duration_cast<typename T::duration>(ch::nanoseconds{time.nanosecond})};
    return true;
}

template <byte_list T>
bool unpack_bytes(msgpack_reader& in, T& out, json_path const* path)
{
    std::string_view bytes;
    if (!in.binary(bytes, path))
        return false;
    if constexpr (kind_of<T>() == value_kind::array) {
        if (bytes.size() != out.size())
            return in.fail(serializer_error::out_of_range,
                           bytes.size() < out.size() ? "too few elements" : "too many elements", path);
    } else {
        out.resize(bytes.size());
    }
    if (!bytes.empty())
        std::memcpy(out.data(), bytes.data(), bytes.size());
    return true;
}

template <class T>
bool unpack_list(msgpack_reader& in, T& out, json_path const* path)
{
    if constexpr (byte_list<T>)
        if (in.peek() == msgpack_kind::binary)
            return unpack_bytes(in, out, path);
    std::size_t count = 0;
    json_path at{path};
    if (in.peek() != msgpack_kind::array)
        return in.wrong_type("an array", path);
    if (!in.enter(count, path))
        return false;
    if constexpr (kind_of<T>() == value_kind::array) {
        for (; at.index != count; ++at.index) {
            if (at.index == std::tuple_size_v<T>)
                return in.fail(serializer_error::out_of_range, "too many elements", path);
            if (!unpack_value(in, out[at.index], &at))
                return false;
        }
        if (count != std::tuple_size_v<T>)
            return in.fail(serializer_error::out_of_range, "too few elements", path);
    } else {
        out.clear();
        for (; at.index != count; ++at.index) {
            typename T::value_type element{};  // not in place: vector<bool> has no elements to refer to
            if (!unpack_value(in, element, &at))
                return false;
            out.push_back(std::move(element));
        }
    }
    in.leave();
    return true;
}

template <class T>
bool unpack_map(msgpack_reader& in, T& out, json_path const* path)
{
    std::size_t count = 0;
    std::string_view key;
    if (in.peek() != msgpack_kind::map)
        return in.wrong_type("a map", path);
    if (!in.enter(count, path))
        return false;
    for (out.clear(); count != 0; --count) {
        if (!in.key(key, path))
            return false;
        json_path const at{path, key};
        auto const [place, added] = out.try_emplace(typename T::key_type(key));
        if (!added)
            return in.fail(serializer_error::duplicate_field, "a key occurs twice", &at);
        if (!unpack_value(in, place->second, &at))
            return false;
    }
    in.leave();
    return true;
}

/// Whether a value of that kind is for the alternative `A`, which is no aggregate.
template <class A>
[[nodiscard]] constexpr bool unpacks_from(msgpack_kind kind) noexcept
{
    switch (shape_of<A>()) {
    case wire_shape::boolean: return kind == msgpack_kind::boolean;
    case wire_shape::number: return kind == msgpack_kind::integer || kind == msgpack_kind::real;
    case wire_shape::text:
        return kind == msgpack_kind::text || (kind == msgpack_kind::extension && kind_of<A>() == value_kind::time);
    case wire_shape::list: return kind == msgpack_kind::array || (kind == msgpack_kind::binary && byte_list<A>);
    default: return false;
    }
}

/// As `read_variant` of JSON: a map of one pair names an aggregate, any other value is told by its kind.
template <class T>
bool unpack_variant(msgpack_reader& in, T& out, json_path const* path)
{
    static_assert(alternatives<T>::distinct);
    msgpack_kind const kind = in.peek();
    bool ok = false;
    auto const into = [&]<class A>(json_path const* at) {
        A value{};
        if ((ok = unpack_value(in, value, at)))
            out.template emplace<A>(std::move(value));
        return true;
    };
    if (kind != msgpack_kind::map) {
        bool const found = alternatives<T>::find(
            [&]<class A>() { return unpacks_from<A>(kind) && into.template operator()<A>(path); });
        return found ? ok : in.wrong_type("another kind of value", path);
    }
    std::size_t count = 0;
    std::string_view name;
    if (!in.enter(count, path))
        return false;
    if (count != 1)
        return in.fail(serializer_error::wrong_type, "expected a map with one key: the name of its type", path);
    if (!in.key(name, path))
        return false;
    json_path const at{path, name};
    bool const found = alternatives<T>::find([&]<class A>() {
        if constexpr (shape_of<A>() == wire_shape::tagged)
            return name == event_name<A> && into.template operator()<A>(&at);
        else
            return false;
    });
    if (!found)
        return in.fail(serializer_error::wrong_type, "no alternative of this name", &at);
    in.leave();
    return ok;
}

/// Reports the first required field of `T` that `seen` lacks; true if there is none.
template <class T>
bool has_required(msgpack_reader& in, T& out, std::uint64_t seen, json_path const* path)
{
    std::uint64_t const missing = required_fields(out) & ~seen;
    if (missing == 0)
        return true;
    json_path const at{path, field_names<T>[static_cast<std::size_t>(std::countr_zero(missing))]};
    return in.fail(serializer_error::missing_field, "missing field", &at);
}

template <class T>
bool unpack_aggregate(msgpack_reader& in, T& out, json_path const* path)
{
    constexpr std::size_t fields = field_count<T>;
    std::size_t left = 0;
    if (in.peek() != msgpack_kind::map)
        return in.wrong_type("a map", path);
    if (!in.enter(left, path))
        return false;
    std::uint64_t seen = 0;
    std::size_t index = fields;  // of the field before
    std::string_view key;
    for (; left != 0; --left) {
        if (!in.key(key, path))
            return false;
        json_path const at{path, key};
        // Most peers write the fields in the order of declaration.
        std::size_t const guess = index + 1 < fields ? index + 1 : 0;
        index = guess;
        if constexpr (fields != 0)
            if (key != field_names<T>[guess])
                for (index = 0; index != fields && field_names<T>[index] != key;)
                    ++index;
        if (index == fields) {
            if (in.limits().refuse_unknown_fields)
                return in.fail(serializer_error::unknown_field, "unknown field", &at);
            if (!in.skip(&at))
                return false;
            continue;
        }
        if ((seen >> index & 1) != 0)
            return in.fail(serializer_error::duplicate_field, "a field occurs twice", &at);
        seen |= std::uint64_t{1} << index;
        bool ok = true;
        with_fields(out, [&](auto&... all) {
            std::size_t i = 0;
            (void)((i++ == index ? (ok = unpack_value(in, all, &at), true) : false) || ... || false);
        });
        if (!ok)
            return false;
    }
    in.leave();
    return has_required(in, out, seen, path);
}

/// Reads the next value into `out`. On an error the reader stands anywhere in it; see `msgpack_reader`.
template <class T>
bool unpack_value(msgpack_reader& in, T& out, json_path const* path)
{
    constexpr value_kind kind = kind_of<T>();
    static_assert(kind != value_kind::unsupported, "polycast: an event has a field of a type that cannot be decoded.");
    static_assert(kind != value_kind::text_view,
                  "polycast: an accepted event has a view as a field, which would outlive its text: use std::string.");
    if constexpr (kind == value_kind::boolean) {
        return in.peek() == msgpack_kind::boolean ? in.boolean(out, path) : in.wrong_type("true or false", path);
    } else if constexpr (kind == value_kind::integer) {
        return unpack_integer(in, out, path);
    } else if constexpr (kind == value_kind::real) {
        return unpack_real(in, out, path);
    } else if constexpr (kind == value_kind::enumeration) {
        return unpack_enumeration(in, out, path);
    } else if constexpr (kind == value_kind::text) {
        std::string_view text;
        if (in.peek() != msgpack_kind::text)
            return in.wrong_type("a string", path);
        if (!in.text(text, path))
            return false;
        out.assign(text.data(), text.size());
        return true;
    } else if constexpr (kind == value_kind::optional) {
        if (in.peek() == msgpack_kind::nil) {
            out.reset();
            return in.null(path);
        }
        return unpack_value(in, out.emplace(), path);
    } else if constexpr (kind == value_kind::nullable) {
        return unpack_value(in, out.value, path);
    } else if constexpr (kind == value_kind::raw) {
        byte_buffer text;
        if (!msgpack_to_json(in, text, path))
            return false;
        out.text.assign(text.data(), text.size());
        return true;
    } else if constexpr (kind == value_kind::duration) {
        typename T::rep count{};
        if (!unpack_value(in, count, path))
            return false;
        out = T{count};
        return true;
    } else if constexpr (kind == value_kind::time) {
        return unpack_time(in, out, path);
    } else if constexpr (kind == value_kind::variant) {
        return unpack_variant(in, out, path);
    } else if constexpr (kind == value_kind::array || kind == value_kind::sequence) {
        return unpack_list(in, out, path);
    } else if constexpr (kind == value_kind::map) {
        return unpack_map(in, out, path);
    } else if constexpr (kind == value_kind::aggregate) {
        return unpack_aggregate(in, out, path);
    }
}

}  // namespace polycast::inline v0::detail
