// The small rooms of the session core that no socket is needed for.
#include <polycast/session/directory.hpp>
#include <polycast/session/liveness.hpp>
#include <polycast/session/outcome.hpp>
#include <polycast/session/port.hpp>
#include <polycast/session/tokens.hpp>
#include <polycast/batching/window.hpp>
#include <polycast/session/windows.hpp>

#include <polycast/compression/zstd.hpp>
#include <polycast/detail/slot_map.hpp>
#include <polycast/fwd.hpp>
#include <polycast/serializer/json.hpp>
#include <polycast/serializer/raw.hpp>
#include <polycast/server.hpp>
#include <polycast/transport/simulated.hpp>

#include <boost/test/unit_test.hpp>

#include <array>
#include <atomic>
#include <chrono>
#include <iterator>
#include <map>
#include <random>
#include <set>
#include <string>
#include <thread>
#include <tuple>
#include <utility>
#include <vector>

namespace pc = polycast;
using namespace std::chrono_literals;
using pc::outcome;
using pc::detail::waking;
using sim = pc::transport::simulated;

BOOST_AUTO_TEST_SUITE(slot_map)

using pc::detail::slot_map;

struct counted {
    static inline int alive = 0;
    int value;
    std::uint32_t slot;
    template <class Key>
    counted(Key k, int v) : value(v), slot(k.slot)
    {
        ++alive;
    }
    counted(counted const&) = delete;
    ~counted() { --alive; }
};

BOOST_AUTO_TEST_CASE(a_key_finds_its_object_until_it_is_erased_and_never_the_next_one)
{
    slot_map<counted, 4> m;
    counted& a = m.emplace(1);
    slot_map<counted, 4>::key const k{a.slot, 1};
    BOOST_TEST(m.find(k) == &a);
    m.erase(k);
    BOOST_TEST(!m.find(k));
    BOOST_TEST(!m.find({k.slot, 2}));  // even: the slot is free
    counted& b = m.emplace(2);
    BOOST_TEST(b.slot == k.slot);
    BOOST_TEST(!m.find(k));
    BOOST_TEST(m.find({k.slot, 3}) == &b);
    BOOST_TEST(!m.find({}));
    BOOST_TEST(!m.find({1000, 1}));
}

BOOST_AUTO_TEST_CASE(objects_stay_where_they_are_and_are_destroyed_once)
{
    {
        std::mt19937 random(5);
        slot_map<counted, 4> m;
        std::map<std::uint32_t, std::pair<counted*, std::uint32_t>> model;  // slot → object, generation
        std::map<std::uint32_t, std::uint32_t> generation;
        for (int i = 0; i < 3000; ++i) {
            if (random() % 2 == 0 || model.empty()) {
                counted& c = m.emplace(i);
                auto const g = generation[c.slot] += generation[c.slot] == 0 ? 1 : 2;
                BOOST_TEST_REQUIRE(model.emplace(c.slot, std::pair(&c, g)).second);
            } else {
                auto const at = std::next(model.begin(), static_cast<long>(random() % model.size()));
                m.erase({at->first, at->second.second});
                model.erase(at);
            }
            BOOST_TEST_REQUIRE(m.size() == model.size());
            BOOST_TEST_REQUIRE(counted::alive == static_cast<int>(model.size()));
        }
        for (auto const& [slot, entry] : model)
            BOOST_TEST(m.find({slot, entry.second}) == entry.first);
        std::size_t seen = 0;
        m.for_each([&](counted& c, auto key) {
            BOOST_TEST(m.find(key) == &c);
            ++seen;
            if (seen % 2 == 0)
                m.erase(key);
        });
        BOOST_TEST(seen == model.size());
    }
    BOOST_TEST(counted::alive == 0);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(session_bookkeeping)

BOOST_AUTO_TEST_CASE(caps_are_checked_and_counted_in_one_step)
{
    using enum pc::detail::admission;
    pc::detail::directory<true> d(2);
    BOOST_TEST((d.admit("a", 3, 2) == admitted));
    BOOST_TEST((d.admit("a", 3, 2) == admitted));
    BOOST_TEST((d.admit("a", 3, 2) == user_full));
    BOOST_TEST((d.admit("", 3, 2) == admitted));
    BOOST_TEST((d.admit("b", 3, 2) == server_full));
    BOOST_TEST(d.connections() == 3u);
    d.release("a");
    BOOST_TEST((d.admit("b", 3, 2) == admitted));
    for (int i = 0; i < 100; ++i)
        BOOST_TEST((d.admit("b", 0, 0) == admitted));  // 0: no cap
}

BOOST_AUTO_TEST_CASE(a_user_is_on_the_shards_where_he_has_sessions)
{
    pc::detail::directory<true> d(2);
    BOOST_TEST(d.enter("a", 0).empty());
    BOOST_TEST(d.enter("a", 1).empty());
    BOOST_TEST(d.enter("a", 1).empty());
    BOOST_TEST(d.shards_of("a") == 3u);
    d.leave("a", 0);
    BOOST_TEST(d.shards_of("a") == 2u);
    d.leave("a", 1);
    BOOST_TEST(d.shards_of("a") == 2u);
    d.leave("a", 1);
    BOOST_TEST(d.shards_of("a") == 0u);
    BOOST_TEST(d.shards_of("never") == 0u);
}

BOOST_AUTO_TEST_CASE(a_session_is_found_by_its_name_by_its_own_user_only)
{
    pc::detail::directory<true> d(1);
    pc::handle const h{0, 5, 7};
    d.name("s_1", "ada", h);
    BOOST_TEST((d.find("s_1", "ada") == h));
    BOOST_TEST(!d.find("s_1", "eve"));
    BOOST_TEST(!d.find("s_1", ""));
    BOOST_TEST(!d.find("s_2", "ada"));
    d.forget("s_1");
    BOOST_TEST(!d.find("s_1", "ada"));
}

BOOST_AUTO_TEST_CASE(threads_that_are_admitted_at_once_never_exceed_a_cap)
{
    pc::detail::directory<true> d(4);
    std::atomic<int> all{0}, of_a_user[3]{}, over{0}, admitted{0};
    std::vector<std::thread> threads;
    for (std::uint32_t t = 0; t < 4; ++t)
        threads.emplace_back([&, t] {
            std::mt19937 random(t);
            for (int i = 0; i < 5000; ++i) {
                auto const u = random() % 3;
                std::string const name = "user" + std::to_string(u);
                if (d.admit(name, 5, 2) != pc::detail::admission::admitted)
                    continue;
                ++admitted;
                if (++all > 5 || ++of_a_user[u] > 2)
                    ++over;
                std::this_thread::yield();
                --of_a_user[u];
                --all;
                d.release(name);
            }
        });
    for (auto& t : threads)
        t.join();
    BOOST_TEST(over == 0);
    BOOST_TEST(admitted > 0);
    BOOST_TEST(d.connections() == 0u);
}

BOOST_AUTO_TEST_CASE(a_handle_is_open_only_while_its_session_is)
{
    pc::detail::liveness l;
    pc::handle const h{0, 5000, 7};
    BOOST_TEST(!l.open(h));
    l.set(5000, 7);
    BOOST_TEST(l.open(h));
    BOOST_TEST(!l.open({0, 5000, 9}));
    BOOST_TEST(!l.open({0, 5001, 7}));
    BOOST_TEST(!l.open({0, 0xFF'FFFF, 7}));
    l.set(5000, 0);
    BOOST_TEST(!l.open(h));
    BOOST_TEST(!l.open({0, 5000, 0}));
}

BOOST_AUTO_TEST_CASE(handles_of_different_sessions_are_different_numbers)
{
    std::set<std::uint64_t> seen;
    for (std::uint8_t const shard : {std::uint8_t{0}, std::uint8_t{1}, std::uint8_t{63}})
        for (std::uint32_t slot : {0u, 1u, 0xFF'FFFFu})
            for (std::uint32_t generation : {1u, 3u, 0xFFFF'FFFFu})
                BOOST_TEST(seen.insert(pc::handle{shard, slot & 0xFF'FFFF, generation}.value()).second);
    BOOST_TEST(!pc::handle{});
    BOOST_TEST((!!pc::handle{0, 0, 1}));
}

BOOST_AUTO_TEST_CASE(a_fan_out_is_as_good_as_its_best_receiver)
{
    pc::sent s;
    BOOST_TEST((s.status == outcome::gone));
    BOOST_TEST(!accepted(s));
    s.count(outcome::over_budget);
    BOOST_TEST((s.status == outcome::over_budget));
    s.count(outcome::queued);
    BOOST_TEST((s.status == outcome::queued));
    s.count(outcome::over_budget);
    BOOST_TEST((s.status == outcome::queued));
    BOOST_TEST(accepted(s));
    BOOST_TEST(s.receivers == 3u);
    BOOST_TEST(s.queued == 1u);
    BOOST_TEST(s.refused == 2u);
}

BOOST_AUTO_TEST_CASE(tokens_are_those_of_the_wire_protocol)
{
    using namespace pc::detail;
    using pc::serializer::json;
    static_assert(subprotocols<json, pc::compression::identity> == std::array<std::string_view, 1>{"polycast.v1.json"});
    static_assert(subprotocols<json, pc::compression::zstd<3>> ==
                  std::array<std::string_view, 2>{"polycast.v1.json.zstd", "polycast.v1.json"});
    static_assert(subprotocols<pc::serializer::raw, pc::compression::identity>.empty());
    BOOST_TEST(true);
}

using C = pc::detail::server_composition<sim>;

BOOST_AUTO_TEST_CASE(a_mailbox_takes_nothing_before_it_is_open_after_it_is_closed_or_when_it_is_full)
{
    pc::transport::world w{1};
    sim::loop loop{w};
    sim::notifier wakes{loop};
    int woken = 0;
    wakes.wait([&] { ++woken; });
    pc::detail::mailbox<C> box;
    BOOST_TEST((box.push({}, waking::at_once) == outcome::gone));
    box.open(wakes, 2, 1000);
    BOOST_TEST(!box.any());
    BOOST_TEST((box.push({.name = "1"}, waking::at_once) == outcome::queued));
    BOOST_TEST((box.push({.name = "2"}, waking::at_once) == outcome::queued));
    BOOST_TEST((box.push({.name = "3"}, waking::at_once) == outcome::over_budget));
    w.run_until_idle();
    BOOST_TEST(woken == 1);  // wake-ups merge
    std::vector<pc::detail::posted<C>> mail;
    BOOST_TEST(box.any());
    box.take(mail);
    BOOST_TEST(!box.any());
    BOOST_REQUIRE(mail.size() == 2u);
    BOOST_TEST(mail[0].name == "1");
    BOOST_TEST(mail[1].name == "2");
    BOOST_TEST((box.push({}, waking::at_once) == outcome::queued));
    BOOST_TEST(box.close() == 1u);
    BOOST_TEST((box.push({}, waking::at_once) == outcome::gone));
}

BOOST_AUTO_TEST_CASE(a_mailbox_is_bounded_in_bytes_too)
{
    pc::transport::world w{1};
    sim::loop loop{w};
    sim::notifier wakes{loop};
    pc::detail::mailbox<C> box;
    box.open(wakes, 100, 2000);
    auto const kilobyte = [] {
        return pc::detail::posted<C>{.frames = pc::detail::encode_message<C>(
                                         C::compression(), std::string(900, 'k'), pc::opcode::text,
                                         [](std::size_t) { return true; }, [](pc::metric) {})};
    };
    int accepted = 0;
    while (accepted < 10 && box.push(kilobyte(), waking::never) == outcome::queued)
        ++accepted;
    BOOST_TEST(accepted == 2);
    BOOST_TEST((box.push(kilobyte(), waking::never) == outcome::over_budget));
    std::vector<pc::detail::posted<C>> mail;
    box.take(mail);
    BOOST_TEST(mail.size() == 2u);
    BOOST_TEST((box.push(kilobyte(), waking::never) == outcome::queued));
}

BOOST_AUTO_TEST_CASE(a_push_from_the_shards_own_thread_wakes_nobody)
{
    pc::transport::world w{1};
    sim::loop loop{w};
    sim::notifier wakes{loop};
    int woken = 0;
    wakes.wait([&] { ++woken; });
    pc::detail::mailbox<C> box;
    box.open(wakes, 10, 1000);
    BOOST_TEST((box.push({}, waking::never) == outcome::queued));
    w.run_until_idle();
    BOOST_TEST(woken == 0);
    BOOST_TEST(box.any());
}

BOOST_AUTO_TEST_CASE(a_push_of_another_turn_wakes_when_much_waits_or_when_it_ends)
{
    pc::transport::world w{1};
    sim::loop loop{w};
    sim::notifier wakes{loop};
    int woken = 0;
    auto const listen = [&](auto& self) -> void {
        wakes.wait([&] {
            ++woken;
            self(self);
        });
    };
    listen(listen);
    pc::detail::mailbox<C> box;
    box.open(wakes, 640, 256'000);
    for (int i = 0; i < 10; ++i)
        BOOST_TEST((box.push({}, waking::when_much) == outcome::queued));
    w.run_until_idle();
    BOOST_TEST(woken == 0);
    BOOST_TEST(box.any());
    for (int i = 0; i < 10; ++i)
        BOOST_TEST((box.push({}, waking::when_much) == outcome::queued));
    w.run_until_idle();
    BOOST_TEST(woken == 1);  // for all of it
    box.wake();
    w.run_until_idle();
    BOOST_TEST(woken == 1);
    std::vector<pc::detail::posted<C>> mail;
    box.take(mail);
    BOOST_TEST(mail.size() == 20u);
    box.wake();  // nothing waits
    w.run_until_idle();
    BOOST_TEST(woken == 1);
    BOOST_TEST((box.push({}, waking::when_much) == outcome::queued));
    box.wake();
    w.run_until_idle();
    BOOST_TEST(woken == 2);
}

BOOST_AUTO_TEST_CASE(a_port_names_every_shard_by_a_bit)
{
    pc::transport::world w{1};
    BOOST_TEST(pc::detail::port<C>(1, w, {}, {}, "epoch").every_shard() == 1u);
    BOOST_TEST(pc::detail::port<C>(3, w, {}, {}, "epoch").every_shard() == 7u);
    BOOST_TEST(pc::detail::port<C>(64, w, {}, {}, "epoch").every_shard() == ~std::uint64_t{0});
    pc::detail::port<C> p(2, w, {}, {}, "epoch");
    BOOST_TEST(!p.is_open());
    BOOST_TEST((p.post(3, {}).status == outcome::gone));
}

/// As much of a shard as `windows` asks for.
struct fake_shard {
    using loop_type = sim::loop;
    using transport_type = sim;
    struct composition_type {
        using batching = pc::batching::window<10, 2000>;
    };
    static constexpr std::chrono::milliseconds window_delay{2000};
    struct step {
        fake_shard* on;
        void (fake_shard::*what)();
        void operator()() const { (on->*what)(); }
    };
    struct out_type {
        std::vector<std::tuple<std::uint32_t, std::uint32_t, std::chrono::steady_clock::time_point>> closed;
        fake_shard* owner;
        void window_closed(pc::handle const& h, pc::lane, std::uint32_t serial)
        {
            closed.emplace_back(h.slot, serial, owner->loop().now());
        }
    };
    pc::transport::world w{1};
    sim::loop loop_{w};
    out_type out_{{}, this};
    std::map<std::uint32_t, pc::handle> sessions;
    pc::detail::windows<fake_shard>* windows = nullptr;
    void close_windows() { windows->close_due(*this); }
    sim::loop& loop() { return loop_; }
    out_type& out() { return out_; }
    pc::handle* find(pc::handle h)
    {
        auto const at = sessions.find(h.slot);
        return at == sessions.end() ? nullptr : &at->second;
    }
};

BOOST_AUTO_TEST_CASE(windows_close_in_the_order_they_opened_each_after_its_delay)
{
    fake_shard shard;
    pc::detail::windows<fake_shard> windows(shard.loop());
    shard.windows = &windows;
    std::map<std::uint32_t, pc::detail::windows<fake_shard>::serials> serials;
    std::vector<std::chrono::steady_clock::time_point> opened;
    for (std::uint32_t i = 0; i < 10; ++i) {
        pc::handle const h{0, i & 0xFF'FFFF, 1};
        shard.sessions[i] = h;
        windows.open(shard, h, serials[i], pc::lane::normal);
        opened.push_back(shard.loop().now());
        shard.w.run_for(150ms);
    }
    shard.sessions.erase(4);  // has closed meanwhile
    windows.forget(serials[5], pc::lane::normal);
    shard.w.run_for(5s);
    BOOST_REQUIRE(shard.out().closed.size() == 9u);
    for (auto const& [slot, serial, at] : shard.out().closed) {
        BOOST_TEST((at == opened[slot] + 2s));
        BOOST_TEST(pc::detail::windows<fake_shard>::matches(serials[slot], pc::lane::normal, serial) == (slot != 5));
        BOOST_TEST(!pc::detail::windows<fake_shard>::matches(serials[slot], pc::lane::batch, serial));
    }
}

BOOST_AUTO_TEST_SUITE_END()
