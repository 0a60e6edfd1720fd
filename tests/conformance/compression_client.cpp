// Section 7 against a polycast client: what it offers, which answers it takes, and what it then says and takes.

#include "client_side.hpp"
#include "talk.hpp"

#include <polycast/client.hpp>
#include <polycast/compression/deflate.hpp>
#include <polycast/serializer/raw.hpp>

#include <boost/test/unit_test.hpp>

#if POLYCAST_WITH_ZLIB
#include <memory>
#include <string>
#include <tuple>
#include <vector>

namespace {

using namespace rfc;
using namespace std::string_literals;

template <class Transport, class Takeover>
using deflating = client_side<echo_client, Transport, pc::serializer::raw, pc::compression::deflate<Takeover>>;
/// `forgets`: the client asks both ends to (RFC 7692 §7.1.1).
struct shared_simulated : deflating<sim, pc::compression::shared> {
    static constexpr bool forgets = true;
};
struct shared_tcp : deflating<tcp, pc::compression::shared> {
    static constexpr bool forgets = true;
};
struct dedicated_simulated : deflating<sim, pc::compression::dedicated> {
    static constexpr bool forgets = false;
};
struct dedicated_tcp : deflating<tcp, pc::compression::dedicated> {
    static constexpr bool forgets = false;
};
using simulated = std::tuple<shared_simulated, dedicated_simulated>;
using sides = std::tuple<shared_simulated, shared_tcp, dedicated_simulated, dedicated_tcp>;

/// Answers the request with these extensions.
template <class Side>
auto answered(Side& side, std::string const& extensions)
{
    auto const end = side.connect();
    std::string answer = agrees(end->field("Sec-WebSocket-Key"));
    end->rsv1_allowed = true;
    end->write(answer.insert(answer.size() - 2, "Sec-WebSocket-Extensions: " + extensions + "\r\n"));
    side.until([&] { return side.c->is_open() || !side.seen.failed.empty(); });
    return end;
}

template <class Side>
void deflates(Side& side)
{
    std::string const answer =
        "permessage-deflate"s + (Side::forgets ? "; server_no_context_takeover; client_no_context_takeover" : "");
    side.fields = "Sec-WebSocket-Extensions: " + answer + "\r\n";
    side.opened = [answer](auto& end) {
        end.rsv1_allowed = true;
        std::shared_ptr<zlib_peer> const peer = other_end(read_deflate_answer(answer), false);
        end.inflate = [peer](std::string_view payload) { return peer->decompress(payload); };
    };
}

}  // namespace

BOOST_AUTO_TEST_SUITE(conformance_of_the_clients_compression)

BOOST_AUTO_TEST_CASE_TEMPLATE(every_answer_to_the_offer_is_taken_and_kept, Side, simulated)
{
    Side side;
    std::string const offer = [&] {
        auto const end = side.connect();
        end->drop();
        side.finish();
        return end->field("Sec-WebSocket-Extensions");
    }();
    bool const limits_itself = offer.find("client_max_window_bits") != offer.npos;
    record("7.10.1", "RFC 7692 §5", "the client offers permessage-deflate", side.where, "whole",
           offer.starts_with("permessage-deflate") && limits_itself ? "" : "it offers `" + offer + "`");
    int n = 0;
    for (int server_bits = 7; server_bits <= 15; ++server_bits)
        for (int client_bits = 7; client_bits <= 15; ++client_bits)
            for (int const flags : {0, 1, 2, 3}) {
                std::string extensions = "permessage-deflate";
                if ((flags & 1) != 0)
                    extensions += "; server_no_context_takeover";
                if ((flags & 2) != 0)
                    extensions += "; client_no_context_takeover";
                if (server_bits > 7)
                    extensions += "; server_max_window_bits=" + std::to_string(server_bits);
                if (client_bits > 7)
                    extensions += "; client_max_window_bits=" + std::to_string(client_bits);
                bool const legal = !Side::forgets || (flags & 1) != 0;
                auto const end = answered(side, extensions);
                std::string fault;
                if (side.c->is_open() != legal)
                    fault = legal ? "it is refused: " + side.seen.failed[0].message() : "it is taken";
                else if (legal) {
                    auto agreed = read_deflate_answer(extensions);
                    auto const peer = other_end(agreed, false);
                    fault = converse(side, *end, *peer);
                    if (fault == "nothing came back compressed" && client_bits == 8)
                        fault.clear();  // zlib has no such window: to send all as it is is right
                }
                end->drop();
                side.finish();
                record("7.10.2." + std::to_string(++n), "RFC 7692 §7.1",
                       "an answer of " + extensions + " is taken, and kept", side.where, "whole", fault);
            }
}

BOOST_AUTO_TEST_CASE_TEMPLATE(answers_that_do_not_fit_the_offer_are_refused, Side, sides)
{
    Side side;
    int n = 0;
    std::string const good = "permessage-deflate; server_no_context_takeover";
    for (std::string const& bad : {good + "; server_max_window_bits",
                                   good + "; server_max_window_bits=7",
                                   good + "; server_max_window_bits=16",
                                   good + "; server_max_window_bits=010",
                                   good + "; server_max_window_bits=x",
                                   good + "; server_max_window_bits=10; server_max_window_bits=10",
                                   good + "; client_max_window_bits",
                                   good + "; client_max_window_bits=7",
                                   good + "; client_max_window_bits=16",
                                   good + "; client_max_window_bits=08",
                                   good + "; server_no_context_takeover",
                                   good + "; client_no_context_takeover=1",
                                   good + "; client_no_context_takeover; client_no_context_takeover",
                                   good + "; unheard_of",
                                   good + "; unheard_of=1",
                                   good + ", " + good,
                                   good + ", x-unknown",
                                   "x-unknown, "s + good,
                                   "permessage-deflate-2"s,
                                   "x-webkit-deflate-frame"s,
                                   good + "; ",
                                   good + ";;",
                                   good + "; =1",
                                   good + "; server_max_window_bits=\"10",
                                   good + "\r\nSec-WebSocket-Extensions: " + good}) {
        auto const end = answered(side, bad);
        std::string fault;
        if (side.c->is_open())
            fault = "it is taken";
        else if (!side.until([&] { return end->ended; }, 4s))
            fault = "the connection is not ended";
        end->drop();
        side.finish();
        record("7.11." + std::to_string(++n), "RFC 7692 §5", "an answer of " + bad + " is refused", side.where, "whole",
               fault);
    }
    for (std::string const& fine : {good + "; server_max_window_bits=\"10\"", good + " ;  client_max_window_bits = 12",
                                    "permessage-deflate;server_no_context_takeover"s}) {
        auto const end = answered(side, fine);
        std::string const fault = side.c->is_open() ? "" : "it is refused: " + side.seen.failed[0].message();
        end->drop();
        side.finish();
        record("7.11." + std::to_string(++n), "RFC 6455 §9.1", "an answer of " + fine + " is taken", side.where,
               "whole", fault);
    }
}

BOOST_AUTO_TEST_CASE_TEMPLATE(without_an_answer_nothing_is_compressed, Side, sides)
{
    Side side;
    run(side, "7.12.1", "RFC 7692 §5", "a client whose offer is not answered sends all as it is", [](auto& s) {
        auto const end = s.open();
        end->write(encode(text_of(chatter(1)), false));
        s.until([&] { return end->over() || end->said.messages.size() == 1; });
        end->write(encode(close_of(1000), false));
        auto const fault = judge_end(s, *end, 1000);
        return fault.empty() ? compare(end->said, {{text, chatter(1)}}, true) : fault;
    });
    run(side, "7.12.2", "RFC 7692 §6", "a client whose offer is not answered refuses RSV1", [](auto& s) {
        auto const end = s.open();
        end->write(encode(frame(text, "\xf2\x48\xcd\xc9\xc9\x07\x00"s, true, 4), false));
        return judge_end(s, *end, 1002);
    });
}

BOOST_AUTO_TEST_CASE_TEMPLATE(compressed_messages_are_as_the_rfc_says, Side, sides)
{
    Side side;
    deflates(side);
    compressed([&](row const& r) { run(side, r); });
}

BOOST_AUTO_TEST_CASE_TEMPLATE(compression_does_not_change_what_is_not_compressed, Side, simulated)
{
    Side side;
    deflates(side);
    auto const few = [&](row r) {
        r.tries = effort::whole_only;
        run(side, r);
    };
    closings(few);
    pings(few);
    fragments(few);
    texts(few);
}

BOOST_AUTO_TEST_CASE(a_window_is_taken_over_only_where_that_was_agreed)
{
    std::string const hello = encode(frame(text, "\xf2\x48\xcd\xc9\xc9\x07\x00"s, true, 4), false);
    std::string const again = encode(frame(text, "\xf2\x00\x11\x00\x00"s, true, 4), false);
    dedicated_simulated side;
    deflates(side);
    run(side, "7.13.1", "RFC 7692 §7.2.3.2", "a message to a client may refer to the one before", [&](auto& s) {
        auto const end = s.open();
        end->write(hello + again);
        s.until([&] { return end->over() || end->said.messages.size() == 2; });
        end->inflate_messages();
        auto const fault = compare(end->said, {{text, "Hello"}, {text, "Hello"}}, true);
        end->drop();
        return fault + end->said.fault;
    });
    shared_simulated forgetful;
    deflates(forgetful);
    run(forgetful, "7.13.2", "RFC 7692 §7.1.1.1",
        "a reference to a message before is refused where the server agreed to forget", [&](auto& s) {
            auto const end = s.open();
            end->write(hello + again);
            return judge_end(s, *end, 1007);
        });
}

BOOST_AUTO_TEST_SUITE_END()
#endif
