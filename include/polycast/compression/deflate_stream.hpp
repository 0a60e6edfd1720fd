#pragma once

#include <polycast/compression/policy.hpp>
#include <polycast/config.hpp>

#if POLYCAST_WITH_ZLIB

#include <cstddef>
#include <new>

#include <zlib.h>

namespace polycast::inline v0::detail {

/// What a sender takes off the end of a message, and a receiver puts back (RFC 7692 §7.2.1, §7.2.2).
inline constexpr std::string_view deflate_tail("\x00\x00\xFF\xFF", 4);

/// zlib counts in 32 bits.
inline constexpr std::size_t deflate_step_bytes = std::size_t{1} << 30;

/// A raw deflate stream for sending (RFC 7692 §7.2.1). 264 KiB with a window of 15 bits, 24 KiB with 9.
class deflater {
public:
    /// Window bits are 9 to 15. zlib's manual of deflateInit2: "a windowBits value of 8 (a window size of 256 bytes) is
    /// not supported."
    deflater(int level, int window_bits)
    {
        // A small window needs no large hash. Below 5 the blocks become so short that their tables cost more than the
        // window saves: text of agents was 9 % larger with 2.
        int const memory = window_bits < 12 ? window_bits - 4 : 8;
        if (::deflateInit2(&stream_, level, Z_DEFLATED, -window_bits, memory, Z_DEFAULT_STRATEGY) != Z_OK)
            throw std::bad_alloc{};  // the parameters are sound
    }
    deflater(deflater const&) = delete;
    ~deflater() { ::deflateEnd(&stream_); }

    void forget() noexcept { ::deflateReset(&stream_); }

    /// Appends the payload of a frame with RSV1 if that is smaller than `in`, which is not empty. False: `out` is as
    /// before, and the stream has seen what the peer will not, so it must `forget()`.
    [[nodiscard]] bool compress(byte_buffer& out, std::string_view in)
    {
        // With so much room left over nothing was gained. Memory comes first: a failure leaves the stream as it is.
        std::size_t const room = in.size() + deflate_tail.size();
        auto* const to = reinterpret_cast<Bytef*>(out.prepare(room));
        std::size_t left = in.size();
        std::size_t made = 0;
        stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(in.data()));
        for (bool done = false; !done;) {
            auto const piece = left < deflate_step_bytes ? left : deflate_step_bytes;
            auto const step = room - made < deflate_step_bytes ? room - made : deflate_step_bytes;
            stream_.avail_in = static_cast<uInt>(piece);
            stream_.next_out = to + made;
            stream_.avail_out = static_cast<uInt>(step);
            ::deflate(&stream_, piece == left ? Z_SYNC_FLUSH : Z_NO_FLUSH);
            left -= piece - stream_.avail_in;
            made += step - stream_.avail_out;
            if (made == room)
                return false;
            done = left == 0 && stream_.avail_out != 0;
        }
        out.commit(made - deflate_tail.size());
        return true;
    }

private:
    ::z_stream stream_{};
};

/// A raw deflate stream for receiving (RFC 7692 §7.2.2). 40 KiB with a window of 15 bits.
class inflater {
public:
    /// Window bits are 9 to 15: who was told of 8 is understood with 9.
    explicit inflater(int window_bits)
    {
        if (::inflateInit2(&stream_, -window_bits) != Z_OK)
            throw std::bad_alloc{};
    }
    inflater(inflater const&) = delete;
    ~inflater() { ::inflateEnd(&stream_); }

    void forget() noexcept { ::inflateReset(&stream_); }

    /// Appends what the payload `in` says, at most `max_bytes`: inflating stops there. `out` grows with what really comes
    /// out, and to no more than that and a byte. After an error the stream must `forget()`, or the connection end.
    [[nodiscard]] std::error_code decompress(byte_buffer& out, std::string_view in, std::size_t max_bytes)
    {
        std::size_t room = max_bytes;
        do {
            auto const piece = in.substr(0, deflate_step_bytes);
            if (auto const ec = feed(out, piece, room))
                return ec;
            in.remove_prefix(piece.size());
        } while (!in.empty());
        // §7.2.3.4: a sender that cannot flush ends its last block as final; then nothing is missing.
        if (ended_)
            return {};
        auto const before = room;
        if (auto const ec = feed(out, deflate_tail, room))
            return ec;
        // zlib adds 128 to data_type if inflate() stopped behind the end of a block. Anywhere else, or if the tail was
        // taken for content, the message was cut short.
        bool const whole = ended_ || (stream_.data_type & 128) != 0;
        return whole && room == before ? std::error_code() : compression_error::malformed;
    }

private:
    std::error_code feed(byte_buffer& out, std::string_view in, std::size_t& room)
    {
        stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(in.data()));
        stream_.avail_in = static_cast<uInt>(in.size());
        for (;;) {
            ended_ = false;
            // One byte more than is allowed, to see whether there is one more.
            std::size_t const most = room < deflate_step_bytes ? room + 1 : deflate_step_bytes;
            if (out.size() == out.capacity())
                static_cast<void>(out.prepare(most < first_step_bytes ? most : first_step_bytes, most));
            std::size_t const free = out.capacity() - out.size();
            std::size_t const step = free < most ? free : most;
            stream_.next_out = reinterpret_cast<Bytef*>(out.data() + out.size());
            stream_.avail_out = static_cast<uInt>(step);
            int const status = ::inflate(&stream_, Z_SYNC_FLUSH);
            std::size_t const made = step - stream_.avail_out;
            if (made > room)
                return compression_error::too_large;
            out.commit(made);
            room -= made;
            switch (status) {
            case Z_STREAM_END:
                // What follows a final block goes on with the same window, in this message or the next. The window is
                // kept by this call only, and it costs nothing, however many final blocks a peer sends.
                ::inflateResetKeep(&stream_);
                ended_ = stream_.avail_in == 0;
                if (ended_)
                    return {};
                break;
            case Z_OK:
            case Z_BUF_ERROR:  // no progress: all was read, or there is no room
                if (stream_.avail_out != 0)
                    return {};
                break;
            case Z_MEM_ERROR: throw std::bad_alloc{};
            default: return compression_error::malformed;
            }
        }
    }

    static constexpr std::size_t first_step_bytes = 16 * 1024;
    ::z_stream stream_{};
    bool ended_ = false;  ///< the last block was final, and nothing came behind it
};

}  // namespace polycast::inline v0::detail

#endif
