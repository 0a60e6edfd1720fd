// What the load generator's modes of the polycast protocol need, in one server: load_server --port N
// A `publish` goes to the room `all` as `news`; a `tool_called` is answered by a `tool_completed`. Sessions are kept, and
// who wants zstd is told of a dictionary.
#include <polycast/polycast.hpp>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string>
#include <string_view>

namespace pc = polycast;

struct publish {
    std::string text;
};
struct news {
    std::string text;
};
struct tool_called {
    std::string run_id, note;
    std::int64_t step = 0;
};
struct tool_completed {
    std::string run_id, note;
    std::int64_t step = 0;
};

struct application {
    using accepts = pc::events<publish, tool_called>;
    bool may_join(auto&, std::string_view room) { return room == "all"; }
    void on(auto& session, publish const& p) { session.to_room("all").emit(news{p.text}); }
    void on(auto& session, tool_called const& e) { session.emit(tool_completed{e.run_id, e.note, e.step + 1}); }
};

int main(int argc, char** argv)
try {
    pc::server_options options{.port = 9001, .max_connections = 0};
    if (argc == 3 && std::string_view(argv[1]) == "--port")
        options.port = static_cast<std::uint16_t>(std::atoi(argv[2]));
    namespace compression = pc::compression;
    pc::server<application, pc::delivery::at_least_once<>, pc::guard::open,
               compression::zstd<3, compression::dictionary::of<pc::events<news>>>>
        server{options};
    server.run([&] {
        std::printf("listening on 127.0.0.1:%u\n", server.port());
        std::fflush(stdout);
    });
} catch (std::exception const& e) {
    std::fprintf(stderr, "load_server: %s\n", e.what());
    return 1;
}
