// expect: deflate<dedicated> compresses for one connection
#include <polycast/compression/deflate.hpp>
#include <polycast/isolation/per_connection.hpp>
#include <polycast/server.hpp>

namespace pc = polycast;

struct assistant {
    using accepts = pc::events<>;
};
#if POLYCAST_WITH_ZLIB
using compression = pc::compression::deflate<pc::compression::dedicated>;
#else
struct compression : pc::compression::identity {
    using identity::identity;
    static constexpr bool keeps_context = true;
};
#endif

using accepted = pc::server<assistant, compression, pc::isolation::per_connection>;
static_assert(sizeof(accepted) != 0);
#ifdef FAULT
using refused = pc::server<assistant, compression>;
static_assert(sizeof(refused) != 0);
#endif
