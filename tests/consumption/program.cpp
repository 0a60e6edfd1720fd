// What a user's first program needs of the build: the header is found, and what it uses is linked. Runs by itself.
#include <polycast/polycast.hpp>

static_assert(POLYCAST_WITH_ZLIB == EXPECT_ZLIB);

namespace pc = polycast;

struct greeting {
    int number;
};
struct greeter {
    using accepts = pc::events<greeting>;
    void on(auto& session, greeting const& event) { session.emit(event); }
};

int main()
{
    pc::server<greeter, pc::compression::zstd<3>> server{{.port = 0}};
    server.start();
    bool const ok = server.port() != 0 && server.emitter().to_all().emit(greeting{1}).status != pc::outcome::refused;
    server.stop();
    server.wait();
    return ok ? 0 : 1;
}
