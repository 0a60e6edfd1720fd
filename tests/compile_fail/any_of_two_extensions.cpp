// expect: any_of takes one deflate at most: a client negotiates permessage-deflate once
#include <polycast/compression/any_of.hpp>
#include <polycast/compression/identity.hpp>
#include <polycast/compression/zstd.hpp>

namespace pcc = polycast::compression;

/// As `deflate` is, which needs zlib.
struct extension : pcc::identity {
    using identity::identity;
    static constexpr bool has_extension = true;
    static constexpr int terms = 0;
};

static_assert(pcc::any_of<extension, pcc::zstd<3>>::has_extension);
#ifdef FAULT
static_assert(pcc::any_of<extension, pcc::zstd<3>, extension>::has_extension);
#endif
