#pragma once

// A server and its raw peers, over any transport, and how to wait for what they see.

#include "raw_peer.hpp"
#include "bench.hpp"

#include <polycast/batching/immediate.hpp>
#include <polycast/batching/window.hpp>
#include <polycast/compression/zstd.hpp>
#include <polycast/isolation/per_connection.hpp>
#include <polycast/isolation/per_user.hpp>
#include <polycast/serializer/raw.hpp>
#include <polycast/server.hpp>
#include <polycast/transport/simulated.hpp>
#include <polycast/transport/tcp.hpp>

#include <algorithm>
#include <chrono>
#include <concepts>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace support {

using sim = pc::transport::simulated;
using tcp = pc::transport::tcp;
using namespace std::chrono_literals;

/// Where the peers live.
template <class Transport>
struct setting;

template <>
struct setting<sim> {
    pc::transport::world world;
    std::deque<sim::loop> loops{};

    explicit setting(std::uint64_t seed = 1, pc::transport::network_options network = {})
        : world({.seed = seed, .network = network})
    {
    }
    sim transport() { return {world}; }
    sim::loop& next_loop() { return loops.emplace_back(transport()); }
    template <class Predicate>
    bool until(Predicate done, std::chrono::milliseconds within = 60s)
    {
        return world.run_until(done, within);
    }
    /// Long enough for what is on the way to arrive.
    void settle() { world.run_for(20ms); }
    auto now() { return world.now(); }
};

/// Of a transport whose clock and network are the kernel's.
template <class Transport>
struct kernel_setting {
    typename Transport::loop loop;

    explicit kernel_setting(Transport const& peers) : loop(peers) {}
    auto& next_loop() { return loop; }
    template <class Predicate>
    bool until(Predicate done, std::chrono::milliseconds within = 20s)
    {
        auto const deadline = std::chrono::steady_clock::now() + within;
        while (!done()) {
            if (std::chrono::steady_clock::now() > deadline)
                return false;
            loop.context().run_one_for(2ms);
        }
        return true;
    }
    void settle()
    {
        until([] { return false; }, 40ms);
    }
    auto now() { return std::chrono::steady_clock::now(); }
};

template <>
struct setting<tcp> : kernel_setting<tcp> {
    explicit setting(std::uint64_t = 1) : kernel_setting(tcp()) {}
    tcp transport() { return {}; }
};

template <class Server>
struct stage : setting<typename Server::transport> {
    using transport_type = typename Server::transport;
    using base = setting<transport_type>;
    using peer = raw_peer<transport_type>;

    journal j{};
    std::deque<peer> peers{};
    std::unique_ptr<Server> server{};

    explicit stage(pc::server_options options = {}, std::uint64_t seed = 1) : base(seed) { begin(std::move(options)); }
    stage(pc::server_options options, std::uint64_t seed, pc::transport::network_options network)
        requires std::same_as<transport_type, sim>
        : base(seed, network)
    {
        begin(std::move(options));
    }

    peer& connect(peer_options o = {}) { return peers.emplace_back(this->next_loop(), server->port(), std::move(o)); }
    /// A peer whose handshake is done.
    peer& join(peer_options o = {})
    {
        peer& p = connect(std::move(o));
        this->until([&] { return p.settled(); });
        return p;
    }
    peer& user(std::string_view name) { return join({.target = "/?user=" + std::string(name)}); }

private:
    void begin(pc::server_options options)
    {
        options.port = 0;
        using app = typename Server::app_type;
        if constexpr (std::constructible_from<app, journal*> || requires(journal* p) { app{p}; })
            server = std::make_unique<Server>(std::move(options), app{&j}, this->transport());
        else
            server = std::make_unique<Server>(std::move(options), app{}, this->transport());
        server->start();
    }
};

/// `{"type":"order","data":{…}}`
inline std::string an_order(std::string_view what, int n = 0, std::string_view room = {}, std::string_view text = {})
{
    return "{\"type\":\"order\",\"data\":{\"what\":\"" + std::string(what) + "\",\"n\":" + std::to_string(n) +
           ",\"room\":\"" + std::string(room) + "\",\"text\":\"" + std::string(text) + "\"}}";
}

/// The events of all messages that a peer has, in order; compressed ones unpacked.
template <class Peer>
std::vector<std::string> events_of(Peer const& p)
{
    std::vector<std::string> all;
    for (auto const& f : p.frames) {
        std::string text = f.payload;
        if (f.op == pc::opcode::binary && p.token().ends_with(".zstd")) {
            pc::detail::byte_buffer out;
            if (pc::compression::zstd<3>{}.decompress(1, out, f.payload, 64 * 1024 * 1024))
                text = "cannot be unpacked";
            else
                text = std::string(out.data(), out.size());
        }
        for (std::size_t at = 0; at <= text.size();) {
            auto const end = std::min(text.find('\n', at), text.size());
            all.push_back(text.substr(at, end - at));
            at = end + 1;
        }
    }
    return all;
}
/// The text of one field, without quotes; empty if it is not there. Good enough for what these tests send.
inline std::string field(std::string_view json, std::string_view key)
{
    std::string const name = "\"" + std::string(key) + "\":";
    auto at = json.find(name);
    if (at == json.npos)
        return {};
    at += name.size();
    if (json[at] == '"')
        return std::string(json.substr(at + 1, json.find('"', at + 1) - at - 1));
    return std::string(json.substr(at, json.find_first_of(",}]", at) - at));
}
inline std::string type_of(std::string_view json)
{
    return field(json, "type");
}
template <class Peer>
std::vector<std::string> types_of(Peer const& p)
{
    std::vector<std::string> all;
    for (auto const& e : events_of(p))
        all.push_back(type_of(e));
    return all;
}
/// The field `n` of each event of that type, in order.
template <class Peer>
std::vector<int> numbers_of(Peer const& p, std::string_view type)
{
    std::vector<int> all;
    for (auto const& e : events_of(p))
        if (type_of(e) == type)
            all.push_back(std::stoi(field(e, "n")));
    return all;
}
inline std::vector<int> count_to(int n, int from = 0)
{
    std::vector<int> all;
    for (int i = from; i < n; ++i)
        all.push_back(i);
    return all;
}

}  // namespace support
