#pragma once

#include <polycast/handshake/fields.hpp>
#include <polycast/handshake/head.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace polycast::inline v0 {

struct parsed_request;
[[nodiscard]] inline parsed_request parse_request(std::string_view bytes, head_limits const& limits = {});

/// The head of an HTTP/1.1 request. Owns its bytes; views of them live as long as it does and is not assigned or moved.
class request : public http_fields {
public:
    [[nodiscard]] std::string_view method() const noexcept { return view(method_); }
    /// As it stands in the request line.
    [[nodiscard]] std::string_view target() const noexcept { return view(target_); }
    /// The part of the target before `?`, not decoded; begins with `/`.
    [[nodiscard]] std::string_view path() const noexcept { return path_.bytes == 0 ? "/" : view(path_); }
    /// The part after `?`, not decoded.
    [[nodiscard]] std::string_view query_string() const noexcept { return view(query_); }
    /// The host, and the port if it is named. RFC 9112 §3.2.2: that of an absolute target replaces the `Host` field.
    [[nodiscard]] std::string_view host() const noexcept
    {
        return authority_.bytes == 0 ? header("Host") : view(authority_);
    }
    /// Whether a body follows the head. The library reads none.
    [[nodiscard]] bool has_body() const noexcept
    {
        std::string_view const length = header("Content-Length");
        return count("Transfer-Encoding") != 0 || length.find_first_not_of('0') != std::string_view::npos;
    }

    /// The value of the first query parameter of that name, decoded (`%XX`, and `+` for a space). A `%` that two hex
    /// digits do not follow stands for itself. Empty optional: there is no such parameter.
    [[nodiscard]] std::optional<std::string> query(std::string_view name) const
    {
        for (std::string_view rest = query_string(); !rest.empty();) {
            std::size_t const end = rest.find('&');
            std::string_view const pair = rest.substr(0, end);
            rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
            std::size_t const equals = pair.find('=');
            if (decode(pair.substr(0, equals)) == name)
                return equals == std::string_view::npos ? std::string{} : decode(pair.substr(equals + 1));
        }
        return {};
    }

private:
    friend parsed_request parse_request(std::string_view, head_limits const&);

    struct part {
        std::uint32_t at = 0, bytes = 0;
    };

    [[nodiscard]] std::string_view view(part where) const noexcept
    {
        return std::string_view(head_).substr(where.at, where.bytes);
    }

    [[nodiscard]] static std::string decode(std::string_view text)
    {
        auto const digit = [](char c) {
            c = detail::lower(c);
            return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
        };
        std::string out;
        for (std::size_t i = 0; i != text.size(); ++i) {
            if (text[i] == '%' && i + 2 < text.size() && digit(text[i + 1]) >= 0 && digit(text[i + 2]) >= 0) {
                out += static_cast<char>(static_cast<unsigned char>(digit(text[i + 1]) * 16 + digit(text[i + 2])));
                i += 2;
            } else {
                out += text[i] == '+' ? ' ' : text[i];
            }
        }
        return out;
    }

    /// Takes the request line apart (RFC 9112 §3). Returns the status to refuse it with, or 0.
    [[nodiscard]] int read_request_line(std::size_t line_bytes)
    {
        std::string_view const line = std::string_view(head_).substr(0, line_bytes);
        std::size_t const first = line.find(' ');
        std::size_t const last = line.rfind(' ');
        if (first == std::string_view::npos || last == first || !detail::is_token(line.substr(0, first)))
            return 400;
        std::string_view const version = line.substr(last + 1);
        auto const is_digit = [](char c) { return c >= '0' && c <= '9'; };
        if (version.size() != 8 || !version.starts_with("HTTP/") || !is_digit(version[5]) || version[6] != '.' ||
            !is_digit(version[7]))
            return 400;
        // RFC 6455 §4.1 wants 1.1 at least; RFC 9110 §2.5: a higher minor version is read as 1.1.
        if (version[5] != '1' || version[7] == '0')
            return 505;
        std::string_view const target = line.substr(first + 1, last - first - 1);
        if (!detail::is_target(target))
            return 400;
        std::size_t path = first + 1;
        if (target == "*" && line.substr(0, first) == "OPTIONS") {
            ++path;  // RFC 9112 §3.2.4: the server as a whole; it has no path
        } else if (target.front() != '/') {
            // RFC 9112 §3.2.2: a server MUST accept the absolute form.
            std::size_t const scheme = target.find("://");
            if (scheme == std::string_view::npos)
                return 400;
            std::string_view const name = target.substr(0, scheme);
            if (!detail::iequal(name, "http") && !detail::iequal(name, "https") && !detail::iequal(name, "ws") &&
                !detail::iequal(name, "wss"))
                return 400;
            std::string_view const rest = target.substr(scheme + 3);
            std::string_view const authority = rest.substr(0, rest.find_first_of("/?"));
            if (!detail::is_host(authority))
                return 400;
            authority_ = between(first + 1 + scheme + 3, authority.size());
            path += scheme + 3 + authority.size();
        }
        std::size_t const mark = line.substr(0, last).find('?', path);
        method_ = between(0, first);
        target_ = between(first + 1, target.size());
        path_ = between(path, (mark == std::string_view::npos ? last : mark) - path);
        query_ = mark == std::string_view::npos ? part{} : between(mark + 1, last - mark - 1);
        return 0;
    }

    static part between(std::size_t at, std::size_t bytes) noexcept
    {
        return {static_cast<std::uint32_t>(at), static_cast<std::uint32_t>(bytes)};
    }

    part method_, target_, path_, query_, authority_;
};

/// What `parse_request` made of the bytes. On `error`, `http_status` and `text` say how to refuse.
struct parsed_request {
    head_status status = head_status::need_more;
    std::size_t consumed_bytes = 0;  ///< of the head; what follows it are the first frames
    request value;
    int http_status = 0;
    std::string_view text;
};

/// Reads the request head at the front of `bytes`, all that has arrived on the connection. Strict where RFC 9112 lets
/// it be: line ends are CR LF, no folding, no white space before a colon, exactly one `Host`, and no field twice that
/// must not be. Bytes that cannot begin a request are refused at once. Copies the head once it is whole.
inline parsed_request parse_request(std::string_view bytes, head_limits const& limits)
{
    parsed_request result;
    auto const refuse = [&](int status, std::string_view text) {
        result.status = head_status::error;
        result.http_status = status;
        result.text = text;
        return std::move(result);
    };
    // RFC 9112 §2.2: a server SHOULD ignore an empty line before the request line.
    std::size_t const skipped = bytes.starts_with("\r\n") ? 2 : 0;
    bytes.remove_prefix(skipped);
    // What lies beyond the limit changes nothing, however much of it has arrived.
    std::string_view const seen = bytes.substr(0, limits.max_head_bytes);
    detail::scanned_head const scan = detail::scan_head(seen);
    if (scan.bare_line_feed)
        return refuse(400, "a line does not end in CR LF");
    if (scan.bytes == 0) {
        // Another protocol on this port, TLS above all, is refused without waiting for a line end that may not come.
        std::string_view const method = seen.substr(0, seen.find(' '));
        if (!method.empty() && seen != "\r" && !detail::is_token(method))
            return refuse(400, "not HTTP");
        if (bytes.size() < limits.max_head_bytes)
            return result;
        return scan.first_line == 0 ? refuse(414, "the target is too long") : refuse(431, "the head is too large");
    }
    request& value = result.value;
    value.head_ = bytes.substr(0, scan.bytes);
    if (int const status = value.read_request_line(scan.first_line))
        return refuse(status, status == 505 ? "only HTTP/1.1 is spoken here" : "malformed request line");
    switch (value.check_fields(scan.first_line, limits.max_fields)) {
    case request::fields_status::good: break;
    case request::fields_status::malformed: return refuse(400, "malformed field");
    case request::fields_status::too_many: return refuse(431, "too many fields");
    }
    // RFC 9112 §3.2: "A server MUST respond with a 400 to any request that lacks a Host or has more than one."
    if (value.count("Host") != 1 || !detail::is_host(value.header("Host")))
        return refuse(400, "there must be one valid Host");
    for (std::string_view const name : {"Content-Length", "Content-Type", "Origin", "Authorization", "Cookie",
                                        "Sec-WebSocket-Key", "Sec-WebSocket-Version"})
        if (value.count(name) > 1)
            return refuse(400, "a field that must be single is repeated");
    // RFC 9112 §6.3: a length that is no number, or one beside a transfer coding, is how requests are smuggled.
    std::string_view const length = value.header("Content-Length");
    if (value.count("Content-Length") != 0 &&
        (length.empty() || length.find_first_not_of("0123456789") != std::string_view::npos ||
         value.count("Transfer-Encoding") != 0))
        return refuse(400, "ambiguous length");
    result.status = head_status::complete;
    result.consumed_bytes = skipped + scan.bytes;
    return result;
}

}  // namespace polycast::inline v0
