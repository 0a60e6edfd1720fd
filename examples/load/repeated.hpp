// One message again and again: as it is sent, and as it is due.
#pragma once

#include "wire.hpp"

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>

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

}  // namespace load
