// How long an event of the high lane takes to a receiver whose batch lane is saturated, and how long without that.
//
//   high_lane [--seconds 8] [--receive-buffer BYTES] [--at-least-once]
//
// One server, one connection over TCP. A producer keeps the batch lane full: it emits whenever there is room, and the
// receiver reads as fast as it can. A thread emits a high event every millisecond or so, stamped with the time; the
// receiver takes the difference. Half a second without the producer and half a second with it take turns. Prints one line
// of JSON.
#include <polycast/delivery/at_least_once.hpp>
#include <polycast/event/describe.hpp>
#include <polycast/server.hpp>

#include "../../examples/load/wire.hpp"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace pc = polycast;

/// The client's wish: that the batch lane be full from now on, or be left alone.
struct fill {
    bool on = false;
};
struct alarm_raised {
    std::int64_t at_ns = 0;
};
struct row {
    std::string text;
};

template <>
struct polycast::event_traits<alarm_raised> {
    static constexpr polycast::lane lane = polycast::lane::high;
};
template <>
struct polycast::event_traits<row> {
    static constexpr polycast::lane lane = polycast::lane::batch;
};

namespace {

std::int64_t now_ns()
{
    return std::chrono::steady_clock::now().time_since_epoch().count();
}

struct shared_state {
    std::atomic<bool> filling{false};
    std::atomic<std::uint64_t> session{0};
    pc::handle of{};
};

struct application {
    using accepts = pc::events<fill>;
    shared_state* state;

    void opened(auto& s)
    {
        state->of = s.handle();
        state->session = 1;
    }
    void on(auto& s, fill const& f)
    {
        if (!state->filling.exchange(f.on) && f.on)
            produce(s);
    }

private:
    pc::producer produce(auto& s)
    {
        row const r{std::string(1000, 'x')};
        while (state->filling && co_await s.room_to_send())
            s.emit(r);
    }
};

class receiver {
public:
    receiver(std::uint16_t port, int receive_buffer, bool reliable)
    {
        fd_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (receive_buffer != 0)
            ::setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
        ::sockaddr_in to{};
        to.sin_family = AF_INET;
        to.sin_port = htons(port);
        to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        if (::connect(fd_, reinterpret_cast<::sockaddr*>(&to), sizeof to) != 0)
            throw std::runtime_error("cannot connect");
        auto const request = load::make_handshake_request(reliable ? "polycast.v1.json" : "");
        if (::send(fd_, request.data(), request.size(), MSG_NOSIGNAL) != static_cast<::ssize_t>(request.size()))
            throw std::runtime_error("cannot send");
        while (in_.find("\r\n\r\n") == in_.npos)
            read();
        in_.erase(0, in_.find("\r\n\r\n") + 4);
        if (reliable)
            say(R"({"type":"$open"})");
        reliable_ = reliable;
    }
    receiver(receiver const&) = delete;
    ~receiver() { ::close(fd_); }

    void say(std::string_view payload) const
    {
        auto const frame = load::make_client_frame(load::opcode::text, payload);
        static_cast<void>(::send(fd_, frame.data(), frame.size(), MSG_NOSIGNAL));
    }
    /// Reads until `end`; the latencies of high events, in ns.
    std::vector<std::int64_t> listen(std::int64_t end, std::uint64_t& batch_bytes)
    {
        std::vector<std::int64_t> took;
        while (now_ns() < end) {
            read();
            take(took, batch_bytes);
        }
        return took;
    }

private:
    void read()
    {
        auto const had = in_.size();
        in_.resize(had + 64 * 1024);
        auto const n = ::recv(fd_, in_.data() + had, in_.size() - had, 0);
        if (n <= 0)
            throw std::runtime_error("the server ended the connection");
        in_.resize(had + static_cast<std::size_t>(n));
    }
    void take(std::vector<std::int64_t>& took, std::uint64_t& batch_bytes)
    {
        auto const now = now_ns();
        std::size_t at = 0;
        for (;;) {
            auto const have = in_.size() - at;
            if (have < 2)
                break;
            auto const byte = [&](std::size_t i) { return static_cast<unsigned char>(in_[at + i]); };
            std::size_t const more = byte(1) == 126 ? 2 : byte(1) == 127 ? 8 : 0;
            if (have < 2 + more)
                break;
            std::size_t size = more == 0 ? byte(1) : 0;
            for (std::size_t i = 0; i < more; ++i)
                size = size << 8 | byte(2 + i);
            if (have < 2 + more + size)
                break;
            std::string_view const payload(in_.data() + at + 2 + more, size);
            at += 2 + more + size;
            constexpr std::string_view stamp = "\"at_ns\":";
            if (payload.starts_with(R"({"type":"alarm_raised")"))
                took.push_back(now - std::strtoll(payload.data() + payload.find(stamp) + stamp.size(), nullptr, 10));
            else
                batch_bytes += size;
            if (!payload.starts_with(R"({"type":"$)"))  // events of one frame stand on lines of their own
                received_ += 1 + static_cast<std::uint64_t>(std::count(payload.begin(), payload.end(), '\n'));
        }
        in_.erase(0, at);
        if (reliable_ && received_ - acknowledged_ >= 32) {
            acknowledged_ = received_;
            say(R"({"type":"$ack","received":)" + std::to_string(received_) + "}");
        }
    }

    int fd_ = -1;
    std::string in_;
    bool reliable_ = false;
    std::uint64_t received_ = 0, acknowledged_ = 0;
};

double at_quantile(std::vector<std::int64_t>& all, std::size_t per_mille)
{
    if (all.empty())
        throw std::runtime_error("no high event arrived");
    auto const at = all.begin() + static_cast<std::ptrdiff_t>(all.size() * per_mille / 1000);
    std::nth_element(all.begin(), at, all.end());
    return static_cast<double>(*at) * 1e-3;
}

template <class Delivery>
void measure(double seconds, int receive_buffer)
{
    constexpr std::int64_t round_ns = 500'000'000, settle_ns = 50'000'000;
    shared_state state;
    pc::server_options options{.port = 0};
    options.max_outbox_bytes = 128 * 1024;
    options.backpressure = pc::backpressure::pause;
    pc::server<application, Delivery, pc::guard::open> server(options, application{&state});
    server.start();
    receiver r(server.port(), receive_buffer, Delivery::resumes);
    while (state.session == 0)
        std::this_thread::yield();
    std::atomic<bool> over{false};
    std::thread emits([&, out = server.emitter()] {
        for (std::uint32_t dice = 1; !over;) {
            dice = dice * 1664525 + 1013904223;
            std::this_thread::sleep_for(std::chrono::microseconds(500 + (dice >> 22)));
            static_cast<void>(out.to_session(state.of).emit(alarm_raised{now_ns()}));
        }
    });

    std::vector<std::int64_t> alone, saturated;
    std::uint64_t bytes = 0, ignored = 0;
    int rounds = 0;
    for (auto const end = now_ns() + static_cast<std::int64_t>(seconds * 1e9); now_ns() < end; ++rounds)
        for (bool const on : {false, true}) {
            r.say(on ? R"({"type":"fill","data":{"on":true}})" : R"({"type":"fill","data":{"on":false}})");
            static_cast<void>(r.listen(now_ns() + settle_ns, ignored));
            auto const took = r.listen(now_ns() + round_ns - settle_ns, on ? bytes : ignored);
            auto& all = on ? saturated : alone;
            all.insert(all.end(), took.begin(), took.end());
        }
    r.say(R"({"type":"fill","data":{"on":false}})");
    over = true;
    emits.join();
    double const p99_alone = at_quantile(alone, 990), p99 = at_quantile(saturated, 990);
    double const measured = static_cast<double>(rounds) * static_cast<double>(round_ns - settle_ns) * 1e-9;
    std::printf("{\"alone\": {\"events\": %zu, \"median_us\": %.1f, \"p99_us\": %.1f}, \"saturated\": {\"events\": %zu, \"median_us\": "
                "%.1f, \"p99_us\": %.1f}, \"ratio\": %.3f, \"rounds\": %d, \"batch_bytes_a_second\": %.0f}\n",
                alone.size(), at_quantile(alone, 500), p99_alone, saturated.size(), at_quantile(saturated, 500), p99,
                p99 / p99_alone, rounds, static_cast<double>(bytes) / measured);
}

}  // namespace

int main(int argc, char** argv)
{
    double seconds = 8;
    int receive_buffer = 0;
    bool reliable = false;
    for (int i = 1; i < argc; ++i)
        if (std::strcmp(argv[i], "--seconds") == 0 && i + 1 < argc)
            seconds = std::atof(argv[++i]);
        else if (std::strcmp(argv[i], "--receive-buffer") == 0 && i + 1 < argc)
            receive_buffer = std::atoi(argv[++i]);
        else if (std::strcmp(argv[i], "--at-least-once") == 0)
            reliable = true;
    try {
        reliable ? measure<pc::delivery::at_least_once<>>(seconds, receive_buffer)
                 : measure<pc::delivery::at_most_once>(seconds, receive_buffer);
    } catch (std::exception const& e) {
        std::fprintf(stderr, "high_lane: %s\n", e.what());
        return 1;
    }
}
