#pragma once

#include <polycast/guard/policy.hpp>
#include <polycast/handshake/request.hpp>
#include <polycast/handshake/response.hpp>
#include <polycast/handshake/upgrade.hpp>
#include <polycast/outbox/encode.hpp>
#include <polycast/session/directory.hpp>
#include <polycast/session/hooks.hpp>
#include <polycast/session/keepalive.hpp>
#include <polycast/session/session.hpp>
#include <polycast/session/tokens.hpp>

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace polycast::inline v0::detail {

/// From the first byte to `opened`: the request, the guard, who it is, the caps, the answer.
template <class Shard>
struct opening {
    using session_type = typename Shard::session_type;
    using app_type = typename Shard::app_type;
    using C = typename Shard::composition_type;

    /// Takes bytes until the head is whole; returns those behind it, which are frames already.
    static std::span<char> receive(Shard& shard, session_type& s, std::span<char> bytes)
    {
        std::string_view head(bytes.data(), bytes.size());
        std::size_t const before = s.head_ ? s.head_->size() : 0;
        if (s.head_) {
            s.head_->append(head);
            head = *s.head_;
        }
        auto const parsed = parse_request(head);
        if (parsed.status == head_status::need_more) {
            if (!s.head_)
                s.head_ = std::make_unique<std::string>(head);
            return {};
        }
        s.head_.reset();
        if (parsed.status == head_status::error) {
            refuse(shard, s, refusal(parsed.http_status, parsed.text));
            return {};
        }
        if (!is_upgrade(parsed.value)) {
            serve(shard, s, parsed.value);
            return {};
        }
        upgrade(shard, s, parsed.value);
        return bytes.subspan(parsed.consumed_bytes - before);
    }

    /// The head did not come in time.
    static void too_slow(Shard& shard, session_type& s)
    {
        refuse(shard, s, refusal(408, "the request did not arrive in time"));
    }

    /// From here on the session receives events.
    static void begin(Shard& shard, session_type& s)
    {
        keepalive<Shard>::begin(shard, s);
        s.opened_at_ = shard.now();
        auto const waited = shard.admitted(s);
        if constexpr (C::delivery::resumes)
            for (auto const& [frame, urgent] : waited)
                static_cast<void>(shard.out().enqueue(s, frame, urgent));
        if constexpr (has_opened<app_type, session_type>)
            if (!shard.guarded([&] { shard.app().opened(s); }))
                shard.ends().close(s, close_code::internal_error, "the session could not be opened");
    }

private:
    static void refuse(Shard& shard, session_type& s, http_response const& response, bool head_only = false)
    {
        shard.observe().count(metric::refused, 1);
        answer(shard, s, response, head_only);
    }
    static void answer(Shard& shard, session_type& s, http_response const& response, bool head_only)
    {
        shard.ends().drain_out(s);
        shard.out().control(s, encode_response(response, head_only));
    }

    /// A plain HTTP request on the same port.
    static void serve(Shard& shard, session_type& s, request const& asked)
    {
        bool const head_only = asked.method() == "HEAD";
        if (!head_only && asked.method() != "GET")
            return answer(shard, s, refusal(405, "only GET and HEAD", {{"Allow", "GET, HEAD"}}), false);
        if constexpr (has_dictionary<typename C::compression>)
            if (auto const dictionary = shard.codec().dictionary();
                !dictionary.id.empty() && asked.path() == dictionary_path(dictionary.id))
                return answer(shard, s,
                              {.status = 200,
                               .content_type = "application/octet-stream",
                               .body = std::string(dictionary.bytes),
                               .headers = {{"Cache-Control", "public, max-age=31536000, immutable"}}},
                              head_only);
        if constexpr (has_http<app_type>) {
            http_response response;
            if (!shard.guarded([&] { response = shard.app().http(asked); }))
                response = refusal(500, "internal error");
            answer(shard, s, response, head_only);
        } else {
            answer(shard, s, refusal(404, "nothing is served here but WebSocket"), head_only);
        }
    }

    static void upgrade(Shard& shard, session_type& s, request const& asked)
    {
        auto const checked = check_upgrade(asked);
        if (!checked.accepted())  // RFC 9110 §9.3.2: what answers HEAD has no body
            return refuse(shard, s, checked.refusal, asked.method() == "HEAD");
        verdict v;
        if (!shard.guarded([&] { v = shard.guard().admit(asked); }))
            return refuse(shard, s, refusal(503, "who may connect cannot be told now"));
        if (!v.admitted)
            return refuse(shard, s, refusal(v.status, v.reason));
        identity who;
        if constexpr (has_identify<app_type> || has_identify_by_name<app_type>) {
            if (!shard.guarded([&] { who = identify(shard, s, asked); }))
                return refuse(shard, s, refusal(500, "internal error"));
            if (!who.admitted)
                return refuse(shard, s, refusal(who.status, who.reason));
        }
        static constexpr auto tokens = subprotocols<typename C::serializer, typename C::compression>;
        auto const token = choose_subprotocol(tokens, asked);
        s.plain_ = token.empty();
        s.profile_ = form_of_token<typename C::serializer, typename C::compression>(token);
        std::string const extensions = s.profile_ == plain_profile ? agree_on_extension(shard, s, asked) : std::string();
        shard.out().direct().append(switching_response(checked.accept, token, extensions));
        admit(shard, s, std::move(who.user));
    }

    [[nodiscard]] static identity identify(Shard& shard, [[maybe_unused]] session_type& s, request const& asked)
    {
        if constexpr (!has_identify_by_name<app_type>)
            return shard.app().identify(asked);
        else if constexpr (C::transport::secure)
            return shard.app().identify(asked, s.peer_name());
        else
            return shard.app().identify(asked, std::string_view());
    }

    /// permessage-deflate (RFC 7692), where the composition has it and the client offers what it can do. What a
    /// subprotocol already compresses is not compressed twice.
    [[nodiscard]] static std::string agree_on_extension([[maybe_unused]] Shard& shard, [[maybe_unused]] session_type& s,
                                                        [[maybe_unused]] request const& asked)
    {
        using compression = typename C::compression;
        if constexpr (compression::has_extension)
            if (auto const agreed = choose_deflate(asked, compression::terms)) {
                if constexpr (compression::keeps_context)
                    s.context_ = shard.codec().make_context(*agreed, role::server);
                else
                    s.profile_ = compression::form_for(*agreed, role::server);
                s.assembler_.set_compressed(true);
                return deflate_response(*agreed);
            }
        return {};
    }

    /// Caps are told in a close frame: a browser sees nothing of a refused handshake.
    static void admit(Shard& shard, session_type& s, std::string user)
    {
        auto const& options = shard.options();
        auto const a_user = options.max_connections_per_user != 0 ? options.max_connections_per_user
                                                                  : C::isolation::max_connections_per_user;
        switch (shard.shared().users.admit(user, options.max_connections, a_user)) {
        case admission::admitted: break;
        case admission::server_full:
            return full(shard, s, "the server is at its limit of " + std::to_string(options.max_connections) + " connections");
        case admission::user_full:
            return full(shard, s, "the user is at the limit of " + std::to_string(a_user) + " connections");
        }
        s.user_ = std::move(user);
        s.counted_ = true;
        if (s.plain_)
            begin(shard, s);
        else
            shard.enter(s, phase::greeting, options.handshake_timeout);
    }
    static void full(Shard& shard, session_type& s, std::string_view reason)
    {
        shard.observe().count(metric::refused, 1);
        s.phase_ = phase::open;
        shard.ends().close(s, close_code::try_again_later, reason);
    }
};

}  // namespace polycast::inline v0::detail
