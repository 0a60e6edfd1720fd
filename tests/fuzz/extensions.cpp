// The grammar of Sec-WebSocket-Extensions (RFC 6455 §9.1), against a reader of another make; and what is made of an
// offer of permessage-deflate, or of the answer to one (RFC 7692 §7), against another reading of the rules.

#include <polycast/handshake/client_upgrade.hpp>
#include <polycast/handshake/deflate_offer.hpp>
#include <polycast/handshake/extension_grammar.hpp>
#include <polycast/handshake/request.hpp>

#include "fuzz.hpp"

#include <algorithm>
#include <map>
#include <optional>

namespace {

using namespace fuzz;

struct heard {
    std::vector<std::pair<char, std::string>> parts{};
    void extension(std::string_view text) { parts.emplace_back('e', text); }
    void parameter(std::string_view text) { parts.emplace_back('p', text); }
    void value(std::string_view text) { parts.emplace_back('v', text); }
};

/// Cuts the text into the tokens of RFC 9110 §5.6 first, then looks at their order.
struct reference {
    bool well_formed = false;
    heard told{};

    explicit reference(std::string_view text)
    {
        struct lexeme {
            char kind;  ///< t(oken), q(uoted), or the separator
            std::string text;
        };
        std::vector<lexeme> all;
        constexpr std::string_view separators = ",;=";
        for (std::size_t i = 0; i != text.size();) {
            char const c = text[i];
            if (c == ' ' || c == '\t') {
                ++i;
            } else if (separators.find(c) != std::string_view::npos) {
                all.push_back({c, {}});
                ++i;
            } else if (c == '"') {
                std::string unquoted;
                for (++i; i != text.size() && text[i] != '"'; ++i) {
                    if (text[i] == '\\' && ++i == text.size())
                        return;
                    unquoted += text[i];
                }
                if (i == text.size())
                    return;
                ++i;
                all.push_back({'q', unquoted});
            } else {
                std::string token;
                for (; i != text.size() && text[i] > ' ' && text[i] < 0x7F &&
                       std::string_view("()<>@,;:\\\"/[]?={}").find(text[i]) == std::string_view::npos;
                     ++i)
                    token += text[i];
                if (token.empty())
                    return;
                all.push_back({'t', token});
            }
        }
        all.push_back({',', {}});
        // Between commas: nothing, or token *( ";" token [ "=" ( token / quoted token ) ] ).
        for (std::size_t i = 0; i != all.size(); ++i) {
            if (all[i].kind == ',')
                continue;
            if (all[i].kind != 't')
                return;
            told.extension(all[i].text);
            for (++i; all[i].kind == ';'; ++i) {
                if (all[++i].kind != 't')
                    return;
                told.parameter(all[i].text);
                if (all[i + 1].kind != '=')
                    continue;
                i += 2;
                if (all[i].kind == 'q' ? !pc::detail::is_token(all[i].text) : all[i].kind != 't')
                    return;
                told.value(all[i].text);
            }
            if (all[i].kind != ',')
                return;
        }
        well_formed = !told.parts.empty();
    }
};

std::string written(heard const& told, bool quoted)
{
    std::string text;
    for (auto const& [kind, part] : told.parts) {
        if (kind == 'e')
            text += (text.empty() ? "" : " ,, ") + part;
        else if (kind == 'p')
            text += ";" + part;
        else if (!quoted)
            text += "=" + part;
        else {
            text += " = \"";
            for (char const c : part)
                text.append("\\", part.size() & 1).append(1, c);
            text += "\" ";
        }
    }
    return text;
}

pc::parsed_request in_request(std::string const& extensions)
{
    return pc::parse_request("GET / HTTP/1.1\r\nHost: h\r\nSec-WebSocket-Extensions: " + extensions + "\r\n\r\n");
}

/// A permessage-deflate element, as a list of names and values.
using element = std::vector<std::pair<std::string, std::optional<std::string>>>;

std::vector<element> deflate_elements(heard const& told)
{
    std::vector<element> all;
    bool ours = false;
    for (auto const& [kind, text] : told.parts) {
        if (kind == 'e') {
            if ((ours = pc::detail::iequal(text, "permessage-deflate")))
                all.emplace_back();
        } else if (ours && kind == 'p') {
            all.back().emplace_back(text, std::nullopt);
        } else if (ours) {
            all.back().back().second = text;
        }
    }
    return all;
}

/// RFC 7692 §7.1: known parameters, none twice, flags without a value, bits of 8 to 15 without leading zeros.
bool legal(element const& e, bool in_answer)
{
    static std::map<std::string, int> const bits{{"8", 8},   {"9", 9},   {"10", 10}, {"11", 11},
                                                 {"12", 12}, {"13", 13}, {"14", 14}, {"15", 15}};
    for (auto const& [name, value] : e) {
        if (std::ranges::count(e, name, [](auto const& p) { return p.first; }) != 1)
            return false;
        if (name == "server_no_context_takeover" || name == "client_no_context_takeover") {
            if (value)
                return false;
        } else if (name == "server_max_window_bits" || name == "client_max_window_bits") {
            if (value ? !bits.contains(*value) : in_answer || name.starts_with("server"))
                return false;
        } else {
            return false;
        }
    }
    return true;
}
bool has(element const& e, std::string_view name)
{
    return std::ranges::count(e, name, [](auto const& p) { return p.first; }) != 0;
}
/// The bits of a legal element; `otherwise` if it names none.
int bits(element const& e, std::string_view name, int otherwise)
{
    for (auto const& [found, value] : e)
        if (found == name && value)
            return std::stoi(*value);
    return otherwise;
}

/// A server takes the first offer that it can meet, and its answer is one that this offer allows.
void offered(pc::request const& asked, heard const& told, pc::deflate_terms const& terms)
{
    auto const all = deflate_elements(told);
    auto const first = std::ranges::find_if(
        all, [](element const& e) { return legal(e, false) && bits(e, "server_max_window_bits", 15) >= 9; });
    auto const chosen = pc::choose_deflate(asked, terms);
    FUZZ_REQUIRE(chosen.has_value() == (first != all.end()));
    if (!chosen)
        return;
    auto const text = pc::deflate_response(*chosen);
    heard answer;
    FUZZ_REQUIRE(pc::detail::extension_reader<heard>(text, answer).read());
    auto const elements = deflate_elements(answer);
    FUZZ_REQUIRE(elements.size() == 1 && legal(elements[0], true));
    element const &offer = *first, &said = elements[0];
    for (std::string_view const flag : {"server_no_context_takeover", "client_no_context_takeover"})
        FUZZ_REQUIRE(has(said, flag) || !has(offer, flag) || flag.starts_with("client"));
    FUZZ_REQUIRE(has(said, "server_no_context_takeover") == chosen->server_no_context_takeover);
    FUZZ_REQUIRE(chosen->server_no_context_takeover || !terms.server_no_context_takeover);
    FUZZ_REQUIRE(chosen->client_no_context_takeover || !terms.client_no_context_takeover);
    FUZZ_REQUIRE(has(said, "client_no_context_takeover") == chosen->client_no_context_takeover);
    // §7.1.2.1: an offer with the parameter is accepted by an answer with it, of the same or a smaller value.
    FUZZ_REQUIRE(has(said, "server_max_window_bits") || !has(offer, "server_max_window_bits"));
    FUZZ_REQUIRE(bits(said, "server_max_window_bits", 15) == chosen->server_max_window_bits);
    FUZZ_REQUIRE(chosen->server_max_window_bits >= 9 && chosen->server_max_window_bits <= terms.server_max_window_bits &&
                 chosen->server_max_window_bits <= bits(offer, "server_max_window_bits", 15));
    // §7.1.2.2: without the parameter in the offer it must not be in the answer.
    FUZZ_REQUIRE(!has(said, "client_max_window_bits") || has(offer, "client_max_window_bits"));
    FUZZ_REQUIRE(bits(said, "client_max_window_bits", 15) == chosen->client_max_window_bits);
    FUZZ_REQUIRE(chosen->client_max_window_bits >= 8 &&
                 chosen->client_max_window_bits <= bits(offer, "client_max_window_bits", 15));
    // Our own client, had it offered what the server's terms are, is content with what it is told.
    auto const own = in_request(pc::deflate_offer(terms));
    auto const ours = pc::choose_deflate(own.value, terms);
    FUZZ_REQUIRE(ours && own.status == pc::head_status::complete);
    auto const told_us = in_request(pc::deflate_response(*ours));
    FUZZ_REQUIRE(pc::check_deflate_answer(told_us.value, terms).legal);
}

/// The same list as an answer to our client, which offered `terms` and `client_max_window_bits`.
void answered(pc::request const& fields, heard const& told, pc::deflate_terms const& terms)
{
    auto const all = deflate_elements(told);
    auto const got = pc::check_deflate_answer(fields, terms);
    FUZZ_REQUIRE(!got.legal || got.agreed.has_value() == !all.empty());
    bool wanted = all.size() <= 1;
    if (wanted && !all.empty()) {
        element const& e = all[0];
        wanted = legal(e, true) && (has(e, "server_no_context_takeover") || !terms.server_no_context_takeover) &&
                 bits(e, "server_max_window_bits", 15) <= terms.server_max_window_bits &&
                 (!has(e, "client_max_window_bits") ||
                  bits(e, "client_max_window_bits", 15) <= terms.client_max_window_bits);
    }
    FUZZ_REQUIRE(got.legal == wanted);
    if (!wanted || all.empty())
        return;
    FUZZ_REQUIRE(got.agreed->server_max_window_bits == bits(all[0], "server_max_window_bits", 15));
    FUZZ_REQUIRE(got.agreed->client_max_window_bits <= terms.client_max_window_bits);
    FUZZ_REQUIRE(got.agreed->client_no_context_takeover || !has(all[0], "client_no_context_takeover"));
}

}  // namespace

FUZZ_TARGET(extensions)
{
    exact const bytes(in.rest());
    heard told;
    bool const well_formed = pc::detail::extension_reader<heard>(bytes.view(), told).read();
    reference const wanted(bytes.view());
    FUZZ_REQUIRE(well_formed == wanted.well_formed);
    FUZZ_REQUIRE(pc::detail::well_formed_extensions(bytes.view()) == well_formed);
    if (!well_formed)
        return;
    FUZZ_REQUIRE(told.parts == wanted.told.parts);
    for (bool const quoted : {false, true}) {
        heard again;
        std::string const text = written(told, quoted);
        FUZZ_REQUIRE(pc::detail::extension_reader<heard>(text, again).read() && again.parts == told.parts);
    }
    // A list in a request means the same.
    auto const asked = in_request(written(told, false));
    heard again;
    if (asked.status == pc::head_status::error)
        return FUZZ_REQUIRE(asked.http_status == 431);
    FUZZ_REQUIRE(pc::detail::read_extensions(asked.value, again) && again.parts == told.parts);
    for (pc::deflate_terms const& terms : {pc::deflate_terms{}, pc::deflate_terms{true, true, 15, 15},
                                           pc::deflate_terms{false, false, 10, 12}, pc::deflate_terms{true, false, 9, 9}}) {
        offered(asked.value, told, terms);
        answered(asked.value, told, terms);
    }
}
