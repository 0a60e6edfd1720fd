#pragma once

#include <polycast/detail/byte_buffer.hpp>
#include <polycast/frame/opcode.hpp>
#include <polycast/observer/policy.hpp>
#include <polycast/outbox/shared_frame.hpp>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <system_error>

namespace polycast::inline v0::detail {

/// How many forms an event may have on the wire: the serializer's own, and the compressed one if there is any.
template <class C>
inline constexpr std::size_t profile_count = C::compression::compresses ? 2 : 1;

/// The profile of a session: which of the forms it negotiated.
inline constexpr std::uint8_t plain_profile = 0;
inline constexpr std::uint8_t compressed_profile = 1;

/// One event in each form that some session needs; a null reference is a form that nobody does.
template <class C>
using encoded = std::array<frame_ref, profile_count<C>>;

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

/// Calls `wanted(profile)` and makes a frame for each that is: one serialisation, one compression, however many
/// receivers. `count(metric)` is told. An event that does not encode leaves `out` empty and returns why.
template <class C, class Head, class Event, class Wanted, class Count>
[[nodiscard]] std::error_code encode_event(encoded<C>& out, Head const& head, Event const& event, Wanted wanted,
                                           Count count)
{
    using serializer = typename C::serializer;
    byte_buffer& text = encode_scratch();
    if (std::error_code const ec = serializer::encode(text, head, event))
        return ec;
    count(metric::encodes);
    if (wanted(plain_profile)) {
        out[plain_profile] = shared_frame::message(serializer::frame_opcode, text.view());
        out[plain_profile]->mark_joinable();
    }
    if constexpr (C::compression::compresses)
        if (wanted(compressed_profile)) {
            thread_local byte_buffer packed;
            packed.clear();
            C::compression::compress(packed, text.view());
            count(metric::compressions);
            out[compressed_profile] = shared_frame::message(opcode::binary, packed.view());
        }
    return {};
}

/// A message that is no event has one form for everybody.
template <class C>
[[nodiscard]] encoded<C> encode_message(std::string_view payload, opcode op)
{
    encoded<C> out;
    out.fill(shared_frame::message(op, payload));
    return out;
}

}  // namespace polycast::inline v0::detail
