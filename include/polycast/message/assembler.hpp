#pragma once

#include <polycast/detail/byte_buffer.hpp>
#include <polycast/detail/endian.hpp>
#include <polycast/detail/spare_buffers.hpp>
#include <polycast/frame/close_code.hpp>
#include <polycast/frame/error.hpp>
#include <polycast/frame/header.hpp>
#include <polycast/frame/mask.hpp>
#include <polycast/frame/opcode.hpp>
#include <polycast/frame/utf8.hpp>
#include <polycast/message/control.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <system_error>
#include <utility>

namespace polycast::inline v0 {

/// What a peer may make this end hold (RFC 6455 §10.4). Over any of them the connection is closed with 1009, on the
/// header that says so, before the payload is there.
struct message_limits {
    std::size_t max_message_bytes = 64 * 1024 * 1024;
    std::size_t max_frame_bytes = 64 * 1024 * 1024;
    std::size_t max_fragments = 64 * 1024;  ///< frames of one message
};

/// Turns the bytes of one connection, in whatever pieces they arrive, into messages and control frames.
///
/// The sink is any object with these members; false means: stop, I want no more from this connection. What `close`
/// returns is not looked at: nothing comes after it (RFC 6455 §5.5.1).
///
/// | Expression                            | When                                                                    |
/// |---------------------------------------|-------------------------------------------------------------------------|
/// | `sink.message(op, payload, rsv1)`     | a data message is whole; `payload` is a `std::span<char>`, unmasked     |
/// | `sink.ping(payload)`                  | a ping came; it may come between the fragments of a message             |
/// | `sink.pong(payload)`                  | a pong came                                                             |
/// | `sink.close(code, reason)`            | a close frame came; `std::optional<close_code>`, `std::string_view`     |
///
/// Payloads are valid, and may be written to, until the call returns. A frame that arrived whole is handed on where it
/// lies. Otherwise the payload is gathered in memory that grows with what has arrived, never with what a header claims,
/// and is freed when the message is whole: an idle assembler holds nothing. A sink that has
/// `spent(byte_buffer&&)` gets that memory, for another use.
///
/// The sink must not destroy the assembler, nor call `consume`, from inside a call. Not thread safe.
template <role Role>
class assembler {
public:
    /// Whether RSV1 may be set on a message (RFC 7692 §6), because permessage-deflate was negotiated.
    void set_compressed(bool on) noexcept { compressed_ = on; }

    /// Takes `bytes`, the next that the peer sent, and calls `sink` for what they complete. `bytes` is unmasked in
    /// place. Text is checked as UTF-8 as it arrives, but for a compressed message, which its decompressor's caller
    /// checks. Returns a `wire_error` if the peer broke a rule; see `close_code_for`. After an error, a close frame or
    /// a sink that said stop, all further bytes are dropped without a word. Throws `std::bad_alloc`, and what `sink`
    /// throws.
    template <class Sink>
    [[nodiscard]] std::error_code consume(std::span<char> bytes, message_limits const& limits, Sink& sink)
    {
        rest_bytes_ = 0;
        while (!bytes.empty() && !ended_) {
            std::optional<wire_error> broken;
            if (!partial_ && short_message(bytes, limits, sink, broken)) {
                // the way of nearly all
            } else if (partial_ && (partial_->held_bytes != 0 || partial_->in_frame)) {
                broken = resume(bytes, limits, sink);
            } else {
                broken = next_frame(bytes, limits, sink);
            }
            if (broken) [[unlikely]] {
                end();
                return *broken;
            }
        }
        rest_bytes_ = static_cast<std::uint32_t>(bytes.size());
        return {};
    }

    /// Where to read what comes next, if that is much of one payload: what is read there need not be copied, and is told to
    /// `arrived`, before anything else. Empty: read it anywhere, for `consume`. Memory for it, four times of what has come
    /// at most, is taken from `spares` if it is there. Throws `std::bad_alloc`.
    [[nodiscard]] std::span<char> room(detail::spare_buffers& spares)
    {
        if (!partial_ || !partial_->in_frame || partial_->remaining_bytes < large_bytes || partial_->payload.size() < large_bytes)
            return {};
        auto& payload = partial_->payload;  // a control frame is never large
        auto const left = static_cast<std::size_t>(partial_->remaining_bytes);
        if (payload.capacity() - payload.size() < large_bytes) {
            auto const most = 4 * payload.size();
            if (auto larger = spares.take(payload.size() + large_bytes, most); larger.capacity() != 0) {
                larger.append(payload.view());
                spares.keep(std::exchange(payload, std::move(larger)));
            } else {
                auto const more = most - payload.size() < left ? most - payload.size() : left;
                static_cast<void>(payload.prepare(more, more));
            }
        }
        auto const there = payload.capacity() - payload.size();
        auto const count = there < max_room ? there : max_room;
        return {payload.data() + payload.size(), count < left ? count : left};
    }
    /// `count` bytes have been read to where `room` said. Otherwise as `consume`.
    template <class Sink>
    [[nodiscard]] std::error_code arrived(std::size_t count, Sink& sink)
    {
        rest_bytes_ = 0;
        partial_->payload.commit(count);
        if (auto const broken = gathered(count, sink)) {
            end();
            return *broken;
        }
        return {};
    }

    /// After a sink that said stop: how many of the bytes were not looked at.
    [[nodiscard]] std::size_t rest_bytes() const noexcept { return rest_bytes_; }
    [[nodiscard]] bool compressed() const noexcept { return compressed_; }
    /// True after an error, a close frame, or a sink that said stop.
    [[nodiscard]] bool ended() const noexcept { return ended_; }

    /// Memory held for what has begun and is not whole.
    [[nodiscard]] std::size_t buffered_bytes() const noexcept
    {
        return partial_ ? sizeof(partial) + partial_->payload.capacity() : 0;
    }

private:
    static constexpr std::size_t large_bytes = 32 * 1024;
    static constexpr std::size_t max_room = 256 * 1024;  ///< what is read is in a cache when it is unmasked

    /// What is remembered between two calls: an incomplete header, an incomplete frame, an incomplete message, or a
    /// message and one of the others.
    struct partial {
        detail::byte_buffer payload;      ///< of the data message so far
        std::uint64_t remaining_bytes{};  ///< of the frame we are in
        std::size_t fragments = 0;        ///< frames that the message has begun; 0: no message is in progress
        frame_header frame;               ///< the one we are in; its key is advanced as bytes arrive
        utf8_validator text;
        opcode op{};        ///< of the message
        bool rsv1 = false;  ///< of the message
        bool check_text = false;
        bool in_frame = false;
        std::uint8_t held_bytes = 0;
        /// The bytes of an incomplete header, or those of an incomplete control frame's payload: never both at once.
        std::array<char, max_control_payload_bytes> held;
    };

    partial& state()
    {
        if (!partial_)
            partial_ = std::make_unique_for_overwrite<partial>();
        return *partial_;
    }

    [[nodiscard]] bool in_message() const noexcept { return partial_ && partial_->fragments != 0; }

    void release_if_idle() noexcept
    {
        if (partial_ && partial_->fragments == 0)
            partial_.reset();
    }

    void end() noexcept
    {
        ended_ = true;
        partial_.reset();
    }

    static std::span<char> take(std::span<char>& bytes, std::uint64_t count) noexcept
    {
        auto const size = count < bytes.size() ? static_cast<std::size_t>(count) : bytes.size();
        std::span<char> const taken = bytes.first(size);
        bytes = bytes.subspan(size);
        return taken;
    }

    static bool open(std::span<char> payload, masking_key key) noexcept
    {
        if constexpr (Role == role::server)
            return unmask(payload, key);
        else
            return false;
    }

    /// A message that came whole in one frame of less than 64 KiB, as `next_frame` would take it, in fewer steps. False for
    /// all else, which is left for that.
    template <class Sink>
    [[nodiscard]] bool short_message(std::span<char>& bytes, message_limits const& limits, Sink& sink,
                                     std::optional<wire_error>& broken)
    {
        constexpr unsigned mask_bit = Role == role::server ? 0x80 : 0;
        constexpr std::size_t key_bytes = Role == role::server ? 4 : 0;
        char* const at = bytes.data();
        if (bytes.size() < 4 + key_bytes)
            return false;
        auto const op = static_cast<opcode>(static_cast<unsigned char>(at[0]) ^ 0x80U);  // FIN, and no reserved bit
        if (op != opcode::text && op != opcode::binary)
            return false;
        std::size_t size = static_cast<unsigned char>(at[1]) ^ mask_bit;
        std::size_t head = 2 + key_bytes;
        if (size > 125) {
            if (size != 126 || (size = detail::load_big<std::uint16_t>(at + 2)) < 126)
                return false;
            head += 2;
        }
        if (size > bytes.size() - head || size > limits.max_frame_bytes || size > limits.max_message_bytes)
            return false;
        std::span<char> const payload(at + head, size);
        bytes = bytes.subspan(head + size);
        masking_key key = 0;
        std::memcpy(&key, at + head - key_bytes, key_bytes);
        if (bool const ascii = open(payload, key); op == opcode::text && !ascii && !valid_utf8({payload.data(), size}))
            broken = wire_error::invalid_utf8;
        else if (!sink.message(op, payload, false))
            end();
        return true;
    }

    template <class Sink>
    std::optional<wire_error> next_frame(std::span<char>& bytes, message_limits const& limits, Sink& sink)
    {
        decoded_header const decoded = decode_header<Role>(bytes, compressed_);
        if (decoded.consumed_bytes != 0) {
            bytes = bytes.subspan(decoded.consumed_bytes);
            return begin(decoded.header, bytes, limits, sink);
        }
        if (decoded.error)
            return decoded.error;
        hold(take(bytes, bytes.size()));
        return {};
    }

    /// Goes on with the header or the frame that the bytes before ended in.
    template <class Sink>
    std::optional<wire_error> resume(std::span<char>& bytes, message_limits const& limits, Sink& sink)
    {
        if (partial_->in_frame)
            return gather(bytes, sink);
        std::size_t const before = partial_->held_bytes;
        std::size_t const missing = max_header_bytes - before;
        std::span<char> const seen = bytes.first(bytes.size() < missing ? bytes.size() : missing);
        hold(seen);
        decoded_header const decoded =
            decode_header<Role>(std::span<char const>(partial_->held.data(), partial_->held_bytes), compressed_);
        if (decoded.error)
            return decoded.error;
        if (decoded.consumed_bytes == 0) {
            bytes = bytes.subspan(seen.size());
            return {};
        }
        bytes = bytes.subspan(decoded.consumed_bytes - before);
        partial_->held_bytes = 0;
        release_if_idle();
        return begin(decoded.header, bytes, limits, sink);
    }

    void hold(std::span<char const> bytes)
    {
        partial& now = state();
        std::memcpy(now.held.data() + now.held_bytes, bytes.data(), bytes.size());
        now.held_bytes = static_cast<std::uint8_t>(now.held_bytes + bytes.size());
    }

    /// A header is there and `bytes` begins with the payload, or with what has arrived of it.
    template <class Sink>
    std::optional<wire_error> begin(frame_header const& header, std::span<char>& bytes, message_limits const& limits,
                                    Sink& sink)
    {
        bool const whole = header.payload_bytes <= bytes.size();
        if (is_control(header.op)) {
            if (whole)
                return control(header.op, header.key, take(bytes, header.payload_bytes), sink);
        } else {
            if (auto const refused = admit(header, limits))
                return refused;
            if (whole && header.fin && header.op != opcode::continuation) {
                std::span<char> const payload = take(bytes, header.payload_bytes);
                bool const ascii = open(payload, header.key);
                if (header.op == opcode::text && !header.rsv1 && !ascii &&
                    !valid_utf8({payload.data(), payload.size()}))
                    return wire_error::invalid_utf8;
                if (!sink.message(header.op, payload, header.rsv1))
                    end();
                return {};
            }
        }
        partial& now = state();
        if (!is_control(header.op)) {
            if (now.fragments++ == 0) {
                now.op = header.op;
                now.rsv1 = header.rsv1;
                now.check_text = header.op == opcode::text && !header.rsv1;
            }
        }
        now.frame = header;
        now.remaining_bytes = header.payload_bytes;
        now.in_frame = true;
        return gather(bytes, sink);
    }

    /// Whether the data frame may stand here (RFC 6455 §5.4) and fits the limits.
    [[nodiscard]] std::optional<wire_error> admit(frame_header const& header,
                                                  message_limits const& limits) const noexcept
    {
        bool const goes_on = header.op == opcode::continuation;
        if (goes_on != in_message()) [[unlikely]]
            return goes_on ? wire_error::unexpected_continuation : wire_error::expected_continuation;
        if (header.payload_bytes > limits.max_frame_bytes)
            return wire_error::frame_too_large;
        std::size_t const before = goes_on ? partial_->payload.size() : 0;
        if (before > limits.max_message_bytes || header.payload_bytes > limits.max_message_bytes - before)
            return wire_error::message_too_large;
        if (goes_on && partial_->fragments >= limits.max_fragments)
            return wire_error::too_many_fragments;
        return {};
    }

    /// Takes what has arrived of the frame we are in.
    template <class Sink>
    std::optional<wire_error> gather(std::span<char>& bytes, Sink& sink)
    {
        partial& now = *partial_;
        std::span<char> const piece = take(bytes, now.remaining_bytes);
        if (is_control(now.frame.op)) {
            hold(piece);
            now.remaining_bytes -= piece.size();
            if (now.remaining_bytes != 0)
                return {};
            // Moved out first: a sink that throws leaves no half state.
            auto held = now.held;
            std::size_t const size = std::exchange(now.held_bytes, std::uint8_t{0});
            frame_header const frame = now.frame;
            now.in_frame = false;
            release_if_idle();
            return control(frame.op, frame.key, {held.data(), size}, sink);
        }
        now.payload.append(piece.data(), piece.size());
        return gathered(piece.size(), sink);
    }
    /// The last `count` bytes of the payload are new.
    template <class Sink>
    std::optional<wire_error> gathered(std::size_t count, Sink& sink)
    {
        partial& now = *partial_;
        std::span<char> const piece(now.payload.data() + now.payload.size() - count, count);
        bool const ascii = open(piece, now.frame.key);
        now.frame.key = advance(now.frame.key, count);
        if (now.check_text && !(ascii && now.text.complete()) && !now.text.feed({piece.data(), count}))
            return wire_error::invalid_utf8;
        now.remaining_bytes -= count;
        if (now.remaining_bytes != 0)
            return {};
        now.in_frame = false;
        if (!now.frame.fin)
            return {};
        if (now.check_text && !now.text.complete())
            return wire_error::invalid_utf8;
        std::unique_ptr<partial> const done = std::move(partial_);
        if (!sink.message(done->op, std::span<char>(done->payload.data(), done->payload.size()), done->rsv1))
            end();
        if constexpr (requires { sink.spent(std::move(done->payload)); })
            sink.spent(std::move(done->payload));
        return {};
    }

    template <class Sink>
    std::optional<wire_error> control(opcode op, masking_key key, std::span<char> payload, Sink& sink)
    {
        open(payload, key);
        if (op == opcode::close) {
            close_payload const said = decode_close({payload.data(), payload.size()});
            if (said.error)
                return said.error;
            end();
            sink.close(said.code, said.reason);
            return {};
        }
        if (!(op == opcode::ping ? sink.ping(payload) : sink.pong(payload)))
            end();
        return {};
    }

    std::unique_ptr<partial> partial_;
    std::uint32_t rest_bytes_ = 0;
    bool compressed_ = false;
    bool ended_ = false;
};

static_assert(sizeof(assembler<role::server>) <= 24);

}  // namespace polycast::inline v0
