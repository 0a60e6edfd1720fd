// The hub: a backend that answers questions about the source files on this machine, and shows how the machine is doing.
// Run it, open the address that it prints, and ask. Programs are clients too, in any language (polycast.js is one):
//   hub [--port N] [--address A] [--root DIR]
// Only files below DIR (default: the current directory) are read. Ends on SIGTERM or SIGINT.
#include "agent.hpp"
#include "events.hpp"
#include "machine.hpp"
#include "pages.hpp"
#include "runs.hpp"
#include "workspace.hpp"

#include <polycast/polycast.hpp>

#include <algorithm>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <mutex>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <thread>

namespace hub {

/// The application, as the server sees it. Its handlers run on the event loop and wait for nothing.
struct application {
    using accepts = pc::events<question, cancel_run>;

    runs* work;
    workspace const* files;

    /// The page's files. The policy lets them load nothing from elsewhere.
    pc::http_response http(pc::request const& asked) const
    {
        auto const path = asked.path() == "/" ? "/index.html" : asked.path();
        for (page const& p : pages)
            if (p.path == path)
                return {.content_type = std::string(p.content_type),
                        .body = std::string(p.body),
                        .headers = {{"Content-Security-Policy", "default-src 'self'"}, {"Cache-Control", "no-cache"}}};
        return {.status = 404, .body = "There is no such page. Try /\n"};
    }
    /// Whoever says to be somebody is believed: a demonstration has no passwords. A connection without a name stands
    /// alone.
    pc::identity identify(pc::request const& asked) const
    {
        auto name = asked.query("user").value_or("");
        bool const printable = std::ranges::none_of(name, [](unsigned char c) { return c < 0x20 || c == 0x7F; });
        if (name.size() > 64 || !printable)
            return {
                .admitted = false, .status = 400, .reason = "a user's name has at most 64 bytes, none of them control"};
        return {.user = std::move(name)};
    }
    void opened(auto& session)
    {
        session.emit(welcome{.user = std::string(session.user()),
                             .root = files->root().filename().string(),
                             .services = {"agents", "dashboard"},
                             .capabilities = {"question", "cancel_run"},
                             .active_runs = work->of(owner(session))});
        session.join("dashboard");
    }
    void on(auto& session, question const& q)
    {
        if (auto const refused = work->start(owner(session), session.emitter(), q))
            session.emit(*refused);
    }
    void on(auto& session, cancel_run const& c)
    {
        if (!work->cancel(owner(session), c.run_id))
            session.emit(agent_error{"no_such_run", "you have no such run", c.run_id, {}});
    }

private:
    /// Whose runs these are. A connection without a name owns its own; names have no control bytes.
    static std::string owner(auto& session)
    {
        if (!session.user().empty())
            return std::string(session.user());
        return '\0' + std::to_string(session.handle().value());
    }
};

using server = pc::server<application, pc::serializer::json, pc::compression::zstd<3>, pc::isolation::per_user<3>,
                          pc::batching::per_tick, pc::delivery::at_least_once<>>;

/// Once a second, while anybody is there, the machine's figures go to the dashboard.
void tell_figures(std::stop_token const& stop, server const& to, runs const& work)
{
    machine figures;
    std::mutex mutex;
    std::condition_variable_any ended;
    for (std::unique_lock lock(mutex); !stop.stop_requested();) {
        ended.wait_for(lock, stop, std::chrono::seconds(1), [] { return false; });
        live_data now = figures.read();
        now.connections = to.connections();
        now.runs_active = work.active();
        now.runs_waiting = work.waiting();
        if (now.connections != 0)
            to.emitter().to_room("dashboard").emit(now);
    }
}

struct arguments {
    pc::server_options server{};
    std::string root = ".";
};

arguments parse(int argc, char** argv)
{
    arguments out;
    for (int i = 1; i < argc; i += 2) {
        char const* const value = i + 1 < argc ? argv[i + 1] : nullptr;
        if (std::strcmp(argv[i], "--port") == 0 && value != nullptr) {
            char* end = nullptr;
            auto const port = std::strtoul(value, &end, 10);
            if (*end != '\0' || end == value || port > 65535)
                throw std::runtime_error(std::string("no port: ") + value);
            out.server.port = static_cast<std::uint16_t>(port);
        } else if (std::strcmp(argv[i], "--address") == 0 && value != nullptr) {
            out.server.address = value;
        } else if (std::strcmp(argv[i], "--root") == 0 && value != nullptr) {
            out.root = value;
        } else {
            throw std::runtime_error(std::string("usage: ") + argv[0] + " [--port N] [--address A] [--root DIR]");
        }
    }
    return out;
}

}  // namespace hub

int main(int argc, char** argv)
{
    try {
        auto const given = hub::parse(argc, argv);
        hub::workspace const files(given.root);
        hub::runs work(files);
        hub::server server{given.server, hub::application{&work, &files}};
        std::jthread figures;
        server.run([&] {
            std::printf(
                "hub: http://%s:%u/ answers questions about %s\n"
                "Open it and ask, for example: How many lines of code are here? What changed lately? Where is main?\n",
                given.server.address.c_str(), server.port(), files.root().c_str());
            std::fflush(stdout);
            figures = std::jthread([&](std::stop_token stop) { hub::tell_figures(stop, server, work); });
        });
    } catch (std::exception const& e) {
        std::fprintf(stderr, "hub: %s\n", e.what());
        return 1;
    }
}
