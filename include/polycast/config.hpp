#pragma once

// A macro may add a type, never alter one. Each is 0 unless the build says otherwise (Meson and pkg-config set them to
// what was found); the header that needs a back end guards its own body with its macro.
#ifndef POLYCAST_WITH_OPENSSL
#define POLYCAST_WITH_OPENSSL 0
#endif
#ifndef POLYCAST_WITH_ZLIB
#define POLYCAST_WITH_ZLIB 0
#endif
#ifndef POLYCAST_WITH_SQLITE
#define POLYCAST_WITH_SQLITE 0
#endif
#ifndef POLYCAST_WITH_HIREDIS
#define POLYCAST_WITH_HIREDIS 0
#endif
