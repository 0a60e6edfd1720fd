// MessagePack payloads over a catalog with every kind of field.

#include <polycast/serializer/msgpack.hpp>

#include "serializer_target.hpp"

FUZZ_TARGET(msgpack)
{
    using namespace fuzz;
    auto const flags = in.byte();
    std::string_view const bytes = in.rest();
    if ((flags & 7) == 7) {
        static_cast<void>(serializer_outbound<pc::serializer::msgpack>(bytes));
        return;
    }
    exact payload(bytes);
    auto const limits = serializer_limits(flags);
    serializer_visitor<pc::serializer::msgpack> v{payload};
    pc::serializer::msgpack::decode<rich::catalog>(payload.span(), limits, v);
    FUZZ_REQUIRE(v.calls != 0 && v.errors <= limits.max_errors + 1);
}
