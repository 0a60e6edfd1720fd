// expect: zstd takes dictionary::of or dictionary::loaded for its dictionary
#include <polycast/compression/dictionary.hpp>
#include <polycast/compression/zstd.hpp>

namespace pc = polycast;

struct said {
    int number;
};

static_assert(pc::compression::zstd<3, pc::compression::dictionary::loaded>::forms == 2);
#ifdef FAULT
static_assert(pc::compression::zstd<3, said>::forms == 2);
#endif
