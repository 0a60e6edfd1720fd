#pragma once

#include <polycast/transport/tcp_acceptor.hpp>
#include <polycast/transport/tcp_connector.hpp>
#include <polycast/transport/tcp_loop.hpp>
#include <polycast/transport/tcp_stream.hpp>

namespace polycast::inline v0::transport {

static_assert(transport_policy<tcp>);

}  // namespace polycast::inline v0::transport
