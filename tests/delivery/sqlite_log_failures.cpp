#include <polycast/delivery/sqlite_log.hpp>

#include <boost/test/unit_test.hpp>

#if POLYCAST_WITH_SQLITE
#include "../support/failing_disk.hpp"
#include "log_folder.hpp"

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <random>
#include <string>
#include <system_error>
#include <vector>

#include <sys/wait.h>
#include <unistd.h>

using namespace durable;

BOOST_AUTO_TEST_SUITE(sqlite_log)

// ---- death ----

BOOST_AUTO_TEST_CASE(what_a_killed_process_had_committed_is_there)
{
    folder f;
    std::mt19937 chance(7);
    std::uint64_t total = 0;
    for (int life = 0; life < 20; ++life) {
        int ends[2];
        BOOST_REQUIRE_EQUAL(::pipe(ends), 0);
        pid_t const child = ::fork();
        BOOST_REQUIRE_GE(child, 0);
        if (child == 0) {
            // No test macro in here, no destructor, no return: this process ends by a signal.
            database d(f.options());
            auto const before = d.recover();
            journal j(d);
            std::uint64_t n = before.sessions.empty() ? 0 : before.sessions[0].count;
            if (before.sessions.empty())
                j.opened(1, "s", "ada");
            for (;;) {
                ++n;
                j.accepted(1, n, text("event " + std::to_string(n)), normal, false);
                if (n % 3 != 0)
                    static_cast<void>(j.commit());  // numbered by the next
                j.numbered(1, n, n);
                if (n % 50 == 0)
                    j.trimmed(1, n - 40, true);
                if (!j.commit() && ::write(ends[1], &n, sizeof n) != sizeof n)
                    ::_exit(1);
            }
        }
        ::close(ends[1]);
        std::uint64_t reported = 0, n = 0;
        auto const read_one = [&] {
            bool const got = ::read(ends[0], &n, sizeof n) == sizeof n;
            reported = got ? n : reported;
            return got;
        };
        BOOST_REQUIRE(read_one());  // it is at work
        auto const until = std::chrono::steady_clock::now() + std::chrono::microseconds(chance() % 30'000);
        while (std::chrono::steady_clock::now() < until && read_one()) {
        }
        ::kill(child, SIGKILL);
        while (read_one()) {
        }
        ::close(ends[0]);
        int status = 0;
        BOOST_REQUIRE_EQUAL(::waitpid(child, &status, 0), child);
        BOOST_REQUIRE(WIFSIGNALED(status));

        auto const state = recovered(f);
        BOOST_REQUIRE_EQUAL(state.sessions.size(), 1U);
        auto const& s = state.sessions[0];
        // One commit may have been done and not reported.
        BOOST_REQUIRE_GE(s.count, reported);
        BOOST_REQUIRE_LE(s.count, reported + 1);
        std::uint64_t next = s.acked + 1;
        for (auto const& e : s.entries) {
            BOOST_REQUIRE_EQUAL(e.payload, "event " + std::to_string(next));
            if (e.number != 0)
                BOOST_REQUIRE_EQUAL(e.number, next);
            else
                BOOST_REQUIRE_EQUAL(e.id, next);
            ++next;
        }
        BOOST_REQUIRE_GE(next, s.count + 1);
        BOOST_REQUIRE_LE(next, s.count + 2);
        if (next == s.count + 2) {  // it waited for its number
            writer w(f);
            w.j.removed(1, s.count + 1);
            w.commit();
        }
        total = s.count;
    }
    BOOST_TEST_MESSAGE("20 lives, " << total << " events");
}

// ---- disks ----

BOOST_AUTO_TEST_CASE(a_full_disk_is_told_and_when_there_is_room_again_nothing_is_missing)
{
    folder f;
    failing_disk disk;
    {
        writer w(f);
        w.j.opened(1, "a", "");
        w.event(1, 1, 1, "before");
        w.commit();
        disk.full(true);
        for (std::uint64_t n = 2; n <= 5; ++n) {
            w.event(1, n, n, "while full " + std::string(5000, 'x'));
            BOOST_TEST(w.j.commit() == pc::log_error::disk_full);
            BOOST_TEST((w.j.commit() == pc::failure::internal));
            BOOST_TEST(w.j.pending());
        }
        w.j.trimmed(1, 4, true);
        disk.full(false);
        w.event(1, 6, 0, "after");
        w.commit();
        BOOST_TEST(!w.j.pending());
    }
    auto const state = recovered(f);
    BOOST_TEST(entries(state.sessions.at(0)) == "5:while full " + std::string(5000, 'x') + " ?6:after");
    BOOST_TEST(state.sessions[0].count == 5U);
    BOOST_TEST(rows(f, "frame") <= 3);
}

BOOST_AUTO_TEST_CASE(a_full_disk_goes_on_with_the_room_that_the_file_has)
{
    folder f;
    failing_disk disk;
    std::uint64_t n = 0;
    std::optional<writer> w(f);
    w->j.opened(1, "a", "");
    auto const turn = [&](std::uint64_t keep) {
        ++n;
        w->event(1, n, n, std::string(500, 'x'));
        w->j.trimmed(1, n > keep ? n - keep : 0, true);
        return w->j.commit();
    };
    while (n < 200)
        BOOST_REQUIRE(!turn(200));
    w.reset();
    w.emplace(f);
    while (n < 250)  // some write-ahead log, which is less than the pages that the file has
        BOOST_REQUIRE(!turn(20));
    disk.full(true);
    int failures = 0;
    while (n < 600)
        failures += turn(20) ? 1 : 0;
    BOOST_TEST(failures < 20);
    BOOST_TEST(failures > 0);
    disk.full(false);
    BOOST_REQUIRE(!turn(20));
}

BOOST_AUTO_TEST_CASE(wherever_a_write_fails_the_next_commit_makes_it_good)
{
    bool reached_the_end = false;
    for (long fails_at = 0; !reached_the_end && fails_at < 200; ++fails_at) {
        BOOST_TEST_CONTEXT("operation " << fails_at) {
            folder f;
            failing_disk disk;
            {
                pcd::options o = f.options();
                o.survive_power_loss = true;
                database d(o);
                static_cast<void>(d.recover());
                journal j(d);
                j.opened(1, "a", "");
                auto const shared = text("shared");
                j.accepted(1, 1, shared, normal, false);
                BOOST_REQUIRE(!j.commit());

                disk.fail_after(fails_at);
                j.numbered(1, 1, 1);
                j.accepted(1, 2, shared, normal, false);
                j.accepted(1, 3, text(std::string(20'000, 'y')), normal, false);
                j.numbered(1, 3, 2);
                j.history("r", 1, 1, shared);
                auto const ec = j.commit();
                BOOST_TEST((ec == pc::log_error::io_failed) == disk.failed());
                reached_the_end = !disk.failed();
                BOOST_TEST(j.pending() == !reached_the_end);
                disk.fail_after(-1);
                j.trimmed(1, 1, true);
                BOOST_REQUIRE_EQUAL(j.commit(), std::error_code{});
                // Frames are counted right: the one that is shared is still needed, and is not stored twice.
                j.accepted(1, 4, shared, normal, false);
                BOOST_REQUIRE_EQUAL(j.commit(), std::error_code{});
            }
            BOOST_TEST(rows(f, "frame") == 2);
            BOOST_TEST(entries_of_only(f) == "2:" + std::string(20'000, 'y') + " ?2:shared ?4:shared");
        }
    }
    BOOST_TEST(reached_the_end);
}

// ---- refusals ----

BOOST_AUTO_TEST_CASE(a_second_server_is_refused_the_file)
{
    folder f;
    std::optional<writer> first(f);
    first->j.opened(1, "a", "");
    first->commit();
    check_refused(f, pc::log_error::locked);
    // In another process: locks are between processes (fcntl(2)).
    pid_t const child = ::fork();
    BOOST_REQUIRE_GE(child, 0);
    if (child == 0) {
        auto const e = refused(f.options());
        ::_exit(e && e->code() == pc::log_error::locked ? 0 : 1);
    }
    int status = 0;
    BOOST_REQUIRE_EQUAL(::waitpid(child, &status, 0), child);
    BOOST_TEST(status == 0);
    // The first is not disturbed.
    first->event(1, 1, 1, "one");
    first->commit();
    first.reset();
    BOOST_TEST(entries_of_only(f) == "1:one");
}

BOOST_AUTO_TEST_CASE(a_second_server_is_refused_a_new_file_too)
{
    folder f;
    database first(f.options());
    check_refused(f, pc::log_error::locked);
}

BOOST_AUTO_TEST_CASE(a_file_that_is_no_database_is_refused_and_left_alone)
{
    folder f;
    std::string const prose = "This is not a database, but a text of more than a hundred bytes, as SQLite looks at the "
                              "first hundred. And so on.";
    std::ofstream(f.file()) << prose;
    check_refused(f, pc::log_error::not_a_log);
    std::ifstream in(f.file());
    BOOST_TEST((std::string(std::istreambuf_iterator<char>(in), {}) == prose));
}

BOOST_AUTO_TEST_CASE(a_database_of_something_else_is_refused_and_left_alone)
{
    folder f;
    alter(f, "CREATE TABLE users(id INTEGER PRIMARY KEY); INSERT INTO users VALUES(1);");
    check_refused(f, pc::log_error::not_a_log);
    BOOST_TEST(rows(f, "users") == 1);
    BOOST_TEST(!std::filesystem::exists(f.file() + "-wal"));
}

BOOST_AUTO_TEST_CASE(a_log_of_another_schema_is_refused)
{
    folder f;
    static_cast<void>(recovered(f));
    alter(f, "PRAGMA user_version = 3");
    check_refused(f, pc::log_error::wrong_schema);
    alter(f, "PRAGMA user_version = 2");
    BOOST_TEST(!refused(f.options()).has_value());
}

BOOST_AUTO_TEST_CASE(a_damaged_file_is_refused)
{
    folder f;
    {
        writer w(f);
        w.j.opened(1, "a", "");
        for (std::uint64_t n = 1; n <= 2000; ++n)
            w.event(1, n, n, "event " + std::to_string(n));
        w.commit();
    }
    auto const size = static_cast<std::streamoff>(std::filesystem::file_size(f.file()));
    std::fstream file(f.file(), std::ios::in | std::ios::out | std::ios::binary);
    for (std::streamoff at = 4096; at + 4096 <= size; at += 4096) {
        file.seekp(at);
        file.write("damage, damage, damage, damage, ", 32);
    }
    file.close();
    check_refused(f, pc::log_error::corrupt);
}

BOOST_AUTO_TEST_CASE(an_event_without_its_payload_is_damage)
{
    folder f;
    {
        writer w(f);
        w.j.opened(1, "a", "");
        w.event(1, 1, 1, "one");
        w.commit();
    }
    alter(f, "DELETE FROM frame");
    check_refused(f, pc::log_error::corrupt);
}

BOOST_AUTO_TEST_CASE(a_file_that_was_cut_short_is_refused)
{
    folder f;
    {
        writer w(f);
        w.j.opened(1, "a", "");
        for (std::uint64_t n = 1; n <= 2000; ++n)
            w.event(1, n, n, "event " + std::to_string(n));
        w.commit();
    }
    std::filesystem::resize_file(f.file(), 4096 * 5);
    check_refused(f, pc::log_error::corrupt);
}

BOOST_AUTO_TEST_CASE(a_file_in_no_folder_is_refused)
{
    folder f;
    auto o = f.options();
    o.log_file = (f.path / "missing" / "log.db").string();
    auto const e = refused(o);
    BOOST_REQUIRE(e.has_value());
    BOOST_TEST(e->code() == pc::log_error::cannot_open, e->what());
    BOOST_TEST((e->code() == pc::failure::validation));
    BOOST_TEST(std::string(e->what()).find(o.log_file) != std::string::npos, e->what());
}

BOOST_AUTO_TEST_CASE(a_folder_is_no_log)
{
    folder f;
    std::filesystem::create_directory(f.file());
    check_refused(f, pc::log_error::cannot_open);
}

BOOST_AUTO_TEST_CASE(every_error_has_a_text_of_its_own_and_a_condition)
{
    std::vector<std::string> texts;
    for (int value = 1; value <= 10; ++value) {
        std::error_code const ec = static_cast<pc::log_error>(value);
        BOOST_TEST((ec == pc::failure::validation || ec == pc::failure::internal));
        BOOST_TEST((std::find(texts.begin(), texts.end(), ec.message()) == texts.end()));
        texts.push_back(ec.message());
    }
    BOOST_TEST(std::error_code(static_cast<pc::log_error>(99)).message() == "unknown log error");
}

BOOST_AUTO_TEST_SUITE_END()

#endif
