// expect: any_of takes one zstd at most: its subprotocol token is the same for every level
#include <polycast/compression/any_of.hpp>
#include <polycast/compression/identity.hpp>
#include <polycast/compression/zstd.hpp>

namespace pcc = polycast::compression;

static_assert(pcc::any_of<pcc::identity, pcc::zstd<3>>::forms == 1);
#ifdef FAULT
static_assert(pcc::any_of<pcc::zstd<3>, pcc::zstd<19>>::forms == 2);
#endif
