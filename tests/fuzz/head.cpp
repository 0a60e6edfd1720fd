// Heads of requests and responses: the same verdict whatever the pieces, nothing accepted that does not survive being
// written and read again, no field smuggled in by what a client is configured with.

#include <polycast/handshake/answer.hpp>
#include <polycast/handshake/client_upgrade.hpp>
#include <polycast/handshake/request.hpp>
#include <polycast/handshake/response.hpp>
#include <polycast/handshake/tunnel.hpp>
#include <polycast/handshake/upgrade.hpp>
#include <polycast/session/client_options.hpp>

#include "fuzz.hpp"

#include <algorithm>
#include <array>
#include <optional>

namespace {

using namespace fuzz;

/// Parses growing prefixes until there is a verdict, each in memory of exactly its size.
template <class Parse>
auto in_pieces(std::string_view text, splitter cut, Parse parse)
{
    std::size_t arrived = 0;
    auto verdict = parse(std::string_view());
    while (verdict.status == pc::head_status::need_more && arrived != text.size()) {
        std::size_t const step = cut.next();
        arrived += step < text.size() - arrived ? step : text.size() - arrived;
        exact const prefix(text.substr(0, arrived));
        verdict = parse(prefix.view());
    }
    return verdict;
}

/// The fields, as they were read.
std::vector<std::pair<std::string, std::string>> fields_of(pc::http_fields const& head)
{
    std::vector<std::pair<std::string, std::string>> all;
    head.for_each_header([&](std::string_view name, std::string_view value) {
        FUZZ_REQUIRE(pc::detail::is_token(name) && pc::detail::is_field_value(value));
        FUZZ_REQUIRE(head.count(name) >= 1 && head.header(name).data() != nullptr);
        all.emplace_back(name, value);
    });
    return all;
}

void upgrade(pc::request const& asked)
{
    auto const checked = pc::check_upgrade(asked);
    if (!checked.accepted()) {
        auto const wire = pc::encode_response(checked.refusal);
        auto const read = pc::parse_response(wire);
        FUZZ_REQUIRE(read.status == pc::head_status::complete && read.value.status() == checked.refusal.status);
        FUZZ_REQUIRE(read.value.header("Content-Length") == std::to_string(wire.size() - read.consumed_bytes));
        return;
    }
    FUZZ_REQUIRE(asked.method() == "GET" && asked.header("Sec-WebSocket-Version") == "13" && !asked.has_body());
    FUZZ_REQUIRE(asked.count("Sec-WebSocket-Key") == 1 && asked.header("Sec-WebSocket-Key").size() == 24);
    std::vector<std::string> offered;
    asked.for_each_element("Sec-WebSocket-Protocol", [&](std::string_view one) { offered.emplace_back(one); });
    static constexpr std::array<std::string_view, 4> preferred{"polycast.v1.json.zstd", "polycast.v1.json",
                                                               "bearer.YQ", "chat"};
    auto const chosen = pc::choose_subprotocol(preferred, asked);
    FUZZ_REQUIRE(!chosen.starts_with("bearer."));
    for (std::string_view const token : preferred) {
        bool const was_offered = pc::detail::count_of(offered, token) == 1;
        FUZZ_REQUIRE(pc::detail::count_of(offered, token) <= 1);
        if (token == chosen)
            FUZZ_REQUIRE(was_offered);
        if (token == chosen || chosen.empty())
            FUZZ_REQUIRE(token == chosen || !was_offered || token.starts_with("bearer."));
        if (token == chosen)
            break;
    }
    if (auto const token = pc::bearer_token(asked)) {
        bool any = false;
        for (auto const& one : offered)
            any = any || one.starts_with("bearer.");
        FUZZ_REQUIRE(any);
    }
    // The client that asked so is content with the answer.
    auto const answer = pc::parse_response(pc::switching_response(checked.accept, chosen));
    FUZZ_REQUIRE(answer.status == pc::head_status::complete && answer.value.status() == 101);
    pc::client_offer offer;
    offer.host = "h";
    offer.subprotocols = offered;
    asked.header("Sec-WebSocket-Key").copy(offer.key.data(), offer.key.size());
    FUZZ_REQUIRE(!pc::verify_response(answer.value, offer));
}

void request(std::string_view text, splitter cut, pc::head_limits const& limits)
{
    exact const bytes(text);
    auto const whole = pc::parse_request(bytes.view(), limits);
    auto const pieces = in_pieces(text, cut, [&](std::string_view head) { return pc::parse_request(head, limits); });
    FUZZ_REQUIRE(pieces.status == whole.status && pieces.http_status == whole.http_status &&
                 pieces.consumed_bytes == whole.consumed_bytes);
    FUZZ_REQUIRE((whole.status == pc::head_status::error) == (whole.http_status != 0));
    if (whole.status == pc::head_status::need_more)
        FUZZ_REQUIRE(text.size() < limits.max_head_bytes + 2);
    if (whole.status != pc::head_status::complete)
        return;
    pc::request const& asked = whole.value;
    FUZZ_REQUIRE(whole.consumed_bytes <= text.size() && whole.consumed_bytes <= limits.max_head_bytes + 2);
    FUZZ_REQUIRE(pc::detail::is_token(asked.method()) && pc::detail::is_host(asked.host()) &&
                 pc::detail::is_target(asked.target()) && asked.path().starts_with('/'));
    auto const fields = fields_of(asked);
    FUZZ_REQUIRE(fields.size() <= limits.max_fields);
    for (std::string_view name : {"a", "user", "token", ""})
        if (auto const found = asked.query(name))
            FUZZ_REQUIRE(found->size() <= asked.query_string().size());
    // Written as it was read, it reads the same.
    std::string again = std::string(asked.method()) + " " + std::string(asked.target()) + " HTTP/1.1\r\n";
    for (auto const& [name, value] : fields)
        again += name + ":" + value + "\r\n";
    auto const reread = pc::parse_request(again += "\r\n", limits);
    FUZZ_REQUIRE(reread.status == pc::head_status::complete && fields_of(reread.value) == fields);
    FUZZ_REQUIRE(reread.value.path() == asked.path() && reread.value.query_string() == asked.query_string() &&
                 reread.value.host() == asked.host() && reread.value.has_body() == asked.has_body());
    upgrade(asked);
}

/// What a proxy says before the tunnel is there: the bytes behind it are left alone, however they come.
void tunnel(std::string_view text, splitter cut)
{
    std::string whole(text), arrived;
    auto const wanted = pc::read_tunnel_answer(whole);
    pc::tunnel_answer got;
    std::size_t fed = 0;
    while (got.status == pc::head_status::need_more && fed != text.size()) {
        auto const piece = text.substr(fed, cut.next());
        fed += piece.size();
        arrived += piece;
        got = pc::read_tunnel_answer(arrived);
    }
    FUZZ_REQUIRE(got.status == wanted.status && got.error == wanted.error);
    FUZZ_REQUIRE((got.status == pc::head_status::error) == bool(got.error));
    if (got.status == pc::head_status::complete)
        FUZZ_REQUIRE(arrived + std::string(text.substr(fed)) == whole);
}

void response(std::string_view text, splitter cut, pc::head_limits const& limits)
{
    exact const bytes(text);
    auto const whole = pc::parse_response(bytes.view(), limits);
    auto const pieces = in_pieces(text, cut, [&](std::string_view head) { return pc::parse_response(head, limits); });
    FUZZ_REQUIRE(pieces.status == whole.status && pieces.error == whole.error &&
                 pieces.consumed_bytes == whole.consumed_bytes);
    FUZZ_REQUIRE((whole.status == pc::head_status::error) == bool(whole.error));
    if (whole.status != pc::head_status::complete)
        return;
    FUZZ_REQUIRE(whole.consumed_bytes <= text.size() && whole.consumed_bytes <= limits.max_head_bytes);
    FUZZ_REQUIRE(fields_of(whole.value).size() <= limits.max_fields);
    pc::client_offer offer;
    offer.subprotocols = {"chat", "polycast.v1.json"};
    offer.extensions = "permessage-deflate";
    std::string_view("dGhlIHNhbXBsZSBub25jZQ==").copy(offer.key.data(), offer.key.size());
    if (pc::verify_response(whole.value, offer))
        return;
    FUZZ_REQUIRE(whole.value.status() == 101);
    FUZZ_REQUIRE(whole.value.header("Sec-WebSocket-Accept") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    auto const token = whole.value.header("Sec-WebSocket-Protocol");
    FUZZ_REQUIRE(token.empty() || token == "chat" || token == "polycast.v1.json");
}

/// Lines of the data are what a program gives to the client: address, subprotocol, field names and values.
void client(std::string_view text)
{
    auto const next = [&] {
        std::size_t const end = text.find('\n');
        std::string_view const line = text.substr(0, end);
        text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
        return std::string(line);
    };
    auto const url = pc::parse_websocket_url(next());
    pc::client_offer offer;
    offer.host = "h";
    if (url) {
        FUZZ_REQUIRE(!url->host.empty() && (url->port == 0) == url->local && url->target.starts_with('/'));
        offer.host = url->authority;
        offer.target = url->target;
    }
    std::string_view("dGhlIHNhbXBsZSBub25jZQ==").copy(offer.key.data(), offer.key.size());
    if (auto token = next(); !token.empty())
        offer.subprotocols.push_back(token);
    offer.extensions = next();
    if (auto const proxy = pc::parse_proxy_url(next())) {
        FUZZ_REQUIRE(!proxy->host.empty() && proxy->port != 0);
        auto const asked = pc::make_tunnel_request(proxy->host, proxy->port, proxy->credentials);
        // A line, a `Host`, and the credentials: whatever they are, nothing else is smuggled in.
        auto const lines = std::ranges::count(asked, '\n');
        FUZZ_REQUIRE(asked.empty() || lines == (proxy->credentials.empty() ? 3 : 4));
    }
    while (!text.empty() && offer.headers.size() < 8) {
        auto name = next();
        offer.headers.push_back({name, next()});
    }
    std::string wire;
    if (pc::make_request(offer, wire))
        return;
    auto const read = pc::parse_request(wire);
    if (read.status == pc::head_status::error && wire.size() > pc::head_limits{}.max_head_bytes)
        return;
    // What our client sends, our server understands as it was meant; but a field may not be repeated that must be single.
    if (read.status == pc::head_status::error) {
        FUZZ_REQUIRE(read.text == "a field that must be single is repeated" && offer.headers.size() > 1);
        return;
    }
    FUZZ_REQUIRE(read.status == pc::head_status::complete && read.consumed_bytes == wire.size());
    FUZZ_REQUIRE(read.value.host() == offer.host && read.value.target() == offer.target);
    auto const fields = fields_of(read.value);
    std::size_t const own = 5 + (offer.subprotocols.empty() ? 0 : 1) + (offer.extensions.empty() ? 0 : 1);
    FUZZ_REQUIRE(fields.size() == own + offer.headers.size());
    for (std::size_t i = 0; i != offer.headers.size(); ++i)
        FUZZ_REQUIRE(fields[own + i].first == offer.headers[i].name &&
                     fields[own + i].second == pc::detail::trim(offer.headers[i].value));
    FUZZ_REQUIRE(pc::check_upgrade(read.value).accepted());
}

}  // namespace

FUZZ_TARGET(head)
{
    auto const flags = in.byte();
    splitter const cut(in);
    pc::head_limits const limits = (flags & 4) != 0 ? pc::head_limits{256, 6} : pc::head_limits{};
    switch (flags & 3) {
    case 0:
        tunnel(in.rest(), cut);
        return response(in.rest(), cut, limits);
    case 1: return client(in.rest());
    default: return request(in.rest(), cut, limits);
    }
}
