#pragma once

#include <polycast/session/options.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <new>
#include <system_error>
#include <utility>

namespace polycast::inline v0::detail {

/// Where connections come in: each becomes a session that has not opened yet, up to a bound.
template <class Shard>
class accepting {
public:
    explicit accepting(Shard& shard) : shard_(shard), acceptor_(shard.loop()), pause_(shard.loop()) {}

    [[nodiscard]] std::uint16_t port() const { return acceptor_.port(); }
    void listen(std::uint16_t port, std::error_code& ec)
    {
        auto const& options = shard_.options();
        bool const shares = options.shards > 1;
        if (shares && shard_.index() == 0) {
            // A port that is shared can be shared with a stranger: see first whether it is free.
            acceptor_.listen({options.address, port}, {}, ec);
            acceptor_.close();
            if (ec)
                return;
        }
        acceptor_.listen({options.address, port}, {.share_port = shares}, ec);
    }
    void close() { acceptor_.close(); }
    void accept()
    {
        if (shard_.draining())
            return;
        acceptor_.accept([this](std::error_code ec, typename Shard::transport_type::stream connected) {
            typename Shard::turn_scope const scope(shard_);
            if (shard_.draining() || ec == std::errc::operation_canceled)
                return;
            if (ec) {
                // Most likely out of descriptors: those of closing sessions come back.
                pause_.start(std::chrono::milliseconds(100), again{this});
                return;
            }
            if (shard_.unopened() < shard_.options().max_unopened) {
                try {
                    shard_.admit(std::move(connected));
                } catch (std::bad_alloc const&) {  // it is closed, as are those of which too many have not opened
                }
            }
            accept();
        });
    }

private:
    struct again {
        accepting* at;
        void operator()() const { at->accept(); }
    };

    Shard& shard_;
    typename Shard::transport_type::acceptor acceptor_;
    typename Shard::transport_type::timer pause_;  ///< before accepting again
};

}  // namespace polycast::inline v0::detail
