#include <polycast/policy/compose.hpp>

#include <polycast/batching/immediate.hpp>
#include <polycast/batching/per_tick.hpp>
#include <polycast/batching/window.hpp>
#include <polycast/compression/identity.hpp>
#include <polycast/compression/zstd.hpp>
#include <polycast/fwd.hpp>
#include <polycast/guard/origin.hpp>
#include <polycast/isolation/per_connection.hpp>
#include <polycast/isolation/per_user.hpp>
#include <polycast/isolation/shared.hpp>
#include <polycast/observer/counters.hpp>
#include <polycast/observer/silent.hpp>
#include <polycast/server.hpp>
#include <polycast/transport/simulated.hpp>

#include <boost/test/unit_test.hpp>

#include <concepts>

// All of it is decided by the compiler: that this file compiles is the test.

namespace pc = polycast;

namespace {

struct app {};
using one = pc::server<app, pc::compression::zstd<3>, pc::isolation::per_user<3>, pc::batching::window<10, 2000>>;
using other = pc::server<app, pc::batching::window<10, 2000>, pc::compression::zstd<3>, pc::isolation::per_user<3>>;
using spelled_out = pc::server<app, pc::observer::counters, pc::batching::window<10, 2000>, pc::guard::same_origin,
                               pc::isolation::per_user<3>, pc::compression::zstd<3>, pc::serializer::json,
                               pc::transport::tcp>;
static_assert(std::same_as<one, other>);
static_assert(std::same_as<one, spelled_out>);
static_assert(!std::same_as<one, pc::server<app>>);
static_assert(std::same_as<pc::emitter<pc::isolation::per_user<3>, pc::compression::zstd<3>, pc::batching::window<10, 2000>>,
                           one::emitter_type>);
static_assert(std::same_as<pc::server<app>, pc::server<app, pc::isolation::shared, pc::batching::per_tick>>);
static_assert(std::same_as<one::composition::observer, pc::observer::counters>);

// The concepts ask no more than their tables.
struct least_batching {
    using policy_axis = pc::batching_axis;
    static constexpr std::uint32_t window_messages = 1;
    static constexpr std::chrono::milliseconds window_delay{1};
    static constexpr pc::flush_time when(pc::lane) noexcept { return pc::flush_time::turn; }
};
static_assert(pc::batching_policy<least_batching>);
struct least_isolation {
    using policy_axis = pc::isolation_axis;
    static constexpr bool reaches_everyone = false, reaches_rooms = false, reaches_users = false,
                          clients_join_freely = false;
    static constexpr std::uint32_t max_connections_per_user = 0;
};
static_assert(pc::isolation_policy<least_isolation>);
struct least_compression {
    using policy_axis = pc::compression_axis;
    using context = pc::compression::no_context;
    static constexpr std::size_t forms = 1;
    static constexpr std::array<std::string_view, 1> suffixes{".least"};
    static constexpr bool has_extension = false, keeps_context = false;
    static pc::compression::form_kind kind(std::uint8_t) { return pc::compression::form_kind::token; }
    static std::uint8_t form_of_suffix(std::size_t) { return 1; }
    explicit least_compression(pc::compression::options const&) {}
    bool compress(std::uint8_t, pc::detail::byte_buffer&, std::string_view) const { return false; }
    std::error_code decompress(std::uint8_t, pc::detail::byte_buffer&, std::string_view, std::size_t) const { return {}; }
};
static_assert(pc::compression_policy<least_compression>);
struct least_guard {
    using policy_axis = pc::guard_axis;
    pc::verdict admit(pc::request const&) const { return {}; }
};
static_assert(pc::guard_policy<least_guard>);
struct least_observer {
    using policy_axis = pc::observer_axis;
    void count(pc::metric, std::uint64_t = 1) noexcept {}
    void count_shared(pc::metric, std::uint64_t = 1) noexcept {}
    std::uint64_t read(pc::metric) const noexcept { return 0; }
};
static_assert(pc::observer_policy<least_observer>);
using least = pc::server<app, pc::transport::simulated, least_batching, least_isolation, least_compression, least_guard,
                         least_observer>;
static_assert(std::same_as<least::composition::guard, least_guard>);

// Policies that hold nothing cost nothing.
static_assert(std::is_empty_v<pc::batching::per_tick> && std::is_empty_v<pc::batching::immediate>);
static_assert(std::is_empty_v<pc::isolation::per_user<3>> && std::is_empty_v<pc::isolation::per_connection>);
static_assert(std::is_empty_v<pc::compression::zstd<3>> && std::is_empty_v<pc::guard::same_origin>);
static_assert(std::is_empty_v<pc::observer::silent>);

static_assert(pc::batching::per_tick::when(pc::lane::high) == pc::flush_time::turn);
static_assert(pc::batching::per_tick::when(pc::lane::batch) == pc::flush_time::window);
static_assert(pc::batching::immediate::when(pc::lane::normal) == pc::flush_time::now);
static_assert(pc::batching::window<3, 5>::when(pc::lane::normal) == pc::flush_time::window);
static_assert(pc::batching::window<3, 5>::when(pc::lane::high) == pc::flush_time::turn);
static_assert(pc::batching::window<3, 5>::window_delay == std::chrono::milliseconds(5));

}  // namespace

BOOST_AUTO_TEST_SUITE(policy_composition)

BOOST_AUTO_TEST_CASE(a_server_of_the_least_policies_runs)
{
    pc::transport::world w{1};
    least server{{.port = 0}, {}, w};
    server.start();
    w.run_for(std::chrono::seconds(3));
    BOOST_TEST(server.port() != 0);
    BOOST_TEST(server.count(pc::metric::opened) == 0u);
}

BOOST_AUTO_TEST_SUITE_END()
