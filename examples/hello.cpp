#include <polycast/polycast.hpp>
namespace pc = polycast;
using namespace std::chrono_literals;

struct question       { std::string text; };                       // any aggregate is an event:
struct agent_thinking { std::string run_id, reasoning; };          // name and fields are read by the compiler

struct assistant {                                                 // the application: overloads, bound at compile time
    using accepts = pc::events<question>;
    void on(auto& session, question const& q) { session.emit(agent_thinking{"r1", "reading: " + q.text}); }
};

using assistant_server = pc::server<assistant,                     // policies in any order, each with a default
    pc::transport::tcp,
    pc::serializer::json,
    pc::compression::zstd<3>,
    pc::isolation::per_user<3>,
    pc::batching::window<10, 2000>>;

int main() { assistant_server{{.port = 8765}}.run(); }
