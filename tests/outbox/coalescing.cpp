#include <polycast/outbox/coalescing.hpp>

#include <polycast/serializer/json.hpp>
#include <polycast/serializer/msgpack.hpp>
#include <polycast/serializer/raw.hpp>

#include <boost/mpl/list.hpp>
#include <boost/test/unit_test.hpp>

#include <chrono>
#include <cstdint>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace pc = polycast;
using namespace std::string_literals;

namespace coalescing_test {

struct note {
    std::string text;
    friend bool operator==(note const&, note const&) = default;
};
struct inner {
    int number;
    std::string text;
    friend bool operator==(inner const&, inner const&) = default;
};
/// The text is in the middle, with optional fields on both sides, and there is an aggregate that coalesces by itself.
struct delta {
    std::string run_id;
    std::optional<std::string> hint;
    std::string text;
    std::optional<int> index;
    std::vector<note> notes;
    inner part;
    friend bool operator==(delta const&, delta const&) = default;
};
struct token {
    std::string run_id;
    std::string text;
    int index;
    friend bool operator==(token const&, token const&) = default;
};
struct words {
    std::string text;
};
struct progress {
    std::string run_id;
    std::string step;
    int percent;
    friend bool operator==(progress const&, progress const&) = default;
};
struct mood {
    std::string state;
};
struct other_mood {
    std::string state;
};
struct plain {
    std::string text;
};

}  // namespace coalescing_test

using namespace coalescing_test;

template <>
struct pc::event_traits<note> {
    static constexpr pc::coalesce coalesce = pc::coalesce::append;
    static constexpr std::string_view appended = "text";
};
template <>
struct pc::event_traits<inner> : pc::event_traits<note> {};
template <>
struct pc::event_traits<delta> : pc::event_traits<note> {
    static constexpr std::pair<std::string_view, std::string_view> renamed[] = {{"text", "t"}};
    static constexpr std::string_view keyed_by[] = {"run_id"};
};
template <>
struct pc::event_traits<token> : pc::event_traits<note> {};
template <>
struct pc::event_traits<words> : pc::event_traits<note> {};
template <>
struct pc::event_traits<progress> {
    static constexpr pc::coalesce coalesce = pc::coalesce::latest;
    static constexpr std::string_view keyed_by[] = {"run_id", "step"};
};
template <>
struct pc::event_traits<mood> {
    static constexpr pc::coalesce coalesce = pc::coalesce::latest;
};
template <>
struct pc::event_traits<other_mood> : pc::event_traits<mood> {};

namespace {

using serializers = boost::mpl::list<pc::serializer::json, pc::serializer::msgpack>;

template <class S, class E>
pc::frame_ref frame(E const& event, pc::envelope_head const& head = {})
{
    pc::detail::byte_buffer out;
    out.append("before");  // a buffer may have more in it
    pc::encoded_span appended;
    BOOST_REQUIRE(!S::encode(out, head, event, &appended));
    return pc::make_coalescing_frame<S>(head, event, out.view().substr(6), appended);
}

template <class E>
struct seen {
    std::vector<E> events;
    std::vector<std::string> rooms, times, ids;
    std::vector<std::uint64_t> offsets;
    bool recovered = false;
    std::string fault;

    void event(pc::envelope const& e, E&& got)
    {
        events.push_back(std::move(got));
        rooms.emplace_back(e.room);
        times.emplace_back(e.timestamp);
        ids.emplace_back(e.id);
        offsets.push_back(e.offset.value_or(0));
        recovered = e.recovered.value_or(false);
    }
    void control(pc::envelope const&) { fault = "control"; }
    void unknown(pc::envelope const&) { fault = "unknown"; }
    void error(pc::envelope const&, pc::decode_error const& e) { fault = e.message; }
};

/// What a receiver reads in the frame.
template <class S, class E>
seen<E> read(pc::shared_frame const& f)
{
    std::string payload(f.payload());
    seen<E> out;
    S::template decode<pc::events<E>>({payload.data(), payload.size()}, {}, out);
    BOOST_TEST(out.fault == "");
    BOOST_REQUIRE(out.events.size() == 1U);
    return out;
}

/// Text of all that JSON and MessagePack treat apart.
std::string random_text(std::mt19937& random, std::size_t most)
{
    static std::string const pieces[] = {"a",  "\"", "\\", "\n", "\0"s, "\x1f", "\x7f", "ä",    "€",          "😀",
                                         "\t", "/",  "u0", "}",  ",",   ":",    "{",    "\\u", "\xF0\x9F\x98", "\x80"};
    std::string out;
    for (auto left = random() % (most + 1); left != 0; --left)
        out += pieces[random() % std::size(pieces)];
    return out;
}
/// What of it is read: what is not UTF-8 was replaced when it was written.
template <class S>
std::string as_read(std::string const& text)
{
    return read<S, note>(*frame<S>(note{text})).events[0].text;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(coalescing)

BOOST_AUTO_TEST_CASE_TEMPLATE(appended_texts_read_as_one, S, serializers)
{
    std::mt19937 random(1);
    for (int round = 0; round < 2000; ++round) {
        auto const make = [&](int i) {
            return delta{"run", random() % 2 ? std::optional(random_text(random, 3)) : std::nullopt,
                         random_text(random, 1 + random() % 100), random() % 2 ? std::optional(i) : std::nullopt,
                         {note{random_text(random, 2)}}, inner{i, random_text(random, 2)}};
        };
        auto const first = make(1);
        std::string text = as_read<S>(first.text);
        pc::frame_ref all = frame<S>(first);
        for (int i = 2; i < 6; ++i) {
            auto const next = make(i);
            auto const before = std::string(all->payload());
            auto const newer = frame<S>(next);
            auto const same = read<S, delta>(*newer).events[0];
            BOOST_REQUIRE(pc::same_subject(*all, *newer));
            auto const older = all;
            all = pc::merged<S>(older, newer);
            BOOST_REQUIRE(all);
            BOOST_TEST(older->payload() == before);
            text += same.text;
            auto expected = same;
            expected.text = text;
            BOOST_TEST((read<S, delta>(*all).events[0] == expected));
        }
    }
}
BOOST_AUTO_TEST_CASE_TEMPLATE(a_merged_frame_is_byte_for_byte_what_encoding_the_whole_text_writes, S, serializers)
{
    std::mt19937 random(2);
    for (std::size_t const most : {0U, 1U, 15U, 20U, 100U, 130U, 5000U})
        for (int round = 0; round < 20; ++round) {
            auto const a = as_read<S>(random_text(random, most));
            auto const b = as_read<S>(random_text(random, most));
            auto const all = pc::merged<S>(frame<S>(token{"r", a, 7}), frame<S>(token{"r", b, 7}));
            auto const whole = frame<S>(token{"r", a + b, 7});
            BOOST_REQUIRE(all);
            BOOST_TEST((std::string(all->wire().begin(), all->wire().end()) ==
                        std::string(whole->wire().begin(), whole->wire().end())));
        }
}
BOOST_AUTO_TEST_CASE_TEMPLATE(merging_is_associative, S, serializers)
{
    auto const a = frame<S>(words{"a\n"}), b = frame<S>(words{"b\""}), c = frame<S>(words{"€"});
    auto const left = pc::merged<S>(pc::merged<S>(a, b), c);
    auto const right = pc::merged<S>(a, pc::merged<S>(b, c));
    BOOST_TEST(left->payload() == right->payload());
    BOOST_TEST((read<S, words>(*left).events[0].text == "a\nb\"€"));
    BOOST_TEST(pc::same_subject(*left, *a));
}
BOOST_AUTO_TEST_CASE_TEMPLATE(a_merged_event_has_the_envelope_of_the_newer, S, serializers)
{
    using namespace std::chrono_literals;
    pc::envelope_head head;
    head.room = "thread/\"42\"";
    head.offset = 20;
    head.timestamp = std::chrono::system_clock::time_point(1'700'000'000s);
    auto const older = frame<S>(words{"one "}, head);
    head.offset = 70'000;
    *head.timestamp += 1500ms;
    head.id_json = "\"q\"";
    auto const newer = frame<S>(words{"two"}, head);
    auto const got = read<S, words>(*pc::merged<S>(older, newer));
    BOOST_TEST(got.events[0].text == "one two");
    BOOST_TEST(got.rooms[0] == "thread/\"42\"");
    BOOST_TEST(got.offsets[0] == 70'000U);
    BOOST_TEST(got.times[0] == "2023-11-14T22:13:21.500Z");
    BOOST_TEST(got.ids[0] == "\"q\"");
}
BOOST_AUTO_TEST_CASE_TEMPLATE(the_latest_replaces_the_one_before_and_is_the_same_frame, S, serializers)
{
    auto const older = frame<S>(progress{"r", "index", 10}), newer = frame<S>(progress{"r", "index", 20});
    BOOST_TEST(pc::same_subject(*older, *newer));
    BOOST_TEST(pc::merged<S>(older, newer).get() == newer.get());
    BOOST_TEST(pc::same_subject(*frame<S>(mood{"calm"}), *frame<S>(mood{"angry"})));
}
BOOST_AUTO_TEST_CASE_TEMPLATE(an_event_that_somebody_waits_for_is_not_merged_away, S, serializers)
{
    pc::envelope_head reply;
    reply.id_json = "9";
    BOOST_TEST(!pc::merged<S>(frame<S>(words{"a"}, reply), frame<S>(words{"b"})));
    BOOST_TEST(!pc::merged<S>(frame<S>(mood{"a"}, reply), frame<S>(mood{"b"})));
    BOOST_TEST(bool(pc::merged<S>(frame<S>(mood{"a"}), frame<S>(mood{"b"}, reply))));
    auto const both = pc::merged<S>(frame<S>(words{"a"}), frame<S>(words{"b"}, reply));
    BOOST_REQUIRE(both);
    BOOST_TEST(!pc::merged<S>(both, frame<S>(words{"c"})));
}
BOOST_AUTO_TEST_CASE_TEMPLATE(a_recovered_event_says_so_and_merges_with_its_like, S, serializers)
{
    pc::envelope_head late;
    late.recovered = true;
    auto const a = frame<S>(words{"a"}, late), b = frame<S>(words{"b"}, late);
    BOOST_TEST((read<S, words>(*a).recovered));
    BOOST_TEST((!read<S, words>(*frame<S>(words{"a"})).recovered));
    BOOST_TEST((read<S, words>(*pc::merged<S>(a, b)).recovered));
    BOOST_TEST(!pc::merged<S>(a, frame<S>(words{"c"})));
}
BOOST_AUTO_TEST_CASE_TEMPLATE(what_differs_in_type_room_or_key_is_another_subject, S, serializers)
{
    auto const in = [](std::string_view room) {
        pc::envelope_head head;
        head.room = room;
        return head;
    };
    std::vector<pc::frame_ref> const frames = {
        frame<S>(mood{}), frame<S>(other_mood{}), frame<S>(words{}), frame<S>(words{}, in("a")),
        frame<S>(words{}, in("b")), frame<S>(words{}, in("a,\"\"")), frame<S>(progress{}, in("a")),
        frame<S>(progress{",", "", 0}), frame<S>(progress{"", ",", 0}), frame<S>(progress{"\",\"", "", 0}),
        frame<S>(progress{"", "\",\"", 0}), frame<S>(progress{"a", "b", 0}), frame<S>(progress{"ab", "", 0}),
        frame<S>(progress{"", "ab", 0}), frame<S>(progress{"a\0"s, "b", 0}), frame<S>(progress{"a", "\0b"s, 0}),
        frame<S>(progress{"a,\"b\"", "", 0}), frame<S>(progress{"\"", "\\", 0}), frame<S>(progress{"\"\\", "", 0}),
        frame<S>(progress{"", "\"a\",\"b\"", 0}), frame<S>(progress{"", "", 0}, in(",\"a\",\"b\"")),
        frame<S>(token{"r", "", 1}), frame<S>(token{"r", "", 2}), frame<S>(token{"r1", "", 2}),
        frame<S>(delta{"", std::nullopt, "", std::nullopt, {}, {}}),
    };
    for (std::size_t i = 0; i < frames.size(); ++i)
        for (std::size_t j = 0; j < frames.size(); ++j) {
            BOOST_TEST(frames[i]->coalesces());
            BOOST_TEST_CONTEXT(frames[i]->payload() << frames[j]->payload())
            BOOST_TEST(pc::same_subject(*frames[i], *frames[j]) == (i == j));
            BOOST_TEST((pc::subject_hash(*frames[i]) == pc::subject_hash(*frames[j])) == (i == j));
        }
}
BOOST_AUTO_TEST_CASE_TEMPLATE(keys_are_equal_exactly_when_their_fields_are, S, serializers)
{
    std::mt19937 random(3);
    for (int round = 0; round < 5000; ++round) {
        auto const valid = [&] { return as_read<S>(random_text(random, 3)); };
        progress const a{valid(), valid(), 1}, b{valid(), random() % 2 ? a.step : valid(), 2};
        auto const same = pc::same_subject(*frame<S>(a), *frame<S>(b));
        BOOST_TEST(same == (a.run_id == b.run_id && a.step == b.step));
    }
}
BOOST_AUTO_TEST_CASE_TEMPLATE(no_merged_payload_exceeds_its_bound, S, serializers)
{
    auto const fixed = frame<S>(words{std::string(40'000, 'x')});
    auto const head_bytes = fixed->payload().size() - 40'000;
    auto const room = pc::max_merged_bytes - head_bytes - 40'000;
    auto const fits = pc::merged<S>(fixed, frame<S>(words{std::string(room, 'y')}));
    BOOST_REQUIRE(fits);
    BOOST_TEST(fits->payload().size() == pc::max_merged_bytes);
    BOOST_TEST(!pc::merged<S>(fixed, frame<S>(words{std::string(room + 1, 'y')})));
    BOOST_TEST(!pc::merged<S>(fits, frame<S>(words{"z"})));
    BOOST_TEST(bool(pc::merged<S>(fits, frame<S>(words{""}))));
    BOOST_TEST(!pc::merged<S>(frame<S>(words{"z"}), frame<S>(words{std::string(1'000'000, 'y')})));
}
BOOST_AUTO_TEST_CASE_TEMPLATE(a_frame_that_coalesces_has_the_same_bytes_on_the_wire_as_one_that_does_not, S, serializers)
{
    pc::envelope_head head;
    head.room = "r";
    words const event{"text"};
    pc::detail::byte_buffer out;
    BOOST_REQUIRE(!S::encode(out, head, event));
    auto const plain_frame = pc::shared_frame::message(S::frame_opcode, out.view());
    auto const f = frame<S>(event, head);
    BOOST_TEST(f->payload() == out.view());
    BOOST_TEST(f->wire_bytes() == plain_frame->wire_bytes());
    BOOST_TEST((std::string(f->wire().begin(), f->wire().end()) ==
                std::string(plain_frame->wire().begin(), plain_frame->wire().end())));
    BOOST_TEST(!plain_frame->coalesces());
    BOOST_TEST(!frame<S>(plain{"x"})->coalesces());
}
BOOST_AUTO_TEST_CASE(what_is_said_of_a_frame_does_not_mix)
{
    auto const f = frame<pc::serializer::json>(words{"x"});
    BOOST_TEST(!f->joinable());
    BOOST_TEST(f->form() == 0);
    f->mark_joinable();
    f->set_form(3);
    BOOST_TEST((f->joinable() && f->coalesces() && f->form() == 3));
    auto const p = pc::shared_frame::message(pc::opcode::text, "x");
    p->mark_joinable();
    BOOST_TEST((p->joinable() && !p->coalesces() && p->form() == 0));
    static_assert(sizeof(pc::shared_frame) == 16);
}
BOOST_AUTO_TEST_CASE(a_merged_frame_shares_a_wire_frame_as_the_newer_did)
{
    using S = pc::serializer::json;
    auto const a = frame<S>(words{"a"}), b = frame<S>(words{"b"});
    BOOST_TEST(!pc::merged<S>(a, b)->joinable());
    b->mark_joinable();
    BOOST_TEST(pc::merged<S>(a, b)->joinable());
}
BOOST_AUTO_TEST_CASE(what_has_no_envelope_does_not_coalesce)
{
    static_assert(!pc::coalesces_with<pc::serializer::raw, pc::message>);
    static_assert(!pc::coalesces_with<pc::serializer::raw, words>);
    static_assert(pc::coalesces_with<pc::serializer::json, words> && pc::coalesces_with<pc::serializer::msgpack, words>);
    auto const f = pc::make_coalescing_frame<pc::serializer::raw>({}, pc::message{"x"}, "x", {});
    BOOST_TEST((!f->coalesces() && f->payload() == "x"));
}
BOOST_AUTO_TEST_CASE(receivers_that_wait_for_the_same_events_share_the_merged_frame)
{
    using S = pc::serializer::json;
    auto const a = frame<S>(words{"a"}), b = frame<S>(words{"b"}), c = frame<S>(words{"c"});
    pc::merger<S> merger;
    auto const first = merger.merge(a, b);
    BOOST_TEST(merger.merge(a, b).get() == first.get());
    auto const second = merger.merge(first, c);
    BOOST_TEST(merger.merge(first, c).get() == second.get());
    BOOST_TEST((read<S, words>(*second).events[0].text == "abc"));
    merger.clear();
    BOOST_TEST(merger.merge(first, c).get() != second.get());
}

BOOST_AUTO_TEST_SUITE_END()
