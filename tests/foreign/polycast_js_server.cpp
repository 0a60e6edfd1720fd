// A server for polycast.js that delivers at least once and cuts its own connections when it is told to:
//   polycast_js_server --port N [--client FILE] [--window MILLISECONDS] [--history EVENTS]
//   /             an empty page        /polycast.js   FILE        /expired   how many sessions have
//   more          {count, cut}         → that many `number`s, counted per session from 1; half way through the connection
//                                        is closed with the code `cut`, unless that is 0
//   say           {text} to a room     → `said` to its members, numbered per room
//   add           {a, b}               → the reply `sum`
//   refuse        {}                   → `$error` rate_limited
//   question      {text}               → `agent_thinking`, as README's first server does
#include <polycast/polycast.hpp>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <fstream>
#include <iterator>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

namespace pc = polycast;

struct more {
    std::uint32_t count, cut;
};
struct number {
    std::uint32_t n;
};
struct say {
    std::string text;
};
struct said {
    std::uint32_t n;
    std::string text;
};
struct add {
    std::int64_t a, b;
};
struct sum {
    std::int64_t value;
};
struct refuse {};
struct question {
    std::string text;
};
struct agent_thinking {
    std::string run_id, reasoning;
};

struct site {
    using accepts = pc::events<more, say, add, refuse, question>;

    std::string client;
    std::atomic<unsigned> gone{0};
    std::mutex mutex{};                                // of the two shards
    std::map<std::uint64_t, std::uint32_t> numbers{};  // per session
    std::map<std::string, std::uint32_t> saids{};      // per room

    explicit site(std::string text) : client(std::move(text)) {}
    site(site&& o) : client(std::move(o.client)) {}

    pc::http_response http(pc::request const& asked)
    {
        if (asked.path() == "/")
            return {.content_type = "text/html; charset=utf-8", .body = "<!doctype html><title>polycast.js</title>"};
        if (asked.path() == "/polycast.js")
            return {.content_type = "text/javascript; charset=utf-8", .body = client};
        if (asked.path() == "/expired")
            return {.content_type = "text/plain", .body = std::to_string(gone)};
        return {.status = 404, .body = "no such page\n"};
    }
    pc::identity identify(pc::request const& asked) { return {.user = asked.query("user").value_or("")}; }

    void expired(auto&, pc::tally const&) { ++gone; }

    void on(auto& session, more const& wanted)
    {
        std::scoped_lock const lock(mutex);
        std::uint32_t& n = numbers[session.handle().value()];
        for (std::uint32_t i = 0; i < wanted.count; ++i) {
            if (wanted.cut != 0 && i == wanted.count / 2)
                session.close(static_cast<pc::close_code>(wanted.cut), "as you wish");
            session.emit(number{++n});
        }
    }
    void on(auto& session, say const& what, pc::envelope const& around)
    {
        std::string const room(around.room);
        std::scoped_lock const lock(mutex);
        session.to_room(room).emit(said{++saids[room], what.text});
    }
    sum on(auto&, add const& terms) { return {terms.a + terms.b}; }
    std::optional<pc::refusal> on(auto&, refuse const&)
    {
        return pc::refusal{.code = "rate_limited", .message = "60 messages a minute", .retry_after_ms = 1200};
    }
    void on(auto& session, question const& q) { session.emit(agent_thinking{"r1", "reading: " + q.text}); }
};

using server = pc::server<site, pc::serializer::json, pc::isolation::shared, pc::batching::per_tick,
                          pc::delivery::at_least_once<>>;

int main(int argc, char** argv)
try {
    pc::server_options options{.shards = 2, .tick = std::chrono::milliseconds(100)};
    std::string client;
    for (int i = 1; i + 1 < argc; i += 2) {
        if (std::strcmp(argv[i], "--port") == 0) {
            options.port = static_cast<std::uint16_t>(std::atoi(argv[i + 1]));
        } else if (std::strcmp(argv[i], "--client") == 0) {
            std::ifstream file(argv[i + 1]);
            client.assign(std::istreambuf_iterator<char>(file), {});
        } else if (std::strcmp(argv[i], "--window") == 0) {
            options.delivery.resume_window = std::chrono::milliseconds(std::atoi(argv[i + 1]));
        } else if (std::strcmp(argv[i], "--history") == 0) {
            options.history.max_events = static_cast<std::size_t>(std::atoi(argv[i + 1]));
        } else {
            return 2;
        }
    }
    server s{options, site{client}};
    s.run([&] {
        std::printf("listening on 127.0.0.1:%u\n", s.port());
        std::fflush(stdout);
    });
} catch (std::exception const& e) {
    std::fprintf(stderr, "%s: %s\n", argv[0], e.what());
    return 1;
}
