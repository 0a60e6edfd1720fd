#pragma once

#include <polycast/detail/byte_buffer.hpp>
#include <polycast/event/catalog.hpp>
#include <polycast/event/envelope.hpp>
#include <polycast/frame/opcode.hpp>
#include <polycast/policy/axis.hpp>
#include <polycast/serializer/error.hpp>

#include <concepts>
#include <cstddef>
#include <span>
#include <string_view>
#include <system_error>

namespace polycast::inline v0 {

/// What a payload may ask of the decoder.
struct decode_limits {
    std::size_t max_depth = 64;          ///< nested objects and arrays, the envelope included; at most 512 is used
    std::size_t max_errors = 16;         ///< refused objects in one payload; the rest of it is then not read
    bool refuse_unknown_fields = false;  ///< in `data`; WIRE has them ignored
    bool utf8_checked = false;           ///< the caller has checked that the payload is UTF-8
};

namespace archetype {
struct any_visitor {
    template <class E>
    void event(envelope const&, E&&)
    {
    }
    void control(envelope const&) {}
    void unknown(envelope const&) {}
    void error(envelope const&, decode_error const&) {}
};
}  // namespace archetype

template <class S>
concept says_how_it_is_framed = requires {
    { S::name } -> std::convertible_to<std::string_view>;
    { S::joins } -> std::convertible_to<bool>;
    { S::separator } -> std::convertible_to<std::string_view>;
    { S::frame_opcode } -> std::convertible_to<opcode>;
};
template <class S>
concept encodes_events = requires(detail::byte_buffer& out, envelope_head const& head, message const& event) {
    { S::encode(out, head, event) } -> std::same_as<std::error_code>;
};
template <class S>
concept decodes_events = requires(std::span<char> payload, decode_limits const& limits, archetype::any_visitor& v) {
    S::template decode<events<>>(payload, limits, v);
};

/// Turns events into payload bytes and back. Has no state; any thread.
///
/// | Expression                                      | Meaning                                               |
/// |-------------------------------------------------|-------------------------------------------------------|
/// | `S::name`                                       | the subprotocol token is `polycast.v1.` and this      |
/// | `S::frame_opcode`                               | `opcode::text` or `opcode::binary`                    |
/// | `S::joins`                                      | whether events may share a frame                      |
/// | `S::separator`                                  | stands between events that do; may be empty           |
/// | `S::encode(out, head, e)` → `std::error_code`   | appends one event; on error `out` is as it was        |
/// | `S::template decode<Catalog>(bytes, limits, v)` | calls the visitor once per object; may change `bytes` |
///
/// The visitor `v` has `event(envelope const&, E&&)` for each `E` of the catalog, `control(envelope const&)`,
/// `unknown(envelope const&)`, `error(envelope const&, decode_error const&)` and, optionally, `bool stopped()`: true
/// ends the decoding. Models: `raw` (null), `json` (default), `msgpack`.
template <class S>
concept serializer_policy =
    policy_on<S, serializer_axis> && says_how_it_is_framed<S> && encodes_events<S> && decodes_events<S>;

/// Whether what it makes are events, with a type and a room in an envelope; else they are messages, of which nothing is known.
template <class S>
inline constexpr bool has_envelope = S::name != "raw";

}  // namespace polycast::inline v0
