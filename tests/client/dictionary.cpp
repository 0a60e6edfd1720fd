#include <polycast/client.hpp>

#include <polycast/compression/dictionary.hpp>
#include <polycast/compression/zstd.hpp>

#include "../support/stage.hpp"
#include "scripted_server.hpp"

#include <boost/test/unit_test.hpp>

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

namespace client_dictionary {

using namespace support;
using loaded = pc::compression::zstd<3, pc::compression::dictionary::loaded>;
using derived = pc::compression::zstd<3, pc::compression::dictionary::of<pc::events<note>>>;
using bare = pc::compression::zstd<3>;

struct heard {
    std::vector<int> notes{};
    std::vector<std::string> texts{};
    int hellos = 0, opened = 0;
    std::vector<pc::close_info> closed{};
};
struct listener {
    using accepts = pc::events<note>;
    heard* h;
    void opened(auto&) { ++h->opened; }
    void on(auto&, note const& n)
    {
        h->notes.push_back(n.n);
        h->texts.push_back(n.text);
    }
    void on_control(auto&, pc::envelope const& e) { h->hellos += e.type == "$hello"; }
    void closed(auto&, pc::close_info const& why) { h->closed.push_back(why); }
};
/// Greets before the dictionary can be there.
struct greeter {
    using accepts = pc::events<order>;
    void on(auto& session, order const& o) { session.emit(note{o.n, o.text}); }
    void opened(auto& session)
    {
        for (int i = 0; i < 5; ++i)
            session.emit(note{i, "before the dictionary was fetched"});
    }
};
template <class Compression, class Transport>
using serving = pc::server<greeter, Transport, Compression>;
template <class Compression, class Transport>
using listening = pc::client<listener, Transport, Compression>;

std::string const trained = R"({"type":"note","timestamp":"2026-11-21T","data":{"n":0,"text":"before the dictionary was fetched"}})";

template <class Transport, class Compression>
struct place : setting<Transport> {
    pc::server_options options(std::string dictionary)
    {
        pc::server_options o{.port = 0};
        o.compression.dictionary = std::move(dictionary);
        return o;
    }
    serving<Compression, Transport> server;
    heard h{};

    explicit place(std::string dictionary = trained) : server(options(std::move(dictionary)), greeter{}, this->transport())
    {
        server.start();
    }
    template <class C>
    auto client(pc::client_options o = {})
    {
        o.url = "ws://127.0.0.1:" + std::to_string(server.port()) + "/";
        auto made = std::make_unique<listening<C, Transport>>(this->next_loop(), o, listener{&h});
        made->start();
        return made;
    }
};

/// A server that names a dictionary, and of which a test decides everything else.
struct hostile {
    using codec = pc::compression::zstd<3, pc::compression::dictionary::loaded>;

    pc::transport::world world{{.seed = 1}};
    scripted::server server{world};
    sim::loop loop{world};
    heard h{};
    std::unique_ptr<listening<loaded, sim>> client{};

    static pc::compression::options with(std::string dictionary)
    {
        pc::compression::options o;
        o.dictionary = std::move(dictionary);
        return o;
    }
    static std::string id(std::string const& of = trained) { return std::string(codec(with(of)).dictionary().id); }
    static std::string packed(std::string_view text, std::uint8_t form = 1)
    {
        pc::detail::byte_buffer out;
        BOOST_REQUIRE(codec(with(trained)).compress(form, out, text));
        return scripted::frame(out.view(), pc::opcode::binary);
    }
    static std::string hello(std::string const& url = "/d", std::string const& named = id())
    {
        return packed(R"({"type":"$hello","version":1,"dictionary":{"id":")" + named + R"(","url":")" + url + R"("}})");
    }
    static std::string a_note(int n)
    {
        return packed(R"({"type":"note","data":{"n":)" + std::to_string(n) + R"(,"text":"t"}})", 2);
    }
    static std::string served(std::string const& body, std::string const& length)
    {
        return "HTTP/1.1 200 OK\r\nContent-Length: " + length + "\r\n\r\n" + body;
    }
    static std::string served(std::string const& body) { return served(body, std::to_string(body.size())); }

    /// The server says `frames` with its 101, and `answer` to the GET.
    explicit hostile(std::string frames, std::string answer, pc::client_options o = {})
    {
        server.tokens = {"polycast.v1.json.zstd"};
        server.after_upgrade = std::move(frames);
        server.answers_get = std::move(answer);
        o.url = server.url();
        o.reconnect = false;
        client = std::make_unique<listening<loaded, sim>>(loop, o, listener{&h});
        client->start();
    }
    bool ends(std::chrono::milliseconds within = 60s)
    {
        return world.run_until([&] { return h.closed.size() == 1; }, within);
    }
    bool asks()
    {
        return world.run_until([&] { return server.connections.size() == 2 && !server.last().asked.target().empty(); });
    }
    void refused()
    {
        BOOST_REQUIRE(ends());
        BOOST_TEST((h.closed[0].code == pc::close_code::unsupported_data));
        BOOST_TEST(h.notes.empty());
        world.run_until_idle();
        BOOST_TEST((server.connections[0]->closed_with == pc::close_code::unsupported_data));
    }
};

}  // namespace client_dictionary
using namespace client_dictionary;

BOOST_AUTO_TEST_SUITE(client_dictionaries)

using transports = std::tuple<sim, tcp>;

BOOST_AUTO_TEST_CASE_TEMPLATE(a_dictionary_that_hello_names_is_fetched_and_nothing_is_missed_meanwhile, Transport, transports)
{
    place<Transport, loaded> on;
    auto client = on.template client<loaded>();
    BOOST_REQUIRE(on.until([&] { return on.h.notes.size() == 5; }));
    BOOST_TEST((client->emit(order{"", 5, "", "there"}) == pc::outcome::queued));
    BOOST_REQUIRE(on.until([&] { return on.h.notes.size() == 6; }));
    BOOST_TEST(on.h.notes == count_to(6), boost::test_tools::per_element());
    BOOST_TEST(on.h.texts[0] == "before the dictionary was fetched");
    BOOST_TEST(on.h.texts[5] == "there");
    BOOST_TEST(on.h.hellos == 1);
    BOOST_TEST(on.h.opened == 1);
    BOOST_TEST(on.h.closed.empty());
}

BOOST_AUTO_TEST_CASE(who_has_the_dictionary_already_fetches_nothing)
{
    place<sim, loaded> given;
    pc::client_options o;
    o.compression.dictionary = trained;
    auto client = given.client<loaded>(o);
    BOOST_REQUIRE(given.until([&] { return given.h.notes.size() == 5; }));
    place<sim, derived> compiled;
    auto same = compiled.client<derived>();
    BOOST_REQUIRE(compiled.until([&] { return compiled.h.notes.size() == 5; }));
    for (auto* const world : {&given.world, &compiled.world})
        BOOST_TEST(world->connections().size() == 1u);
}

BOOST_AUTO_TEST_CASE(a_client_without_dictionaries_says_why_it_leaves)
{
    place<sim, loaded> on;
    auto client = on.client<bare>();
    BOOST_REQUIRE(on.until([&] { return !on.h.closed.empty(); }));
    BOOST_TEST((on.h.closed[0].code == pc::close_code::unsupported_data));
    BOOST_TEST(on.h.closed[0].reason == "the server's dictionary is not known here");
    BOOST_TEST(on.h.notes.empty());
}

BOOST_AUTO_TEST_CASE(what_is_not_the_dictionary_that_was_named_is_refused)
{
    for (std::string const& answer :
         {hostile::served("something else"), hostile::served(""), hostile::served("\x37\xA4\x30\xEC broken"),
          hostile::served(trained, std::to_string(trained.size() - 1)), hostile::served(trained, "-1"),
          hostile::served(trained, "99999999999999999999999999"), hostile::served(trained, "1048577"),
          hostile::served(trained, "1e2"), "HTTP/1.1 200 OK\r\n\r\n" + trained,
          std::string("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"), std::string("nonsense\r\n\r\n"),
          "HTTP/1.1 200 OK\r\nX: " + std::string(200'000, 'x')}) {
        BOOST_TEST_CONTEXT(answer.substr(0, 60))
        {
            hostile on(hostile::hello() + hostile::a_note(1), answer);
            on.refused();
        }
    }
}

BOOST_AUTO_TEST_CASE(a_dictionary_is_fetched_from_the_server_itself_or_not_at_all)
{
    for (std::string const url : {"", "d", "//elsewhere/d", "http://elsewhere/d", "/a b", "/a\\r\\nX: y", "/a\\u0000"}) {
        BOOST_TEST_CONTEXT(url)
        {
            hostile on(hostile::hello(url) + hostile::a_note(1), hostile::served(trained));
            on.refused();
            BOOST_TEST(on.server.connections.size() == 1u);
        }
    }
}

BOOST_AUTO_TEST_CASE(a_dictionary_that_never_comes_ends_the_connection_in_time)
{
    pc::client_options o;
    o.connect_timeout = 3s;
    hostile on(hostile::hello(), "", o);
    BOOST_REQUIRE(on.asks());
    auto const before = on.world.now();
    on.refused();
    BOOST_TEST((on.world.now() - before <= 4s));
}

BOOST_AUTO_TEST_CASE(what_stood_before_the_servers_close_frame_is_handed_on_before_it)
{
    hostile on(hostile::hello() + hostile::a_note(0) + hostile::a_note(1) +
                   scripted::frame("\x03\xE8" "bye", pc::opcode::close),
               hostile::served(trained));
    BOOST_REQUIRE(on.ends());
    BOOST_TEST(on.h.notes == count_to(2), boost::test_tools::per_element());
    BOOST_TEST((on.h.closed[0].code == pc::close_code::normal));
    BOOST_TEST(on.h.closed[0].reason == "bye");
    BOOST_TEST((on.server.connections[0]->closed_with == pc::close_code::normal));
}

BOOST_AUTO_TEST_CASE(a_stop_during_the_fetch_does_not_wait_for_it)
{
    hostile on(hostile::hello() + hostile::a_note(0), "");
    BOOST_REQUIRE(on.asks());
    auto const before = on.world.now();
    on.client->stop();
    BOOST_REQUIRE(on.ends());
    BOOST_TEST((on.world.now() - before < 1s));
    BOOST_TEST((on.h.closed[0].code == pc::close_code::normal));
    BOOST_TEST((on.server.connections[0]->closed_with == pc::close_code::normal));
    BOOST_TEST(on.h.notes.empty());
    on.world.run_until_idle();
    BOOST_TEST(on.server.connections[1]->ended);
}

BOOST_AUTO_TEST_CASE(a_client_that_is_destroyed_during_the_fetch_leaves_nothing)
{
    hostile on(hostile::hello() + hostile::a_note(0), "");
    BOOST_REQUIRE(on.asks());
    on.client.reset();
    on.world.run_until_idle();
    for (auto const& c : on.server.connections)
        BOOST_TEST(c->ended);
    BOOST_TEST(on.h.closed.size() == 1u);
}

BOOST_AUTO_TEST_CASE(a_server_that_goes_during_the_fetch_is_noticed)
{
    hostile on(hostile::hello() + hostile::a_note(0), "");
    BOOST_REQUIRE(on.asks());
    on.server.connections[0]->end();
    on.server.connections[1]->end();
    BOOST_REQUIRE(on.ends());
    on.world.run_until_idle();
    BOOST_TEST(on.h.closed.size() == 1u);
    BOOST_TEST(on.h.notes.empty());
}

BOOST_AUTO_TEST_CASE(a_second_hello_names_a_second_dictionary_and_the_connection_is_not_read_meanwhile)
{
    hostile on(hostile::hello() + hostile::a_note(0) + hostile::hello("/e", "0123456789abcdef") + hostile::a_note(1),
               hostile::served(trained));
    // What the first GET brings is right; the same is not what the second names.
    BOOST_REQUIRE(on.ends());
    BOOST_TEST((on.h.closed[0].code == pc::close_code::unsupported_data));
    BOOST_TEST(on.h.notes == count_to(1), boost::test_tools::per_element());
    BOOST_TEST(on.server.connections.size() == 3u);
    on.world.run_until_idle();
}

BOOST_AUTO_TEST_CASE(the_same_hello_twice_changes_nothing)
{
    hostile on(hostile::hello() + hostile::hello() + hostile::a_note(0), hostile::served(trained));
    BOOST_REQUIRE(on.world.run_until([&] { return on.h.notes.size() == 1; }));
    on.server.connections[0]->write(hostile::a_note(1));
    BOOST_REQUIRE(on.world.run_until([&] { return on.h.notes.size() == 2; }));
    BOOST_TEST(on.h.hellos == 2);
    BOOST_TEST(on.server.connections.size() == 2u);
    BOOST_TEST(on.h.closed.empty());
}

BOOST_AUTO_TEST_CASE(a_slow_fetch_is_a_sign_of_life)
{
    pc::client_options o;
    o.heartbeat = {.interval = 500ms, .timeout = 2s};
    hostile on(hostile::hello() + hostile::a_note(0), "", o);
    BOOST_REQUIRE(on.asks());
    std::string const answer = hostile::served(trained);
    for (std::size_t i = 0; i < 5; ++i) {
        auto const at = answer.size() * i / 5;
        on.server.connections[1]->write(std::string_view(answer).substr(at, answer.size() * (i + 1) / 5 - at));
        on.world.run_for(1s);
    }
    BOOST_TEST(on.h.closed.empty());
    BOOST_TEST(on.h.notes == count_to(1), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_SUITE_END()
