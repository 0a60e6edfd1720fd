#pragma once

#include <polycast/frame/close_code.hpp>
#include <polycast/observer/policy.hpp>
#include <polycast/session/client_session.hpp>
#include <polycast/session/hooks.hpp>
#include <polycast/session/session.hpp>

#include <string>
#include <string_view>
#include <utility>

namespace polycast::inline v0::detail {

/// How a client's connection ends: who closes, with what, until when the other end is waited for, and what comes after.
template <class Link>
class client_closing {
public:
    explicit client_closing(Link& link) : link_(link), deadline_(link.loop_) {}

    void begin_connection() noexcept { useless_ = false; }

    /// This end closes, once what is queued has been sent. `final`: and stays away.
    void leave(close_code code, std::string_view reason, bool final)
    {
        begin({code, std::string(reason), false}, true, final);
    }
    /// The peer broke a rule (RFC 6455 §7.1.7).
    void fail(close_code code, std::string_view reason) { begin({code, std::string(reason), false}, false, false); }
    /// What comes from here on cannot be read, now and the next time.
    void lacks_dictionary()
    {
        useless_ = true;
        fail(close_code::unsupported_data, "the server's dictionary is not known here");
    }
    /// The peer's close frame.
    void peer_closes(close_code code, std::string_view reason)
    {
        send_queued_first_ = false;
        if (link_.phase_ != Link::phase::open)
            return;
        useless_ = code == close_code::try_again_later;  // the server is full
        begin({code, std::string(reason), true}, false, !invites_reconnect(code));
    }
    /// The stream is no more, or shall be. `otherwise` is told if nobody closed.
    void ended(close_info const& otherwise)
    {
        bool const closing = link_.phase_ == Link::phase::closing;
        close_info const info = closing ? std::move(info_) : otherwise;
        bool const final = closing && final_;
        if constexpr (Link::reliable)
            if (link_.delivery_.greeting()) {  // it was never open
                if (link_.stop_asked_)
                    return link_.finish();
                std::error_code const ec = link_.delivery_.why(info);
                return final ? link_.attempts_.give_up(ec) : link_.attempts_.failed(ec);
            }
        link_.disconnect();
        link_.observer_.count(metric::closed, 1);
        if constexpr (has_closed<typename Link::app_type, typename Link::session_type>)
            link_.guarded([&] { link_.app_.closed(link_.session_, info); });
        if (final || link_.stop_asked_ || !link_.options_.reconnect)
            return link_.finish();
        link_.attempts_.again(useless_);
    }
    void cancel() { deadline_.cancel(); }

    // What is still written of a connection that closes.
    [[nodiscard]] bool sends_queued_first() const noexcept { return send_queued_first_; }
    [[nodiscard]] close_info const& info() const noexcept { return info_; }

private:
    /// From here to the end of the stream, which is the server's to make (RFC 6455 §7.1.1), there is a deadline.
    void begin(close_info info, bool send_queued_first, bool final)
    {
        if (link_.phase_ != Link::phase::open)
            return;
        link_.phase_ = Link::phase::closing;
        link_.open_ = false;
        info_ = std::move(info);
        send_queued_first_ = send_queued_first;
        final_ = final;
        if (link_.dictionary_.fetching() && link_.dictionary_.give_up())
            send_queued_first_ = false;
        deadline_.start(link_.options_.close_timeout, link_.bound([](Link& self) {
                            self.closing_.ended({close_code::abnormal, "the close was not answered in time", false});
                        }));
    }

    Link& link_;
    typename Link::timer deadline_;
    close_info info_;
    bool send_queued_first_ = false;
    bool final_ = false;
    bool useless_ = false;  ///< the connection ended before it was of any use
};

}  // namespace polycast::inline v0::detail
