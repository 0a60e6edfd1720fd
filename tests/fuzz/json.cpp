// JSON payloads over a catalog with every kind of field.

#include <polycast/serializer/json.hpp>

#include "serializer_target.hpp"

FUZZ_TARGET(json)
{
    using namespace fuzz;
    auto const flags = in.byte();
    std::string_view const text = in.rest();
    if ((flags & 7) == 7) {
        auto const out = serializer_outbound<pc::serializer::json>(text);
        // One line of one object: frames of several are joined by newlines.
        FUZZ_REQUIRE(reference_is_utf8(out.view()) && out.view().find('\n') == std::string_view::npos);
        return;
    }
    exact payload(text);
    auto limits = serializer_limits(flags);
    limits.utf8_checked = (flags & 4) != 0;
    if (limits.utf8_checked && !reference_is_utf8(text))
        return;
    serializer_visitor<pc::serializer::json> v{payload};
    pc::serializer::json::decode<rich::catalog>(payload.span(), limits, v);
    FUZZ_REQUIRE(v.calls != 0 && v.errors <= limits.max_errors + 1);
    if (!reference_is_utf8(text))
        FUZZ_REQUIRE(v.calls == 1 && v.errors == 1);
}
