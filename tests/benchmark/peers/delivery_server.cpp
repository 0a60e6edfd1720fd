// What reliable delivery costs: one application, with a session's events kept until they are acknowledged, or not.
//   delivery_server --port N [--at-least-once [--ack-every 32]]
// A client may join the room `all`; a `publish` goes to everybody in it, as `news`.
#include <polycast/delivery/at_least_once.hpp>
#include <polycast/event/describe.hpp>
#include <polycast/guard/origin.hpp>
#include <polycast/server.hpp>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <string>

namespace pc = polycast;

struct publish {
    std::string text;
};
struct news {
    std::string text;
};

struct application {
    using accepts = pc::events<publish>;
    bool may_join(auto&, std::string_view room) { return room == "all"; }
    void on(auto& session, publish const& p) { session.to_room("all").emit(news{p.text}); }
};

template <class Delivery>
void serve(pc::server_options const& options)
{
    pc::server<application, Delivery, pc::guard::open> server{options};
    server.run([&] {
        std::printf("listening on 127.0.0.1:%u\n", server.port());
        std::fflush(stdout);
    });
}

int main(int argc, char** argv)
{
    pc::server_options options{.port = 9001, .max_connections = 0};
    bool keeps = false;
    for (int i = 1; i < argc; ++i)
        if (std::strcmp(argv[i], "--port") == 0 && i + 1 < argc)
            options.port = static_cast<std::uint16_t>(std::atoi(argv[++i]));
        else if (std::strcmp(argv[i], "--ack-every") == 0 && i + 1 < argc)
            options.delivery.ack_every = static_cast<std::uint32_t>(std::atoi(argv[++i]));
        else if (std::strcmp(argv[i], "--at-least-once") == 0)
            keeps = true;
    try {
        keeps ? serve<pc::delivery::at_least_once<>>(options) : serve<pc::delivery::at_most_once>(options);
    } catch (std::exception const& e) {
        std::fprintf(stderr, "delivery_server: %s\n", e.what());
        return 1;
    }
}
