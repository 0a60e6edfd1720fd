// What the log cannot keep is not sent: a client must never have a number that the server could give again.

#include <polycast/config.hpp>

#if POLYCAST_WITH_SQLITE

#include "../support/failing_disk.hpp"
#include "../support/stage.hpp"
#include "log_folder.hpp"

#include <polycast/batching/immediate.hpp>
#include <polycast/delivery/at_least_once.hpp>
#include <polycast/delivery/sqlite_log.hpp>

#include <boost/test/unit_test.hpp>

#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <system_error>

using namespace support;

namespace {

using on_file = pc::delivery::at_least_once<pc::delivery::sqlite_log>;

struct diarist {
    using accepts = pc::events<order>;
    int* failures;
    failing_disk* disk;
    pc::identity identify(pc::request const& r) { return {.user = r.query("user").value_or("")}; }
    note on(auto& session, order const& o)
    {
        if (o.what == "two") {
            session.emit(note{o.n, "first"});
            disk->full(true);
        }
        return {o.n, ""};
    }
    void log_failed(std::error_code ec) { *failures += ec == pc::log_error::disk_full ? 1 : 0; }
};
using server = pc::server<diarist, sim, on_file, pc::batching::immediate>;

/// One server after another on one file, on a disk of which a test disposes.
struct office : setting<sim> {
    using peer = raw_peer<sim>;
    failing_disk disk{};
    durable::folder folder{};
    int failures = 0;
    std::deque<peer> peers{};
    std::unique_ptr<server> now{};

    office() : setting<sim>(7) { begin(); }
    void begin()
    {
        pc::server_options o{.port = 8765, .tick = 100ms};
        o.delivery.log_file = folder.file();
        now = std::make_unique<server>(o, diarist{&failures, &disk}, transport());
        now->start();
    }
    peer& join(std::string_view session = {}, int received = 0)
    {
        peer& p = peers.emplace_back(next_loop(), std::uint16_t{8765},
                                     peer_options{.target = "/?user=ada",
                                                  .tokens = {"polycast.v1.json"},
                                                  .says_open = session.empty()});
        until([&] { return p.settled(); });
        if (!session.empty()) {
            p.text(R"({"type":"$open","session":")" + std::string(session) + R"(","received":)" +
                   std::to_string(received) + "}");
            until([&] { return !p.frames.empty() || p.ended; });
        }
        return p;
    }
    void emit(int from, int to)
    {
        for (int i = from; i < to; ++i)
            static_cast<void>(now->emitter().to_user("ada").emit(note{i, std::string(2000, 'x')}));
        world.run_for(1s);
    }
};

}  // namespace

BOOST_AUTO_TEST_SUITE(a_server_whose_disk_is_full)

BOOST_AUTO_TEST_CASE(sends_what_it_could_not_keep_when_there_is_room_again)
{
    office o;
    auto& p = o.join();
    o.emit(0, 3);
    BOOST_TEST(numbers_of(p, "note").size() == 3U);
    o.disk.full(true);
    o.emit(3, 10);
    BOOST_TEST(o.failures > 0);
    BOOST_TEST(o.now->count(pc::metric::log_failures) > 0U);
    BOOST_TEST(numbers_of(p, "note").size() == 3U);
    o.disk.full(false);
    o.until([&] { return numbers_of(p, "note").size() == 10; });
    BOOST_TEST(numbers_of(p, "note") == count_to(10), boost::test_tools::per_element());
    BOOST_TEST(!p.ended);
}

BOOST_AUTO_TEST_CASE(answers_no_request_that_it_could_not_remember)
{
    office o;
    auto& p = o.join();
    o.emit(0, 1);
    o.disk.full(true);
    p.text(R"({"type":"order","id":"a","data":{"what":"","n":7,"room":"","text":""}})");
    o.world.run_for(1s);
    BOOST_TEST(numbers_of(p, "note").size() == 1U);
    o.disk.full(false);
    o.until([&] { return numbers_of(p, "note").size() == 2; });
    BOOST_TEST(field(events_of(p).back(), "id") == "a");
}

BOOST_AUTO_TEST_CASE(keeps_what_a_handler_does_as_one_though_it_writes_at_once)
{
    office o;
    auto& p = o.join();
    o.emit(0, 1);
    p.text(R"({"type":"order","id":"a","data":{"what":"two","n":7,"room":"","text":""}})");
    o.world.run_for(1s);
    BOOST_TEST(numbers_of(p, "note").size() == 1U);
    o.disk.full(false);
    o.until([&] { return numbers_of(p, "note").size() == 3; });
}

BOOST_AUTO_TEST_CASE(gives_no_number_twice_though_it_dies)
{
    office o;
    auto& p = o.join();
    o.emit(0, 3);
    o.disk.full(true);
    o.emit(3, 6);
    auto const received = static_cast<int>(numbers_of(p, "note").size());
    o.now.reset();  // as a process that dies
    o.disk.full(false);
    o.begin();
    o.emit(6, 9);
    auto& q = o.join(field(p.hello, "session"), received);
    o.world.run_for(1s);
    // What was never kept is gone with the process, as nobody was told of it. Nothing that came later is.
    BOOST_TEST(numbers_of(q, "note") == count_to(9, 6), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(serves_those_who_asked_for_no_more_than_the_moment)
{
    office o;
    auto& p = o.join();
    o.emit(0, 1);
    o.disk.full(true);
    auto& plain = o.peers.emplace_back(o.next_loop(), std::uint16_t{8765}, peer_options{.target = "/?user=ada"});
    o.until([&] { return plain.settled(); });
    o.emit(1, 3);
    BOOST_TEST(numbers_of(plain, "note").size() == 2U);
    BOOST_TEST(numbers_of(p, "note").size() == 1U);
}

BOOST_AUTO_TEST_CASE(ends_when_it_is_asked_to)
{
    office o;
    auto& p = o.join();
    o.emit(0, 1);
    o.disk.full(true);
    o.emit(1, 3);
    o.now->stop();
    o.world.run_for(20s);  // longer than it waits for anybody
    o.now.reset();
    o.world.run_for(1s);
    BOOST_TEST(p.ended);
}

BOOST_AUTO_TEST_SUITE_END()

#endif
