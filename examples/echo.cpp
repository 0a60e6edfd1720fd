// Echoes messages; a room on the side. Run it, then talk to ws://127.0.0.1:9001/ with any WebSocket client:
//   echo --port 9001 [--shards N]
// A text message that begins with `sub` joins the room `all` and is answered `ok`; one that begins with `pub` goes to
// everybody in that room; everything else comes back as it was. Ends on SIGTERM or SIGINT.
#include <polycast/polycast.hpp>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>

namespace pc = polycast;

struct echo {
    void on(auto& session, pc::message const& m)
    {
        bool const text = m.op == pc::opcode::text;
        if (text && m.payload.starts_with("sub")) {
            session.join("all");
            session.send("ok");
        } else if (text && m.payload.starts_with("pub")) {
            session.to_room("all").send(m.payload);
        } else {
            session.send(m.payload, m.op);
        }
    }
};

using echo_server = pc::server<echo, pc::serializer::raw, pc::isolation::shared, pc::guard::open>;

int main(int argc, char** argv)
{
    pc::server_options options{.port = 9001, .max_connections = 0};
    options.max_message_bytes = 64 * 1024 * 1024;
    options.max_outbox_bytes = 2 * options.max_message_bytes;
    for (int i = 1; i < argc; ++i) {
        bool const has_value = i + 1 < argc;
        if (std::strcmp(argv[i], "--port") == 0 && has_value) {
            options.port = static_cast<std::uint16_t>(std::atoi(argv[++i]));
        } else if (std::strcmp(argv[i], "--shards") == 0 && has_value) {
            options.shards = static_cast<std::uint32_t>(std::atoi(argv[++i]));
        } else {
            std::fprintf(stderr, "usage: %s [--port N] [--shards N]\n", argv[0]);
            return 2;
        }
    }
    try {
        echo_server server{options};
        server.run([&] {
            std::printf("listening on 127.0.0.1:%u\n", server.port());
            std::fflush(stdout);
        });
    } catch (std::exception const& e) {
        std::fprintf(stderr, "%s\n", e.what());
        return 1;
    }
}
