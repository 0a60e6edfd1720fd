// A load generator for WebSocket servers: one thread that keeps many connections busy, checks every answer, and reads
// what that cost the server. `load --help` lists what it can do.
//
//   echo --port 9001 &
//   load echo --port 9001 --connections 100 --bytes 1024 --in-flight 16 --seconds 5 --server-pid $!
//   load echo --port 9001 --rate 20000 --seconds 10        latency at 20,000 messages a second
//
// It is an example of polycast's protocol rooms without its server: frames, messages, handshake, control, compression and
// events are the library's, the sockets and the loop its own, as a generator has to cost less than what it measures.

#include "load/connect.hpp"
#include "load/options.hpp"
#include "load/request_reply.hpp"
#include "load/resume.hpp"
#include "load/room.hpp"

#include <cstdio>
#include <exception>
#include <string_view>
#include <sys/resource.h>

namespace {

struct mode {
    std::string_view name;
    void (*run)(load::settings const&);
    char const* needs;  ///< what a server has to be for it
};
constexpr mode modes[] = {
    {"echo", load::run_request_reply<load::echo_talk>, "a server that sends every message back, as examples/echo does"},
    {"events", load::run_request_reply<load::event_talk>,
     "a server that answers `tool_called` with `tool_completed`, as tests/benchmark/peers/polycast_typed.cpp does"},
    {"broadcast",
     [](load::settings const& s) {
         if (s.zstd)
             load::run_broadcast_zstd(s);
         else
             load::run_broadcast(s);
     },
     "a server with a room that `sub` joins, as examples/echo has (and --deflate); with --zstd one of the polycast "
     "protocol"},
    {"reliable", load::run_reliable,
     "a server of the polycast protocol whose room `all` is told of `publish`, as "
     "tests/benchmark/peers/delivery_server.cpp"},
    {"resume", [](load::settings const& s) { load::resume_mode(s).run(); },
     "a server as for `reliable`, that keeps sessions (delivery_server --at-least-once)"},
    {"connect", load::run_connect, "a server that answers handshakes and close frames"},
    {"idle", load::run_idle, "a server that leaves quiet connections open"},
};

}  // namespace

int main(int argc, char** argv)
{
    if (argc == 2 && (std::string_view(argv[1]) == "--help" || std::string_view(argv[1]) == "-h")) {
        std::fputs(load::usage, stdout);
        return 0;
    }
    rlimit descriptors{};
    if (getrlimit(RLIMIT_NOFILE, &descriptors) == 0) {
        descriptors.rlim_cur = descriptors.rlim_max;
        setrlimit(RLIMIT_NOFILE, &descriptors);
    }
    mode const* chosen = nullptr;
    try {
        auto const s = load::parse({argv + 1, argv + argc});
        for (mode const& each : modes)
            if (s.is(each.name))
                chosen = &each;
        chosen->run(s);
        return 0;
    } catch (load::usage_error const& error) {
        std::fprintf(stderr, "load: %s\n\n%s", error.what(), load::usage);
        return 2;
    } catch (std::exception const& error) {
        std::fprintf(stderr, "load %s: %s\nThis mode needs %s.\n", chosen ? chosen->name.data() : "", error.what(),
                     chosen ? chosen->needs : "a server");
        return 1;
    }
}
