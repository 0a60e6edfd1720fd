// A server whose sessions outlive it: durable_server --port N --log FILE [--history N]
// What is published goes to the room `feed`. With a history, a room keeps so many events. Without SQLite it says so and
// ends with status 77.
#include <polycast/polycast.hpp>

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string>
#include <string_view>
#include <system_error>

namespace pc = polycast;

struct publish {
    std::string from;
    int n = 0;
};
struct published {
    std::string from;
    int n = 0;
};

struct feed {
    using accepts = pc::events<publish>;
    void on(auto& session, publish const& p) { session.to_room("feed").emit(published{p.from, p.n}); }
    void log_failed(std::error_code ec) { std::fprintf(stderr, "log: %s\n", ec.message().c_str()); }
};

int main(int argc, char** argv)
try {
#if POLYCAST_WITH_SQLITE
    if (argc == 1)
        return 2;
    pc::server_options options{.drain_timeout = std::chrono::seconds(2), .tick = std::chrono::milliseconds(100)};
    for (int i = 1; i + 1 < argc; i += 2) {
        std::string_view const name = argv[i];
        if (name == "--port")
            options.port = static_cast<std::uint16_t>(std::atoi(argv[i + 1]));
        else if (name == "--log")
            options.delivery.log_file = argv[i + 1];
        else if (name == "--history")
            options.history.max_events = static_cast<std::size_t>(std::atoi(argv[i + 1]));
        else
            return 2;
    }
    pc::server<feed, pc::delivery::at_least_once<pc::delivery::sqlite_log>> server{options};
    server.run([&] {
        std::printf("listening on 127.0.0.1:%u\n", server.port());
        std::fflush(stdout);
    });
#else
    static_cast<void>(argc);
    std::fprintf(stderr, "%s: built without SQLite\n", argv[0]);
    return 77;
#endif
} catch (std::exception const& e) {
    std::fprintf(stderr, "%s: %s\n", argv[0], e.what());
    return 1;
}
