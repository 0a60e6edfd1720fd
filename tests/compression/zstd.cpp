#include <polycast/compression/zstd.hpp>

#include <polycast/compression/identity.hpp>

#include <boost/test/unit_test.hpp>

#include <atomic>
#include <random>
#include <string>
#include <thread>
#include <vector>

namespace pc = polycast;
using pc::compression_error;
using pc::detail::byte_buffer;
using zstd = pc::compression::zstd<3>;
using namespace std::string_literals;

namespace {
template <class Policy>
std::string packed(std::string_view in)
{
    byte_buffer out;
    if (!Policy{}.compress(1, out, in))
        return std::string(in);
    return std::string(out.view());
}
struct unpacked {
    std::error_code error;
    std::string text;
};
template <class Policy = zstd>
unpacked unpack(std::string_view in, std::size_t most = 1 << 24)
{
    byte_buffer out;
    auto const ec = Policy{}.decompress(1, out, in, most);
    return {ec, std::string(out.view())};
}
std::string noise(std::size_t size)
{
    std::mt19937 random(1);
    std::string s(size, '\0');
    for (char& c : s)
        c = static_cast<char>(random());
    return s;
}
}  // namespace

BOOST_AUTO_TEST_SUITE(zstd_compression)

BOOST_AUTO_TEST_CASE(what_was_compressed_comes_back)
{
    for (std::size_t const size : {0u, 1u, 100u, 16u * 1024 - 1, 16u * 1024, 16u * 1024 + 1, 300'000u})
        for (std::string const& text : {std::string(size, 'x'), noise(size)}) {
            auto const back = unpack(packed<zstd>(text));
            BOOST_TEST(!back.error);
            BOOST_TEST((back.text == text));
            BOOST_TEST((unpack(packed<pc::compression::zstd<19>>(text)).text == text));
            BOOST_TEST((unpack(packed<pc::compression::zstd<-5>>(text)).text == text));
        }
}

BOOST_AUTO_TEST_CASE(output_is_appended_to_what_is_there)
{
    byte_buffer out;
    out.append("before:");
    BOOST_TEST(zstd{}.compress(1, out, "text"));
    BOOST_TEST(out.view().substr(0, 7) == "before:");
    byte_buffer back;
    back.append("before:");
    BOOST_TEST(!zstd{}.decompress(1, back, out.view().substr(7), 100));
    BOOST_TEST(back.view() == "before:text");
}

BOOST_AUTO_TEST_CASE(the_limit_is_exact)
{
    auto const bytes = packed<zstd>(std::string(20'000, 'y'));
    BOOST_TEST(!unpack(bytes, 20'000).error);
    BOOST_TEST((unpack(bytes, 19'999).error == compression_error::too_large));
    BOOST_TEST((unpack(bytes, 0).error == compression_error::too_large));
    BOOST_TEST(!unpack(packed<zstd>(""), 0).error);
}

BOOST_AUTO_TEST_CASE(a_bomb_stops_at_the_limit)
{
    auto const bomb = packed<zstd>(std::string(100'000'000, '\0'));
    BOOST_TEST(bomb.size() < 20'000u);
    auto const got = unpack(bomb, 64 * 1024);
    BOOST_TEST((got.error == compression_error::too_large));
    BOOST_TEST(got.text.size() <= 64 * 1024u);
}

BOOST_AUTO_TEST_CASE(a_frame_that_is_cut_anywhere_is_malformed)
{
    auto const bytes = packed<zstd>(noise(500) + std::string(500, 'z'));
    for (std::size_t cut = 0; cut < bytes.size(); ++cut)
        BOOST_TEST((unpack(std::string_view(bytes).substr(0, cut)).error == compression_error::malformed));
}

BOOST_AUTO_TEST_CASE(anything_but_one_whole_frame_is_malformed)
{
    auto const bytes = packed<zstd>("text");
    BOOST_TEST((unpack(bytes + "x").error == compression_error::malformed));
    BOOST_TEST((unpack(bytes + bytes).error == compression_error::malformed));
    BOOST_TEST((unpack("x" + bytes).error == compression_error::malformed));
    BOOST_TEST((unpack(noise(300)).error == compression_error::malformed));
    BOOST_TEST(!unpack(bytes).error);  // a failure leaves nothing behind
}

BOOST_AUTO_TEST_CASE(frames_to_skip_and_formats_from_before_rfc_8878_are_malformed)
{
    auto const bytes = packed<zstd>("text");
    auto const skipped = "\x50\x2A\x4D\x18\x04\x00\x00\x00skip"s;
    BOOST_TEST((unpack(skipped).error == compression_error::malformed));
    BOOST_TEST((unpack(skipped + bytes).error == compression_error::malformed));
    BOOST_TEST((unpack(bytes + skipped).error == compression_error::malformed));
    for (char version = 0x22; version <= 0x27; ++version) {
        auto old = bytes;
        old[0] = version;
        BOOST_TEST((unpack(old).error == compression_error::malformed));
    }
    // RFC 8878 §3.1.1.1.2: a frame that asks for a window of 64 MiB, for one byte.
    auto const greedy = "\x28\xB5\x2F\xFD\x00\x80\x09\x00\x00x"s;
    BOOST_TEST((unpack(greedy, 64 * 1024).error == compression_error::too_large));
    BOOST_TEST(unpack(greedy, std::size_t{1} << 27).text == "x");
}

BOOST_AUTO_TEST_CASE(flipped_bits_crash_nothing_and_stay_below_the_limit)
{
    std::mt19937 random(3);
    auto const good = packed<zstd>(std::string(2'000, 'q') + noise(50));
    for (int i = 0; i < 3000; ++i) {
        auto bad = good;
        bad[random() % bad.size()] ^= static_cast<char>(1 << random() % 8);
        BOOST_TEST(unpack(bad, 10'000).text.size() <= 10'000u);
    }
}

BOOST_AUTO_TEST_CASE(threads_compress_at_once)
{
    std::vector<std::thread> threads;
    std::atomic<int> wrong{0};
    for (int t = 0; t < 4; ++t)
        threads.emplace_back([t, &wrong] {
            for (int i = 0; i < 100; ++i) {
                std::string const text(static_cast<std::size_t>(100 * t + i), 'w');
                wrong += unpack(packed<zstd>(text)).text != text;
            }
        });
    for (auto& t : threads)
        t.join();
    BOOST_TEST(wrong == 0);
}

BOOST_AUTO_TEST_CASE(identity_copies_and_keeps_the_limit)
{
    using pc::compression::identity;
    BOOST_TEST(packed<identity>("abc") == "abc");
    byte_buffer untouched;
    BOOST_TEST(!identity{}.compress(1, untouched, "abc"));
    BOOST_TEST(untouched.empty());
    BOOST_TEST(unpack<identity>("abc", 3).text == "abc");
    BOOST_TEST((unpack<identity>("abc", 2).error == compression_error::too_large));
}

BOOST_AUTO_TEST_CASE(errors_have_their_conditions)
{
    BOOST_TEST((make_error_code(compression_error::malformed) == pc::failure::protocol));
    BOOST_TEST((make_error_code(compression_error::too_large) == pc::failure::validation));
    BOOST_TEST((make_error_code(compression_error::bad_dictionary) == pc::failure::validation));
    BOOST_TEST(make_error_code(compression_error::malformed).message() != make_error_code(compression_error::too_large).message());
}

BOOST_AUTO_TEST_SUITE_END()
