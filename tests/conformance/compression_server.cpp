// Section 7 against a polycast server: what it agrees to, and what it then says and takes.

#include "server_side.hpp"
#include "talk.hpp"

#include <polycast/compression/deflate.hpp>
#include <polycast/isolation/per_connection.hpp>
#include <polycast/serializer/raw.hpp>
#include <polycast/server.hpp>

#include <boost/test/unit_test.hpp>

#if POLYCAST_WITH_ZLIB
#include <memory>
#include <optional>
#include <string>
#include <tuple>

namespace {

using namespace rfc;
using namespace std::string_literals;

struct deflating_echo {
    void on(auto& session, pc::message const& m) { session.send(m.payload, m.op); }
};
template <class Transport>
using shared_side = server_side<
    pc::server<deflating_echo, Transport, pc::serializer::raw, pc::compression::deflate<pc::compression::shared>>>;
template <class Transport>
using dedicated_side =
    server_side<pc::server<deflating_echo, Transport, pc::serializer::raw, pc::isolation::per_connection,
                           pc::compression::deflate<pc::compression::dedicated>>>;
// Short names for the test cases.
struct shared_simulated : shared_side<sim> {};
struct shared_tcp : shared_side<tcp> {};
struct dedicated_simulated : dedicated_side<sim> {};
struct dedicated_tcp : dedicated_side<tcp> {};
using simulated = std::tuple<shared_simulated, dedicated_simulated>;
using sides = std::tuple<shared_simulated, shared_tcp, dedicated_simulated, dedicated_tcp>;

/// What a client asks for.
struct offer {
    std::optional<int> server_bits{};
    std::optional<int> client_bits{};  ///< 0: the parameter without a value
    bool server_forgets = false, client_forgets = false;
    [[nodiscard]] std::string text() const
    {
        std::string all = "permessage-deflate";
        if (server_forgets)
            all += "; server_no_context_takeover";
        if (client_forgets)
            all += "; client_no_context_takeover";
        if (server_bits)
            all += "; server_max_window_bits=" + std::to_string(*server_bits);
        if (client_bits)
            all += "; client_max_window_bits" + (*client_bits == 0 ? ""s : "=" + std::to_string(*client_bits));
        return all;
    }
};
/// RFC 7692 §7.1: what an answer must say, and may not say, to an offer.
std::string judge_answer(offer const& asked, deflate_answer const& a)
{
    if (!a.legal)
        return "the answer is malformed";
    if (asked.server_forgets && !a.server_forgets)
        return "server_no_context_takeover was asked for and is not confirmed";
    if (asked.server_bits && (!a.server_bits || *a.server_bits > *asked.server_bits))
        return "server_max_window_bits was asked for and is not confirmed";
    if (a.client_bits && !asked.client_bits)
        return "client_max_window_bits is limited though it was not offered";
    if (a.client_bits && asked.client_bits && *asked.client_bits != 0 && *a.client_bits > *asked.client_bits)
        return "client_max_window_bits is more than was offered";
    return {};
}

template <class Side>
std::string talk(Side& side, offer const& asked)
{
    auto const request = [&] {
        std::string head = asks;
        return head.insert(head.size() - 2, "Sec-WebSocket-Extensions: " + asked.text() + "\r\n");
    }();
    auto const end = side.connect();
    end->write(request);
    side.until([&] { return end->ended || !end->head.empty(); });
    std::string fault;
    if (end->status() != 101)
        fault = "answered " + std::to_string(end->status());
    else if (!end->has_field("Sec-WebSocket-Extensions"))
        fault = asked.server_bits == 8 ? "" : "declined";  // zlib has no such window: to decline is right
    else {
        auto const answer = read_deflate_answer(end->field("Sec-WebSocket-Extensions"));
        fault = judge_answer(asked, answer);
        end->rsv1_allowed = true;
        if (fault.empty()) {
            // What the client said that it will not exceed holds, whether the answer repeats it or not.
            deflate_answer agreed = answer;
            if (!agreed.client_bits && asked.client_bits && *asked.client_bits != 0)
                agreed.client_bits = asked.client_bits;
            agreed.client_forgets = agreed.client_forgets || asked.client_forgets;
            auto const peer = other_end(agreed, true);
            fault = converse(side, *end, *peer);
        }
    }
    end->drop();
    side.settle();
    return fault;
}

template <class Side>
void deflates(Side& side)
{
    side.fields = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n";
    side.opened = [](auto& end) {
        end.rsv1_allowed = true;
        std::shared_ptr<zlib_peer> const peer =
            other_end(read_deflate_answer(end.field("Sec-WebSocket-Extensions")), true);
        end.inflate = [peer](std::string_view payload) { return peer->decompress(payload); };
    };
}

}  // namespace

BOOST_AUTO_TEST_SUITE(conformance_of_the_servers_compression)

BOOST_AUTO_TEST_CASE_TEMPLATE(every_combination_of_parameters_is_agreed_to_and_kept, Side, simulated)
{
    Side side;
    int n = 0;
    for (int server_bits = 7; server_bits <= 15; ++server_bits)
        for (int client_bits = -1; client_bits <= 15; client_bits = client_bits == 0 ? 8 : client_bits + 1)
            for (int const flags : {0, 1, 2, 3}) {
                offer asked;
                if (server_bits > 7)
                    asked.server_bits = server_bits;
                if (client_bits >= 0)
                    asked.client_bits = client_bits;
                asked.server_forgets = (flags & 1) != 0;
                asked.client_forgets = (flags & 2) != 0;
                record("7.1.1." + std::to_string(++n), "RFC 7692 §7.1",
                       "an offer of " + asked.text() + " is agreed to, and kept", side.where, "whole",
                       fault_of([&] { return talk(side, asked); }));
            }
}

BOOST_AUTO_TEST_CASE_TEMPLATE(offers_that_cannot_be_met_are_declined, Side, sides)
{
    Side side;
    int n = 0;
    auto const answer_to = [&](std::string const& offers) {
        auto const end = side.connect();
        std::string request = asks;
        end->write(request.insert(request.size() - 2, "Sec-WebSocket-Extensions: " + offers + "\r\n"));
        side.until([&] { return end->ended || !end->head.empty(); });
        std::string answer =
            end->status() == 101 ? end->field("Sec-WebSocket-Extensions") : std::to_string(end->status());
        end->drop();
        side.settle();
        return answer;
    };
    char const* const good = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";
    for (char const* const bad : {"server_max_window_bits",
                                  "server_max_window_bits=7",
                                  "server_max_window_bits=16",
                                  "server_max_window_bits=0",
                                  "server_max_window_bits=08",
                                  "server_max_window_bits=015",
                                  "server_max_window_bits=1x",
                                  "server_max_window_bits=9999999999",
                                  "server_max_window_bits=-9",
                                  "server_max_window_bits=10; server_max_window_bits=10",
                                  "client_max_window_bits=7",
                                  "client_max_window_bits=16",
                                  "client_max_window_bits=09",
                                  "client_max_window_bits; client_max_window_bits",
                                  "client_max_window_bits=10; client_max_window_bits",
                                  "client_max_window_bits=x",
                                  "server_no_context_takeover=1",
                                  "server_no_context_takeover=true",
                                  "client_no_context_takeover=0",
                                  "server_no_context_takeover; server_no_context_takeover",
                                  "client_no_context_takeover; client_no_context_takeover",
                                  "unheard_of",
                                  "unheard_of=1",
                                  "server_max_window_bits=12; unheard_of",
                                  "SERVER_MAX_WINDOW_BITS=99"}) {
        std::string const asked = "permessage-deflate; "s + bad;
        std::string const alone = answer_to(asked);
        record("7.1.2." + std::to_string(++n), "RFC 7692 §7", "an offer of " + asked + " is declined", side.where,
               "alone", alone.empty() ? "" : "answered " + alone);
        std::string const then = answer_to(asked + ", " + good);
        record("7.1.2." + std::to_string(n), "RFC 7692 §7", "an offer of " + asked + " is declined", side.where,
               "with a fallback", then.starts_with("permessage-deflate") ? "" : "answered `" + then + "`");
    }
    n = 0;
    auto const taken = [&](std::string const& asked, std::string const& title) {
        auto const answer = answer_to(asked);
        bool const fine = answer.starts_with("permessage-deflate") && read_deflate_answer(answer).legal &&
                          answer.find(',') == answer.npos;
        record("7.1.3." + std::to_string(++n), "RFC 7692 §5", title, side.where, "whole",
               fine ? "" : "answered `" + answer + "`");
    };
    taken("x-webkit-deflate-frame, permessage-deflate", "the extension behind one that is unknown is agreed to, alone");
    taken("permessage-deflate, x-webkit-deflate-frame", "the extension before one that is unknown is agreed to, alone");
    taken("permessage-deflate, permessage-deflate", "of two offers one is agreed to");
    taken("permessage-deflate; server_max_window_bits=\"10\"; client_max_window_bits = \"12\"", "values may be quoted");
    taken("permessage-deflate ;server_no_context_takeover;client_max_window_bits", "white space may be anywhere");
    taken("x\r\nSec-WebSocket-Extensions: permessage-deflate", "an offer may be in a second field");
    auto const first = read_deflate_answer(
        answer_to("permessage-deflate; server_max_window_bits=10, permessage-deflate; server_max_window_bits=12"));
    record("7.1.3." + std::to_string(++n), "RFC 7692 §5", "of offers that can be met the first is agreed to",
           side.where, "whole", first.server_bits && *first.server_bits <= 10 ? "" : "it was not");
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
    // RFC 7692 §7.2.3.2: "Hello", and then "Hello" by reference to it.
    std::string const hello = encode(frame(text, "\xf2\x48\xcd\xc9\xc9\x07\x00"s, true, 4), true);
    std::string const again = encode(frame(text, "\xf2\x00\x11\x00\x00"s, true, 4), true);
    dedicated_simulated side;
    deflates(side);
    run(side, "7.9.1", "RFC 7692 §7.2.3.2", "a message may refer to the one before", [&](auto& s) {
        auto const end = s.open();
        end->write(hello + again);
        s.until([&] { return end->over() || end->said.messages.size() == 2; });
        end->inflate_messages();
        auto const fault = compare(end->said, {{text, "Hello"}, {text, "Hello"}}, true);
        end->drop();
        return fault + end->said.fault;
    });
    run(side, "7.9.2", "RFC 7692 §7.2.3.2", "a window survives a message that is final or plain", [&](auto& s) {
        auto const end = s.open();
        end->write(encode(frame(text, "\xf3\x48\xcd\xc9\xc9\x07\x00"s, true, 4), true) +
                   encode(text_of("plain"), true) + again);
        s.until([&] { return end->over() || end->said.messages.size() == 3; });
        end->inflate_messages();
        auto const fault = compare(end->said, {{text, "Hello"}, {text, "plain"}, {text, "Hello"}}, true);
        end->drop();
        return fault + end->said.fault;
    });
    side.fields = "Sec-WebSocket-Extensions: permessage-deflate; client_no_context_takeover\r\n";
    auto const refused = [&](auto& s) {
        auto const end = s.open();
        end->write(hello + again);
        auto const fault = judge_end(s, *end, 1007);
        end->drop();
        return fault;
    };
    run(side, "7.9.3", "RFC 7692 §7.1.1.2", "a reference to a message before is refused where the client forgets",
        refused);
    shared_simulated forgetful;
    deflates(forgetful);
    run(forgetful, "7.9.4", "RFC 7692 §7.1.1.2",
        "a reference to a message before is refused where the server asked the client to forget", refused);
}

BOOST_AUTO_TEST_SUITE_END()
#endif
