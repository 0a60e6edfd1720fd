#pragma once

#include <polycast/observer/policy.hpp>
#include <polycast/outbox/coalescing.hpp>
#include <polycast/outbox/outbox.hpp>
#include <polycast/serializer/policy.hpp>
#include <polycast/session/tally.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>
#include <vector>

namespace polycast::inline v0::detail {

/// The events in a session's lanes that a later one of their subject may take along. A few at a time: subjects are runs
/// and charts, and what is written is not here any more. The oldest give way.
template <class = void>
class basic_mergeable {
public:
    struct entry {
        std::uint64_t hash;
        frame_node* node;
        std::uint8_t queue;
        std::uint64_t room;  ///< whose texts must not pass a later event of it; 0: none
    };
    static constexpr std::size_t most = 64;

    void add(entry const& e)
    {
        if (entries_.size() == most)
            entries_.erase(entries_.begin());
        entries_.push_back(e);
    }
    /// The one of `frame`'s subject in that queue, or none.
    [[nodiscard]] frame_node* find(shared_frame const& frame, std::size_t queue) const noexcept
    {
        auto const hash = subject_hash(frame);
        for (std::size_t i = entries_.size(); i-- > 0;)
            if (entries_[i].hash == hash && entries_[i].queue == queue && same_subject(*entries_[i].node->frame, frame))
                return entries_[i].node;
        return nullptr;
    }
    void forget(frame_node const* node) noexcept
    {
        for (std::size_t i = entries_.size(); i-- > 0;)
            if (entries_[i].node == node) {
                entries_.erase(entries_.begin() + static_cast<std::ptrdiff_t>(i));
                return;
            }
    }
    void clear() noexcept { entries_.clear(); }
    void forget_room(std::uint64_t room)
    {
        std::erase_if(entries_, [room](entry const& e) { return e.room == room; });
    }
    [[nodiscard]] bool empty() const noexcept { return entries_.empty(); }

private:
    std::vector<entry> entries_;
};
using mergeable = basic_mergeable<>;

/// Events merge, messages do not: they have no subject.
struct no_mergeable {
    explicit constexpr operator bool() const noexcept { return false; }
};
template <class C>
using mergeable_of = std::conditional_t<has_envelope<typename C::serializer>, std::unique_ptr<mergeable>, no_mergeable>;

/// Coalesces what waits for a session: an event that has an older one of its subject in its lane takes that along and
/// stands where it would have stood alone, so it never goes before what was emitted before it. In a room with a history a
/// text does not go behind another event of the room either: who loses its connection between the two would ask for what
/// comes after the other's offset.
template <class Shard>
class merging {
public:
    using session_type = typename Shard::session_type;
    using C = typename Shard::composition_type;

    merging(Shard& shard, node_pool& nodes) noexcept : shard_(shard), nodes_(nodes) {}

    /// What is to be queued for an emitted frame: itself, or with an older one that waits in the same queue.
    struct plan {
        frame_ref both{};             ///< of the two that were merged; else the emitted frame stands alone
        frame_node* taken = nullptr;  ///< the older one: it goes when the frame is queued
        /// How much more waits by it, if the emitted frame has `bytes`.
        [[nodiscard]] std::size_t more_bytes(std::size_t bytes) const noexcept
        {
            if (taken == nullptr)
                return bytes;
            auto const before = taken->frame->wire_bytes();
            auto const after = both->wire_bytes();
            return after > before ? after - before : 0;
        }
        [[nodiscard]] std::size_t more_events() const noexcept { return taken == nullptr ? 1 : 0; }
    };
    [[nodiscard]] plan merge([[maybe_unused]] session_type& s, [[maybe_unused]] frame_ref const& frame,
                             [[maybe_unused]] std::size_t queue, [[maybe_unused]] urgency const& u)
    {
        if constexpr (has_subjects) {
            if (!frame->coalesces() || !s.mergeable_ || u.alone)
                return {};
            frame_node* const older = s.mergeable_->find(*frame, queue);
            if (older == nullptr)
                return {};
            if (auto both = merger_.merge(older->frame, frame))
                return {std::move(both), older};
            s.mergeable_->forget(older);  // nothing may be merged with it any more: it would overtake this one
        }
        return {};
    }
    /// `older` has become part of another.
    void taken(session_type& s, frame_node* older, std::size_t queue)
    {
        if constexpr (has_subjects)
            s.mergeable_->forget(older);
        s.box_.remove(queue, older);
        shard_.log().forgotten(s, *older);
        nodes_.give_back(older);
        ++s.counts_.coalesced;
        shard_.observe().count(metric::coalesced, 1);
    }
    /// Without memory for it, it stands alone.
    void queued([[maybe_unused]] session_type& s, [[maybe_unused]] frame_node* node, [[maybe_unused]] std::size_t queue,
                [[maybe_unused]] urgency const& u) noexcept
    try {
        if constexpr (has_subjects) {
            if (u.room != 0 && s.mergeable_)
                s.mergeable_->forget_room(u.room);
            if (!node->frame->coalesces() || u.alone)
                return;
            if (!s.mergeable_)
                s.mergeable_ = std::make_unique<mergeable>();
            s.mergeable_->add({subject_hash(*node->frame), node, static_cast<std::uint8_t>(queue),
                               how_coalesces(*node->frame) == coalesce::append ? u.room : 0});
        }
    } catch (std::bad_alloc const&) {
    }
    /// It left its lane.
    static void left([[maybe_unused]] session_type& s, [[maybe_unused]] frame_node const& node) noexcept
    {
        if constexpr (has_subjects)
            if (s.mergeable_ && node.frame->coalesces())
                s.mergeable_->forget(&node);
    }
    static void clear([[maybe_unused]] session_type& s) noexcept
    {
        if constexpr (has_subjects)
            if (s.mergeable_)
                s.mergeable_->clear();
    }

private:
    static constexpr bool has_subjects = has_envelope<typename C::serializer>;

    Shard& shard_;
    node_pool& nodes_;
    merger<typename C::serializer> merger_;
};

}  // namespace polycast::inline v0::detail
