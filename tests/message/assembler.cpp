#include <polycast/message/assembler.hpp>

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <string>
#include <vector>

using namespace polycast;
using namespace std::string_literals;
using namespace std::string_view_literals;

namespace {

/// A frame as the peer of `Role` sends it.
template <role Role>
std::string frame(opcode op, std::string_view payload, bool fin = true, bool rsv1 = false)
{
    static masking_key key = 0x9E3779B9;
    key = key * 2654435761U + 1;
    bool const masked = Role == role::server;
    std::string bytes(max_header_bytes + payload.size(), '\0');
    std::size_t const header_bytes =
        encode_header(bytes.data(), {op, fin, rsv1, masked, masked ? key : 0, payload.size()});
    mask_copy(bytes.data() + header_bytes, payload, masked ? key : 0);
    bytes.resize(header_bytes + payload.size());
    return bytes;
}

std::string in_frame(opcode op, std::string_view payload, bool fin = true, bool rsv1 = false)
{
    return frame<role::server>(op, payload, fin, rsv1);
}

struct recorder {
    std::vector<std::string> seen;
    std::size_t stop_after = ~std::size_t{0};

    bool note(std::string what)
    {
        seen.push_back(std::move(what));
        return seen.size() < stop_after;
    }
    bool message(opcode op, std::span<char> payload, bool rsv1)
    {
        std::string text(payload.data(), payload.size());
        std::fill(payload.begin(), payload.end(), '!');  // the sink may write
        return note((op == opcode::text ? "text:" : "binary:") + (rsv1 ? "compressed:"s : ""s) + text);
    }
    bool ping(std::span<char> payload) { return note("ping:" + std::string(payload.data(), payload.size())); }
    bool pong(std::span<char> payload) { return note("pong:" + std::string(payload.data(), payload.size())); }
    bool close(std::optional<close_code> code, std::string_view reason)
    {
        return note("close:" + (code ? std::to_string(static_cast<unsigned>(*code)) : "none") + ":" +
                    std::string(reason));
    }
};

/// Everything a connection made of `stream`, given in pieces; the last line is the error, or what is still held.
template <role Role = role::server>
std::vector<std::string> trace(std::string stream, std::vector<std::size_t> const& cuts,
                               message_limits const& limits = {}, bool compressed = false)
{
    assembler<Role> incoming;
    incoming.set_compressed(compressed);
    recorder sink;
    std::error_code error;
    std::size_t from = 0;
    auto const give = [&](std::size_t to) {
        // A copy of its own, so that a sanitizer sees any use of bytes past the piece or after the call.
        std::vector<char> piece(stream.begin() + static_cast<std::ptrdiff_t>(from),
                                stream.begin() + static_cast<std::ptrdiff_t>(to));
        from = to;
        if (auto const now = incoming.consume(piece, limits, sink); now)
            error = now;
    };
    for (std::size_t const cut : cuts)
        give(cut);
    give(stream.size());
    sink.seen.push_back(error ? error.message() : "fine; holds " + std::to_string(incoming.buffered_bytes()));
    return sink.seen;
}

std::vector<std::size_t> every_byte(std::string const& stream)
{
    std::vector<std::size_t> cuts;
    for (std::size_t i = 1; i < stream.size(); ++i)
        cuts.push_back(i);
    return cuts;
}

/// Whole, cut once at every place, cut twice a little apart, and a byte at a time.
template <role Role = role::server>
void check_every_split(std::string const& stream, std::vector<std::string> const& wanted,
                       message_limits const& limits = {}, bool compressed = false)
{
    BOOST_TEST(trace<Role>(stream, {}, limits, compressed) == wanted, boost::test_tools::per_element());
    for (std::size_t cut = 1; cut < stream.size(); ++cut) {
        BOOST_REQUIRE(trace<Role>(stream, {cut}, limits, compressed) == wanted);
        for (std::size_t const apart : {1U, 2U, 5U, 13U})
            if (cut + apart < stream.size())
                BOOST_REQUIRE(trace<Role>(stream, {cut, cut + apart}, limits, compressed) == wanted);
    }
    BOOST_REQUIRE(trace<Role>(stream, every_byte(stream), limits, compressed) == wanted);
}

std::string error_of(std::string const& stream, message_limits const& limits = {}, bool compressed = false)
{
    auto const whole = trace(stream, {}, limits, compressed);
    auto const bytewise = trace(stream, every_byte(stream), limits, compressed);
    BOOST_TEST(whole == bytewise, boost::test_tools::per_element());
    return whole.back();
}

std::string text_of(wire_error e)
{
    return std::error_code(e).message();
}

template <role Role>
std::string mixed_stream()
{
    std::string const long_text(300, 'L');
    return frame<Role>(opcode::text, "one") + frame<Role>(opcode::binary, "\x00\xFFtwo"sv) +
           frame<Role>(opcode::ping, "p1") + frame<Role>(opcode::text, "") + frame<Role>(opcode::text, "frag", false) +
           frame<Role>(opcode::ping, "inside") + frame<Role>(opcode::continuation, "", false) +
           frame<Role>(opcode::pong, "") + frame<Role>(opcode::continuation, "men", false) +
           frame<Role>(opcode::continuation, "ted") + frame<Role>(opcode::text, "caf\xC3", false) +
           frame<Role>(opcode::ping, std::string(125, 'P')) +
           frame<Role>(opcode::continuation, "\xA9 \xF0\x9F", false) + frame<Role>(opcode::continuation, "\x8C\x8D") +
           frame<Role>(opcode::text, long_text) + frame<Role>(opcode::binary, "", false) +
           frame<Role>(opcode::continuation, "") + frame<Role>(opcode::close, "\x03\xE8the end") +
           frame<Role>(opcode::text, "after the close") + "\xFF\xFF garbage";
}

std::vector<std::string> const mixed_trace = {"text:one",        "binary:\0\xFFtwo"s,
                                              "ping:p1",         "text:",
                                              "ping:inside",     "pong:",
                                              "text:fragmented", "ping:" + std::string(125, 'P'),
                                              "text:café 🌍",     "text:" + std::string(300, 'L'),
                                              "binary:",         "close:1000:the end",
                                              "fine; holds 0"};

}  // namespace

BOOST_AUTO_TEST_SUITE(message_assembler)

BOOST_AUTO_TEST_CASE(a_server_sees_the_same_however_the_stream_is_cut)
{
    check_every_split<role::server>(mixed_stream<role::server>(), mixed_trace);
}

BOOST_AUTO_TEST_CASE(a_client_sees_the_same_however_the_stream_is_cut)
{
    check_every_split<role::client>(mixed_stream<role::client>(), mixed_trace);
}

BOOST_AUTO_TEST_CASE(compressed_messages_are_marked_and_their_bytes_are_not_taken_for_text)
{
    std::string const stream = in_frame(opcode::text, "\xFF\xFE", true, true) +
                               in_frame(opcode::text, "\xFF", false, true) + in_frame(opcode::ping, "") +
                               in_frame(opcode::continuation, "\xC0") + in_frame(opcode::text, "plain");
    check_every_split(stream,
                      {"text:compressed:\xFF\xFE", "ping:", "text:compressed:\xFF\xC0", "text:plain", "fine; holds 0"},
                      {}, true);
    BOOST_TEST(error_of(stream) == text_of(wire_error::reserved_bits));
    BOOST_TEST(error_of(in_frame(opcode::text, "a", false, true) + in_frame(opcode::continuation, "b", true, true), {},
                        true) == text_of(wire_error::reserved_bits));
    BOOST_TEST(error_of(in_frame(opcode::ping, "", true, true), {}, true) == text_of(wire_error::reserved_bits));
}

BOOST_AUTO_TEST_CASE(lengths_around_the_steps_of_the_encoding_pass)
{
    for (std::size_t const size : {125U, 126U, 127U, 65535U, 65536U, 70001U}) {
        std::string const payload(size, 'x');
        std::string const stream = in_frame(opcode::binary, payload);
        std::vector<std::string> const wanted = {"binary:" + payload, "fine; holds 0"};
        BOOST_TEST((trace(stream, {}) == wanted));
        BOOST_TEST((trace(stream, {1, 2, 3, 4, 5, 7, 11, 13, 14, 15, 100}) == wanted));
    }
}

BOOST_AUTO_TEST_CASE(frames_out_of_order_are_refused)  // RFC 6455 §5.4
{
    BOOST_TEST(error_of(in_frame(opcode::continuation, "x")) == text_of(wire_error::unexpected_continuation));
    BOOST_TEST(error_of(in_frame(opcode::continuation, "x", false)) == text_of(wire_error::unexpected_continuation));
    BOOST_TEST(error_of(in_frame(opcode::text, "a") + in_frame(opcode::continuation, "x")) ==
               text_of(wire_error::unexpected_continuation));
    BOOST_TEST(error_of(in_frame(opcode::text, "a", false) + in_frame(opcode::text, "b")) ==
               text_of(wire_error::expected_continuation));
    BOOST_TEST(error_of(in_frame(opcode::text, "", false) + in_frame(opcode::binary, "b", false)) ==
               text_of(wire_error::expected_continuation));
    BOOST_TEST(error_of(in_frame(opcode::text, "a", false) + in_frame(opcode::continuation, "b") +
                        in_frame(opcode::continuation, "c")) == text_of(wire_error::unexpected_continuation));
}

BOOST_AUTO_TEST_CASE(what_came_before_a_fault_is_still_reported)
{
    std::string const stream = in_frame(opcode::text, "first") + "\x83\x80";
    check_every_split(stream, {"text:first", text_of(wire_error::reserved_opcode)});
}

BOOST_AUTO_TEST_CASE(a_header_that_is_wrong_is_refused_with_its_whole_payload_as_byte_by_byte)
{
    std::string const key = "key.", three = "\x83" + key + "abc", many(200, 'x');
    BOOST_TEST(error_of("\x81\xFE"s + '\0' + '\x03' + key + "abc") == text_of(wire_error::length_not_minimal));
    BOOST_TEST(error_of("\x82\xFE"s + '\0' + '\x7D' + key + many) == text_of(wire_error::length_not_minimal));
    BOOST_TEST(error_of("\x81\x03"s + many) == text_of(wire_error::mask_missing));
    BOOST_TEST(error_of("\x81\x7E"s + '\0' + '\x7E' + many) == text_of(wire_error::mask_missing));
    for (char const first : {'\xC1', '\xA2', '\x91'})
        BOOST_TEST(error_of(first + three) == text_of(wire_error::reserved_bits));
    for (char const first : {'\x83', '\x87', '\x8B'})
        BOOST_TEST(error_of(first + three) == text_of(wire_error::reserved_opcode));
    BOOST_TEST(error_of('\x80' + three) == text_of(wire_error::unexpected_continuation));
    BOOST_TEST(error_of('\x01' + three + '\x81' + three) == text_of(wire_error::expected_continuation));
}

BOOST_AUTO_TEST_CASE(text_that_is_not_utf8_is_refused_as_soon_as_the_byte_is_there)
{
    std::string const bad = in_frame(opcode::text, "long enough \xED\xA0\x80 and more behind it, much more");
    BOOST_TEST(error_of(bad) == text_of(wire_error::invalid_utf8));
    assembler<role::server> incoming;
    recorder sink;
    std::string before = bad.substr(0, 6 + 13);  // up to ED, which may begin a code point
    std::string byte = bad.substr(6 + 13, 1);    // A0, which may not follow it
    BOOST_TEST(!incoming.consume(before, {}, sink));
    BOOST_TEST((incoming.consume(byte, {}, sink) == wire_error::invalid_utf8));
    BOOST_TEST(incoming.ended());
    BOOST_TEST(incoming.buffered_bytes() == 0U);
}

BOOST_AUTO_TEST_CASE(a_code_point_may_not_be_cut_off_by_the_end_of_the_message)
{
    BOOST_TEST(error_of(in_frame(opcode::text, "\xE4\xB8")) == text_of(wire_error::invalid_utf8));
    BOOST_TEST(error_of(in_frame(opcode::text, "\xE4", false) + in_frame(opcode::continuation, "\xB8")) ==
               text_of(wire_error::invalid_utf8));
    BOOST_TEST(error_of(in_frame(opcode::text, "\xE4", false) + in_frame(opcode::continuation, "")) ==
               text_of(wire_error::invalid_utf8));
    BOOST_TEST(error_of(in_frame(opcode::text, "\xE4", false) + in_frame(opcode::continuation, "ascii")) ==
               text_of(wire_error::invalid_utf8));
    BOOST_TEST(error_of(in_frame(opcode::text, "\xE4", false) + in_frame(opcode::continuation, "a", false) +
                        in_frame(opcode::continuation, "\xB8\x96")) == text_of(wire_error::invalid_utf8));
    // and the next message begins afresh
    check_every_split(in_frame(opcode::binary, "\xE4") + in_frame(opcode::text, "\xC3\xA9"),
                      {"binary:\xE4", "text:\xC3\xA9", "fine; holds 0"});
}

BOOST_AUTO_TEST_CASE(close_frames_are_checked)  // RFC 6455 §5.5.1, §7.4
{
    check_every_split(in_frame(opcode::close, ""), {"close:none:", "fine; holds 0"});
    check_every_split(in_frame(opcode::close, "\x0F\xA1"), {"close:4001:", "fine; holds 0"});
    BOOST_TEST(error_of(in_frame(opcode::close, "\x03")) == text_of(wire_error::bad_close_payload));
    BOOST_TEST(error_of(in_frame(opcode::close, "\x03\xED")) == text_of(wire_error::bad_close_code));
    BOOST_TEST(error_of(in_frame(opcode::close, "\x03\xE8\xFF")) == text_of(wire_error::invalid_utf8));
    check_every_split(in_frame(opcode::text, "unfinished", false) + in_frame(opcode::close, "\x03\xE9"),
                      {"close:1001:", "fine; holds 0"});
}

BOOST_AUTO_TEST_CASE(limits_are_told_by_the_header_alone)
{
    message_limits const limits{.max_message_bytes = 200, .max_frame_bytes = 150, .max_fragments = 3};
    auto const only_header = [](std::string const& bytes) { return bytes.substr(0, 8); };
    BOOST_TEST(error_of(in_frame(opcode::binary, std::string(150, 'x')), limits) == "fine; holds 0");
    BOOST_TEST(error_of(only_header(in_frame(opcode::binary, std::string(151, 'x'))), limits) ==
               text_of(wire_error::frame_too_large));
    // Nor is it taken if all of it is there.
    BOOST_TEST(error_of(in_frame(opcode::text, std::string(151, 'x')), limits) == text_of(wire_error::frame_too_large));
    BOOST_TEST(error_of(in_frame(opcode::text, std::string(100, 'x')), {.max_message_bytes = 99}) ==
               text_of(wire_error::message_too_large));
    std::string const half = in_frame(opcode::binary, std::string(100, 'x'), false);
    BOOST_TEST(error_of(half + in_frame(opcode::continuation, std::string(100, 'x')), limits) == "fine; holds 0");
    BOOST_TEST(error_of(half + in_frame(opcode::continuation, std::string(101, 'x')).substr(0, 6), limits) ==
               text_of(wire_error::message_too_large));
    std::string const empty = in_frame(opcode::continuation, "", false);
    BOOST_TEST(error_of(half + empty + in_frame(opcode::continuation, ""), limits) == "fine; holds 0");
    BOOST_TEST(error_of(half + empty + empty + empty, limits) == text_of(wire_error::too_many_fragments));
    // Control frames are not data.
    BOOST_TEST(error_of(in_frame(opcode::ping, "ping"), {.max_message_bytes = 1, .max_frame_bytes = 1}) ==
               "fine; holds 0");
}

BOOST_AUTO_TEST_CASE(memory_follows_what_arrived_and_not_what_was_claimed)
{
    message_limits const none{~std::size_t{0}, ~std::size_t{0}, ~std::size_t{0}};
    assembler<role::server> incoming;
    recorder sink;
    std::string header = "\x82\xFF\x7F\xFF\xFF\xFF\xFF\xFF\xFF\xFF"
                         "key."s;
    BOOST_TEST(!incoming.consume(header, none, sink));
    BOOST_TEST(incoming.buffered_bytes() < 512U);
    std::size_t arrived = 0;
    for (int i = 0; i != 200; ++i) {
        std::string piece(977, 'x');
        arrived += piece.size();
        BOOST_TEST(!incoming.consume(piece, none, sink));
        BOOST_REQUIRE(incoming.buffered_bytes() < 512 + 2 * arrived + 256);
    }
    BOOST_TEST(sink.seen.empty());
}

BOOST_AUTO_TEST_CASE(a_second_fragment_may_not_overflow_the_sum)
{
    message_limits const none{~std::size_t{0}, ~std::size_t{0}, ~std::size_t{0}};
    BOOST_TEST(error_of(in_frame(opcode::binary, "12345678", false) + "\x80\xFF\x7F\xFF\xFF\xFF\xFF\xFF\xFF\xFF"
                                                                      "key.",
                        {.max_message_bytes = 0x7FFF'FFFF'FFFF'FFFF, .max_frame_bytes = ~std::size_t{0}}) ==
               text_of(wire_error::message_too_large));
    BOOST_TEST(error_of(in_frame(opcode::binary, "12345678", false) + in_frame(opcode::continuation, ""), none) ==
               "fine; holds 0");
}

BOOST_AUTO_TEST_CASE(nothing_is_copied_or_held_when_frames_arrive_whole)
{
    struct where {
        std::vector<char*> payloads;
        bool message(opcode, std::span<char> payload, bool) { return payloads.push_back(payload.data()), true; }
        bool ping(std::span<char> payload) { return payloads.push_back(payload.data()), true; }
        bool pong(std::span<char>) { return true; }
        bool close(std::optional<close_code>, std::string_view) { return true; }
    } sink;
    assembler<role::server> incoming;
    std::string stream = in_frame(opcode::text, "abc") + in_frame(opcode::ping, "de") + in_frame(opcode::binary, "f");
    BOOST_TEST(!incoming.consume(stream, {}, sink));
    BOOST_TEST(incoming.buffered_bytes() == 0U);
    BOOST_TEST((sink.payloads == std::vector<char*>{stream.data() + 6, stream.data() + 15, stream.data() + 23}));
}

BOOST_AUTO_TEST_CASE(a_sink_that_says_stop_hears_no_more)
{
    std::string const stream = in_frame(opcode::text, "1") + in_frame(opcode::ping, "2") +
                               in_frame(opcode::text, "3", false) + in_frame(opcode::continuation, "") +
                               in_frame(opcode::text, "5");
    for (std::size_t const after : {1U, 2U, 3U}) {
        assembler<role::server> incoming;
        recorder sink{.seen = {}, .stop_after = after};
        for (char byte : stream)
            BOOST_TEST(!incoming.consume({&byte, 1}, {}, sink));
        BOOST_TEST(sink.seen.size() == after);
        BOOST_TEST(incoming.ended());
        BOOST_TEST(incoming.buffered_bytes() == 0U);
    }
}

BOOST_AUTO_TEST_CASE(an_unmasked_frame_to_a_server_and_a_masked_one_to_a_client_are_refused)  // RFC 6455 §5.1
{
    BOOST_TEST(trace<role::server>(frame<role::client>(opcode::text, "x"), {}).back() ==
               text_of(wire_error::mask_missing));
    BOOST_TEST(trace<role::client>(frame<role::server>(opcode::text, "x"), {}).back() ==
               text_of(wire_error::mask_unexpected));
}

// --- large payloads, read to where they belong ------------------------------------------------------------------------

namespace {

struct keeper : recorder {
    detail::spare_buffers spares;
    void spent(detail::byte_buffer&& used) { spares.keep(std::move(used)); }
};

std::string long_text(std::size_t bytes)
{
    std::string text;
    while (text.size() < bytes)
        text += "line " + std::to_string(text.size()) + " – \n";
    text.resize(bytes);
    while (!valid_utf8(text))  // not in the middle of a character
        text.pop_back();
    return text;
}
/// As a server reads: to where the assembler says, at most `step` bytes at once, else to a buffer of `common` bytes.
std::error_code read_all(assembler<role::server>& incoming, std::string_view stream, std::size_t common, std::size_t step,
                         keeper& sink, std::size_t& in_place)
{
    for (std::size_t fed = 0; !stream.empty();) {
        std::error_code ec;
        std::size_t count = 0;
        if (auto const room = incoming.room(sink.spares); !room.empty()) {
            count = stream.copy(room.data(), std::min(room.size(), step));
            in_place += count;
            ec = incoming.arrived(count, sink);
        } else {
            std::vector<char> piece(stream.begin(), stream.begin() + static_cast<std::ptrdiff_t>(std::min(stream.size(), common)));
            count = piece.size();
            ec = incoming.consume(piece, {}, sink);
        }
        fed += count;
        BOOST_REQUIRE(incoming.buffered_bytes() <= 512 + 4 * fed);
        if (ec)
            return ec;
        stream.remove_prefix(count);
    }
    return {};
}

}  // namespace

BOOST_AUTO_TEST_CASE(what_is_read_to_its_place_is_the_message)
{
    std::string const first = long_text(300'000), second = long_text(1'000'001), third = long_text(200'000);
    std::string const stream = in_frame(opcode::text, first) + in_frame(opcode::text, second, false) +
                               in_frame(opcode::ping, "p") + in_frame(opcode::continuation, third) + in_frame(opcode::text, "end");
    for (std::size_t const step : {1'000U, 65'536U, 70'001U, 4'000'000U})
        for (std::size_t const common : {999U, 65'536U, 400'000U}) {
            assembler<role::server> incoming;
            keeper sink;
            std::size_t in_place = 0;
            BOOST_TEST(!read_all(incoming, stream, common, step, sink, in_place));
            BOOST_REQUIRE(sink.seen.size() == 4U);
            BOOST_TEST((sink.seen[0] == "text:" + first));
            BOOST_TEST(sink.seen[1] == "ping:p");
            BOOST_TEST((sink.seen[2] == "text:" + second + third));
            BOOST_TEST(sink.seen[3] == "text:end");
            BOOST_TEST(in_place > 500'000U);
            BOOST_TEST(incoming.buffered_bytes() == 0U);
        }
}

BOOST_AUTO_TEST_CASE(room_grows_with_what_has_come_and_not_with_what_a_header_claims)
{
    assembler<role::server> incoming;
    keeper sink;
    detail::byte_buffer used;
    for (std::size_t const bytes : {100'000U, 1'000'000U, 2'000'000U}) {  // others have had large messages
        static_cast<void>(used.prepare(bytes));
        sink.spares.keep(std::exchange(used, {}));
    }
    BOOST_TEST(incoming.room(sink.spares).empty());
    std::string const stream = in_frame(opcode::binary, std::string(10'000'000, 'x'));
    std::size_t at = 0;
    std::size_t in_place = 0;
    while (at < stream.size()) {
        if (auto const room = incoming.room(sink.spares); !room.empty()) {
            BOOST_TEST(at > 30'000U);
            BOOST_REQUIRE(incoming.buffered_bytes() <= 512 + 4 * at);
            in_place += room.size();
            at += stream.copy(room.data(), room.size(), at);
            BOOST_TEST(!incoming.arrived(room.size(), sink));
        } else {
            std::string piece = stream.substr(at, at == 0 ? 100 : 32'768);
            at += piece.size();
            BOOST_TEST(!incoming.consume(piece, {}, sink));
        }
    }
    BOOST_TEST(in_place > 9'800'000U);
    BOOST_TEST(sink.seen.size() == 1U);
}

BOOST_AUTO_TEST_CASE(of_buffers_that_were_used_a_few_are_kept_the_largest_and_lent_by_size)
{
    detail::spare_buffers spares;
    auto const keep = [&](std::size_t bytes) {
        detail::byte_buffer b;
        static_cast<void>(b.prepare(bytes));
        spares.keep(std::move(b));
    };
    auto const take = [&](std::size_t from, std::size_t to) { return spares.take(from, to).capacity(); };
    BOOST_TEST(take(0, ~std::size_t{0}) == 0U);
    for (std::size_t const kib : {1U, 63U, 100U, 1'025U, 200U, 300U, 400U})  // some too small or too large
        keep(kib * 1024);
    BOOST_TEST(take(0, 90 * 1024) == 0U);
    BOOST_TEST(take(150 * 1024, 350 * 1024) == 300 * 1024U);
    BOOST_TEST(take(150 * 1024, 350 * 1024) == 200 * 1024U);
    BOOST_TEST(take(150 * 1024, 350 * 1024) == 0U);
    BOOST_TEST(take(0, ~std::size_t{0}) == 400 * 1024U);
    BOOST_TEST(take(0, ~std::size_t{0}) == 100 * 1024U);
    BOOST_TEST(take(0, ~std::size_t{0}) == 0U);
    for (std::size_t kib = 100; kib != 120; ++kib)  // more than are kept: the smaller ones make place
        keep(kib * 1024);
    BOOST_TEST(take(0, 103 * 1024) == 0U);
    BOOST_TEST(take(0, 104 * 1024) == 104 * 1024U);
}

BOOST_AUTO_TEST_CASE(bytes_that_are_no_text_are_refused_where_they_are_read)
{
    std::string text = long_text(400'000);
    text[350'000] = '\xFF';
    assembler<role::server> incoming;
    keeper sink;
    std::size_t in_place = 0;
    auto const ec = read_all(incoming, in_frame(opcode::text, text), 65'536, 65'536, sink, in_place);
    BOOST_TEST(ec == wire_error::invalid_utf8);
    BOOST_TEST(incoming.ended());
    BOOST_TEST(incoming.room(sink.spares).empty());
    BOOST_TEST(in_place > 200'000U);
    BOOST_TEST(sink.seen.empty());
}

BOOST_AUTO_TEST_SUITE_END()
