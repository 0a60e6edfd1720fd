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
struct setting<tls> {
    tls const server_side{tls_setup::next().server};
    tls::loop loop{tls(tls_setup::next().client)};

    explicit setting(std::uint64_t = 1) { tls_setup::next() = {}; }
    tls transport() { return server_side; }
    tls::loop& next_loop() { return loop; }
    template <class Predicate>
    bool until(Predicate done, std::chrono::milliseconds within = 20s)
    {
        auto const deadline = std::chrono::steady_clock::now() + within;
        while (!done()) {
            if (std::chrono::steady_clock::now() > deadline)
                return false;
            loop.context().run_one_for(2ms);
        }
        return true;
    }
    void settle()
    {
        until([] { return false; }, 40ms);
    }
    auto now() { return std::chrono::steady_clock::now(); }
};

}  // namespace support

#endif  // POLYCAST_WITH_OPENSSL
