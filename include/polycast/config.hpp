#pragma once

// A macro may add a type, never alter one. Each is 0 unless the build says otherwise: a Meson subproject sets those that
// were found, pkg-config and CMake those that are asked for. The header that needs a back end guards its own body.
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

// The transport for tests, which no program pays for that does not ask: 1 adds `transport::simulated`.
#ifndef POLYCAST_WITH_SIMULATION
#define POLYCAST_WITH_SIMULATION 0
#endif
