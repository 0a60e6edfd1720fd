#pragma once

/// Version of the library: `major * 10000 + minor * 100 + patch`.
#define POLYCAST_VERSION 100
#define POLYCAST_VERSION_STRING "0.1.0"
