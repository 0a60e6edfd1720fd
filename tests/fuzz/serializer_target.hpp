#pragma once

// What every serializer promises: what is decoded can be encoded and decoded again to the same, what is encoded is
// always legal, and what the visitor is told is UTF-8 and, where it is the payload's own, lies within it.

#include "fuzz.hpp"
#include "rich_events.hpp"

#include <polycast/frame/utf8.hpp>
#include <polycast/serializer/policy.hpp>

namespace fuzz {

template <class Serializer>
struct serializer_visitor {
    exact const& payload;
    std::size_t errors = 0, calls = 0;

    template <class E>
    void event(pc::envelope const& around, E&& e)
    {
        look(around);
        FUZZ_REQUIRE(around.type == pc::event_name<std::remove_cvref_t<E>>);
        again(around, e);
    }
    void control(pc::envelope const& around)
    {
        look(around);
        FUZZ_REQUIRE(around.is_control());
    }
    void unknown(pc::envelope const& around)
    {
        look(around);
        FUZZ_REQUIRE(!around.type.empty() && !around.is_control());
        FUZZ_REQUIRE(rich::catalog::index_of(around.type) == rich::catalog::npos);
    }
    void error(pc::envelope const& around, pc::decode_error const& what)
    {
        ++errors;
        look(around);
        FUZZ_REQUIRE(what.code && what.code.category() == pc::serializer_category && !what.message.empty());
        FUZZ_REQUIRE(what.at_byte <= payload.view().size());
    }

private:
    void look(pc::envelope const& e)
    {
        ++calls;
        // `id` and `data` are JSON text, which another serializer has to write anew.
        for (std::string_view const part : {e.data, e.id})
            FUZZ_REQUIRE(pc::valid_utf8(part) && (Serializer::name != "json" || payload.holds(part)));
        for (std::string_view const part : {e.type, e.room, e.service, e.timestamp, e.session, e.epoch, e.token, e.code,
                                            e.message, e.reason, e.url, e.dictionary_id, e.dictionary_url})
            FUZZ_REQUIRE(payload.holds(part) && pc::valid_utf8(part));
    }
    template <class E>
    static void again(pc::envelope const& around, E const& e)
    {
        pc::envelope_head const head{
            .room = around.room, .offset = around.offset.value_or(0), .timestamp = {}, .id_json = around.id};
        pc::detail::byte_buffer first, second;
        if (auto const ec = Serializer::encode(first, head, e)) {
            // Of all that can come in, only times outside the years 0 to 9999 in UTC cannot go out.
            FUZZ_REQUIRE(ec == pc::serializer_error::out_of_range && first.empty());
            return;
        }
        rich::keeper<E> kept;
        exact copy(first.view());
        pc::decode_limits limits;
        limits.max_depth = 512;
        Serializer::template decode<rich::catalog>(copy.span(), limits, kept);
        FUZZ_REQUIRE(kept.faults == 0 && kept.value && kept.room == head.room && kept.id == head.id_json);
        FUZZ_REQUIRE(!Serializer::encode(second, head, *kept.value) && second.view() == first.view());
        if constexpr (std::equality_comparable<E>)
            FUZZ_REQUIRE(rich::to_milliseconds(e) == rich::to_milliseconds(*kept.value));
    }
};

/// Whatever a program puts into a string, what leaves is legal; and what was UTF-8 arrives as it was.
template <class Serializer>
pc::detail::byte_buffer serializer_outbound(std::string_view text)
{
    rich::named const event{std::string(text), {{std::string(text), 7}}};
    pc::detail::byte_buffer out;
    pc::envelope_head head;
    head.room = text;
    FUZZ_REQUIRE(!Serializer::encode(out, head, event));
    rich::keeper<rich::named> kept;
    exact copy(out.view());
    Serializer::template decode<rich::catalog>(copy.span(), {}, kept);
    FUZZ_REQUIRE(kept.faults == 0 && kept.value && pc::valid_utf8(kept.value->text) && pc::valid_utf8(kept.room));
    if (reference_is_utf8(text))
        FUZZ_REQUIRE(*kept.value == event && kept.room == text);
    return out;
}

inline pc::decode_limits serializer_limits(unsigned flags)
{
    pc::decode_limits limits;
    limits.refuse_unknown_fields = (flags & 1) != 0;
    limits.max_depth = (flags & 2) != 0 ? 4 : 64;
    limits.max_errors = (flags & 8) != 0 ? 2 : 16;
    return limits;
}

}  // namespace fuzz
