#pragma once

#include <polycast/handshake/error.hpp>
#include <polycast/handshake/fields.hpp>
#include <polycast/handshake/head.hpp>

#include <cstddef>
#include <string>
#include <string_view>
#include <system_error>
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

/// Appends `name: value`. Leaves out what would break the message apart (a name that is no token, a line end in a
/// value), so that no value can smuggle a field in.
inline void append_field(std::string& out, std::string_view name, std::string_view value)
{
    if (is_token(name) && is_field_value(value))
        out.append(name).append(": ").append(value).append("\r\n");
}

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

struct parsed_response;
[[nodiscard]] inline parsed_response parse_response(std::string_view bytes, head_limits const& limits = {});

/// The head of an HTTP/1.1 response, as a client reads it. Owns its bytes.
class response : public http_fields {
public:
    [[nodiscard]] int status() const noexcept { return status_; }

private:
    friend parsed_response parse_response(std::string_view, head_limits const&);
    int status_ = 0;
};

/// What `parse_response` made of the bytes; `error` is set if `status` says so.
struct parsed_response {
    head_status status = head_status::need_more;
    std::size_t consumed_bytes = 0;  ///< of the head; what follows it are the first frames, or the body of a refusal
    response value;
    std::error_code error;  ///< `bad_response` or `head_too_large`
};

/// Reads the response head at the front of `bytes`, all that has arrived on the connection (RFC 9112 §4, §5).
inline parsed_response parse_response(std::string_view bytes, head_limits const& limits)
{
    parsed_response result;
    auto const fail = [&](handshake_error e) {
        result.status = head_status::error;
        result.error = e;
        return std::move(result);
    };
    constexpr std::string_view version = "HTTP/1.1 ";
    detail::scanned_head const scan = detail::scan_head(bytes.substr(0, limits.max_head_bytes));
    if (scan.bare_line_feed || !version.starts_with(bytes.substr(0, version.size())))
        return fail(handshake_error::bad_response);
    if (scan.bytes == 0)
        return bytes.size() < limits.max_head_bytes ? std::move(result) : fail(handshake_error::head_too_large);
    // status-line = HTTP-version SP 3DIGIT SP [ reason-phrase ]; the last SP is often left out with the phrase.
    std::string_view const line = bytes.substr(0, scan.first_line);
    std::string_view const code = line.substr(version.size() < line.size() ? version.size() : line.size(), 3);
    bool const digits = code.size() == 3 && code.find_first_not_of("0123456789") == std::string_view::npos;
    std::string_view const after = line.substr(digits ? version.size() + 3 : line.size());
    if (!digits || (!after.empty() && after.front() != ' ') || !detail::is_field_value(after))
        return fail(handshake_error::bad_response);
    response& value = result.value;
    value.head_ = bytes.substr(0, scan.bytes);
    value.status_ = (code[0] - '0') * 100 + (code[1] - '0') * 10 + (code[2] - '0');
    bool too_many = false;
    bool const well_formed =
        detail::for_each_field_line(value.head_, scan.first_line, [&](std::string_view field, std::size_t at) {
            too_many = value.places_.size() == limits.max_fields;
            return !too_many && value.add_line(field, at);
        });
    if (!well_formed)
        return fail(too_many ? handshake_error::head_too_large : handshake_error::bad_response);
    result.status = head_status::complete;
    result.consumed_bytes = scan.bytes;
    return result;
}

}  // namespace polycast::inline v0
