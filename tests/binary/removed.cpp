// A server of the policies that REMOVED_POLICIES names; removed.py looks for what is in its object.
#include <polycast/polycast.hpp>

namespace pc = polycast;

struct said {
    std::string text;
};

struct application {
    using accepts = pc::events<said>;
    void on(auto& session, said const& event) { session.emit(event); }
    void on(auto& session, pc::message const& m) { session.send(m.payload, m.op); }
};

int main()
{
    pc::server<application, REMOVED_POLICIES> server{{.port = 0}};
    server.run();
}
