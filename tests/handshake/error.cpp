#include <polycast/handshake/error.hpp>

#include <boost/test/unit_test.hpp>

#include <set>

using namespace polycast;

BOOST_AUTO_TEST_SUITE(handshake_errors)

BOOST_AUTO_TEST_CASE(every_error_has_a_text_of_its_own)
{
    std::set<std::string> texts;
    for (int value = 1; value <= static_cast<int>(handshake_error::bad_proxy_response); ++value)
        BOOST_TEST(texts.insert(std::error_code(value, handshake_category).message()).second);
    BOOST_TEST(texts.count(std::error_code(999, handshake_category).message()) == 0U);
}

BOOST_AUTO_TEST_CASE(a_caller_can_branch_on_what_went_wrong)
{
    BOOST_TEST((std::error_code(handshake_error::unauthorized) == failure::authentication));
    BOOST_TEST((std::error_code(handshake_error::forbidden) == failure::security));
    BOOST_TEST((std::error_code(handshake_error::overloaded) == failure::rate_limit));
    BOOST_TEST((std::error_code(handshake_error::bad_accept) == failure::protocol));
    BOOST_TEST((std::error_code(handshake_error::scheme_mismatch) == failure::validation));
    BOOST_TEST((std::error_code(handshake_error::proxy_refused) == failure::connection));
    BOOST_TEST((std::error_code(handshake_error::bad_proxy_response) == failure::protocol));
}

BOOST_AUTO_TEST_SUITE_END()
