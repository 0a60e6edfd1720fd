#include <polycast/client.hpp>

#include <polycast/compression/dictionary.hpp>
#include <polycast/compression/zstd.hpp>

#include "../support/stage.hpp"
#include "scripted_server.hpp"

#include <boost/test/unit_test.hpp>

#include <memory>
#include <string>
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

BOOST_AUTO_TEST_SUITE_END()
