// Instantiates every part that has code, so that its symbols can be looked at. Built without RTTI; never run.
#include <polycast/polycast.hpp>

#include <string>
#include <string_view>
#include <vector>

namespace pc = polycast;

namespace {

struct question {
    std::string text;
    std::vector<int> numbers;
};
struct answer {
    std::string run_id, text;
};

struct everything {
    using accepts = pc::events<question>;

    void opened(auto& session) { session.emit(answer{"0", "hello"}); }
    void closed(auto&, pc::close_info const&) {}
    pc::identity identify(pc::request const&) { return {.user = "ada"}; }
    pc::http_response http(pc::request const&) { return {}; }
    void on_unknown(auto& session, pc::envelope const&) { session.close(pc::close_code::normal, "unknown"); }
    void on(auto& session, question const& q)
    {
        session.emit(answer{"1", q.text});
        if constexpr (requires { session.join("lobby"); }) {
            session.join("lobby");
            session.to_room("lobby").except(session.handle()).emit(answer{"2", q.text});
            session.leave("lobby");
        }
    }
};

struct echo {
    void on(auto& session, pc::message const& m) { session.send(m.payload, m.op); }
};

template <class Server>
void emit_everywhere(Server& server)
{
    auto const emitter = server.emitter();
    answer const event{"3", "all"};
    emitter.to_session({}).emit(event);
    if constexpr (requires { emitter.to_all(); })
        emitter.to_all().emit(event);
    if constexpr (requires { emitter.to_room("lobby"); })
        emitter.to_room("lobby").emit(event);
    if constexpr (requires { emitter.to_user("ada"); })
        emitter.to_user("ada").emit(event);
    if constexpr (requires { server.emitter_for("ada"); })
        server.emitter_for("ada").emit(event);
}

struct caller {
    using accepts = pc::events<answer>;
    void on(auto& client, answer const& a) { client.emit(question{a.text, {}}); }
};
using calling = pc::client<caller>;

using plain = pc::server<everything>;
using isolated = pc::server<everything, pc::compression::zstd<3>, pc::isolation::per_user<3>,
                            pc::batching::window<10, 2000>, pc::observer::silent>;
using alone = pc::server<echo, pc::serializer::raw, pc::isolation::per_connection, pc::batching::immediate>;
using simulated = pc::server<everything, pc::transport::simulated>;
using packed = pc::server<everything, pc::serializer::msgpack, pc::transport::unix_socket,
                          pc::compression::zstd<3, pc::compression::dictionary::of<pc::events<question, answer>>>>;
#if POLYCAST_WITH_ZLIB
using deflated = pc::server<everything, pc::compression::any_of<pc::compression::zstd<3, pc::compression::dictionary::loaded>,
                                                                pc::compression::deflate<pc::compression::shared>>>;
using dedicated = pc::server<echo, pc::serializer::raw, pc::isolation::per_connection,
                             pc::compression::deflate<pc::compression::dedicated>>;
#endif
#if POLYCAST_WITH_OPENSSL
using secure = pc::server<everything, pc::transport::tls>;
using calling_securely = pc::client<caller, pc::transport::tls, pc::serializer::msgpack>;
#endif

}  // namespace

void simulate(pc::transport::simulated const& transport);

template class pc::basic_server<everything, plain::composition>;
template class pc::basic_server<everything, isolated::composition>;
template class pc::basic_server<echo, alone::composition>;
template class pc::basic_server<everything, packed::composition>;
#if POLYCAST_WITH_ZLIB
template class pc::basic_server<everything, deflated::composition>;
template class pc::basic_server<echo, dedicated::composition>;
#endif

void simulate(pc::transport::simulated const& transport)
{
    simulated server{{}, {}, transport};
    server.run();
    emit_everywhere(server);
}

int main()
{
    calling client{{.url = "ws://127.0.0.1:8765/"}};
    client.run();
    client.emit(question{"?", {}});
    client.stop();
    plain a;
    isolated b;
    emit_everywhere(a);
    emit_everywhere(b);
#if POLYCAST_WITH_OPENSSL
    secure s{{}, {}, pc::transport::tls{}};
    emit_everywhere(s);
    calling_securely secretly{{.url = "wss://127.0.0.1:8765/"}};
    secretly.run();
#endif
}
