// What is siren does not wait behind what is plenty: the high lane's latency beside a batch lane that always has more than
// its receiver reads. Virtual time: the figures are the same at each run. tests/benchmark/high_lane measures real ones.

#include "../support/stage.hpp"

#include <polycast/delivery/at_least_once.hpp>

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

using namespace support;

namespace {

struct bale {
    std::string text;
};
struct siren {
    int n = 0;
};

}  // namespace

template <>
struct polycast::event_traits<bale> {
    static constexpr polycast::lane lane = polycast::lane::batch;
};

template <>
struct polycast::event_traits<siren> {
    static constexpr polycast::lane lane = polycast::lane::high;
};

BOOST_AUTO_TEST_SUITE(high_lane_latency)

namespace {

/// What the test does to the one session; the world is one thread, so it may.
struct levers {
    std::function<std::size_t()> fill{};  ///< the batch lane, to half of the outbox; how many events it took
    std::function<bool(int)> ring{};
    std::string text{};
};
struct plant {
    levers* l;
    void opened(auto& s)
    {
        l->fill = [this, &s] {
            std::size_t count = 0;
            for (; s.queued_bytes() < half_full; ++count)
                static_cast<void>(s.emit(bale{l->text}));
            return count;
        };
        l->ring = [&s](int n) { return accepted(s.emit(siren{n})); };
    }
    static constexpr std::size_t half_full = 256 * 1024;
};

constexpr std::size_t siren_count = 500;

using microseconds = std::chrono::duration<double, std::micro>;

struct figures {
    microseconds median{}, p99{}, longest{};
    double filled_per_second = 0;  ///< bytes of the batch lane
};

/// So many sirens, one each 1–3 ms, to one peer; `fills`: while the batch lane never runs empty.
template <class... Policies>
figures measure(bool fills, std::size_t window_bytes, std::size_t bale_bytes)
{
    using namespace std::chrono;
    pc::transport::network_options network;
    network.latency_min = 1ms;
    network.latency_max = 2ms;
    network.send_window_bytes = window_bytes;
    setting<sim> st(11, network);
    levers l;
    l.text.assign(bale_bytes, 'x');
    pc::server<plant, sim, Policies...> server({.port = 0, .max_outbox_bytes = 2 * plant::half_full}, plant{&l}, st.transport());
    server.start();
    raw_peer<sim> p(st.next_loop(), server.port(), {.tokens = {"polycast.v1.json"}});
    st.until([&] { return p.settled(); });
    std::vector<steady_clock::time_point> emitted;
    std::vector<double> took;
    std::uint64_t filled = 0;
    std::size_t acked = 0, received = 0;
    auto const began = st.now();
    auto const look = [&] {
        for (auto const& f : p.frames) {
            for (std::size_t at = 0; at <= f.payload.size();) {
                auto const end = std::min(f.payload.find('\n', at), f.payload.size());
                auto const said = std::string_view(f.payload).substr(at, end - at);
                if (said.starts_with(R"({"type":"siren")"))
                    took.push_back(microseconds(f.at - emitted.at(std::stoul(field(said, "n")))).count());
                else
                    filled += said.size();
                ++received;
                at = end + 1;
            }
        }
        p.frames.clear();
        p.received.clear();
        if (received - acked >= 32)
            p.text(R"({"type":"$ack","received":)" + std::to_string(acked = received) + "}");
    };
    while (emitted.size() < siren_count) {
        auto const due = st.now() + 1ms + microseconds(static_cast<double>(st.world.chance().below(2000)));
        while (st.now() < due) {
            if (fills)
                l.fill();
            st.world.run_for(200us);
            look();
        }
        emitted.push_back(st.now());
        BOOST_TEST(l.ring(static_cast<int>(emitted.size()) - 1));
    }
    st.until([&] {
        look();
        return took.size() == emitted.size();
    });
    BOOST_TEST(took.size() == emitted.size());
    std::ranges::sort(took);
    auto const seconds = duration<double>(st.now() - began).count();
    return {microseconds(took[took.size() / 2]), microseconds(took[took.size() * 99 / 100]), microseconds(took.back()),
            static_cast<double>(filled) / seconds};
}

/// Asserts that the p99 beside a saturated batch lane is at most `times` that of alone.
template <class... Policies>
void within(double times, std::size_t window_bytes, std::size_t bale_bytes)
{
    auto const alone = measure<Policies...>(false, window_bytes, bale_bytes);
    auto const beside = measure<Policies...>(true, window_bytes, bale_bytes);
    BOOST_TEST_CONTEXT("window " << window_bytes << ", bales of " << bale_bytes << " bytes: alone p99 " << alone.p99.count()
                                 << " us; saturated median " << beside.median.count() << " p99 " << beside.p99.count()
                                 << " longest " << beside.longest.count() << " us, " << beside.filled_per_second / 1e6 << " MB/s")
    {
        BOOST_TEST(beside.filled_per_second > static_cast<double>(window_bytes) / 4e-3);  // as much as the window lets through
        BOOST_TEST(beside.p99.count() <= times * alone.p99.count());
        BOOST_TEST(beside.longest.count() <= 2 * times * alone.p99.count());
    }
}

}  // namespace

BOOST_AUTO_TEST_CASE(is_within_twice_of_what_it_is_alone_while_the_batch_lane_is_saturated)
{
    within<>(2, 64 * 1024, 300);
    within<>(2, 64 * 1024, 4000);
}

BOOST_AUTO_TEST_CASE(is_within_twice_of_it_where_events_are_kept_too)
{
    within<pc::delivery::at_least_once<>>(2, 64 * 1024, 300);
    within<pc::delivery::at_least_once<>>(2, 64 * 1024, 4000);
}

// The window itself is most of the delay here. The sizes put 15, 16 and 17 events of the batch lane into one frame: in
// what order lanes take turns must not depend on that.
BOOST_AUTO_TEST_CASE(grows_with_what_the_network_holds_and_with_nothing_else)
{
    for (std::size_t const bale_bytes : {170, 184, 200}) {
        within<>(4, 16 * 1024, bale_bytes);
        within<pc::delivery::at_least_once<>>(4, 16 * 1024, bale_bytes);
    }
}

BOOST_AUTO_TEST_SUITE_END()
