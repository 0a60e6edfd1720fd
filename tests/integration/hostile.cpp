// Crowds that only take: heads that arrive a byte a second, heads that never end, readers that never read, frames that
// claim more than they bring. The server's memory stays within what its options say, and others are served.

#include <polycast/server.hpp>

#include "../support/memory.hpp"
#include "../support/stage.hpp"

#include <boost/test/unit_test.hpp>

#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

using namespace support;
using pc::metric;
using clock_type = std::chrono::steady_clock;

BOOST_AUTO_TEST_SUITE(hostile_peers)

/// Answers an order with a note; a client that names itself `member` is in the room `hall`.
struct terse {
    using accepts = pc::events<order>;
    pc::identity identify(pc::request const& r) { return {.user = r.query("user").value_or("")}; }
    void opened(auto& s)
    {
        if (s.user() == "member")
            s.join("hall");
    }
    note on(auto&, order const& o) { return {o.n, ""}; }
};

/// A client without a buffer or a thought of its own: the memory that is measured is the server's.
class raw_socket {
public:
    raw_socket(std::uint16_t port, bool small_window)
    {
        fd_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        int const least = 1;  // the kernel rounds it up
        if (small_window)
            ::setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &least, sizeof least);
        ::sockaddr_in to{};
        to.sin_family = AF_INET;
        to.sin_port = htons(port);
        to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        good_ = fd_ >= 0 && ::connect(fd_, reinterpret_cast<::sockaddr*>(&to), sizeof to) == 0;
    }
    raw_socket(raw_socket&& other) noexcept : fd_(std::exchange(other.fd_, -1)), good_(other.good_) {}
    raw_socket& operator=(raw_socket&&) = delete;
    ~raw_socket()
    {
        if (fd_ >= 0)
            ::close(fd_);
    }
    [[nodiscard]] bool good() const noexcept { return good_; }
    bool send(std::string_view bytes) const
    {
        return ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL) == static_cast<::ssize_t>(bytes.size());
    }
    /// What is there now, at most `most` bytes; `ended` if nothing will come any more.
    std::string take(std::size_t most, bool& ended) const
    {
        std::string text(most, '\0');
        auto const n = ::recv(fd_, text.data(), most, MSG_DONTWAIT);
        ended = n == 0 || (n < 0 && errno != EAGAIN);
        text.resize(n > 0 ? static_cast<std::size_t>(n) : 0);
        return text;
    }
    /// Waits for exactly that many bytes.
    std::string wait_for(std::size_t bytes) const
    {
        std::string text(bytes, '\0');
        auto const n = ::recv(fd_, text.data(), bytes, MSG_WAITALL);
        text.resize(n > 0 ? static_cast<std::size_t>(n) : 0);
        return text;
    }
    void patience(std::chrono::seconds limit) const
    {
        ::timeval const t{.tv_sec = limit.count(), .tv_usec = 0};
        ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof t);
    }

private:
    int fd_ = -1;
    bool good_ = false;
};

std::string upgrade(std::string_view target)
{
    return "GET " + std::string(target) + " HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\n"
           "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
}

/// The client that behaves: asks, waits for the answer, asks again.
struct well_behaved {
    raw_socket socket;

    explicit well_behaved(std::uint16_t port) : socket(port, false)
    {
        socket.patience(std::chrono::seconds(20));
        socket.send(upgrade("/?user=good"));
        std::string head;
        while (!head.ends_with("\r\n\r\n")) {
            auto const byte = socket.wait_for(1);
            BOOST_TEST_REQUIRE(!byte.empty());
            head += byte;
        }
        BOOST_TEST_REQUIRE(head.starts_with("HTTP/1.1 101"));
    }
    clock_type::duration ask(int n)
    {
        auto const begun = clock_type::now();
        BOOST_TEST_REQUIRE(socket.send(masked(pc::opcode::text, an_order("note", n))));
        auto const head = socket.wait_for(2);
        BOOST_TEST_REQUIRE(head.size() == 2u);
        auto const payload = socket.wait_for(static_cast<unsigned char>(head[1]));
        BOOST_TEST_REQUIRE(field(payload, "n") == std::to_string(n));
        return clock_type::now() - begun;
    }
    /// The 99th percentile of as many questions as `goes_on` allows, 200 at least.
    template <class Predicate>
    std::chrono::microseconds p99(Predicate goes_on, std::size_t& asked)
    {
        std::vector<clock_type::duration> took;
        for (int n = 1; n <= 200 || goes_on(); ++n)
            took.push_back(ask(n));
        asked = took.size();
        auto const at = took.begin() + static_cast<std::ptrdiff_t>(took.size() * 99 / 100);
        std::ranges::nth_element(took, at);
        return std::chrono::duration_cast<std::chrono::microseconds>(*at);
    }
};

/// Connections inherit it from the listener: what is not read soon waits in the server, not in the kernel.
bool keep_send_buffers_small(std::uint16_t port)
{
    for (int fd = 3; fd != 1024; ++fd) {
        ::sockaddr_in at{};
        ::socklen_t size = sizeof at;
        int listens = 0;
        ::socklen_t one = sizeof listens;
        int const bytes = 8 * 1024;
        if (::getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &one) == 0 && listens != 0 &&
            ::getsockname(fd, reinterpret_cast<::sockaddr*>(&at), &size) == 0 && at.sin_port == htons(port))
            return ::setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes) == 0;
    }
    return false;
}

/// How many connections of each kind: a thousand, if the system lets one process hold both of their ends.
std::size_t crowd_size()
{
    ::rlimit files{};
    ::getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = std::min<::rlim_t>(files.rlim_max, 20'000);
    ::setrlimit(RLIMIT_NOFILE, &files);
    return std::min<std::size_t>(1000, static_cast<std::size_t>(files.rlim_cur - 200) / 11);
}

BOOST_AUTO_TEST_CASE(crowds_of_slow_and_greedy_peers_cost_what_the_options_allow_and_keep_nobody_from_being_served)
{
    std::size_t const crowd = crowd_size();
    BOOST_TEST_REQUIRE(crowd >= 100u);
    constexpr std::size_t note_bytes = 1024;
    pc::server_options o;
    o.port = 0;
    o.max_connections = static_cast<std::uint32_t>(2 * crowd + 1);
    o.max_unopened = 2 * crowd + crowd / 2;
    o.max_outbox_bytes = 32 * 1024;
    o.max_message_bytes = 64 * 1024;
    o.read_buffer_bytes = 64 * 1024;
    o.handshake_timeout = 5s;
    o.close_timeout = 1s;
    o.tick = 100ms;
    pc::server<terse, tcp> server(o);
    server.start();
    auto const port = server.port();
    BOOST_TEST_REQUIRE(keep_send_buffers_small(port));
    well_behaved good(port);
    std::size_t asked_before = 0, asked_meanwhile = 0;
    auto const calm_until = clock_type::now() + 1s;
    auto const p99_before = good.p99([&] { return clock_type::now() < calm_until; }, asked_before);
    auto const memory_before = allocated_bytes();

    std::vector<raw_socket> readers, claimers, slow, unfinished, refused;
    for (auto* const v : {&readers, &claimers, &slow, &unfinished, &refused})
        v->reserve(crowd);
    auto const own_bytes = allocated_bytes() - memory_before;
    auto const add = [&](std::vector<raw_socket>& to, std::size_t count, std::string_view bytes, bool small_window) {
        for (std::size_t i = 0; i != count; ++i) {
            BOOST_TEST_REQUIRE(to.emplace_back(port, small_window).good());
            BOOST_TEST_REQUIRE(to.back().send(bytes));
        }
    };
    auto const wait_until = [](auto done, std::chrono::seconds within) {
        for (auto const end = clock_type::now() + within; !done(); std::this_thread::sleep_for(2ms))
            if (clock_type::now() > end)
                return false;
        return true;
    };
    // Half of the claimers claim 2^62 bytes, half what is allowed; each brings ten.
    std::string const beyond_all = "\x82\xFF\x40" + std::string(7, '\0') + "kkkk" + std::string(10, 'x');
    std::string const all_allowed = masked(pc::opcode::binary, std::string(o.max_message_bytes, 'x')).substr(0, 8 + 6 + 10);
    add(readers, crowd, upgrade("/?user=member"), true);
    add(claimers, crowd / 2, upgrade("/") + beyond_all, true);
    add(claimers, crowd / 2, upgrade("/") + all_allowed, true);
    BOOST_TEST_REQUIRE(wait_until([&] { return server.count(metric::opened) >= 2 * (crowd / 2) + crowd + 1; }, 20s));
    BOOST_TEST(wait_until([&] { return server.connections() == crowd + crowd / 2 + 1; }, 20s));
    add(unfinished, crowd, "GET / HTTP/1.1\r\nHost: x\r\nX: 1", false);
    add(slow, crowd, "G", false);
    auto const begun = clock_type::now();

    std::atomic<bool> over{false};
    std::atomic<std::size_t> broadcasts{0};
    std::thread shouting([&, out = server.emitter()] {
        for (std::string const text(note_bytes, 'x'); !over; std::this_thread::sleep_for(5ms)) {
            static_cast<void>(out.to_room("hall").emit(note{static_cast<int>(++broadcasts), text}));
        }
    });
    std::thread dripping([&] {
        constexpr std::string_view head = "ET / HTTP/1.1\r\n";
        for (std::size_t i = 0; !over && i != head.size(); ++i) {
            for (auto const next = begun + std::chrono::seconds(i + 1); !over && clock_type::now() < next;)
                std::this_thread::sleep_for(5ms);
            if (over)
                return;
            for (auto const& s : slow)
                static_cast<void>(s.send(head.substr(i, 1)));
        }
    });
    std::size_t most = 0;
    auto p99_meanwhile = good.p99(
        [&] {
            if (++asked_meanwhile % 64 == 0)
                most = std::max(most, allocated_bytes());
            return clock_type::now() < begun + 4s;
        },
        asked_meanwhile);
    // There is room for half as many again that have not opened; the other half is shut at once.
    BOOST_TEST(server.connections() == crowd + crowd / 2 + 1);
    for (std::size_t i = 0; i != crowd; ++i)
        BOOST_TEST_REQUIRE(refused.emplace_back(port, false).good());
    std::size_t shut = 0;
    wait_until(
        [&] {
            shut = 0;
            for (auto const& s : refused) {
                bool ended = false;
                static_cast<void>(s.take(64, ended));
                shut += ended;
            }
            return shut >= crowd / 2;
        },
        1s);
    most = std::max(most, allocated_bytes());

    // The deadline comes for all who have not finished their head.
    std::size_t timed_out = 0;
    std::vector<std::uint8_t> told(slow.size() + unfinished.size());
    BOOST_TEST(wait_until(
        [&] {
            most = std::max(most, allocated_bytes());
            for (std::size_t i = 0; i != told.size(); ++i)
                if (told[i] == 0) {
                    bool ended = false;
                    auto const text = (i < slow.size() ? slow[i] : unfinished[i - slow.size()]).take(256, ended);
                    if (text.starts_with("HTTP/1.1 408")) {
                        told[i] = 1;
                        ++timed_out;
                    }
                }
            return timed_out == told.size();
        },
        10s));
    BOOST_TEST(timed_out == told.size());
    over = true;
    shouting.join();
    dripping.join();

    // What each kind may cost. An open or opening session: itself, its place, what the event loop keeps of its
    // descriptor; 2 KiB are twice what one takes. An unfinished head: a string that has grown by doubling. A claimed
    // frame: the assembler's state and what has arrived of it. A reader that does not read: a node for each queued
    // frame; the frames are shared, and there are no more of them than were emitted.
    std::size_t const session = 2048;
    std::size_t const frame = note_bytes + 256, node = 64;
    std::size_t const by_traffic = (readers.size() + claimers.size() + slow.size() + unfinished.size() + crowd / 2 + 1) * session + (slow.size() + unfinished.size()) * 2 * 64 +
                                   claimers.size() * 1024 + readers.size() * (o.max_outbox_bytes / note_bytes + 1) * node +
                                   broadcasts * frame + own_bytes;
    // And whatever anybody sends: heads as long as they may be, messages as long as they may be, full outboxes.
    std::size_t const by_options = o.max_unopened * (session + 2 * pc::head_limits{}.max_head_bytes) +
                                   o.max_connections * (session + 2 * o.max_message_bytes + 2 * o.max_outbox_bytes);
    BOOST_TEST_MESSAGE("crowd of 4 x " << crowd << ": " << (most - memory_before) / 1024 << " KiB at most; bound by what came "
                                       << by_traffic / 1024 << " KiB, by the options " << by_options / 1024 << " KiB; p99 "
                                       << p99_before.count() << " us alone (" << asked_before << "), "
                                       << p99_meanwhile.count() << " us beside them (" << asked_meanwhile << "); "
                                       << broadcasts << " broadcasts, " << shut << " of " << refused.size() << " shut");
    BOOST_TEST(by_traffic < by_options);
    if (memory_before != 0)
        BOOST_TEST(most - memory_before < by_traffic);
    BOOST_TEST(shut == crowd / 2);
    BOOST_TEST(server.count(metric::dropped) > crowd);
    // Generous, as other programs run here too: the simulation below is strict.
    BOOST_TEST(p99_meanwhile.count() < 3 * p99_before.count() + 50'000);
    // And all is well when they have gone.
    for (auto* const v : {&readers, &claimers, &slow, &unfinished, &refused})
        v->clear();
    BOOST_TEST(wait_until([&] { return server.connections() == 1; }, 20s));
    BOOST_TEST(good.ask(7).count() > 0);
    server.stop();
    server.wait();
    BOOST_TEST(server.count(metric::opened) == server.count(metric::closed));
}

BOOST_AUTO_TEST_CASE(a_crowd_that_takes_nothing_costs_no_writes_and_delays_nobody)
{
    constexpr std::size_t crowd = 300;
    pc::transport::network_options network;
    network.send_window_bytes = 4096;
    pc::server_options o;
    o.max_connections = 0;
    o.max_outbox_bytes = 16 * 1024;
    o.tick = 100ms;
    stage<pc::server<terse, sim>> on(o, 1, network);
    auto& good = on.join();
    auto const begun = on.now();
    // The longest that an answer takes, in virtual time, of two hundred.
    auto const worst = [&] {
        std::chrono::nanoseconds most{0};
        for (int n = 0; n != 200; ++n) {
            auto const asked = on.now();
            auto const seen = good.frames.size();
            good.text(an_order("note", n));
            BOOST_TEST_REQUIRE(on.until([&] { return good.frames.size() != seen; }));
            most = std::max<std::chrono::nanoseconds>(most, on.now() - asked);
            on.world.run_for(500us);
        }
        return most;
    };
    auto const there_and_back = 2 * network.latency_max;
    BOOST_TEST((worst() <= there_and_back));

    std::vector<stage<pc::server<terse, sim>>::peer*> slow, unfinished;
    for (std::size_t i = 0; i != crowd; ++i) {
        on.connect({.target = "/?user=member", .answers_close = false, .answers_pings = false, .reads = false});
        slow.push_back(&on.connect({.request = "G"}));
        unfinished.push_back(&on.connect({.request = "GET / HTTP/1.1\r\nHost: x"}));
    }
    auto const out = on.server->emitter();
    auto const shout = [&](int times) {
        for (int i = 0; i != times; ++i) {
            static_cast<void>(out.to_room("hall").emit(note{i, std::string(1000, 'x')}));
            on.world.run_for(1ms);
        }
    };
    BOOST_TEST_REQUIRE(on.until([&] { return on.server->count(metric::opened) == crowd + 1; }));
    shout(30);
    auto const dropped = on.server->count(metric::dropped);
    auto const writes = on.server->count(metric::writes);
    BOOST_TEST(dropped > 0u);
    BOOST_TEST((worst() <= there_and_back));
    BOOST_TEST(on.server->count(metric::writes) == writes + 200);
    shout(50);
    // Each was refused for each member, and nobody's transport was asked.
    BOOST_TEST(on.server->count(metric::dropped) == dropped + 50 * crowd);
    BOOST_TEST(on.server->count(metric::writes) == writes + 200);

    // The slow go on, a byte a second, and end as the others do: at the deadline, told why.
    for (int second = 0; second != 8; ++second) {
        for (auto* const p : slow)
            if (!p->ended)
                p->write("E");
        BOOST_TEST((worst() <= there_and_back));
        on.world.run_for(1s);
        auto const now = on.now() - begun;
        bool const due = now > o.handshake_timeout + o.close_timeout + 1s;
        for (auto const* const kind : {&slow, &unfinished})
            for (auto const* const p : *kind) {
                if (now < o.handshake_timeout)
                    BOOST_TEST(p->status == 0);
                if (due)
                    BOOST_TEST(p->status == 408);
                if (due)
                    BOOST_TEST(p->ended);
            }
    }
    BOOST_TEST(on.server->connections() == crowd + 1);
}

BOOST_AUTO_TEST_SUITE_END()
