// Typed events in and out, on a default server with all of its guards on: what an application of polycast is. Each
// `tool_called` is read into a struct, checked, handed to an overload, and answered by a `tool_completed`.
// peers/bun_typed.js does the same work.
//
//   polycast_typed --port N
#include <polycast/polycast.hpp>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <string>
#include <vector>

namespace pc = polycast;

struct tokens {
    std::int64_t in = 0, out = 0;
};
struct tool_called {
    std::string run_id, tool;
    std::int64_t step = 0;
    double cost = 0;
    bool cached = false;
    tokens used;
    std::vector<std::string> paths;
    std::string note;
};
struct tool_completed {
    std::string run_id, tool;
    std::int64_t step = 0;
    double cost = 0;
    bool first = false;
    std::int64_t total = 0;
    std::vector<std::string> paths;
    std::string note;
};

struct agent {
    using accepts = pc::events<tool_called>;
    pc::identity identify(pc::request const&) { return {.user = "user_" + std::to_string(connections_++ / 3)}; }
    void on(auto& session, tool_called const& e)
    {
        session.emit(tool_completed{e.run_id, e.tool, e.step + 1, 2 * e.cost, !e.cached, e.used.in + e.used.out, e.paths,
                                    e.note});
    }

private:
    unsigned connections_ = 0;
};

int main(int argc, char** argv)
{
    pc::server_options options{.port = 9001, .max_connections = 100'000};
    for (int i = 1; i + 1 < argc; ++i)
        if (std::strcmp(argv[i], "--port") == 0)
            options.port = static_cast<std::uint16_t>(std::atoi(argv[i + 1]));
    try {
        pc::server<agent, pc::isolation::per_user<3>> server{options};
        server.run([&] {
            std::printf("listening on 127.0.0.1:%u\n", server.port());
            std::fflush(stdout);
        });
    } catch (std::exception const& e) {
        std::fprintf(stderr, "polycast_typed: %s\n", e.what());
        return 1;
    }
}
