#pragma once

// RFC 6455 §5.2 as another implementation has it: what the rows of the table are made of, and how they judge what comes
// back. Nothing of polycast is in it.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace rfc {

enum op : unsigned { continuation = 0, text = 1, binary = 2, close = 8, ping = 9, pong = 10 };

enum class length_form : std::uint8_t { shortest, of_16_bits, of_64_bits };

/// Something that the test's end sends: a frame, legal or not, or bytes as they are.
struct part {
    unsigned op = text;
    std::string payload{};
    bool fin = true;
    unsigned rsv = 0;  ///< 4: RSV1, 2: RSV2, 1: RSV3
    length_form form = length_form::shortest;
    std::optional<std::uint64_t> claims{};  ///< a length that is not the payload's
    bool wrongly_masked = false;            ///< unmasked to a server, masked to a client
    std::uint32_t key = 0x37FA'213D;        ///< RFC 6455 §5.7
    bool raw = false;                       ///< `payload` is all there is
};

inline part frame(unsigned op, std::string_view payload = {}, bool fin = true, unsigned rsv = 0)
{
    return {.op = op, .payload = std::string(payload), .fin = fin, .rsv = rsv};
}
inline part text_of(std::string_view payload)
{
    return frame(text, payload);
}
inline part binary_of(std::string_view payload)
{
    return frame(binary, payload);
}
inline part ping_of(std::string_view payload)
{
    return frame(ping, payload);
}
inline part pong_of(std::string_view payload)
{
    return frame(pong, payload);
}
inline part begins(std::string_view payload, unsigned op = text)
{
    return frame(op, payload, false);
}
inline part goes_on(std::string_view payload)
{
    return frame(continuation, payload, false);
}
inline part ends(std::string_view payload)
{
    return frame(continuation, payload, true);
}
inline part as_it_is(std::string_view bytes)
{
    return {.payload = std::string(bytes), .raw = true};
}
inline part close_of(unsigned code, std::string_view reason = {})
{
    std::string payload{static_cast<char>(code >> 8), static_cast<char>(code)};
    return frame(close, payload.append(reason));
}

inline std::string encode(part const& p, bool to_server)
{
    if (p.raw)
        return p.payload;
    bool const masked = to_server != p.wrongly_masked;
    std::uint64_t const length = p.claims.value_or(p.payload.size());
    std::string out;
    out += static_cast<char>((p.fin ? 0x80U : 0U) | p.rsv << 4 | p.op);
    unsigned const mask_bit = masked ? 0x80 : 0;
    unsigned length_bytes = length < 126 ? 0 : length < 0x1'0000 ? 2 : 8;
    if (p.form != length_form::shortest)
        length_bytes = p.form == length_form::of_16_bits ? 2 : 8;
    unsigned const short_length = length_bytes == 0 ? static_cast<unsigned>(length) : length_bytes == 2 ? 126 : 127;
    out += static_cast<char>(mask_bit | short_length);
    for (unsigned i = length_bytes; i-- != 0;)
        out += static_cast<char>(length >> 8 * i);
    if (!masked)
        return out.append(p.payload);
    char key[4];
    for (unsigned i = 0; i < 4; ++i)
        out += key[i] = static_cast<char>(p.key >> 8 * (3 - i));
    std::size_t const header = out.size();
    out.append(p.payload);
    char* const at = out.data() + header;
    for (std::size_t i = 0, n = p.payload.size(); i < n; ++i)
        at[i] = static_cast<char>(at[i] ^ key[i & 3]);
    return out;
}

struct message {
    unsigned op;
    std::string payload;
    bool rsv1 = false;
    bool operator==(message const&) const = default;
};

/// What the tested end has said since the handshake.
struct heard {
    struct goodbye {
        int code = 1005;  ///< 1005: the frame had no body
        std::string reason{};
    };
    std::vector<message> messages{};
    std::vector<std::string> pings{}, pongs{};
    std::vector<goodbye> closes{};
    std::vector<std::uint32_t> keys{};  ///< of masked frames
    std::size_t data_frames = 0;
    std::string fault{};  ///< the first rule that was broken

    /// Takes what is whole of `bytes`; returns how much that was. Keeps to the letter: the tested end must too.
    std::size_t take(std::string_view bytes, bool from_client, bool rsv1_allowed)
    {
        std::size_t taken = 0;
        while (fault.empty()) {
            std::string_view const rest = bytes.substr(taken);
            if (rest.size() < 2)
                break;
            auto const byte = [&](std::size_t i) { return static_cast<unsigned char>(rest[i]); };
            unsigned const op = byte(0) & 15U;
            bool const fin = (byte(0) & 0x80U) != 0;
            unsigned const rsv = (byte(0) & 0x70U) >> 4;
            bool const masked = (byte(1) & 0x80U) != 0;
            std::uint64_t length = byte(1) & 0x7FU;
            std::size_t header = 2;
            if (length > 125) {
                std::size_t const wide = length == 126 ? 2 : 8;
                if (rest.size() < 2 + wide)
                    break;
                length = 0;
                for (std::size_t i = 0; i < wide; ++i)
                    length = length << 8 | byte(2 + i);
                header += wide;
                if (length < (wide == 2 ? 126U : 0x1'0000U))
                    fault = "a length that is not minimal";
            }
            if (masked != from_client)
                fault = masked ? "a masked frame from a server" : "a frame from a client that is not masked";
            else if (op >= 8 && (!fin || length > 125))
                fault = "a control frame that is fragmented or too long";
            else if (rsv != 0 && !(rsv == 4 && rsv1_allowed && (op == text || op == binary)))
                fault = "a reserved bit";
            else if (op != continuation && op != text && op != binary && op != close && op != ping && op != pong)
                fault = "a reserved opcode";
            else if (!closes.empty())
                fault = "a frame behind the close frame";
            std::uint32_t key = 0;
            header += masked ? 4 : 0;
            if (!fault.empty() || rest.size() < header || rest.size() - header < length)
                break;
            if (masked) {
                for (std::size_t i = header - 4; i < header; ++i)
                    key = key << 8 | byte(i);
                keys.push_back(key);
            }
            std::string payload(rest.substr(header, static_cast<std::size_t>(length)));
            if (key != 0)
                for (std::size_t i = 0, n = payload.size(); i < n; ++i)
                    payload[i] = static_cast<char>(payload[i] ^ static_cast<char>(key >> 8 * (3 - (i & 3))));
            taken += header + static_cast<std::size_t>(length);
            take_frame(op, fin, rsv != 0, std::move(payload));
        }
        return taken;
    }

private:
    void take_frame(unsigned op, bool fin, bool rsv1, std::string payload)
    {
        switch (op) {
        case ping: pings.push_back(std::move(payload)); return;
        case pong: pongs.push_back(std::move(payload)); return;
        case close:
            if (payload.empty())
                closes.emplace_back();
            else if (payload.size() == 1)
                fault = "a close frame of one byte";
            else
                closes.push_back({static_cast<unsigned char>(payload[0]) << 8 | static_cast<unsigned char>(payload[1]),
                                  payload.substr(2)});
            return;
        default: break;
        }
        ++data_frames;
        if ((op == continuation) != open_)
            fault = open_ ? "a new message inside another" : "a continuation of nothing";
        if (op != continuation)
            now_ = {op, {}, rsv1};
        now_.payload += payload;
        open_ = !fin;
        if (fin)
            messages.push_back(std::exchange(now_, {}));
    }

    message now_{};
    bool open_ = false;
};

}  // namespace rfc
