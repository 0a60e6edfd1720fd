#pragma once

#include <polycast/serializer/policy.hpp>

#include <concepts>

namespace polycast::inline v0::serializer {

/// The null model: a payload is handed on as it is. The application receives and emits `polycast::message`; there is no
/// envelope, and so no rooms in it, no ids and no control messages.
struct raw {
    using policy_axis = serializer_axis;
    static constexpr std::string_view name = "raw";
    static constexpr opcode frame_opcode = opcode::binary;
    static constexpr bool joins = false;
    static constexpr std::string_view separator{};

    /// Appends the payload. Never fails.
    template <class E>
    static std::error_code encode(detail::byte_buffer& out, envelope_head const&, E const& event)
    {
        static_assert(std::same_as<E, message>,
                      "polycast: serializer::raw emits only polycast::message; name serializer::json to emit events.");
        if constexpr (std::same_as<E, message>)
            out.append(event.payload);
        return {};
    }

    /// Calls `visitor.event(envelope, message)` once with the payload. `op`: what the frame said.
    template <class Catalog, class Visitor>
    static void decode(std::span<char> payload, decode_limits const&, Visitor&& visitor, opcode op = frame_opcode)
    {
        visitor.event(envelope{}, message{{payload.data(), payload.size()}, op});
    }
};

static_assert(serializer_policy<raw>);

}  // namespace polycast::inline v0::serializer
