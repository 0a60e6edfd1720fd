// One client connection: sends copies of one frame, and reads server frames of any length without keeping them.
#pragma once

#include "wire.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>
#include <sys/socket.h>
#include <system_error>

namespace load {

/// A frame repeated often enough that a whole batch leaves in one system call.
class outgoing {
public:
    outgoing(opcode op, std::string_view payload, std::size_t batch)
    {
        auto const frame = make_client_frame(op, payload);
        frame_bytes_ = frame.size();
        // Beyond a megabyte more copies save no system call that matters: the socket takes less at once.
        auto const copies = std::max<std::size_t>(1, std::min(batch, (std::size_t{1} << 20) / frame.size()));
        for (std::size_t i = 0; i < copies; ++i)
            repeated_ += frame;
    }
    std::size_t frame_bytes() const { return frame_bytes_; }
    std::string_view bytes() const { return repeated_; }

private:
    std::string repeated_;
    std::size_t frame_bytes_ = 0;
};

/// What the server owes for each message. Its first `vary` bytes need only be as many.
class incoming {
public:
    incoming(opcode op, std::string_view payload, std::size_t vary = 0)
        : frame_(make_server_frame(op, payload)), header_bytes_(frame_.size() - payload.size()), vary_(vary)
    {
    }
    /// Whether `part`, which begins `at` that far into a payload, is as it is due.
    bool is_right(std::string_view part, std::size_t at) const
    {
        auto const skipped = std::min(part.size(), vary_ - std::min(vary_, at));
        return part.substr(skipped) == payload().substr(at + skipped, part.size() - skipped);
    }
    std::string_view payload() const { return std::string_view(frame_).substr(header_bytes_); }
    /// The header of the reply in one piece, as most servers send it.
    std::string_view usual_header() const { return std::string_view(frame_).substr(0, header_bytes_); }
    std::size_t frame_bytes() const { return frame_.size(); }

private:
    std::string frame_;
    std::size_t header_bytes_;
    std::size_t vary_;
};

class connection {
public:
    int fd = -1;
    bool open = false;            ///< the handshake is through
    bool wants_write = false;     ///< the socket was full: EPOLLOUT is asked for
    bool ready = false;           ///< for the mode's own use: joined the room
    std::uint32_t in_flight = 0;  ///< messages that the peer still owes
    std::uint64_t received = 0;   ///< whole messages
    std::uint64_t acknowledged = 0;  ///< likewise, that the server was told of
    double owes_since = 0;        ///< the first message that it was not told of came then
    std::string early;            ///< the answer to the handshake, as far as it has come

    /// Queues `frames` more copies and writes what the socket takes.
    void send(outgoing const& out, std::size_t frames)
    {
        unsent_bytes_ += frames * out.frame_bytes();
        flush(out);
    }

    /// Writes one frame of its own, which an otherwise silent socket takes at once.
    void say(std::string_view payload)
    {
        auto const frame = make_client_frame(opcode::text, payload);
        if (::send(fd, frame.data(), frame.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(frame.size()))
            throw std::runtime_error("a socket does not take a small message");
    }

    /// The stream out is one frame again and again, so a place in it is an offset and what is queued is a number.
    void flush(outgoing const& out)
    {
        while (unsent_bytes_ > 0) {
            auto const from = out.bytes().substr(offset_);
            auto const sent = ::send(fd, from.data(), std::min<std::uint64_t>(from.size(), unsent_bytes_), MSG_NOSIGNAL);
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
        std::uint32_t messages = 0;
        auto const expected = due.payload();
        while (!in.empty()) {
            if (is_usual_frame(in, due)) {
                if ((received & 15) == 0 && !due.is_right(in.substr(due.usual_header().size(), expected.size()), 0))
                    throw_wrong_content();
                in.remove_prefix(due.frame_bytes());
                ++received;
                ++messages;
                continue;
            }
            if (!in_payload_ && !take_header(in))
                break;
            auto const chunk = in.substr(0, std::min<std::uint64_t>(in.size(), frame_left_));
            if (!control_) {
                if (message_bytes_ + chunk.size() > expected.size())
                    throw std::runtime_error("a reply is longer than the " + std::to_string(expected.size()) + " bytes due");
                if ((received & 15) == 0 && !due.is_right(chunk, message_bytes_))
                    throw_wrong_content();
                message_bytes_ += chunk.size();
            }
            in.remove_prefix(chunk.size());
            frame_left_ -= chunk.size();
            if (frame_left_ != 0)
                break;
            in_payload_ = false;
            if (!control_ && fin_) {
                if (message_bytes_ != expected.size())
                    throw std::runtime_error("a reply of " + std::to_string(message_bytes_) + " bytes, due were " +
                                             std::to_string(expected.size()));
                message_bytes_ = 0;
                ++received;
                ++messages;
            }
        }
        return messages;
    }

private:
    [[noreturn]] static void throw_wrong_content()
    {
        throw std::runtime_error("a reply has the right length and the wrong content");
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
            header_[header_bytes_++] = static_cast<unsigned char>(in.front());
            in.remove_prefix(1);
            if (header_bytes_ < 2)
                continue;
            unsigned const length = header_[1];
            unsigned const length_bytes = length == 126 ? 2 : length == 127 ? 8 : 0;
            if (header_bytes_ < 2 + length_bytes)
                continue;
            if ((length & 0x80) != 0)
                throw std::runtime_error("the server masked a frame (RFC 6455 §5.1 forbids it)");
            frame_left_ = length_bytes == 0 ? length : 0;
            for (unsigned i = 0; i < length_bytes; ++i)
                frame_left_ = frame_left_ << 8 | header_[2 + i];
            header_bytes_ = 0;
            in_payload_ = true;
            control_ = (header_[0] & 0x08) != 0;
            if (!control_)
                fin_ = (header_[0] & 0x80) != 0;
            if (static_cast<opcode>(header_[0] & 0x0f) == opcode::close)
                throw std::runtime_error("the server sent a close frame");
            return true;
        }
        return false;
    }

    std::uint64_t unsent_bytes_ = 0;
    std::size_t offset_ = 0;
    std::uint64_t frame_left_ = 0;
    std::uint64_t message_bytes_ = 0;
    bool in_payload_ = false;  ///< a header was read and its frame has not ended
    bool control_ = false;     ///< a ping or pong: skipped, as no measurement outlasts a server's patience
    bool fin_ = false;
    unsigned header_bytes_ = 0;
    unsigned char header_[10]{};
};

}  // namespace load
