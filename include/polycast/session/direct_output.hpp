#pragma once

#include <polycast/batching/policy.hpp>
#include <polycast/detail/byte_buffer.hpp>
#include <polycast/frame/header.hpp>
#include <polycast/observer/policy.hpp>
#include <polycast/outbox/shared_frame.hpp>
#include <polycast/session/outcome.hpp>
#include <polycast/session/packing.hpp>
#include <polycast/session/tally.hpp>
#include <polycast/transport/policy.hpp>

#include <cstddef>
#include <new>
#include <span>
#include <string_view>
#include <system_error>
#include <utility>

namespace polycast::inline v0::detail {

template <class Shard>
class output;

/// What a handler sends to the session whose bytes it is handling: side by side into one buffer, which is written when
/// those bytes are done, past the outbox. Not where events are counted, or must be on a disk before they leave.
template <class Shard>
class direct_output {
public:
    using session_type = typename Shard::session_type;
    using C = typename Shard::composition_type;

    direct_output(Shard& shard, output<Shard>& out) noexcept : shard_(shard), out_(out) {}

    /// `s` is the session whose bytes are being handled, until `end`.
    void begin(session_type& s) noexcept { owner_ = &s; }
    void end(session_type& s)
    {
        write(s);
        if (owner_ == &s)
            owner_ = nullptr;
    }
    /// What it was sent in this turn is not whole.
    void forget(session_type const& s) noexcept
    {
        if (owner_ != &s)
            return;
        owner_ = nullptr;
        buffer_.clear();
    }
    /// The first bytes of a session, before it has frames.
    void append(std::string_view wire) { buffer_.append(wire); }
    [[nodiscard]] std::size_t bytes() const noexcept { return buffer_.size(); }
    /// Writes what there is for `s`.
    void write(session_type& s)
    {
        if (owner_ == &s && !buffer_.empty())
            write_now(s);
    }
    [[nodiscard]] bool takes(session_type const& s, urgency const& u) const noexcept
    {
        if constexpr (Shard::durable)
            return false;
        return owner_ == &s && s.box_.empty() && !s.blocked_ && C::batching::when(u.lane) != flush_time::window &&
               !(u.event && s.counts_events());
    }
    /// Beside what this turn has already written to `s`. Large payloads are not copied: they leave at once.
    outcome emit(session_type& s, outgoing const& message, urgency const& u)
    {
        auto const payload = message.payload;
        bool const by_reference = payload.size() >= gather_at_bytes;
        char* const at = buffer_.prepare(max_header_bytes + (by_reference ? 0 : payload.size()));
        auto const header = encode_header(at, {.op = message.op, .rsv1 = message.rsv1, .payload_bytes = payload.size()});
        buffer_.commit(header + (by_reference ? 0 : payload.copy(at + header, payload.size())));
        out_.count(s, header + payload.size(), u.event);
        if (u.event) {
            ++s.counts_.delivered;
            shard_.observe().count(metric::delivered, 1);
        }
        if (!by_reference && C::batching::when(u.lane) != flush_time::now && buffer_.size() < write_at_bytes)
            return outcome::queued;
        write_now(s, by_reference ? payload : std::string_view());
        return s.box_.empty() ? outcome::delivered : outcome::queued;
    }

private:
    static constexpr std::size_t gather_at_bytes = 8 * 1024;
    static constexpr std::size_t write_at_bytes = 256 * 1024;

    /// Writes the buffer, and `tail` behind it without copying it; what does not fit is kept in the outbox.
    void write_now(session_type& s, std::string_view tail = {})
    {
        std::error_code ec;
        std::span<char const> const runs[] = {{buffer_.data(), buffer_.size()}, {tail.data(), tail.size()}};
        auto const written =
            tail.empty() ? s.stream_.write_some(runs[0], ec) : s.stream_.write_some(transport::gather_list(runs), ec);
        shard_.observe().count(metric::writes, 1);
        if (ec && !transport::would_block(ec)) {
            buffer_.clear();
            return shard_.ends().kill(s);
        }
        shard_.observe().count(metric::bytes_out, written);
        if (written < runs[0].size() + runs[1].size()) {
            auto const of_head = written < runs[0].size() ? written : runs[0].size();
            try {
                auto rest = shared_frame::verbatim(runs[0].subspan(of_head), runs[1].subspan(written - of_head));
                s.box_.count_in(rest->wire_bytes());
                s.box_.set_partial(std::move(rest), 0);
                out_.wait_writable(s);
            } catch (std::bad_alloc const&) {  // a frame was begun and cannot be ended
                buffer_.clear();
                return shard_.ends().kill(s);
            }
        }
        buffer_.clear();
    }

    Shard& shard_;
    output<Shard>& out_;
    byte_buffer buffer_;
    session_type* owner_ = nullptr;
};

}  // namespace polycast::inline v0::detail
