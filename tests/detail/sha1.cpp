#include <polycast/detail/sha1.hpp>

#include <boost/test/unit_test.hpp>

#include <string>

using polycast::detail::sha1;

namespace {

constexpr bool digest_is(std::string_view message, std::string_view hex)
{
    std::size_t i = 0;
    for (char const byte : sha1(message)) {
        constexpr std::string_view digits = "0123456789abcdef";
        auto const value = static_cast<unsigned char>(byte);
        if (hex[i++] != digits[value >> 4] || hex[i++] != digits[value & 15])
            return false;
    }
    return i == hex.size();
}

// RFC 3174 §7.3 and FIPS 180
static_assert(digest_is("", "da39a3ee5e6b4b0d3255bfef95601890afd80709"));
static_assert(digest_is("abc", "a9993e364706816aba3e25717850c26c9cd0d89d"));
static_assert(digest_is("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
                        "84983e441c3bd26ebaae4aa1f95129e5e54670f1"));

}  // namespace

BOOST_AUTO_TEST_SUITE(detail_sha1)

BOOST_AUTO_TEST_CASE(lengths_around_the_padding_hash_as_published)
{
    std::string repeated;
    for (int i = 0; i != 80; ++i)
        repeated += "01234567";
    BOOST_TEST(digest_is(repeated, "dea356a2cddd90c7a7ecedc5ebb563934f460452"));
    BOOST_TEST(digest_is(std::string(1'000'000, 'a'), "34aa973cd4c4daa4f61eeb2bdbad27316534016f"));
}

BOOST_AUTO_TEST_SUITE_END()
