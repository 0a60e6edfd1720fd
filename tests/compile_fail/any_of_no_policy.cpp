// expect: any_of takes compression policies
#include <polycast/compression/any_of.hpp>
#include <polycast/compression/zstd.hpp>

namespace pcc = polycast::compression;

static_assert(pcc::any_of<pcc::zstd<3>>::forms == 1);
#ifdef FAULT
static_assert(pcc::any_of<int, pcc::zstd<3>>::forms == 1);
#endif
