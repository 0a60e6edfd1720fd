#pragma once

// Servers and their raw peers over TLS, see stage.hpp.

#include "certificates.hpp"
#include "stage.hpp"

#include <polycast/transport/tls.hpp>

#if POLYCAST_WITH_OPENSSL

#include <optional>
#include <utility>

namespace support {

using tls = pc::transport::tls;
using pc::transport::tls_options;

/// What the next setting is made with.
struct tls_setup {
    tls_options server{.certificate_chain_file = certificates::get().server.chain_file,
                       .private_key_file = certificates::get().server.key_file,
                       .ca_file = certificates::get().ca.chain_file};
    tls_options client{.ca_file = certificates::get().ca.chain_file};

    static tls_setup& next()
    {
        static tls_setup s;
        return s;
    }
};

template <>
struct setting<tls> : kernel_setting<tls> {
    tls const server_side{tls_setup::next().server};

    explicit setting(std::uint64_t = 1) : kernel_setting(tls(tls_setup::next().client)) { tls_setup::next() = {}; }
    tls transport() { return server_side; }
};

}  // namespace support

#endif  // POLYCAST_WITH_OPENSSL
