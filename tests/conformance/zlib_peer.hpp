#pragma once

// permessage-deflate (RFC 7692) as another implementation does it: zlib as it is, and strict about what was agreed.

#include <polycast/config.hpp>

#if POLYCAST_WITH_ZLIB
#include "table.hpp"

#include <cstddef>
#include <cstdlib>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>

#include <zlib.h>

namespace rfc {

inline std::string_view const deflate_tail("\x00\x00\xFF\xFF", 4);

/// What an answer says of permessage-deflate.
struct deflate_answer {
    bool legal = true;
    bool server_forgets = false, client_forgets = false;
    std::optional<int> server_bits{}, client_bits{};
};
inline deflate_answer read_deflate_answer(std::string_view text)
{
    deflate_answer a;
    bool first = true;
    for (std::size_t at = 0; at <= text.size();) {
        std::size_t const end = std::min(text.find(';', at), text.size());
        std::string_view one = text.substr(at, end - at);
        at = end + 1;
        while (one.starts_with(' '))
            one.remove_prefix(1);
        auto const flag = [&](bool& on) { a.legal = a.legal && !std::exchange(on, true); };
        auto const bits = [&](std::string_view name, std::optional<int>& out) {
            if (!one.starts_with(name) || !one.substr(name.size()).starts_with('='))
                return false;
            std::string const number(one.substr(name.size() + 1));
            a.legal = a.legal && !out &&
                      (number == "8" || number == "9" || (number.size() == 2 && number >= "10" && number <= "15"));
            out = std::atoi(number.c_str());
            return true;
        };
        if (std::exchange(first, false))
            a.legal = one == "permessage-deflate";
        else if (one == "server_no_context_takeover")
            flag(a.server_forgets);
        else if (one == "client_no_context_takeover")
            flag(a.client_forgets);
        else if (!bits("server_max_window_bits", a.server_bits) && !bits("client_max_window_bits", a.client_bits))
            a.legal = false;
    }
    return a;
}

class zlib_peer {
public:
    struct side {
        int bits = 15;
        bool forgets = false;
    };
    zlib_peer(side sends, side receives, int level = 6) : sends_(sends), receives_(receives)
    {
        // zlib makes no stream with a window of 256 bytes; in one of 512 it refers back by 250 at most.
        if (deflateInit2(&out_, level, Z_DEFLATED, -(sends.bits == 8 ? 9 : sends.bits), 8, Z_DEFAULT_STRATEGY) !=
                Z_OK ||
            inflateInit2(&in_, -receives.bits) != Z_OK)
            throw std::runtime_error("zlib");
    }
    zlib_peer(zlib_peer const&) = delete;
    ~zlib_peer()
    {
        deflateEnd(&out_);
        inflateEnd(&in_);
    }

    /// The payload of a message with RSV1. Empty text is an empty block (§7.2.3.6).
    std::string compress(std::string_view text)
    {
        std::string bytes(deflateBound(&out_, static_cast<uLong>(text.size())) + 64, '\0');
        out_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
        out_.avail_in = static_cast<uInt>(text.size());
        out_.next_out = reinterpret_cast<Bytef*>(bytes.data());
        out_.avail_out = static_cast<uInt>(bytes.size());
        if (text.empty())
            return std::string(1, '\0');
        if (deflate(&out_, Z_SYNC_FLUSH) != Z_OK || out_.avail_in != 0)
            throw std::runtime_error("deflate");
        bytes.resize(bytes.size() - out_.avail_out);
        if (!bytes.ends_with(deflate_tail))
            throw std::runtime_error("deflate: no flush");
        bytes.resize(bytes.size() - deflate_tail.size());
        if (sends_.forgets)
            deflateReset(&out_);
        return bytes;
    }
    /// What such a payload says; a text that says why if it refers back behind the window, or is not sound.
    std::string decompress(std::string_view payload)
    {
        std::string text;
        if (!feed(text, payload) || !feed(text, deflate_tail))
            return "<" + std::string(in_.msg == nullptr ? "broken" : in_.msg) + ">";
        if (receives_.forgets)
            inflateReset(&in_);
        return text;
    }

private:
    bool feed(std::string& text, std::string_view bytes)
    {
        in_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
        in_.avail_in = static_cast<uInt>(bytes.size());
        // As little at a time as this: what is in `out` already may be referred to, whatever the window.
        char out[64];
        do {
            in_.next_out = reinterpret_cast<Bytef*>(out);
            in_.avail_out = sizeof out;
            int const status = inflate(&in_, Z_SYNC_FLUSH);
            if (status != Z_OK && status != Z_BUF_ERROR)
                return false;
            text.append(out, sizeof out - in_.avail_out);
        } while (in_.avail_in != 0 || in_.avail_out == 0);
        return true;
    }

    side sends_, receives_;
    z_stream out_{}, in_{};
};

}  // namespace rfc
#endif
