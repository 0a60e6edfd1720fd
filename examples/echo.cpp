// Echoes messages; a room on the side. Run it, then talk to ws://127.0.0.1:9001/ with any WebSocket client:
//   echo --port 9001 [--shards N]
//        [--tls CERTIFICATE_CHAIN KEY]      PEM files; then it is wss://…
//        [--deflate | --deflate-dedicated]  permessage-deflate, one compressor for all or a context for each client
// A text message that begins with `sub` joins the room `all` and is answered `ok`; one that begins with `pub` goes to
// everybody in that room; everything else comes back as it was. With a context for each client there are no rooms, and
// all comes back. Ends on SIGTERM or SIGINT.
#include <polycast/polycast.hpp>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <type_traits>

namespace pc = polycast;

template <bool HasRooms>
struct echo {
    void on(auto& session, pc::message const& m)
    {
        if constexpr (HasRooms) {
            bool const text = m.op == pc::opcode::text;
            if (text && m.payload.starts_with("sub")) {
                session.join("all");
                session.send("ok");
                return;
            }
            if (text && m.payload.starts_with("pub")) {
                session.to_room("all").send(m.payload);
                return;
            }
        }
        session.send(m.payload, m.op);
    }
};

enum class deflating { no, shared, dedicated };

template <class Isolation, class Compression, class Transport>
void run(pc::server_options const& options, Transport const& transport)
{
    constexpr bool has_rooms = std::is_same_v<Isolation, pc::isolation::shared>;
    using raw = pc::serializer::raw;
    pc::server<echo<has_rooms>, Transport, raw, Isolation, Compression, pc::guard::open> server{options, {}, transport};
    server.run([&] {
        std::printf("listening on 127.0.0.1:%u\n", server.port());
        std::fflush(stdout);
    });
}

template <class Transport>
void serve(pc::server_options const& options, [[maybe_unused]] deflating how, Transport const& transport)
{
#if POLYCAST_WITH_ZLIB
    namespace compression = pc::compression;
    if (how == deflating::shared)
        return run<pc::isolation::shared, compression::deflate<compression::shared>>(options, transport);
    if (how == deflating::dedicated)
        return run<pc::isolation::per_connection, compression::deflate<compression::dedicated>>(options, transport);
#endif
    run<pc::isolation::shared, pc::compression::identity>(options, transport);
}

int main(int argc, char** argv)
{
    pc::server_options options{.port = 9001, .max_connections = 0};
    options.max_message_bytes = 64 * 1024 * 1024;
    options.max_outbox_bytes = 2 * options.max_message_bytes;
    options.max_fragments = 1 << 20;
    deflating how = deflating::no;
    [[maybe_unused]] char const* certificate = nullptr;
    [[maybe_unused]] char const* key = nullptr;
    for (int i = 1; i < argc; ++i) {
        bool const has_value = i + 1 < argc;
        if (std::strcmp(argv[i], "--port") == 0 && has_value) {
            options.port = static_cast<std::uint16_t>(std::atoi(argv[++i]));
        } else if (std::strcmp(argv[i], "--shards") == 0 && has_value) {
            options.shards = static_cast<std::uint32_t>(std::atoi(argv[++i]));
        } else if (POLYCAST_WITH_ZLIB && std::strcmp(argv[i], "--deflate") == 0) {
            how = deflating::shared;
        } else if (POLYCAST_WITH_ZLIB && std::strcmp(argv[i], "--deflate-dedicated") == 0) {
            how = deflating::dedicated;
        } else if (POLYCAST_WITH_OPENSSL && std::strcmp(argv[i], "--tls") == 0 && i + 2 < argc) {
            certificate = argv[++i];
            key = argv[++i];
        } else {
            std::fprintf(stderr, "usage: %s [--port N] [--shards N]%s%s\n", argv[0],
                         POLYCAST_WITH_OPENSSL ? " [--tls CERTIFICATE_CHAIN KEY]" : "",
                         POLYCAST_WITH_ZLIB ? " [--deflate | --deflate-dedicated]" : "");
            return 2;
        }
    }
    try {
#if POLYCAST_WITH_OPENSSL
        if (certificate != nullptr) {
            serve(options, how, pc::transport::tls{{.certificate_chain_file = certificate, .private_key_file = key}});
            return 0;
        }
#endif
        serve(options, how, pc::transport::tcp{});
    } catch (std::exception const& e) {
        std::fprintf(stderr, "%s\n", e.what());
        return 1;
    }
}
