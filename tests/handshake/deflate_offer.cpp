#include <polycast/handshake/deflate_offer.hpp>

#include <polycast/handshake/answer.hpp>
#include <polycast/handshake/request.hpp>

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace pc = polycast;

namespace deflate_offers {

pc::request asks(std::vector<std::string> const& fields)
{
    std::string head = "GET / HTTP/1.1\r\nHost: h\r\n";
    for (auto const& one : fields)
        head += "Sec-WebSocket-Extensions: " + one + "\r\n";
    auto parsed = pc::parse_request(head + "\r\n");
    BOOST_REQUIRE((parsed.status == pc::head_status::complete));
    return std::move(parsed.value);
}
pc::response says(std::string const& field)
{
    std::string const line = field.empty() ? "" : "Sec-WebSocket-Extensions: " + field + "\r\n";
    auto parsed = pc::parse_response("HTTP/1.1 101 Switching Protocols\r\n" + line + "\r\n");
    BOOST_REQUIRE((parsed.status == pc::head_status::complete));
    return std::move(parsed.value);
}
/// What the server answers; `-` if it declines.
std::string answered(std::string const& offer, pc::deflate_terms const& terms = {})
{
    auto const agreed = pc::choose_deflate(asks({offer}), terms);
    return agreed ? pc::deflate_response(*agreed) : "-";
}
bool accepted(std::string const& answer, pc::deflate_terms const& terms = {})
{
    return pc::check_deflate_answer(says(answer), terms).legal;
}
constexpr pc::deflate_terms forgetful{.server_no_context_takeover = true, .client_no_context_takeover = true};

/// The parameters of one element; bits of 0 are absent, of 1 without a value.
struct parameters {
    bool server_forgets = false, client_forgets = false;
    int server_bits = 0, client_bits = 0;

    std::vector<std::string> list() const
    {
        std::vector<std::string> all;
        if (server_forgets)
            all.push_back("server_no_context_takeover");
        if (client_forgets)
            all.push_back("client_no_context_takeover");
        if (server_bits != 0)
            all.push_back("server_max_window_bits" + (server_bits == 1 ? "" : "=" + std::to_string(server_bits)));
        if (client_bits != 0)
            all.push_back("client_max_window_bits" + (client_bits == 1 ? "" : "=" + std::to_string(client_bits)));
        return all;
    }
    std::string text() const { return "permessage-deflate" + behind(list()); }
    static std::string behind(std::vector<std::string> const& list)
    {
        std::string said;
        for (auto const& one : list)
            said += "; " + one;
        return said;
    }
};
/// Every legal offer, or answer: all four parameters in every combination and with every value (RFC 7692 §7.1).
template <class Do>
void with_each(bool is_offer, Do what)
{
    for (int flags = 0; flags < 4; ++flags)
        for (int server_bits : {0, 8, 9, 10, 11, 12, 13, 14, 15})
            for (int client_bits : {0, 1, 8, 9, 10, 11, 12, 13, 14, 15})
                if (is_offer || client_bits != 1)
                    what(parameters{(flags & 1) != 0, (flags & 2) != 0, server_bits, client_bits});
}
std::array<pc::deflate_terms, 5> const wishes{
    pc::deflate_terms{}, forgetful, pc::deflate_terms{true, false, 12, 15}, pc::deflate_terms{false, true, 15, 11},
    pc::deflate_terms{false, false, 9, 9}};
int at_most(int a, int b)
{
    return std::min(a, b);
}

}  // namespace deflate_offers
using namespace deflate_offers;

BOOST_AUTO_TEST_SUITE(deflate_offer)

struct row {
    char const* offer;
    char const* answer;
};

BOOST_AUTO_TEST_CASE(a_server_answers_an_offer_as_rfc_7692_has_it)  // §7.1
{
    for (row const& r : {
             row{"permessage-deflate", "permessage-deflate"},
             row{"Permessage-Deflate", "permessage-deflate"},
             row{"permessage-deflate; server_no_context_takeover", "permessage-deflate; server_no_context_takeover"},
             row{"permessage-deflate; client_no_context_takeover", "permessage-deflate; client_no_context_takeover"},
             row{"permessage-deflate; client_max_window_bits", "permessage-deflate"},
             row{"permessage-deflate; client_max_window_bits=8", "permessage-deflate; client_max_window_bits=8"},
             row{"permessage-deflate; client_max_window_bits=\"10\"", "permessage-deflate; client_max_window_bits=10"},
             row{"permessage-deflate; client_max_window_bits=15", "permessage-deflate"},
             row{"permessage-deflate; server_max_window_bits=9", "permessage-deflate; server_max_window_bits=9"},
             row{"permessage-deflate; server_max_window_bits=15", "permessage-deflate; server_max_window_bits=15"},
             row{"permessage-deflate ;\tserver_max_window_bits = \"1\\2\";client_max_window_bits=11; "
                 "server_no_context_takeover; client_no_context_takeover,",
                 "permessage-deflate; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=12; "
                 "client_max_window_bits=11"},
         })
        BOOST_TEST(answered(r.offer) == r.answer, r.offer << " is answered " << answered(r.offer));
}

BOOST_AUTO_TEST_CASE(every_combination_of_parameters_is_answered_with_what_both_ends_keep_to)
{
    int offers = 0;
    with_each(true, [&](parameters const& offer) {
        for (auto const& terms : wishes) {
            auto const agreed = pc::choose_deflate(asks({offer.text()}), terms);
            // zlib has no window of 256 bytes to send with.
            BOOST_REQUIRE_MESSAGE(agreed.has_value() == (offer.server_bits != 8), offer.text());
            if (!agreed)
                continue;
            parameters wanted;
            // §7.1.1: what is asked for is confirmed; the server may forget, and have the client forget, on its own.
            wanted.server_forgets = offer.server_forgets || terms.server_no_context_takeover;
            wanted.client_forgets = offer.client_forgets || terms.client_no_context_takeover;
            // §7.1.2.1: "the same or smaller value"; what is asked for is confirmed.
            int const server_bits = at_most(terms.server_max_window_bits, offer.server_bits == 0 ? 15 : offer.server_bits);
            wanted.server_bits = offer.server_bits != 0 || server_bits != 15 ? server_bits : 0;
            // §7.1.2.2: only a client that names it can be limited.
            int const client_bits = offer.client_bits == 0   ? 15
                                    : offer.client_bits == 1 ? terms.client_max_window_bits
                                                             : at_most(terms.client_max_window_bits, offer.client_bits);
            wanted.client_bits = client_bits != 15 ? client_bits : 0;
            BOOST_TEST(pc::deflate_response(*agreed) == wanted.text(), offer.text() << " -> " << pc::deflate_response(*agreed));
            BOOST_TEST(agreed->server_no_context_takeover == wanted.server_forgets);
            BOOST_TEST(agreed->client_no_context_takeover == wanted.client_forgets);
            BOOST_TEST(agreed->server_max_window_bits == server_bits);
            BOOST_TEST(agreed->client_max_window_bits == client_bits);
        }
        ++offers;
    });
    BOOST_TEST(offers == 4 * 9 * 10);
}

BOOST_AUTO_TEST_CASE(the_order_of_parameters_means_nothing)
{
    auto list = parameters{true, true, 10, 11}.list();
    std::sort(list.begin(), list.end());
    do
        BOOST_TEST(answered("permessage-deflate" + parameters::behind(list)) == parameters({true, true, 10, 11}).text());
    while (std::next_permutation(list.begin(), list.end()));
}

BOOST_AUTO_TEST_CASE(an_offer_that_breaks_a_rule_is_declined_and_the_next_is_looked_at)  // §7.1
{
    for (std::string const bad : {
             "unheard_of", "unheard_of=1", "server_no_context_takeover; server_no_context_takeover",
             "client_no_context_takeover; client_no_context_takeover", "server_no_context_takeover=1",
             "server_no_context_takeover=\"1\"", "client_no_context_takeover=true", "server_max_window_bits",
             "server_max_window_bits; client_max_window_bits", "server_max_window_bits=7", "server_max_window_bits=16",
             "server_max_window_bits=08", "server_max_window_bits=9x", "server_max_window_bits=+9",
             "server_max_window_bits=9; server_max_window_bits=9", "server_max_window_bits=12; server_max_window_bits",
             "client_max_window_bits=7", "client_max_window_bits=0", "client_max_window_bits=16", "client_max_window_bits=20",
             "client_max_window_bits=015", "client_max_window_bits=100", "client_max_window_bits=a",
             "client_max_window_bits; client_max_window_bits", "client_max_window_bits; client_max_window_bits=9",
             "server_no_context_takeover; client_no_context_takeover; unheard_of",
             "client_max_window_bits; server_no_context_takeover=10", "server_max_window_bits=9; unheard_of=10",
             // zlib has no window of 256 bytes.
             "server_max_window_bits=8"}) {
        BOOST_TEST(answered("permessage-deflate; " + bad) == "-", bad);
        BOOST_TEST(answered("permessage-deflate; " + bad + ", permessage-deflate; server_max_window_bits=10") ==
                       "permessage-deflate; server_max_window_bits=10",
                   bad);
        BOOST_TEST(answered("permessage-deflate; " + bad + ", x, permessage-deflate; " + bad + ", permessage-deflate") ==
                       "permessage-deflate",
                   bad);
    }
    for (int bits = 0; bits < 120; ++bits) {
        bool const legal = bits >= 8 && bits <= 15;
        BOOST_TEST((answered("permessage-deflate; client_max_window_bits=" + std::to_string(bits)) != "-") == legal);
    }
}

BOOST_AUTO_TEST_CASE(the_first_offer_that_can_be_met_is_taken_whatever_stands_between)  // §5
{
    BOOST_TEST(answered("x-other; server_max_window_bits=99; b, permessage-deflate, "
                        "permessage-deflate; server_no_context_takeover") == "permessage-deflate");
    BOOST_TEST(answered("x-webkit-deflate-frame, permessage-bzip2, permessage-deflate2") == "-");
    auto const fields = pc::choose_deflate(
        asks({"other; x", "permessage-deflate; client_max_window_bits=9", "permessage-deflate"}), {});
    BOOST_REQUIRE(fields.has_value());
    BOOST_TEST(fields->client_max_window_bits == 9);
    BOOST_TEST(!pc::choose_deflate(asks({}), {}));
}

BOOST_AUTO_TEST_CASE(a_field_that_breaks_the_grammar_agrees_on_nothing)
{
    for (char const* const bad :
         {"permessage-deflate; server_max_window_bits=", "permessage-deflate;", "permessage-deflate x",
          "permessage-deflate; client_max_window_bits=\"1 0\"", "permessage-deflate, =", "permessage-deflate; =9"}) {
        BOOST_TEST(answered(bad) == "-", bad);
        BOOST_TEST(answered("permessage-deflate, " + std::string(bad)) == "-", bad);
        BOOST_TEST(!accepted(bad), bad);
    }
}

BOOST_AUTO_TEST_CASE(a_client_says_what_it_wants_and_lets_its_window_be_limited)
{
    BOOST_TEST(pc::deflate_offer({}) == "permessage-deflate; client_max_window_bits");
    BOOST_TEST(pc::deflate_offer(forgetful) == "permessage-deflate; server_no_context_takeover; "
                                               "client_no_context_takeover; client_max_window_bits");
    BOOST_TEST(pc::deflate_offer({.server_max_window_bits = 10, .client_max_window_bits = 9}) ==
               "permessage-deflate; server_max_window_bits=10; client_max_window_bits=9");
}

BOOST_AUTO_TEST_CASE(what_a_server_makes_of_a_clients_offer_the_client_accepts)
{
    for (std::uint8_t server_bits = 9; server_bits <= 15; ++server_bits)
        for (std::uint8_t client_bits = 9; client_bits <= 15; ++client_bits)
            for (unsigned flags = 0; flags < 4; ++flags)
                for (auto const& server : wishes) {
                    pc::deflate_terms const client{(flags & 1) != 0, (flags & 2) != 0, server_bits, client_bits};
                    auto const agreed = pc::choose_deflate(asks({pc::deflate_offer(client)}), server);
                    BOOST_REQUIRE(agreed.has_value());
                    auto const heard = pc::check_deflate_answer(says(pc::deflate_response(*agreed)), client);
                    BOOST_TEST(heard.legal);
                    BOOST_REQUIRE(heard.agreed.has_value());
                    BOOST_TEST(heard.agreed->server_max_window_bits == agreed->server_max_window_bits);
                    BOOST_TEST(heard.agreed->client_max_window_bits == agreed->client_max_window_bits);
                    BOOST_TEST(heard.agreed->server_no_context_takeover == agreed->server_no_context_takeover);
                    BOOST_TEST(heard.agreed->client_no_context_takeover == agreed->client_no_context_takeover);
                }
}

BOOST_AUTO_TEST_CASE(a_client_takes_every_answer_that_keeps_to_its_offer_and_no_other)  // §7.1
{
    with_each(false, [&](parameters const& answer) {
        for (auto const& terms : wishes) {
            int const server_bits = answer.server_bits == 0 ? 15 : answer.server_bits;
            bool const legal = (answer.server_forgets || !terms.server_no_context_takeover) &&
                               server_bits <= terms.server_max_window_bits && answer.client_bits <= terms.client_max_window_bits;
            auto const heard = pc::check_deflate_answer(says(answer.text()), terms);
            BOOST_TEST(heard.legal == legal, answer.text());
            if (!legal)
                continue;
            BOOST_REQUIRE(heard.agreed.has_value());
            BOOST_TEST(heard.agreed->server_no_context_takeover == answer.server_forgets);
            BOOST_TEST(heard.agreed->client_no_context_takeover == (answer.client_forgets || terms.client_no_context_takeover));
            BOOST_TEST(heard.agreed->server_max_window_bits == server_bits);
            BOOST_TEST(heard.agreed->client_max_window_bits ==
                       (answer.client_bits == 0 ? terms.client_max_window_bits : answer.client_bits));
        }
    });
}

BOOST_AUTO_TEST_CASE(an_answer_that_is_none_or_illegal_is_told_apart)  // §7.1
{
    auto const none = pc::check_deflate_answer(says(""), {});
    BOOST_TEST(none.legal);
    BOOST_TEST(!none.agreed);
    for (char const* const bad :
         {"permessage-deflate; client_max_window_bits", "permessage-deflate; server_max_window_bits",
          "permessage-deflate; server_max_window_bits=16", "permessage-deflate; server_max_window_bits=7",
          "permessage-deflate; x", "permessage-deflate; x=1", "permessage-deflate, permessage-deflate",
          "permessage-deflate, x, permessage-deflate; client_no_context_takeover",
          "permessage-deflate; client_no_context_takeover; client_no_context_takeover",
          "permessage-deflate; server_no_context_takeover=1", "permessage-deflate; client_max_window_bits=7",
          "permessage-deflate; server_max_window_bits=09",
          "permessage-deflate; client_max_window_bits=10; client_max_window_bits=10"})
        BOOST_TEST(!accepted(bad), bad);
}

BOOST_AUTO_TEST_SUITE_END()
