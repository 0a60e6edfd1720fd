#include <polycast/message/control.hpp>

#include <boost/test/unit_test.hpp>

#include <string>

using namespace polycast;
using namespace std::string_view_literals;

namespace {

constexpr masking_key key = 0x11223344;

static_assert(decode_close({}).code == std::nullopt && !decode_close({}).error);
static_assert(decode_close("\x03"sv).error == wire_error::bad_close_payload);
static_assert(decode_close("\x03\xE8"sv).code == close_code::normal);
static_assert(decode_close("\x03\xE8"
                           "bye"sv)
                  .reason == "bye");
static_assert(decode_close("\x03\xEC"sv).error == wire_error::bad_close_code);  // 1004
static_assert(decode_close("\x03\xED"sv).error == wire_error::bad_close_code);  // 1005
static_assert(decode_close("\x03\xEE"sv).error == wire_error::bad_close_code);  // 1006
static_assert(decode_close("\x03\xF7"sv).error == wire_error::bad_close_code);  // 1015
static_assert(decode_close("\x03\xE8\xFF"sv).error == wire_error::invalid_utf8);
static_assert(decode_close("\x03\xE8\xE4\xB8"sv).error == wire_error::invalid_utf8);

}  // namespace

BOOST_AUTO_TEST_SUITE(message_control)

BOOST_AUTO_TEST_CASE(a_server_sends_control_frames_unmasked)
{
    BOOST_TEST(ping_frame("hi").view() == "\x89\x02hi"sv);
    BOOST_TEST(pong_frame("").view() == "\x8A\x00"sv);
    BOOST_TEST(close_frame(close_code::going_away, "so").view() == "\x88\x04\x03\xE9so"sv);
    BOOST_TEST(close_frame({}).view() == "\x88\x00"sv);
}

BOOST_AUTO_TEST_CASE(a_client_sends_control_frames_masked)
{
    control_frame const frame = close_frame(close_code::normal, "done", key);
    auto const read = decode_header<role::server>(frame.view());
    BOOST_TEST(read.header.key == key);
    std::string payload(frame.view().substr(read.consumed_bytes));
    unmask(payload, key);
    BOOST_TEST(payload == "\x03\xE8"
                          "done"sv);
}

BOOST_AUTO_TEST_CASE(a_payload_over_125_bytes_is_cut)
{
    BOOST_TEST(ping_frame(std::string(126, 'x')).view().size() == 127U);
    BOOST_TEST(ping_frame(std::string(500, 'x'), key).view().size() == 131U);
}

BOOST_AUTO_TEST_CASE(a_long_reason_is_cut_on_a_code_point)
{
    std::string reason;
    while (reason.size() < 200)
        reason += "世";  // three bytes: 123 is divisible, 122 is not
    BOOST_TEST(close_frame(close_code::normal, reason).view().size() == 2 + 2 + 123U);
    BOOST_TEST(close_frame(close_code::normal, "x" + reason).view().size() == 2 + 2 + 121U);
    BOOST_TEST(!decode_close(close_frame(close_code::normal, "x" + reason).view().substr(2)).error);
}

BOOST_AUTO_TEST_CASE(nothing_illegal_is_put_into_a_close_frame)
{
    for (unsigned code = 0; code != 0x1'0000; ++code) {
        control_frame const frame = close_frame(static_cast<close_code>(code), "good\xFF"
                                                                               "bad");
        close_payload const read = decode_close(frame.view().substr(2));
        BOOST_REQUIRE(!read.error);
        BOOST_REQUIRE(read.code.has_value() == is_receivable(static_cast<std::uint16_t>(code)));
        BOOST_REQUIRE(!read.code || read.reason == "good");
    }
}

BOOST_AUTO_TEST_SUITE_END()
