#pragma once

/// polycast: a WebSocket event server, emitter and client composed from policies by the compiler.
/// This header has everything that needs Asio, zstd and RapidJSON only.
///
/// A class of which most programs use nothing, or not all, is a template over nothing, `basic_x<>`, with the alias `x`:
/// a compiler then reads its functions, and makes only those that are called.

#include <polycast/batching/immediate.hpp>
#include <polycast/batching/per_tick.hpp>
#include <polycast/batching/window.hpp>
#include <polycast/client.hpp>
#include <polycast/compression/any_of.hpp>
#include <polycast/compression/deflate.hpp>
#include <polycast/compression/dictionary.hpp>
#include <polycast/compression/identity.hpp>
#include <polycast/compression/zstd.hpp>
#include <polycast/config.hpp>
#include <polycast/delivery/at_least_once.hpp>
#include <polycast/delivery/retry.hpp>
#include <polycast/delivery/sqlite_log.hpp>
#include <polycast/emitter.hpp>
#include <polycast/error.hpp>
#include <polycast/fwd.hpp>
#include <polycast/guard/origin.hpp>
#include <polycast/isolation/per_connection.hpp>
#include <polycast/isolation/per_user.hpp>
#include <polycast/isolation/shared.hpp>
#include <polycast/observer/counters.hpp>
#include <polycast/observer/silent.hpp>
#include <polycast/outbox/coalescing.hpp>
#include <polycast/room/histories.hpp>
#include <polycast/serializer/json.hpp>
#include <polycast/serializer/msgpack.hpp>
#include <polycast/serializer/raw.hpp>
#include <polycast/server.hpp>
#include <polycast/transport/simulated.hpp>
#include <polycast/transport/tcp.hpp>
#include <polycast/transport/tls.hpp>
#include <polycast/transport/unix_socket.hpp>
#include <polycast/version.hpp>
