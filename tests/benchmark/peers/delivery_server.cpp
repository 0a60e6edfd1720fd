// One application with several policies: events kept until they are acknowledged, or not; compressed, or not.
//   delivery_server --port N [--at-least-once [--ack-every 32] | --zstd]
// A client may join the room `all`; a `publish` goes to everybody else in it, as `news`.
#include <polycast/compression/dictionary.hpp>
#include <polycast/compression/zstd.hpp>
#include <polycast/delivery/at_least_once.hpp>
#include <polycast/event/describe.hpp>
#include <polycast/isolation/per_user.hpp>
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
    void on(auto& session, publish const& p)
    {
        session.join("all");  // only members may
        session.to_room("all").except(session.handle()).emit(news{p.text});
    }
};

template <class... Policies>
void serve(pc::server_options const& options)
{
    pc::server<application, pc::isolation::per_user<3>, Policies...> server{options};
    server.run([&] {
        std::printf("listening on 127.0.0.1:%u\n", server.port());
        std::fflush(stdout);
    });
}

int main(int argc, char** argv)
{
    using names = pc::compression::dictionary::of<pc::events<publish, news>>;
    pc::server_options options{.port = 9001, .max_connections = 100'000};
    bool keeps = false;
    bool compresses = false;
    for (int i = 1; i < argc; ++i)
        if (std::strcmp(argv[i], "--port") == 0 && i + 1 < argc)
            options.port = static_cast<std::uint16_t>(std::atoi(argv[++i]));
        else if (std::strcmp(argv[i], "--ack-every") == 0 && i + 1 < argc)
            options.delivery.ack_every = static_cast<std::uint32_t>(std::atoi(argv[++i]));
        else if (std::strcmp(argv[i], "--at-least-once") == 0)
            keeps = true;
        else if (std::strcmp(argv[i], "--zstd") == 0)
            compresses = true;
    try {
        if (keeps)
            serve<pc::delivery::at_least_once<>>(options);
        else if (compresses)
            serve<pc::compression::zstd<3, names>>(options);
        else
            serve<>(options);
    } catch (std::exception const& e) {
        std::fprintf(stderr, "delivery_server: %s\n", e.what());
        return 1;
    }
}
