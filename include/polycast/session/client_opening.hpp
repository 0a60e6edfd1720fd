#pragma once

#include <polycast/handshake/client_upgrade.hpp>
#include <polycast/handshake/tunnel.hpp>
#include <polycast/session/client_codec.hpp>
#include <polycast/session/client_options.hpp>
#include <polycast/session/tokens.hpp>
#include <polycast/transport/policy.hpp>

#include <array>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

namespace polycast::inline v0::detail {

/// An attempt of a client, from nothing to the server's 101: connect, where there is a proxy have it open a tunnel, where
/// the transport is secure begin TLS, ask for the upgrade, judge the answer. `client_attempts` keeps the deadline of it all.
template <class Link>
class client_opening {
public:
    explicit client_opening(Link& link)
        : link_(link), proxy_(parse_proxy_url(link.options_.proxy)), connector_(link.loop_)
    {
    }

    /// Why there is no point in an attempt.
    [[nodiscard]] std::error_code impossible() const noexcept
    {
        auto const& url = link_.url_;
        if (!url)
            return handshake_error::bad_request;
        if (url->secure != transport::secure || url->local != polycast::transport::names_paths<transport> ||
            (url->local && proxy_))
            return handshake_error::scheme_mismatch;
        return {};
    }
    [[nodiscard]] std::optional<proxy_url> const& proxy() const noexcept { return proxy_; }
    void begin()
    {
        head_.clear();
        tunnelling_ = proxy_.has_value();
        connector_.connect(proxy_ ? polycast::transport::endpoint{proxy_->host, proxy_->port}
                                  : polycast::transport::endpoint{link_.url_->host, link_.url_->port},
                           link_.bound([](Link& self, std::error_code ec, stream&& connected) {
                               self.attempts_.opening().connected(ec, std::move(connected));
                           }));
    }
    void cancel()
    {
        connector_.cancel();
        head_.clear();
    }
    /// What came before the server let us in.
    void receive(std::span<char> bytes)
    {
        head_.append(bytes.data(), bytes.size());
        if (tunnelling_) {
            tunnel_answered();
            if (tunnelling_ || !link_.stream_ || head_.empty())
                return;
        }
        upgrade_answered();
    }
    void dropped(std::error_code ec)
    {
        link_.attempts_.failed(tunnelling_ ? make_error_code(handshake_error::bad_proxy_response) : ec);
    }

private:
    using transport = typename Link::transport;
    using stream = typename Link::stream;

    void connected(std::error_code ec, stream&& connected)
    {
        if (ec)
            return link_.attempts_.failed(ec);
        link_.stream_.emplace(std::move(connected));
        link_.phase_ = Link::phase::upgrading;
        if (tunnelling_)
            ask_for_tunnel();
        else
            ask_for_upgrade();
        if (link_.stream_)
            link_.reading_.wait();
    }
    void ask_for_tunnel()
    {
        std::string const request = make_tunnel_request(link_.url_->host, link_.url_->port, proxy_->credentials);
        if (request.empty())
            return link_.attempts_.give_up(handshake_error::bad_request);
        link_.output_.handshake(request);
    }
    void tunnel_answered()
    {
        tunnel_answer answer = read_tunnel_answer(head_);
        if (answer.status == head_status::need_more)
            return;
        // A proxy that agrees before it has heard all, or says something where a TLS server would wait, is none.
        if (!answer.error && (!link_.output_.idle() || (transport::secure && !head_.empty())))
            answer.error = handshake_error::bad_proxy_response;
        if (answer.error)
            return failed(answer.error);
        tunnelling_ = false;
        ask_for_upgrade();
    }
    void ask_for_upgrade()
    {
        if constexpr (transport::secure)
            link_.stream_->secure(link_.url_->host);
        offer_ = {};
        offer_.host = link_.url_->authority;
        offer_.target = link_.url_->target;
        offer_.key = fresh_key();
        offer_.subprotocols.assign(Link::tokens.begin(), Link::tokens.end());
        offer_.extensions = Link::codec::offer();
        offer_.headers = link_.options_.headers;
        if (!link_.options_.token.empty())
            offer_.headers.push_back({"Authorization", "Bearer " + link_.options_.token});
        std::string request;
        if (std::error_code const ec = make_request(offer_, request))
            return link_.attempts_.give_up(ec);
        link_.output_.handshake(request);
    }
    void upgrade_answered()
    {
        parsed_response answer = parse_response(head_);
        // RFC 9110 §15.2: "A client MUST be able to parse one or more 1xx responses received prior to a final response".
        while (answer.status == head_status::complete && answer.value.status() < 200 && answer.value.status() >= 100 &&
               answer.value.status() != 101) {
            head_.erase(0, answer.consumed_bytes);
            answer = parse_response(head_);
        }
        if (answer.status == head_status::need_more)
            return;
        std::error_code ec = answer.error;
        if (answer.status == head_status::complete)
            ec = verify_response(answer.value, offer_);
        if (!ec)
            ec = link_.codec_.agree(answer.value);
        if (ec)
            return failed(ec);
        std::string frames = std::exchange(head_, {}).substr(answer.consumed_bytes);
        link_.opened(answer.value);
        if (!frames.empty())
            link_.reading_.frames(frames);
    }
    void failed(std::error_code ec)
    {
        // Asking again with the same credentials would be answered the same.
        if (ec == handshake_error::unauthorized || ec == handshake_error::forbidden)
            link_.attempts_.give_up(ec);
        else
            link_.attempts_.failed(ec);
    }
    [[nodiscard]] websocket_key fresh_key()
    {
        std::array<char, 16> nonce;
        for (std::size_t i = 0; i < nonce.size(); i += 8) {
            std::uint64_t const word = link_.loop_.random();
            std::memcpy(nonce.data() + i, &word, 8);
        }
        return make_websocket_key(nonce);
    }

    Link& link_;
    std::optional<proxy_url> const proxy_;
    typename transport::connector connector_;
    client_offer offer_;
    std::string head_;  ///< what came so far, and is not judged yet
    bool tunnelling_ = false;
};

}  // namespace polycast::inline v0::detail
