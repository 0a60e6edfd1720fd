#include "../support/extensions.hpp"

#include <boost/test/unit_test.hpp>

using namespace polycast;
using namespace std::string_view_literals;

namespace {

/// The offers in a spelling of their own, or "malformed".
std::string read(std::string_view value)
{
    auto const offers = parse_extensions(value);
    if (!offers)
        return "malformed";
    std::string out;
    for (auto const& offer : *offers) {
        out += '<' + offer.name;
        for (auto const& parameter : offer.parameters)
            out += ' ' + parameter.name + (parameter.value ? '=' + *parameter.value : "");
        out += '>';
    }
    return out;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(handshake_extension)

BOOST_AUTO_TEST_CASE(offers_and_their_parameters_are_read_in_order)
{
    BOOST_TEST(read("permessage-deflate") == "<permessage-deflate>");
    BOOST_TEST(read("permessage-deflate; client_max_window_bits; server_max_window_bits=10, x;y=z") ==
               "<permessage-deflate client_max_window_bits server_max_window_bits=10><x y=z>");
    BOOST_TEST(read("a;b,c") == "<a b><c>");
    BOOST_TEST(read(" a ; b = c , d ") == "<a b=c><d>");
    BOOST_TEST(read(",a,, b,") == "<a><b>");
}

BOOST_AUTO_TEST_CASE(a_quoted_value_is_the_token_inside)
{
    BOOST_TEST(read("a; b=\"10\"") == "<a b=10>");
    BOOST_TEST(read("a; b=\"1\\0\", c") == "<a b=10><c>");
    BOOST_TEST(read("a; b=\"\"") == "malformed");
    BOOST_TEST(read("a; b=\"x y\"") == "malformed");
    BOOST_TEST(read("a; b=\"x, y\"") == "malformed");
    BOOST_TEST(read("a; b=\"x") == "malformed");
    BOOST_TEST(read("a; b=\"x\\") == "malformed");
    BOOST_TEST(read("a; b=\"x\"y") == "malformed");
}

BOOST_AUTO_TEST_CASE(what_breaks_the_grammar_is_malformed)
{
    for (auto const value :
         {""sv, " "sv, ","sv, "a b"sv, "a;"sv, "a; ;b"sv, "a;b="sv, "a=b"sv, ";a"sv, "a;b=c=d"sv, "a/b"sv})
        BOOST_TEST_CONTEXT(value) BOOST_TEST(read(value) == "malformed");
}

BOOST_AUTO_TEST_SUITE_END()
