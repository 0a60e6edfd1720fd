// The small readers: UTF-8, close payloads, frame headers, masking, base64, each against another way to say the same.

#include <polycast/detail/base64.hpp>
#include <polycast/frame/header.hpp>
#include <polycast/frame/mask.hpp>
#include <polycast/frame/utf8.hpp>
#include <polycast/message/control.hpp>

#include "fuzz.hpp"


namespace {

using namespace fuzz;

void utf8(std::string_view text, splitter cut)
{
    auto const wanted = reference_utf8(text);
    exact const whole(text);
    pc::utf8_validator at_once, in_pieces, by_byte;
    FUZZ_REQUIRE(at_once.feed(whole.view()) == wanted.legal);
    if (wanted.legal)
        FUZZ_REQUIRE(at_once.complete() == (wanted.whole_bytes == text.size()));
    FUZZ_REQUIRE(pc::valid_utf8(whole.view()) == reference_is_utf8(text));
    bool good = true;
    cut.each(text, [&](std::string_view piece) { return good = in_pieces.feed(exact(piece).view()); });
    FUZZ_REQUIRE(good == wanted.legal);
    if (good)
        FUZZ_REQUIRE(in_pieces.complete() == at_once.complete());
    // An illegal byte is refused as soon as it is there.
    for (std::size_t i = 0; i != text.size() && i < 512; ++i) {
        bool const legal = reference_utf8(text.substr(0, i + 1)).legal;
        FUZZ_REQUIRE(by_byte.feed(text.substr(i, 1)) == legal);
        if (!legal)
            break;
    }
    std::size_t const most = text.size() / 2;
    FUZZ_REQUIRE(pc::utf8_prefix(text, most).size() == reference_utf8(text.substr(0, most)).whole_bytes);
}

void close(std::string_view text)
{
    std::string_view const payload = text.substr(0, pc::max_control_payload_bytes);
    exact const bytes(payload);
    auto const said = pc::decode_close(bytes.view());
    if (payload.size() < 2) {
        FUZZ_REQUIRE(said.error.has_value() == (payload.size() == 1) && !said.code && said.reason.empty());
        return;
    }
    unsigned const code = static_cast<unsigned char>(payload[0]) * 256U + static_cast<unsigned char>(payload[1]);
    bool const legal_code = (code >= 1000 && code < 5000) && code != 1004 && code != 1005 && code != 1006 &&
                            !(code >= 1015 && code < 3000);
    bool const legal = legal_code && reference_is_utf8(payload.substr(2));
    FUZZ_REQUIRE(said.error.has_value() != legal);
    if (legal)
        FUZZ_REQUIRE(static_cast<unsigned>(*said.code) == code && said.reason == payload.substr(2));
    // Whatever we are told to say, a legal frame leaves.
    auto const frame = pc::close_frame(static_cast<pc::close_code>(code), text.substr(2));
    auto const header = pc::decode_header<pc::role::client>({frame.bytes.data(), frame.size});
    FUZZ_REQUIRE(!header.error && header.consumed_bytes == 2 && header.header.op == pc::opcode::close);
    FUZZ_REQUIRE(header.header.payload_bytes + 2 == frame.size);
    auto const again = pc::decode_close(frame.view().substr(2));
    FUZZ_REQUIRE(!again.error && again.code.has_value() == legal_code);
    if (legal_code)
        FUZZ_REQUIRE(text.substr(2).starts_with(again.reason) && static_cast<unsigned>(*again.code) == code);
}

template <pc::role Role>
void header(std::string_view text, bool allow_rsv1)
{
    exact const bytes(text);
    auto const decoded = pc::decode_header<Role>({bytes.view().data(), bytes.view().size()}, allow_rsv1);
    FUZZ_REQUIRE(!decoded.error || decoded.consumed_bytes == 0);
    // Nothing is decided before the bytes that decide it.
    for (std::size_t i = 0; i <= text.size() && i < pc::max_header_bytes; ++i) {
        auto const early = pc::decode_header<Role>({text.data(), i}, allow_rsv1);
        if (early.error)
            FUZZ_REQUIRE(early.error == decoded.error);
        if (decoded.consumed_bytes != 0)
            FUZZ_REQUIRE((early.consumed_bytes != 0) == (i >= decoded.consumed_bytes));
    }
    if (decoded.consumed_bytes == 0)
        return;
    auto const& h = decoded.header;
    FUZZ_REQUIRE(h.masked == (Role == pc::role::server) && h.payload_bytes >> 63 == 0 && (!h.rsv1 || allow_rsv1));
    char out[pc::max_header_bytes];
    FUZZ_REQUIRE(std::string_view(out, pc::encode_header(out, h)) == text.substr(0, decoded.consumed_bytes));
}

void mask(std::string_view text, splitter cut, pc::masking_key key)
{
    std::string wanted(text), copied(text.size(), '\0');
    char octets[4];
    std::memcpy(octets, &key, 4);
    for (std::size_t i = 0; i != wanted.size(); ++i)
        wanted[i] = static_cast<char>(wanted[i] ^ octets[i & 3]);
    pc::mask_copy(copied.data(), text, key);
    FUZZ_REQUIRE(copied == wanted);
    std::string pieces;
    bool ascii = true;
    auto now = key;
    cut.each(text, [&](std::string_view piece) {
        exact bytes(piece);
        ascii = pc::unmask(bytes.span(), now) && ascii;
        now = pc::advance(now, piece.size());
        pieces += bytes.view();
        return true;
    });
    FUZZ_REQUIRE(pieces == wanted);
    bool all_ascii = true;
    for (char const c : wanted)
        all_ascii = all_ascii && static_cast<unsigned char>(c) < 0x80;
    FUZZ_REQUIRE(ascii == all_ascii);
}

void base64(std::string_view text)
{
    auto encoded = pc::detail::base64_encode(text);
    FUZZ_REQUIRE(pc::detail::base64_decoded_bytes(encoded) == text.size());
    for (char& c : encoded)
        c = c == '+' ? '-' : c == '/' ? '_' : c;
    while (encoded.ends_with('='))
        encoded.pop_back();
    FUZZ_REQUIRE(pc::detail::base64url_decode(encoded) == text);
    static_cast<void>(pc::detail::base64_decoded_bytes(text));
    if (auto const decoded = pc::detail::base64url_decode(text))
        FUZZ_REQUIRE(decoded->size() <= text.size() / 4 * 3 + 2);
}

}  // namespace

FUZZ_TARGET(text)
{
    auto const flags = in.byte();
    splitter const cut(in);
    std::string_view const text = in.rest();
    utf8(text, cut);
    close(text);
    header<pc::role::server>(text, (flags & 1) != 0);
    header<pc::role::client>(text, (flags & 1) != 0);
    pc::masking_key key = 0x0101'0101U * flags;
    if (text.size() >= 4)
        std::memcpy(&key, text.data(), 4);
    mask(text, cut, key);
    base64(text);
}
