#pragma once

#include <polycast/handshake/fields.hpp>

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

namespace polycast::inline v0 {

/// A whole answer to a request that is no upgrade, or to one that is refused. The connection closes after it.
struct http_response {
    int status = 200;
    std::string content_type = "text/plain; charset=utf-8";
    std::string body{};
    header_list headers{};
};

/// The reason phrase of a status code (RFC 9110 §15).
[[nodiscard]] constexpr std::string_view status_text(int status) noexcept
{
    switch (status) {
    case 101: return "Switching Protocols";
    case 200: return "OK";
    case 201: return "Created";
    case 202: return "Accepted";
    case 204: return "No Content";
    case 301: return "Moved Permanently";
    case 302: return "Found";
    case 303: return "See Other";
    case 304: return "Not Modified";
    case 307: return "Temporary Redirect";
    case 308: return "Permanent Redirect";
    case 400: return "Bad Request";
    case 401: return "Unauthorized";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 408: return "Request Timeout";
    case 413: return "Content Too Large";
    case 414: return "URI Too Long";
    case 421: return "Misdirected Request";
    case 426: return "Upgrade Required";
    case 429: return "Too Many Requests";
    case 431: return "Request Header Fields Too Large";
    case 500: return "Internal Server Error";
    case 501: return "Not Implemented";
    case 503: return "Service Unavailable";
    case 505: return "HTTP Version Not Supported";
    default: return "";
    }
}

namespace detail {

/// A refusal with a line of text for a human.
[[nodiscard]] inline http_response refusal(int status, std::string_view text, header_list headers = {})
{
    http_response response{.status = status, .body = std::string(text), .headers = std::move(headers)};
    response.body += '\n';
    return response;
}

}  // namespace detail

/// The bytes of `response` (RFC 9112 §4), with `Content-Type`, `Content-Length` and `Connection: close`; fields of
/// `response.headers` by these names, or that are malformed, are left out. `head_only`: the answer to HEAD, which has
/// the length but not the body.
[[nodiscard]] inline std::string encode_response(http_response const& response, bool head_only = false)
{
    std::string out = "HTTP/1.1 " + std::to_string(response.status) + ' ';
    out.append(status_text(response.status)).append("\r\n");
    // RFC 9110 §6.4.1, §8.6: these have no content and 1xx and 204 no length either.
    bool const bodiless = response.status < 200 || response.status == 204 || response.status == 304;
    if (!bodiless) {
        detail::append_field(out, "Content-Type", response.content_type);
        detail::append_field(out, "Content-Length", std::to_string(response.body.size()));
    }
    // RFC 9110 §7.8: a sender of Upgrade names it as a connection option too.
    bool upgrade = false;
    for (auto const& [name, value] : response.headers) {
        bool const own = detail::iequal(name, "Content-Type") || detail::iequal(name, "Content-Length") ||
                         detail::iequal(name, "Connection") || detail::iequal(name, "Transfer-Encoding");
        if (!own)
            detail::append_field(out, name, value);
        upgrade |= detail::iequal(name, "Upgrade");
    }
    detail::append_field(out, "Connection", upgrade ? "Upgrade, close" : "close");
    out += "\r\n";
    if (!head_only && !bodiless)
        out += response.body;
    return out;
}

}  // namespace polycast::inline v0
