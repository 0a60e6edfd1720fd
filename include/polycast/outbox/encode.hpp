#pragma once

#include <polycast/compression/policy.hpp>
#include <polycast/detail/byte_buffer.hpp>
#include <polycast/frame/opcode.hpp>
#include <polycast/observer/policy.hpp>
#include <polycast/outbox/coalescing.hpp>
#include <polycast/outbox/shared_frame.hpp>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <system_error>

namespace polycast::inline v0::detail {

/// A profile is a form of the compression policy; 0 is what the serializer wrote, as it is.
inline constexpr std::uint8_t plain_profile = 0;
template <class C>
inline constexpr std::size_t profile_count = 1 + C::compression::forms;

/// One event in each form that some session needs; a null reference is a form that nobody does.
template <class C>
using encoded = std::array<frame_ref, profile_count<C>>;

/// How a message of kind `op` is framed once it is compressed in `form`.
template <class Compression>
struct compressed_framing {
    bool rsv1;
    opcode op;
    compressed_framing(std::uint8_t form, opcode plain) noexcept
        : rsv1(Compression::kind(form) == compression::form_kind::extension), op(rsv1 ? plain : opcode::binary)
    {
    }
};

/// Which profiles are in use: a shard raises and lowers, any thread that encodes reads. Sessions only ever join the
/// audience of an emission after they are counted here.
template <class C>
class profile_use {
public:
    void raise(std::uint8_t profile) noexcept { use_[profile].fetch_add(1, std::memory_order_acq_rel); }
    void lower(std::uint8_t profile) noexcept { use_[profile].fetch_sub(1, std::memory_order_acq_rel); }
    [[nodiscard]] bool any(std::size_t profile) const noexcept
    {
        return use_[profile].load(std::memory_order_acquire) != 0;
    }

private:
    std::array<std::atomic<std::uint32_t>, profile_count<C>> use_{};
};

/// Memory that a thread encodes into before the size of an event is known.
inline byte_buffer& encode_scratch()
{
    thread_local byte_buffer buffer;
    buffer.clear();
    return buffer;
}

/// Makes `out[f]` of `payload` for each form `f` that is `wanted`; one that does not compress it has the plain frame, made
/// by `plain()` if nobody else wanted it.
template <class C, class Wanted, class Plain, class Count>
void compress_forms([[maybe_unused]] encoded<C>& out, [[maybe_unused]] typename C::compression const& codec,
                    [[maybe_unused]] std::string_view payload, [[maybe_unused]] opcode op,
                    [[maybe_unused]] Wanted wanted, [[maybe_unused]] Plain plain, [[maybe_unused]] Count count)
{
    if constexpr (C::compression::forms != 0) {
        thread_local byte_buffer packed;
        for (std::uint8_t form = 1; form < profile_count<C>; ++form) {
            if (!wanted(form))
                continue;
            packed.clear();
            if (codec.compress(form, packed, payload)) {
                count(metric::compressions);
                compressed_framing<typename C::compression> const framing(form, op);
                out[form] = shared_frame::message(framing.op, packed.view(), framing.rsv1);
                out[form]->set_form(form);
            } else {
                out[form] = out[plain_profile] ? out[plain_profile] : plain();
            }
        }
    }
}

/// Calls `wanted(profile)` and makes a frame for each that is: one serialisation, one compression, however many
/// receivers. `count(metric)` is told. An event that does not encode leaves `out` empty and returns why.
template <class C, class Head, class Event, class Wanted, class Count>
[[nodiscard]] std::error_code encode_event(encoded<C>& out, typename C::compression const& codec, Head const& head,
                                           Event const& event, Wanted wanted, Count count)
{
    using serializer = typename C::serializer;
    byte_buffer& text = encode_scratch();
    if constexpr (coalesces_with<serializer, Event>) {
        // As it is for everybody, until it is written: it may have become part of another by then.
        encoded_span appended;
        if (std::error_code const ec = serializer::encode(text, head, event, &appended))
            return ec;
        count(metric::encodes);
        auto const frame = make_coalescing_frame<serializer>(head, event, text.view(), appended);
        frame->mark_joinable();
        out.fill(frame);
        return {};
    } else if (std::error_code const ec = serializer::encode(text, head, event)) {
        return ec;
    }
    count(metric::encodes);
    auto const plain = [&] {
        auto frame = shared_frame::message(serializer::frame_opcode, text.view());
        frame->mark_joinable();
        return frame;
    };
    if (wanted(plain_profile))
        out[plain_profile] = plain();
    compress_forms<C>(out, codec, text.view(), serializer::frame_opcode, wanted, plain, count);
    return {};
}

/// The same for a message that is no event. A form that is negotiated by a subprotocol is for events only.
template <class C, class Wanted, class Count>
[[nodiscard]] encoded<C> encode_message(typename C::compression const& codec, std::string_view payload, opcode op,
                                        Wanted wanted, Count count)
{
    encoded<C> out;
    out.fill(shared_frame::message(op, payload));
    if constexpr (C::compression::has_extension)
        compress_forms<C>(
            out, codec, payload, op,
            [&](std::uint8_t form) {
                return C::compression::kind(form) == compression::form_kind::extension && wanted(form);
            },
            [&] { return out[plain_profile]; }, count);
    return out;
}

}  // namespace polycast::inline v0::detail
