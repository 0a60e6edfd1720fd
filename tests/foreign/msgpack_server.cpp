// A server of MessagePack events for foreign peers: sends back what it is told, and what the peer asks for.
//   foreign_msgpack_server --port 0
#include <polycast/polycast.hpp>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace pc = polycast;

enum class colour : std::uint8_t { red, green };
struct point {
    int x = 0;
    int y = 0;
};
struct label {
    std::string text;
};
/// A field of each kind.
struct everything {
    bool flag = false;
    std::int64_t whole = 0;
    std::uint64_t huge = 0;
    double real = 0;
    float small = 0;
    std::string text;
    colour named = colour::red;
    std::optional<int> maybe;
    pc::nullable<int> nothing;
    std::vector<point> points;
    std::array<int, 2> pair{};
    std::map<std::string, double> by_name;
    std::variant<bool, std::string, point, label> either;
    std::chrono::system_clock::time_point time;
    std::vector<std::byte> bytes;
    pc::raw_json raw;
};
/// Asks for events that are joined in frames.
struct count_to {
    int n = 0;
};
struct number {
    int n = 0;
    std::string text;
};
struct unknown_said {
    std::string type;
    pc::raw_json data;
};

struct mirror {
    using accepts = pc::events<everything, count_to>;
    everything on(auto&, everything const& e) { return e; }  // with the request's id
    void on(auto& session, count_to const& c)
    {
        for (int i = 0; i < c.n; ++i)
            session.emit(number{i, std::string(static_cast<std::size_t>(i), 'x')});
    }
    void on_unknown(auto& session, pc::envelope const& e)
    {
        session.emit(unknown_said{std::string(e.type), {std::string(e.data)}});
    }
};

using mirror_server = pc::server<mirror, pc::serializer::msgpack, pc::batching::window<50, 100>>;

int main(int argc, char** argv)
{
    pc::server_options options{.port = 0};
    if (argc == 3 && std::strcmp(argv[1], "--port") == 0)
        options.port = static_cast<std::uint16_t>(std::atoi(argv[2]));
    try {
        mirror_server server{options};
        server.run([&] {
            std::printf("listening on 127.0.0.1:%u\n", server.port());
            std::fflush(stdout);
        });
    } catch (std::exception const& e) {
        std::fprintf(stderr, "%s\n", e.what());
        return 1;
    }
}
