#include <polycast/outbox/outbox.hpp>

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <cstdlib>
#include <random>
#include <set>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

namespace pc = polycast;
using pc::frame_ref;
using pc::lane;
using pc::outbox;
using pc::shared_frame;
using pc::detail::node_pool;

namespace {
frame_ref text(std::string_view t)
{
    return shared_frame::message(pc::opcode::text, t);
}
/// Takes everything that is due, as a writer does that never blocks.
std::string take_all(outbox& box, node_pool& pool, pc::lane_mask due = pc::all_lanes)
{
    std::string order;
    for (auto q = box.next(due); q != outbox::queue_count; q = box.next(due)) {
        auto* const n = box.pop(q);
        order += n->frame->payload();
        box.count_out(n->frame->wire_bytes());
        pool.give_back(n);
    }
    return order;
}
}  // namespace

BOOST_AUTO_TEST_SUITE(outbox_of_a_session)

BOOST_AUTO_TEST_CASE(control_is_above_all_lanes)
{
    node_pool pool;
    outbox box;
    box.push(pool, outbox::queue_of(lane::high), text("h"));
    box.push(pool, outbox::control, text("c"));
    box.push(pool, outbox::control, text("d"));
    BOOST_TEST(take_all(box, pool) == "cdh");
}

BOOST_AUTO_TEST_CASE(what_is_dropped_is_not_counted_wherever_it_waited)
{
    node_pool pool;
    outbox box;
    for (auto const queue : {outbox::staged, outbox::queue_of(lane::batch)}) {
        box.push(pool, queue, text("stays"), 1);
        auto const queued = box.queued_bytes(), staged = box.staged_bytes();
        auto* const dropped = box.push(pool, queue, text("goes"), 1);
        box.remove(queue, dropped);
        pool.give_back(dropped);
        BOOST_TEST(box.queued_bytes() == queued);
        BOOST_TEST(box.staged_bytes() == staged);
        BOOST_TEST(box.events() == (queue == outbox::staged ? 1U : 2U));
    }
    BOOST_TEST(take_all(box, pool) == "staysstays");
}

BOOST_AUTO_TEST_CASE(a_lane_is_first_in_first_out)
{
    node_pool pool;
    outbox box;
    for (char const c : std::string("abcdefghij"))
        box.push(pool, outbox::queue_of(lane::normal), text({&c, 1}));
    BOOST_TEST(take_all(box, pool) == "abcdefghij");
}

BOOST_AUTO_TEST_CASE(of_sixteen_turns_high_has_ten_normal_five_and_batch_one)
{
    node_pool pool;
    outbox box;
    for (int i = 0; i < 320; ++i) {
        box.push(pool, outbox::queue_of(lane::high), text("h"));
        box.push(pool, outbox::queue_of(lane::normal), text("n"));
        box.push(pool, outbox::queue_of(lane::batch), text("b"));
    }
    auto const order = take_all(box, pool);
    for (std::size_t at = 0; at < 16 * 20; at += 16) {
        auto const turn = order.substr(at, 16);
        BOOST_TEST(std::ranges::count(turn, 'h') == 10);
        BOOST_TEST(std::ranges::count(turn, 'n') == 5);
        BOOST_TEST(std::ranges::count(turn, 'b') == 1);
    }
}

BOOST_AUTO_TEST_CASE(no_lane_waits_longer_than_its_static_bound)
{
    // Whatever the others do: batch goes at the latest sixteenth, normal at the latest fourth.
    for (unsigned seed = 1; seed <= 50; ++seed) {
        std::mt19937 random(seed);
        node_pool pool;
        outbox box;
        std::size_t since_batch = 0, since_normal = 0;
        for (int i = 0; i < 2000; ++i) {
            for (lane const l : {lane::high, lane::normal, lane::batch})
                while (box.waiting(l) < 3)
                    box.push(pool, outbox::queue_of(l), text(l == lane::high ? "h" : l == lane::normal ? "n" : "b"));
            auto* const n = box.pop(box.next(pc::all_lanes));
            char const took = n->frame->payload()[0];
            box.count_out(n->frame->wire_bytes());
            pool.give_back(n);
            since_batch = took == 'b' ? 0 : since_batch + 1;
            since_normal = took == 'n' ? 0 : since_normal + 1;
            BOOST_TEST_REQUIRE(since_batch < 16);
            BOOST_TEST_REQUIRE(since_normal < 4 + 1);
            if (random() % 5 == 0 && box.next(pc::mask_of(lane::high)) != outbox::queue_count) {
                auto* const extra = box.pop(box.next(pc::mask_of(lane::high)));
                box.count_out(extra->frame->wire_bytes());
                pool.give_back(extra);
                ++since_batch, ++since_normal;
                since_batch = since_batch >= 15 ? 0 : since_batch;      // the extra takes a turn of its own
                since_normal = since_normal >= 3 ? 0 : since_normal;
            }
        }
        box.clear(pool);
    }
}

BOOST_AUTO_TEST_CASE(a_lane_alone_has_every_turn)
{
    node_pool pool;
    outbox box;
    for (int i = 0; i < 100; ++i)
        box.push(pool, outbox::queue_of(lane::batch), text("b"));
    BOOST_TEST(take_all(box, pool) == std::string(100, 'b'));
}

BOOST_AUTO_TEST_CASE(only_lanes_that_are_due_are_taken)
{
    node_pool pool;
    outbox box;
    box.push(pool, outbox::queue_of(lane::high), text("h"));
    box.push(pool, outbox::queue_of(lane::normal), text("n"));
    box.push(pool, outbox::control, text("c"));
    BOOST_TEST(take_all(box, pool, pc::mask_of(lane::normal)) == "n");
    BOOST_TEST(take_all(box, pool, 0) == "");
    BOOST_TEST(take_all(box, pool, pc::control_only) == "c");
    BOOST_TEST(box.waiting(lane::high) == 1u);
    box.clear(pool);
}

BOOST_AUTO_TEST_CASE(what_is_put_back_is_taken_again_in_the_same_order)
{
    node_pool pool;
    outbox box;
    std::string const all = "0123456789ABCDEFGHIJ";
    for (std::size_t i = 0; i < all.size(); ++i)
        box.push(pool, outbox::queue_of(static_cast<lane>(i % 3)), text({&all[i], 1}));
    std::vector<std::pair<std::size_t, pc::detail::frame_node*>> taken;
    std::string first;
    for (int i = 0; i < 11; ++i) {
        auto const q = box.next(pc::all_lanes);
        taken.emplace_back(q, box.pop(q));
        first += taken.back().second->frame->payload();
    }
    while (!taken.empty()) {
        box.unpop(taken.back().first, taken.back().second);
        taken.pop_back();
    }
    BOOST_TEST(box.waiting(lane::high) + box.waiting(lane::normal) + box.waiting(lane::batch) == 20u);
    BOOST_TEST(take_all(box, pool).substr(0, 11) == first);
    BOOST_TEST(box.queued_bytes() == 0u);
}

BOOST_AUTO_TEST_CASE(bytes_are_counted_exactly_whatever_is_done)
{
    for (unsigned seed = 1; seed <= 30; ++seed) {
        std::mt19937 random(seed);
        node_pool pool;
        outbox box;
        std::size_t model = 0;
        for (int i = 0; i < 500; ++i) {
            switch (random() % 4) {
            case 0:
            case 1: {
                auto f = text(std::string(random() % 300, 'x'));
                model += f->wire_bytes();
                box.push(pool, random() % outbox::queue_count, std::move(f));
                break;
            }
            case 2:
                if (box.partial().empty())
                    if (auto const q = box.next(pc::all_lanes); q != outbox::queue_count) {
                        auto* const n = box.pop(q);
                        auto const wrote = 1 + random() % (n->frame->wire_bytes() - 1 + (n->frame->wire_bytes() == 1));
                        box.set_partial(std::move(n->frame), wrote);
                        box.count_out(wrote);
                        model -= wrote;
                        pool.give_back(n);
                    }
                break;
            case 3:
                if (auto const left = box.partial().size(); left != 0) {
                    auto const wrote = 1 + random() % left;
                    box.advance_partial(wrote);
                    box.count_out(wrote);
                    model -= wrote;
                }
                break;
            }
            BOOST_TEST_REQUIRE(box.queued_bytes() == model);
            BOOST_TEST_REQUIRE(box.empty() == (model == 0));
        }
        auto const half = box.partial().size();
        box.drop_waiting(pool);
        std::size_t control_bytes = 0;  // they stay, the lanes do not
        while (box.next(pc::all_lanes) == outbox::control) {
            auto* const n = box.pop(outbox::control);
            control_bytes += n->frame->wire_bytes();
            pool.give_back(n);
        }
        BOOST_TEST(box.queued_bytes() == half + control_bytes);
        BOOST_TEST((box.next(pc::all_lanes) == outbox::queue_count));
        box.clear(pool);
        BOOST_TEST(box.empty());
    }
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(frame_queues)

BOOST_AUTO_TEST_CASE(a_queue_takes_at_both_ends_and_gives_at_the_front)
{
    node_pool pool;
    pc::detail::frame_queue q;
    BOOST_TEST(q.empty());
    q.push_back(pool.take(text("b")));
    q.push_front(pool.take(text("a")));
    q.push_back(pool.take(text("c")));
    std::string order;
    while (!q.empty()) {
        auto* const n = q.pop_front();
        order += n->frame->payload();
        pool.give_back(n);
    }
    BOOST_TEST(order == "abc");
    q.push_front(pool.take(text("d")));
    q.push_back(pool.take(text("e")));
    BOOST_TEST(q.front()->frame->payload() == "d");
    while (!q.empty())
        pool.give_back(q.pop_front());
}

BOOST_AUTO_TEST_CASE(a_node_leaves_from_any_place_and_the_queue_goes_on_at_both_ends)
{
    for (int const gone : {0, 1, 2}) {
        node_pool pool;
        pc::detail::frame_queue q;
        std::vector<pc::detail::frame_node*> all;
        for (auto const* const name : {"a", "b", "c"})
            q.push_back(all.emplace_back(pool.take(text(name))));
        q.remove(all[static_cast<std::size_t>(gone)]);
        pool.give_back(all[static_cast<std::size_t>(gone)]);
        BOOST_TEST(q.back() == all[gone == 2 ? 1 : 2]);
        q.push_back(pool.take(text("d")));
        q.push_front(pool.take(text("e")));
        BOOST_TEST(q.back()->frame->payload() == "d");
        std::string order;
        while (!q.empty()) {
            auto* const n = q.pop_front();
            order += n->frame->payload();
            pool.give_back(n);
        }
        BOOST_TEST(order == (gone == 0 ? "ebcd" : gone == 1 ? "eacd" : "eabd"));
    }
}

BOOST_AUTO_TEST_CASE(nodes_that_are_given_back_are_used_again)
{
    node_pool pool;
    auto* const first = pool.take(text("x"));
    pool.give_back(first);
    BOOST_TEST(!first->frame);
    BOOST_TEST(pool.take(text("y")) == first);
    pool.give_back(first);
    std::vector<pc::detail::frame_node*> many;
    for (int i = 0; i < 1000; ++i)
        many.push_back(pool.take(text("z")));
    std::ranges::sort(many);
    BOOST_TEST((std::ranges::adjacent_find(many) == many.end()));
    for (auto* const n : many)
        pool.give_back(n);
}

BOOST_AUTO_TEST_CASE(nodes_lie_side_by_side_however_they_came_back)
{
    node_pool pool;
    auto const frame = pc::shared_frame::message(pc::opcode::text, "x");
    std::vector<pc::detail::frame_node*> nodes;
    for (int i = 0; i < 200; ++i)
        nodes.push_back(pool.take(frame));
    auto const first = nodes.front();
    for (std::size_t step = 0; step < 7; ++step)
        for (std::size_t i = step; i < nodes.size(); i += 7)
            pool.give_back(nodes[nodes.size() - 1 - i]);
    for (int i = 0; i < 200; ++i)
        BOOST_TEST(pool.take(frame) == first + i);  // and a pool that goes drops what is still in its nodes
}

BOOST_AUTO_TEST_CASE(a_node_that_stays_keeps_no_other_from_being_used)
{
    node_pool pool;
    auto const frame = pc::shared_frame::message(pc::opcode::text, "x");
    std::set<pc::detail::frame_node*> seen;
    std::vector<pc::detail::frame_node*> nodes;
    auto const take = [&] {
        for (int i = 0; i < 2000; ++i)
            nodes.push_back(*seen.insert(pool.take(frame)).first);
    };
    take();
    for (int turn = 0; turn < 20; ++turn) {
        // One of each hundred waits on, and is in the way of its block; the others come back in some order.
        std::vector<pc::detail::frame_node*> stay;
        for (std::size_t i = 0; i < nodes.size(); ++i)
            i % 100 == 0 ? stay.push_back(nodes[i]) : pool.give_back(nodes[i]);
        nodes = {};
        take();
        for (auto* const node : stay)
            pool.give_back(node);
    }
    BOOST_TEST(seen.size() < 2500u);
    for (auto* const node : nodes) {
        BOOST_REQUIRE(node->frame.get() == frame.get());
        pool.give_back(node);
    }
}

BOOST_AUTO_TEST_CASE(a_node_whose_frame_has_gone_on_comes_back_without_one)
{
    node_pool pool;
    auto const frame = text("x");
    auto* const node = pool.take(pool.refer(frame));
    auto const rest = std::move(node->frame);
    pool.give_back(node);
    pool.settle();
    BOOST_TEST(rest->payload() == "x");
}

BOOST_AUTO_TEST_CASE(a_stock_of_references_holds_as_many_as_it_gave_and_got)
{
    // Freed too early or never, a sanitizer would say so; each frame is also read by the last who holds it.
    pc::detail::reference_stock stock;
    std::vector<pc::frame_ref> held;
    for (int turn = 0; turn < 3; ++turn) {
        for (int f = 0; f < 200; ++f) {  // more than it has places for
            auto const frame = pc::shared_frame::message(pc::opcode::text, std::to_string(f));
            for (int receiver = 0; receiver < 150; ++receiver) {  // more than a handful
                auto reference = stock.take(frame);
                BOOST_REQUIRE(reference.get() == frame.get());
                if (receiver % 3 == 0)
                    stock.give_back(std::move(reference));
                else if (receiver % 3 == 1)
                    held.push_back(std::move(reference));
            }
        }
        stock.settle();
        for (std::size_t i = 0; i < held.size(); ++i) {
            BOOST_REQUIRE(held[i]->payload() == std::to_string(i / 50));
            if (i % 2 == 0)
                stock.give_back(std::move(held[i]));
        }
        held.clear();
    }
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(shared_frames)

BOOST_AUTO_TEST_CASE(a_frame_is_header_and_payload_as_they_go_on_the_wire)
{
    for (std::size_t const size : {0u, 1u, 125u, 126u, 65'535u, 65'536u, 200'000u}) {
        std::string const payload(size, 'p');
        auto const f = shared_frame::message(pc::opcode::binary, payload);
        BOOST_TEST(f->wire_bytes() == pc::encoded_header_bytes(size, false) + size);
        BOOST_TEST((f->payload() == payload));
        auto const decoded = pc::decode_header<pc::role::client>(f->wire());
        BOOST_TEST(!decoded.error.has_value());
        BOOST_TEST(decoded.header.payload_bytes == size);
        BOOST_TEST(decoded.header.fin);
        BOOST_TEST((decoded.header.op == pc::opcode::binary));
        BOOST_TEST((f->op() == pc::opcode::binary));
        BOOST_TEST(!f->joinable());
    }
}

BOOST_AUTO_TEST_CASE(verbatim_bytes_are_both_parts_in_order)
{
    std::string const a = "head", b = "tail";
    auto const f = shared_frame::verbatim(a, b);
    BOOST_TEST((std::string_view(f->wire().data(), f->wire().size()) == "headtail"));
    BOOST_TEST(shared_frame::verbatim({})->wire_bytes() == 0u);
}

BOOST_AUTO_TEST_CASE(threads_share_and_drop_a_frame)
{
    auto f = text("shared");
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i)
        threads.emplace_back([f] {
            for (int k = 0; k < 2000; ++k) {
                frame_ref const copy = f;
                if (copy->payload().size() != 6)
                    std::abort();
            }
        });
    f = {};
    for (auto& t : threads)
        t.join();
}

BOOST_AUTO_TEST_SUITE_END()
