#pragma once

#include <polycast/compression/policy.hpp>
#include <polycast/event/catalog.hpp>
#include <polycast/event/describe.hpp>
#include <polycast/event/enumerators.hpp>
#include <polycast/event/fields.hpp>
#include <polycast/serializer/value.hpp>

#include <array>
#include <cstddef>
#include <string_view>
#include <type_traits>
#include <utility>

/// What `zstd<level, dictionary>` knows beforehand. A model has `bytes(options)`: the dictionary, empty for none.
/// A dictionary is public: whoever reaches the port may fetch it.
namespace polycast::inline v0::compression::dictionary {

/// Each message is compressed by itself.
struct none {};

/// Bytes that the program loads at its start into `compression::options::dictionary`: made by `zstd --train`, or by
/// `examples/train` from recorded traffic. Any other bytes are taken for text that messages resemble. Without any,
/// messages are compressed by themselves. In a client: what it knows before a server has named one.
struct loaded {
    [[nodiscard]] static std::string_view bytes(options const& o) noexcept { return o.dictionary; }
};

}  // namespace polycast::inline v0::compression::dictionary

namespace polycast::inline v0::detail {

/// Writes what events look like as JSON: names, keys, enumerators and punctuation, with nothing in them. `put(text)` is
/// called for each piece.
template <class Put>
class skeleton {
public:
    constexpr explicit skeleton(Put put) : put_(put) {}

    /// What stands around events: in rooms, and in answers.
    constexpr void envelope() { put_("{\"type\":\"$ok\",\"id\":1,\"room\":\"\",\"offset\":1,\"timestamp\":\"20\n"); }

    template <class E>
    constexpr void event()
    {
        put_("{\"type\":\"");
        put_(event_name<E>);
        put_("\",\"timestamp\":\"20");
        put_("Z\",\"data\":");
        value<E, 0>();
        put_("}\n");
    }

private:
    /// A type may contain itself.
    static constexpr int max_depth = 4;

    template <class T, int Depth>
    constexpr void value()
    {
        constexpr value_kind kind = kind_of<T>();
        if constexpr (Depth == max_depth)
            put_("null");
        else if constexpr (kind == value_kind::boolean)
            put_("false,true");
        else if constexpr (kind == value_kind::text || kind == value_kind::text_view || kind == value_kind::time)
            put_("\"\"");
        else if constexpr (kind == value_kind::enumeration)
            enumeration<T>();
        else if constexpr (kind == value_kind::optional)
            value<std::remove_cvref_t<decltype(*std::declval<T&>())>, Depth>();
        else if constexpr (kind == value_kind::nullable)
            value<typename decltype(T::value)::value_type, Depth>();
        else if constexpr (kind == value_kind::sequence || kind == value_kind::array)
            list<typename T::value_type, Depth>();
        else if constexpr (kind == value_kind::map)
            map<typename T::mapped_type, Depth>();
        else if constexpr (kind == value_kind::variant)
            variant<T, Depth>();
        else if constexpr (kind == value_kind::aggregate)
            fields<T, Depth>();
        else
            put_("0");
    }
    template <class T, int Depth>
    constexpr void list()
    {
        put_("[");
        value<T, Depth + 1>();
        put_("]");
    }
    template <class T, int Depth>
    constexpr void map()
    {
        put_("{\"\":");
        value<T, Depth + 1>();
        put_("}");
    }
    template <class T>
    constexpr void enumeration()
    {
        if constexpr (named_enum<T>)
            for (std::size_t i = 0; i < value_count<T>; ++i)
                if (auto const name = enumerator_table<T>[i]; !name.empty()) {
                    put_("\"");
                    put_(name);
                    put_("\",");
                }
    }
    template <class T, int Depth>
    constexpr void variant()
    {
        alternatives<T>::find([this]<class A>() {
            if constexpr (kind_of<A>() == value_kind::aggregate) {
                put_("{\"");
                put_(event_name<A>);
                put_("\":");
                value<A, Depth + 1>();
                put_("},");
            } else {
                value<A, Depth + 1>();
                put_(",");
            }
            return false;
        });
    }
    template <class T, int Depth>
    constexpr void fields()
    {
        put_("{");
        [[maybe_unused]] auto const one = [this]<class F>(std::size_t index, std::type_identity<F>) {
            put_(index == 0 ? "\"" : ",\"");
            put_(field_names<T>[index]);
            put_("\":");
            value<F, Depth + 1>();
        };
        using types = decltype(with_fields(std::declval<T&>(), [](auto&... f) {
            return type_list<std::type_identity<std::remove_cvref_t<decltype(f)>>...>();
        }));
        types::for_each(one);
        put_("}");
    }
    template <class... Ts>
    struct type_list {
        template <class F>
        static constexpr void for_each(F const& f)
        {
            [[maybe_unused]] std::size_t index = 0;
            (f(index++, Ts()), ...);
        }
    };

    Put put_;
};

/// The text of the events, made by the compiler.
template <class Catalog>
struct skeleton_of;
template <event... Es>
struct skeleton_of<events<Es...>> {
    template <class Put>
    static constexpr void write(Put put)
    {
        skeleton<Put> s(put);
        s.envelope();
        (s.template event<Es>(), ...);
    }
    static constexpr std::size_t size = [] {
        std::size_t sum = 0;
        write([&sum](std::string_view text) { sum += text.size(); });
        return sum;
    }();
    static constexpr std::array<char, size> text = [] {
        std::array<char, size> out{};
        std::size_t at = 0;
        write([&](std::string_view piece) {
            for (char const c : piece)
                out[at++] = c;
        });
        return out;
    }();
};

}  // namespace polycast::inline v0::detail

namespace polycast::inline v0::compression::dictionary {

/// The names, keys and enumerators of a catalog of events, as the JSON serializer writes them: `of<events<a, b>>`. Made
/// at compile time, so both ends that were compiled with the same events have it. List those that are sent, the most
/// frequent last: what stands near the end costs the fewest bits to refer to. With other serializers the names still
/// match, the punctuation does not.
template <class Catalog>
struct of {
    static_assert(requires { detail::skeleton_of<Catalog>::size; },
                  "polycast: dictionary::of takes a catalog of events: of<polycast::events<said, left>>.");
    [[nodiscard]] static constexpr std::string_view bytes() noexcept
    {
        constexpr auto& text = detail::skeleton_of<Catalog>::text;
        return {text.data(), text.size()};
    }
    [[nodiscard]] static constexpr std::string_view bytes(options const&) noexcept { return bytes(); }
};

}  // namespace polycast::inline v0::compression::dictionary
