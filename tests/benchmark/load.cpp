// Load generator: keeps a WebSocket server busy from one thread, checks its replies, and reads what that cost it.
//
//   load echo      --port N [--connections 100] [--bytes 20] [--in-flight 1] [--binary]
//   load broadcast --port N [--receivers 1000] [--bytes 100] [--in-flight 1]
//   load reliable  --port N [--receivers 1000] [--bytes 100] [--in-flight 1] [--no-acks]
//   load idle      --port N [--connections 15000] [--settle 1]
//   and: [--seconds 1] [--warm-up 0.3] [--server-pid PID] [--refill each|whole]
//
// Prints one line of JSON. Exit status: 0 measured, 1 the server misbehaved (the reason is on stderr), 2 wrong usage.

#include "load/connection.hpp"
#include "load/loop.hpp"
#include "load/process.hpp"
#include "load/wire.hpp"

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace {

struct settings {
    std::string mode;
    std::uint16_t port = 0;
    std::size_t connections = 0;
    std::size_t bytes = 0;
    std::size_t in_flight = 1;
    double seconds = 1;
    double warm_up_seconds = 0.3;
    double settle_seconds = 1;
    pid_t server = 0;
    load::opcode op = load::opcode::text;
    bool acknowledges = true;
    bool refill_whole = false;  ///< the next batch leaves when all of the last is back, not when any is
};

struct usage_error : std::runtime_error {
    using std::runtime_error::runtime_error;
};

settings parse(std::vector<std::string> const& arguments)
{
    settings s;
    if (arguments.empty())
        throw usage_error("name a mode: echo, broadcast, reliable or idle");
    s.mode = arguments[0];
    s.connections = s.mode == "echo" ? 100 : s.mode == "broadcast" || s.mode == "reliable" ? 1000 : 15000;
    s.bytes = s.mode == "broadcast" || s.mode == "reliable" ? 100 : 20;
    for (std::size_t i = 1; i < arguments.size(); ++i) {
        auto const& name = arguments[i];
        if (name == "--binary") {
            s.op = load::opcode::binary;
            continue;
        }
        if (name == "--no-acks") {
            s.acknowledges = false;
            continue;
        }
        if (i + 1 == arguments.size())
            throw usage_error(name + " needs a value");
        auto const& value = arguments[++i];
        if (name == "--port")
            s.port = static_cast<std::uint16_t>(std::stoul(value));
        else if (name == "--connections" || name == "--receivers")
            s.connections = std::stoul(value);
        else if (name == "--bytes")
            s.bytes = std::stoul(value);
        else if (name == "--in-flight")
            s.in_flight = std::stoul(value);
        else if (name == "--seconds")
            s.seconds = std::stod(value);
        else if (name == "--warm-up")
            s.warm_up_seconds = std::stod(value);
        else if (name == "--settle")
            s.settle_seconds = std::stod(value);
        else if (name == "--server-pid")
            s.server = std::stoi(value);
        else if (name == "--refill" && (value == "each" || value == "whole"))
            s.refill_whole = value == "whole";
        else
            throw usage_error("what is " + name + " " + value + "?");
    }
    if (s.port == 0)
        throw usage_error("--port is needed");
    return s;
}

/// What had been done and spent at one moment. The difference of two is a measurement.
struct snapshot {
    double wall = 0, own_cpu = 0, server_cpu = 0, own_wait = 0, server_wait = 0;
    std::uint64_t messages = 0;

    static snapshot take(settings const& s, std::uint64_t messages)
    {
        return {load::now_seconds(),     load::own_cpu_seconds(),           load::cpu_seconds(s.server),
                load::waited_seconds(0), load::waited_seconds(s.server), messages};
    }
};

/// Turns the loop through warm-up and measurement. `messages` is the mode's counter; it has to grow.
template <class Turn>
void measure(settings const& s, std::uint64_t const& messages, Turn&& turn)
{
    snapshot begin;
    auto const warm = load::now_seconds() + s.warm_up_seconds;
    auto seen = messages;
    auto moved = load::now_seconds();
    for (bool measuring = false;;) {
        turn();
        auto const now = load::now_seconds();
        if (seen != messages) {
            seen = messages;
            moved = now;
        } else if (now - moved > 5) {
            throw std::runtime_error("no message came for 5 s, after " + std::to_string(messages));
        }
        if (!measuring && now >= warm) {
            measuring = true;
            begin = snapshot::take(s, messages);
        } else if (measuring && now >= begin.wall + s.seconds) {
            break;
        }
    }
    auto const end = snapshot::take(s, messages);
    std::printf("{\"messages\": %llu, \"seconds\": %.6f, \"server_cpu_seconds\": %.9f, \"generator_cpu_seconds\": %.9f, "
                "\"server_waited_seconds\": %.9f, \"generator_waited_seconds\": %.9f}\n",
                static_cast<unsigned long long>(end.messages - begin.messages), end.wall - begin.wall,
                end.server_cpu - begin.server_cpu, end.own_cpu - begin.own_cpu, end.server_wait - begin.server_wait,
                end.own_wait - begin.own_wait);
}

/// Writes once for all that one read answered, and has epoll watch a socket that is full.
void send(load::loop& loop, load::connection& each, load::outgoing const& out, std::size_t frames)
{
    bool const watched = each.wants_write;
    each.send(out, frames);
    if (each.wants_write != watched)
        loop.watch(each, each.wants_write);
}

void flush(load::loop& loop, load::connection& each, load::outgoing const& out)
{
    each.flush(out);
    if (!each.wants_write)
        loop.watch(each, false);
}

void run_echo(settings const& s)
{
    auto const payload = load::make_payload("", s.bytes);
    load::outgoing const out(s.op, payload, s.in_flight);
    load::incoming const due(s.op, payload);
    load::loop loop(s.port);
    loop.open(s.connections);

    std::uint64_t messages = 0;
    auto const refill = [&](load::connection& each) {
        if (s.refill_whole && each.in_flight != 0)
            return;
        auto const frames = s.in_flight - each.in_flight;
        each.in_flight += static_cast<std::uint32_t>(frames);
        send(loop, each, out, frames);
    };
    for (auto& each : loop.connections)
        refill(each);
    measure(s, messages, [&] {
        loop.poll(
            [&](load::connection& each, std::string_view bytes) {
                auto const came = each.consume(bytes, due);
                if (came > each.in_flight)
                    throw std::runtime_error("more replies than requests");
                each.in_flight -= came;
                messages += came;
                if (came != 0)
                    refill(each);
            },
            [&](load::connection& each) { flush(loop, each, out); });
    });
}

/// Has every connection say `sub` and waits until all were answered `ok`.
void join_all(load::loop& loop)
{
    load::outgoing const request(load::opcode::text, "sub", 1);
    load::incoming const answer(load::opcode::text, "ok");
    for (auto& each : loop.connections)
        send(loop, each, request, 1);
    std::size_t joined = 0;
    auto const deadline = load::now_seconds() + 10;
    while (joined < loop.connections.size()) {
        loop.poll([&](load::connection& each, std::string_view bytes) { joined += each.consume(bytes, answer); },
                  [](load::connection&) {});
        if (load::now_seconds() > deadline)
            throw std::runtime_error("only " + std::to_string(joined) + " of " + std::to_string(loop.connections.size()) +
                                     " receivers were told `ok` within 10 s");
    }
    for (auto& each : loop.connections)
        each.received = 0;
}

/// Has every connection say `words` and waits until all were answered by what has `last` in it. What they are told is not
/// counted. Returns what the first one was told.
std::string greet_all(load::loop& loop, std::vector<std::string> const& words, std::string_view last)
{
    std::vector<std::string> told(loop.connections.size());
    std::size_t answered = 0, i = 0;
    for (auto& each : loop.connections) {
        each.received = i++;
        for (auto const& word : words)
            each.say(word);
    }
    auto const deadline = load::now_seconds() + 10;
    while (answered < told.size()) {
        loop.poll(
            [&](load::connection& each, std::string_view bytes) {
                auto& text = told[each.received];
                bool const before = text.find(last) != text.npos;
                text += bytes;
                answered += !before && text.find(last) != text.npos;
            },
            [](load::connection&) {});
        if (load::now_seconds() > deadline)
            throw std::runtime_error("only " + std::to_string(answered) + " of " + std::to_string(told.size()) +
                                     " receivers were told " + std::string(last) + " within 10 s");
    }
    for (auto& each : loop.connections)
        each.received = 0;
    return told.front();
}

/// A publisher, who is no receiver, keeps so many messages in flight. A publish is over when every receiver has it; each
/// has them in the order of publishing, so a counter per publish in flight is enough. `came(connection)` is called when a
/// receiver has read something, `turned()` once a turn.
template <class Came, class Turned>
void publish(settings const& s, load::loop& loop, load::outgoing const& out, load::incoming const& due, Came came, Turned turned)
{
    auto& publisher = loop.connections.back();
    std::uint64_t deliveries = 0;
    std::uint64_t published = s.in_flight;
    std::vector<std::size_t> arrived(s.in_flight);
    std::size_t over = 0;
    send(loop, publisher, out, s.in_flight);
    measure(s, deliveries, [&] {
        loop.poll(
            [&](load::connection& each, std::string_view bytes) {
                if (&each == &publisher)
                    throw std::runtime_error("the publisher was sent something, though it is not in the room");
                auto number = each.received;
                deliveries += each.consume(bytes, due);
                if (each.received > published)
                    throw std::runtime_error("more deliveries than publishes");
                for (; number < each.received; ++number) {
                    if (++arrived[number % s.in_flight] == s.connections) {
                        arrived[number % s.in_flight] = 0;
                        ++over;
                    }
                }
                came(each);
                if (over == 0 || (s.refill_whole && over < s.in_flight))
                    return;
                published += over;
                send(loop, publisher, out, std::exchange(over, 0));
            },
            [&](load::connection& each) { flush(loop, each, out); });
        turned();
    });
}

void run_broadcast(settings const& s)
{
    auto const payload = load::make_payload("pub", s.bytes);
    load::loop loop(s.port);
    loop.open(s.connections);
    join_all(loop);
    loop.open(1);
    publish(
        s, loop, load::outgoing(load::opcode::text, payload, s.in_flight), load::incoming(load::opcode::text, payload),
        [](load::connection&) {}, [] {});
}

/// The polycast protocol: receivers open a session, join a room, and acknowledge as the server asks them to.
void run_reliable(settings const& s)
{
    using namespace std::string_literals;
    auto const before = R"({"type":"news","room":"all","timestamp":"2026-11-21T01:02:03.456Z",)"s;
    auto const around = R"("data":{"text":""}})"s.size();
    if (s.bytes < before.size() + around)
        throw usage_error("--bytes must be " + std::to_string(before.size() + around) + " or more");
    auto text = load::make_payload("", s.bytes - before.size() - around);
    std::replace(text.begin(), text.end(), '\\', '/');  // as it is in JSON too
    auto const data = R"("data":{"text":")" + text + R"("}})";
    load::outgoing const out(load::opcode::text, R"({"type":"publish",)" + data, s.in_flight);
    load::incoming const due(load::opcode::text, before + data, before.size());

    load::loop loop(s.port, "polycast.v1.json");
    loop.open(s.connections);
    auto const told = greet_all(loop, {R"({"type":"$open"})", R"({"type":"$join","room":"all"})"}, R"("type":"$ok")");
    auto const term = [&](std::string_view name) {
        auto const at = told.find(name);
        if (at == told.npos)
            throw std::runtime_error("the server did not say how to acknowledge");
        return std::stod(told.substr(at + name.size()));
    };
    auto const every = static_cast<std::uint64_t>(term(R"("every":)"));
    auto const within = term(R"("within_ms":)") * 1e-3;
    loop.open(1);
    loop.connections.back().say(R"({"type":"$open"})");
    while (loop.connections.back().early.empty())  // its `$hello`
        loop.poll([](load::connection& each, std::string_view bytes) { each.early += bytes; }, [](load::connection&) {});

    auto const acknowledge = [](load::connection& each) {
        each.acknowledged = each.received;
        each.owes_since = 0;
        each.say(R"({"type":"$ack","received":)" + std::to_string(each.received) + "}");
    };
    double looked_at = 0;
    publish(
        s, loop, out, due,
        [&](load::connection& each) {
            if (!s.acknowledges || each.received == each.acknowledged)
                return;
            if (each.received - each.acknowledged >= every)
                acknowledge(each);
            else if (each.owes_since == 0)
                each.owes_since = load::now_seconds();
        },
        [&] {
            auto const now = load::now_seconds();
            if (!s.acknowledges || now - looked_at < within / 10)
                return;
            looked_at = now;
            for (auto& each : loop.connections)
                if (each.owes_since != 0 && now - each.owes_since >= within)
                    acknowledge(each);
        });
    loop.say_goodbye();
}

void run_idle(settings const& s)
{
    auto const before = load::anonymous_kib(s.server);
    load::loop loop(s.port);
    auto const begin = load::now_seconds();
    loop.open(s.connections);
    auto const opened = load::now_seconds();
    // Lets a garbage collector tidy up after the handshakes, and shows connections that the server drops.
    while (load::now_seconds() < opened + s.settle_seconds)
        loop.poll([](load::connection&, std::string_view) {}, [](load::connection&) {});
    auto const after = load::anonymous_kib(s.server);
    std::printf("{\"connections\": %zu, \"open_seconds\": %.6f, \"before_kib\": %ld, \"after_kib\": %ld}\n", s.connections,
                opened - begin, before, after);
}

}  // namespace

int main(int argc, char** argv)
{
    try {
        auto const s = parse({argv + 1, argv + argc});
        if (s.mode == "echo")
            run_echo(s);
        else if (s.mode == "broadcast")
            run_broadcast(s);
        else if (s.mode == "reliable")
            run_reliable(s);
        else if (s.mode == "idle")
            run_idle(s);
        else
            throw usage_error("no such mode: " + s.mode);
    } catch (usage_error const& error) {
        std::fprintf(stderr, "load: %s (the modes and options are at the top of load.cpp)\n", error.what());
        return 2;
    } catch (std::exception const& error) {
        std::fprintf(stderr, "load: %s\n", error.what());
        return 1;
    }
}
