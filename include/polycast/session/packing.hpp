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
    bool is_event;        ///< or control: an object of the serializer
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
    /// call. What remembers the connection compresses in the order of the wire: now if it leaves now, else when it
    /// is staged.
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
    /// Whether a plain frame can be told from a compressed one by who reads it: not where both are binary.
    [[nodiscard]] static bool tells_plain([[maybe_unused]] session_type const& s) noexcept
    {
        if constexpr (compression::forms != 0 && C::serializer::frame_opcode == opcode::binary)
            return s.profile_ == plain_profile || compression::kind(s.profile_) != polycast::compression::form_kind::token;
        else
            return true;
    }
    /// What is written to `s` for `frame`: itself, or what it carries, as `s` has it now.
    [[nodiscard]] frame_ref fitted(session_type& s, frame_ref frame)
    {
        if (fits(s, *frame))
            return frame;
        outgoing message = unpacked(*frame);
        pack(s, message, true);
        auto made = shared_frame::message(message.op, message.payload, message.rsv1);
        if (message.packed)
            made->set_form(s.profile_);
        else if (frame->joinable())
            made->mark_joinable();
        return made;
    }
    /// Whether `frame` can be written to `s` as it is. It was made for the profile that `s` had when it was emitted.
    [[nodiscard]] bool fits([[maybe_unused]] session_type const& s, [[maybe_unused]] shared_frame const& frame) const noexcept
    {
        if constexpr (compression::keeps_context)
            if (s.context_)
                return false;
        if constexpr (compression::forms != 0)
            return frame.form() == s.profile_ ||
                   (frame.form() == plain_profile && !frame.coalesces() && tells_plain(s));
        return true;
    }
    /// False for a frame of an earlier process, whose compression this one has not.
    [[nodiscard]] bool can_unpack([[maybe_unused]] shared_frame const& frame)
    {
        if constexpr (compression::forms != 0)
            if (auto const form = frame.form(); form != plain_profile) {
                unpacked_.clear();
                return form <= compression::forms &&
                       !shard_.codec().decompress(form, unpacked_, frame.payload(), ~std::size_t{0} >> 2);
            }
        return frame.form() == plain_profile;
    }
    /// What `frame` carries, before compression; in the frame, or here until the next call.
    [[nodiscard]] outgoing unpacked(shared_frame const& frame)
    {
        outgoing message{frame.payload(), frame.op(), true};
        if constexpr (compression::forms != 0)
            if (auto const form = frame.form(); form != plain_profile) {
                unpacked_.clear();
                // This end made it: it is as long as it was.
                static_cast<void>(shard_.codec().decompress(form, unpacked_, frame.payload(), ~std::size_t{0} >> 2));
                message.payload = unpacked_.view();
                if (compression::kind(form) == polycast::compression::form_kind::token)
                    message.op = C::serializer::frame_opcode;
            }
        return message;
    }

private:
    void packed(outgoing& message, std::uint8_t form)
    {
        compressed_framing<compression> const framing(form, message.op);
        message = {packed_.view(), framing.op, message.is_event, true, framing.rsv1};
        shard_.observe().count(metric::compressions, 1);
    }

    Shard& shard_;
    byte_buffer packed_;
    byte_buffer unpacked_;
};

}  // namespace polycast::inline v0::detail
