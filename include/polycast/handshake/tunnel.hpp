#pragma once

#include <polycast/detail/base64.hpp>
#include <polycast/handshake/answer.hpp>
#include <polycast/handshake/error.hpp>

#include <cstdint>
#include <string>
#include <string_view>
#include <system_error>

namespace polycast::inline v0 {

/// Asks an HTTP proxy for a tunnel to `host`, a name or an address without brackets (RFC 9110 §9.3.6, the target in
/// authority-form: RFC 9112 §3.2.3). `credentials` are `user:password` (RFC 7617); empty: none. Empty if `host` cannot
/// stand in a request.
[[nodiscard]] inline std::string make_tunnel_request(std::string_view host, std::uint16_t port,
                                                     std::string_view credentials)
{
    std::string authority(host);
    if (host.find(':') != std::string_view::npos)
        authority = '[' + authority + ']';
    authority += ':' + std::to_string(port);
    if (!detail::is_host(authority))
        return {};
    std::string out = "CONNECT " + authority + " HTTP/1.1\r\n";
    detail::append_field(out, "Host", authority);
    if (!credentials.empty())
        detail::append_field(out, "Proxy-Authorization", "Basic " + detail::base64_encode(credentials));
    return out += "\r\n";
}

struct tunnel_answer {
    head_status status = head_status::need_more;
    std::error_code error;  ///< `unauthorized`, `proxy_refused` or `bad_proxy_response`
};

/// Reads what a proxy answered, and takes it from the front of `bytes`: what is left is the server's.
[[nodiscard]] inline tunnel_answer read_tunnel_answer(std::string& bytes)
{
    for (;;) {
        // RFC 9112 §2.3: the lower minor version changes nothing in a head, and many proxies still say 1.0.
        if (bytes.starts_with("HTTP/1.0"))
            bytes[7] = '1';
        parsed_response const answer = parse_response(bytes);
        if (answer.status == head_status::need_more)
            return {};
        if (answer.status == head_status::error)
            return {head_status::error, handshake_error::bad_proxy_response};
        // RFC 9110 §9.3.6: whatever fields say so, a 2xx answer to CONNECT has no content.
        bytes.erase(0, answer.consumed_bytes);
        int const status = answer.value.status();
        if (status >= 200 && status < 300)
            return {head_status::complete, {}};
        if (status == 407)
            return {head_status::error, handshake_error::unauthorized};
        if (status < 100 || status == 101 || status >= 200)
            return {head_status::error, handshake_error::proxy_refused};
        // RFC 9110 §15.2: "A client MUST be able to parse one or more 1xx responses received prior to a final response".
    }
}

}  // namespace polycast::inline v0
