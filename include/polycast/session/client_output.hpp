#pragma once

#include <polycast/detail/byte_buffer.hpp>
#include <polycast/frame/close_code.hpp>
#include <polycast/frame/mask.hpp>
#include <polycast/frame/opcode.hpp>
#include <polycast/message/control.hpp>
#include <polycast/observer/policy.hpp>
#include <polycast/session/client_outbox.hpp>
#include <polycast/session/client_wire.hpp>
#include <polycast/transport/policy.hpp>

#include <cstddef>
#include <optional>
#include <string_view>
#include <system_error>

namespace polycast::inline v0::detail {

/// What a client's connection writes, a good write at a time and only as fast as the transport takes it.
template <class Link>
class client_output {
public:
    explicit client_output(Link& link) noexcept : link_(link) {}

    /// The connection is new, or gone.
    void clear() noexcept
    {
        wire_.clear();
        pong_.reset();
        blocked_ = close_sent_ = false;
    }
    /// Whether the transport has taken all that was to be written.
    [[nodiscard]] bool idle() const noexcept { return wire_.rest().empty(); }

    /// Bytes of the opening handshake, when idle: nothing else is written before it is answered.
    void handshake(std::string_view bytes)
    {
        wire_.fill([&](byte_buffer& out) { out.append(bytes); });
    }
    /// Goes before what is queued.
    void first(std::string_view payload, opcode op) { append_message(wire_.first(), {payload, op, true}); }
    /// Where messages go.
    void append_message(byte_buffer& out, client_entry const& message)
    {
        auto const packed = link_.codec_.pack(message.op, message.payload, message.is_event);
        link_.observer_.count(metric::messages_out, 1);
        if (packed.compressed)
            link_.observer_.count(metric::compressions, 1);
        append_masked(out, packed.op, packed.payload, link_.fresh_key(), packed.rsv1);
        link_.codec_.settle();
    }
    void ping() { wire_.first().append(ping_frame({}, link_.fresh_key()).view()); }
    /// RFC 6455 §5.5.3: who has not yet answered earlier pings "MAY elect to send a Pong frame for only the most recently
    /// processed Ping frame". A server that pings and does not read makes this end hold no more than that.
    void pong(std::string_view payload)
    {
        control_frame const answer = pong_frame(payload, link_.fresh_key());
        if (!pong_ && wire_.first().size() < max_waiting_bytes)
            wire_.first().append(answer.view());
        else
            pong_ = answer;
    }

    /// Writes until the transport takes no more or nothing is left.
    void flush()
    {
        while (link_.stream_ && !blocked_) {
            if (wire_.rest().empty())
                fill();
            if (wire_.rest().empty())
                return;
            std::error_code ec;
            std::size_t const count = link_.stream_->write_some(wire_.rest(), ec);
            if (ec) {
                // A failed write says less than what may still be read, a close frame for instance: reading ends it.
                blocked_ = true;
                if (transport::would_block(ec))
                    link_.stream_->wait_writable(
                        link_.bound([](Link& self, std::error_code) { self.output_.blocked_ = false; }));
                return;
            }
            link_.observer_.count(metric::writes, 1);
            link_.observer_.count(metric::bytes_out, count);
            link_.outbox_.settle(wire_.take(count));
        }
    }

private:
    static constexpr std::size_t enough_bytes = 64 * 1024;  // a write
    static constexpr std::size_t max_waiting_bytes = 16 * 1024;

    void messages(byte_buffer& bytes)
    {
        if constexpr (Link::reliable)
            if (!link_.delivery_.fill(bytes))
                return;
        link_.outbox_.fill(bytes, enough_bytes,
                           [this](byte_buffer& out, client_entry const& next) { append_message(out, next); });
    }
    /// What is next: nothing before the upgrade is answered and after our close frame.
    void fill()
    {
        wire_.fill([this](byte_buffer& bytes) {
            if (link_.phase_ == Link::phase::upgrading || close_sent_)
                return bytes.clear();
            if (pong_) {
                bytes.append(pong_->view());
                pong_.reset();
            }
            if (link_.phase_ == Link::phase::open || link_.closing_.sends_queued_first())
                messages(bytes);
            if (link_.phase_ == Link::phase::closing && bytes.empty()) {
                bytes.append(close_frame(link_.closing_.info().code, link_.closing_.info().reason, link_.fresh_key()).view());
                close_sent_ = true;
            }
        });
    }

    Link& link_;
    client_wire wire_;
    std::optional<control_frame> pong_{};  ///< the newest, where there is no room for all
    bool blocked_ = false;                 ///< the transport takes nothing now
    bool close_sent_ = false;
};

}  // namespace polycast::inline v0::detail
