// Fifty clients of a busy server, behind a proxy that cuts connections at random in the middle of frames. Nothing is
// missing, nothing comes twice, each request runs once, and who was cut is back soon.
//
// POLYCAST_CHURN_SECONDS says for how long (10).

#include <polycast/client.hpp>
#include <polycast/delivery/at_least_once.hpp>
#include <polycast/server.hpp>

#include "../support/cutting_proxy.hpp"
#include "../support/stage.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

using namespace support;
using pc::metric;
using clock_type = std::chrono::steady_clock;

namespace {

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
constexpr int patience = 5;  // a sanitizer makes everything that much slower: fewer events, more time
#else
constexpr int patience = 1;
#endif
constexpr double back_within = 3.0 * patience;  // seconds

constexpr int client_count = 50, raw_count = 4, room_count = 5, loop_count = 3;

struct deed {
    int n = 0;
};
/// To one user; numbered from 1.
struct letter {
    int n = 0;
};
/// To a room; its number is its offset.
struct call {
    int n = 0;
};

std::string room_name(int i) { return "room" + std::to_string(i % room_count); }

/// A user as the server knows him.
struct resident {
    std::string name;
    int ran = 0;         ///< deeds
    int wrong_deeds = 0;
    std::atomic<bool> retired{false};
    std::atomic<int> letters{0};
};

struct book {
    std::mutex mutex{};
    std::deque<resident> residents{};  ///< who has done his first deed
    std::map<std::string, resident*, std::less<>> by_name{};
    std::map<std::uint64_t, int> open{};  ///< handle → opened minus closed
    int opened = 0, closed = 0, expired = 0, away = 0, resumed = 0, wrong_hooks = 0, wrong_tallies = 0;
    std::uint64_t dropped_of_leavers = 0;  ///< of clients that closed with 1000
};

struct town {
    using accepts = pc::events<deed>;
    book* b;

    pc::identity identify(pc::request const& r) { return {.user = r.query("user").value_or("")}; }
    void opened(auto& s)
    {
        std::lock_guard const lock(b->mutex);
        ++b->opened;
        b->wrong_hooks += b->open[s.handle().value()]++ != 0;
    }
    void closed(auto& s, pc::close_info const& info)
    {
        std::lock_guard const lock(b->mutex);
        ++b->closed;
        b->wrong_hooks += b->open[s.handle().value()]++ != 1;
        pc::tally const t = s.tally();
        b->wrong_tallies += t.published != t.delivered + t.coalesced + t.dropped + t.pending;
        if (info.code == pc::close_code::normal)
            b->dropped_of_leavers += t.dropped + t.pending;
    }
    void away(auto& s, pc::close_info const&) { note_of(s, b->away); }
    void resumed(auto& s) { note_of(s, b->resumed); }
    void expired(auto& s, pc::tally const&) { note_of(s, b->expired); }
    void on(auto& s, deed const& d)
    {
        std::lock_guard const lock(b->mutex);
        auto at = b->by_name.find(s.user());
        if (at == b->by_name.end()) {
            resident& fresh = b->residents.emplace_back();
            fresh.name = s.user();
            at = b->by_name.emplace(fresh.name, &fresh).first;
        }
        resident& r = *at->second;
        r.wrong_deeds += d.n != ++r.ran;
    }

private:
    void note_of(auto& s, int& counter)
    {
        std::lock_guard const lock(b->mutex);
        ++counter;
        b->wrong_hooks += b->open[s.handle().value()] != 1;
    }
};

/// What one client object has seen. Its loop writes it; others read it when that is over, or the atomics.
struct life {
    std::string user;
    std::size_t at = 0;  ///< how the proxy knows it
    std::vector<std::string> rooms{};
    cutting_proxy* proxy = nullptr;
    bool live = true;
    int asked = 0;

    std::atomic<int> letters{0}, answered{0};
    std::array<std::atomic<int>, room_count> last{};  ///< call of each room
    std::array<int, room_count> joined_at{-1, -1, -1, -1, -1};
    std::atomic<int> wrong{0}, gaps{0}, opened{0}, anew{0};
    std::uint64_t last_id = 0;
    clock_type::time_point ended_at{};
    clock_type::duration longest_cut{}, longest_closed{};

    void came(letter const& e) { wrong += e.n != letters.fetch_add(1) + 1; }
    void came(call const& e, std::string_view room, std::uint64_t offset)
    {
        auto const i = static_cast<std::size_t>(room.back() - '0');
        int const before = last[i].load();
        bool const first = before == 0;
        // The first is at most the one behind what the join was told, if that was told yet.
        wrong += first ? joined_at[i] >= 0 && e.n > joined_at[i] + 1 : e.n != before + 1;
        wrong += static_cast<std::uint64_t>(e.n) != offset;
        last[i] = e.n;
    }
    void joined(std::string_view room, int offset)
    {
        auto const i = static_cast<std::size_t>(room.back() - '0');
        if (joined_at[i] < 0)
            joined_at[i] = offset;
    }
    void is_back()
    {
        auto const now = clock_type::now();
        if (auto const cut = proxy->take_cut(at); cut != clock_type::time_point())
            longest_cut = std::max(longest_cut, now - cut);
        if (ended_at != clock_type::time_point())
            longest_closed = std::max(longest_closed, now - ended_at);
        ++opened;
    }
};

struct visitor {
    using accepts = pc::events<letter, call>;
    life* l;

    void on(auto&, letter const& e) { l->came(e); }
    void on(auto&, call const& e, pc::envelope const& around) { l->came(e, around.room, around.offset.value_or(0)); }
    void on_control(auto&, pc::envelope const& said)
    {
        if (said.type == "$ok" && said.room.starts_with("room"))
            l->joined(said.room, static_cast<int>(said.offset.value_or(0)));
        l->anew += said.type == "$hello" && !said.resumed.value_or(false);
    }
    void opened(auto&) { l->is_back(); }
    void closed(auto&, pc::close_info const&) { l->ended_at = clock_type::now(); }
    void gap(auto&, std::uint64_t, std::uint64_t, std::string_view) { ++l->gaps; }
    void answered(auto&, std::uint64_t id, pc::envelope const& said)
    {
        l->wrong += id <= std::exchange(l->last_id, id) || said.type != "$ok";
        ++l->answered;
    }
};

using churn_server = pc::server<town, pc::delivery::at_least_once<>>;
using churn_client = pc::client<visitor, pc::delivery::at_least_once<>>;

/// A client of the protocol, word by word. At times it forgets its session and begins anew: then the rooms' histories
/// have what it missed.
struct raw_client {
    raw_client(tcp::loop& l, cutting_proxy& p, std::size_t number, std::string name)
        : loop(l), proxy(p), at(number), user(std::move(name))
    {
    }
    tcp::loop& loop;
    cutting_proxy& proxy;
    std::size_t at;
    std::string user;
    std::deque<raw_peer<tcp>> peers{};  ///< the last is the one; what waits for the others still refers to them
    raw_peer<tcp>* peer = nullptr;
    std::size_t looked_at = 0;
    std::string session{}, epoch{};
    std::uint64_t received = 0, acked = 0;
    std::map<std::string, int, std::less<>> seen{};  ///< offset of each room
    int connections = 0, begun_anew = 0, wrong = 0, gaps = 0, events = 0;
    clock_type::time_point ended_at{};
    clock_type::duration longest{};

    void connect()
    {
        ended_at = clock_type::now();
        looked_at = 0;
        ++connections;
        peer = &peers.emplace_back(
            loop, proxy.port(),
            peer_options{.target = "/?user=" + user + "&at=" + std::to_string(at), .tokens = {"polycast.v1.json"}, .says_open = false});
        peer->text(session.empty() ? R"({"type":"$open"})"
                                   : R"({"type":"$open","session":")" + session + R"(","received":)" + std::to_string(received) + "}");
    }
    /// Begins anew, as a process that was killed and has only kept which offsets it had seen.
    void restart()
    {
        session.clear();
        received = acked = 0;
        ++begun_anew;
        peer->drop();
        connect();
    }
    void turn()
    {
        if (peer->ended)
            return connect();
        for (; looked_at < peer->frames.size() && !peer->ended; ++looked_at) {
            std::string const text = std::move(peer->frames[looked_at].payload);
            for (std::size_t from = 0; from <= text.size();) {
                auto const end = std::min(text.find('\n', from), text.size());
                take(text.substr(from, end - from));
                from = end + 1;
            }
        }
        if (peer->status == 101)
            peer->received.clear();  // minutes of it
        if (received - acked >= 16)
            acknowledge();
    }
    void acknowledge()
    {
        acked = received;
        peer->text(R"({"type":"$ack","received":)" + std::to_string(received) + "}");
    }
    void leave()
    {
        acknowledge();
        peer->close();
    }
    void take(std::string const& said)
    {
        auto const type = type_of(said);
        if (type == "$hello") {
            longest = std::max(longest, clock_type::now() - ended_at);
            bool const resumed = field(said, "resumed") == "true";
            wrong += resumed == session.empty();
            session = field(said, "session");
            if (!resumed)
                for (int i = 0; i < 2; ++i) {
                    auto const room = room_name(static_cast<int>(at) + i);
                    peer->text(R"({"type":"$join","id":)" + std::to_string(i) + R"(,"room":")" + room + "\"" +
                               (seen.contains(room) ? R"(,"since":)" + std::to_string(seen[room]) + R"(,"epoch":")" + epoch + "\"" : "") + "}");
                }
        } else if (type == "$ok") {
            epoch = field(said, "epoch");
            auto const room = field(said, "room");
            if (auto const recovered = field(said, "recovered"); recovered.empty())
                seen.try_emplace(room, std::stoi(field(said, "offset")));
            else
                wrong += recovered != "true";
        } else if (type == "$gap") {
            ++gaps;
        } else if (type == "call") {
            ++received;
            int const n = std::stoi(field(said, "n"));
            auto const room = seen.find(field(said, "room"));
            if (room == seen.end())
                ++wrong;
            else if (n > room->second) {
                wrong += n != room->second + 1;
                room->second = n;
                ++events;
            }
        } else {
            ++wrong;
        }
    }
};

/// Emits at a steady pace until told to stop.
template <class F>
std::thread paced(std::atomic<bool>& over, std::chrono::milliseconds pace, F f)
{
    return std::thread([&over, pace, f]() mutable {
        for (auto next = clock_type::now(); !over; next += pace) {
            std::this_thread::sleep_until(next);
            f();
        }
    });
}

double seconds(clock_type::duration d) { return std::chrono::duration<double>(d).count(); }

}  // namespace

BOOST_AUTO_TEST_SUITE(reconnecting_clients)

BOOST_AUTO_TEST_CASE(clients_that_are_cut_and_restarted_at_random_miss_nothing_and_are_back_within_three_seconds)
{
    char const* const asked_for = std::getenv("POLYCAST_CHURN_SECONDS");
    auto const lasts = std::chrono::seconds(asked_for != nullptr ? std::atoi(asked_for) : 10);
    book b;
    pc::server_options options;
    options.port = 0;
    options.shards = 2;
    options.max_connections = 0;
    options.delivery.resume_window = 10s * patience;
    options.history = {.max_events = 20'000, .max_bytes = 16 << 20};
    options.tick = 100ms;
    churn_server server(options, town{&b});
    server.start();
    cutting_proxy proxy(server.port(), 40ms * patience, 2026);

    std::deque<tcp::loop> loops;
    for (int i = 0; i < loop_count; ++i)
        loops.emplace_back();
    std::deque<life> lives;
    struct seat {
        std::unique_ptr<churn_client> client{};
        life* l = nullptr;
        int generation = 0;
    };
    std::vector<seat> seats(client_count);
    auto const sit = [&](std::size_t i) {
        seat& s = seats[i];
        life& l = lives.emplace_back();
        l.user = "c" + std::to_string(i) + "." + std::to_string(s.generation++);
        l.at = i;
        l.proxy = &proxy;
        pc::client_options o;
        o.url = "ws://127.0.0.1:" + std::to_string(proxy.port()) + "/?user=" + l.user + "&at=" + std::to_string(i);
        o.backoff = {.initial = 50ms, .cap = 400ms};
        o.connect_timeout = 1s * patience;
        o.close_timeout = 1s;
        o.heartbeat = {.interval = 300ms * patience, .timeout = 1s * patience};
        s.l = &l;
        s.client = std::make_unique<churn_client>(loops[i % loop_count], o, visitor{&l});
        for (int k = 0; k < 2; ++k)
            l.rooms.push_back(room_name(static_cast<int>(i) + k));
        for (auto const& room : l.rooms)
            s.client->join(room);
        s.client->start();
    };
    /// The client object goes without a word.
    auto const leave = [&](std::size_t i) {
        seat& s = seats[i];
        s.l->live = false;
        {
            std::lock_guard const lock(b.mutex);
            if (auto const at = b.by_name.find(s.l->user); at != b.by_name.end())
                at->second->retired = true;
        }
        loops[i % loop_count].post([gone = std::move(s.client)]() mutable { gone.reset(); });
    };
    for (std::size_t i = 0; i < client_count; ++i)
        sit(i);
    for (auto& l : loops)
        l.launch();
    tcp::loop own_loop;
    std::deque<raw_client> raw;
    for (std::size_t i = 0; i < raw_count; ++i) {
        raw.emplace_back(own_loop, proxy, client_count + i, "raw" + std::to_string(i));
        raw.back().connect();
    }

    std::atomic<bool> over{false};
    std::atomic<int> refused{0};
    std::array<std::atomic<int>, room_count> calls{};
    std::vector<std::thread> emitters;
    for (std::size_t r = 0; r < room_count; ++r)
        emitters.push_back(paced(over, 20ms * patience, [&, r, out = server.emitter()] {
            refused += !accepted(out.to_room(room_name(static_cast<int>(r))).emit(call{++calls[r]}));
        }));
    emitters.push_back(paced(over, 100ms * patience, [&, out = server.emitter()] {
        std::vector<resident*> to;
        {
            std::lock_guard const lock(b.mutex);
            for (resident& r : b.residents)
                if (!r.retired)
                    to.push_back(&r);
        }
        for (resident* const r : to)
            refused += !accepted(out.to_user(r->name).emit(letter{++r->letters}));
    }));

    // Main thread: raw clients, requests, and now and then a client that is replaced.
    std::mt19937 chance(7);
    int replaced = 0, restarted = 0;
    bool ids = true;
    auto const turn_raw = [&] {
        own_loop.context().run_one_for(2ms);
        for (auto& r : raw)
            r.turn();
    };
    auto next_deed = clock_type::now(), next_restart = next_deed + 400ms;
    for (auto const end = clock_type::now() + lasts; clock_type::now() < end; turn_raw()) {
        if (auto const now = clock_type::now(); now >= next_deed) {
            next_deed = now + 100ms * patience;
            for (seat& s : seats)
                ids = ids && s.client->request(deed{++s.l->asked}) != 0;
            if (now >= next_restart) {
                next_restart = now + 400ms * patience;
                std::size_t const who = chance() % client_count;
                leave(who);
                sit(who);
                ids = ids && seats[who].client->request(deed{++seats[who].l->asked}) != 0;
                ++replaced;
                raw[chance() % raw_count].restart();
                ++restarted;
            }
        }
    }
    proxy.calm();
    over = true;
    for (auto& t : emitters)
        t.join();

    // All that was said arrives.
    auto const letters_of = [&](life const& l) {
        std::lock_guard const lock(b.mutex);
        auto const at = b.by_name.find(l.user);
        return at == b.by_name.end() ? -1 : at->second->letters.load();
    };
    auto const has_all = [&](life const& l) {
        bool calls_too = true;
        for (auto const& room : l.rooms) {
            auto const r = static_cast<std::size_t>(room.back() - '0');
            calls_too = calls_too && l.last[r] == calls[r];
        }
        return calls_too && l.answered == l.asked && l.letters == letters_of(l);
    };
    auto const raw_has_all = [&](raw_client const& r) {
        return r.seen.size() == 2 && std::ranges::all_of(r.seen, [&](auto const& s) {
            return s.second == calls[static_cast<std::size_t>(s.first.back() - '0')];
        });
    };
    for (auto const end = clock_type::now() + 30s * patience; clock_type::now() < end; turn_raw())
        if (std::ranges::all_of(lives, [&](life const& l) { return !l.live || has_all(l); }) && std::ranges::all_of(raw, raw_has_all))
            break;
    for (seat& s : seats)
        s.client->stop();
    for (auto& r : raw)
        r.leave();
    for (auto const end = clock_type::now() + 10s * patience; clock_type::now() < end && server.connections() != 0;)
        own_loop.context().run_one_for(2ms);
    for (auto& l : loops)
        l.stop();
    for (auto& l : loops)
        l.join();
    server.stop();
    server.wait();

    std::uint64_t events = 0, answers = 0, reconnects = 0;
    clock_type::duration longest{};
    for (life const& l : lives) {
        BOOST_TEST_CONTEXT("client " << l.user << (l.live ? "" : ", which was abandoned"))
        {
            BOOST_TEST(l.wrong == 0);
            BOOST_TEST(l.gaps == 0);
            if (l.live) {
                BOOST_TEST(has_all(l));
                BOOST_TEST(l.answered == l.asked);
                BOOST_TEST(l.letters == letters_of(l));
                BOOST_TEST(l.anew == 1);  // what it was told of a session, it resumed
                BOOST_TEST(b.by_name.at(l.user)->ran == l.asked);
            }
            BOOST_TEST(seconds(l.longest_cut) < back_within);
            BOOST_TEST(seconds(l.longest_closed) < back_within);
        }
        longest = std::max({longest, l.longest_cut, l.longest_closed});
        for (std::size_t r = 0; r < room_count; ++r)
            events += static_cast<std::uint64_t>(l.last[r] - std::max(0, l.joined_at[r]));
        events += static_cast<std::uint64_t>(l.letters);
        answers += static_cast<std::uint64_t>(l.answered);
        reconnects += static_cast<std::uint64_t>(std::max(0, l.opened - 1));
    }
    for (raw_client const& r : raw) {
        BOOST_TEST_CONTEXT(r.user)
        {
            BOOST_TEST(r.wrong == 0);
            BOOST_TEST(r.gaps == 0);
            BOOST_TEST(raw_has_all(r));
            BOOST_TEST(seconds(r.longest) < back_within);
        }
        events += static_cast<std::uint64_t>(r.events);
        longest = std::max(longest, r.longest);
    }
    for (resident const& r : b.residents)
        BOOST_TEST(r.wrong_deeds == 0, r.name << " had " << r.wrong_deeds << " requests out of order or twice");
    BOOST_TEST(ids);
    BOOST_TEST(refused == 0);
    BOOST_TEST(b.wrong_hooks == 0);
    BOOST_TEST(b.wrong_tallies == 0);
    BOOST_TEST(b.dropped_of_leavers == 0u);
    BOOST_TEST(b.opened == b.closed);
    BOOST_TEST(server.count(metric::published) ==
               server.count(metric::delivered) + server.count(metric::coalesced) + server.count(metric::dropped));
    auto const& cut = proxy.counts();
    BOOST_TEST(cut.all_cuts() > 10u);
    BOOST_TEST(reconnects > 10u);
    std::printf("churn: %lld s, %llu cuts (%llu reset, %llu ended, %llu silent, %llu half-open at the server; %llu in the middle "
                "of a write), %d clients and %d raw ones replaced; %llu reconnects, %d resumed, %d away, %d expired, %llu replayed; "
                "%llu events, %llu requests, %llu repeated; longest time to be back %.2f s\n",
                static_cast<long long>(lasts.count()), static_cast<unsigned long long>(cut.all_cuts()),
                static_cast<unsigned long long>(cut.cuts[0]), static_cast<unsigned long long>(cut.cuts[1]),
                static_cast<unsigned long long>(cut.cuts[2]), static_cast<unsigned long long>(cut.cuts[3]),
                static_cast<unsigned long long>(cut.in_frames), replaced, restarted, static_cast<unsigned long long>(reconnects),
                b.resumed, b.away, b.expired, static_cast<unsigned long long>(server.count(metric::replayed)),
                static_cast<unsigned long long>(events), static_cast<unsigned long long>(answers),
                static_cast<unsigned long long>(server.count(metric::repeated)), seconds(longest));
}

BOOST_AUTO_TEST_SUITE_END()
