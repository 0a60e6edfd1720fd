#include <polycast/frame/error.hpp>

#include <boost/test/unit_test.hpp>

#include <set>
#include <string>

using namespace polycast;

BOOST_AUTO_TEST_SUITE(frame_error)

BOOST_AUTO_TEST_CASE(every_error_has_a_text_of_its_own)
{
    std::set<std::string> texts;
    for (int value = 1; value <= static_cast<int>(wire_error::too_many_fragments); ++value)
        BOOST_TEST(texts.insert(std::error_code(value, wire_category).message()).second);
    BOOST_TEST(texts.count(std::error_code(999, wire_category).message()) == 0U);
}

BOOST_AUTO_TEST_CASE(limits_are_not_breaches_of_the_protocol)
{
    BOOST_TEST((std::error_code(wire_error::mask_missing) == failure::protocol));
    BOOST_TEST((std::error_code(wire_error::message_too_large) == failure::validation));
    BOOST_TEST((std::error_code(wire_error::message_too_large) != failure::protocol));
}

BOOST_AUTO_TEST_CASE(the_close_code_names_the_kind_of_fault)
{
    BOOST_TEST((close_code_for(wire_error::invalid_utf8) == close_code::invalid_payload));
    BOOST_TEST((close_code_for(wire_error::frame_too_large) == close_code::message_too_big));
    BOOST_TEST((close_code_for(wire_error::message_too_large) == close_code::message_too_big));
    BOOST_TEST((close_code_for(wire_error::too_many_fragments) == close_code::message_too_big));
    BOOST_TEST((close_code_for(wire_error::reserved_bits) == close_code::protocol_error));
    BOOST_TEST((close_code_for(std::make_error_code(std::errc::io_error)) == close_code::internal_error));
}

BOOST_AUTO_TEST_SUITE_END()
