#pragma once

#include <polycast/detail/byte_buffer.hpp>
#include <polycast/event/coalesce.hpp>
#include <polycast/event/envelope.hpp>
#include <polycast/outbox/shared_frame.hpp>
#include <polycast/serializer/json_write.hpp>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <limits>
#include <string_view>
#include <utility>

namespace polycast::inline v0 {

/// Appending makes no larger payload: what a slow reader has to take at once stays bounded.
inline constexpr std::size_t max_merged_bytes = 64 * 1024;

/// Whether frames of `Event` by `Serializer` coalesce. A serializer that cannot join texts, such as `raw`, sends each.
template <class Serializer, class Event>
inline constexpr bool coalesces_with = [] {
    if constexpr (event_coalesce<Event> == coalesce::none)
        return false;
    else
        return requires(detail::byte_buffer& out, envelope_head const& head, Event const& e, encoded_span* appended) {
            Serializer::encode(out, head, e, appended);
            Serializer::join_texts(out, std::string_view(), std::string_view());
        };
}();

namespace detail {

/// One object a type: its address is the type's identity.
struct coalescing_kind {
    coalesce how;
};
template <class Event>
inline constexpr coalescing_kind coalescing_kind_of{event_coalesce<Event>};

/// What stands behind a frame that coalesces, and behind this: the room and the key.
struct coalescing_trailer {
    coalescing_kind const* kind;
    std::uint64_t hash;         ///< of all that makes the subject
    std::uint32_t room_bytes;
    std::uint32_t key_bytes;
    std::uint32_t text_begin;   ///< the encoded text, in the payload
    std::uint32_t text_end;
    bool is_reply;              ///< has an id: somebody waits for this very event
    bool recovered;
};

[[nodiscard]] inline coalescing_trailer trailer_of(shared_frame const& f) noexcept
{
    coalescing_trailer t;
    std::memcpy(&t, f.trailer(), sizeof t);
    return t;
}
[[nodiscard]] inline std::string_view subject_text(shared_frame const& f, coalescing_trailer const& t) noexcept
{
    return {f.trailer() + sizeof t, std::size_t{t.room_bytes} + t.key_bytes};
}

/// The key's fields as JSON values, each behind a comma: different values have different text, wherever they end.
template <class Event>
void write_key(byte_buffer& out, Event const& event)
{
    json_writer writer{out};
    with_fields(event, [&](auto const&... fields) {
        [&]<std::size_t... I>(std::index_sequence<I...>) {
            (
                [&] {
                    if constexpr (is_key<Event, I>) {
                        out.push_back(',');
                        writer.write(fields);
                    }
                }(),
                ...);
        }(std::make_index_sequence<sizeof...(fields)>{});
    });
}

inline byte_buffer& trailer_scratch()
{
    thread_local byte_buffer buffer;
    buffer.clear();
    return buffer;
}

}  // namespace detail

/// The frame of an event that coalesces: `payload` is what `Serializer::encode(out, head, event, &appended)` wrote. An
/// event that does not coalesce gets the same frame without the means to. Any thread; one allocation.
template <class Serializer, class Event>
[[nodiscard]] frame_ref make_coalescing_frame(envelope_head const& head, Event const& event, std::string_view payload,
                                              encoded_span const& appended)
{
    if constexpr (coalesces_with<Serializer, Event>) {
        using detail::coalescing_trailer;
        auto& out = detail::trailer_scratch();
        coalescing_trailer t{};
        out.append(reinterpret_cast<char const*>(&t), sizeof t);  // its place
        out.append(head.room);
        detail::write_key(out, event);
        constexpr std::size_t most = std::numeric_limits<std::uint32_t>::max();
        if (payload.size() > most || out.size() > most)
            return shared_frame::message(Serializer::frame_opcode, payload);
        t.kind = &detail::coalescing_kind_of<Event>;
        t.room_bytes = static_cast<std::uint32_t>(head.room.size());
        t.key_bytes = static_cast<std::uint32_t>(out.size() - sizeof t - head.room.size());
        t.hash = std::hash<std::string_view>{}(out.view().substr(sizeof t)) * 31 + t.room_bytes;
        t.hash = t.hash * 31 + std::hash<void const*>{}(t.kind);
        t.text_begin = static_cast<std::uint32_t>(appended.begin);
        t.text_end = static_cast<std::uint32_t>(appended.end);
        t.is_reply = !head.id_json.empty();
        t.recovered = head.recovered;
        std::memcpy(out.data(), &t, sizeof t);
        return shared_frame::coalescing(Serializer::frame_opcode, payload, out.view());
    } else {
        static_cast<void>(head), static_cast<void>(event), static_cast<void>(appended);
        return shared_frame::message(Serializer::frame_opcode, payload);
    }
}

/// Equal for frames of one subject, mostly different for others. Of a frame that coalesces.
[[nodiscard]] inline std::uint64_t subject_hash(shared_frame const& f) noexcept
{
    return detail::trailer_of(f).hash;
}

/// Of a frame that coalesces.
[[nodiscard]] inline coalesce how_coalesces(shared_frame const& f) noexcept
{
    return detail::trailer_of(f).kind->how;
}

/// Whether both are of one type, room and key, exactly. Of frames that coalesce.
[[nodiscard]] inline bool same_subject(shared_frame const& a, shared_frame const& b) noexcept
{
    auto const of_a = detail::trailer_of(a);
    auto const of_b = detail::trailer_of(b);
    return of_a.hash == of_b.hash && of_a.kind == of_b.kind && of_a.room_bytes == of_b.room_bytes &&
           detail::subject_text(a, of_a) == detail::subject_text(b, of_b);
}

/// What takes the place of two frames of one subject, both by `Serializer`, both as it wrote them: for `append` a new
/// frame, the newer's envelope and fields with the older's text before its own; for `latest` the newer itself. Null if
/// both have to be sent: the appended text would exceed `max_merged_bytes`, somebody waits for the older, which has an id,
/// or only one of them is `recovered`. Nothing may then be merged with the older any more, or it would overtake the newer.
template <class Serializer>
[[nodiscard]] frame_ref merged(frame_ref const& older, frame_ref const& newer)
{
    auto const before = detail::trailer_of(*older);
    auto t = detail::trailer_of(*newer);
    if (before.is_reply || before.recovered != t.recovered)
        return {};
    if (t.kind->how == coalesce::latest)
        return newer;
    if constexpr (requires(detail::byte_buffer& out) { Serializer::join_texts(out, "", ""); }) {
        auto const text = older->payload().substr(before.text_begin, before.text_end - before.text_begin);
        auto const payload = newer->payload();
        constexpr std::size_t most_saved = 5;  // one pair of quotes, or one size, instead of two
        if (payload.size() + text.size() > max_merged_bytes + most_saved)
            return {};
        thread_local detail::byte_buffer out;
        out.clear();
        out.append(payload.substr(0, t.text_begin));
        Serializer::join_texts(out, text, payload.substr(t.text_begin, t.text_end - t.text_begin));
        auto const text_end = out.size();
        out.append(payload.substr(t.text_end));
        if (out.size() > max_merged_bytes)
            return {};
        t.text_end = static_cast<std::uint32_t>(text_end);
        auto& trailer = detail::trailer_scratch();
        trailer.append(reinterpret_cast<char const*>(&t), sizeof t);
        trailer.append(detail::subject_text(*newer, detail::trailer_of(*newer)));
        auto result = shared_frame::coalescing(newer->op(), out.view(), trailer.view());
        if (newer->joinable())
            result->mark_joinable();
        return result;
    } else {
        return {};
    }
}

/// Remembers its last result: the outboxes of slow readers of one room ask for the same merge one after the other, and
/// share the one frame. One a shard. Holds three frames until `clear()`.
template <class Serializer>
class merger {
public:
    /// As `merged`.
    [[nodiscard]] frame_ref merge(frame_ref const& older, frame_ref const& newer)
    {
        if (older_.get() != older.get() || newer_.get() != newer.get()) {
            result_ = merged<Serializer>(older, newer);
            older_ = older;
            newer_ = newer;
        }
        return result_;
    }
    void clear() noexcept { older_ = newer_ = result_ = {}; }

private:
    frame_ref older_, newer_, result_;
};

}  // namespace polycast::inline v0
