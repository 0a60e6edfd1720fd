#pragma once

#include <polycast/detail/byte_buffer.hpp>
#include <polycast/frame/opcode.hpp>
#include <polycast/session/client_intake.hpp>
#include <polycast/session/outcome.hpp>

#include <cstddef>
#include <cstring>
#include <string_view>
#include <utility>
#include <vector>

namespace polycast::inline v0::detail {

/// A message as a client stores it.
struct client_entry {
    std::string_view payload;
    opcode op;
    bool is_event;  ///< may be compressed
};

/// What stands before a message in memory.
struct client_record {
    std::size_t bytes;
    opcode op;
    bool is_event;
};

/// The messages that a client has yet to send, whole and unmasked: they outlive the connection. A message leaves only
/// when the transport has taken its last byte; what a lost connection took in part is sent again, whole, on the next.
/// Any thread puts messages in, the loop's thread takes them out.
template <class = void>
class basic_client_outbox : public client_intake<client_record> {
public:
    using entry = client_entry;
    using client_intake::client_intake;

    /// From any thread; as `client_intake::push`.
    template <class Wake>
    outcome push(entry const& message, Wake&& wake)
    {
        client_record const head{message.payload.size(), message.op, message.is_event};
        return client_intake::push(head, message.payload, std::forward<Wake>(wake));
    }

    // The rest is for the loop's thread.

    /// Whether a connection takes messages. Without one, what was handed out and not settled is to be sent again.
    void set_connected(bool is)
    {
        connected(is);
        handed_out_ = settled_;
        forget_under_way();
    }
    /// Appends messages to `wire`, which is empty or holds what does not come from here, as `encode(wire, entry)` does,
    /// until `enough_bytes` are there. Everything handed out before is settled. To be called until nothing comes: only
    /// then does the next message wake the loop.
    template <class Encode>
    void fill(byte_buffer& wire, std::size_t enough_bytes, Encode&& encode)
    {
        if (handed_out_ == taken_.size()) {
            taken_.clear();
            handed_out_ = settled_ = 0;
            take(taken_);
        }
        while (handed_out_ < taken_.size() && wire.size() < enough_bytes) {
            client_record head;
            std::memcpy(&head, taken_.data() + handed_out_, sizeof head);
            encode(wire, entry{{taken_.data() + handed_out_ + sizeof head, head.bytes}, head.op, head.is_event});
            handed_out_ += sizeof head + head.bytes;
            under_way_.push_back({wire.size(), handed_out_});
        }
    }
    /// The transport has taken the first `written` bytes of `wire`.
    void settle(std::size_t written)
    {
        std::size_t count = 0;
        std::size_t const before = settled_;
        while (first_ != under_way_.size() && under_way_[first_].wire_end <= written) {
            settled_ = under_way_[first_++].taken_end;
            ++count;
        }
        if (count == 0)
            return;
        if (first_ == under_way_.size())
            forget_under_way();
        release(settled_ - before, count);
    }

private:
    struct mark {
        std::size_t wire_end;
        std::size_t taken_end;
    };

    void forget_under_way() noexcept
    {
        under_way_.clear();
        first_ = 0;
    }

    byte_buffer taken_;
    std::size_t settled_ = 0;     // of taken_: the transport has it
    std::size_t handed_out_ = 0;  // of taken_: encoded into the wire buffer
    std::vector<mark> under_way_;
    std::size_t first_ = 0;  // of under_way_: those before it are settled
};
using client_outbox = basic_client_outbox<>;

}  // namespace polycast::inline v0::detail
