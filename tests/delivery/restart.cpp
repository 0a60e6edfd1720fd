// A server that was stopped, or died, goes on with its sessions when it is started again on its log.

#include <polycast/config.hpp>

#if POLYCAST_WITH_SQLITE

#include "../support/stage.hpp"
#include "log_folder.hpp"

#include <polycast/compression/zstd.hpp>
#include <polycast/delivery/at_least_once.hpp>
#include <polycast/delivery/sqlite_log.hpp>

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <string>
#include <string_view>

using namespace support;

namespace {

using on_file = pc::delivery::at_least_once<pc::delivery::sqlite_log>;
using server = pc::server<bench, sim, on_file>;

/// One world in which servers come and go; peers stay where they are.
template <class Server>
struct succession : setting<sim> {
    using peer = raw_peer<sim>;
    durable::folder folder{};
    journal j{};
    std::deque<peer> peers{};
    std::unique_ptr<Server> now{};
    pc::server_options options;

    explicit succession(pc::server_options o = {}) : setting<sim>(7), options(std::move(o))
    {
        options.port = 8765;
        options.delivery.log_file = folder.file();
        begin();
    }
    void begin()
    {
        now = std::make_unique<Server>(options, bench{&j}, transport());
        now->start();
    }
    /// As a process that dies: nothing is said to anybody.
    void die() { now.reset(); }
    void stop()
    {
        now->stop();
        settle();
        world.run_for(10s);
        now.reset();
    }
    peer& join(peer_options o)
    {
        peer& p = peers.emplace_back(next_loop(), std::uint16_t{8765}, std::move(o));
        until([&] { return p.settled(); });
        return p;
    }
    peer& resume(std::string_view session, int received, std::string_view user)
    {
        auto& p = join({.target = "/?user=" + std::string(user), .tokens = {"polycast.v1.json"}, .says_open = false});
        p.text(R"({"type":"$open","session":")" + std::string(session) + R"(","received":)" + std::to_string(received) + "}");
        until([&] { return !p.frames.empty() || p.ended; });
        return p;
    }
    peer& first(std::string_view user)
    {
        return join({.target = "/?user=" + std::string(user), .tokens = {"polycast.v1.json"}});
    }
};

}  // namespace

BOOST_AUTO_TEST_SUITE(a_server_that_is_started_again)

BOOST_AUTO_TEST_CASE(goes_on_with_what_its_sessions_have_not_acknowledged)
{
    for (bool const dies : {true, false}) {
        succession<server> st;
        auto& p = st.first("ada");
        p.text(an_order("notes", 10));
        st.until([&] { return numbers_of(p, "note").size() == 10; });
        std::string const session = field(p.hello, "session");
        dies ? st.die() : st.stop();
        st.begin();
        auto& q = st.resume(session, 4, "ada");
        st.until([&] { return numbers_of(q, "note").size() == 6; });
        BOOST_TEST(field(events_of(q).at(0), "resumed") == "true");
        BOOST_TEST(field(events_of(q).at(0), "epoch") == field(p.hello, "epoch"));
        BOOST_TEST(numbers_of(q, "note") == count_to(10, 4), boost::test_tools::per_element());
        q.text(an_order("notes", 2));
        st.until([&] { return numbers_of(q, "note").size() == 8; });
    }
}

BOOST_AUTO_TEST_CASE(sends_what_waited_for_a_user_who_was_away)
{
    succession<server> st;
    auto& p = st.first("ada");
    std::string const session = field(p.hello, "session");
    p.drop();
    st.settle();
    for (int i = 0; i < 7; ++i)
        static_cast<void>(st.now->emitter().to_user("ada").emit(note{i, {}}));
    st.settle();
    st.die();
    st.begin();
    static_cast<void>(st.now->emitter().to_user("ada").emit(note{7, "of the second life"}));
    auto& q = st.resume(session, 0, "ada");
    st.until([&] { return numbers_of(q, "note").size() == 8; });
    BOOST_TEST(numbers_of(q, "note") == count_to(8), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(tells_what_was_dropped_while_nobody_was_there)
{
    succession<server> st({.max_outbox_events = 5, .backpressure = pc::backpressure::drop_oldest_normal});
    auto& p = st.first("ada");
    std::string const session = field(p.hello, "session");
    p.drop();
    st.settle();
    for (int i = 0; i < 12; ++i)
        static_cast<void>(st.now->emitter().to_user("ada").emit(note{i, {}}));
    st.settle();
    st.die();
    st.begin();
    auto& q = st.resume(session, 0, "ada");
    st.until([&] { return numbers_of(q, "note").size() == 5; });
    BOOST_TEST(numbers_of(q, "note") == count_to(12, 7), boost::test_tools::per_element());
    auto const all = events_of(q);
    auto const gap = std::find_if(all.begin(), all.end(), [](auto const& e) { return e.find("$gap") != e.npos; });
    BOOST_REQUIRE(gap != all.end());
    BOOST_TEST(field(*gap, "from") == "1");
    BOOST_TEST(field(*gap, "to") == "7");
}

BOOST_AUTO_TEST_CASE(knows_who_is_in_which_room_and_what_happened_there)
{
    succession<server> st({.history = {.max_events = 100}});
    auto& p = st.first("ada");
    p.text(R"({"type":"$join","id":1,"room":"hall"})");
    st.until([&] { return !p.frames.empty(); });
    std::string const session = field(p.hello, "session");
    for (int i = 0; i < 5; ++i)
        static_cast<void>(st.now->emitter().to_room("hall").emit(note{i, {}}));
    st.until([&] { return numbers_of(p, "note").size() == 5; });
    st.die();
    st.begin();
    static_cast<void>(st.now->emitter().to_room("hall").emit(note{5, {}}));
    auto& q = st.resume(session, 5, "ada");
    st.until([&] { return numbers_of(q, "note").size() == 1; });
    BOOST_TEST(field(events_of(q).back(), "offset") == "6");
    auto& r = st.first("bob");
    r.text(R"({"type":"$join","id":1,"room":"hall","since":2,"epoch":")" + field(p.hello, "epoch") + "\"}");
    st.until([&] { return numbers_of(r, "note").size() == 4; });
    BOOST_TEST(numbers_of(r, "note") == count_to(6, 2), boost::test_tools::per_element());
    BOOST_TEST(field(events_of(r).at(0), "recovered") == "true");
}

BOOST_AUTO_TEST_CASE(does_not_run_a_request_again)
{
    succession<server> st;
    auto& p = st.first("ada");
    std::string const request = R"({"type":"order","id":"a","data":{"what":"notes","n":1,"room":"","text":""}})";
    p.text(request);
    st.until([&] { return p.frames.size() == 2; });
    st.die();
    st.begin();
    auto& q = st.resume(field(p.hello, "session"), 1, "ada");
    q.text(request);
    st.until([&] { return q.frames.size() == 2; });
    BOOST_TEST(type_of(events_of(q).back()) == "$ok");
    BOOST_TEST(field(events_of(q).back(), "id") == "a");
    BOOST_TEST(st.j.orders == 1);
}

BOOST_AUTO_TEST_CASE(opens_a_restored_session_once_and_expires_it)
{
    succession<server> st({.delivery = {.resume_window = 5s}, .tick = 100ms});
    auto& p = st.first("ada");
    p.text(an_order("notes", 3));
    st.until([&] { return numbers_of(p, "note").size() == 3; });
    st.die();
    BOOST_TEST(st.j.opens() == 1U);
    st.begin();
    BOOST_TEST(st.j.opens() == 2U);
    st.world.run_for(20s);
    BOOST_TEST(st.j.expired.size() == 1U);
    BOOST_TEST(st.j.expired.at(0).pending == 3U);
    st.die();
    st.begin();
    BOOST_TEST(st.j.opens() == 2U);  // what expired is not there any more
}

BOOST_AUTO_TEST_CASE(begins_sessions_anew_when_its_log_is_gone)
{
    succession<server> st;
    auto& p = st.first("ada");
    p.text(an_order("notes", 3));
    st.until([&] { return numbers_of(p, "note").size() == 3; });
    st.die();
    st.options.delivery.log_file = (st.folder.path / "another.db").string();
    st.begin();
    auto& q = st.resume(field(p.hello, "session"), 3, "ada");
    BOOST_TEST(field(events_of(q).at(0), "resumed") == "false");
    BOOST_TEST(field(events_of(q).at(0), "epoch") != field(p.hello, "epoch"));
}

BOOST_AUTO_TEST_CASE(reads_what_another_compression_has_written)
{
    using packing = pc::server<bench, sim, on_file, pc::compression::zstd<3>>;
    succession<packing> st;
    auto& p = st.join({.target = "/?user=ada", .tokens = {"polycast.v1.json.zstd"}, .says_open = false});
    p.text(R"({"type":"$open"})");
    p.text(an_order("notes", 5, {}, std::string(500, 'z')));
    st.until([&] { return numbers_of(p, "note").size() == 5; });
    st.die();
    st.begin();
    auto& q = st.resume(field(events_of(p).at(0), "session"), 2, "ada");
    st.until([&] { return numbers_of(q, "note").size() == 3; });
    BOOST_TEST(numbers_of(q, "note") == count_to(5, 2), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_SUITE_END()

#endif
