#include <polycast/compression/deflate.hpp>

#include "../support/foreign_deflate.hpp"
#include "../support/memory.hpp"

#include <boost/test/unit_test.hpp>

#if POLYCAST_WITH_ZLIB
#include <array>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace pc = polycast;
namespace pcc = polycast::compression;
using namespace std::string_view_literals;

namespace deflate_codec {

constexpr auto malformed = pc::compression_error::malformed;
constexpr auto too_large = pc::compression_error::too_large;
pcc::options const at_once{.min_bytes = 1, .dictionary = {}};
using dedicated = pcc::deflate<pcc::dedicated>;

struct unpacked {
    std::error_code ec;
    std::string text;
};
template <class Decoder>
unpacked inflate_with(Decoder&& decoder, std::string_view payload, std::size_t max_bytes)
{
    pc::detail::byte_buffer out;
    auto const ec = decoder(out, payload, max_bytes);
    return {ec, std::string(out.view())};
}
unpacked stateless(std::string_view payload, std::size_t max_bytes = 1 << 20)
{
    return inflate_with([](auto& out, auto in, auto max) { return pcc::deflate<>::decompress(1, out, in, max); }, payload,
                        max_bytes);
}
unpacked read_by(dedicated::context& context, std::string_view payload, std::size_t max_bytes = 1 << 20)
{
    return inflate_with([&](auto& out, auto in, auto max) { return context.decompress(out, in, max); }, payload, max_bytes);
}
/// Compressible, and different in every place.
std::string prose(std::size_t size, std::size_t begin = 0)
{
    std::string text;
    for (std::size_t i = begin; text.size() < size; ++i)
        text += "event " + std::to_string(i * 7919 % 100'003) + " of the agent run, with reasoning; ";
    text.resize(size);
    return text;
}
std::string noise(std::size_t size, unsigned seed = 0)
{
    std::mt19937 chance(static_cast<unsigned>(size) + seed);
    std::string text(size, '\0');
    for (char& c : text)
        c = static_cast<char>(chance());
    return text;
}
std::uint8_t narrow(int bits)
{
    return static_cast<std::uint8_t>(bits);
}

}  // namespace deflate_codec
using namespace deflate_codec;

BOOST_AUTO_TEST_SUITE(deflate_coding)

// RFC 7692 §7.2.3, octet for octet.
constexpr auto one_block = "\xf2\x48\xcd\xc9\xc9\x07\x00"sv;                          // §7.2.3.1
constexpr auto refers_back = "\xf2\x00\x11\x00\x00"sv;                                // §7.2.3.2
constexpr auto stored_block = "\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00"sv;       // §7.2.3.3
constexpr auto final_block = "\xf3\x48\xcd\xc9\xc9\x07\x00\x00"sv;                    // §7.2.3.4
constexpr auto two_blocks = "\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00"sv; // §7.2.3.5
constexpr auto empty_message = "\x00"sv;                                              // §7.2.3.6

BOOST_AUTO_TEST_CASE(the_examples_of_rfc_7692_inflate_as_they_say)
{
    dedicated const policy{pcc::options{}};
    auto const all = policy.make_context({}, pc::role::server);
    for (auto const payload : {one_block, stored_block, final_block, two_blocks}) {
        auto const once = stateless(payload);
        BOOST_TEST(!once.ec);
        BOOST_TEST(once.text == "Hello");
        auto const context = policy.make_context({}, pc::role::client);
        for (auto* const c : {context.get(), all.get()}) {
            for (int i = 0; i < 3; ++i)
                BOOST_TEST(read_by(*c, payload).text == "Hello");
            // The second message refers to the first, also over a final block.
            auto const sliding = read_by(*c, refers_back);
            BOOST_TEST(!sliding.ec);
            BOOST_TEST(sliding.text == "Hello");
            BOOST_TEST(!read_by(*c, empty_message).ec);
        }
    }
    auto const empty = stateless(empty_message);
    BOOST_TEST(!empty.ec);
    BOOST_TEST(empty.text.empty());
}

BOOST_AUTO_TEST_CASE(another_implementation_writes_the_examples_of_rfc_7692)  // so the foreign side of these tests is sound
{
    support::foreign_deflate peer({}, {});
    BOOST_TEST(peer.compress("Hello") == one_block);
    BOOST_TEST(peer.compress("Hello") == refers_back);
    BOOST_TEST(peer.compress("") == empty_message);
    support::foreign_deflate storing({}, {}, 0);
    BOOST_TEST(storing.compress("Hello") == stored_block);
}

BOOST_AUTO_TEST_CASE(what_refers_to_a_message_that_was_forgotten_is_refused)
{
    BOOST_TEST(!stateless(one_block).ec);
    BOOST_TEST((stateless(refers_back).ec == malformed));
    auto const forgetful = dedicated{}.make_context({.client_no_context_takeover = true}, pc::role::server);
    BOOST_TEST(!read_by(*forgetful, one_block).ec);
    BOOST_TEST((read_by(*forgetful, refers_back).ec == malformed));
    auto const client = dedicated{}.make_context({.client_no_context_takeover = true}, pc::role::client);
    BOOST_TEST(!read_by(*client, one_block).ec);
    BOOST_TEST(read_by(*client, refers_back).text == "Hello");
}

BOOST_AUTO_TEST_CASE(a_final_block_may_end_a_message_in_each_way_a_sender_can)  // §7.2.1, §7.2.3.4
{
    for (auto const payload : {
             "\xf3\x48\xcd\xc9\xc9\x07\x00"sv,                       // nothing behind it
             "\xf3\x48\xcd\xc9\xc9\x07\x00\x00"sv,                   // the empty block that was taken off
             "\x00\x05\x00\xfa\xffHello\x01"sv,                      // the empty block is itself the final one
             "\xf3\x48\xcd\xc9\xc9\x07\x00\x01"sv,                   // both
             "\x03\x00\x03\x00\xf3\x48\xcd\xc9\xc9\x07\x00\x03\x00"sv,  // empty final blocks around it
             "\x03\x00\x03\x00\xf3\x48\xcd\xc9\xc9\x07\x00\x03\x00\x00"sv,
         }) {
        auto const once = stateless(payload);
        BOOST_TEST(!once.ec);
        BOOST_TEST(once.text == "Hello");
        auto const context = dedicated{}.make_context({}, pc::role::server);
        BOOST_TEST(read_by(*context, payload).text == "Hello");
        BOOST_TEST(read_by(*context, refers_back).text == "Hello");
        BOOST_TEST(read_by(*context, payload).text == "Hello");
    }
}

BOOST_AUTO_TEST_CASE(garbage_is_refused_also_behind_a_final_block)
{
    for (auto const garbage : {"\xFF\xFF\xFF\xFF"sv, "\x06"sv, "\x07"sv, "\x00\x05\x00\xfa\xfe\x48\x65\x6c\x6c\x6f\x00"sv,
                               "\x00\x00\x00\x00"sv, "\x00\x00\x00\xff\xff"sv}) {
        BOOST_TEST((stateless(garbage).ec == malformed));
        for (auto const whole : {final_block.substr(0, 7), final_block})
            BOOST_TEST((stateless(std::string(whole) + std::string(garbage)).ec == malformed));
    }
    BOOST_TEST((stateless(std::string(final_block.substr(0, 7)) + "\xFF\xFF\xFF garbage").ec == malformed));
    for (unsigned i = 0; i < 3000; ++i) {
        auto const result = stateless(noise(i % 200, i), 1000);
        BOOST_TEST(result.text.size() <= 1000u);
    }
    // And the pooled stream is as good as new.
    BOOST_TEST(stateless(one_block).text == "Hello");
}

BOOST_AUTO_TEST_CASE(a_message_cut_short_anywhere_is_refused)
{
    // Blocks with the fixed code, with one of their own, stored, and several of each.
    support::foreign_deflate peer({15, false}, {15, false}), taking_over({}, {});
    for (auto const& text :
         {std::string("Hello"), prose(300), prose(5000), noise(300), noise(700) + prose(700) + noise(70'000)}) {
        auto const whole = peer.compress(text);
        BOOST_TEST((stateless(whole).text == text));
        std::size_t const step = whole.size() > 10'000 ? 97 : 1;
        for (std::size_t size = 0; size < whole.size(); size += step) {
            if (whole.substr(0, size) == empty_message)
                continue;
            auto const cut = stateless(whole.substr(0, size));
            BOOST_TEST((cut.ec == malformed), "cut at " << size << " of " << whole.size());
        }
    }
    auto const first = taking_over.compress(prose(300));
    auto const second = taking_over.compress(prose(300, 7));
    for (std::size_t size = 0; size < second.size(); ++size) {
        auto const context = dedicated{}.make_context({}, pc::role::server);
        BOOST_TEST(!read_by(*context, first).ec);
        BOOST_TEST((read_by(*context, second.substr(0, size)).ec == malformed), "cut at " << size);
    }
}

/// A few messages each way between `ours` and a foreign peer that keeps to the same agreement.
void converse(pc::deflate_agreement const& agreed, pc::role us, std::initializer_list<std::size_t> sizes)
{
    bool const serving = us == pc::role::server;
    auto const context = dedicated{at_once}.make_context(agreed, us);
    support::foreign_deflate::side const server{agreed.server_max_window_bits, !agreed.server_no_context_takeover};
    support::foreign_deflate::side const client{agreed.client_max_window_bits, !agreed.client_no_context_takeover};
    auto const& ours = serving ? server : client;
    support::foreign_deflate peer(serving ? client : server, ours);
    std::size_t before = 0;
    for (std::size_t const size : sizes) {
        auto const text = prose(size, size);
        pc::detail::byte_buffer out;
        if (context->compress(out, text)) {
            BOOST_TEST((out.size() < size && ours.window_bits >= 9));
            BOOST_TEST((peer.decompress(out.view()) == text));
            // What was said before is referred to, if it may be.
            if (size == before && size < 250)
                BOOST_TEST((out.size() < 20) == ours.takes_over);
        } else {
            BOOST_TEST(out.empty());
            BOOST_TEST((size < 100u || ours.window_bits == 8));
        }
        before = size != 0 ? size : before;
        auto const back = read_by(*context, peer.compress(text), size);
        BOOST_TEST(!back.ec);
        BOOST_TEST((back.text == text));
    }
}

BOOST_AUTO_TEST_CASE(every_window_and_takeover_is_understood_by_another_implementation)
{
    for (int server = 8; server <= 15; ++server)
        for (int client = 8; client <= 15; ++client)
            for (int flags = 0; flags < 4; ++flags) {
                pc::deflate_agreement const agreed{(flags & 1) != 0, (flags & 2) != 0, narrow(server), narrow(client)};
                converse(agreed, pc::role::client, {0, 1, 125, 125, 126, 0, 126, 3000});
                // A server that cannot send with a window of 256 bytes does not agree on it.
                if (server != 8)
                    converse(agreed, pc::role::server, {0, 1, 125, 125, 126, 0, 126, 3000});
            }
    for (int const bits : {8, 9, 12, 15})
        for (int flags = 0; flags < 4; ++flags) {
            pc::deflate_agreement const agreed{(flags & 1) != 0, (flags & 2) != 0, narrow(bits), narrow(23 - bits)};
            converse(agreed, pc::role::client, {65535, 65536, 1, 65536});
        }
    converse({}, pc::role::server, {1 << 20, 0, 1 << 20, 16 << 20});
    converse({true, true, 9, 9}, pc::role::server, {1 << 20, 0, 1 << 20});
}

BOOST_AUTO_TEST_CASE(two_ends_that_remember_understand_each_other)
{
    dedicated const policy{pcc::options{}};
    for (pc::deflate_agreement const& agreed : {pc::deflate_agreement{}, {true, false, 15, 10}, {false, true, 9, 15}}) {
        auto const server = policy.make_context(agreed, pc::role::server);
        auto const client = policy.make_context(agreed, pc::role::client);
        for (std::size_t i = 0; i < 40; ++i) {
            // Noise is sent as it is, and is in no memory.
            auto const text = i % 7 == 3 ? noise(1000) : prose(100 + i * 70, i);
            for (auto const& [from, to] : {std::pair{server.get(), client.get()}, std::pair{client.get(), server.get()}}) {
                pc::detail::byte_buffer out;
                if (!from->compress(out, text))
                    BOOST_TEST((i % 7 == 3 || text.size() < 128));
                else
                    BOOST_TEST((read_by(*to, out.view()).text == text));
            }
        }
    }
}

BOOST_AUTO_TEST_CASE(each_way_to_make_blocks_is_understood)
{
    // A sender may use what blocks it likes (§7.2.1): levels, strategies and flushes of zlib change with every message.
    z_stream z{};
    BOOST_REQUIRE(deflateInit2(&z, 6, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY) == Z_OK);
    auto const context = dedicated{}.make_context({}, pc::role::server);
    std::mt19937 chance(5);
    std::string packed(400'000, '\0');
    for (unsigned i = 0; i < 300; ++i) {
        auto const text = chance() % 4 == 0 ? noise(chance() % 3000, i) : prose(1 + chance() % 9000, i % 5);
        z.next_out = reinterpret_cast<Bytef*>(packed.data());
        z.avail_out = static_cast<uInt>(packed.size());
        for (std::size_t at = 0; at < text.size();) {
            std::size_t const piece = std::min<std::size_t>(text.size() - at, 1 + chance() % 4000);
            z.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data() + at));
            z.avail_in = static_cast<uInt>(piece);
            at += piece;
            deflateParams(&z, static_cast<int>(chance() % 10), static_cast<int>(chance() % 5));
            deflate(&z, std::array{Z_NO_FLUSH, Z_PARTIAL_FLUSH, Z_SYNC_FLUSH, Z_FULL_FLUSH, Z_BLOCK}[chance() % 5]);
        }
        z.avail_in = 0;
        deflate(&z, Z_PARTIAL_FLUSH);
        deflate(&z, Z_FULL_FLUSH);
        std::string_view payload(packed.data(), packed.size() - z.avail_out);
        if (text.empty())
            payload = "\x00\x00\x00\xFF\xFF"sv;
        BOOST_REQUIRE(payload.ends_with("\x00\x00\xFF\xFF"sv));
        payload.remove_suffix(4);
        auto const read = read_by(*context, payload);
        BOOST_TEST(!read.ec);
        BOOST_TEST((read.text == text));
    }
    deflateEnd(&z);
}

BOOST_AUTO_TEST_CASE(both_shared_forms_are_read_with_the_window_they_promise)
{
    using shared = pcc::deflate<>;
    shared const policy{at_once};
    for (int bits = 9; bits <= 15; ++bits)
        for (auto const us : {pc::role::server, pc::role::client}) {
            pc::deflate_agreement agreed;
            (us == pc::role::server ? agreed.server_max_window_bits : agreed.client_max_window_bits) = narrow(bits);
            auto const form = shared::form_for(agreed, us);
            BOOST_TEST(form == (bits == 15 ? 1 : 2));
            BOOST_TEST((shared::kind(form) == pcc::form_kind::extension));
            support::foreign_deflate peer({bits, false}, {bits, false});
            for (std::size_t const size : {1u, 125u, 126u, 127u, 4000u, 65535u, 65536u, 1u << 20, 16u << 20}) {
                if (size > 65536 && ((bits != 9 && bits != 15) || us == pc::role::client))
                    continue;
                pc::detail::byte_buffer out;
                auto const text = prose(size);
                bool const done = policy.compress(form, out, text);
                BOOST_TEST((done || size == 1));
                if (done) {
                    BOOST_TEST((peer.decompress(out.view()) == text));
                    BOOST_TEST((stateless(out.view(), size).text == text));
                }
            }
        }
    // What says nothing that another message said is what zlib makes of it alone.
    support::foreign_deflate peer({15, false}, {15, false});
    pc::detail::byte_buffer out;
    BOOST_REQUIRE(policy.compress(1, out, prose(3000)));
    BOOST_TEST(out.view() == peer.compress(prose(3000)));
}

BOOST_AUTO_TEST_CASE(a_client_with_a_window_of_256_bytes_sends_plain_messages_and_reads_compressed_ones)
{
    pc::deflate_agreement const agreed{.client_max_window_bits = 8};
    BOOST_TEST(pcc::deflate<>::form_for(agreed, pc::role::client) == 0);
    BOOST_TEST(pcc::deflate<>::form_for(agreed, pc::role::server) == 1);
    auto const context = dedicated{at_once}.make_context(agreed, pc::role::client);
    pc::detail::byte_buffer out;
    BOOST_TEST(!context->compress(out, prose(1000)));
    BOOST_TEST(out.empty());
    BOOST_TEST(read_by(*context, one_block).text == "Hello");
}

BOOST_AUTO_TEST_CASE(what_is_short_or_would_not_get_smaller_travels_as_it_is_and_is_not_remembered)
{
    pcc::deflate<> const shared{pcc::options{.min_bytes = 100}};
    pc::detail::byte_buffer out;
    out.append("before");
    BOOST_TEST(!shared.compress(1, out, prose(99)));
    for (std::uint8_t const form : {std::uint8_t{1}, std::uint8_t{2}}) {
        for (std::size_t const size : {100u, 5000u, 65536u, 1u << 20})
            BOOST_TEST(!shared.compress(form, out, noise(size)));
        BOOST_TEST(!shared.compress(form, out, ""));
        BOOST_TEST(!pcc::deflate<>{pcc::options{.min_bytes = 0}}.compress(form, out, ""));
    }
    BOOST_TEST(out.view() == "before");
    BOOST_TEST(shared.compress(1, out, prose(100)));
    BOOST_TEST(stateless(out.view().substr(6)).text == prose(100));

    auto const context = dedicated{at_once}.make_context({}, pc::role::server);
    support::foreign_deflate peer({}, {});
    for (auto const& text : {prose(3000), noise(3000), prose(3000), noise(3000), noise(3000), prose(3000), std::string(),
                             prose(3000)}) {
        pc::detail::byte_buffer packed;
        bool const done = context->compress(packed, text);
        BOOST_TEST(done == (text == prose(3000)));
        if (done)
            BOOST_TEST((peer.decompress(packed.view()) == text));
        else
            BOOST_TEST(packed.empty());
    }
}

BOOST_AUTO_TEST_CASE(each_size_around_the_gain_is_smaller_or_plain)
{
    pcc::deflate<> const policy{at_once};
    for (std::size_t size = 1; size < 120; ++size)
        for (auto const& text : {prose(size), noise(size), std::string(size, 'x')}) {
            pc::detail::byte_buffer out;
            if (policy.compress(1, out, text)) {
                BOOST_TEST(out.size() < size);
                BOOST_TEST((stateless(out.view()).text == text));
            }
        }
}

/// Inflates to 1 GiB and some: a byte of zeros inside a block of one repeated byte says 1032 more of them.
std::string bomb_of_a_gibibyte()
{
    support::foreign_deflate peer({15, false}, {15, false});
    auto bomb = peer.compress(std::string(2 << 20, 'b'));
    auto const middle = bomb.size() / 2;
    BOOST_REQUIRE(bomb.substr(middle - 100, 200) == std::string(200, '\0'));
    bomb.insert(middle, std::size_t{1} << 20, '\0');
    return bomb;
}

BOOST_AUTO_TEST_CASE(inflating_stops_at_the_limit_and_never_holds_more_than_that)
{
    auto const bomb = bomb_of_a_gibibyte();
    auto const context = dedicated{}.make_context({}, pc::role::server);
    for (std::size_t const limit : {0u, 1u, 1000u, 16383u, 16384u, 16385u, 65536u, 1u << 20, 40u << 20}) {
        pc::detail::byte_buffer out, by_context;
        BOOST_TEST((pcc::deflate<>::decompress(1, out, bomb, limit) == too_large));
        BOOST_TEST(out.size() <= limit);
        BOOST_TEST(out.capacity() <= limit + 1);
        auto const again = dedicated{}.make_context({}, pc::role::server);
        BOOST_TEST((again->decompress(by_context, bomb, limit) == too_large));
        BOOST_TEST(by_context.capacity() <= limit + 1);
    }
    // A little bomb below the limit takes what it says, not what is allowed.
    pc::detail::byte_buffer little;
    BOOST_TEST(!pcc::deflate<>::decompress(1, little, one_block, std::size_t{1} << 40));
    BOOST_TEST(little.capacity() <= 16u * 1024);
}

BOOST_AUTO_TEST_CASE(a_bomb_says_all_of_its_gibibyte)  // so the case above has something to stop
{
    auto const bomb = bomb_of_a_gibibyte();
    BOOST_TEST(bomb.size() < 1'060'000u);
    z_stream z{};
    BOOST_REQUIRE(inflateInit2(&z, -15) == Z_OK);
    z.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bomb.data()));
    z.avail_in = static_cast<uInt>(bomb.size());
    std::string space(1 << 20, '\0');
    std::size_t made = 0;
    int status = Z_OK;
    do {
        z.next_out = reinterpret_cast<Bytef*>(space.data());
        z.avail_out = static_cast<uInt>(space.size());
        status = inflate(&z, Z_SYNC_FLUSH);
        made += space.size() - z.avail_out;
    } while (status == Z_OK && z.avail_out == 0);
    inflateEnd(&z);
    BOOST_TEST((status == Z_OK || status == Z_BUF_ERROR));
    BOOST_TEST(made > std::size_t{1} << 30);
}

BOOST_AUTO_TEST_CASE(a_message_of_just_the_limit_is_taken_and_one_more_byte_is_not)
{
    support::foreign_deflate peer({15, false}, {15, false});
    for (std::size_t const size : {1u, 2u, 16383u, 16384u, 16385u, 70'000u, 1u << 20})
        for (auto const& text : {prose(size), noise(size)}) {
            auto const packed = peer.compress(text);
            auto const whole = stateless(packed, size);
            BOOST_TEST(!whole.ec);
            BOOST_TEST((whole.text == text));
            BOOST_TEST((stateless(packed, size - 1).ec == too_large));
        }
    BOOST_TEST(!stateless(empty_message, 0).ec);
    // What is behind the text in the buffer counts for nothing.
    pc::detail::byte_buffer out;
    out.append("before");
    BOOST_TEST(!pcc::deflate<>::decompress(1, out, one_block, 5));
    BOOST_TEST(out.view() == "beforeHello");
}

BOOST_AUTO_TEST_CASE(a_connection_holds_no_stream_before_a_message_needs_it)
{
    dedicated const policy{};
    support::foreign_deflate peer({15, false}, {15, false});
    auto const from_peer = peer.compress(prose(3000));
    pc::detail::byte_buffer out, text;
    out.append(noise(10'000));
    text.append(noise(10'000));
    auto const taken = [before = support::allocated_bytes()] { return support::allocated_bytes() - before; };
    if (support::allocated_bytes() == 0)
        return;
    auto const context = policy.make_context({}, pc::role::server);
    BOOST_TEST(sizeof(dedicated::context) <= 32u);
    BOOST_TEST(!context->compress(out, "short"));
    BOOST_TEST(taken() < 500u);
    BOOST_TEST(!context->decompress(text, from_peer, 4000));
    BOOST_TEST(taken() < 64u * 1024);
    BOOST_TEST(context->compress(out, prose(3000)));
    BOOST_TEST(taken() > 64u * 1024);
    BOOST_TEST(taken() < 340u * 1024);
}

BOOST_AUTO_TEST_CASE(any_thread_may_use_the_shared_policy)
{
    pcc::deflate<> const policy{pcc::options{}};
    std::array<int, 3> wrong{};
    std::vector<std::thread> threads;
    for (int& bad : wrong)
        threads.emplace_back([&policy, &bad] {
            for (std::size_t i = 0; i < 60; ++i) {
                auto const text = prose(200 + i * 100, i);
                pc::detail::byte_buffer out;
                bad += !policy.compress(narrow(i % 2 == 0 ? 1 : 2), out, text) || stateless(out.view()).text != text;
            }
        });
    for (auto& one : threads)
        one.join();
    for (int const bad : wrong)
        BOOST_TEST(bad == 0);
}

BOOST_AUTO_TEST_SUITE_END()
#endif
