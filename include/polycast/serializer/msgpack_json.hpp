#pragma once

#include <polycast/detail/base64.hpp>
#include <polycast/detail/byte_buffer.hpp>
#include <polycast/detail/decimal.hpp>
#include <polycast/serializer/error.hpp>
#include <polycast/serializer/json_bind.hpp>
#include <polycast/serializer/json_text.hpp>
#include <polycast/serializer/msgpack_read.hpp>
#include <polycast/serializer/msgpack_text.hpp>
#include <polycast/serializer/timestamp.hpp>

#include <charconv>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <string_view>
#include <system_error>

namespace polycast::inline v0::detail {

// The parts of an event that are JSON text for the application, whatever the serializer: `raw_json`, the `data` of
// unknown events, ids.

/// Reads a body of the timestamp extension (type -1): 32, 64 or 96 bits.
[[nodiscard]] inline bool read_timestamp(msgpack_extension const& in, moment& out) noexcept
{
    char const* const at = in.body.data();
    if (in.type != -1)
        return false;
    switch (in.body.size()) {
    case 4: out = {load_big<std::uint32_t>(at), 0}; break;
    case 8: {
        auto const bits = load_big<std::uint64_t>(at);
        out = {static_cast<std::int64_t>(bits & 0x3'FFFF'FFFF), static_cast<std::int64_t>(bits >> 34)};
        break;
    }
    case 12: out = {static_cast<std::int64_t>(load_big<std::uint64_t>(at + 4)), load_big<std::uint32_t>(at)}; break;
    default: return false;
    }
    return out.nanosecond < 1'000'000'000;
}

/// A time with nanoseconds, which are left out where milliseconds say it all: at most 30 characters at `to`; 0 outside
/// of the years 0 to 9999.
[[nodiscard]] inline std::size_t write_moment(moment const& time, char* to) noexcept
{
    constexpr std::int64_t most = std::numeric_limits<std::int64_t>::max() / 1000 - 1;
    if (time.second > most || time.second < -most ||
        !write_timestamp(time.second * 1000 + time.nanosecond / 1'000'000, to))
        return 0;
    if (time.nanosecond % 1'000'000 == 0)
        return timestamp_bytes;
    put_digits(to + 20, static_cast<unsigned>(time.nanosecond), 9);
    to[29] = 'Z';
    return 30;
}

/// Appends the next value as JSON. What JSON has no form for is refused: other keys than strings, NaN and infinity,
/// extensions but for timestamps, which become RFC 3339 text; bin becomes base64.
inline bool msgpack_to_json(msgpack_reader& in, byte_buffer& out, json_path const* path)
{
    switch (in.peek()) {
    case msgpack_kind::nil: out.append("null", 4); return in.null(path);
    case msgpack_kind::boolean: {
        bool value = false;
        in.boolean(value, path);
        out.append(value ? std::string_view("true") : std::string_view("false"));
        return true;
    }
    case msgpack_kind::integer: {
        msgpack_integer number;
        if (!in.integer(number, path))
            return false;
        number.negative ? write_number(out, static_cast<std::int64_t>(number.bits)) : write_number(out, number.bits);
        return true;
    }
    case msgpack_kind::real: {
        double value = 0;
        if (!in.real(value, path))
            return false;
        if (!(value >= std::numeric_limits<double>::lowest() && value <= std::numeric_limits<double>::max()))
            return in.fail(serializer_error::out_of_range, "not a finite number", path);
        write_number(out, value);
        return true;
    }
    case msgpack_kind::text: {
        std::string_view text;
        if (!in.text(text, path))
            return false;
        write_text(out, text);
        return true;
    }
    case msgpack_kind::binary: {
        std::string_view bytes;
        if (!in.binary(bytes, path))
            return false;
        std::size_t const size = base64_size(bytes.size());
        char* const at = out.prepare(size + 2);
        base64_encode(at + 1, bytes);
        at[0] = at[size + 1] = '"';
        out.commit(size + 2);
        return true;
    }
    case msgpack_kind::extension: {
        msgpack_extension extended;
        moment time;
        if (!in.extension(extended, path))
            return false;
        if (!read_timestamp(extended, time))
            return in.fail(serializer_error::wrong_type, "an extension that JSON has no form for", path);
        char* const at = out.prepare(32);
        std::size_t const size = write_moment(time, at + 1);
        if (size == 0)
            return in.fail(serializer_error::out_of_range, "time out of range", path);
        at[0] = at[size + 1] = '"';
        out.commit(size + 2);
        return true;
    }
    case msgpack_kind::array: {
        json_path at{path};
        std::size_t count = 0;
        if (!in.enter(count, path))
            return false;
        for (out.push_back('['); at.index != count; ++at.index) {
            if (at.index != 0)
                out.push_back(',');
            if (!msgpack_to_json(in, out, &at))
                return false;
        }
        out.push_back(']');
        in.leave();
        return true;
    }
    case msgpack_kind::map: {
        std::size_t count = 0;
        if (!in.enter(count, path))
            return false;
        out.push_back('{');
        for (std::size_t i = 0; i != count; ++i) {
            std::string_view key;
            if (!in.key(key, path))
                return false;
            json_path const at{path, key};
            if (i != 0)
                out.push_back(',');
            write_text(out, key);
            out.push_back(':');
            if (!msgpack_to_json(in, out, &at))
                return false;
        }
        out.push_back('}');
        in.leave();
        return true;
    }
    default: return in.wrong_type("a value", path);
    }
}

/// Gives what was written since `begin`, a byte to spare and then elements, its head: the count was not known there.
inline void close_head(byte_buffer& out, std::size_t begin, msgpack_head kind, std::size_t count)
{
    std::size_t const end = out.size();
    write_head(out, kind, count);
    std::size_t const bytes = out.size() - end;
    char head[5];
    std::memcpy(head, out.data() + end, bytes);
    if (bytes != 1)  // few containers have more than 15 elements
        std::memmove(out.data() + begin + bytes, out.data() + begin + 1, end - begin - 1);
    std::memcpy(out.data() + begin, head, bytes);
    out.truncate(end - 1 + bytes);
}

inline bool json_value_to_msgpack(json_reader& in, byte_buffer& out)
{
    std::string_view text;
    bool first = true;
    std::size_t const begin = out.size();
    std::size_t count = 0;
    switch (in.peek()) {
    case json_kind::null: out.push_back(static_cast<char>(msgpack_format::nil)); return in.null(nullptr);
    case json_kind::boolean: {
        bool value = false;
        if (!in.boolean(value, nullptr))
            return false;
        out.push_back(static_cast<char>(value ? msgpack_format::yes : msgpack_format::no));
        return true;
    }
    case json_kind::text:
        if (!in.text(text, nullptr))
            return false;
        write_str(out, text);
        return true;
    case json_kind::number: {
        char* const from = in.position();
        if (!in.number(text, nullptr))
            return false;
        std::uint64_t magnitude = 0;
        std::int64_t number = 0;
        char const* const end = text.data() + text.size();
        if (auto const [at, ec] = std::from_chars(text.data(), end, magnitude); at == end && ec == std::errc{}) {
            write_integer(out, magnitude);
        } else if (auto const [stop, failure] = std::from_chars(text.data(), end, number);
                   stop == end && failure == std::errc{} && number != 0) {  // -0 is no integer
            write_integer(out, number);
        } else {
            double real = 0;
            in.seek(from, in.depth());
            if (!read_real(in, real, nullptr))
                return false;
            write_real(out, real);
        }
        return true;
    }
    case json_kind::array:
        if (!in.enter(nullptr))
            return false;
        out.push_back('\0');
        for (; in.next_element(first, nullptr); ++count)
            if (!json_value_to_msgpack(in, out))
                return false;
        if (in.failed())
            return false;
        close_head(out, begin, msgpack_head::array, count);
        return true;
    case json_kind::object:
        if (!in.enter(nullptr))
            return false;
        out.push_back('\0');
        for (; in.next_key(first, text, nullptr); ++count) {
            write_str(out, text);
            if (!json_value_to_msgpack(in, out))
                return false;
        }
        if (in.failed())
            return false;
        close_head(out, begin, msgpack_head::map, count);
        return true;
    default: return in.syntax("expected a value", nullptr);
    }
}

/// Appends one value of JSON text as MessagePack; empty text as nil. Errors: as a payload of JSON has them. Parses in a
/// scratch buffer of the thread.
[[nodiscard]] inline serializer_error json_to_msgpack(byte_buffer& out, std::string_view text)
{
    thread_local byte_buffer scratch;
    if (text.empty()) {
        out.push_back(static_cast<char>(msgpack_format::nil));
        return {};
    }
    if (!is_utf8(text))
        return serializer_error::invalid_utf8;
    scratch.clear();
    scratch.append(text);
    decode_limits const limits{.max_depth = 512};
    json_reader in({scratch.data(), scratch.size()}, limits);
    if (in.next_object() && json_value_to_msgpack(in, out) && in.peek() == json_kind::end)
        return {};
    return in.failed() ? static_cast<serializer_error>(in.error().code.value()) : serializer_error::syntax;
}

/// Appends an id, which is JSON text.
[[nodiscard]] inline serializer_error id_to_msgpack(byte_buffer& out, std::string_view id_json)
{
    std::uint64_t number = 0;
    char const* const end = id_json.data() + id_json.size();
    if (auto const [at, ec] = std::from_chars(id_json.data(), end, number); at == end && ec == std::errc{}) {
        write_integer(out, number);
        return {};
    }
    // What stands between the quotes is the string itself, unless something is escaped.
    if (id_json.size() >= 2 && id_json.front() == '"' && skip_unescaped<false>(id_json.data() + 1, end) == end - 1) {
        write_str(out, id_json.substr(1, id_json.size() - 2));
        return {};
    }
    return json_to_msgpack(out, id_json);
}

}  // namespace polycast::inline v0::detail
