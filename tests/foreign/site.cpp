// A server with pages that greets who connects, for curl: site --port N [--tls CERTIFICATE_CHAIN KEY]
//   /        a few words        /large   3,000,000 bytes, each counted: "0 1 2 …"
//   ws(s)://…/                  says `hello` as text and 70,000 bytes that count likewise as binary, and closes;
//                               with permessage-deflate if that is offered
#include <polycast/polycast.hpp>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <string>

namespace pc = polycast;

std::string counted(std::size_t bytes)
{
    std::string text;
    for (unsigned i = 0; text.size() < bytes; ++i)
        text += std::to_string(i) + ' ';
    text.resize(bytes);
    return text;
}

struct site {
    std::string large = counted(3'000'000);

    pc::http_response http(pc::request const& asked)
    {
        if (asked.path() == "/")
            return {.content_type = "text/plain; charset=utf-8", .body = "a few words\n"};
        if (asked.path() == "/large")
            return {.content_type = "text/plain; charset=utf-8", .body = large};
        return {.status = 404, .body = "no such page\n"};
    }
    void opened(auto& session)
    {
        session.send("hello");
        session.send(counted(70'000), pc::opcode::binary);
        session.close(pc::close_code::normal, "that is all");
    }
    void on(auto&, pc::message const&) {}  // whatever is said, it has closed
};

template <class Transport>
void serve(pc::server_options const& options, Transport const& transport)
{
#if POLYCAST_WITH_ZLIB
    using compression = pc::compression::deflate<pc::compression::shared>;
#else
    using compression = pc::compression::identity;
#endif
    pc::server<site, Transport, compression, pc::serializer::raw> server{options, {}, transport};
    server.run([&] {
        std::printf("listening on 127.0.0.1:%u\n", server.port());
        std::fflush(stdout);
    });
}

int main(int argc, char** argv)
try {
    if (argc < 3 || std::strcmp(argv[1], "--port") != 0)
        return 2;
    pc::server_options const options{.port = static_cast<std::uint16_t>(std::atoi(argv[2])),
                                     .close_timeout = std::chrono::seconds(1),  // curl does not answer
                                     .tick = std::chrono::milliseconds(100)};
#if POLYCAST_WITH_OPENSSL
    if (argc == 6 && std::strcmp(argv[3], "--tls") == 0) {
        serve(options, pc::transport::tls{{.certificate_chain_file = argv[4], .private_key_file = argv[5]}});
        return 0;
    }
#endif
    if (argc != 3)
        return 2;
    serve(options, pc::transport::tcp{});
} catch (std::exception const& e) {
    std::fprintf(stderr, "%s: %s\n", argv[0], e.what());
    return 1;
}
