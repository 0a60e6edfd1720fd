#include <polycast/delivery/sqlite_log.hpp>

#include <boost/test/unit_test.hpp>

#if POLYCAST_WITH_SQLITE
#include "log_folder.hpp"

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <filesystem>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include <sys/stat.h>

using namespace durable;
using namespace std::string_literals;

BOOST_AUTO_TEST_SUITE(sqlite_log)

BOOST_AUTO_TEST_CASE(a_new_log_knows_nothing)
{
    folder f;
    auto const state = recovered(f);
    BOOST_TEST(state.epoch.empty());
    BOOST_TEST(state.sessions.empty());
    BOOST_TEST(state.rooms.empty());
    BOOST_TEST(state.last_id == 0U);
}

BOOST_AUTO_TEST_CASE(all_that_was_committed_is_there_when_the_server_starts_again)
{
    folder f;
    std::string const binary("\0\xFF z", 4);
    {
        writer w(f);
        w.d.set_epoch("k3");
        w.j.opened(7, "s_7Q", "ada");
        w.j.opened(9, "s_9R", "");
        w.j.accepted(7, 20, text("one"), pc::lane::high, true);
        w.j.numbered(7, 20, 1);
        auto packed = pc::shared_frame::message(pc::opcode::binary, binary, true);
        packed->set_form(2);
        w.j.accepted(7, 21, packed, pc::lane::batch, false);
        w.j.joined(7, "thread/42");
        w.j.joined(7, "lobby");
        w.j.left(7, "lobby");
        w.j.requested(7, "9", R"({"type":"$ok","id":9})", 256);
        w.j.requested(7, "a\"b", "", 256);
        w.j.history("thread/42", 1, 1'700'000'000'123, text("first"));
        w.j.history("thread/42", 2, 1'700'000'000'456, text("second"));
        BOOST_TEST(w.j.pending());
        w.commit();
        BOOST_TEST(!w.j.pending());
    }
    auto const state = recovered(f);
    BOOST_TEST(state.epoch == "k3");
    BOOST_TEST(state.last_id == 21U);
    BOOST_REQUIRE_EQUAL(state.sessions.size(), 2U);
    auto const& ada = state.sessions[0];
    BOOST_TEST(ada.id == 7U);
    BOOST_TEST(ada.name == "s_7Q");
    BOOST_TEST(ada.user == "ada");
    BOOST_TEST(ada.count == 1U);
    BOOST_TEST(ada.acked == 0U);
    BOOST_TEST(ada.rooms == std::vector{"thread/42"s});
    BOOST_REQUIRE_EQUAL(ada.entries.size(), 2U);
    auto const& one = ada.entries[0];
    BOOST_TEST(one.number == 1U);
    BOOST_TEST((one.lane_ == pc::lane::high && one.critical && one.op == pc::opcode::text && !one.rsv1));
    BOOST_TEST(one.payload == "one");
    auto const& waits = ada.entries[1];
    BOOST_TEST((waits.number == 0 && waits.id == 21));
    BOOST_TEST((waits.lane_ == pc::lane::batch && !waits.critical && waits.op == pc::opcode::binary && waits.rsv1));
    BOOST_TEST(waits.form == 2U);
    BOOST_TEST(waits.payload == binary);
    BOOST_TEST((waits.frame->wire()[0] == '\xC2'));
    BOOST_REQUIRE_EQUAL(ada.requests.size(), 2U);
    BOOST_TEST(ada.requests[0].id == "9");
    BOOST_TEST(ada.requests[0].answer == R"({"type":"$ok","id":9})");
    BOOST_TEST(ada.requests[1].id == "a\"b");
    BOOST_TEST(ada.requests[1].answer.empty());
    BOOST_TEST(state.sessions[1].name == "s_9R");
    BOOST_REQUIRE_EQUAL(state.rooms.size(), 1U);
    BOOST_TEST(offsets(state.rooms[0]) == "thread/42@2: 1=first/1700000000123 2=second/1700000000456");
}

BOOST_AUTO_TEST_CASE(what_was_not_committed_is_not_there)
{
    folder f;
    {
        writer w(f);
        w.j.opened(1, "a", "");
        w.commit();
        w.event(1, 1, 1, "lost");
    }
    BOOST_TEST(entries_of_only(f).empty());
}

BOOST_AUTO_TEST_CASE(an_empty_payload_an_empty_reason_and_an_empty_name_are_kept)
{
    folder f;
    {
        writer w(f);
        w.j.opened(1, "", "");
        w.event(1, 1, 1, "");
        w.j.skipped(1, 2, 3, "");
        w.j.joined(1, "");
        w.j.history("", 1, 0, text(""));
        w.commit();
    }
    auto const state = recovered(f);
    BOOST_TEST(entries(state.sessions.at(0)) == "1: 2-3!");
    BOOST_TEST(state.sessions[0].rooms == std::vector{""s});
    BOOST_TEST(offsets(state.rooms.at(0)) == "@1: 1=/0");
}

BOOST_AUTO_TEST_CASE(an_event_is_numbered_by_a_later_commit)
{
    folder f;
    {
        writer w(f);
        w.j.opened(1, "a", "");
        w.event(1, 10, 0, "normal");
        w.event(1, 11, 0, "high");
        w.event(1, 12, 0, "last");
        w.commit();
        w.j.numbered(1, 11, 1);
        w.event(1, 13, 2, "new");
        w.commit();
        w.j.numbered(1, 10, 3);
        w.commit();
    }
    auto const state = recovered(f);
    BOOST_TEST(entries(state.sessions.at(0)) == "1:high 2:new 3:normal ?12:last");
    BOOST_TEST(state.sessions[0].count == 3U);
}

BOOST_AUTO_TEST_CASE(what_was_coalesced_or_dropped_while_it_waited_is_gone)
{
    folder f;
    {
        writer w(f);
        w.j.opened(1, "a", "");
        w.event(1, 1, 0, "coalesced later");
        w.event(1, 2, 0, "kept");
        w.event(1, 3, 0, "coalesced at once");
        w.j.removed(1, 3);
        w.commit();
        w.j.removed(1, 1);
        w.event(1, 4, 0, "joined");
        w.commit();
    }
    BOOST_TEST(entries_of_only(f) == "?2:kept ?4:joined");
    BOOST_TEST(rows(f, "entry") == 2);
}

BOOST_AUTO_TEST_CASE(a_long_queue_is_dropped_from_its_front_within_one_batch)
{
    folder f;
    {
        writer w(f);
        w.j.opened(1, "a", "");
        for (std::uint64_t id = 1; id <= 100; ++id)
            w.event(1, id, 0, std::to_string(id));
        for (std::uint64_t id = 1; id <= 97; ++id)
            w.j.removed(1, id);
        w.j.numbered(1, 98, 1);
        w.commit();
    }
    BOOST_TEST(entries_of_only(f) == "1:98 ?99:99 ?100:100");
}

BOOST_AUTO_TEST_CASE(acknowledged_events_go_and_the_count_stays)
{
    folder f;
    {
        writer w(f);
        w.j.opened(1, "a", "");
        for (std::uint64_t n = 1; n <= 5; ++n)
            w.event(1, n, n, std::to_string(n));
        w.commit();
        w.j.trimmed(1, 3, true);
        w.commit();
    }
    {
        auto const state = recovered(f);
        BOOST_TEST(entries(state.sessions.at(0)) == "4:4 5:5");
        BOOST_TEST(state.sessions[0].count == 5U);
        BOOST_TEST(state.sessions[0].acked == 3U);
    }
    {
        writer w(f);
        w.j.trimmed(1, 5, false);
        w.commit();
    }
    auto const state = recovered(f);
    BOOST_TEST(entries(state.sessions.at(0)).empty());
    BOOST_TEST(state.sessions[0].count == 5U);
    BOOST_TEST(state.sessions[0].acked == 3U);
}

BOOST_AUTO_TEST_CASE(an_event_that_came_was_numbered_and_was_acknowledged_in_one_batch_costs_nothing_and_is_counted)
{
    folder f;
    {
        writer w(f);
        w.j.opened(1, "a", "");
        w.commit();
        for (std::uint64_t n = 1; n <= 50; ++n)
            w.event(1, n, n, "short-lived");
        w.j.trimmed(1, 49, true);
        w.commit();
    }
    BOOST_TEST(rows(f, "frame") == 1);
    auto const state = recovered(f);
    BOOST_TEST(entries(state.sessions.at(0)) == "50:short-lived");
    BOOST_TEST(state.sessions[0].count == 50U);
    BOOST_TEST(state.sessions[0].acked == 49U);
}

BOOST_AUTO_TEST_CASE(a_waiting_event_that_is_numbered_and_acknowledged_in_one_batch_is_gone)
{
    folder f;
    {
        writer w(f);
        w.j.opened(1, "a", "");
        w.event(1, 1, 0, "waits");
        w.event(1, 2, 0, "stays");
        w.commit();
        w.j.numbered(1, 1, 1);
        w.j.trimmed(1, 1, true);
        w.commit();
    }
    auto const state = recovered(f);
    BOOST_TEST(entries(state.sessions.at(0)) == "?2:stays");
    BOOST_TEST(state.sessions[0].count == 1U);
}

BOOST_AUTO_TEST_CASE(numbers_that_no_event_has_are_kept_as_a_gap)
{
    folder f;
    {
        writer w(f);
        w.j.opened(1, "a", "");
        w.event(1, 1, 1, "one");
        w.j.skipped(1, 2, 2, "evicted");
        w.j.skipped(1, 3, 9, "evicted");
        w.j.skipped(1, 10, 10, "expired");
        w.event(1, 11, 11, "eleven");
        w.commit();
        w.j.skipped(1, 12, 14, "evicted");
        w.commit();
    }
    auto const state = recovered(f);
    BOOST_TEST(entries(state.sessions.at(0)) == "1:one 2-9!evicted 10-10!expired 11:eleven 12-14!evicted");
    BOOST_TEST(state.sessions[0].count == 14U);
}

BOOST_AUTO_TEST_CASE(an_acknowledgement_within_a_gap_leaves_its_rest)
{
    for (bool const in_one_batch : {false, true}) {
        folder f;
        {
            writer w(f);
            w.j.opened(1, "a", "");
            w.event(1, 1, 1, "one");
            w.j.skipped(1, 2, 9, "evicted");
            w.event(1, 10, 10, "ten");
            if (!in_one_batch)
                w.commit();
            w.j.trimmed(1, 5, true);
            w.commit();
        }
        BOOST_TEST(entries_of_only(f) == "6-9!evicted 10:ten");
    }
}

BOOST_AUTO_TEST_CASE(events_that_have_numbers_and_are_dropped_become_a_gap)
{
    for (bool const in_one_batch : {false, true}) {
        folder f;
        {
            writer w(f);
            w.j.opened(1, "a", "");
            for (std::uint64_t n = 1; n <= 6; ++n)
                w.event(1, n, n, std::to_string(n));
            if (!in_one_batch)
                w.commit();
            w.j.skipped(1, 2, 4, "expired");
            w.commit();
        }
        BOOST_TEST(rows(f, "entry") == 4);
        BOOST_TEST(entries_of_only(f) == "1:1 2-4!expired 5:5 6:6");
    }
}

BOOST_AUTO_TEST_CASE(a_gap_that_is_told_after_its_events_were_evicted_stays)
{
    folder f;
    {
        writer w(f);
        w.j.opened(1, "a", "");
        for (std::uint64_t n = 1; n <= 4; ++n)
            w.event(1, n, n, std::to_string(n));
        w.commit();
        w.j.trimmed(1, 3, false);
        w.j.skipped(1, 1, 3, "evicted");
        w.commit();
    }
    BOOST_TEST(entries_of_only(f) == "1-3!evicted 4:4");
}

BOOST_AUTO_TEST_CASE(a_session_that_ended_leaves_nothing_and_others_all)
{
    folder f;
    {
        writer w(f);
        for (std::uint64_t s = 1; s <= 2; ++s) {
            w.j.opened(s, "name", "user");
            w.event(s, 1, 1, "numbered");
            w.event(s, 2, 0, "waits");
            w.j.joined(s, "lobby");
            w.j.requested(s, "1", "ok", 256);
        }
        w.commit();
        w.event(1, 3, 2, "in vain");
        w.j.ended(1);
        w.commit();
    }
    for (auto const* table : {"session", "member", "request"})
        BOOST_TEST(rows(f, table) == 1);
    BOOST_TEST(rows(f, "entry") == 2);
    BOOST_TEST(entries_of_only(f) == "1:numbered ?2:waits");
}

BOOST_AUTO_TEST_CASE(a_session_that_came_and_went_within_a_batch_costs_nothing)
{
    folder f;
    writer w(f);
    w.j.opened(1, "a", "");
    w.event(1, 1, 1, "x");
    w.j.joined(1, "lobby");
    w.j.ended(1);
    BOOST_TEST(!w.j.pending());
}

BOOST_AUTO_TEST_CASE(a_session_whose_id_is_given_again_has_nothing_of_the_one_before)
{
    folder f;
    {
        writer w(f);
        w.j.opened(1, "old", "");
        w.event(1, 1, 1, "old");
        w.commit();
        w.j.ended(1);
        w.j.opened(1, "new", "");
        w.event(1, 1, 0, "new");
        w.commit();
    }
    auto const state = recovered(f);
    BOOST_REQUIRE_EQUAL(state.sessions.size(), 1U);
    BOOST_TEST(state.sessions[0].name == "new");
    BOOST_TEST(state.sessions[0].count == 0U);
    BOOST_TEST(entries(state.sessions[0]) == "?1:new");
}

BOOST_AUTO_TEST_CASE(what_is_told_of_a_session_that_ended_is_ignored)
{
    folder f;
    {
        writer w(f);
        w.j.opened(1, "a", "");
        w.commit();
        w.j.ended(1);
        w.event(1, 1, 1, "late");
        w.j.joined(1, "lobby");
        w.commit();
    }
    for (auto const* table : {"session", "member", "entry", "frame"})
        BOOST_TEST(rows(f, table) == 0);
}

BOOST_AUTO_TEST_CASE(rooms_are_joined_and_left_across_commits)
{
    folder f;
    {
        writer w(f);
        w.j.opened(1, "a", "");
        w.j.joined(1, "x");
        w.j.joined(1, "y");
        w.commit();
        w.j.left(1, "x");
        w.j.left(1, "y");
        w.j.joined(1, "y");
        w.j.joined(1, "z");
        w.commit();
    }
    BOOST_TEST((recovered(f).sessions.at(0).rooms == std::vector{"y"s, "z"s}));
}

BOOST_AUTO_TEST_CASE(the_most_recent_requests_are_remembered_and_the_file_does_not_keep_all)
{
    folder f;
    auto o = f.options();
    o.max_requests = 8;
    {
        database d(o);
        journal j(d);
        j.opened(1, "a", "");
        for (int i = 0; i < 1000; ++i) {
            j.requested(1, std::to_string(i), "answer " + std::to_string(i), 8);
            if (i % 3 == 0)
                BOOST_REQUIRE(!j.commit());
        }
        for (int i = 0; i < 20; ++i)
            j.requested(1, std::to_string(1000 + i), "", 8);
        BOOST_REQUIRE(!j.commit());
    }
    BOOST_TEST(rows(f, "request") <= 16);
    database d(o);
    auto const state = d.recover();
    auto const& kept = state.sessions.at(0).requests;
    BOOST_REQUIRE_EQUAL(kept.size(), 8U);
    BOOST_TEST(kept.front().id == "1012");
    BOOST_TEST(kept.back().id == "1019");
}

BOOST_AUTO_TEST_CASE(a_request_that_is_told_twice_has_its_last_answer_also_after_a_restart)
{
    folder f;
    for (auto const* answer : {"first", "second"}) {
        writer w(f);
        if (w.before.sessions.empty())
            w.j.opened(1, "a", "");
        w.j.requested(1, "7", answer, 256);
        w.j.requested(1, "other "s + answer, "", 256);
        w.commit();
    }
    auto const state = recovered(f);
    auto const& kept = state.sessions.at(0).requests;
    BOOST_REQUIRE_EQUAL(kept.size(), 3U);
    BOOST_TEST(kept[1].id == "7");
    BOOST_TEST(kept[1].answer == "second");
}

BOOST_AUTO_TEST_CASE(a_rooms_history_is_trimmed_and_its_offset_stays)
{
    folder f;
    {
        writer w(f);
        for (std::uint64_t n = 1; n <= 5; ++n)
            w.j.history("r", n, static_cast<std::int64_t>(n), text(std::to_string(n)));
        w.j.history_trimmed("r", 2);
        w.j.history("s", 1, 1, text("s"));
        w.commit();
        w.j.history_trimmed("r", 4);
        w.j.history("r", 6, 6, text("6"));
        w.j.history_trimmed("s", 1);
        w.commit();
    }
    BOOST_TEST(rows(f, "frame WHERE id IN (SELECT frame FROM history)") == 2);
    auto const state = recovered(f);
    BOOST_REQUIRE_EQUAL(state.rooms.size(), 2U);
    BOOST_TEST(offsets(state.rooms[0]) == "r@6: 5=5/5 6=6/6");
    BOOST_TEST(offsets(state.rooms[1]) == "s@1:");
}

BOOST_AUTO_TEST_CASE(a_room_that_was_forgotten_is_gone_and_its_floor_stays)
{
    for (bool const in_one_batch : {false, true}) {
        folder f;
        {
            writer w(f);
            w.j.history("old", 8, 1, text("8"));
            w.j.history("other", 3, 1, text("3"));
            if (!in_one_batch)
                w.commit();
            w.d.history_forgotten("old", 8);
            w.d.history_forgotten("other", 8);
            w.j.history("other", 9, 2, text("reborn"));
            w.commit();
            w.d.history_forgotten("third", 5);
            w.j.history("fourth", 9, 2, text("fourth"));
            w.commit();
        }
        auto const state = recovered(f);
        BOOST_TEST(state.history_floor == 8U);
        BOOST_REQUIRE_EQUAL(state.rooms.size(), 2U);
        BOOST_TEST(offsets(state.rooms[0]) == "fourth@9: 9=fourth/2");
        BOOST_TEST(offsets(state.rooms[1]) == "other@9: 9=reborn/2");
    }
}

BOOST_AUTO_TEST_CASE(a_history_that_two_shards_tell_is_kept_once_and_begins_behind_its_last_hole)
{
    folder f;
    {
        writer w(f);
        journal other_shard(w.d);
        std::vector<pc::frame_ref> frames;
        for (std::uint64_t n = 1; n <= 6; ++n) {
            frames.push_back(text(std::to_string(n)));
            w.j.history("r", n, 0, frames.back());
            if (n != 4)  // it never came to commit that
                other_shard.history("s", n, 0, frames.back());
            other_shard.history("r", n, 0, frames.back());
        }
        BOOST_REQUIRE(!other_shard.commit());
        w.commit();
    }
    auto const state = recovered(f);
    BOOST_REQUIRE_EQUAL(state.rooms.size(), 2U);
    BOOST_TEST(offsets(state.rooms[0]) == "r@6: 1=1/0 2=2/0 3=3/0 4=4/0 5=5/0 6=6/0");
    BOOST_TEST(offsets(state.rooms[1]) == "s@6: 5=5/0 6=6/0");
    BOOST_TEST(rows(f, "frame") == 6);
    {
        writer w(f);
        w.j.history_trimmed("r", 6);
        w.j.history_trimmed("s", 6);
        w.commit();
        w.j.history("t", 1, 0, text("t"));
        w.commit();
    }
    BOOST_TEST(rows(f, "frame") == 1);  // each was counted right
}

BOOST_AUTO_TEST_CASE(an_event_for_a_thousand_sessions_and_a_history_is_stored_once)
{
    folder f;
    {
        writer w(f);
        auto const shared = text(std::string(10'000, 'x'));
        for (std::uint64_t s = 1; s <= 1000; ++s) {
            w.j.opened(s, std::to_string(s), "");
            w.j.accepted(s, 1, shared, normal, false);
            w.j.numbered(s, 1, 1);
            if (s == 500)
                w.commit();
        }
        w.j.history("r", 1, 1, shared);
        w.commit();
        journal other_shard(w.d);
        other_shard.opened(1001, "1001", "");
        other_shard.accepted(1001, 1, shared, normal, false);
        BOOST_REQUIRE(!other_shard.commit());
    }
    BOOST_TEST(rows(f, "entry") == 1001);
    BOOST_TEST(rows(f, "frame") == 1);
    auto const state = recovered(f);
    BOOST_REQUIRE_EQUAL(state.sessions.size(), 1001U);
    for (auto const& s : state.sessions)
        BOOST_REQUIRE(s.entries.at(0).frame.get() == state.rooms.at(0).events.at(0).frame.get());
    BOOST_TEST(state.rooms[0].events[0].payload.size() == 10'000U);
}

BOOST_AUTO_TEST_CASE(a_recovered_event_that_is_accepted_again_is_not_stored_again)
{
    folder f;
    {
        writer w(f);
        w.j.history("r", 1, 1, text("kept"));
        w.commit();
    }
    {
        writer w(f);
        w.j.opened(1, "a", "");
        w.j.accepted(1, 1, w.before.rooms.at(0).events.at(0).frame, normal, false);
        w.commit();
    }
    BOOST_TEST(rows(f, "frame") == 1);
    BOOST_TEST(entries_of_only(f) == "?1:kept");
}

BOOST_AUTO_TEST_CASE(payloads_that_nobody_needs_any_more_go_in_time_also_after_a_restart)
{
    folder f;
    {
        writer w(f);
        w.j.opened(1, "a", "");
        for (std::uint64_t n = 1; n <= 200; ++n)
            w.event(1, n, n, std::to_string(n));
        w.commit();
        w.j.trimmed(1, 199, true);
        w.commit();
        for (std::uint64_t n = 201; n <= 203; ++n) {
            w.event(1, n, n, std::to_string(n));
            w.commit();
        }
    }
    BOOST_TEST(rows(f, "frame") < 200);
    BOOST_TEST(rows(f, "frame") > 4);
    {
        writer w(f);
        BOOST_TEST(entries(w.before.sessions.at(0)) == "200:200 201:201 202:202 203:203");
        for (std::uint64_t n = 204; n <= 220; ++n) {
            w.event(1, n, n, std::to_string(n));
            w.commit();
        }
    }
    BOOST_TEST(rows(f, "frame") == 21);
    BOOST_TEST(recovered(f).sessions.at(0).entries.size() == 21U);
}

BOOST_AUTO_TEST_CASE(a_long_life_leaves_a_small_file)
{
    folder f;
    writer w(f);
    w.j.opened(1, "a", "");
    for (std::uint64_t n = 1; n <= 3000; ++n) {
        w.event(1, n, n, std::string(2000, 'x'));
        if (n % 32 == 0)
            w.j.trimmed(1, n, true);
        w.commit();
    }
    BOOST_TEST(std::filesystem::file_size(f.file()) < 1'000'000U);  // of 6 MB that went through it
    BOOST_TEST(std::filesystem::file_size(f.file() + "-wal") < 20'000'000U);
}

BOOST_AUTO_TEST_CASE(shards_commit_at_the_same_time)
{
    folder f;
    {
        database d(f.options());
        static_cast<void>(d.recover());
        std::vector<std::thread> shards;
        auto const shared = text("for all");
        std::atomic<int> failures = 0;
        for (std::uint64_t shard = 1; shard <= 4; ++shard)
            shards.emplace_back([&, shard] {
                journal j(d);
                j.opened(shard, std::to_string(shard), "");
                for (std::uint64_t n = 1; n <= 200; ++n) {
                    j.accepted(shard, n, n % 10 == 0 ? shared : text(std::to_string(n)), normal, false);
                    j.numbered(shard, n, n);
                    if (n % 7 == 0)
                        j.trimmed(shard, n - 5, true);
                    failures += j.commit() ? 1 : 0;
                }
            });
        for (auto& shard : shards)
            shard.join();
        BOOST_TEST(failures == 0);
    }
    auto const state = recovered(f);
    BOOST_REQUIRE_EQUAL(state.sessions.size(), 4U);
    for (auto const& s : state.sessions) {
        BOOST_TEST(s.count == 200U);
        BOOST_TEST(s.acked == 191U);
        BOOST_TEST(entries(s) == "192:192 193:193 194:194 195:195 196:196 197:197 198:198 199:199 200:for all");
    }
}

BOOST_AUTO_TEST_CASE(the_file_is_its_users_alone)
{
    folder f;
    writer w(f);
    w.j.opened(1, "a", "");
    w.commit();
    for (auto const& file : {f.file(), f.file() + "-wal"}) {
        struct stat info {};
        BOOST_REQUIRE_EQUAL(::stat(file.c_str(), &info), 0);
        BOOST_TEST((info.st_mode & 0777) == 0600U);
    }
}

BOOST_AUTO_TEST_SUITE_END()

#endif
