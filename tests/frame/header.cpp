#include <polycast/frame/header.hpp>

#include <boost/test/unit_test.hpp>

#include <string>
#include <vector>

using namespace polycast;

namespace {

template <class... Bytes>
constexpr auto bytes(Bytes... values)
{
    return std::array<char, sizeof...(Bytes)>{static_cast<char>(static_cast<unsigned char>(values))...};
}

template <role Role>
constexpr auto error_of(auto const& in, bool allow_rsv1 = false)
{
    return decode_header<Role>(in, allow_rsv1).error;
}

constexpr role as_server = role::server;
constexpr role as_client = role::client;

// RFC 6455 §5.7, the examples.
static_assert(decode_header<as_client>(bytes(0x81, 0x05, 'H')).consumed_bytes == 2);
static_assert(decode_header<as_server>(bytes(0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f)).consumed_bytes == 6);
static_assert(decode_header<as_client>(bytes(0x01, 0x03)).header.fin == false);
static_assert(decode_header<as_client>(bytes(0x82, 0x7E, 0x01, 0x00)).header.payload_bytes == 256);
static_assert(decode_header<as_client>(bytes(0x82, 0x7F, 0, 0, 0, 0, 0, 1, 0, 0)).header.payload_bytes == 65536);

// RFC 6455 §5.1
static_assert(error_of<as_server>(bytes(0x81, 0x05)) == wire_error::mask_missing);
static_assert(error_of<as_client>(bytes(0x81, 0x85)) == wire_error::mask_unexpected);
// RFC 6455 §5.5
static_assert(error_of<as_client>(bytes(0x89, 126)) == wire_error::control_too_long);
static_assert(error_of<as_client>(bytes(0x88, 127)) == wire_error::control_too_long);
static_assert(!error_of<as_client>(bytes(0x8A, 125)));
static_assert(error_of<as_client>(bytes(0x09)) == wire_error::control_fragmented);
// RFC 6455 §5.2
static_assert(error_of<as_client>(bytes(0x81, 126, 0, 125)) == wire_error::length_not_minimal);
static_assert(!error_of<as_client>(bytes(0x81, 126, 0, 126)));
static_assert(error_of<as_client>(bytes(0x81, 127, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF)) == wire_error::length_not_minimal);
static_assert(!error_of<as_client>(bytes(0x81, 127, 0, 0, 0, 0, 0, 1, 0, 0)));
static_assert(error_of<as_client>(bytes(0x81, 127, 0x80, 0, 0, 0, 0, 1, 0, 0)) == wire_error::length_top_bit);
static_assert(decode_header<as_client>(bytes(0x81, 127, 0x7F, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF))
                  .header.payload_bytes == 0x7FFF'FFFF'FFFF'FFFF);

}  // namespace

BOOST_AUTO_TEST_SUITE(frame_header_coding)

BOOST_AUTO_TEST_CASE(exactly_the_legal_first_bytes_are_taken)
{
    for (unsigned first = 0; first != 256; ++first)
        for (bool const compressed : {false, true}) {
            unsigned const op = first & 15;
            bool const fin = (first & 0x80) != 0;
            bool const data_start = op == 1 || op == 2;
            bool const known = op <= 2 || (op >= 8 && op <= 10);
            bool const bits_fine = (first & 0x30) == 0 && ((first & 0x40) == 0 || (compressed && data_start));
            bool const legal = known && bits_fine && (op < 8 || fin);
            auto const taken = decode_header<as_client>(bytes(first, 0), compressed);
            BOOST_TEST_CONTEXT("first byte " << first)
            {
                BOOST_TEST((taken.consumed_bytes == 2) == legal);
                BOOST_TEST(taken.error.has_value() == !legal);
                // and what is wrong with it is known without the second
                BOOST_TEST(decode_header<as_client>(bytes(first), compressed).error.has_value() == !legal);
            }
        }
}

BOOST_AUTO_TEST_CASE(a_header_that_was_written_reads_back_and_no_part_of_it_does)
{
    for (std::uint64_t const size :
         {0ULL, 1ULL, 125ULL, 126ULL, 127ULL, 0xFFFFULL, 0x10000ULL, 0x7FFF'FFFF'FFFF'FFFFULL})
        for (bool const fin : {false, true})
            for (bool const masked : {false, true}) {
                frame_header const header{opcode::text, fin, true, masked, masked ? 0xA1B2C3D4U : 0, size};
                std::array<char, max_header_bytes> out{};
                std::size_t const written = encode_header(out.data(), header);
                BOOST_TEST(written == encoded_header_bytes(size, masked));
                for (std::size_t given = 0; given <= written; ++given) {
                    std::span<char const> const in(out.data(), given);
                    auto const read = masked ? decode_header<as_server>(in, true) : decode_header<as_client>(in, true);
                    BOOST_TEST(!read.error);
                    BOOST_TEST(read.consumed_bytes == (given == written ? written : 0U));
                    if (given == written) {
                        BOOST_TEST((read.header.op == header.op));
                        BOOST_TEST(read.header.fin == fin);
                        BOOST_TEST(read.header.rsv1);
                        BOOST_TEST(read.header.masked == masked);
                        BOOST_TEST(read.header.key == header.key);
                        BOOST_TEST(read.header.payload_bytes == size);
                    }
                }
            }
}

BOOST_AUTO_TEST_CASE(the_masking_key_is_kept_in_wire_order)
{
    auto const read = decode_header<as_server>(bytes(0x82, 0x80, 1, 2, 3, 4));
    BOOST_TEST((std::bit_cast<std::array<char, 4>>(read.header.key) == bytes(1, 2, 3, 4)));
}

BOOST_AUTO_TEST_SUITE_END()
