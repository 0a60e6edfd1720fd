#pragma once

// permessage-deflate as another implementation does it: zlib used directly, nothing of polycast's own.

#include <polycast/config.hpp>

#if POLYCAST_WITH_ZLIB
#include <stdexcept>
#include <string>
#include <string_view>

#include <zlib.h>

namespace support {

/// One end's two streams (RFC 7692 §7.2). Window bits are those that were agreed for each direction.
class foreign_deflate {
public:
    struct side {
        int window_bits = 15;
        bool takes_over = true;
    };
    foreign_deflate(side sends, side receives, int level = 6) : sends_(sends), receives_(receives)
    {
        // zlib makes no raw stream with a window of 256 bytes.
        int const bits = sends.window_bits < 9 ? 9 : sends.window_bits;
        if (deflateInit2(&out_, level, Z_DEFLATED, -bits, 8, Z_DEFAULT_STRATEGY) != Z_OK ||
            inflateInit2(&in_, -receives.window_bits) != Z_OK)
            throw std::runtime_error("zlib");
    }
    foreign_deflate(foreign_deflate const&) = delete;
    ~foreign_deflate()
    {
        deflateEnd(&out_);
        inflateEnd(&in_);
    }

    /// The payload of a frame with RSV1.
    std::string compress(std::string_view text)
    {
        std::string bytes(deflateBound(&out_, static_cast<uLong>(text.size())) + 64, '\0');
        out_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
        out_.avail_in = static_cast<uInt>(text.size());
        out_.next_out = reinterpret_cast<Bytef*>(bytes.data());
        out_.avail_out = static_cast<uInt>(bytes.size());
        if ((deflate(&out_, Z_SYNC_FLUSH) != Z_OK && !text.empty()) || out_.avail_in != 0)
            throw std::runtime_error("deflate");
        bytes.resize(bytes.size() - out_.avail_out);
        if (bytes.ends_with(std::string_view("\x00\x00\xFF\xFF", 4)))
            bytes.resize(bytes.size() - 4);
        else if (text.empty())
            bytes.assign(1, '\0');  // §7.2.3.6: nothing to flush
        else
            throw std::runtime_error("deflate: no flush");
        if (!sends_.takes_over)
            deflateReset(&out_);
        return bytes;
    }
    /// What such a payload says. Throws if it is not sound.
    std::string decompress(std::string_view payload)
    {
        std::string text;
        feed(text, payload);
        feed(text, std::string_view("\x00\x00\xFF\xFF", 4));
        if (!receives_.takes_over)
            inflateReset(&in_);
        return text;
    }

private:
    void feed(std::string& text, std::string_view bytes)
    {
        in_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
        in_.avail_in = static_cast<uInt>(bytes.size());
        char buffer[16 * 1024];
        // zlib sees a distance beyond the window only if it is also beyond what this call has put out: so that it be seen,
        // little is put out at a time.
        uInt const step = receives_.window_bits < 15 ? 32 : sizeof buffer;
        do {
            in_.next_out = reinterpret_cast<Bytef*>(buffer);
            in_.avail_out = step;
            int const status = inflate(&in_, Z_SYNC_FLUSH);
            if (status != Z_OK && status != Z_BUF_ERROR)
                throw std::runtime_error(in_.msg == nullptr ? "broken" : in_.msg);
            text.append(buffer, step - in_.avail_out);
        } while (in_.avail_in != 0 || in_.avail_out == 0);
    }

    side sends_, receives_;
    z_stream out_{}, in_{};
};

}  // namespace support
#endif
