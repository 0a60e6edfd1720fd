// What the command line says.
#pragma once

#include <polycast/config.hpp>
#include <polycast/frame/opcode.hpp>

#include <charconv>
#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>
#include <sys/types.h>
#include <vector>

namespace load {

inline constexpr char usage[] = R"(usage: load MODE --port N [options]

Keeps a WebSocket server on 127.0.0.1 busy from one thread, checks what it answers, and prints one line of JSON: what was
done, what it cost, how long answers took. Exit status: 0 measured, 1 the server misbehaved (why is on stderr), 2 wrong
usage.

  echo       sends messages, each of which must come back            [--connections 100] [--bytes 20]
  events     sends `tool_called` events, each of which a `tool_completed` must answer, with data.step one higher, in the
             same order                                              [--connections 100] [--bytes 220]
  broadcast  receivers say `sub` and are told `ok`; a further client sends messages that begin with `pub`, which all
             receivers must get                                      [--receivers 1000] [--bytes 100]
             --deflate  with permessage-deflate; every delivery is compared with one that was inflated
             --zstd     as `reliable`, under polycast.v1.json.zstd and without acknowledging
  reliable   the same over the polycast protocol: receivers join the room `all`, `publish` events come to them as `news`,
             and they acknowledge                                    [--receivers 1000] [--bytes 100] [--no-acks]
  resume     the same at a rate, while connections are cut and come back to their sessions; nothing may be missing or come
             twice                                                   [--receivers 100] [--bytes 100] [--rate 500] [--cuts 20]
  connect    opens connections and closes the oldest ones            [--connections 100] [--in-flight 64]
  idle       opens connections, and reads what memory they take      [--connections 15000] [--settle 1] --server-pid PID

  --rate N            echo, events: open loop of N messages a second over all connections; latency counts from when a
                      message was due, not from when it was sent. --in-flight means nothing then
  --latency           echo, events: latency in the closed loop too
  --in-flight N       messages (broadcast: publishes; connect: handshakes) that wait for an answer, per connection [1]
  --refill each|whole the next message leaves when any is back, or the next batch when all are [each]
  --binary            echo: binary messages
  --seconds S         how long is measured [1]
  --warm-up S         and how long before that is not [0.3]
  --connect-within S  how long opening all connections may take [30]
  --server-pid PID    whose processor time is read; without it that is 0
)";

struct usage_error : std::runtime_error {
    using std::runtime_error::runtime_error;
};

struct settings {
    std::string mode;
    std::uint16_t port = 0;
    std::size_t connections = 0;
    std::size_t bytes = 0;
    std::size_t in_flight = 1;
    double rate = 0;  ///< a second; 0: closed loop
    double cuts = 20;
    double seconds = 1;
    double warm_up_seconds = 0.3;
    double settle_seconds = 1;
    double connect_within_seconds = 30;
    pid_t server = 0;
    polycast::opcode op = polycast::opcode::text;
    bool latency = false;
    bool acknowledges = true;
    bool refill_whole = false;  ///< the next batch leaves when all of the last is back, not when any is
    bool deflate = false;
    bool zstd = false;

    bool is(std::string_view name) const { return mode == name; }
};

namespace detail {

template <class T>
T number(std::string_view name, std::string_view text, T least, T most)
{
    T value{};
    auto const end = text.data() + text.size();
    auto const [at, error] = std::from_chars(text.data(), end, value);
    if (error != std::errc{} || at != end || !(value >= least && value <= most))
        throw usage_error(std::string(name) + " cannot be " + std::string(text));
    return value;
}

struct defaults {
    std::string_view mode;
    std::size_t connections, bytes, in_flight;
    double rate;
};
inline constexpr defaults modes[] = {
    {"echo", 100, 20, 1, 0},       {"events", 100, 220, 1, 0},   {"broadcast", 1000, 100, 1, 0},
    {"reliable", 1000, 100, 1, 0}, {"resume", 100, 100, 1, 500}, {"connect", 100, 20, 64, 0},
    {"idle", 15000, 20, 1, 0},
};

inline void check(settings const& s)
{
    auto const demand = [](bool holds, char const* text) {
        if (!holds)
            throw usage_error(text);
    };
    bool const answers = s.is("echo") || s.is("events");
    demand(s.port != 0, "--port is needed");
    demand(s.rate == 0 || answers || s.is("resume"), "--rate is for echo, events and resume");
    demand(!s.latency || answers, "--latency is for echo and events");
    demand(!(s.deflate || s.zstd) || s.is("broadcast"), "--deflate and --zstd are for broadcast");
    demand(!(s.deflate && s.zstd), "it is either --deflate or --zstd");
    demand(!s.deflate || POLYCAST_WITH_ZLIB,
           "this program was built without zlib (POLYCAST_WITH_ZLIB), which --deflate needs");
    demand(!s.is("idle") || s.server != 0, "idle needs --server-pid: it reads that process's memory");
}

}  // namespace detail

/// Throws `usage_error`. `arguments` are those behind the program's name.
inline settings parse(std::vector<std::string> const& arguments)
{
    settings s;
    if (arguments.empty())
        throw usage_error("name a mode");
    s.mode = arguments[0];
    bool known = false;
    for (auto const& [mode, connections, bytes, in_flight, rate] : detail::modes) {
        if (mode != s.mode)
            continue;
        known = true;
        s.connections = connections;
        s.bytes = bytes;
        s.in_flight = in_flight;
        s.rate = rate;
    }
    if (!known)
        throw usage_error("no such mode: " + s.mode);
    for (std::size_t i = 1; i < arguments.size(); ++i) {
        auto const& name = arguments[i];
        auto const switched = [&](std::string_view flag, bool& what, bool to) {
            if (name == flag)
                what = to;
            return name == flag;
        };
        if (switched("--no-acks", s.acknowledges, false) || switched("--latency", s.latency, true) ||
            switched("--deflate", s.deflate, true) || switched("--zstd", s.zstd, true))
            continue;
        if (name == "--binary") {
            s.op = polycast::opcode::binary;
            continue;
        }
        if (i + 1 == arguments.size())
            throw usage_error(name + " needs a value, or is no option");
        auto const& value = arguments[++i];
        auto const count = [&](std::size_t most) { return detail::number<std::size_t>(name, value, 1, most); };
        auto const seconds = [&] { return detail::number<double>(name, value, 0, 3600); };
        auto const rate = [&] { return detail::number<double>(name, value, 1e-3, 1e8); };
        if (name == "--port")
            s.port = static_cast<std::uint16_t>(count(65535));
        else if (name == "--connections" || name == "--receivers")
            s.connections = count(1'000'000);
        else if (name == "--bytes")
            s.bytes = count(std::size_t{64} << 20);
        else if (name == "--in-flight")
            s.in_flight = count(1'000'000);
        else if (name == "--rate")
            s.rate = rate();
        else if (name == "--cuts")
            s.cuts = rate();
        else if (name == "--seconds")
            s.seconds = seconds();
        else if (name == "--warm-up")
            s.warm_up_seconds = seconds();
        else if (name == "--settle")
            s.settle_seconds = seconds();
        else if (name == "--connect-within")
            s.connect_within_seconds = seconds();
        else if (name == "--server-pid")
            s.server = static_cast<pid_t>(count(1 << 30));
        else if (name == "--refill" && (value == "each" || value == "whole"))
            s.refill_whole = value == "whole";
        else
            throw usage_error("what is " + name + " " + value + "?");
    }
    detail::check(s);
    return s;
}

}  // namespace load
