#include <polycast/transport/unix_socket.hpp>

#include "conformance.hpp"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>

#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

namespace {

namespace transport = polycast::transport;

static_assert(polycast::transport_policy<transport::unix_socket>);
using transport::unix_socket;

/// Unix sockets under the addresses of the conformance bodies: a port is an abstract name.
struct unix_by_number : unix_socket {
    class loop : public unix_socket::loop {
    public:
        explicit loop(unix_by_number const& t) : unix_socket::loop(t) {}
    };
    static transport::endpoint name(std::uint16_t port)
    {
        return {"@polycast-test-" + std::to_string(::getpid()) + "-" + std::to_string(port)};
    }
    class acceptor : public unix_socket::acceptor {
    public:
        using unix_socket::acceptor::acceptor;
        void listen(transport::endpoint const& at, transport::listen_options options, std::error_code& ec)
        {
            static std::uint16_t next = 1;
            port_ = at.port != 0 ? at.port : next++;
            unix_socket::acceptor::listen(name(port_), options, ec);
        }
        [[nodiscard]] std::uint16_t port() const noexcept { return port_; }

    private:
        std::uint16_t port_ = 0;
    };
    class connector : public unix_socket::connector {
    public:
        using unix_socket::connector::connector;
        template <class Handler>
        void connect(transport::endpoint const& to, Handler handler)
        {
            unix_socket::connector::connect(name(to.port), std::move(handler));
        }
    };
};

/// A folder of its own, gone with the test.
struct folder {
    std::filesystem::path path;
    folder()
    {
        std::string name = (std::filesystem::temp_directory_path() / "polycast-XXXXXX").string();
        BOOST_REQUIRE(::mkdtemp(name.data()) != nullptr);
        path = name;
    }
    ~folder() { std::filesystem::remove_all(path); }
    [[nodiscard]] std::string operator/(std::string_view name) const { return (path / name).string(); }
};

struct desk {
    unix_socket transport{};
    unix_socket::loop loop{transport};
    folder in{};
    std::string const path = in / "socket";

    std::error_code listen(unix_socket::acceptor& a, std::string const& at, transport::listen_options options = {})
    {
        std::error_code ec;
        a.listen({at}, options, ec);
        return ec;
    }
};

::mode_t mode_of(std::string const& path)
{
    struct ::stat found {};
    return ::lstat(path.c_str(), &found) == 0 ? found.st_mode & 0777 : 0;
}

}  // namespace

template <>
struct conformance::rig<unix_by_number> : conformance::kernel_rig<unix_by_number> {};
template <>
struct conformance::rig<unix_socket> : conformance::kernel_rig<unix_socket> {};

#define CONFORMS(body) \
    BOOST_AUTO_TEST_CASE(body) { conformance::body<unix_by_number>(); }

BOOST_AUTO_TEST_SUITE(unix_socket_conformance)

CONFORMS(a_handler_runs_after_the_call_that_was_given_it)
CONFORMS(posted_functions_run_in_order_and_once)
CONFORMS(timers_fire_in_the_order_of_their_times_and_not_when_forgotten)
CONFORMS(a_notification_before_the_wait_is_kept_and_later_ones_merge)
CONFORMS(bytes_arrive_in_order_through_a_full_window)
CONFORMS(nothing_to_read_would_block)
CONFORMS(a_gathered_write_keeps_its_order)
CONFORMS(the_end_is_read_after_the_last_byte_and_the_other_way_stays_open)
CONFORMS(closing_completes_a_wait_with_an_error)
CONFORMS(destroying_a_stream_that_waits_is_safe)
CONFORMS(a_moved_stream_keeps_its_wait)
CONFORMS(writing_to_a_peer_that_closed_fails_soon)
CONFORMS(connecting_where_nobody_listens_is_refused)
CONFORMS(a_cancelled_connect_completes_with_an_error)
CONFORMS(closing_an_acceptor_completes_its_accept_with_an_error)
CONFORMS(connections_spread_over_the_acceptors_of_a_shared_port)

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(unix_socket_files)

BOOST_AUTO_TEST_CASE(the_file_is_its_owners_alone_whatever_the_umask_and_goes_with_the_acceptor)
{
    desk d;
    ::mode_t const before = ::umask(0);
    {
        unix_socket::acceptor a(d.loop);
        BOOST_TEST(!d.listen(a, d.path));
        BOOST_TEST(mode_of(d.path) == 0600u);
    }
    BOOST_TEST(!std::filesystem::exists(d.path));
    ::umask(0777);
    unix_socket::loop wider(unix_socket(0666));
    unix_socket::acceptor b(wider);
    BOOST_TEST(!d.listen(b, d.path));
    BOOST_TEST(mode_of(d.path) == 0666u);
    ::umask(before);
    b.close();
    BOOST_TEST(!std::filesystem::exists(d.path));
}

BOOST_AUTO_TEST_CASE(the_socket_of_a_listener_that_died_is_replaced)
{
    desk d;
    // A child that ends without a word leaves its file behind.
    ::pid_t const child = ::fork();
    if (child == 0) {
        std::error_code ec;
        auto* const left = new polycast::detail::unix_listener(d.path, 0600, 8, ec);
        ::_exit(ec || left->descriptor() < 0 ? 1 : 0);
    }
    int status = -1;
    BOOST_REQUIRE(::waitpid(child, &status, 0) == child);
    BOOST_TEST(status == 0);
    BOOST_REQUIRE(std::filesystem::exists(d.path));
    unix_socket::acceptor a(d.loop);
    BOOST_TEST(!d.listen(a, d.path));
}

BOOST_AUTO_TEST_CASE(a_live_listener_is_left_alone)
{
    desk d;
    unix_socket::acceptor first(d.loop), second(d.loop);
    BOOST_TEST(!d.listen(first, d.path, {.share_port = false, .backlog = 1}));
    BOOST_TEST((d.listen(second, d.path) == std::errc::address_in_use));
    // Also one that is too busy to accept.
    polycast::detail::unix_address const there(d.path);
    std::vector<int> connected;
    std::error_code ec;
    while (!ec)
        connected.push_back(polycast::detail::unix_connect(there, ec));
    BOOST_TEST(transport::would_block(ec));
    BOOST_TEST((d.listen(second, d.path) == std::errc::address_in_use));
    BOOST_TEST(std::filesystem::exists(d.path));
    for (int const descriptor : connected)
        ::close(descriptor);
    // Another transport does not share, even if it asks to.
    unix_socket::loop stranger(unix_socket{});
    unix_socket::acceptor third(stranger);
    BOOST_TEST((d.listen(third, d.path, {.share_port = true}) == std::errc::address_in_use));
}

BOOST_AUTO_TEST_CASE(a_file_that_is_no_socket_is_not_touched)
{
    desk d;
    std::ofstream(d.path) << "precious";
    unix_socket::acceptor a(d.loop);
    BOOST_TEST((d.listen(a, d.path) == std::errc::not_a_socket));
    a.close();
    BOOST_TEST(std::filesystem::file_size(d.path) == 8u);
    std::filesystem::create_symlink(d.path, d.in / "link");
    BOOST_TEST((d.listen(a, d.in / "link") == std::errc::not_a_socket));
    BOOST_TEST(std::filesystem::file_size(d.path) == 8u);
}

BOOST_AUTO_TEST_CASE(addresses_that_cannot_be_are_told)
{
    desk d;
    unix_socket::acceptor a(d.loop);
    BOOST_TEST((d.listen(a, "/" + std::string(107, 'x')) == std::errc::filename_too_long));
    BOOST_TEST((d.listen(a, "@" + std::string(107, 'x')) == std::errc::filename_too_long));
    BOOST_TEST((d.listen(a, "127.0.0.1") == std::errc::invalid_argument));  // what a server option says by default
    BOOST_TEST((d.listen(a, "") == std::errc::invalid_argument));
    BOOST_TEST((d.listen(a, "@") == std::errc::invalid_argument));
    BOOST_TEST((d.listen(a, std::string("/a\0b", 4)) == std::errc::invalid_argument));
    BOOST_TEST((d.listen(a, d.in / "no" + "/such/folder") == std::errc::no_such_file_or_directory));
    BOOST_TEST(!d.listen(a, "@" + std::string(106, 'x')));
    BOOST_TEST(a.port() == 0);
}

BOOST_AUTO_TEST_CASE(only_who_made_the_file_removes_it)
{
    desk d;
    unix_socket::acceptor old(d.loop);
    BOOST_TEST(!d.listen(old, d.path));
    // Somebody took our file away and made one of his own.
    std::filesystem::remove(d.path);
    unix_socket::acceptor fresh(d.loop);
    BOOST_TEST(!d.listen(fresh, d.path));
    old.close();
    BOOST_TEST(std::filesystem::exists(d.path));
    // A child of a fork that ends in an orderly way.
    ::pid_t const child = ::fork();
    if (child == 0) {
        fresh.close();
        ::_exit(0);
    }
    int status = -1;
    ::waitpid(child, &status, 0);
    BOOST_TEST(std::filesystem::exists(d.path));
    fresh.close();
    BOOST_TEST(!std::filesystem::exists(d.path));
}

BOOST_AUTO_TEST_CASE(sharing_acceptors_keep_the_file_until_the_last_closes)
{
    desk d;
    unix_socket::acceptor a(d.loop), b(d.loop);
    BOOST_TEST(!d.listen(a, d.path, {.share_port = true}));
    BOOST_TEST(!d.listen(b, d.path, {.share_port = true}));
    a.close();
    BOOST_TEST(std::filesystem::exists(d.path));
    b.close();
    BOOST_TEST(!std::filesystem::exists(d.path));
}

BOOST_AUTO_TEST_CASE(a_full_backlog_is_waited_for)
{
    conformance::rig<unix_socket> r;
    folder in;
    unix_socket::acceptor a(r.loop);
    std::error_code ec;
    a.listen({in / "s"}, {.backlog = 0}, ec);
    BOOST_REQUIRE(!ec);
    std::vector<unix_socket::stream> streams;
    std::vector<std::unique_ptr<unix_socket::connector>> connectors;
    std::size_t connected = 0;
    for (int i = 0; i < 5; ++i) {
        connectors.push_back(std::make_unique<unix_socket::connector>(r.loop));
        connectors.back()->connect({in / "s"}, [&](std::error_code e, unix_socket::stream s) {
            BOOST_TEST(!e);
            ++connected;
            streams.push_back(std::move(s));
        });
    }
    std::size_t accepted = 0;
    auto take = [&](auto& self) -> void {
        a.accept([&](std::error_code e, unix_socket::stream s) {
            if (e)
                return;
            ++accepted;
            streams.push_back(std::move(s));
            self(self);
        });
    };
    (void)r.until([&, n = 0]() mutable { return connected == 5 || ++n > 50; });
    BOOST_TEST(connected < 5u);
    take(take);
    BOOST_TEST(r.until([&] { return connected == 5 && accepted == 5; }));
    auto const who = "unix:uid=" + std::to_string(::getuid()) + ",pid=" + std::to_string(::getpid());
    for (auto& s : streams)
        BOOST_TEST(s.peer_address() == who);
    streams.front().close();
    BOOST_TEST(streams.front().peer_address().empty());
    a.close();
    (void)r.until([n = 0]() mutable { return ++n > 2; });
}

BOOST_AUTO_TEST_CASE(connecting_to_no_file_or_to_a_file_without_a_listener_fails)
{
    conformance::rig<unix_socket> r;
    folder in;
    std::optional<std::error_code> missing, too_long;
    unix_socket::connector a(r.loop), b(r.loop);
    a.connect({in / "nothing"}, [&](std::error_code e, unix_socket::stream) { missing = e; });
    b.connect({"/" + std::string(200, 'x')}, [&](std::error_code e, unix_socket::stream) { too_long = e; });
    BOOST_TEST(!missing.has_value());
    BOOST_TEST(r.until([&] { return missing && too_long; }));
    BOOST_TEST((*missing == std::errc::no_such_file_or_directory));
    BOOST_TEST((*too_long == std::errc::filename_too_long));
}

BOOST_AUTO_TEST_SUITE_END()
