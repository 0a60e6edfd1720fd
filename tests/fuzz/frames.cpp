// The bytes of a connection after the handshake: whatever the pieces they arrive in, the same messages and the same
// error come out, those that a plain reading of RFC 6455 gives; and what is encoded is decoded.

#include <polycast/message/assembler.hpp>

#include "fuzz.hpp"

#include <optional>

namespace {

using namespace fuzz;

struct seen {
    char kind;  ///< m, i, o, c: message, ping, pong, close
    int detail;  ///< opcode, or close code
    bool rsv1;
    std::string payload;
    friend bool operator==(seen const&, seen const&) = default;
};

struct sink {
    std::vector<seen> all{};
    std::size_t stop_after = ~std::size_t{0};

    bool message(pc::opcode op, std::span<char> payload, bool rsv1)
    {
        return add('m', static_cast<int>(op), rsv1, {payload.data(), payload.size()});
    }
    bool ping(std::span<char> payload) { return add('i', 0, false, {payload.data(), payload.size()}); }
    bool pong(std::span<char> payload) { return add('o', 0, false, {payload.data(), payload.size()}); }
    void close(std::optional<pc::close_code> code, std::string_view reason)
    {
        add('c', code ? static_cast<int>(*code) : 0, false, reason);
    }

private:
    bool add(char kind, int detail, bool rsv1, std::string_view payload)
    {
        all.push_back({kind, detail, rsv1, std::string(payload)});
        return all.size() < stop_after;
    }
};

struct outcome {
    std::vector<seen> all{};
    std::error_code error{};
    friend bool operator==(outcome const&, outcome const&) = default;
};

struct terms {
    pc::message_limits limits{};
    bool compressed = false;
    std::size_t stop_after = ~std::size_t{0};
};

template <pc::role Role, class Split>
outcome assemble(std::string_view wire, terms const& t, Split&& split)
{
    pc::assembler<Role> a;
    a.set_compressed(t.compressed);
    sink to{.stop_after = t.stop_after};
    outcome result;
    std::size_t fed = 0;
    bool over = false;
    split(wire, [&](std::string_view piece) {
        exact bytes(piece);
        std::size_t const before = to.all.size();
        auto const ec = a.consume(bytes.span(), t.limits, to);
        fed += piece.size();
        // Memory grows with what has arrived, not with what a header claims.
        FUZZ_REQUIRE(a.buffered_bytes() <= 512 + 2 * fed);
        if (over) {
            FUZZ_REQUIRE(!ec && to.all.size() == before && a.ended() && a.buffered_bytes() == 0);
        } else if (ec) {
            result.error = ec;
        }
        over = over || a.ended();
        FUZZ_REQUIRE(!result.error || a.ended());
        return true;
    });
    result.all = std::move(to.all);
    return result;
}

/// RFC 6455 §5, read frame by frame from the whole; nothing of the library's but its names of errors.
template <pc::role Role>
outcome reference(std::string_view wire, terms const& t)
{
    outcome result;
    std::string text, message;
    int message_op = 0;
    bool message_rsv1 = false;
    std::size_t fragments = 0;
    auto const fail = [&](pc::wire_error e) {
        result.error = e;
        return result;
    };
    auto const at = [&](std::size_t i) { return static_cast<unsigned>(static_cast<unsigned char>(wire[i])); };
    while (!wire.empty()) {
        unsigned const op = at(0) & 15;
        bool const fin = (at(0) >> 7) != 0, rsv1 = (at(0) >> 6 & 1) != 0, control = op >= 8;
        if ((at(0) >> 4 & 3) != 0 || (rsv1 && (!t.compressed || control || op == 0)))
            return fail(pc::wire_error::reserved_bits);
        if ((op > 2 && op < 8) || op > 10)
            return fail(pc::wire_error::reserved_opcode);
        if (control && !fin)
            return fail(pc::wire_error::control_fragmented);
        if (wire.size() < 2)
            break;
        bool const masked = (at(1) >> 7) != 0;
        if (masked != (Role == pc::role::server))
            return fail(masked ? pc::wire_error::mask_unexpected : pc::wire_error::mask_missing);
        std::uint64_t length = at(1) & 127;
        if (control && length > 125)
            return fail(pc::wire_error::control_too_long);
        std::size_t const more = length == 126 ? 2 : length == 127 ? 8 : 0;
        if (wire.size() < 2 + more)
            break;
        if (more != 0) {
            length = 0;
            for (std::size_t i = 0; i != more; ++i)
                length = length << 8 | at(2 + i);
            if (length >> 63 != 0)
                return fail(pc::wire_error::length_top_bit);
            if (length < (more == 2 ? 126U : 65536U))
                return fail(pc::wire_error::length_not_minimal);
        }
        std::size_t const header = 2 + more + (masked ? 4 : 0);
        if (wire.size() < header)
            break;
        if (!control) {
            if (op == 0 && fragments == 0)
                return fail(pc::wire_error::unexpected_continuation);
            if (op != 0 && fragments != 0)
                return fail(pc::wire_error::expected_continuation);
            if (length > t.limits.max_frame_bytes)
                return fail(pc::wire_error::frame_too_large);
            if (length > t.limits.max_message_bytes - message.size())
                return fail(pc::wire_error::message_too_large);
            if (fragments != 0 && fragments >= t.limits.max_fragments)
                return fail(pc::wire_error::too_many_fragments);
        }
        bool const whole = wire.size() - header >= length;
        std::string payload(wire.substr(header, static_cast<std::size_t>(whole ? length : wire.size() - header)));
        if (masked)
            for (std::size_t i = 0; i != payload.size(); ++i)
                payload[i] = static_cast<char>(static_cast<unsigned char>(payload[i]) ^ at(header - 4 + i % 4));
        if (control) {
            if (!whole)
                break;
            if (op == 8) {
                if (payload.size() == 1)
                    return fail(pc::wire_error::bad_close_payload);
                int code = 0;
                if (!payload.empty()) {
                    code = static_cast<unsigned char>(payload[0]) * 256 + static_cast<unsigned char>(payload[1]);
                    if (code < 1000 || code > 4999 || (code >= 1004 && code <= 1006) || (code >= 1015 && code < 3000))
                        return fail(pc::wire_error::bad_close_code);
                    if (!reference_is_utf8(std::string_view(payload).substr(2)))
                        return fail(pc::wire_error::invalid_utf8);
                }
                result.all.push_back({'c', code, false, payload.empty() ? "" : payload.substr(2)});
                return result;
            }
            result.all.push_back({op == 9 ? 'i' : 'o', 0, false, payload});
        } else {
            if (fragments++ == 0) {
                message_op = static_cast<int>(op);
                message_rsv1 = rsv1;
            }
            message += payload;
            if (message_op == 1 && !message_rsv1) {
                auto const legal = reference_utf8(message);
                if (!legal.legal || (whole && fin && legal.whole_bytes != message.size()))
                    return fail(pc::wire_error::invalid_utf8);
            }
            if (!whole)
                break;
            if (fin) {
                result.all.push_back({'m', message_op, message_rsv1, message});
                message.clear();
                fragments = 0;
            }
        }
        if (!control && !fin) {
            // no call
        } else if (result.all.size() >= t.stop_after) {
            return result;
        }
        wire.remove_prefix(header + static_cast<std::size_t>(length));
    }
    return result;
}

/// What was seen, as the other end would send it: in fragments, with a ping between them.
template <pc::role Role>
std::string encode(std::vector<seen> const& all, splitter& cut)
{
    std::string wire;
    pc::masking_key key = 0x9E37'79B9;
    auto const frame = [&](pc::opcode op, bool fin, bool rsv1, std::string_view payload) {
        key = key * 1664525 + 1013904223;
        char head[pc::max_header_bytes];
        pc::frame_header const h{op, fin, rsv1, Role == pc::role::server, key, payload.size()};
        auto const bytes = pc::encode_header(head, h);
        FUZZ_REQUIRE(bytes == pc::encoded_header_bytes(payload.size(), h.masked));
        wire.append(head, bytes);
        std::size_t const from = wire.size();
        wire.append(payload);
        if (h.masked)
            pc::mask_copy(wire.data() + from, payload, key);
    };
    for (seen const& s : all) {
        if (s.kind == 'm') {
            std::string_view rest = s.payload;
            bool first = true;
            do {
                std::string_view const piece = rest.substr(0, cut.next());
                rest.remove_prefix(piece.size());
                frame(first ? static_cast<pc::opcode>(s.detail) : pc::opcode::continuation, rest.empty(), first && s.rsv1,
                      piece);
                first = false;
            } while (!rest.empty());
        } else if (s.kind == 'c') {
            std::optional<pc::masking_key> const masked =
                Role == pc::role::server ? std::optional<pc::masking_key>(key) : std::nullopt;
            wire += pc::close_frame(s.detail == 0 ? std::nullopt : std::optional(static_cast<pc::close_code>(s.detail)),
                                    s.payload, masked)
                        .view();
        } else {
            frame(s.kind == 'i' ? pc::opcode::ping : pc::opcode::pong, true, false, s.payload);
        }
    }
    return wire;
}

template <pc::role Role>
void check(std::string_view wire, terms const& t, splitter cut)
{
    auto const at_once = [](std::string_view all, auto f) { f(all); };
    auto const in_pieces = [&](std::string_view all, auto f) { splitter(cut).each(all, f); };
    auto const by_byte = [](std::string_view all, auto f) {
        for (std::size_t i = 0; i != all.size(); ++i)
            f(all.substr(i, 1));
    };
    auto const wanted = reference<Role>(wire, t);
    FUZZ_REQUIRE(assemble<Role>(wire, t, at_once) == wanted);
    FUZZ_REQUIRE(assemble<Role>(wire, t, in_pieces) == wanted);
    if (wire.size() <= 1024)
        FUZZ_REQUIRE(assemble<Role>(wire, t, by_byte) == wanted);

    terms const generous{.compressed = t.compressed};
    auto const again = encode<Role>(wanted.all, cut);
    FUZZ_REQUIRE(assemble<Role>(again, generous, in_pieces) == outcome{wanted.all, {}});
}

}  // namespace

FUZZ_TARGET(frames)
{
    auto const flags = in.byte();
    splitter const cut(in);
    terms t;
    t.compressed = (flags & 1) != 0;
    if ((flags & 2) != 0)
        t.limits = {200, 150, 4};
    if ((flags & 4) != 0)
        t.stop_after = 2;
    // A fuzzer rarely masks: with this flag the data is what a server sends.
    (flags & 8) != 0 ? check<pc::role::client>(in.rest(), t, cut) : check<pc::role::server>(in.rest(), t, cut);
}
