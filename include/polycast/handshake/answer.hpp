#pragma once

#include <polycast/handshake/error.hpp>
#include <polycast/handshake/fields.hpp>
#include <polycast/handshake/head.hpp>

#include <cstddef>
#include <string_view>
#include <system_error>
#include <utility>

namespace polycast::inline v0 {

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
    switch (value.check_fields(scan.first_line, limits.max_fields)) {
    case response::fields_status::good: break;
    case response::fields_status::malformed: return fail(handshake_error::bad_response);
    case response::fields_status::too_many: return fail(handshake_error::head_too_large);
    }
    result.status = head_status::complete;
    result.consumed_bytes = scan.bytes;
    return result;
}

}  // namespace polycast::inline v0
