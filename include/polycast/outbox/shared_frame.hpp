#pragma once

#include <polycast/detail/intrusive_ptr.hpp>
#include <polycast/frame/header.hpp>

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <new>
#include <span>
#include <string_view>

namespace polycast::inline v0 {

class shared_frame;
using frame_ref = detail::intrusive_ptr<shared_frame>;

/// One WebSocket frame as it goes on the wire, header and payload in one allocation: written once, then immutable and
/// shared by every outbox that holds a reference. Nothing of one receiver is inside. Any thread may hold and drop one.
/// A frame that coalesces has a trailer in the same allocation, behind what goes on the wire (`coalescing.hpp`).
class shared_frame {
public:
    /// A whole message (FIN set), unmasked as a server sends it. Allocates once, copies `payload` once. `rsv1` marks a
    /// payload that permessage-deflate compressed (RFC 7692 §6).
    [[nodiscard]] static frame_ref message(opcode op, std::string_view payload, bool rsv1 = false)
    {
        return frame_ref::adopt(make_message(op, payload, rsv1, 0));
    }
    /// A message that coalesces: `trailer` says with what, and is not empty.
    [[nodiscard]] static frame_ref coalescing(opcode op, std::string_view payload, std::string_view trailer)
    {
        shared_frame* const f = make_message(op, payload, false, trailer.size());
        std::memcpy(f->bytes() + f->size_, trailer.data(), trailer.size());
        f->flags_ = coalesces_flag;
        return frame_ref::adopt(f);
    }
    /// Bytes that already are what goes on the wire: the rest of a frame, an HTTP response.
    [[nodiscard]] static frame_ref verbatim(std::span<char const> head, std::span<char const> tail = {})
    {
        shared_frame* const f = make(head.size() + tail.size());
        if (!head.empty())
            std::memcpy(f->bytes(), head.data(), head.size());
        if (!tail.empty())
            std::memcpy(f->bytes() + head.size(), tail.data(), tail.size());
        return frame_ref::adopt(f);
    }

    [[nodiscard]] std::span<char const> wire() const noexcept { return {bytes(), size_}; }
    [[nodiscard]] std::string_view payload() const noexcept
    {
        return {bytes() + header_bytes_, size_ - header_bytes_};
    }
    [[nodiscard]] std::size_t wire_bytes() const noexcept { return size_; }
    [[nodiscard]] opcode op() const noexcept { return op_; }
    /// True for an event whose payload may share a frame with others, a separator between them.
    [[nodiscard]] bool joinable() const noexcept { return (flags_ & joinable_flag) != 0; }
    /// True for an event that may be merged with others of its subject.
    [[nodiscard]] bool coalesces() const noexcept { return (flags_ & coalesces_flag) != 0; }
    /// Where the trailer of a frame that coalesces begins. Not aligned.
    [[nodiscard]] char const* trailer() const noexcept { return bytes() + size_; }
    /// Which form of the compression policy the payload has; 0 is what the serializer wrote.
    [[nodiscard]] std::uint8_t form() const noexcept { return form_; }

    /// Before the frame is shared.
    void mark_joinable() noexcept { flags_ |= joinable_flag; }
    /// Before the frame is shared.
    void set_form(std::uint8_t form) noexcept { form_ = form; }

    void acquire(std::uint32_t count = 1) noexcept { references_.fetch_add(count, std::memory_order_relaxed); }
    void release(std::uint32_t count = 1) noexcept
    {
        // The last owner needs no locked instruction: nobody else can be counting.
        if (references_.load(std::memory_order_acquire) == count ||
            references_.fetch_sub(count, std::memory_order_acq_rel) == count) {
            this->~shared_frame();
            std::free(this);
        }
    }

private:
    explicit shared_frame(std::size_t size) noexcept : size_(size) {}
    static shared_frame* make_message(opcode op, std::string_view payload, bool rsv1, std::size_t trailer_bytes)
    {
        auto const header = encoded_header_bytes(payload.size(), false);
        shared_frame* const f = make(header + payload.size(), trailer_bytes);
        encode_header(f->bytes(), {.op = op, .rsv1 = rsv1, .payload_bytes = payload.size()});
        if (!payload.empty())
            std::memcpy(f->bytes() + header, payload.data(), payload.size());
        f->header_bytes_ = static_cast<std::uint8_t>(header);
        f->op_ = op;
        return f;
    }
    static shared_frame* make(std::size_t size, std::size_t trailer_bytes = 0)
    {
        void* const memory = std::malloc(sizeof(shared_frame) + size + trailer_bytes);
        if (memory == nullptr)
            throw std::bad_alloc{};
        return ::new (memory) shared_frame(size);
    }
    [[nodiscard]] char* bytes() noexcept { return reinterpret_cast<char*>(this + 1); }
    [[nodiscard]] char const* bytes() const noexcept { return reinterpret_cast<char const*>(this + 1); }

    static constexpr std::uint8_t joinable_flag = 1;
    static constexpr std::uint8_t coalesces_flag = 2;

    std::size_t size_;
    std::atomic<std::uint32_t> references_{1};
    std::uint8_t header_bytes_ = 0;
    opcode op_ = opcode::binary;
    std::uint8_t form_ = 0;
    std::uint8_t flags_ = 0;
};
static_assert(sizeof(shared_frame) == 16);

}  // namespace polycast::inline v0
