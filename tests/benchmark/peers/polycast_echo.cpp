// The echo protocol on polycast, as a default server with all of its guards on: users of three connections each, caps,
// counters, heartbeat. A text that begins with `sub` joins a room, one that begins with `pub` goes to everybody else in it.
//
//   polycast_echo --port N [--shards N] [--deflate]
#include <polycast/polycast.hpp>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <string>

namespace pc = polycast;

struct echo {
    pc::identity identify(pc::request const&)
    {
        static std::atomic<unsigned> connections = 0;  // of all shards
        return {.user = "user_" + std::to_string(connections.fetch_add(1, std::memory_order_relaxed) / 3)};
    }
    void on(auto& session, pc::message const& m)
    {
        bool const text = m.op == pc::opcode::text;
        if (text && m.payload.starts_with("pub")) {
            session.join("all");  // only members may
            session.to_room("all").except(session.handle()).send(m.payload);
        } else if (text && m.payload.starts_with("sub")) {
            session.join("all");
            session.send("ok");
        } else {
            session.send(m.payload, m.op);
        }
    }
};

template <class Compression>
void serve(pc::server_options const& options)
{
    pc::server<echo, pc::serializer::raw, pc::isolation::per_user<3>, Compression> server{options};
    server.run([&] {
        std::printf("listening on 127.0.0.1:%u\n", server.port());
        std::fflush(stdout);
    });
}

int main(int argc, char** argv)
{
    pc::server_options options{.port = 9001, .max_connections = 100'000};
    options.max_message_bytes = 64 * 1024 * 1024;
    options.max_outbox_bytes = 2 * options.max_message_bytes;
    bool deflates = false;
    for (int i = 1; i < argc; ++i)
        if (std::strcmp(argv[i], "--port") == 0 && i + 1 < argc)
            options.port = static_cast<std::uint16_t>(std::atoi(argv[++i]));
        else if (std::strcmp(argv[i], "--shards") == 0 && i + 1 < argc)
            options.shards = static_cast<std::uint32_t>(std::atoi(argv[++i]));
        else if (std::strcmp(argv[i], "--deflate") == 0)
            deflates = true;
    try {
        deflates ? serve<pc::compression::deflate<pc::compression::shared>>(options) : serve<pc::compression::identity>(options);
    } catch (std::exception const& e) {
        std::fprintf(stderr, "polycast_echo: %s\n", e.what());
        return 1;
    }
}
