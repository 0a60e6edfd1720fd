#pragma once

#include <polycast/session/client_backoff.hpp>
#include <polycast/session/client_opening.hpp>
#include <polycast/session/client_session.hpp>

#include <chrono>
#include <system_error>

namespace polycast::inline v0::detail {

/// When a client tries to connect, what becomes of an attempt that failed, and when there is no point in another.
template <class Link>
class client_attempts {
public:
    explicit client_attempts(Link& link) : link_(link), opening_(link), deadline_(link.loop_) {}

    void first()
    {
        if (std::error_code const ec = opening_.impossible())
            give_up(ec);
        else
            begin();
    }
    void failed(std::error_code ec)
    {
        auto const& options = link_.options_;
        link_.disconnect();
        auto const delay = retry_.failed(options.backoff, link_.loop_.random());
        unsigned const failures = retry_.failures();
        bool const last = options.max_attempts != 0 && failures >= options.max_attempts;
        if (link_.stop_asked_ || last || !options.reconnect)
            return give_up(ec, failures);
        tell(ec, failures, delay);
        pause(delay);
    }
    void give_up(std::error_code ec, unsigned failures = 1)
    {
        link_.disconnect();
        tell(ec, failures, {});
        link_.finish();
    }
    void succeeded()
    {
        deadline_.cancel();
        retry_.opened();
    }
    /// The server says when it wants to be connected to again.
    void invited(std::chrono::milliseconds from, std::chrono::milliseconds to) noexcept { retry_.invited(from, to); }
    /// A connection has ended; `useless`: before it was of any use.
    void again(bool useless) { pause(retry_.ended(link_.options_.backoff, useless, link_.loop_.random())); }
    /// Nothing of an attempt is pending any more.
    void cancel()
    {
        deadline_.cancel();
        opening_.cancel();
    }
    [[nodiscard]] client_opening<Link>& opening() noexcept { return opening_; }

private:
    void begin()
    {
        ++link_.attempt_;
        link_.phase_ = Link::phase::connecting;
        deadline_.start(link_.options_.connect_timeout, link_.bound([](Link& self) {
                            self.attempts_.failed(std::make_error_code(std::errc::timed_out));
                        }));
        opening_.begin();
    }
    void pause(std::chrono::milliseconds delay)
    {
        link_.phase_ = Link::phase::waiting;
        deadline_.start(delay, link_.bound([](Link& self) { self.attempts_.begin(); }));
    }
    void tell([[maybe_unused]] std::error_code ec, [[maybe_unused]] unsigned failures,
              [[maybe_unused]] std::chrono::milliseconds next)
    {
        if constexpr (has_failed<typename Link::app_type>)
            link_.guarded([&] { link_.app_.failed(ec, failures, next); });
    }

    Link& link_;
    client_opening<Link> opening_;
    typename Link::timer deadline_;  ///< of the attempt, or until the next
    client_retry retry_;
};

}  // namespace polycast::inline v0::detail
