// What including the library costs: the header, one event, and a server with every policy at its default.

#include <polycast/polycast.hpp>

namespace pc = polycast;

struct said {
    std::string text;
};

struct application {
    using accepts = pc::events<said>;
    void on(auto& session, said const& event) { session.emit(event); }
};

int main() { pc::server<application>{{.port = 8765}}.run(); }
