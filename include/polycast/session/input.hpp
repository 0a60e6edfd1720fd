#pragma once

#include <polycast/detail/byte_buffer.hpp>
#include <polycast/detail/spare_buffers.hpp>
#include <polycast/frame/close_code.hpp>
#include <polycast/message/assembler.hpp>
#include <polycast/observer/policy.hpp>
#include <polycast/session/inbound.hpp>
#include <polycast/session/opening.hpp>
#include <polycast/session/session.hpp>
#include <polycast/transport/policy.hpp>

#include <cstddef>
#include <span>
#include <string_view>
#include <system_error>
#include <utility>

namespace polycast::inline v0::detail {

/// The way into a shard: bytes are read, and go to the handshake or the assembler. All sessions share one buffer, and none
/// holds memory while it waits; the rest of a large message is read to where it belongs.
template <class Shard>
class input {
public:
    using session_type = typename Shard::session_type;
    using C = typename Shard::composition_type;

    explicit input(Shard& shard) : shard_(shard) { static_cast<void>(buffer_.prepare(shard.options().read_buffer_bytes)); }

    /// `s`, which has waited, has something to be read, or has failed. Throws `std::bad_alloc`.
    void read(session_type& s, std::error_code ec)
    {
        if (s.phase_ != phase::draining)
            read_some(s, ec);
        // A peer may shut its end and still wait for what is queued: its end is looked at when that has left.
        s.reading_ = false;
        go_on(s);
    }
    /// Waits for more. A peer that does not take what it asked for is not asked for more.
    void go_on(session_type& s)
    {
        if (!s.has_connection() || s.phase_ == phase::draining || s.phase_ == phase::moving || s.reading_ ||
            s.box_.queued_bytes() > shard_.options().max_outbox_bytes / 2)
            return;
        s.stream_.wait_readable(typename Shard::ready(shard_, s, false));
        s.reading_ = true;
    }
    /// Frames.
    void feed(session_type& s, std::span<char> bytes)
    {
        auto const& options = shard_.options();
        message_limits const limits{options.max_message_bytes,
                                    options.max_frame_bytes != 0 ? options.max_frame_bytes : options.max_message_bytes,
                                    options.max_fragments};
        assemble(s, [&](inbound<Shard>& sink) { return s.assembler_.consume(bytes, limits, sink); });
    }
    /// What a large message was put together in; another will be.
    void keep(byte_buffer&& used) noexcept { spares_.keep(std::move(used)); }

private:
    static constexpr std::size_t max_bytes_a_turn = 1024 * 1024;  ///< of one session: others wait

    /// Once, or, of a large message, all that is there, within bounds. Nobody waits for more meanwhile.
    void read_some(session_type& s, std::error_code ec)
    {
        std::size_t taken = 0;
        std::size_t count = 0;
        std::span<char> into;
        std::span<char> place = place_in_message(s);
        do {
            into = place.empty() ? std::span<char>(buffer_.data(), shard_.options().read_buffer_bytes) : place;
            count = ec ? 0 : s.stream_.read_some(into, ec);
            if (ec)
                break;
            s.active_at_ = shard_.now();
            s.record_.bytes_in += count;
            shard_.observe().count(metric::bytes_in, count);
            shard_.out().direct().begin(s);
            place.empty() ? received(s, into.first(count)) : received_in_place(s, count);
            shard_.out().direct().end(s);
            if constexpr (C::delivery::resumes)
                if (s.phase_ == phase::moving) {
                    auto const rest = s.assembler_.rest_bytes();
                    return depart(s, {into.data() + count - rest, rest});
                }
            taken += count;
        } while (count == into.size() && taken < max_bytes_a_turn && !(place = place_in_message(s)).empty());
        if (ec && !transport::would_block(ec))
            shard_.ends().kill(s);
    }
    [[nodiscard]] static bool takes_frames(session_type const& s) noexcept
    {
        return s.phase_ >= phase::greeting && s.phase_ <= phase::closing;
    }
    [[nodiscard]] std::span<char> place_in_message(session_type& s)
    {
        return takes_frames(s) ? s.assembler_.room(spares_) : std::span<char>();
    }
    void received(session_type& s, std::span<char> bytes)
    {
        if (s.phase_ == phase::handshake)
            bytes = opening<Shard>::receive(shard_, s, bytes);
        if (!bytes.empty() && takes_frames(s))
            feed(s, bytes);
    }
    void received_in_place(session_type& s, std::size_t count)
    {
        assemble(s, [&](inbound<Shard>& sink) { return s.assembler_.arrived(count, sink); });
    }
    template <class F>
    void assemble(session_type& s, F f)
    {
        inbound<Shard> sink{shard_, s};
        if (std::error_code const ec = f(sink))
            shard_.ends().fail(s, close_code_for(ec), ec.message());
    }
    /// The connection of `s` resumes another session. `rest`: what was read and not looked at.
    void depart(session_type& s, std::string_view rest)
    {
        if (!shard_.keeps().depart(s, rest)) {
            s.phase_ = phase::open;
            return shard_.ends().close(s, close_code::migrate, "come again");
        }
        s.counted_ = false;  // the connection is, where it is now
        shard_.ends().bury(s);
    }

    Shard& shard_;
    byte_buffer buffer_;
    spare_buffers spares_;
};

}  // namespace polycast::inline v0::detail
