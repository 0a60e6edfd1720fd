// expect: (required for the satisfaction of|does not satisfy) .decodes_events
#include <polycast/serializer/policy.hpp>

namespace pc = polycast;

struct write_only {
    using policy_axis = pc::serializer_axis;
    static constexpr std::string_view name = "write_only";
    static constexpr bool joins = true;
    static constexpr std::string_view separator = "\n";
    static constexpr pc::opcode frame_opcode = pc::opcode::binary;
    template <class E>
    static std::error_code encode(pc::detail::byte_buffer&, pc::envelope_head const&, E const&)
    {
        return {};
    }
#ifndef FAULT
    template <class Catalog, class Visitor>
    static void decode(std::span<char>, pc::decode_limits const&, Visitor&)
    {
    }
#endif
};
static_assert(pc::serializer_policy<write_only>);
