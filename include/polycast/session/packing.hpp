#pragma once

#include <polycast/compression/policy.hpp>
#include <polycast/detail/byte_buffer.hpp>
#include <polycast/frame/opcode.hpp>
#include <polycast/observer/policy.hpp>
#include <polycast/outbox/encode.hpp>
#include <polycast/outbox/outbox.hpp>

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>

namespace polycast::inline v0::detail {

/// A message on its way to one session.
struct outgoing {
    std::string_view payload;
    opcode op;
    bool is_event;
    bool packed = false;  ///< compressed: what follows is what the frame says
    bool rsv1 = false;
};

/// Compresses what is for one session alone. What is for many was compressed before, once a form (`encode.hpp`).
template <class Shard>
class packing {
public:
    using session_type = typename Shard::session_type;
    using C = typename Shard::composition_type;
    using compression = typename C::compression;

    explicit packing(Shard& shard) noexcept : shard_(shard) {}

    /// Compresses `message` if `s` agreed on a form for it and gains by it; its payload is then here, until the next
    /// call. What remembers the connection compresses in the order of the wire: now if it leaves now, else in
    /// `compress_due`.
    void pack([[maybe_unused]] session_type& s, outgoing& message, [[maybe_unused]] bool leaves_now)
    {
        if constexpr (compression::keeps_context)
            if (s.context_) {
                packed_.clear();
                if (leaves_now && s.context_->compress(packed_, message.payload))
                    packed(message, compression::context_form);
                return;
            }
        if constexpr (compression::forms != 0) {
            auto const form = s.profile_;
            if (form == plain_profile ||
                (!message.is_event && compression::kind(form) != polycast::compression::form_kind::extension))
                return;
            packed_.clear();
            if (shard_.codec().compress(form, packed_, message.payload))
                packed(message, form);
        }
    }
    /// For a session whose compression remembers: takes due messages in the order they will have on the wire, and puts
    /// their compressed form above the lanes, where nothing overtakes it. A good write at a time; true if some were.
    [[nodiscard]] bool compress_due([[maybe_unused]] session_type& s, [[maybe_unused]] node_pool& nodes)
    {
        std::size_t taken = 0;
        if constexpr (compression::keeps_context) {
            lane_mask const due = s.due_ & static_cast<lane_mask>(~control_only);
            while (s.context_ && taken < good_write_bytes) {
                auto const queue = s.box_.next(due);
                if (queue == outbox::queue_count)
                    break;
                auto* const node = s.box_.pop(queue);
                frame_ref frame = std::move(node->frame);
                nodes.give_back(node);
                s.box_.count_out(frame->wire_bytes());
                taken += frame->wire_bytes();
                outgoing message{frame->payload(), frame->op(), true};
                pack(s, message, true);
                if (message.packed)
                    frame = shared_frame::message(message.op, message.payload, message.rsv1);
                s.box_.push(nodes, outbox::control, std::move(frame));
            }
        }
        return taken != 0;
    }

private:
    static constexpr std::size_t good_write_bytes = 256 * 1024;

    void packed(outgoing& message, std::uint8_t form)
    {
        compressed_framing<compression> const framing(form, message.op);
        message = {packed_.view(), framing.op, message.is_event, true, framing.rsv1};
        shard_.observe().count(metric::compressions, 1);
    }

    Shard& shard_;
    byte_buffer packed_;
};

}  // namespace polycast::inline v0::detail
