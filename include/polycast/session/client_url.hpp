#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace polycast::inline v0 {

/// Where a client connects to, and what it asks for there.
struct websocket_url {
    bool secure = false;
    bool local = false;       ///< `host` is the path of a Unix socket
    std::string host;         ///< without the brackets of an IPv6 address
    std::uint16_t port = 80;
    std::string authority;    ///< as the `Host` field names it
    std::string target = "/"; ///< path and query
};

/// An HTTP proxy, and who this client is to it.
struct proxy_url {
    std::string host;         ///< without the brackets of an IPv6 address
    std::uint16_t port = 80;
    std::string credentials;  ///< `user:password`, decoded; empty: none
};

namespace detail {

/// Reads `host[:port]` (RFC 3986 §3.2.2, §3.2.3). False if it is none, or the port is 0; without one it is left as it is.
[[nodiscard]] inline bool read_authority(std::string_view authority, std::string& host, std::uint16_t& port)
{
    bool const bracketed = authority.starts_with('[');
    std::size_t const close = bracketed ? authority.find(']') : authority.find(':');
    if (bracketed && close == std::string_view::npos)
        return false;
    host = bracketed ? authority.substr(1, close - 1) : authority.substr(0, close);
    std::string_view after = close == std::string_view::npos ? "" : authority.substr(close + (bracketed ? 1 : 0));
    if (host.empty() || (!after.empty() && (after.front() != ':' || after.size() > 6 || after.size() < 2)))
        return false;
    if (after.empty())
        return true;
    unsigned number = 0;
    for (char const digit : after.substr(1)) {
        if (digit < '0' || digit > '9')
            return false;
        number = number * 10 + static_cast<unsigned>(digit - '0');
    }
    port = static_cast<std::uint16_t>(number);
    return number != 0 && number <= 0xFFFF;
}

/// Nothing if a `%` is not followed by two hexadecimal digits (RFC 3986 §2.1).
[[nodiscard]] inline std::optional<std::string> percent_decoded(std::string_view text)
{
    auto const digit = [](char c) {
        return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
    };
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '%') {
            out += text[i];
            continue;
        }
        int const high = i + 2 < text.size() ? digit(text[i + 1]) : -1;
        int const low = high >= 0 ? digit(text[i + 2]) : -1;
        if (low < 0)
            return {};
        out += static_cast<char>(high * 16 + low);
        i += 2;
    }
    return out;
}

/// `ws+unix:/path/to/socket:/target?query`, or `ws+unix:@name:/target` for an abstract name.
[[nodiscard]] inline std::optional<websocket_url> parse_local_url(std::string_view rest)
{
    if (rest.starts_with("///"))
        rest.remove_prefix(2);  // an empty authority says nothing
    std::size_t const colon = rest.find(':');
    websocket_url parts{.local = true, .host = std::string(rest.substr(0, colon)), .port = 0, .authority = "localhost"};
    if ((!rest.starts_with('/') && !rest.starts_with('@')) || parts.host.size() < 2 || parts.host.starts_with("//"))
        return {};
    if (colon != std::string_view::npos && colon + 1 != rest.size())
        parts.target = rest.substr(colon + 1);
    if (parts.target.starts_with('?'))
        parts.target.insert(0, 1, '/');
    bool const legal = parts.target.starts_with('/') && parts.target.find_first_of("# ") == std::string::npos;
    return legal ? std::optional(std::move(parts)) : std::nullopt;
}

}  // namespace detail

/// Nothing if `url` is no WebSocket URI (RFC 6455 §3: `ws:`, `wss:`) nor one of a Unix socket, spelled as npm's `ws` has
/// it: `ws+unix:/path/to/socket:/target?query`. User information and a fragment are refused (RFC 6455 §3: "Fragment
/// identifiers are meaningless […] and MUST NOT be used").
[[nodiscard]] inline std::optional<websocket_url> parse_websocket_url(std::string_view url)
{
    websocket_url parts;
    if (url.starts_with("ws+unix:"))
        return detail::parse_local_url(url.substr(8));
    if (url.starts_with("wss://")) {
        parts.secure = true;
        parts.port = 443;
    } else if (!url.starts_with("ws://")) {
        return {};
    }
    url.remove_prefix(parts.secure ? 6 : 5);
    if (url.find_first_of("#@ ") != std::string_view::npos)
        return {};
    std::size_t const end = url.find_first_of("/?");
    parts.authority = url.substr(0, end);
    if (end != std::string_view::npos)
        parts.target = (url[end] == '?' ? "/" : "") + std::string(url.substr(end));
    if (!detail::read_authority(parts.authority, parts.host, parts.port))
        return {};
    return parts;
}

/// Nothing if `url` is not `http://[user[:password]@]host[:port]`, the port 80 if none is named. User and password are
/// percent-encoded where they hold what else would end them.
[[nodiscard]] inline std::optional<proxy_url> parse_proxy_url(std::string_view url)
{
    proxy_url parts;
    if (!url.starts_with("http://"))
        return {};
    url.remove_prefix(7);
    if (url.ends_with('/'))
        url.remove_suffix(1);
    if (url.find_first_of("/?# ") != std::string_view::npos)
        return {};
    if (std::size_t const at = url.find('@'); at != std::string_view::npos) {
        std::string_view const said = url.substr(0, at);
        url.remove_prefix(at + 1);
        std::size_t const colon = said.find(':');
        auto const user = detail::percent_decoded(said.substr(0, colon));
        auto const password = detail::percent_decoded(colon == std::string_view::npos ? "" : said.substr(colon + 1));
        // RFC 7617 §2: "a user-id containing a colon character is invalid".
        if (!user || !password || user->empty() || user->find(':') != std::string::npos)
            return {};
        parts.credentials = *user + ':' + *password;
    }
    if (url.find('@') != std::string_view::npos || !detail::read_authority(url, parts.host, parts.port))
        return {};
    return parts;
}

}  // namespace polycast::inline v0
