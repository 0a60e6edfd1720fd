#include <polycast/room/histories.hpp>

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

namespace pc = polycast;
using namespace std::chrono_literals;

namespace {

using time_point = pc::room_histories::time_point;
time_point const start{1'700'000'000s};

pc::frame_ref frame(std::string_view text)
{
    return pc::shared_frame::message(pc::opcode::text, text);
}
pc::history_options keeping(std::size_t events, std::size_t rooms = 1000)
{
    pc::history_options o;
    o.max_events = events;
    o.max_rooms = rooms;
    return o;
}
/// Emits into a room as the server does; returns the offset.
std::uint64_t emit(pc::room_histories& rooms, std::string_view name, std::string_view text = "x", time_point now = start)
{
    auto const room = rooms.open(name);
    auto const locked = room->lock();
    auto const offset = room->next_offset();
    room->keep(frame(text), now);
    return offset;
}
std::string text_of(pc::room_history::answer const& a)
{
    std::string out;
    for (auto const& f : a.replay)
        out += f->payload();
    return out;
}

/// A room's past as a list of all that was ever emitted.
struct model_event {
    std::uint64_t offset;
    std::string text;
    std::size_t bytes;
    time_point at;
};

}  // namespace

BOOST_AUTO_TEST_SUITE(room_history)

BOOST_AUTO_TEST_CASE(offsets_begin_at_1_and_go_on)
{
    pc::room_histories rooms(keeping(2), "e");
    for (std::uint64_t i = 1; i < 10; ++i)
        BOOST_TEST(emit(rooms, "a") == i);
    BOOST_TEST(emit(rooms, "b") == 1U);
    BOOST_TEST(emit(rooms, "a") == 10U);
}
BOOST_AUTO_TEST_CASE(an_event_that_does_not_encode_takes_no_offset)
{
    pc::room_history room(keeping(5));
    BOOST_TEST(room.next_offset() == 1U);
    BOOST_TEST(room.next_offset() == 1U);
    room.keep(frame("x"), start);
    BOOST_TEST(room.next_offset() == 2U);
}
BOOST_AUTO_TEST_CASE(a_join_without_since_replays_nothing_and_claims_nothing)
{
    pc::room_histories rooms(keeping(5), "e");
    emit(rooms, "a");
    auto const a = rooms.join("a", {}, "e", start);
    BOOST_TEST((a.offset == 1 && !a.recovered && a.replay.empty()));
}
BOOST_AUTO_TEST_CASE(what_is_held_is_replayed_and_what_is_not_is_denied)
{
    pc::room_histories rooms(keeping(3), "e");
    for (auto const* text : {"1", "2", "3", "4", "5"})
        emit(rooms, "a", text);
    auto const join = [&](std::uint64_t since, std::string_view epoch = "e") { return rooms.join("a", since, epoch, start); };
    BOOST_TEST(text_of(join(2)) == "345");
    BOOST_TEST(text_of(join(4)) == "5");
    BOOST_TEST((join(5).recovered == true && join(5).replay.empty() && join(5).offset == 5));
    for (std::uint64_t const since : {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{6}, ~std::uint64_t{0}})
        BOOST_TEST((join(since).recovered == false && join(since).replay.empty() && join(since).offset == 5));
    BOOST_TEST((join(4, "other").recovered == false && join(4, "").recovered == false && join(4, "other").replay.empty()));
}
BOOST_AUTO_TEST_CASE(bytes_bound_what_a_room_holds)
{
    auto options = keeping(1000);
    options.max_bytes = 3 * frame("12345678")->wire_bytes();
    pc::room_history room(options);
    for (int i = 0; i < 3; ++i)
        BOOST_TEST(room.keep(frame("12345678"), start).empty());
    BOOST_TEST((room.keep(frame("12345678"), start) == pc::offset_range{1, 1}));
    BOOST_TEST(room.held_bytes() == options.max_bytes);
    BOOST_TEST((room.keep(frame("1234567812345678"), start) == pc::offset_range{2, 3}));
    BOOST_TEST((room.keep(frame(std::string(1000, 'x')), start) == pc::offset_range{4, 6}));
    BOOST_TEST((room.held_events() == 0 && room.held_bytes() == 0 && room.offset() == 6));
    BOOST_TEST((room.join(5, true, start).recovered == false && room.join(6, true, start).recovered == true));
}
BOOST_AUTO_TEST_CASE(an_event_too_old_is_not_replayed_and_its_offset_is_not_given_again)
{
    auto options = keeping(1000);
    options.max_age = 10s;
    pc::room_history room(options);
    room.keep(frame("1"), start);
    room.keep(frame("2"), start + 5s);
    BOOST_TEST((room.join(0, true, start + 10s).recovered == true));
    BOOST_TEST((room.join(0, true, start + 11s).recovered == false));
    BOOST_TEST(text_of(room.join(1, true, start + 11s)) == "2");
    BOOST_TEST((room.trim(start + 11s) == pc::offset_range{1, 1}));
    BOOST_TEST(room.trim(start + 11s).empty());
    BOOST_TEST((room.trim(start + 1h) == pc::offset_range{2, 2}));
    BOOST_TEST(room.next_offset() == 3U);
}
BOOST_AUTO_TEST_CASE(a_clock_that_jumps_back_neither_loses_nor_reorders)
{
    auto options = keeping(10);
    options.max_age = 10s;
    pc::room_history room(options);
    room.keep(frame("1"), start);
    room.keep(frame("2"), start - 1h);
    room.keep(frame("3"), start - 1h);
    BOOST_TEST(text_of(room.join(0, true, start)) == "123");
    BOOST_TEST((room.trim(start + 11s) == pc::offset_range{1, 3}));
}
BOOST_AUTO_TEST_CASE(a_join_makes_no_history_and_answers_as_a_new_room_does)
{
    pc::room_histories rooms(keeping(5), "e");
    auto const a = rooms.join("a", 0, "e", start);
    BOOST_TEST((a.offset == 0 && a.recovered == true && a.replay.empty()));
    BOOST_TEST((rooms.join("a", 3, "e", start).recovered == false));
    BOOST_TEST(rooms.size() == 0U);
    BOOST_TEST(!rooms.find("a"));
}
BOOST_AUTO_TEST_CASE(the_room_used_longest_ago_is_forgotten_and_told)
{
    pc::room_histories rooms(keeping(5, 2), "e");
    std::string told;
    auto const tell = [&](std::string_view name, std::uint64_t floor) {
        told.append(name).append(std::to_string(floor));
    };
    emit(rooms, "a"), emit(rooms, "a"), emit(rooms, "b");
    static_cast<void>(rooms.join("a", {}, "e", start));
    static_cast<void>(rooms.open("c", tell));
    BOOST_TEST(told == "b1");
    static_cast<void>(rooms.open("d", tell));
    BOOST_TEST(told == "b1a2");
    BOOST_TEST((rooms.size() == 2 && rooms.floor() == 2));
}
BOOST_AUTO_TEST_CASE(a_room_that_comes_back_is_not_taken_for_its_former_life)
{
    pc::room_histories rooms(keeping(10, 1), "e");
    for (int i = 0; i < 7; ++i)
        emit(rooms, "a", "old");
    emit(rooms, "b");
    BOOST_TEST((rooms.join("a", 5, "e", start).recovered == false && rooms.join("a", 7, "e", start).recovered == true));
    BOOST_TEST(emit(rooms, "a", "new") == 9U);  // b began at 7 and was forgotten at 8
    for (std::uint64_t since = 0; since < 8; ++since)
        BOOST_TEST((rooms.join("a", since, "e", start).recovered == false));
    BOOST_TEST(text_of(rooms.join("a", 8, "e", start)) == "new");
}
BOOST_AUTO_TEST_CASE(a_room_that_somebody_holds_is_not_forgotten)
{
    pc::room_histories rooms(keeping(5, 1), "e");
    auto held = rooms.open("a");
    emit(rooms, "b");
    BOOST_TEST((rooms.size() == 2 && rooms.find("a") == held));
    held = nullptr;
    emit(rooms, "c");
    BOOST_TEST(rooms.size() == 1U);
}
BOOST_AUTO_TEST_CASE(what_a_log_kept_is_as_if_the_server_had_not_ended)
{
    pc::room_histories rooms(keeping(3), "new");
    rooms.restore("old", 40);
    std::vector<pc::room_history::held> events;
    for (auto const* text : {"6", "7", "8", "9"})
        events.push_back({frame(text), start});
    BOOST_TEST((rooms.restore("a", 9, std::move(events), start) == pc::offset_range{6, 6}));
    BOOST_TEST(text_of(rooms.join("a", 6, "old", start)) == "789");
    BOOST_TEST((rooms.join("a", 5, "old", start).recovered == false && rooms.join("a", 6, "new", start).recovered == false));
    BOOST_TEST((emit(rooms, "a") == 10 && emit(rooms, "b") == 41 && rooms.epoch() == "old"));
    BOOST_TEST((rooms.restore("c", 5, {}, start).empty() && emit(rooms, "c") == 6));
}
BOOST_AUTO_TEST_CASE(a_journal_hears_of_each_offset_that_age_takes)
{
    auto options = keeping(5);
    options.max_age = 10s;
    pc::room_histories rooms(options, "e");
    emit(rooms, "a"), emit(rooms, "a"), emit(rooms, "b", "x", start + 5s);
    std::map<std::string, pc::offset_range> told;
    auto const tell = [&](std::string_view name, pc::offset_range r) { told[std::string(name)] = r; };
    rooms.trim(start + 12s, tell);
    BOOST_TEST((told.size() == 1 && told["a"] == pc::offset_range{1, 2}));
    rooms.trim(start + 20s, tell);
    BOOST_TEST((told["b"] == pc::offset_range{1, 1}));
}

// The model keeps everything for ever, former lives included: recovery must give all that came since, or be denied; it
// must be given if the bounds allow it and the room was not forgotten.
BOOST_AUTO_TEST_CASE(recovery_is_proven_or_denied_never_guessed)
{
    for (unsigned seed = 0; seed < 300; ++seed) {
        std::mt19937 random(seed);
        auto const upto = [&](std::size_t n) { return random() % (n + 1); };
        pc::history_options options = keeping(1 + upto(6), 1 + upto(3));
        options.max_bytes = 20 + upto(200);
        options.max_age = std::chrono::seconds(1 + upto(30));
        pc::room_histories rooms(options, "e");
        std::map<std::string, std::vector<model_event>> past;
        std::map<std::string, std::size_t> life;             // index of the first event of the present life
        std::map<std::string, std::uint64_t> journal_begin;  // the first offset that a journal would still have
        auto now = start;
        for (int step = 0; step < 300; ++step) {
            std::string const name(1, static_cast<char>('a' + upto(4)));
            auto& all = past[name];
            switch (random() % 8) {
            case 0: now += std::chrono::seconds(upto(5)); break;
            case 1: rooms.trim(now, [&](std::string_view n, pc::offset_range r) {
                BOOST_TEST(journal_begin[std::string(n)] == r.from);
                journal_begin[std::string(n)] = r.to + 1;
            }); break;
            case 2:
            case 3:
            case 4: {
                auto const room = rooms.open(name, [&](std::string_view n, std::uint64_t floor) {
                    std::string const gone(n);
                    life[gone] = past[gone].size();
                    BOOST_TEST((past[gone].empty() || past[gone].back().offset <= floor));
                });
                auto const locked = room->lock();
                auto const offset = room->next_offset();
                BOOST_TEST((all.empty() || offset > all.back().offset));
                if (all.size() == life[name])
                    journal_begin[name] = offset;
                std::string const text = name + std::to_string(offset) + std::string(upto(20), '.') + ";";
                all.push_back({offset, text, frame(text)->wire_bytes(), now});
                if (auto const r = room->keep(frame(text), now); !r.empty()) {
                    BOOST_TEST(journal_begin[name] == r.from);
                    journal_begin[name] = r.to + 1;
                }
                BOOST_TEST((room->held_events() == offset + 1 - journal_begin[name]));
                BOOST_TEST((room->held_events() <= options.max_events && room->held_bytes() <= options.max_bytes));
                break;
            }
            default: {
                auto const last = rooms.join(name, {}, "e", now).offset;
                BOOST_TEST((all.empty() || last >= all.back().offset));
                auto const since = upto(last + 1);
                auto const answer = rooms.join(name, since, "e", now);
                BOOST_REQUIRE(answer.recovered.has_value());
                std::string wanted;
                std::size_t missing = 0;
                for (model_event const& e : all)
                    if (e.offset > since)
                        wanted += e.text, ++missing;
                if (*answer.recovered)
                    BOOST_TEST(text_of(answer) == wanted);
                else
                    BOOST_TEST(answer.replay.empty());
                // What a room must hold: the longest end of its present life within all bounds.
                std::size_t count = 0, bytes = 0;
                for (auto e = all.end(); e != all.begin() + static_cast<std::ptrdiff_t>(life[name]); ++count) {
                    --e;
                    bytes += e->bytes;
                    if (count == options.max_events || bytes > options.max_bytes || now - e->at > options.max_age)
                        break;
                }
                if (!all.empty() && since <= last && missing <= count && since + missing == last && life[name] < all.size())
                    BOOST_TEST(*answer.recovered);
                break;
            }
            }
            BOOST_TEST(rooms.size() <= options.max_rooms);
        }
    }
}

BOOST_AUTO_TEST_CASE(the_order_of_offsets_is_the_order_of_posting_from_any_thread)
{
    constexpr int emitters = 4, events = 1500;
    pc::room_histories rooms(keeping(50, 3), "e");
    std::array<std::mutex, 5> mailbox_locks;
    std::array<std::vector<std::uint64_t>, 5> mailboxes;
    std::atomic<int> running{emitters};
    std::atomic<bool> ok{true};
    std::vector<std::thread> threads;
    for (int t = 0; t < emitters; ++t)
        threads.emplace_back([&, t] {
            std::mt19937 random(static_cast<unsigned>(t));
            for (int i = 0; i < events; ++i) {
                auto const r = random() % mailboxes.size();
                auto const room = rooms.open(std::to_string(r));
                auto const locked = room->lock();
                auto const offset = room->next_offset();
                room->keep(frame(std::to_string(offset)), start);
                std::lock_guard const box(mailbox_locks[r]);
                mailboxes[r].push_back(offset);
            }
            --running;
        });
    threads.emplace_back([&] {
        std::mt19937 random(99);
        while (running.load() != 0) {
            auto const name = std::to_string(random() % mailboxes.size());
            auto const last = rooms.join(name, {}, "e", start).offset;
            auto const since = last - std::min<std::uint64_t>(last, random() % 60);
            auto const a = rooms.join(name, since, "e", start);
            auto expected = since;
            for (auto const& f : a.replay)
                ok = ok && f->payload() == std::to_string(++expected);
            ok = ok && (!*a.recovered || expected == a.offset);
            rooms.trim(start, [](auto, auto) {});
        }
    });
    for (auto& t : threads)
        t.join();
    BOOST_TEST(ok);
    std::size_t total = 0;
    for (auto const& m : mailboxes) {
        BOOST_TEST((std::adjacent_find(m.begin(), m.end(), std::greater_equal<>()) == m.end()));
        total += m.size();
    }
    BOOST_TEST(total == std::size_t{emitters} * events);
}

BOOST_AUTO_TEST_SUITE_END()
