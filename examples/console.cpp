// A terminal for an event server: prints events as they come, sends the lines that you type.
//   console ws://127.0.0.1:8765/ --user ada        (or wss://…, ws+unix:/path/to/socket:/…; --proxy http://host:port)
//   {"type":"question","data":{"text":"where is the outbox?","path":"include/polycast"}}
// Connects again by itself. Ends on Ctrl-C, and on Ctrl-D at a terminal; piped input may end before the answers come.
#include <polycast/client.hpp>
#include <polycast/transport/tls.hpp>
#include <polycast/transport/unix_socket.hpp>

#include <cctype>
#include <cstdio>
#include <iostream>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>

#include <unistd.h>

namespace pc = polycast;

void print(std::string_view what, std::string_view more)
{
    std::printf("%.*s %.*s\n", int(what.size()), what.data(), int(more.size()), more.data());
    std::fflush(stdout);
}

struct console {
    void opened(auto& session) { print("# connected to", session.address()); }
    void on_unknown(auto&, pc::envelope const& e) { print(e.type, e.data); }  // it accepts no event: all come here
    void on_control(auto&, pc::envelope const& e) { print(e.type, e.message.empty() ? e.room : e.message); }
    void on(auto&, pc::message const& m) { print("#", m.payload); }
    void closed(auto&, pc::close_info const& info)
    {
        print("# closed " + std::to_string(static_cast<int>(info.code)), info.reason);
    }
    void failed(std::error_code ec, unsigned, std::chrono::milliseconds next)
    {
        print("# " + ec.message() + (next.count() != 0 ? ", again in " + std::to_string(next.count()) + " ms" : ""), "");
    }
};

/// For a query string (RFC 3986 §2.1).
std::string percent_encoded(std::string_view text)
{
    std::string out;
    for (char const c : text) {
        char const hex[] = "0123456789ABCDEF";
        auto const byte = static_cast<unsigned char>(c);
        if (std::isalnum(byte) || c == '-' || c == '_' || c == '.')
            out += c;
        else
            out.append({'%', hex[byte >> 4], hex[byte & 15]});
    }
    return out;
}

template <class Transport>
[[noreturn]] void talk(pc::client_options const& options)
{
    pc::client<console, Transport> client{options};
    std::thread typing([&] {
        for (std::string line; std::getline(std::cin, line);)
            if (!line.empty() && !accepted(client.send(line)))
                print("# not sent:", line);
        if (isatty(STDIN_FILENO))
            client.stop();
    });
    typing.detach();  // it may be waiting for a line that never comes
    client.run();
    std::fflush(stdout);
    std::_Exit(0);
}

int main(int argc, char** argv)
{
    pc::client_options options;
    std::string user;
    for (int i = 1; i < argc; ++i) {
        std::string_view const argument = argv[i];
        if (argument == "--user" && i + 1 < argc)
            user = argv[++i];
        else if (argument == "--token" && i + 1 < argc)
            options.token = argv[++i];
        else if (argument == "--proxy" && i + 1 < argc)
            options.proxy = argv[++i];
        else if (options.url.empty() && !argument.starts_with("-"))
            options.url = argument;
        else
            options.url = "?";
    }
    auto const url = pc::parse_websocket_url(options.url);
    std::string const impossible = faults(options);
    if (!url || !impossible.empty()) {
        std::fprintf(stderr,
                     "%s\nusage: %s ws://HOST[:PORT]/PATH [--user NAME] [--token T] [--proxy http://[USER:PASSWORD@]HOST:PORT]\n"
                     "  or wss://…, ws+unix:/path/to/socket:/PATH\n",
                     impossible.c_str(), argv[0]);
        return 2;
    }
    if (!user.empty())
        options.url += (options.url.find('?') == std::string::npos ? "?user=" : "&user=") + percent_encoded(user);

    // The compiler wants to know the transport; a URL says it at run time.
    try {
        if (url->local)
            talk<pc::transport::unix_socket>(options);
#if POLYCAST_WITH_OPENSSL
        if (url->secure)
            talk<pc::transport::tls>(options);
#endif
        talk<pc::transport::tcp>(options);
    } catch (std::system_error const& e) {
        std::fprintf(stderr, "%s\n", e.what());
        return 1;
    }
}
