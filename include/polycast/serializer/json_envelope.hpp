#pragma once

#include <polycast/event/envelope.hpp>
#include <polycast/serializer/json_bind.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <string_view>

namespace polycast::inline v0::detail {

struct envelope_text {
    std::string_view key;
    std::string_view envelope::* member;
};
struct envelope_number {
    std::string_view key;
    std::optional<std::uint64_t> envelope::* member;
};
struct envelope_flag {
    std::string_view key;
    std::optional<bool> envelope::* member;
};
inline constexpr envelope_text envelope_texts[] = {
    {"type", &envelope::type},       {"room", &envelope::room},           {"service", &envelope::service},
    {"epoch", &envelope::epoch},     {"service_route", &envelope::service}, {"timestamp", &envelope::timestamp},
    {"session", &envelope::session}, {"token", &envelope::token},         {"code", &envelope::code},
    {"message", &envelope::message}, {"reason", &envelope::reason},       {"url", &envelope::url},
};
inline constexpr envelope_number envelope_numbers[] = {
    {"offset", &envelope::offset},
    {"received", &envelope::received},
    {"since", &envelope::since},
    {"from", &envelope::from},
    {"to", &envelope::to},
    {"events", &envelope::events},
    {"version", &envelope::version},
    {"retry_after_ms", &envelope::retry_after_ms},
    {"heartbeat_ms", &envelope::heartbeat_ms},
    {"max_message_bytes", &envelope::max_message_bytes},
};
inline constexpr envelope_flag envelope_flags[] = {
    {"resumed", &envelope::resumed},
    {"recovered", &envelope::recovered},
};

/// Reads the keys around an event into an `envelope`.
class json_envelope_reader {
public:
    explicit json_envelope_reader(json_reader& in) noexcept : in_(in) {}

    envelope head;

    /// Reads on to the next `data` and stands before its value: true. False at the end of the object, or when it is
    /// broken. An error of meaning is kept, and the keys after it are still read: the reply needs the id.
    bool until_data()
    {
        while (in_.next_member(first_, nullptr)) {
            std::string_view key = "data";
            bool const is_type = in_.take_key<type_key.size()>(type_key.data());
            if (!is_type && !in_.take_key<data_key.size()>(data_key.data()) && !in_.key(key, nullptr))
                return false;
            json_path const at{nullptr, is_type ? "type" : key};
            if (!is_type && key == "data") {
                if (!once_or_skip(data_bit, &at)) {
                    in_.leave(1);
                    continue;
                }
                in_.space();
                return true;
            }
            if (!(is_type ? text_member(0, head.type, &at) : member(key, &at)))
                in_.leave(1);
            if (in_.broken())
                return false;
        }
        return false;
    }

private:
    // The keys of every event, as most peers write them.
    static constexpr std::string_view type_key = "\"type\":";
    static constexpr std::string_view data_key = "\"data\":";

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
                return text_member(bit, head.*target, at);
            ++bit;
        }
        if (key == "id")
            return once_or_skip(id_bit, at) && (null(at) || id(at));
        for (auto const& [name, target] : envelope_numbers) {
            if (key == name)
                return once_or_skip(bit, at) && read_value(in_, head.*target, at);
            ++bit;
        }
        for (auto const& [name, target] : envelope_flags) {
            if (key == name)
                return once_or_skip(bit, at) && read_value(in_, head.*target, at);
            ++bit;
        }
        if (key == "ack" && in_.peek() == json_kind::object)
            return once_or_skip(ack_bit, at) && ack(at);
        if (key == "dictionary" && in_.peek() == json_kind::object)
            return once_or_skip(dictionary_bit, at) && dictionary(at);
        if (key == "reconnect_after_ms") {
            std::array<std::uint64_t, 2> range{};
            if (!once_or_skip(reconnect_bit, at))
                return false;
            if (null(at))
                return !in_.broken();
            if (!read_value(in_, range, at))
                return false;
            head.reconnect_min_ms = range[0];
            head.reconnect_max_ms = range[1];
            return true;
        }
        return in_.skip(at);
    }

    bool text_member(std::size_t bit, std::string_view& out, json_path const* at)
    {
        return once_or_skip(bit, at) && (null(at) || text(out, at));
    }

    bool once_or_skip(std::size_t bit, json_path const* at)
    {
        if (once(bit, at))
            return true;
        (void)in_.skip(at);
        return false;
    }

    /// Takes `null` for an absent value.
    bool null(json_path const* at) { return in_.stands_at('n') && in_.null(at); }

    bool text(std::string_view& out, json_path const* at)
    {
        return in_.stands_at('"') ? in_.text(out, at) : in_.wrong_type("a string", at);
    }

    bool id(json_path const* at)
    {
        json_kind const kind = in_.peek();
        if (kind == json_kind::text)
            return in_.skip(at, &head.id);
        std::uint64_t number = 0;
        char const* const from = in_.position();
        if (kind != json_kind::number)
            return in_.wrong_type("an unsigned integer or a string", at);
        if (!read_value(in_, number, at))
            return false;
        head.id = {from, static_cast<std::size_t>(in_.position() - from)};
        return true;
    }

    bool ack(json_path const* path)
    {
        std::string_view key;
        if (!in_.enter(path))
            return false;
        for (bool first = true; in_.next_key(first, key, path);) {
            json_path const at{path, key};
            bool const ok = key == "every"       ? read_value(in_, head.ack_every, &at)
                            : key == "within_ms" ? read_value(in_, head.ack_within_ms, &at)
                                                 : in_.skip(&at);
            if (!ok)
                return false;
        }
        return !in_.failed();
    }

    bool dictionary(json_path const* path)
    {
        std::string_view key;
        if (!in_.enter(path))
            return false;
        for (bool first = true; in_.next_key(first, key, path);) {
            json_path const at{path, key};
            bool const ok = key == "id"    ? text(head.dictionary_id, &at)
                            : key == "url" ? text(head.dictionary_url, &at)
                                           : in_.skip(&at);
            if (!ok)
                return false;
        }
        return !in_.failed();
    }

    json_reader& in_;
    bool first_ = true;
    std::uint64_t seen_ = 0;
};

}  // namespace polycast::inline v0::detail
