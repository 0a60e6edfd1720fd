// The table against a polycast client: sections 1 to 9 but for what needs compression. The server is the test.

#include "client_side.hpp"

#include <polycast/client.hpp>
#include <polycast/serializer/raw.hpp>

#include "../support/memory.hpp"

#include <boost/test/unit_test.hpp>

#include <array>
#include <string>
#include <tuple>
#include <unordered_set>
#include <vector>

namespace {

using namespace rfc;

using both = std::tuple<sim, tcp>;
template <class Transport>
using side_of = client_side<echo_client, Transport, pc::serializer::raw>;

template <class Transport>
void run_section(void (*section)(visitor const&))
{
    side_of<Transport> side;
    section([&](row const& r) { run(side, r); });
}

std::string const hangs = encode(text_of("!close 4500 that is all"), false);

}  // namespace

BOOST_AUTO_TEST_SUITE(conformance_of_the_client)

BOOST_AUTO_TEST_CASE_TEMPLATE(framing_is_as_the_rfc_says, Transport, both)
{
    run_section<Transport>(framing);
}
BOOST_AUTO_TEST_CASE_TEMPLATE(pings_are_answered_as_the_rfc_says, Transport, both)
{
    run_section<Transport>(pings);
}
BOOST_AUTO_TEST_CASE_TEMPLATE(what_is_reserved_is_refused_as_the_rfc_says, Transport, both)
{
    run_section<Transport>(reserved);
}
BOOST_AUTO_TEST_CASE_TEMPLATE(fragments_are_joined_as_the_rfc_says, Transport, both)
{
    run_section<Transport>(fragments);
}
BOOST_AUTO_TEST_CASE_TEMPLATE(text_is_checked_as_the_rfc_says, Transport, both)
{
    run_section<Transport>(texts);
}
BOOST_AUTO_TEST_CASE_TEMPLATE(connections_are_closed_as_the_rfc_says, Transport, both)
{
    run_section<Transport>(closings);
}
BOOST_AUTO_TEST_CASE_TEMPLATE(large_messages_come_back_and_limits_hold, Transport, both)
{
    run_section<Transport>(sizes);
}
BOOST_AUTO_TEST_CASE_TEMPLATE(masking_is_as_the_rfc_says, Transport, both)
{
    run_section<Transport>(maskings);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(closing_takes_the_steps_that_the_rfc_says, Transport, both)
{
    side_of<Transport> side;
    char const* const source = "RFC 6455 §7.1.1";
    auto const told = [](auto& s, pc::close_code code, bool by_peer) {
        s.until([&] { return !s.seen.closed.empty(); }, 6s);
        if (s.seen.closed.size() != 1)
            return "closed was called " + std::to_string(s.seen.closed.size()) + " times";
        auto const& info = s.seen.closed[0];
        return info.code == code && info.by_peer == by_peer
                   ? std::string()
                   : "the application was told " + std::to_string(static_cast<int>(info.code)) +
                         (info.by_peer ? " by peer" : "");
    };
    run(side, "6.8.1", source, "a client that closes says so and waits for the server to end the TCP connection",
        [&](auto& s) {
            auto const end = s.open();
            end->write(hangs);
            s.until([&] { return end->over(); });
            if (end->said.closes.empty() || end->said.closes[0].reason != "that is all")
                return "closed with " + name_of(end->said);
            end->write(encode(close_of(4500), false));
            auto const fault = judge_end(s, *end, 4500);
            return fault.empty() ? told(s, pc::close_code::unauthorized, false) : fault;
        });
    run(side, "6.8.2", "RFC 6455 §5.5.1", "data and pings behind the client's close frame are not answered",
        [&](auto& s) {
            auto const end = s.open();
            end->write(hangs + encode(text_of("late"), false) + encode(ping_of("late"), false));
            s.until([&] { return end->over(); });
            end->write(encode(text_of("later"), false) + encode(close_of(1000), false));
            auto const fault = judge_end(s, *end, 4500);
            return !fault.empty() ? fault : compare(end->said, {}, true) + compare_pongs(end->said, {}, true);
        });
    run(side, "6.8.3", "RFC 6455 §7.1.3", "where both close at once, each sends one close frame", [&](auto& s) {
        auto const end = s.open();
        end->write(hangs + encode(close_of(1001, "me too"), false));
        return judge_end(s, *end, 4500);
    });
    run(side, "6.8.4", "RFC 6455 §7.1.5", "a server that ends without a close frame is told as 1006", [&](auto& s) {
        auto const end = s.open();
        end->shut();
        if (!s.until([&] { return end->ended; }, 6s))
            return std::string("the client does not end");
        return end->said.closes.empty() ? told(s, pc::close_code::abnormal, false) : "said " + name_of(end->said);
    });
    run(side, "6.8.5", "RFC 6455 §7.1.5", "a server that ends inside a frame is told as 1006", [&](auto& s) {
        auto const end = s.open();
        end->write(encode(text_of("never whole"), false).substr(0, 7));
        end->shut();
        if (!s.until([&] { return end->ended; }, 6s))
            return std::string("the client does not end");
        return told(s, pc::close_code::abnormal, false);
    });
    run(side, "6.8.6", "RFC 6455 §7.1.5", "the server's code and reason are what the application is told",
        [&](auto& s) {
            auto const end = s.open();
            end->write(encode(close_of(4711, "go away"), false));
            auto const fault = judge_end(s, *end, 4711);
            if (!fault.empty())
                return fault;
            auto const wrong = told(s, pc::close_code{4711}, true);
            return wrong.empty() && s.seen.closed[0].reason != "go away" ? "the reason was " + s.seen.closed[0].reason
                                                                         : wrong;
        });
    run(side, "6.8.7", "RFC 6455 §7.1.5", "a close frame without a code is told as 1005", [&](auto& s) {
        auto const end = s.open();
        end->write(encode(frame(rfc::close), false));
        auto const fault = judge_end(s, *end, 1005);
        return fault.empty() ? told(s, pc::close_code::no_status, true) : fault;
    });
    run(side, "6.8.8", "RFC 6455 §7.4.1", "codes that must not be sent never are", [](auto& s) {
        for (int const code : {1005, 1006, 1015, 1004, 2000, 5000}) {
            auto const end = s.open();
            end->write(encode(text_of("!close " + std::to_string(code) + " x"), false));
            s.until([&] { return end->over(); });
            int const sent = end->said.closes.empty() ? 0 : end->said.closes[0].code;
            end->drop();
            s.settle();
            bool const legal = sent == 1005 || (sent >= 1000 && sent <= 1014 && sent != 1004 && sent != 1006) ||
                               (sent >= 3000 && sent <= 4999);
            if (!legal)
                return "for " + std::to_string(code) + " it sent " + std::to_string(sent);
        }
        return std::string();
    });
}

BOOST_AUTO_TEST_CASE(closing_does_not_wait_for_ever)
{
    side_of<sim> side;
    auto const takes_five_seconds = [](auto& s, auto& end) {
        auto const began = s.setting.now();
        if (!s.until([&] { return end.ended; }))
            return std::string("it never ends");
        auto const took = s.setting.now() - began;
        return took >= 4900ms && took <= 5100ms ? std::string() : "it took " + std::to_string(took / 1ms) + " ms";
    };
    run(side, "6.9.1", "RFC 6455 §7.1.1",
        "a close frame that is not answered ends the TCP connection after close_timeout", [&](auto& s) {
            auto const end = s.open();
            end->write(hangs);
            s.until([&] { return end->over(); });
            return takes_five_seconds(s, *end);
        });
    run(side, "6.9.2", "RFC 6455 §7.1.1", "a server that answers and does not end is left after close_timeout",
        [&](auto& s) {
            auto const end = s.open();
            end->write(encode(close_of(1000), false));
            s.until([&] { return end->over(); });
            return takes_five_seconds(s, *end);
        });
    run(side, "6.9.3", "RFC 6455 §7.1.7", "a server that breaks a rule and does not end is left after close_timeout",
        [&](auto& s) {
            auto const end = s.open();
            end->write(encode(frame(3), false));
            s.until([&] { return end->over(); });
            return takes_five_seconds(s, *end);
        });
}

/// Of values that are all as likely, each byte is; the sum is about 255, and over 400 once in 10⁷ times.
double chi_square(std::vector<std::uint32_t> const& keys, unsigned shift)
{
    std::array<double, 256> count{};
    for (std::uint32_t const key : keys)
        ++count[key >> shift & 255];
    double const wanted = static_cast<double>(keys.size()) / 256;
    double sum = 0;
    for (double const c : count)
        sum += (c - wanted) * (c - wanted) / wanted;
    return sum;
}

BOOST_AUTO_TEST_CASE_TEMPLATE(masking_keys_cannot_be_told_in_advance, Transport, both)
{
    side_of<Transport> side;
    constexpr std::size_t many = 8192;
    run(side, "9.2.1", "RFC 6455 §5.3",
        "the masking keys of 8,192 frames differ, and every byte of them is evenly spread", [](auto& s) {
            auto const end = s.open();
            std::string bytes;
            for (std::size_t i = 0; i < many; ++i)
                bytes += encode(text_of(""), false) + (i % 64 == 0 ? encode(ping_of(""), false) : std::string());
            end->write(bytes);
            s.until([&] { return end->said.messages.size() >= many; });
            auto const& keys = end->said.keys;
            std::unordered_set<std::uint32_t> const different(keys.begin(), keys.end());
            std::string fault;
            if (keys.size() < many)
                fault = std::to_string(keys.size()) + " frames came";
            else if (different.size() + 3 < keys.size())
                fault = std::to_string(keys.size() - different.size()) + " keys came again";
            for (unsigned shift = 0; shift < 32; shift += 8)
                if (double const sum = chi_square(keys, shift); sum > 400 || sum < 150)
                    fault = "byte " + std::to_string(shift / 8) + " of the keys is uneven: " + std::to_string(sum);
            end->drop();
            return fault;
        });
    run(side, "9.2.2", "RFC 6455 §4.1", "the key of the handshake is 16 bytes, and another each time", [](auto& s) {
        std::unordered_set<std::string> keys;
        for (int i = 0; i < 200; ++i) {
            auto const end = s.connect();
            keys.insert(end->field("Sec-WebSocket-Key"));
            if (keys.begin()->size() != 24 || !keys.begin()->ends_with("=="))
                return "the key is " + *keys.begin();
            end->drop();
            s.finish();
        }
        return keys.size() == 200 ? std::string() : "keys came again";
    });
}

BOOST_AUTO_TEST_CASE(what_a_header_claims_allocates_nothing)
{
    side_of<sim> side;
    run(side, "8.5.2", "RFC 6455 §10.4", "a claim of 16 MiB under that limit allocates nothing of it in a client",
        [](auto& s) {
            auto const end = s.open();
            part claim = binary_of("first bytes");
            claim.claims = 16 * 1024 * 1024;
            end->write(encode(text_of("first"), false));
            s.settle();
            auto const before = support::allocated_bytes();
            end->write(encode(claim, false));
            s.settle();
            auto const after = support::allocated_bytes();
            bool const over = end->over();
            end->drop();
            if (over)
                return std::string("a claim within the limit is refused");
            return after < before + 64 * 1024 ? std::string()
                                              : std::to_string(after - before) + " bytes were allocated";
        });
}

BOOST_AUTO_TEST_SUITE_END()
