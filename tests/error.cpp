#include <polycast/error.hpp>

#include <polycast/handshake/error.hpp>

#include <asio/error.hpp>

#include <boost/test/unit_test.hpp>

#include <system_error>

namespace pc = polycast;

BOOST_AUTO_TEST_SUITE(failures)

bool is(std::error_code ec, pc::failure f)
{
    return ec == f;
}

BOOST_AUTO_TEST_CASE(the_systems_errors_of_a_connection_are_one_condition_whoever_reports_them)
{
    for (auto const lost : {std::errc::connection_refused, std::errc::connection_reset, std::errc::broken_pipe,
                            std::errc::host_unreachable, std::errc::no_such_file_or_directory})
        for (auto const& category : {&std::generic_category(), &std::system_category()}) {
            std::error_code const ec(static_cast<int>(lost), *category);
            BOOST_TEST(is(ec, pc::failure::connection), ec.message());
            BOOST_TEST(!is(ec, pc::failure::timeout));
            BOOST_TEST(!is(ec, pc::failure::protocol));
        }
    BOOST_TEST(is(asio::error::make_error_code(asio::error::eof), pc::failure::connection));
    BOOST_TEST(is(asio::error::make_error_code(asio::error::host_not_found), pc::failure::connection));
    BOOST_TEST(is(std::make_error_code(std::errc::timed_out), pc::failure::timeout));
    BOOST_TEST(!is(std::make_error_code(std::errc::timed_out), pc::failure::connection));
    BOOST_TEST(!is(std::make_error_code(std::errc::invalid_argument), pc::failure::connection));
    BOOST_TEST(!is(std::error_code(), pc::failure::connection));
}

BOOST_AUTO_TEST_CASE(an_error_of_the_library_is_its_own_condition_only)
{
    std::error_code const ec = pc::handshake_error::bad_response;
    BOOST_TEST(is(ec, pc::failure::protocol));
    BOOST_TEST(!is(ec, pc::failure::connection));
}

BOOST_AUTO_TEST_SUITE_END()
