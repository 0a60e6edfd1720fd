// Compressed payloads: what comes from a peer inflates to the same however often it is tried, and never beyond the
// limit; what is compressed here is what comes out again. deflate (RFC 7692), with and without memory, and zstd.

#include <polycast/compression/deflate.hpp>
#include <polycast/compression/dictionary.hpp>
#include <polycast/compression/zstd.hpp>

#include "fuzz.hpp"

#include <algorithm>

#if POLYCAST_WITH_ZLIB
#include <zlib.h>
#endif

namespace {

using namespace fuzz;
using pc::compression_error;

struct inflated {
    std::string text{};
    std::error_code error{};
};

/// `decompress(out, in, max_bytes)` on a copy of exactly its size, behind what a buffer already holds.
template <class Decompress>
inflated inflate(std::string_view packed, std::size_t max_bytes, Decompress&& decompress)
{
    exact const in(packed);
    pc::detail::byte_buffer out;
    out.append("before");
    inflated result;
    result.error = decompress(out, in.view(), max_bytes);
    FUZZ_REQUIRE(out.view().starts_with("before") && out.size() <= 6 + max_bytes);
    // A bomb costs the limit, twice as the buffer doubles, and a step.
    FUZZ_REQUIRE(out.capacity() <= 2 * (max_bytes + 6) + 40 * 1024);
    result.text = out.view().substr(6);
    return result;
}

/// The same bytes under other limits. `fresh()` gives a decompressor without memory. `has_windows`: zstd's
/// frames may not ask for a window that is larger than the limit either.
template <class Fresh>
void limits(std::string_view packed, std::size_t max_bytes, bool has_windows, Fresh fresh)
{
    auto const first = inflate(packed, max_bytes, fresh());
    auto const again = inflate(packed, max_bytes, fresh());
    FUZZ_REQUIRE(again.error == first.error && again.text == first.text);
    auto const larger = inflate(packed, 2 * max_bytes + 1, fresh());
    FUZZ_REQUIRE(larger.text.starts_with(first.text));
    if (first.error == compression_error::too_large)
        return;
    if (first.error)
        return FUZZ_REQUIRE(first.error == compression_error::malformed && larger.error == first.error);
    FUZZ_REQUIRE(!larger.error && larger.text == first.text);
    auto const tight = inflate(packed, first.text.size(), fresh());
    FUZZ_REQUIRE(!tight.error || (has_windows && tight.error == compression_error::too_large));
    if (!first.text.empty())
        FUZZ_REQUIRE(inflate(packed, first.text.size() - 1, fresh()).error == compression_error::too_large);
}

void zstd(std::string_view packed, std::size_t max_bytes)
{
    limits(packed, max_bytes, true, [] {
        return [](pc::detail::byte_buffer& out, std::string_view in, std::size_t most) {
            return pc::compression::zstd<3>().decompress(1, out, in, most);
        };
    });
}
template <int Level>
void zstd_round(std::string_view text)
{
    pc::detail::byte_buffer packed;
    FUZZ_REQUIRE(pc::compression::zstd<Level>().compress(1, packed, text));
    auto const back = inflate(packed.view(), text.size(), [](auto& out, std::string_view in, std::size_t most) {
        return pc::compression::zstd<3>().decompress(1, out, in, most);
    });
    FUZZ_REQUIRE(!back.error && back.text == text);
}

/// Any bytes as a dictionary: refused, or good for messages both ways and for no more than the limit.
void zstd_dictionary(input in, std::size_t max_bytes)
{
    using codec = pc::compression::zstd<1, pc::compression::dictionary::loaded>;
    pc::compression::options options;
    options.dictionary = in.take(in.byte() * std::size_t{4});
    try {
        codec const known(options);
        if (known.hello_form(1) == 1)
            return FUZZ_REQUIRE(options.dictionary.empty() && known.dictionary().id.empty());
        FUZZ_REQUIRE(known.dictionary().bytes == options.dictionary && !known.dictionary().id.empty());
        limits(in.rest(), max_bytes, true, [&] {
            return [&](pc::detail::byte_buffer& out, std::string_view packed, std::size_t most) {
                return known.decompress(2, out, packed, most);
            };
        });
        pc::detail::byte_buffer packed, plain;
        FUZZ_REQUIRE(known.compress(2, packed, in.rest()));
        FUZZ_REQUIRE(!known.decompress(2, plain, packed.view(), in.rest().size()) && plain.view() == in.rest());
        codec learnt;
        FUZZ_REQUIRE(learnt.learn("another", options.dictionary) == compression_error::bad_dictionary);
        FUZZ_REQUIRE(!learnt.learn(known.dictionary().id, options.dictionary) && learnt.hello_form(1) == 2);
    } catch (std::system_error const& e) {
        FUZZ_REQUIRE(e.code() == compression_error::bad_dictionary);
    }
}

#if POLYCAST_WITH_ZLIB

using shared = pc::compression::deflate<pc::compression::shared>;
using dedicated = pc::compression::deflate<pc::compression::dedicated>;

/// zlib in one piece, for messages without a final block; `ended`: there is one, and this says nothing.
bool reference_inflate(std::string_view packed, std::size_t max_bytes, std::string& text, bool& ended)
{
    std::string in(packed);
    in += std::string_view("\x00\x00\xFF\xFF", 4);
    text.resize(max_bytes + 1);
    ::z_stream z{};
    FUZZ_REQUIRE(::inflateInit2(&z, -15) == Z_OK);
    z.next_in = reinterpret_cast<Bytef*>(in.data());
    z.avail_in = static_cast<uInt>(in.size());
    z.next_out = reinterpret_cast<Bytef*>(text.data());
    z.avail_out = static_cast<uInt>(text.size());
    int const status = ::inflate(&z, Z_SYNC_FLUSH);
    ended = status == Z_STREAM_END;
    bool const good = (status == Z_OK || status == Z_BUF_ERROR) && z.avail_in == 0;
    text.resize(text.size() - z.avail_out);
    ::inflateEnd(&z);
    return good;
}

void deflate(std::string_view packed, std::size_t max_bytes)
{
    auto const fresh = [] {
        return [](pc::detail::byte_buffer& out, std::string_view in, std::size_t most) {
            return shared::decompress(1, out, in, most);
        };
    };
    limits(packed, max_bytes, false, fresh);
    auto const got = inflate(packed, max_bytes, fresh());
    std::string wanted;
    bool ended = false;
    bool const good = reference_inflate(packed, max_bytes, wanted, ended);
    if (ended)
        return;
    if (!got.error)
        FUZZ_REQUIRE(good && wanted == got.text);
    else if (got.error == compression_error::too_large)
        FUZZ_REQUIRE(wanted.size() > max_bytes);
}

/// A connection that remembers, fed by a peer that means no good: messages one after the other.
void deflate_stream(input in, std::size_t max_bytes)
{
    pc::deflate_agreement agreed;
    auto const b = in.byte();
    agreed.client_max_window_bits = static_cast<std::uint8_t>(8 + (b & 7));
    agreed.client_no_context_takeover = (b & 8) != 0;
    dedicated const policy;
    auto const one = policy.make_context(agreed, pc::role::server), two = policy.make_context(agreed, pc::role::server);
    for (int i = 0; i != 4 && !in.empty(); ++i) {
        auto const packed = in.take(in.byte());
        auto const first = inflate(packed, max_bytes, [&](auto& out, std::string_view bytes, std::size_t most) {
            return one->decompress(out, bytes, most);
        });
        auto const again = inflate(packed, max_bytes, [&](auto& out, std::string_view bytes, std::size_t most) {
            return two->decompress(out, bytes, most);
        });
        FUZZ_REQUIRE(first.error == again.error && first.text == again.text);
        if (first.error)
            return;  // the session is closed
    }
}

void shared_round(std::string_view text, std::size_t min_bytes)
{
    shared const policy(pc::compression::options{.min_bytes = min_bytes});
    for (std::uint8_t form = 1; form <= shared::forms; ++form) {
        pc::detail::byte_buffer packed;
        packed.append("x");
        if (!policy.compress(form, packed, text)) {
            FUZZ_REQUIRE(packed.view() == "x");
            continue;
        }
        FUZZ_REQUIRE(packed.size() - 1 < text.size() && text.size() >= min_bytes);
        auto const back = inflate(packed.view().substr(1), text.size(),
                                  [](auto& out, std::string_view in, std::size_t most) {
                                      return shared::decompress(1, out, in, most);
                                  });
        FUZZ_REQUIRE(!back.error && back.text == text);
    }
}

/// Both ends of a connection under any agreement, messages both ways in turn.
void dedicated_round(input in)
{
    auto const a = in.byte(), b = in.byte();
    pc::deflate_agreement agreed;
    agreed.server_no_context_takeover = (a & 1) != 0;
    agreed.client_no_context_takeover = (a & 2) != 0;
    agreed.server_max_window_bits = static_cast<std::uint8_t>(9 + (b & 15) % 7);
    agreed.client_max_window_bits = static_cast<std::uint8_t>(8 + (b >> 4) % 8);
    dedicated const policy(pc::compression::options{.min_bytes = std::size_t{a} >> 4});
    auto const server = policy.make_context(agreed, pc::role::server), client = policy.make_context(agreed, pc::role::client);
    std::string grown;
    for (int i = 0; i != 6; ++i) {
        auto const what = in.byte();
        grown += in.take(what & 127);
        // Long enough at times to be beyond a small window.
        std::string text = grown;
        while ((what & 128) != 0 && !grown.empty() && text.size() < 3000)
            text += grown;
        auto& from = i % 2 == 0 ? *server : *client;
        auto& to = i % 2 == 0 ? *client : *server;
        pc::detail::byte_buffer packed;
        if (!from.compress(packed, text)) {
            FUZZ_REQUIRE(packed.empty());
            continue;
        }
        auto const back = inflate(packed.view(), text.size(), [&](auto& out, std::string_view bytes, std::size_t most) {
            return to.decompress(out, bytes, most);
        });
        FUZZ_REQUIRE(!back.error && back.text == text);
    }
}

#endif

}  // namespace

FUZZ_TARGET(inflate)
{
    auto const what = in.byte();
    // A limit of 0 to 255 bytes, or of 0 to 63 KiB.
    std::size_t const max_bytes = (what & 8) != 0 ? in.byte() * std::size_t{256} : in.byte();
    switch (what & 7) {
    case 0: return (what & 16) != 0 ? zstd_dictionary(in, max_bytes) : zstd(in.rest(), max_bytes);
    case 1: return (what & 8) != 0 ? zstd_round<1>(in.rest()) : zstd_round<3>(in.rest());
#if POLYCAST_WITH_ZLIB
    case 2:
    case 3: return deflate(in.rest(), max_bytes);
    case 4:
    case 5: return deflate_stream(in, max_bytes);
    case 6: return shared_round(in.rest(), max_bytes % 64);
    case 7: return dedicated_round(in);
#endif
    default: break;
    }
}
