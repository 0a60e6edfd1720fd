// One client connection: sends copies of one frame, and reads server frames of any length without keeping them.
#pragma once

#include "repeated.hpp"
#include "wire.hpp"

#include <polycast/message/assembler.hpp>
#include <polycast/message/control.hpp>

#include <algorithm>
#include <arpa/inet.h>
#include <cerrno>
#include <cstdint>
#include <netinet/in.h>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <sys/socket.h>
#include <system_error>
#include <utility>

namespace load {

inline sockaddr_in loopback(std::uint16_t port)
{
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

[[noreturn]] inline void throw_closed(std::optional<pc::close_code> code, std::string_view reason)
{
    throw std::runtime_error("the server sent a close frame, code " +
                             (code ? std::to_string(static_cast<int>(*code)) : std::string("none")) +
                             (reason.empty() ? "" : ": " + std::string(reason)));
}

class connection {
public:
    int fd = -1;
    std::uint32_t index = 0;                   ///< its place among the loop's connections
    bool open = false;                         ///< the handshake is through
    bool closing = false;                      ///< our close frame is out; that the server ends it is no misdeed
    bool wants_write = false;                  ///< the socket was full: EPOLLOUT is asked for
    std::uint32_t in_flight = 0;               ///< messages that the peer still owes
    std::uint64_t received = 0;                ///< whole messages
    std::uint64_t acknowledged = 0;            ///< likewise, that the server was told of
    double owes_since = 0;                     ///< the first message that it was not told of came then
    std::int64_t since_ns = 0;                 ///< the socket began to connect or, if `closing`, to close
    std::string early;                         ///< the answer to the handshake, as far as it has come
    pc::assembler<pc::role::client> messages;  ///< for modes that look into every message, instead of `consume`

    /// Queues `frames` more copies and writes what the socket takes.
    void send(outgoing const& out, std::uint64_t frames)
    {
        unsent_bytes_ += frames * out.frame_bytes();
        flush(out);
    }

    /// Writes one frame of its own, which an otherwise silent socket takes at once.
    void say(std::string_view payload, opcode op = opcode::text) { say_frame(make_client_frame(op, payload)); }
    void say_frame(std::string_view frame)
    {
        if (::send(fd, frame.data(), frame.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(frame.size()))
            throw std::runtime_error("a socket does not take a small message: the server does not read");
    }
    /// A server that pings may wait for the answer. In the middle of a frame there is no place for it; a peer that sends
    /// is seen to be alive.
    void pong(std::string_view payload)
    {
        if (unsent_bytes_ == 0 && !wants_write)
            say_frame(pc::pong_frame(payload, pc::masking_key{0x3d21fa37}).view());
    }

    /// The stream out is one frame again and again, so a place in it is an offset and what is queued is a number.
    void flush(outgoing const& out)
    {
        while (unsent_bytes_ > 0) {
            auto const from = out.bytes().substr(offset_);
            auto const sent =
                ::send(fd, from.data(), std::min<std::uint64_t>(from.size(), unsent_bytes_), MSG_NOSIGNAL);
            if (sent < 0) {
                if (errno == EAGAIN)
                    break;
                throw std::system_error(errno, std::generic_category(), "send");
            }
            unsent_bytes_ -= static_cast<std::uint64_t>(sent);
            offset_ = (offset_ + static_cast<std::size_t>(sent)) % out.frame_bytes();
        }
        wants_write = unsent_bytes_ > 0;
    }

    /// Consumes `in`; returns how many messages ended in it. Each must have the length of the one due; every 16th is
    /// compared byte by byte, and a frame that breaks the protocol throws.
    std::uint32_t consume(std::string_view in, incoming const& due)
    {
        std::uint32_t ended = 0;
        auto const expected = due.payload();
        while (!in.empty()) {
            if (is_usual_frame(in, due)) {
                if ((received & 15) == 0 && !due.is_right(in.substr(due.usual_header().size(), expected.size()), 0))
                    throw_wrong_content();
                in.remove_prefix(due.frame_bytes());
                ++received;
                ++ended;
                continue;
            }
            if (!in_payload_ && !take_header(in))
                break;
            auto const chunk = in.substr(0, std::min<std::uint64_t>(in.size(), frame_left_));
            if (pc::is_control(frame_.op)) {
                control_ += chunk;
            } else {
                if (message_bytes_ + chunk.size() > expected.size())
                    throw_wrong_length(message_bytes_ + frame_left_, expected);
                if ((received & 15) == 0 && !due.is_right(chunk, message_bytes_))
                    throw_wrong_content();
                message_bytes_ += chunk.size();
            }
            in.remove_prefix(chunk.size());
            frame_left_ -= chunk.size();
            if (frame_left_ != 0)
                break;
            in_payload_ = false;
            if (pc::is_control(frame_.op)) {
                end_control();
            } else if (frame_.fin) {
                if (message_bytes_ != expected.size())
                    throw_wrong_length(message_bytes_, expected);
                message_bytes_ = 0;
                ++received;
                ++ended;
            }
        }
        return ended;
    }

private:
    [[noreturn]] static void throw_wrong_content()
    {
        throw std::runtime_error("a reply has the right length and the wrong content");
    }
    [[noreturn]] static void throw_wrong_length(std::uint64_t bytes, std::string_view expected)
    {
        throw std::runtime_error("a reply of " + std::to_string(bytes) + " bytes, due were " +
                                 std::to_string(expected.size()));
    }

    /// Spares small frames the general way, or the generator would be slower than what it measures.
    bool is_usual_frame(std::string_view in, incoming const& due) const
    {
        return !in_payload_ && header_bytes_ == 0 && message_bytes_ == 0 && in.size() >= due.frame_bytes() &&
               in.starts_with(due.usual_header());
    }

    /// False when the header is not all there; what there is, is kept.
    bool take_header(std::string_view& in)
    {
        while (!in.empty()) {
            header_[header_bytes_++] = in.front();
            in.remove_prefix(1);
            auto const decoded = pc::decode_header<pc::role::client>({header_, header_bytes_});
            if (decoded.error)
                throw std::system_error(*decoded.error, "the server broke RFC 6455");
            if (decoded.consumed_bytes == 0)
                continue;
            header_bytes_ = 0;
            in_payload_ = true;
            frame_ = decoded.header;
            frame_left_ = decoded.header.payload_bytes;
            return true;
        }
        return false;
    }

    void end_control()
    {
        std::string const payload = std::exchange(control_, {});
        if (frame_.op == opcode::ping)
            pong(payload);
        if (frame_.op == opcode::close) {
            auto const said = pc::decode_close(payload);
            throw_closed(said.code, said.reason);
        }
    }

    std::uint64_t unsent_bytes_ = 0;
    std::size_t offset_ = 0;
    std::uint64_t frame_left_ = 0;
    std::uint64_t message_bytes_ = 0;
    bool in_payload_ = false;  ///< a header was read and its frame has not ended
    std::uint8_t header_bytes_ = 0;
    char header_[10]{};
    pc::frame_header frame_;
    std::string control_;  ///< the payload of a control frame
};

/// What `messages.consume` calls, for who wants to see messages only: `take(opcode, std::string_view payload, bool rsv1)`.
template <class Take>
struct message_sink {
    connection& of;
    Take take;

    bool message(opcode op, std::span<char> payload, bool rsv1)
    {
        take(op, payload, rsv1);
        return true;
    }
    bool ping(std::span<char> payload)
    {
        of.pong({payload.data(), payload.size()});
        return true;
    }
    bool pong(std::span<char>) { return true; }
    [[noreturn]] bool close(std::optional<pc::close_code> code, std::string_view reason) { throw_closed(code, reason); }
};

/// Calls `take(opcode, std::span<char> payload, bool rsv1)` for each message that ends in `bytes`.
template <class Take>
void read_messages(connection& from, std::span<char> bytes, Take&& take)
{
    message_sink<Take&> sink{from, take};
    if (auto const ec = from.messages.consume(bytes, pc::message_limits{}, sink))
        throw std::system_error(ec, "the server broke RFC 6455");
}

}  // namespace load
