#include <polycast/outbox/writer.hpp>

#include <polycast/message/assembler.hpp>
#include <polycast/observer/counters.hpp>

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace pc = polycast;
using pc::flushed;
using pc::frame_ref;
using pc::lane;
using pc::outbox;
using pc::shared_frame;
using pc::detail::node_pool;

namespace {

/// Takes at most `most` bytes a call and `budget` in all before it blocks, until given more; keeps them.
struct scripted_stream {
    std::size_t most;
    std::size_t budget = ~std::size_t{0};
    std::string taken{};
    std::size_t calls = 0;
    std::size_t fails_at_call = ~std::size_t{0};
    std::size_t runs_seen = 0;

    std::size_t write_some(std::span<char const> one, std::error_code& ec)
    {
        return write_some(pc::transport::gather_list(&one, 1), ec);
    }
    std::size_t write_some(pc::transport::gather_list many, std::error_code& ec)
    {
        if (calls++ == fails_at_call) {
            ec = std::make_error_code(std::errc::connection_reset);
            return 0;
        }
        runs_seen = std::max(runs_seen, many.size());
        auto room = std::min(most, budget);
        if (room == 0) {
            ec = std::make_error_code(std::errc::operation_would_block);
            return 0;
        }
        std::size_t count = 0;
        for (auto const run : many) {
            auto const n = std::min(run.size(), room - count);
            taken.append(run.data(), n);
            count += n;
        }
        budget -= count;
        return count;
    }
};

struct heard {
    std::vector<std::string> data{};
    std::vector<std::string> pings{};
    bool message(pc::opcode, std::span<char> payload, bool)
    {
        data.emplace_back(payload.data(), payload.size());
        return true;
    }
    bool ping(std::span<char> payload)
    {
        pings.emplace_back(payload.data(), payload.size());
        return true;
    }
    bool pong(std::span<char>) { return true; }
    void close(std::optional<pc::close_code>, std::string_view) {}
};
/// What a client makes of the bytes.
heard listen(std::string bytes)
{
    heard h;
    pc::assembler<pc::role::client> a;
    BOOST_TEST(!a.consume({bytes.data(), bytes.size()}, {}, h));
    BOOST_TEST(a.buffered_bytes() == 0u);
    return h;
}

frame_ref event_frame(std::string_view text)
{
    auto f = shared_frame::message(pc::opcode::text, text);
    f->mark_joinable();
    return f;
}
frame_ref ping(std::string_view payload)
{
    auto const frame = pc::ping_frame(payload);
    return shared_frame::verbatim({frame.bytes.data(), frame.size});
}

constexpr pc::lane_mask windows = pc::mask_of(lane::normal) | pc::mask_of(lane::batch);

struct bench {
    node_pool pool{};
    outbox box{};
    pc::writer writer{true, "\n"};
    pc::observer::counters counters{};
    std::uint64_t delivered = 0;

    void push(lane l, frame_ref f) { box.push(pool, outbox::queue_of(l), std::move(f)); }
    /// Control, all lanes, joinable and not, small and large.
    void fill()
    {
        push(lane::normal, event_frame("n1"));
        push(lane::normal, event_frame("n2"));
        push(lane::high, event_frame("h1"));
        push(lane::batch, event_frame("b1"));
        push(lane::normal, event_frame(""));
        push(lane::normal, shared_frame::message(pc::opcode::binary, "raw"));
        push(lane::normal, event_frame(std::string(140, 'm')));
        push(lane::high, shared_frame::message(pc::opcode::text, std::string(130, 'H')));
        push(lane::batch, event_frame("b2"));
        push(lane::normal, event_frame("n3"));
        box.push(pool, outbox::control, ping("p1"));
    }
    template <class Stream>
    flushed flush(Stream& s, pc::lane_mask due = pc::all_lanes, pc::lane_mask joined = windows)
    {
        return writer.flush(box, s, due, joined, pool, counters, delivered);
    }
};

/// Flushes until nothing is left, with `most` bytes a call; between calls the transport is full.
std::string drain_in_pieces(bench& b, std::size_t most)
{
    std::string all;
    for (int i = 0; i < 100'000; ++i) {
        scripted_stream s{.most = most, .budget = most};
        auto const before = b.box.queued_bytes();
        auto const result = b.flush(s);
        all += s.taken;
        if (result == flushed::drained)
            return all;
        BOOST_TEST_REQUIRE((result == flushed::blocked));
        BOOST_TEST_REQUIRE(s.taken.size() == most);
        BOOST_TEST(b.box.queued_bytes() <= before);
    }
    BOOST_ERROR("never drained");
    return all;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(outbox_writer)

BOOST_AUTO_TEST_CASE(a_mixed_queue_leaves_in_one_call)
{
    bench b;
    b.fill();
    scripted_stream s{.most = ~std::size_t{0}};
    BOOST_TEST((b.flush(s) == flushed::drained));
    BOOST_TEST(s.calls == 1u);
    BOOST_TEST(b.counters.read(pc::metric::writes) == 1u);
    BOOST_TEST(b.counters.read(pc::metric::bytes_out) == s.taken.size());
    BOOST_TEST(b.box.empty());
    auto const got = listen(s.taken);
    BOOST_TEST(got.pings == std::vector<std::string>{"p1"}, boost::test_tools::per_element());
    BOOST_TEST(s.taken.substr(0, 4) == "\x89\x02p1");  // control above all
}

BOOST_AUTO_TEST_CASE(whatever_the_transport_takes_a_call_the_peer_hears_the_same)
{
    bench whole;
    whole.fill();
    scripted_stream s{.most = ~std::size_t{0}};
    BOOST_REQUIRE((whole.flush(s) == flushed::drained));
    auto const flat = [](heard const& h) {
        std::string text;
        for (auto const& m : h.data)
            text += m + "\n";
        return text;
    };
    auto const wanted = listen(s.taken);
    for (std::size_t most = 1; most <= s.taken.size(); ++most) {
        bench b;
        b.fill();
        auto const bytes = drain_in_pieces(b, most);
        auto const got = listen(bytes);
        // A frame may be joined of fewer events when the queue is written in pieces, but every event is there, in the
        // order of its lane, and nothing is there twice.
        auto sorted = [&](heard const& h) {
            std::string const text = flat(h);
            std::vector<std::string> events;
            for (std::size_t at = 0; at < text.size();) {
                auto const end = text.find('\n', at);
                events.push_back(text.substr(at, end - at));
                at = end + 1;
            }
            return events;
        };
        auto a = sorted(got), e = sorted(wanted);
        auto const lane_of = [](std::vector<std::string> const& all, char first) {
            std::vector<std::string> of;
            for (auto const& t : all)
                if (!t.empty() && t[0] == first)
                    of.push_back(t);
            return of;
        };
        for (char const first : {'n', 'h', 'b', 'r', 'm', 'H'})
            BOOST_TEST(lane_of(a, first) == lane_of(e, first), boost::test_tools::per_element());
        std::ranges::sort(a);
        std::ranges::sort(e);
        BOOST_TEST(a == e, boost::test_tools::per_element());
        BOOST_TEST(got.pings.size() == 1u);
        BOOST_TEST(b.box.empty());
        BOOST_TEST(b.box.queued_bytes() == 0u);
    }
}

BOOST_AUTO_TEST_CASE(one_cut_at_every_byte_and_then_everything)
{
    bench whole;
    whole.fill();
    scripted_stream all{.most = ~std::size_t{0}};
    static_cast<void>(whole.flush(all));
    for (std::size_t cut = 1; cut < all.taken.size(); ++cut) {
        bench b;
        b.fill();
        scripted_stream first{.most = cut, .budget = cut};
        BOOST_TEST((b.flush(first) == flushed::blocked));
        BOOST_TEST(first.taken == all.taken.substr(0, cut));
        // While the transport is full, more arrives.
        b.push(lane::high, event_frame("late"));
        scripted_stream rest{.most = ~std::size_t{0}};
        BOOST_TEST((b.flush(rest) == flushed::drained));
        auto const got = listen(first.taken + rest.taken);
        BOOST_TEST(std::ranges::count(got.data, "late") == 1);
        BOOST_TEST(b.box.queued_bytes() == 0u);
        for (lane const l : {lane::high, lane::normal, lane::batch})
            BOOST_TEST(b.box.waiting(l) == 0u);
    }
}

BOOST_AUTO_TEST_CASE(without_joining_every_split_gives_the_same_bytes)
{
    bench whole;
    whole.fill();
    scripted_stream s{.most = ~std::size_t{0}};
    BOOST_REQUIRE((whole.flush(s, pc::all_lanes, 0) == flushed::drained));
    auto const frames = listen(s.taken).data;
    BOOST_TEST(frames.size() == 10u);
    for (std::size_t cut = 1; cut < s.taken.size(); ++cut) {
        bench b;
        b.fill();
        scripted_stream first{.most = cut, .budget = cut}, rest{.most = ~std::size_t{0}};
        BOOST_TEST((b.flush(first, pc::all_lanes, 0) == flushed::blocked));
        BOOST_TEST((b.flush(rest, pc::all_lanes, 0) == flushed::drained));
        BOOST_TEST((first.taken + rest.taken == s.taken));
    }
}

BOOST_AUTO_TEST_CASE(events_of_a_window_share_a_frame_and_the_rest_does_not)
{
    bench b;
    for (int i = 0; i < 5; ++i)
        b.push(lane::batch, event_frame("e" + std::to_string(i)));
    b.push(lane::high, event_frame("h0"));
    b.push(lane::high, event_frame("h1"));
    scripted_stream s{.most = ~std::size_t{0}};
    BOOST_REQUIRE((b.flush(s) == flushed::drained));
    auto got = listen(s.taken).data;
    std::ranges::sort(got);
    BOOST_TEST(got == (std::vector<std::string>{"e0\ne1\ne2\ne3\ne4", "h0", "h1"}), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(text_and_binary_events_do_not_share_a_frame)
{
    bench b;
    for (auto const op : {pc::opcode::text, pc::opcode::text, pc::opcode::binary, pc::opcode::binary, pc::opcode::text}) {
        auto f = shared_frame::message(op, "x");
        f->mark_joinable();
        b.push(lane::batch, f);
    }
    scripted_stream s{.most = ~std::size_t{0}};
    BOOST_REQUIRE((b.flush(s) == flushed::drained));
    BOOST_TEST(listen(s.taken).data == (std::vector<std::string>{"x\nx", "x\nx", "x"}), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(events_are_joined_back_to_back_where_nothing_separates_them)
{
    bench b;
    b.writer = pc::writer(true, "");
    for (char const* text : {"a", "", "bc"})
        b.push(lane::batch, event_frame(text));
    scripted_stream s{.most = ~std::size_t{0}};
    BOOST_REQUIRE((b.flush(s) == flushed::drained));
    BOOST_TEST(listen(s.taken).data == std::vector<std::string>{"abc"}, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_serializer_that_does_not_join_has_a_frame_for_each_event)
{
    bench b;
    b.writer = pc::writer(false, "");
    b.push(lane::batch, event_frame("a"));
    b.push(lane::batch, event_frame("b"));
    scripted_stream s{.most = ~std::size_t{0}};
    BOOST_REQUIRE((b.flush(s) == flushed::drained));
    BOOST_TEST(listen(s.taken).data.size() == 2u);
}

BOOST_AUTO_TEST_CASE(lanes_that_are_not_due_stay)
{
    bench b;
    b.fill();
    scripted_stream s{.most = ~std::size_t{0}};
    BOOST_TEST((b.flush(s, pc::control_only) == flushed::drained));
    BOOST_TEST(listen(s.taken).data.size() == 0u);
    BOOST_TEST(b.box.waiting(lane::normal) == 6u);
    BOOST_TEST((b.flush(s, pc::mask_of(lane::high)) == flushed::drained));
    BOOST_TEST(listen(s.taken).data.size() == 2u);
    BOOST_TEST(b.box.waiting(lane::normal) == 6u);
    BOOST_TEST(b.box.waiting(lane::batch) == 2u);
    BOOST_TEST(!b.box.empty());
}

BOOST_AUTO_TEST_CASE(large_frames_are_not_copied_and_more_than_a_call_takes_is_written_in_several)
{
    bench b;
    std::string wanted;
    for (int i = 0; i < 200; ++i) {
        std::string const text(static_cast<std::size_t>(i % 2 == 0 ? 5'000 + i : i), static_cast<char>('a' + i % 26));
        b.push(lane::normal, shared_frame::message(pc::opcode::text, text));
        wanted += text + "|";
    }
    scripted_stream s{.most = ~std::size_t{0}};
    BOOST_REQUIRE((b.flush(s) == flushed::drained));
    std::string got;
    for (auto const& m : listen(s.taken).data)
        got += m + "|";
    BOOST_TEST((got == wanted));
    BOOST_TEST(s.calls > 1u);
    BOOST_TEST(s.runs_seen <= pc::transport::max_gather);
    BOOST_TEST(s.runs_seen > 1u);
}

BOOST_AUTO_TEST_CASE(a_window_larger_than_the_scratch_memory_is_split_over_frames_in_order)
{
    for (std::size_t const size : {10u, 3'000u, 30'000u, 65'500u, 65'536u, 70'000u}) {
        bench b;
        std::string wanted;
        for (int i = 0; i < 40; ++i) {
            std::string const text = std::to_string(i) + std::string(size, '.');
            b.push(lane::batch, event_frame(text));
            wanted += text + "\n";
        }
        scripted_stream s{.most = 50'001};
        auto result = flushed::blocked;
        for (int i = 0; i < 1000 && result == flushed::blocked; ++i)
            result = b.flush(s);
        BOOST_TEST((result == flushed::drained));
        std::string got;
        for (auto const& m : listen(s.taken).data)
            got += m + "\n";
        BOOST_TEST((got == wanted));
        BOOST_TEST(b.box.queued_bytes() == 0u);
    }
}

BOOST_AUTO_TEST_CASE(a_failure_at_any_call_releases_everything)
{
    for (std::size_t call = 0; call < 20; ++call) {
        auto const kept = event_frame("kept by the test");
        bench b;
        b.fill();
        b.push(lane::normal, kept);
        scripted_stream s{.most = 25, .fails_at_call = call};
        auto result = flushed::blocked;
        while (result == flushed::blocked)
            result = b.flush(s);
        BOOST_TEST((result == (s.calls > call ? flushed::failed : flushed::drained)));
        b.box.clear(b.pool);
        BOOST_TEST(b.box.empty());
        // Only the test's own reference is left: the address sanitizer would tell of more.
        BOOST_TEST(kept->payload() == "kept by the test");
        b.push(lane::normal, kept);
        scripted_stream again{.most = ~std::size_t{0}};
        BOOST_TEST((b.flush(again) == flushed::drained));
        BOOST_TEST(listen(again.taken).data.size() == 1u);
    }
}

BOOST_AUTO_TEST_CASE(a_half_written_frame_ends_before_anything_else_even_when_the_rest_is_dropped)
{
    bench b;
    b.push(lane::normal, event_frame("half written"));
    b.push(lane::normal, event_frame("never begun"));
    scripted_stream s{.most = 5, .budget = 5};
    BOOST_TEST((b.flush(s, pc::all_lanes, 0) == flushed::blocked));
    b.box.drop_waiting(b.pool);
    BOOST_TEST(b.box.queued_bytes() == 2 + 12 - 5u);
    b.box.push(b.pool, outbox::control, ping("p"));
    scripted_stream rest{.most = ~std::size_t{0}};
    BOOST_TEST((b.flush(rest) == flushed::drained));
    auto const got = listen(s.taken + rest.taken);
    BOOST_TEST(got.data == std::vector<std::string>{"half written"}, boost::test_tools::per_element());
    BOOST_TEST(got.pings.size() == 1u);
}

BOOST_AUTO_TEST_SUITE_END()
