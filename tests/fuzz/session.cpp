// A whole server over the simulated network. The input is a script: raw connections that send what it says, in what
// pieces, and stop, stall, half-close or vanish when it says so; emissions from outside; a stop. Whatever happens, what
// the server sends is legal WebSocket, nobody hears what is for another, every session that was opened is closed
// exactly once, memory stays within what the options allow, and all comes to rest.

#include <polycast/batching/window.hpp>
#include <polycast/compression/deflate.hpp>
#include <polycast/compression/zstd.hpp>
#include <polycast/isolation/per_user.hpp>
#include <polycast/server.hpp>
#include <polycast/transport/simulated.hpp>

#include "../support/memory.hpp"
#include "fuzz.hpp"
#include "session_client.hpp"

#include <algorithm>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <stdexcept>

namespace {

using namespace fuzz;
using namespace std::chrono_literals;
using support::allocated_bytes;

/// What the server's side knows: who is open, and who was ever let into which room.
struct truth {
    std::set<std::uint64_t> open{};
    std::set<std::pair<std::uint64_t, std::string>> let_in{};
    std::size_t opened = 0, closed = 0;
    std::map<std::string, std::uint32_t> told_to{};  ///< per audience: the last number
    std::size_t most_queued = 0;

    [[nodiscard]] told next(std::string const& user, std::uint64_t to, std::string const& room)
    {
        std::string const key = room.empty() ? user + "#" + std::to_string(to) : "room " + room;
        return {.to = to, .user = user, .room = room, .n = ++told_to[key], .text = {}};
    }
};

struct app {
    truth* t;
    using accepts = pc::events<ask>;

    pc::identity identify(pc::request const& r)
    {
        auto user = r.query("user").value_or("");
        if (user == "throws")
            throw std::runtime_error("identify");
        if (user == "banned")
            return {.admitted = false};
        return {.user = std::move(user)};
    }
    void opened(auto& s)
    {
        FUZZ_REQUIRE(t->open.insert(s.handle().value()).second);
        ++t->opened;
        welcome(s);
        if (s.user() == "unopened")
            throw std::runtime_error("opened");
    }
    void closed(auto& s, pc::close_info const&)
    {
        FUZZ_REQUIRE(t->open.erase(s.handle().value()) == 1);
        ++t->closed;
        if (s.user() == "unclosed")
            throw std::runtime_error("closed");
    }
    bool may_join(auto& s, std::string_view room)
    {
        if (room == "throws")
            throw std::runtime_error("may_join");
        if (room != "closed")
            t->let_in.emplace(s.handle().value(), room);
        return room != "closed";
    }
    void on(auto& s, ask const& a)
    {
        auto const me = s.handle().value();
        FUZZ_REQUIRE(t->open.contains(me) && s.is_open());
        switch (a.what % 8) {
        case 0:
            for (unsigned i = 0; i != a.n % 40U; ++i)
                to_self(s, a.text);
            break;
        case 1:
            t->let_in.emplace(me, a.room);
            s.join(a.room);
            break;
        case 2: s.leave(a.room); break;
        case 3: {
            auto e = t->next("", 0, a.room);
            e.text = a.text;
            if (!a.room.empty())
                static_cast<void>(s.to_room(a.room).emit(e));
            break;
        }
        case 4: {
            std::string const user(s.user());
            static_cast<void>(s.emitter().emit(t->next(user, user.empty() ? me : 0, "")));
            break;
        }
        case 5: s.close(static_cast<pc::close_code>(a.n), a.text); break;
        case 6: throw std::runtime_error("on");
        default: {
            auto e = t->next("", me, "");
            e.text = std::string(a.n % 3000U, 'x');
            s.emit(e);
        }
        }
        t->most_queued = std::max(t->most_queued, s.queued_bytes());
    }

private:
    void welcome(auto& s)
    {
        told e = t->next("", s.handle().value(), "");
        e.user = s.user();
        e.text = "welcome";
        s.emit(e);
    }
    void to_self(auto& s, std::string const& text)
    {
        auto e = t->next("", s.handle().value(), "");
        e.text = text;
        s.emit(e);
    }
};

pc::server_options small()
{
    pc::server_options o;
    o.port = 80;
    o.max_connections = 5;
    o.max_unopened = 4;
    o.max_rooms_per_session = 4;
    o.max_room_name_bytes = 16;
    o.max_message_bytes = 512;
    o.max_frame_bytes = 400;
    o.max_fragments = 4;
    o.max_outbox_bytes = 2048;
    o.max_mailbox_emissions = 8;
    o.read_buffer_bytes = 1024;
    o.compression.min_bytes = 32;
    o.heartbeat = {.interval = 400ms, .timeout = 400ms, .misses_allowed = 1};
    o.stale_after = 1200ms;
    o.stale_sweep = 400ms;
    o.handshake_timeout = 400ms;
    o.close_timeout = 400ms;
    o.drain_timeout = 800ms;
    o.tick = 200ms;
    return o;
}

/// What a session may hold, from the options: an unfinished head (a string that doubles) or an unfinished message and
/// its inflated form; queued frames, each with a node and a counter beside at least a header, so four times the wire;
/// the control frames that are exempt; and what the session itself takes.
std::size_t session_bytes(pc::server_options const& o)
{
    return 2 * 16 * 1024 + 4 * o.max_message_bytes + 4 * o.max_outbox_bytes + 20 * 256 + 2048;
}

pc::transport::network_options network(input& in)
{
    auto const b = in.byte(), c = in.byte();
    pc::transport::network_options n;
    n.max_segment_bytes = std::size_t{1} << (b & 15);
    n.send_window_bytes = std::size_t{64} << (b >> 4 & 7);
    n.latency_max = (b & 128) != 0 ? 30ms : 1ms;
    n.partial_write_probability = (c & 3) * 0.2;
    n.spurious_wakeup_probability = (c >> 2 & 3) * 0.1;
    n.cut_probability = (c >> 4 & 7) == 7 ? 0.05 : 0;
    return n;
}

std::string small_name(std::uint8_t b)
{
    static constexpr std::string_view names[] = {"", "a", "b", "hall", "closed", "throws", "unopened", "banned"};
    return std::string(names[b % 8]);
}

template <class Server>
void play(input in)
{
    truth t;
    std::optional<pc::transport::world> storage;
    std::uint64_t const seed = in.byte();
    auto const net = network(in);
    auto& world = storage.emplace(pc::transport::world_options{.seed = seed, .network = net});
    auto const options = small();
    std::optional<Server> server(std::in_place, options, app{&t}, pc::transport::simulated(world));
    server->start();
    auto const out = server->emitter();
    std::deque<pc::transport::simulated::loop> loops;
    std::deque<client> clients;
    auto const before = allocated_bytes();

    auto const look = [&] {
        if (before == 0)
            return;
        std::size_t own = 0;
        for (auto const& c : clients)
            own += c.held_bytes();
        // Beside the sessions: both directions of each connection's network, and what is kept of each that ever was.
        std::size_t const bound = 96 * 1024 + own + clients.size() * (4096 + 6 * net.send_window_bytes) +
                                  (options.max_connections + options.max_unopened) * session_bytes(options);
        FUZZ_REQUIRE(allocated_bytes() <= before + bound);
        FUZZ_REQUIRE(t.most_queued <= options.max_outbox_bytes + 20 * 135);
    };
    for (int commands = 0; !in.empty() && commands != 250; ++commands) {
        auto const op = in.byte();
        if ((op & 15) == 0 && clients.size() < 10) {
            clients.emplace_back(loops.emplace_back(pc::transport::simulated(world)), t.let_in, in.byte());
            continue;
        }
        std::size_t const who = op >> 4U;
        client* const c = clients.empty() ? nullptr : &clients[who % clients.size()];
        switch (op & 15) {
        case 1: {
            auto const bytes = in.take(in.byte());
            if (c)
                c->write(bytes);
            break;
        }
        case 2: {
            auto const b = in.byte();
            std::string const user = small_name(b);
            static constexpr std::string_view tokens[] = {"", "polycast.v1.json", "polycast.v1.json.zstd",
                                                          "polycast.v1.msgpack"};
            if (c)
                c->write(upgrade_request("/?user=" + user, tokens[b >> 3 & 3], (b & 32) != 0));
            break;
        }
        case 3: {
            auto const first = in.byte();
            auto const payload = in.take(in.byte());
            if (c)
                c->write(frame(first, payload));
            break;
        }
        case 4: {
            ask const a{in.byte(), in.byte() * 16U, small_name(in.byte()), std::string(in.take(in.byte() & 63))};
            if (c)
                c->say(a);
            break;
        }
        case 5: world.run_for(std::chrono::microseconds(in.byte()) * 50); break;
        case 6: world.run_for(std::chrono::milliseconds(in.byte()) * 4); break;
        case 7:
            if (c)
                (op & 16) != 0 ? c->shut() : c->drop();
            break;
        case 8:
            if (c)
                c->read(!c->reads());
            break;
        case 9: {
            static constexpr std::string_view said[] = {
                R"({"type":"$open"})",
                R"({"type":"$open","id":1})",
                R"({"type":"$join","id":7,"room":"hall"})",
                R"({"type":"$join","room":"a"})",
                R"({"type":"$leave","id":"x","room":"hall"})",
                R"({"type":"$ping","id":3})",
                R"({"type":"nonsense","id":4,"data":{}})",
                R"({"type":"ask","id":5,"data":{"what":9}})"};
            auto const b = in.byte();
            if (c)
                c->write(frame(static_cast<std::uint8_t>(0x81 + (b >> 7)), said[b & 7]));
            break;
        }
        case 10: {
            auto const b = in.byte();
            std::string const name = small_name(b);
            if ((b & 64) != 0)
                static_cast<void>(out.to_room(name).emit(t.next("", 0, name.empty() ? "hall" : name)));
            else if (!name.empty())
                static_cast<void>(out.to_user(name).emit(t.next(name, 0, "")));
            break;
        }
        case 11: {
            auto const b = in.byte();
            if (!t.open.empty()) {
                auto at = t.open.begin();
                std::advance(at, b % t.open.size());
                pc::handle const h{static_cast<std::uint8_t>(*at >> 56), static_cast<std::uint32_t>(*at >> 32 & 0xFF'FFFF),
                                   static_cast<std::uint32_t>(*at)};
                if (h.value() == *at)
                    static_cast<void>(out.to_session(h).emit(t.next("", *at, "")));
            }
            break;
        }
        case 12:
            if (c)
                c->write(pc::close_frame(static_cast<pc::close_code>(990 + in.byte()), "bye", pc::masking_key{5}).view());
            break;
        case 13:
            if (c)
                c->write(frame(0x89, in.take(in.byte() & 127)));
            break;
        case 14: world.cut_after_bytes(in.byte() * 4U + 1U); break;
        case 15:
            if (who == 15)
                server->stop();
            else
                world.stall_all(std::chrono::milliseconds(in.byte()) * 5);
            break;
        default: break;
        }
        look();
    }
    // Peers that go on reading, or not, and never say another word: every deadline passes.
    world.run_for(4s);
    look();
    for (auto& c : clients)
        c.drop();
    world.run_for(2s);
    FUZZ_REQUIRE(t.open.empty() && t.opened == t.closed && server->connections() == 0);
    FUZZ_REQUIRE(server->count(pc::metric::opened) == t.opened && server->count(pc::metric::closed) == t.closed);
    server->stop();
    world.run_for(1s);
    server.reset();
    clients.clear();
    std::size_t steps = 0;
    while (world.step())
        FUZZ_REQUIRE(++steps < 100'000);
}

#if POLYCAST_WITH_ZLIB
using by_user = pc::server<app, pc::transport::simulated, pc::isolation::per_user<2>,
                           pc::compression::deflate<pc::compression::shared>>;
#else
using by_user = pc::server<app, pc::transport::simulated, pc::isolation::per_user<2>>;
#endif
using in_common = pc::server<app, pc::transport::simulated, pc::compression::zstd<1>, pc::batching::window<3, 20>>;

}  // namespace

FUZZ_TARGET(session)
{
    (in.byte() & 1) != 0 ? play<in_common>(in) : play<by_user>(in);
}
