#include <polycast/detail/base64.hpp>

#include <boost/test/unit_test.hpp>

#include <array>

using namespace polycast::detail;
using namespace std::string_view_literals;

namespace {

constexpr bool encodes(std::string_view in, std::string_view wanted)
{
    std::array<char, 16> out{};
    base64_encode(out.data(), in);
    return std::string_view(out.data(), base64_size(in.size())) == wanted;
}

// RFC 4648 §10
static_assert(encodes("", "") && encodes("f", "Zg==") && encodes("fo", "Zm8=") && encodes("foo", "Zm9v"));
static_assert(encodes("foob", "Zm9vYg==") && encodes("fooba", "Zm9vYmE=") && encodes("foobar", "Zm9vYmFy"));
static_assert(encodes("\xFB\xFF\xBE", "+/++"));

static_assert(base64_decoded_bytes("") == 0U);
static_assert(base64_decoded_bytes("Zg==") == 1U && base64_decoded_bytes("Zm8=") == 2U &&
              base64_decoded_bytes("Zm9v") == 3U);
static_assert(!base64_decoded_bytes("Zg="));   // length
static_assert(!base64_decoded_bytes("Zh=="));  // unused bits
static_assert(!base64_decoded_bytes("Zm9="));  // unused bits
static_assert(!base64_decoded_bytes("Z==="));
static_assert(!base64_decoded_bytes("===="));
static_assert(!base64_decoded_bytes("Zg==Zg=="));
static_assert(!base64_decoded_bytes("Zm-v"));

}  // namespace

BOOST_AUTO_TEST_SUITE(detail_base64)

BOOST_AUTO_TEST_CASE(base64url_without_padding_decodes)
{
    BOOST_TEST(base64url_decode("").value() == "");
    BOOST_TEST(base64url_decode("Zg").value() == "f");
    BOOST_TEST(base64url_decode("Zm9vYmE").value() == "fooba");
    BOOST_TEST(base64url_decode("-_--").value() == "\xFB\xFF\xBE");
}

BOOST_AUTO_TEST_CASE(what_is_not_canonical_base64url_does_not_decode)
{
    for (auto const text : {"Z"sv, "Zh"sv, "Zg=="sv, "Zm9+"sv, "Zm 9"sv, "Zm9vY"sv})
        BOOST_TEST(!base64url_decode(text));
}

BOOST_AUTO_TEST_SUITE_END()
