#pragma once

#include <polycast/event/describe.hpp>
#include <polycast/event/enumerators.hpp>
#include <polycast/serializer/json_read.hpp>
#include <polycast/serializer/timestamp.hpp>
#include <polycast/serializer/value.hpp>

#include <bit>
#include <charconv>
#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string_view>
#include <system_error>
#include <type_traits>
#include <utility>

namespace polycast::inline v0::detail {

template <class T>
bool read_value(json_reader& in, T& out, json_path const* path);

/// Whether `T` holds the number; false too of what `std::from_chars` does not take: a minus sign before an unsigned one.
template <class T>
[[nodiscard]] constexpr bool fits(std::uint64_t digits, bool negative, T& out) noexcept
{
    using limits = std::numeric_limits<T>;
    constexpr auto greatest = static_cast<std::uint64_t>(limits::max());
    // The lowest value is one further from 0 than the greatest.
    if (negative ? !limits::is_signed || digits > greatest + 1 : digits > greatest)
        return false;
    out = static_cast<T>(negative ? 0 - digits : digits);
    return true;
}

template <class T>
bool read_integer(json_reader& in, T& out, json_path const* path)
{
    static_assert(sizeof(T) <= 8);
    if (!in.stands_at_number())
        return in.wrong_type("an integer", path);
    std::uint64_t magnitude = 0;
    bool negative = false;
    if (in.take_plain_integer(magnitude, negative))
        return fits(magnitude, negative, out) ||
               in.fail(serializer_error::out_of_range, "integer out of the field's range", path);
    std::string_view digits;
    if (!in.number(digits, path))
        return false;
    // RFC 8259 lets an integer be written 1.0 or 1e2; a field of integer type takes digits only.
    if (digits.find_first_of(".eE") != std::string_view::npos)
        return in.fail(serializer_error::wrong_type, "expected an integer", path);
    auto const [end, ec] = std::from_chars(digits.data(), digits.data() + digits.size(), out);
    // An unsigned type stops at the minus sign.
    if (ec != std::errc{} || end != digits.data() + digits.size())
        return in.fail(serializer_error::out_of_range, "integer out of the field's range", path);
    return true;
}

template <class T>
bool read_real(json_reader& in, T& out, json_path const* path)
{
    std::string_view digits;
    if (!in.stands_at_number())
        return in.wrong_type("a number", path);
    char* const begin = in.position();
    if (plain_number const number = in.take_plain_number(); number.end != nullptr) {
        if constexpr (std::same_as<T, double>)
            if (exact_real(number, out))
                return true;
        digits = {begin, static_cast<std::size_t>(number.end - begin)};
    } else if (!in.number(digits, path)) {
        return false;
    }
    if (std::from_chars(digits.data(), digits.data() + digits.size(), out).ec == std::errc{})
        return true;
    // `from_chars` says the same of too large and of too small. Too small is 0.
    bool const small = digits.find("e-") != std::string_view::npos || digits.find("E-") != std::string_view::npos ||
                       digits.starts_with("0") || digits.starts_with("-0");
    if (!small)
        return in.fail(serializer_error::out_of_range, "number out of the field's range", path);
    out = 0;
    return true;
}

template <class T>
bool read_enumeration(json_reader& in, T& out, json_path const* path)
{
    if constexpr (named_enum<T>) {
        std::string_view name;
        if (!in.stands_at('"'))
            return in.wrong_type("an enumerator's name", path);
        if (!in.text(name, path))
            return false;
        return find_enumerator(name, out) ||
               in.fail(serializer_error::unknown_enumerator, "no enumerator of this name", path);
    } else {
        std::underlying_type_t<T> number{};
        if (!read_value(in, number, path))
            return false;
        out = static_cast<T>(number);
        return true;
    }
}

template <class T>
bool read_time(json_reader& in, T& out, json_path const* path)
{
    std::string_view written;
    if (!in.stands_at('"'))
        return in.wrong_type("an RFC 3339 time", path);
    if (!in.text(written, path))
        return false;
    namespace ch = std::chrono;
    auto const time = parse_timestamp(written);
    if (!time)
        return in.fail(serializer_error::wrong_type, "expected an RFC 3339 time", path);
    constexpr auto first = ch::duration_cast<ch::seconds>(T::duration::min()).count();
    constexpr auto last = ch::duration_cast<ch::seconds>(T::duration::max()).count();
    if (time->second <= first || time->second >= last)
        return in.fail(serializer_error::out_of_range, "time out of the field's range", path);
    out = T{ch::duration_cast<typename T::duration>(ch::seconds{time->second}) +
            ch::duration_cast<typename T::duration>(ch::nanoseconds{time->nanosecond})};
    return true;
}

template <class T>
bool read_sequence(json_reader& in, T& out, json_path const* path)
{
    if (!in.stands_at('['))
        return in.wrong_type("an array", path);
    if (!in.enter(path))
        return false;
    out.clear();
    json_path at{path};
    for (bool first = true; in.next_element(first, path); ++at.index) {
        if constexpr (requires { { out.emplace_back() } -> std::same_as<typename T::value_type&>; }) {
            if (!read_value(in, out.emplace_back(), &at))
                return false;
        } else {  // vector<bool> has no elements to refer to
            typename T::value_type element{};
            if (!read_value(in, element, &at))
                return false;
            out.push_back(std::move(element));
        }
    }
    return !in.broken();
}

template <class T>
bool read_array(json_reader& in, T& out, json_path const* path)
{
    if (!in.stands_at('['))
        return in.wrong_type("an array", path);
    if (!in.enter(path))
        return false;
    json_path at{path};
    for (bool first = true; in.next_element(first, path); ++at.index) {
        if (at.index == std::tuple_size_v<T>)
            return in.fail(serializer_error::out_of_range, "too many elements", path);
        if (!read_value(in, out[at.index], &at))
            return false;
    }
    if (in.broken())
        return false;
    return at.index == std::tuple_size_v<T> || in.fail(serializer_error::out_of_range, "too few elements", path);
}

template <class T>
bool read_map(json_reader& in, T& out, json_path const* path)
{
    if (!in.stands_at('{'))
        return in.wrong_type("an object", path);
    if (!in.enter(path))
        return false;
    out.clear();
    std::string_view key;
    for (bool first = true; in.next_key(first, key, path);) {
        json_path const at{path, key};
        auto const [place, added] = out.try_emplace(typename T::key_type(key));
        if (!added)
            return in.fail(serializer_error::duplicate_field, "a key occurs twice", &at);
        if (!read_value(in, place->second, &at))
            return false;
    }
    return !in.failed();
}

/// Reads `{"name":value}` into the aggregate alternative of that name, or any other value into the one alternative that
/// has its JSON kind.
template <class T>
bool read_variant(json_reader& in, T& out, json_path const* path)
{
    static_assert(alternatives<T>::distinct);
    json_kind const kind = in.peek();
    bool ok = false;
    auto const into = [&]<class A>(json_path const* at) {
        A value{};
        if ((ok = read_value(in, value, at)))
            out.template emplace<A>(std::move(value));
        return true;
    };
    if (kind != json_kind::object) {
        bool const found = alternatives<T>::find([&]<class A>() {
            constexpr wire_shape shape = shape_of<A>();
            bool const fits = (shape == wire_shape::boolean && kind == json_kind::boolean) ||
                              (shape == wire_shape::number && kind == json_kind::number) ||
                              (shape == wire_shape::text && kind == json_kind::text) ||
                              (shape == wire_shape::list && kind == json_kind::array);
            return fits && into.template operator()<A>(path);
        });
        return found ? ok : in.wrong_type("another kind of value", path);
    }
    std::string_view name;
    bool first = true;
    if (!in.enter(path))
        return false;
    if (!in.next_key(first, name, path))
        return in.fail(serializer_error::wrong_type, "expected an object with one key: the name of its type", path);
    json_path const at{path, name};
    bool const found = alternatives<T>::find([&]<class A>() {
        if constexpr (shape_of<A>() == wire_shape::tagged)
            return name == event_name<A> && into.template operator()<A>(&at);
        else
            return false;
    });
    if (!found)
        return in.fail(serializer_error::wrong_type, "no alternative of this name", &at);
    if (!ok)
        return false;
    if (in.next_key(first, name, path))
        return in.fail(serializer_error::wrong_type, "expected an object with one key: the name of its type", path);
    return !in.failed();
}

/// A bit for each field of `T` that has to be there: all but `std::optional`s.
template <class T>
[[nodiscard]] constexpr std::uint64_t required_fields(T& value)
{
    return with_fields(value, []<class... Fields>(Fields&...) {
        std::uint64_t bits = 0;
        [[maybe_unused]] std::uint64_t bit = 1;
        ((bits |= kind_of<std::remove_cv_t<Fields>>() == value_kind::optional ? 0 : bit, bit <<= 1), ...);
        return bits;
    });
}

/// Reports the first required field of `T` that `seen` lacks; true if there is none.
template <class T>
bool has_required(json_reader& in, T& out, std::uint64_t seen, json_path const* path)
{
    std::uint64_t const missing = required_fields(out) & ~seen;
    if (missing == 0)
        return true;
    json_path const at{path, field_names<T>[static_cast<std::size_t>(std::countr_zero(missing))]};
    return in.fail(serializer_error::missing_field, "missing field", &at);
}

/// How far an aggregate is read.
struct aggregate_progress {
    json_path at;            ///< of the field that is read
    std::uint64_t seen = 0;  ///< a bit for each field that was there
    bool more = false;  ///< the reader stands before another key
    bool ok = true;
};

/// `"key":`
template <class T, std::size_t I>
inline constexpr auto quoted_key = joined<field_names<T>[I].size() + 3>("\"", field_names<T>[I], "\":");

/// Reads field `I` of `T` if its key comes next and is written as the library itself would. False if that was the last,
/// or on an error.
template <class T, std::size_t I, class Field>
bool read_expected(json_reader& in, Field& field, aggregate_progress& to)
{
    constexpr std::uint64_t bit = std::uint64_t{1} << I;
    if ((to.seen & bit) != 0 || !in.take_key<quoted_key<T, I>.size()>(quoted_key<T, I>.data()))
        return true;
    to.seen |= bit;
    to.at.name = field_names<T>[I];
    to.ok = read_value(in, field, &to.at);
    return to.ok && (to.more = in.next_member(to.at.parent));
}

/// Reads the next field whatever its key is, and however it is written: with escapes, or white space before the colon.
template <class T>
bool read_any_field(json_reader& in, T& out, aggregate_progress& to)
{
    constexpr std::size_t count = field_count<T>;
    if (!in.key(to.at.name, to.at.parent))
        return false;
    std::size_t index = 0;
    if constexpr (count != 0)
        while (index != count && field_names<T>[index] != to.at.name)
            ++index;
    if (index == count) {
        if (in.limits().refuse_unknown_fields)
            return in.fail(serializer_error::unknown_field, "unknown field", &to.at);
        return in.skip(&to.at);
    }
    if ((to.seen >> index & 1) != 0)
        return in.fail(serializer_error::duplicate_field, "a field occurs twice", &to.at);
    to.seen |= std::uint64_t{1} << index;
    bool ok = true;
    with_fields(out, [&](auto&... fields) {
        std::size_t i = 0;
        (void)((i++ == index ? (ok = read_value(in, fields, &to.at), true) : false) || ... || false);
    });
    return ok;
}

template <class T>
bool read_aggregate(json_reader& in, T& out, json_path const* path)
{
    if (!in.stands_at('{'))
        return in.wrong_type("an object", path);
    if (!in.enter(path))
        return false;
    aggregate_progress to{{path}};
    bool first = true;
    to.more = in.next_member(first, path);
    while (to.more) {
        // Most peers write the fields in the order of declaration. Each turn takes as many as stand in that order.
        with_fields(out, [&](auto&... fields) {
            [&]<std::size_t... I>(std::index_sequence<I...>) {
                (void)(read_expected<T, I>(in, fields, to) && ...);
            }(std::make_index_sequence<sizeof...(fields)>{});
        });
        if (!to.ok)
            return false;
        if (!to.more)
            break;
        if (!read_any_field(in, out, to))
            return false;
        to.more = in.next_member(path);
    }
    return !in.failed() && has_required(in, out, to.seen, path);
}

/// Reads the next value into `out`. On an error the reader stands behind some token of it; see `json_reader::leave`.
template <class T>
bool read_value(json_reader& in, T& out, json_path const* path)
{
    constexpr value_kind kind = kind_of<T>();
    static_assert(kind != value_kind::unsupported, "polycast: an event has a field of a type that cannot be decoded.");
    static_assert(kind != value_kind::text_view,
                  "polycast: an accepted event has a view as a field, which would outlive its text: use std::string.");
    if constexpr (kind == value_kind::boolean) {
        return in.stands_at('t') || in.stands_at('f') ? in.boolean(out, path) : in.wrong_type("true or false", path);
    } else if constexpr (kind == value_kind::integer) {
        return read_integer(in, out, path);
    } else if constexpr (kind == value_kind::real) {
        return read_real(in, out, path);
    } else if constexpr (kind == value_kind::enumeration) {
        return read_enumeration(in, out, path);
    } else if constexpr (kind == value_kind::text) {
        std::string_view text;
        if (!in.stands_at('"'))
            return in.wrong_type("a string", path);
        if (!in.text(text, path))
            return false;
        out.assign(text.data(), text.size());
        return true;
    } else if constexpr (kind == value_kind::optional) {
        if (in.stands_at('n')) {
            out.reset();
            return in.null(path);
        }
        return read_value(in, out.emplace(), path);
    } else if constexpr (kind == value_kind::nullable) {
        return read_value(in, out.value, path);
    } else if constexpr (kind == value_kind::raw) {
        std::string_view raw;
        if (!in.skip(path, &raw))
            return false;
        out.text = raw;
        return true;
    } else if constexpr (kind == value_kind::duration) {
        typename T::rep count{};
        if (!read_value(in, count, path))
            return false;
        out = T{count};
        return true;
    } else if constexpr (kind == value_kind::time) {
        return read_time(in, out, path);
    } else if constexpr (kind == value_kind::variant) {
        return read_variant(in, out, path);
    } else if constexpr (kind == value_kind::array) {
        return read_array(in, out, path);
    } else if constexpr (kind == value_kind::sequence) {
        return read_sequence(in, out, path);
    } else if constexpr (kind == value_kind::map) {
        return read_map(in, out, path);
    } else if constexpr (kind == value_kind::aggregate) {
        return read_aggregate(in, out, path);
    }
}

}  // namespace polycast::inline v0::detail
