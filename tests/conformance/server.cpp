// The table against a polycast server: sections 1 to 9 but for what needs compression.

#include "server_side.hpp"

#include <polycast/serializer/raw.hpp>
#include <polycast/server.hpp>

#include "../support/memory.hpp"

#include <boost/test/unit_test.hpp>

#include <memory>
#include <string>
#include <string_view>
#include <tuple>

namespace {

using namespace rfc;

/// Sends back what it gets; is told to close by a text `!close <code> <reason>`.
struct echo_app {
    void on(auto& session, pc::message const& m)
    {
        if (m.op == pc::opcode::text && m.payload.starts_with("!close "))
            return session.close(static_cast<pc::close_code>(std::stoi(std::string(m.payload.substr(7, 4)))),
                                 m.payload.substr(std::min<std::size_t>(12, m.payload.size())));
        session.send(m.payload, m.op);
    }
};

using both = std::tuple<sim, tcp>;
template <class Transport>
using side_of = server_side<pc::server<echo_app, Transport, pc::serializer::raw>>;

/// Every row of a section; afterwards nobody is left.
template <class Transport>
void run_section(void (*section)(visitor const&))
{
    side_of<Transport> side;
    section([&](row const& r) { run(side, r); });
    side.until([&] { return side.wide.server->connections() + side.narrow.server->connections() == 0; }, 10s);
    BOOST_TEST(side.wide.server->connections() + side.narrow.server->connections() == 0u);
}

std::string const hangs = encode(text_of("!close 4001 that is all"), true);

}  // namespace

BOOST_AUTO_TEST_SUITE(conformance_of_the_server)

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
    run(side, "6.6.1", source, "a server that closes waits for the answer, and ends the TCP connection behind it",
        [](auto& s) {
            auto const end = s.open();
            end->write(hangs);
            s.until([&] { return end->over(); });
            s.settle();
            if (end->said.closes.empty() || end->said.closes[0].code != 4001 ||
                end->said.closes[0].reason != "that is all")
                return "closed with " + name_of(end->said);
            if (end->ended)
                return std::string("ended before the answer");
            end->write(encode(close_of(4001), true));
            return judge_end(s, *end, 4001);
        });
    run(side, "6.6.2", "RFC 6455 §5.5.1",
        "data and pings behind the server's close frame are not answered, the peer's close frame is awaited",
        [](auto& s) {
            auto const end = s.open();
            end->write(hangs + encode(text_of("late"), true) + encode(ping_of("late"), true));
            s.until([&] { return end->over(); });
            end->write(encode(text_of("later"), true) + encode(begins("later still"), true));
            s.settle();
            if (end->ended)
                return std::string("ended before the answer");
            end->write(encode(close_of(1000), true));
            auto const fault = judge_end(s, *end, 4001);
            return !fault.empty() ? fault : compare(end->said, {}, true) + compare_pongs(end->said, {}, true);
        });
    run(side, "6.6.3", "RFC 6455 §7.1.3", "where both close at once, each sends one close frame", [](auto& s) {
        auto const end = s.open();
        end->write(hangs + encode(close_of(1001, "me too"), true));
        return judge_end(s, *end, 4001);
    });
    run(side, "6.6.4", source, "what is broken behind the server's close frame does not make it say more", [](auto& s) {
        auto const end = s.open();
        end->write(hangs);
        s.until([&] { return end->over(); });
        end->write(encode(frame(3), true));
        return judge_end(s, *end, 4001);
    });
    run(side, "6.6.5", "RFC 6455 §7.1.5", "a peer that just ends its half is let go, without a close frame",
        [](auto& s) {
            auto const end = s.open();
            end->shut();
            if (!s.until([&] { return end->ended; }, 4s))
                return std::string("the server does not end");
            return end->said.closes.empty() ? std::string() : "said " + name_of(end->said);
        });
    run(side, "6.6.6", "RFC 6455 §7.1.5", "a peer that ends inside a frame is let go, without a close frame",
        [](auto& s) {
            auto const end = s.open();
            end->write(encode(text_of("never whole"), true).substr(0, 9));
            end->shut();
            if (!s.until([&] { return end->ended; }, 4s))
                return std::string("the server does not end");
            return end->said.closes.empty() && end->said.messages.empty() ? std::string()
                                                                          : "said " + name_of(end->said);
        });
    run(side, "6.6.7", source,
        "a reason of the application that is longer than 123 bytes is cut where a character ends", [](auto& s) {
            auto const end = s.open();
            std::string reason;
            while (reason.size() < 150)
                reason += "\xE2\x82\xAC";
            end->write(encode(text_of("!close 4001 " + reason), true));
            s.until([&] { return end->over(); });
            if (end->said.closes.empty() || end->said.closes[0].reason != reason.substr(0, 123))
                return "closed with " + name_of(end->said);
            end->write(encode(close_of(4001), true));
            return judge_end(s, *end, 4001);
        });
    run(side, "6.6.8", "RFC 6455 §7.4.1", "codes that must not be sent never are", [](auto& s) {
        for (int const code : {1005, 1006, 1015, 1004, 2000, 5000}) {
            auto const end = s.open();
            end->write(encode(text_of("!close " + std::to_string(code) + " x"), true));
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
    run(side, "6.7.1", "RFC 6455 §7.1.1",
        "a close frame that is not answered ends the TCP connection after close_timeout", [](auto& s) {
            auto const end = s.open();
            auto const began = s.on->now();
            end->write(hangs);
            if (!s.until([&] { return end->ended; }))
                return std::string("it never ends");
            auto const took = s.on->now() - began;
            return took >= 4s && took <= 6100ms ? std::string() : "it took " + std::to_string(took / 1ms) + " ms";
        });
    run(side, "6.7.2", "RFC 6455 §7.1.1",
        "a peer that does not end its half after the close handshake is dropped after close_timeout", [](auto& s) {
            auto const end = s.open();
            end->write(encode(close_of(1000), true));
            if (!s.until([&] { return end->ended; }, 1s))
                return std::string("the server does not end its half");
            auto const is_open = [&] {
                for (auto const& c : s.on->world.connections())
                    if (c.server.open)
                        return true;
                return false;
            };
            auto const began = s.on->now();
            if (!is_open())
                return std::string("the server drops a peer that may still be sending");
            s.until([&] { return !is_open(); });
            auto const took = s.on->now() - began;
            return took >= 4s && took <= 6100ms ? std::string() : "it took " + std::to_string(took / 1ms) + " ms";
        });
    run(side, "6.7.3", "RFC 6455 §7.1.7", "a peer that is refused and goes on sending is read until it ends",
        [](auto& s) {
            auto const end = s.open();
            end->write(encode(frame(3), true));
            for (int i = 0; i < 50; ++i) {
                end->write(encode(binary_of(noise(60'000)), true));
                s.settle();
            }
            return judge_end(s, *end, 1002);
        });
}

BOOST_AUTO_TEST_CASE(what_a_header_claims_allocates_nothing)
{
    side_of<sim> side;
    run(side, "8.5.1", "RFC 6455 §10.4", "a thousand claims of 16 MiB under that limit allocate nothing of it",
        [](auto& s) {
            std::vector<std::shared_ptr<wire_end<sim>>> ends;
            part claim = binary_of("first bytes");
            claim.claims = 16 * 1024 * 1024;
            std::string const bytes = encode(claim, true);
            for (int i = 0; i < 1000; ++i)
                ends.push_back(s.open());
            auto const before = support::allocated_bytes();
            for (auto const& e : ends)
                e->write(bytes);
            s.settle();
            auto const after = support::allocated_bytes();
            for (auto const& e : ends) {
                if (e->over())
                    return std::string("a claim within the limit is refused");
                e->drop();
            }
            s.settle();
            return after < before + 4 * 1024 * 1024 ? std::string()
                                                    : std::to_string(after - before) + " bytes were allocated";
        });
}

BOOST_AUTO_TEST_SUITE_END()
