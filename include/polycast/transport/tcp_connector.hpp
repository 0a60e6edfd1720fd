#pragma once

#include <polycast/transport/tcp_stream.hpp>

#include <asio/ip/basic_resolver.hpp>

#include <cstddef>
#include <memory>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

namespace polycast::inline v0::transport {

/// Resolves a name and tries its addresses in turn.
class tcp::connector {
public:
    explicit connector(loop& l) noexcept : loop_(l) {}
    connector(connector const&) = delete;
    ~connector() { cancel(); }

    template <class Handler>
    void connect(endpoint const& to, Handler handler)
    {
        cancel();
        attempt_ = std::make_shared<attempt>(loop_);
        std::error_code not_numeric;
        auto const address = asio::ip::make_address(to.host, not_numeric);
        if (!not_numeric) {
            attempt_->addresses.emplace_back(address, to.port);
            return next(attempt_, std::move(handler));
        }
        attempt_->resolver.async_resolve(
            to.host, std::to_string(to.port),
            [a = attempt_, h = std::move(handler)](std::error_code ec, resolver::results_type const& found) mutable {
                if (!ec && a->cancelled)
                    ec = asio::error::operation_aborted;
                if (ec)
                    return h(portable(ec), stream(a->on));
                for (auto const& entry : found)
                    a->addresses.push_back(entry.endpoint());
                next(std::move(a), std::move(h));
            });
    }
    /// The pending handler completes with an error.
    void cancel()
    {
        if (!attempt_)
            return;
        std::error_code ignored;
        attempt_->cancelled = true;
        attempt_->resolver.cancel();
        attempt_->connecting.close(ignored);
        attempt_.reset();
    }

private:
    using resolver = asio::ip::basic_resolver<protocol, executor>;

    struct attempt {
        explicit attempt(loop& l) : on(l), resolver(l.context().get_executor()), connecting(l.context().get_executor()) {}
        loop& on;
        tcp::connector::resolver resolver;
        socket connecting;
        std::vector<protocol::endpoint> addresses{};
        std::size_t tried = 0;
        bool cancelled = false;
    };

    template <class Handler>
    static void next(std::shared_ptr<attempt> a, Handler handler)
    {
        std::error_code ignored;
        a->connecting.close(ignored);
        auto const& target = a->addresses[a->tried++];
        a->connecting.async_connect(target, [a, h = std::move(handler)](std::error_code ec) mutable {
            if (!ec && a->cancelled)
                ec = asio::error::operation_aborted;
            if (ec && !a->cancelled && a->tried < a->addresses.size())
                return next(std::move(a), std::move(h));
            if (!ec)
                a->connecting.set_option(protocol::no_delay(true), ec);
            if (!ec)
                a->connecting.non_blocking(true, ec);
            int const descriptor = ec ? -1 : a->connecting.release(ec);
            h(portable(ec), ec ? stream(a->on) : stream(a->on, descriptor));
        });
    }

    loop& loop_;
    std::shared_ptr<attempt> attempt_;
};

}  // namespace polycast::inline v0::transport
