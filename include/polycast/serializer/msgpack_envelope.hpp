#pragma once

#include <polycast/event/envelope.hpp>
#include <polycast/serializer/json_envelope.hpp>
#include <polycast/serializer/msgpack_bind.hpp>

#include <array>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <string_view>

namespace polycast::inline v0::detail {

/// Reads the keys around an event into an `envelope`. What the envelope has as text and MessagePack as something else,
/// ids and times, is kept here.
class msgpack_envelope_reader {
public:
    explicit msgpack_envelope_reader(msgpack_reader& in) noexcept : in_(in) {}
    msgpack_envelope_reader(msgpack_envelope_reader const&) = delete;

    envelope head;

    /// Goes into the map that is next; false if it may not.
    bool enter() { return in_.enter(left_, nullptr); }

    /// Reads on to the next `data` and stands before its value: true. False at the end of the map, or when the payload
    /// is broken. An error of meaning is kept, and the keys after it are still read: the reply needs the id.
    bool until_data()
    {
        while (left_ != 0 && !in_.broken()) {
            --left_;
            std::string_view key;
            if (char const* const at = in_.position(); !in_.key(key, nullptr)) {
                again(at, 2);
                continue;
            }
            json_path const at{nullptr, key};
            char const* const value = in_.position();
            if (key == "data" && once(data_bit, &at))
                return true;
            if (key == "data" || !member(key, &at))
                again(value, 1);
        }
        return false;
    }

    /// Reads over `count` values that begin at `from`, in the map, whatever is wrong with them.
    void again(char const* from, std::size_t count)
    {
        if (in_.broken())
            return;
        for (in_.seek(from, 1); count != 0 && in_.pass();)
            --count;
    }

private:
    static constexpr std::size_t texts = std::size(envelope_texts);
    static constexpr std::size_t numbers = std::size(envelope_numbers);
    static constexpr std::size_t flags = std::size(envelope_flags);
    static constexpr std::size_t data_bit = texts + numbers + flags;
    static constexpr std::size_t id_bit = data_bit + 1;
    static constexpr std::size_t ack_bit = data_bit + 2;
    static constexpr std::size_t reconnect_bit = data_bit + 3;
    static constexpr std::size_t dictionary_bit = data_bit + 4;
    static_assert(dictionary_bit < 64);

    bool once(std::size_t bit, json_path const* at)
    {
        if ((seen_ >> bit & 1) != 0)
            return in_.fail(serializer_error::duplicate_field, "a key occurs twice", at);
        seen_ |= std::uint64_t{1} << bit;
        return true;
    }

    /// Reads the value of one key. False on any error.
    bool member(std::string_view key, json_path const* at)
    {
        std::size_t bit = 0;
        for (auto const& [name, target] : envelope_texts) {
            if (key == name)
                return once(bit, at) && (null(at) || text(head.*target, at, key == "timestamp"));
            ++bit;
        }
        if (key == "id")
            return once(id_bit, at) && (null(at) || id(at));
        for (auto const& [name, target] : envelope_numbers) {
            if (key == name)
                return once(bit, at) && unpack_value(in_, head.*target, at);
            ++bit;
        }
        for (auto const& [name, target] : envelope_flags) {
            if (key == name)
                return once(bit, at) && unpack_value(in_, head.*target, at);
            ++bit;
        }
        if (key == "ack" && in_.peek() == msgpack_kind::map)
            return once(ack_bit, at) && nested(at, [&](std::string_view inner, json_path const* place) {
                       return inner == "every"       ? unpack_value(in_, head.ack_every, place)
                              : inner == "within_ms" ? unpack_value(in_, head.ack_within_ms, place)
                                                     : in_.skip(place);
                   });
        if (key == "dictionary" && in_.peek() == msgpack_kind::map)
            return once(dictionary_bit, at) && nested(at, [&](std::string_view inner, json_path const* place) {
                       return inner == "id"    ? text(head.dictionary_id, place)
                              : inner == "url" ? text(head.dictionary_url, place)
                                               : in_.skip(place);
                   });
        if (key == "reconnect_after_ms")
            return once(reconnect_bit, at) && (null(at) || reconnect(at));
        return in_.skip(at);
    }

    /// Takes nil for an absent value.
    bool null(json_path const* at) { return in_.peek() == msgpack_kind::nil && in_.null(at); }

    bool text(std::string_view& out, json_path const* at, bool is_time = false)
    {
        if (is_time && in_.peek() == msgpack_kind::extension) {
            msgpack_extension extended;
            moment time;
            if (!in_.extension(extended, at))
                return false;
            if (!read_timestamp(extended, time))
                return in_.fail(serializer_error::wrong_type, "expected a time", at);
            out = {timestamp_, write_moment(time, timestamp_)};
            return !out.empty() || in_.fail(serializer_error::out_of_range, "time out of range", at);
        }
        return in_.peek() == msgpack_kind::text ? in_.text(out, at) : in_.wrong_type("a string", at);
    }

    /// The id as JSON text, which `msgpack::encode` turns back.
    bool id(json_path const* at)
    {
        msgpack_kind const kind = in_.peek();
        if (kind == msgpack_kind::text) {
            std::string_view written;
            if (!in_.text(written, at))
                return false;
            write_text(id_text_, written);
            head.id = id_text_.view();
            return true;
        }
        std::uint64_t number = 0;
        if (kind != msgpack_kind::integer && kind != msgpack_kind::real)
            return in_.wrong_type("an unsigned integer or a string", at);
        if (!unpack_value(in_, number, at))
            return false;
        auto const written = std::to_chars(id_digits_, id_digits_ + sizeof id_digits_, number);
        head.id = {id_digits_, static_cast<std::size_t>(written.ptr - id_digits_)};
        return true;
    }

    bool reconnect(json_path const* at)
    {
        std::array<std::uint64_t, 2> range{};
        if (!unpack_value(in_, range, at))
            return false;
        head.reconnect_min_ms = range[0];
        head.reconnect_max_ms = range[1];
        return true;
    }

    template <class Each>
    bool nested(json_path const* path, Each each)
    {
        std::size_t count = 0;
        std::string_view key;
        if (!in_.enter(count, path))
            return false;
        for (; count != 0; --count) {
            if (!in_.key(key, path))
                return false;
            json_path const at{path, key};
            if (!each(key, &at))
                return false;
        }
        in_.leave();
        return true;
    }

    msgpack_reader& in_;
    std::size_t left_ = 0;
    std::uint64_t seen_ = 0;
    byte_buffer id_text_;
    char id_digits_[20];
    char timestamp_[32];
};

}  // namespace polycast::inline v0::detail
