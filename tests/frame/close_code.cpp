#include <polycast/frame/close_code.hpp>

#include <boost/test/unit_test.hpp>

using namespace polycast;

namespace {

/// RFC 6455 §7.4 and the IANA registry, written out a second time and in another way.
bool legal(unsigned code)
{
    for (unsigned const registered :
         {1000U, 1001U, 1002U, 1003U, 1007U, 1008U, 1009U, 1010U, 1011U, 1012U, 1013U, 1014U})
        if (code == registered)
            return true;
    return code / 1000 == 3 || code / 1000 == 4;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(frame_close_code)

BOOST_AUTO_TEST_CASE(exactly_the_registered_and_the_private_codes_may_be_on_the_wire)
{
    for (unsigned code = 0; code != 0x1'0000; ++code)
        if (is_receivable(static_cast<std::uint16_t>(code)) != legal(code))
            BOOST_ERROR("code " << code);
}

BOOST_AUTO_TEST_CASE(codes_that_stand_for_what_happened_without_a_frame_are_not_sent)
{
    BOOST_TEST(!is_sendable(close_code::no_status));
    BOOST_TEST(!is_sendable(close_code::abnormal));
    BOOST_TEST(!is_sendable(close_code::tls_failure));
    BOOST_TEST(is_sendable(close_code::origin));
}

BOOST_AUTO_TEST_CASE(the_private_range_says_whether_to_come_back)
{
    BOOST_TEST(invites_reconnect(close_code::slow_reader));
    BOOST_TEST(invites_reconnect(close_code{4499}));
    BOOST_TEST(!invites_reconnect(close_code::unauthorized));
    BOOST_TEST(!invites_reconnect(close_code::normal));
    BOOST_TEST(invites_reconnect(close_code::service_restart));
}

BOOST_AUTO_TEST_SUITE_END()
