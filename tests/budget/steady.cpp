// What a message costs a server that has warmed up, without a kernel below it: steady SCENARIO MESSAGES
// Callgrind counts the instructions of `measured`; the program itself counts what is allocated in it, says so, and ends
// with 1 if that is more than the frame that all receivers of a broadcast share.
#include "../support/canned.hpp"

#include <polycast/polycast.hpp>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

namespace pc = polycast;

namespace {

std::uint64_t allocations = 0;

/// No text is too long for a std::string without memory of its own: that would be the application's, not the server's.
struct agent_progress {
    std::string run_id, agent, tool, phase, model, state;
    std::uint64_t step = 0, tokens_in = 0, tokens_out = 0;
    double share = 0, cost = 0;
    bool final = false;
};

struct echo {
    void on(auto& session, pc::message const& m) { session.send(m.payload, m.op); }
};
struct publisher {
    void opened(auto& session) { session.join("all"); }
    void on(auto& session, pc::message const& m) { session.to_room("all").send(m.payload); }
};
struct typed {
    using accepts = pc::events<agent_progress>;
    void on(auto& session, agent_progress const& event) { session.emit(event); }
};

/// As a client sends it: masked.
std::string frame(std::string_view payload)
{
    constexpr unsigned char key[] = {0x12, 0x34, 0x56, 0x78};
    std::string out{'\x81'};
    if (payload.size() < 126) {
        out += static_cast<char>(0x80 | payload.size());
    } else {
        out += '\xFE';
        out += static_cast<char>(payload.size() >> 8);
        out += static_cast<char>(payload.size() & 0xFF);
    }
    for (unsigned char const k : key)
        out += static_cast<char>(k);
    for (std::size_t i = 0; i < payload.size(); ++i)
        out += static_cast<char>(payload[i] ^ static_cast<char>(key[i % 4]));
    return out;
}

}  // namespace

/// Has a name of its own, so that Callgrind finds it.
extern "C" [[gnu::noinline]] void measured(support::canned_world& world, support::canned_world::connection& client,
                                           std::string const& said, std::uint64_t count)
{
    for (std::uint64_t i = 0; i < count; ++i)
        world.say(client, said);
}

namespace {

template <class App, class... Policies>
int run(std::size_t clients, std::string const& payload, std::uint64_t count, std::uint64_t frames, int together = 1)
{
    support::canned_world world;
    pc::server<App, support::canned, Policies...> server{{}, {}, support::canned(world)};
    server.start();
    std::vector<support::canned_world::connection*> all;
    for (std::size_t i = 0; i < clients; ++i) {
        all.push_back(&world.connect());
        world.say(*all.back(), "GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                               "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n");
        if (!all.back()->told.starts_with("HTTP/1.1 101 ")) {
            std::fprintf(stderr, "no upgrade: %s\n", all.back()->told.c_str());
            return 2;
        }
        all.back()->told.clear();
    }
    std::string said;
    for (int i = 0; i < together; ++i)  // one read has them all
        said += frame(payload);
    auto& client = *all.front();
    world.say(client, said);
    for (auto* const c : all)
        if (c->told.size() < payload.size()) {
            std::fprintf(stderr, "no answer: %s\n", c->told.c_str());
            return 2;
        }
    for (auto* const c : all)
        c->keep_told = false;
    for (int i = 0; i < 100; ++i)
        world.say(client, said);  // buffers grow to what they will need

    std::size_t const before = all.back()->told_bytes;
    allocations = 0;
    measured(world, client, said, count);
    std::uint64_t const taken = allocations;
    std::size_t const told = (all.back()->told_bytes - before) / count;
    std::printf("%llu messages, %zu bytes each to %zu clients, %llu allocations\n", static_cast<unsigned long long>(count),
                told, clients, static_cast<unsigned long long>(taken));
    if (told < payload.size())
        return 2;
    return taken <= frames ? 0 : 1;
}

}  // namespace

#if defined(__GLIBC__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
extern "C" void* __libc_malloc(std::size_t);
extern "C" void* malloc(std::size_t size)
{
    ++allocations;
    return __libc_malloc(size);
}
#endif

int main(int argc, char** argv)
{
    if (argc != 3) {
        std::fprintf(stderr, "usage: %s echo|echo16|broadcast|events MESSAGES\n", argv[0]);
        return 2;
    }
    std::string_view const scenario = argv[1];
    std::uint64_t const count = std::strtoull(argv[2], nullptr, 10);
    if (scenario == "echo")
        return run<echo, pc::serializer::raw>(1, "twenty bytes, please", count, 0);
    if (scenario == "echo16")
        return run<echo, pc::serializer::raw>(1, "twenty bytes, please", count, 0, 16);
    if (scenario == "broadcast")
        return run<publisher, pc::serializer::raw>(100, std::string(100, 'b'), count, count);
    return run<typed>(1,
                      R"({"type":"agent_progress","data":{"run_id":"run-0042","agent":"planner","tool":"search",)"
                      R"("phase":"reading","model":"large-2","state":"running","step":17,"tokens_in":2048,)"
                      R"("tokens_out":311,"share":0.25,"cost":0.0125,"final":false}})",
                      count, 0);
}
