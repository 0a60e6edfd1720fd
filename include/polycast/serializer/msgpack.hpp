#pragma once

#include <polycast/serializer/msgpack_envelope.hpp>
#include <polycast/serializer/msgpack_write.hpp>
#include <polycast/serializer/policy.hpp>

#include <concepts>
#include <cstddef>
#include <span>
#include <string_view>
#include <system_error>
#include <utility>

namespace polycast::inline v0 {

namespace detail {

/// Decodes the maps of one payload, one after the other.
template <class Catalog, class Visitor>
class msgpack_decoder {
public:
    msgpack_decoder(std::span<char const> payload, decode_limits const& limits, Visitor& visitor) noexcept
        : in_(payload, limits), visitor_(visitor)
    {
    }

    void run()
    {
        if (!in_.next_object())
            return refuse(serializer_error::syntax, "the payload is empty");
        do {
            one();
            if (in_.broken())
                return;
            if constexpr (requires { { visitor_.stopped() } -> std::convertible_to<bool>; })
                if (visitor_.stopped())
                    return;
        } while (errors_ < in_.limits().max_errors && in_.next_object());
        if (errors_ == in_.limits().max_errors && in_.next_object())
            refuse(serializer_error::too_many_errors, "too many errors, the rest of the payload was not read");
    }

private:
    void refuse(serializer_error code, std::string_view what)
    {
        in_.fail(code, what, nullptr);
        visitor_.error(envelope{}, in_.error());
    }

    void one()
    {
        msgpack_envelope_reader keys(in_);
        char const* const begin = in_.position();
        if (in_.peek() != msgpack_kind::map)
            in_.syntax("expected a map", nullptr);
        else if (keys.enter())
            object(keys);
        else
            keys.again(begin, 1);
        if (in_.failed()) {
            ++errors_;
            keys.head.data = {};
            visitor_.error(keys.head, in_.error());
        }
    }

    void object(msgpack_envelope_reader& keys)
    {
        char const* data = nullptr;
        while (keys.until_data()) {
            data = in_.position();
            if (std::size_t const index = Catalog::index_of(keys.head.type); index != Catalog::npos && !in_.failed())
                return Catalog::visit(index, [&]<class E>() { bind<E>(keys, data); });
            // The type is still to come, or it is none of ours.
            json_path const at{nullptr, "data"};
            if (!in_.skip(&at))
                keys.again(data, 1);
        }
        if (in_.failed())
            return;
        char const* const end = in_.position();
        if (keys.head.type.empty()) {
            json_path const at{nullptr, "type"};
            in_.fail(serializer_error::missing_field, "missing field", &at);
        } else if (keys.head.is_control()) {
            visitor_.control(keys.head);
        } else if (std::size_t const index = Catalog::index_of(keys.head.type); index == Catalog::npos) {
            unknown(keys, data);
            in_.seek(end, 0);
        } else {
            Catalog::visit(index, [&]<class E>() { bind<E>(keys, data, end); });
        }
    }

    void unknown(msgpack_envelope_reader& keys, char const* data)
    {
        json_path const at{nullptr, "data"};
        byte_buffer text;
        if (data != nullptr) {
            in_.seek(data, 1);
            if (!msgpack_to_json(in_, text, &at))
                return;
            keys.head.data = text.view();
        }
        visitor_.unknown(std::as_const(keys.head));
        keys.head.data = {};
    }

    /// Reads `data` into an `E`, then the keys after it, and hands both over. `end`: where the map ends, if its keys
    /// were already read.
    template <class E>
    void bind(msgpack_envelope_reader& keys, char const* data, char const* end = nullptr)
    {
        static_assert(std::default_initializable<E>, "polycast: an accepted event must be default constructible.");
        json_path const at{nullptr, "data"};
        E event{};
        if (data != nullptr) {
            in_.seek(data, 1);
            if (!unpack_value(in_, event, &at))
                keys.again(data, 1);
        } else {
            has_required(in_, event, 0, &at);
        }
        if (end != nullptr)
            in_.seek(end, 0);
        else
            while (keys.until_data()) {
            }  // a second `data` was refused by the reader of the keys
        if (!in_.failed())
            visitor_.event(std::as_const(keys.head), std::move(event));
    }

    msgpack_reader in_;
    Visitor& visitor_;
    std::size_t errors_ = 0;
};

}  // namespace detail

namespace serializer {

/// WIRE's MessagePack (the specification of 2013 with the timestamps of 2017): binary frames of one or more maps, back
/// to back, with the same keys and the same meaning as `json`, so that an application does not see which of them its
/// peers speak. In plain mode too: a server with this policy has no JSON for clients that offer no token.
///
/// Own code: msgpack-cxx reads into a DOM on the heap or pushes tokens at a visitor, which cannot fill a typed field
/// without a stack of erased targets, and it adds more than a second to a compilation.
///
/// | C++ type                                  | MessagePack                                                          |
/// |-------------------------------------------|----------------------------------------------------------------------|
/// | `bool`                                    | the same                                                             |
/// | integers                                  | the smallest integer; inbound any that fits, and whole floats        |
/// | `float`, `double`                         | float 32 where exact, else float 64; inbound also integers; NaN and  |
/// |                                           | infinity neither go nor come, as in JSON                             |
/// | `std::string`, outbound any view          | str; outbound bytes that are not UTF-8 become U+FFFD                 |
/// | enumeration                               | the enumerator's name; a number if it names none in [-8, 120]        |
/// | `std::optional<T>`                        | absent, or T; inbound also nil                                       |
/// | `nullable<T>`                             | T or nil                                                             |
/// | `std::vector`, `list`, `deque`, `array`   | array; `std::array` of exactly its size                              |
/// | `std::vector`, `array` of `std::byte`     | bin; inbound also an array                                           |
/// | maps with `std::string` keys              | map                                                                  |
/// | `std::variant`                            | by kind; aggregates as a map of one pair: name and fields            |
/// | `std::chrono` durations                   | their count                                                          |
/// | `system_clock` time points                | RFC 3339 text in UTC with milliseconds; inbound also a timestamp     |
/// | aggregates                                | map; absent fields are errors unless optional                        |
/// | `raw_json`, `data` of an unknown event    | the same value; inbound bin becomes base64, a timestamp RFC 3339     |
struct msgpack {
    using policy_axis = serializer_axis;
    static constexpr std::string_view name = "msgpack";
    static constexpr opcode frame_opcode = opcode::binary;
    static constexpr bool joins = true;
    static constexpr std::string_view separator = "";

    /// Appends one event. Errors: `not_a_number`, `unknown_enumerator`, `out_of_range` (a time before year 0 or after
    /// 9999, a text or container of 2³² and more), those of the JSON in a `raw_json`; `out` is then as it was. Any
    /// thread; allocates only for `out`'s growth, and a scratch buffer a thread once for `raw_json`. `appended` is told
    /// where the text stands that `coalesce::append` appends, its size included.
    template <class E>
    static std::error_code encode(detail::byte_buffer& out, envelope_head const& head, E const& event,
                                  [[maybe_unused]] encoded_span* appended = nullptr)
    {
        static_assert(polycast::event<E>, "polycast: only an aggregate can be emitted: a struct of public fields, "
                                          "without a base class or a constructor.");
        std::size_t const before = out.size();
        detail::msgpack_writer writer{out};
        if constexpr (event_coalesce<E> == coalesce::append)
            writer.sought = detail::appended_text(event);
        std::size_t pairs = 1 + std::size_t{!head.id_json.empty()};
        if constexpr (event_control<E>)
            pairs += writer.count_present(event);
        else
            pairs += std::size_t{!head.room.empty()} + std::size_t{head.offset != 0} +
                     std::size_t{head.timestamp.has_value()} + std::size_t{head.recovered} +
                     std::size_t{detail::field_count<E> != 0};
        writer.head(detail::msgpack_head::map, pairs);
        out.append("\xA4type", 5);
        static constexpr auto type = detail::packed_str<detail::packed_str_bytes(event_name<E>.size())>(event_name<E>);
        out.append(type.data(), type.size());
        if constexpr (!event_control<E>) {
            if (!head.room.empty()) {
                out.append("\xA4room", 5);
                writer.text(head.room);
            }
            if (head.offset != 0) {
                out.append("\xA6offset", 7);
                writer.write(head.offset);
            }
            if (head.timestamp) {
                out.append("\xA9timestamp", 10);
                writer.write(*head.timestamp);
            }
            if (head.recovered)
                out.append("\xA9recovered\xC3", 11);
        }
        if (!head.id_json.empty()) {
            out.append("\xA2id", 3);
            if (serializer_error const e = detail::id_to_msgpack(out, head.id_json); e != serializer_error{})
                writer.fail(e);
        }
        if constexpr (event_control<E>) {
            writer.fields(event);
        } else if constexpr (detail::field_count<E> != 0) {
            out.append("\xA4" "data", 5);
            writer.write(event);
        }
        if (writer.error == serializer_error{}) {
            if constexpr (event_coalesce<E> == coalesce::append)
                if (appended != nullptr)
                    *appended = {writer.found.begin - before, writer.found.end - before};
            return {};
        }
        out.truncate(before);
        return writer.error;
    }

    /// Appends the str of two strs that `encode` wrote.
    static void join_texts(detail::byte_buffer& out, std::string_view older, std::string_view newer)
    {
        older = detail::unpacked_str(older);
        newer = detail::unpacked_str(newer);
        detail::write_head(out, detail::msgpack_head::text, older.size() + newer.size());
        out.append(older);
        out.append(newer);
    }

    /// Calls the visitor for each map of the payload, in order (see `serializer_policy`). The bytes stay as they are;
    /// there is no tree. A map that is refused for its meaning is reported once, and the next ones are still read; what
    /// is malformed or cut short ends the payload with one `syntax` error, as nothing says where the next map begins.
    template <class Catalog, class Visitor>
    static void decode(std::span<char> payload, decode_limits const& limits, Visitor&& visitor)
    {
        detail::msgpack_decoder<Catalog, std::remove_reference_t<Visitor>>(payload, limits, visitor).run();
    }
};

static_assert(serializer_policy<msgpack>);

}  // namespace serializer

}  // namespace polycast::inline v0
