#pragma once

#include <polycast/detail/byte_buffer.hpp>
#include <polycast/frame/header.hpp>
#include <polycast/frame/mask.hpp>
#include <polycast/frame/opcode.hpp>

#include <cstddef>
#include <span>
#include <string_view>

namespace polycast::inline v0::detail {

/// Appends a whole message as a client sends it: masked with `key`, which is fresh (RFC 6455 §5.3). `rsv1`: compressed.
inline void append_masked(byte_buffer& out, opcode op, std::string_view payload, masking_key key, bool rsv1 = false)
{
    frame_header const header{.op = op, .rsv1 = rsv1, .masked = true, .key = key, .payload_bytes = payload.size()};
    char* const at = out.prepare(max_header_bytes + payload.size());
    std::size_t const header_bytes = encode_header(at, header);
    mask_copy(at + header_bytes, payload, key);
    out.commit(header_bytes + payload.size());
}

/// The bytes that a client's connection is about to take: what goes first (control, `$open`), then queued messages, a
/// good write at a time. Nothing here outlives the connection.
class client_wire {
public:
    /// Where to append what goes before queued messages, at the next frame boundary.
    [[nodiscard]] byte_buffer& first() noexcept { return first_; }

    /// What is to be written; empty: fill it.
    [[nodiscard]] std::span<char const> rest() const noexcept
    {
        return {bytes_.data() + written_, bytes_.size() - written_};
    }
    /// The transport took `count` bytes; returns how many of this filling it has now.
    std::size_t take(std::size_t count) noexcept { return written_ += count; }

    /// When `rest()` is empty: begins anew with what goes first, and lets `more(bytes)` append to it.
    template <class More>
    void fill(More&& more)
    {
        bytes_.clear();
        written_ = 0;
        bytes_.swap(first_);
        more(bytes_);
    }
    void clear() noexcept
    {
        first_.clear();
        bytes_.clear();
        written_ = 0;
    }

private:
    byte_buffer first_;
    byte_buffer bytes_;
    std::size_t written_ = 0;
};

}  // namespace polycast::inline v0::detail
