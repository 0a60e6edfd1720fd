#include <polycast/client.hpp>
#include <polycast/server.hpp>
#include <polycast/transport/unix_socket.hpp>

#include "../support/bench.hpp"

#include <boost/test/unit_test.hpp>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <system_error>
#include <vector>

#include <unistd.h>

namespace pc = polycast;
using namespace std::chrono_literals;
using pc::transport::unix_socket;
using support::bench;
using support::journal;
using support::note;
using support::order;

namespace {

using server = pc::server<bench, unix_socket>;

struct record {
    int opened = 0;
    std::string address{};
    std::vector<int> notes{};
    std::vector<std::error_code> failures{};
    std::vector<pc::close_info> closed{};
};
struct app {
    using accepts = pc::events<note>;
    record* r;
    void opened(auto& session)
    {
        ++r->opened;
        r->address = session.address();
    }
    void on(auto&, note const& n) { r->notes.push_back(n.n); }
    void closed(auto&, pc::close_info const& info) { r->closed.push_back(info); }
    void failed(std::error_code ec, unsigned, std::chrono::milliseconds) { r->failures.push_back(ec); }
};
using client = pc::client<app, unix_socket>;

struct scene {
    std::string folder = (std::filesystem::temp_directory_path() / "polycast-XXXXXX").string();
    std::string path;
    journal j{};
    std::optional<server> s{};
    unix_socket::loop loop{unix_socket{}};

    explicit scene(pc::server_options o = {}, std::string_view address = {})
    {
        BOOST_REQUIRE(::mkdtemp(folder.data()) != nullptr);
        path = address.empty() ? folder + "/hub.sock" : std::string(address);
        o.address = path;
        s.emplace(std::move(o), bench{&j});
        s->start();
    }
    ~scene()
    {
        s.reset();
        std::filesystem::remove_all(folder);
    }
    [[nodiscard]] std::string url(std::string_view target) const { return "ws+unix:" + path + ":" + std::string(target); }
    template <class Predicate>
    bool until(Predicate done)
    {
        auto const deadline = loop.now() + 20s;
        while (!done() && loop.now() < deadline)
            loop.context().run_one_for(2ms);
        return done();
    }
    /// The status of a client's attempt.
    std::error_code attempt(pc::header_list headers)
    {
        record r;
        client c(loop, {.url = url("/"), .headers = std::move(headers), .max_attempts = 1}, app{&r});
        c.start();
        BOOST_TEST(until([&] { return r.opened != 0 || !r.failures.empty(); }));
        return r.failures.empty() ? std::error_code() : r.failures.front();
    }
};

}  // namespace

BOOST_AUTO_TEST_SUITE(server_unix_socket)

BOOST_AUTO_TEST_CASE(a_client_finds_the_server_by_its_path_and_both_know_each_other)
{
    scene s;
    record r;
    client c(s.loop, {.url = s.url("/?user=ada")}, app{&r});
    c.start();
    BOOST_REQUIRE(s.until([&] { return r.opened == 1; }));
    BOOST_TEST(r.address == "unix:uid=" + std::to_string(::getuid()) + ",pid=" + std::to_string(::getpid()));
    c.emit(order{"notes", 3});
    BOOST_TEST(s.until([&] { return r.notes.size() == 3; }));
    s.s->emitter().to_user("ada").emit(note{9});
    BOOST_TEST(s.until([&] { return r.notes.size() == 4; }));
    c.stop();
    BOOST_TEST(s.until([&] { return c.stopped(); }));
    BOOST_TEST((r.closed.at(0).code == pc::close_code::normal));
}

BOOST_AUTO_TEST_CASE(every_shard_accepts_from_the_one_socket)
{
    scene s({.shards = 4});
    std::vector<std::unique_ptr<record>> records;
    std::vector<std::unique_ptr<client>> clients;
    for (int i = 0; i < 40; ++i) {
        records.push_back(std::make_unique<record>());
        clients.push_back(std::make_unique<client>(s.loop, pc::client_options{.url = s.url("/")}, app{records.back().get()}));
        clients.back()->start();
    }
    auto const all = [&](auto what) {
        for (auto const& r : records)
            if (!what(*r))
                return false;
        return true;
    };
    BOOST_REQUIRE(s.until([&] { return all([](record const& r) { return r.opened == 1; }); }));
    BOOST_TEST(s.until([&] { return s.j.opens() == 40; }));
    s.s->emitter().to_all().emit(note{1});
    BOOST_TEST(s.until([&] { return all([](record const& r) { return r.notes.size() == 1; }); }));
    // The file goes when the last shard has ended, and another server may have its place at once.
    s.s->stop();
    s.s->wait();
    BOOST_TEST(!std::filesystem::exists(s.path));
    scene const next({}, s.path);
}

BOOST_AUTO_TEST_CASE(an_abstract_name_needs_no_file)
{
    scene s({.shards = 2}, "@polycast-server-test-" + std::to_string(::getpid()));
    BOOST_TEST(!s.attempt({}));
    BOOST_TEST(!std::filesystem::exists(s.path));
}

BOOST_AUTO_TEST_CASE(a_page_of_another_origin_is_refused_and_one_of_this_host_is_not)
{
    scene s;
    BOOST_TEST(!s.attempt({}));
    BOOST_TEST(!s.attempt({{"Origin", "http://localhost"}}));
    BOOST_TEST((s.attempt({{"Origin", "http://evil.test"}}) == pc::handshake_error::forbidden));
    BOOST_TEST((s.attempt({{"Origin", "null"}}) == pc::handshake_error::forbidden));
    BOOST_TEST((s.attempt({{"Origin", "http://localhost.evil.test"}}) == pc::handshake_error::forbidden));
}

BOOST_AUTO_TEST_CASE(a_path_in_use_is_named_in_the_error)
{
    scene s;
    journal j;
    for (std::uint32_t const shards : {1u, 2u}) {
        server second({.address = s.path, .shards = shards}, bench{&j});
        BOOST_CHECK_EXCEPTION(second.start(), std::system_error, [&](std::system_error const& e) {
            return e.code() == std::errc::address_in_use && std::string(e.what()).find(s.path) != std::string::npos;
        });
    }
    BOOST_TEST(!s.attempt({}));
}

BOOST_AUTO_TEST_CASE(urls_of_tcp_are_not_for_this_transport_nor_is_a_proxy)
{
    unix_socket::loop loop(unix_socket{});
    for (pc::client_options const& o : {pc::client_options{.url = "ws://127.0.0.1:1/"},
                                        pc::client_options{.url = "ws+unix:/s:/", .proxy = "http://127.0.0.1:1"}}) {
        record r;
        client c(loop, o, app{&r});
        c.start();
        while (!c.stopped())
            loop.context().run_one();
        BOOST_TEST((r.failures.at(0) == pc::handshake_error::scheme_mismatch));
    }
}

BOOST_AUTO_TEST_CASE(a_server_that_is_not_there_yet_is_waited_for)
{
    scene const folder;
    std::string const path = folder.folder + "/later.sock";
    unix_socket::loop loop(unix_socket{});
    record r;
    client c(loop, {.url = "ws+unix:" + path, .backoff = {.initial = 10ms, .cap = 20ms}}, app{&r});
    c.start();
    while (r.failures.size() < 2)
        loop.context().run_one();
    BOOST_TEST((r.failures.at(0) == std::errc::no_such_file_or_directory));
    journal j;
    server s({.address = path}, bench{&j});
    s.start();
    while (r.opened == 0)
        loop.context().run_one();
    s.stop();
    s.wait();
}

BOOST_AUTO_TEST_SUITE_END()
