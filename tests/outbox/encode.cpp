#include <polycast/outbox/encode.hpp>

#include <polycast/compression/zstd.hpp>
#include <polycast/event/envelope.hpp>
#include <polycast/serializer/json.hpp>
#include <polycast/server.hpp>

#include <boost/test/unit_test.hpp>

#include <limits>
#include <string>
#include <vector>

namespace pc = polycast;
using namespace pc::detail;

namespace {
struct reading {
    double value = 0;
};
using plain = server_composition<>;
using packed = server_composition<pc::compression::zstd<3>>;

constexpr std::uint8_t zstd_profile = 1;

struct counts {
    int encodes = 0, compressions = 0;
    void operator()(pc::metric m)
    {
        encodes += m == pc::metric::encodes;
        compressions += m == pc::metric::compressions;
    }
};
}  // namespace

BOOST_AUTO_TEST_SUITE(encoding_once)

BOOST_AUTO_TEST_CASE(a_profile_that_is_wanted_costs_one_pass_and_one_that_is_not_costs_none)
{
    for (unsigned wanted = 0; wanted < 4; ++wanted) {
        counts c;
        encoded<packed> out;
        auto const ec = encode_event<packed>(out, packed::compression(), pc::envelope_head{}, reading{1.5},
                                             [&](std::size_t p) { return (wanted >> p & 1) != 0; },
                                             [&](pc::metric m) { c(m); });
        BOOST_TEST(!ec);
        BOOST_TEST(c.encodes == 1);
        BOOST_TEST(c.compressions == static_cast<int>(wanted >> 1));
        BOOST_TEST(!!out[plain_profile] == ((wanted & 1) != 0));
        BOOST_TEST(!!out[zstd_profile] == (wanted >> 1 != 0));
    }
}

BOOST_AUTO_TEST_CASE(only_the_plain_form_may_share_a_frame)
{
    encoded<packed> out;
    BOOST_TEST(!encode_event<packed>(out, packed::compression(), pc::envelope_head{}, reading{1.5}, [](std::size_t) { return true; }, [](auto) {}));
    BOOST_TEST(out[plain_profile]->joinable());
    BOOST_TEST((out[plain_profile]->op() == pc::opcode::text));
    BOOST_TEST(!out[zstd_profile]->joinable());
    BOOST_TEST((out[zstd_profile]->op() == pc::opcode::binary));
    byte_buffer back;
    BOOST_TEST(!pc::compression::zstd<3>{}.decompress(1, back, out[zstd_profile]->payload(), 1000));
    BOOST_TEST(back.view() == out[plain_profile]->payload());
}

BOOST_AUTO_TEST_CASE(an_event_that_does_not_encode_makes_nothing_and_counts_nothing)
{
    counts c;
    encoded<packed> out;
    auto const ec = encode_event<packed>(out, packed::compression(), pc::envelope_head{}, reading{std::numeric_limits<double>::quiet_NaN()},
                                         [](std::size_t) { return true; }, [&](pc::metric m) { c(m); });
    BOOST_TEST(!!ec);
    BOOST_TEST(c.encodes == 0);
    BOOST_TEST(!out[0]);
    BOOST_TEST(!out[1]);
}

BOOST_AUTO_TEST_CASE(a_message_has_one_form_for_every_profile)
{
    auto const out = encode_message<packed>(packed::compression(), "as it is", pc::opcode::binary, [](auto) { return true; }, [](auto) {});
    BOOST_TEST(out[0].get() == out[1].get());
    BOOST_TEST(out[0]->payload() == "as it is");
    BOOST_TEST(!out[0]->joinable());
    BOOST_TEST(encode_message<plain>(plain::compression(), "x", pc::opcode::text, [](auto) { return true; }, [](auto) {}).size() == 1u);
}

BOOST_AUTO_TEST_CASE(profiles_are_in_use_while_a_session_has_them)
{
    profile_use<packed> use;
    BOOST_TEST(!use.any(zstd_profile));
    use.raise(zstd_profile);
    use.raise(zstd_profile);
    use.lower(zstd_profile);
    BOOST_TEST(use.any(zstd_profile));
    BOOST_TEST(!use.any(plain_profile));
    use.lower(zstd_profile);
    BOOST_TEST(!use.any(zstd_profile));
}

BOOST_AUTO_TEST_SUITE_END()
