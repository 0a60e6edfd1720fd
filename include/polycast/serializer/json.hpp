#pragma once

#include <polycast/frame/utf8.hpp>
#include <polycast/serializer/json_envelope.hpp>
#include <polycast/serializer/json_write.hpp>
#include <polycast/serializer/policy.hpp>

#include <concepts>
#include <cstddef>
#include <span>
#include <string_view>
#include <system_error>
#include <utility>

namespace polycast::inline v0 {

namespace detail {

/// Decodes the objects of one payload, one after the other.
template <class Catalog, class Visitor>
class json_decoder {
public:
    json_decoder(std::span<char> payload, decode_limits const& limits, Visitor& visitor) noexcept
        : payload_(payload), in_(payload, limits), visitor_(visitor)
    {
    }

    void run()
    {
        if (!in_.limits().utf8_checked && !valid_utf8({payload_.data(), payload_.size()}))
            return refuse(serializer_error::invalid_utf8, "the payload is not UTF-8");
        if (!in_.next_object())
            return refuse(serializer_error::syntax, "the payload is empty");
        do {
            one();
            if (in_.broken())
                in_.resync();
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
        json_envelope_reader keys(in_);
        if (!in_.stands_at('{'))
            in_.syntax("expected an object", nullptr);
        else if (in_.enter(nullptr))
            object(keys);
        else
            in_.leave(0);
        if (in_.failed()) {
            ++errors_;
            keys.head.data = {};
            visitor_.error(keys.head, in_.error());
        }
    }

    void object(json_envelope_reader& keys)
    {
        std::size_t index = Catalog::npos;
        char* data = nullptr;
        while (keys.until_data()) {
            index = Catalog::index_of(keys.head.type);
            if (index != Catalog::npos && !in_.failed())
                return Catalog::visit(index, [&]<class E>() { bind<E>(keys, true); });
            // The type is still to come, or it is none of ours: the bytes stay as they are.
            data = in_.position();
            json_path const at{nullptr, "data"};
            if (!in_.skip(&at, &keys.head.data))
                in_.leave(1);
        }
        if (in_.failed())
            return;
        if (keys.head.type.empty()) {
            json_path const at{nullptr, "type"};
            in_.fail(serializer_error::missing_field, "missing field", &at);
        } else if (keys.head.is_control()) {
            visitor_.control(keys.head);
        } else if (index = Catalog::index_of(keys.head.type); index == Catalog::npos) {
            visitor_.unknown(keys.head);
        } else {
            char* const end = in_.position();
            if (data != nullptr)
                in_.seek(data, 1);
            Catalog::visit(index, [&]<class E>() { bind<E>(keys, data != nullptr, end); });
        }
    }

    /// Reads `data` into an `E`, then the keys after it, and hands both over. `end`: where the object ends, if its keys
    /// were already read.
    template <class E>
    void bind(json_envelope_reader& keys, bool has_data, char* end = nullptr)
    {
        static_assert(std::default_initializable<E>, "polycast: an accepted event must be default constructible.");
        json_path const at{nullptr, "data"};
        E event{};
        if (has_data) {
            if (!read_value(in_, event, &at))
                in_.leave(1);
        } else {
            has_required(in_, event, 0, &at);
        }
        if (end != nullptr)
            in_.seek(end, 0);
        else
            while (!in_.broken() && keys.until_data()) {
            }  // a second `data` was refused by the reader of the keys
        if (!in_.failed()) {
            keys.head.data = {};
            visitor_.event(std::as_const(keys.head), std::move(event));
        }
    }

    std::span<char> payload_;
    json_reader in_;
    Visitor& visitor_;
    std::size_t errors_ = 0;
};

}  // namespace detail

namespace serializer {

/// WIRE's JSON: text frames of one or more objects, a newline between them.
///
/// | C++ type                                  | JSON                                                                  |
/// |-------------------------------------------|-----------------------------------------------------------------------|
/// | `bool`, integers, `float`, `double`       | the same; an integer field refuses `1.0`; NaN and infinity cannot go  |
/// | `std::string`, outbound any view          | string; outbound bytes that are not UTF-8 become U+FFFD               |
/// | enumeration                               | the enumerator's name; the number if the type names none in [-8, 120] |
/// | `std::optional<T>`                        | absent, or T; inbound also `null`                                     |
/// | `nullable<T>`                             | T or `null`                                                           |
/// | `std::vector`, `list`, `deque`, `array`   | array; `std::array` of exactly its size                               |
/// | maps with `std::string` keys              | object                                                                |
/// | `std::variant`                            | by JSON kind; aggregates as `{"name":{…}}`                            |
/// | `std::chrono` durations                   | their count                                                           |
/// | `system_clock` time points                | RFC 3339; outbound in UTC with milliseconds                           |
/// | aggregates                                | object; absent fields are errors unless optional                      |
/// | `raw_json`                                | verbatim                                                              |
struct json {
    using policy_axis = serializer_axis;
    static constexpr std::string_view name = "json";
    static constexpr opcode frame_opcode = opcode::text;
    static constexpr bool joins = true;
    static constexpr std::string_view separator = "\n";

    /// Appends one event. Errors: `not_a_number`, `unknown_enumerator`, `out_of_range` (a time before year 0 or after
    /// 9999), `invalid_utf8` (in a `raw_json`); `out` is then as it was. Any thread; allocates only for `out`'s growth.
    /// `appended` is told where the text stands that `coalesce::append` appends, quotes included.
    template <class E>
    static std::error_code encode(detail::byte_buffer& out, envelope_head const& head, E const& event,
                                  [[maybe_unused]] encoded_span* appended = nullptr)
    {
        static_assert(polycast::event<E>, "polycast: only an aggregate can be emitted: a struct of public fields, "
                                          "without a base class or a constructor.");
        constexpr auto opening = detail::joined<event_name<E>.size() + 10>("{\"type\":\"", event_name<E>, "\"");
        std::size_t const before = out.size();
        detail::write_literal(out, opening, "");
        detail::json_writer writer{out};
        if constexpr (event_coalesce<E> == coalesce::append)
            writer.sought = detail::appended_text(event);
        if constexpr (!event_control<E>) {
            if (!head.room.empty()) {
                detail::write_text(out, head.room, detail::literal(",\"room\":"));
            }
            if (head.offset != 0) {
                detail::write_number(out, head.offset, detail::literal(",\"offset\":"));
            }
            if (head.timestamp) {
                writer.write(*head.timestamp, detail::literal(",\"timestamp\":"));
            }
            if (head.recovered)
                out.append(",\"recovered\":true", 17);
        }
        if (!head.id_json.empty()) {
            out.append(",\"id\":", 6);
            out.append(head.id_json);
        }
        if constexpr (event_control<E>) {
            writer.fields(event);
        } else if constexpr (detail::field_count<E> != 0) {
            writer.write(event, detail::literal(",\"data\":"));
        }
        out.push_back('}');
        if (writer.error == serializer_error{}) {
            if constexpr (event_coalesce<E> == coalesce::append)
                if (appended != nullptr)
                    *appended = {writer.found.begin - before, writer.found.end - before};
            return {};
        }
        out.truncate(before);
        return writer.error;
    }

    /// Appends the string of two strings that `encode` wrote: escaped text concatenates, as each is UTF-8 for itself.
    static void join_texts(detail::byte_buffer& out, std::string_view older, std::string_view newer)
    {
        older.remove_suffix(1);
        newer.remove_prefix(1);
        out.append(older);
        out.append(newer);
    }

    /// Calls the visitor for each object of the payload, in order (see `serializer_policy`). Strings are unescaped in
    /// place; there is no tree. An object that is refused is reported once; the next ones are still read. After a
    /// syntax error the next one is that on the next line which begins with a brace.
    template <class Catalog, class Visitor>
    static void decode(std::span<char> payload, decode_limits const& limits, Visitor&& visitor)
    {
        detail::json_decoder<Catalog, std::remove_reference_t<Visitor>>(payload, limits, visitor).run();
    }
};

static_assert(serializer_policy<json>);

}  // namespace serializer

}  // namespace polycast::inline v0
