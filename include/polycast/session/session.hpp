#pragma once

#include <polycast/compression/policy.hpp>
#include <polycast/delivery/ledger.hpp>
#include <polycast/event/describe.hpp>
#include <polycast/event/envelope.hpp>
#include <polycast/frame/close_code.hpp>
#include <polycast/frame/opcode.hpp>
#include <polycast/message/assembler.hpp>
#include <polycast/outbox/outbox.hpp>
#include <polycast/room/registry.hpp>
#include <polycast/session/arrival.hpp>
#include <polycast/session/handle.hpp>
#include <polycast/session/merging.hpp>
#include <polycast/session/outcome.hpp>
#include <polycast/session/room_to_send.hpp>
#include <polycast/session/tally.hpp>
#include <polycast/session/windows.hpp>

#include <array>
#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace polycast::inline v0 {

/// Why a session ended, as the application's `closed` is told.
struct close_info {
    close_code code = close_code::abnormal;  ///< 1006 if the connection was lost without a close frame
    std::string reason{};
    bool by_peer = false;
};

/// What a session has done so far.
struct session_record {
    std::uint64_t messages_in = 0;
    std::uint64_t messages_out = 0;
    std::uint64_t bytes_in = 0;   ///< on the wire
    std::uint64_t bytes_out = 0;  ///< accepted for the wire
    std::uint32_t errors = 0;
    /// Moving average of heartbeat answers (weight 0.1); 0: none yet.
    std::chrono::duration<std::uint32_t, std::micro> round_trip{0};
};

namespace detail {

template <class App, class C>
class shard;
template <class C>
struct posted;
template <class Shard, class Sessions, class C>
void fan_out(Shard& shard, Sessions const& to, posted<C> const& p, sent& result);
template <class Shard>
class output;
template <class Shard>
class direct_output;
template <class Shard>
class packing;
template <class Shard>
class pressure;
template <class Shard>
class merging;
template <class Shard>
class input;
template <class Shard>
class staging;
template <class Shard>
class keeping;
template <class Shard>
class ending;
template <class Shard>
class notices;
template <class Shard>
class logbook;
template <class Shard>
struct greeting;
template <class Shard, class Answers>
struct joining;
template <class Shard>
struct opening;
template <class Shard>
struct inbound;
template <class Shard>
struct keepalive;

/// Where a session keeps what its reliable delivery remembers: behind a pointer that `$open` sets.
struct no_ledger {
    explicit constexpr operator bool() const noexcept { return false; }
};
template <class Delivery>
using ledger_of = std::conditional_t<Delivery::resumes, std::unique_ptr<ledger>, no_ledger>;

/// Only a session that is kept outlives a connection.
template <class Delivery>
using parting_of = std::conditional_t<Delivery::resumes, std::unique_ptr<close_info>, no_ledger>;

enum class phase : std::uint8_t {
    handshake,  ///< the request is being read
    greeting,   ///< a subprotocol was agreed: nothing is sent before the client's first message (WIRE)
    moving,     ///< the connection resumes a session, and is about to go there
    open,
    closing,    ///< our close frame follows what is queued; the peer's is awaited
    draining,   ///< nothing more is wanted from the peer; what is queued still leaves
    lingering,  ///< our end is shut; what the peer sends is thrown away until it ends too
    away,       ///< the connection has gone, and another may resume the session
    dead,       ///< to be erased at the end of the turn
};

}  // namespace detail

/// One client, as handlers see it: a connection, or, with `delivery::at_least_once`, the connections that resume one
/// another. Valid inside a handler, on its shard's thread; elsewhere keep `handle()`. Every emission says what became of it
/// (`outcome`, `sent`).
template <class App, class C>
class session {
public:
    using shard_type = detail::shard<App, C>;
    using stream = typename C::transport::stream;

    template <class Key>
    session(Key key, shard_type& owner, stream&& connected)
        : shard_(&owner), handle_{static_cast<std::uint8_t>(owner.index()), key.slot & 0xFF'FFFF, key.generation},
          stream_(std::move(connected))
    {
    }
    session(session const&) = delete;

    /// Sends an event to this connection.
    template <event Event>
    outcome emit(Event const& event)
    {
        if constexpr (std::same_as<Event, message>)
            return send(event.payload, event.op);
        else
            return shard_->emit_to(*this, event);
    }
    /// Sends a message as it is, outside of events.
    outcome send(std::string_view payload, opcode op = opcode::text) { return shard_->send_to(*this, payload, op); }

    /// Puts this session into a room, which begins to exist with its first member. False if it was in it already.
    bool join(std::string_view room)
        requires C::isolation::reaches_rooms
    {
        shard_->take_mail();  // what was emitted to the room before is not for a later member
        if (!is_open() || !shard_->rooms().join(*this, room))
            return false;
        shard_->log().joined(*this, room);
        return true;
    }
    [[nodiscard]] bool is_member(std::string_view room) const
        requires C::isolation::reaches_rooms
    {
        return shard_->rooms().contains(*this, room);
    }
    /// False if it was not in it.
    bool leave(std::string_view room)
        requires C::isolation::reaches_rooms
    {
        shard_->take_mail();  // what was emitted to the room before still arrives
        if (!shard_->rooms().leave(*this, room))
            return false;
        shard_->log().left(*this, room);
        return true;
    }
    /// The members of a room: `to_room("lobby").emit(event)`, `.except(handle)` leaves one out. Where the isolation
    /// policy does not let clients join freely, only a member may emit to a room; others get `outcome::refused`.
    [[nodiscard]] auto to_room(std::string_view room)
        requires C::isolation::reaches_rooms
    {
        bool const allowed = C::isolation::clients_join_freely || shard_->rooms().contains(*this, room);
        return shard_->to_room(room, allowed);
    }
    /// An emitter for any thread that reaches this session's user (all of its connections), or this session alone if
    /// it has no user.
    [[nodiscard]] auto emitter() const { return shard_->scoped_to(*this); }

    /// Closes after what is queued: close frame, the peer's answer, end of stream; with a deadline. `closed` follows.
    void close(close_code code = close_code::normal, std::string_view reason = {})
    {
        shard_->ends().close(*this, code, reason);
    }

    [[nodiscard]] polycast::handle handle() const noexcept { return handle_; }
    /// Empty for a connection whose user is not known.
    [[nodiscard]] std::string_view user() const noexcept { return user_; }
    /// How its client names it when it resumes: a secret between the two. Empty for a session that is not kept.
    [[nodiscard]] std::string_view name() const noexcept
    {
        if constexpr (C::delivery::resumes)
            if (ledger_)
                return ledger_->name;
        return {};
    }
    [[nodiscard]] std::string address() const { return stream_.peer_address(); }
    /// Whom the peer's certificate proves it to be (`tls::stream::peer_certificate_subject`); empty if it has none.
    [[nodiscard]] std::string peer_name() const
        requires C::transport::secure
    {
        return stream_.peer_certificate_subject();
    }
    /// True while it takes events: from `opened` to `closed`, also while it has no connection.
    [[nodiscard]] bool is_open() const noexcept { return takes_events(); }
    /// True while what is emitted can be written at once.
    [[nodiscard]] bool is_connected() const noexcept { return phase_ == detail::phase::open; }
    [[nodiscard]] session_record const& record() const noexcept { return record_; }
    /// What became of the events published to this session.
    [[nodiscard]] polycast::tally tally() const noexcept
    {
        polycast::tally t{counts_.published, counts_.delivered, counts_.coalesced, counts_.dropped, box_.events()};
        if constexpr (C::delivery::resumes)
            if (ledger_)
                t.pending += ledger_->unresolved();
        return t;
    }
    /// True for a session of an earlier process, which a durable log has kept.
    [[nodiscard]] bool is_restored() const noexcept { return restored_; }
    /// `co_await session.room_to_send()`: waits until less than half of the outbox is taken. False: the session ended.
#if defined(__cpp_lib_coroutine)
    [[nodiscard]] room_awaiter<session> room_to_send() noexcept { return room_awaiter<session>(*this); }
#endif
    /// Bytes that wait to be written.
    [[nodiscard]] std::size_t queued_bytes() const noexcept { return box_.queued_bytes(); }
    [[nodiscard]] std::chrono::steady_clock::time_point opened_at() const noexcept { return opened_at_; }

    /// For `group_registry`: this session's rooms and its user.
    typename group_registry<session>::memberships groups{};

private:
    friend shard_type;
    friend class room_awaiter<session>;
    template <class Shard, class Sessions, class D>
    friend void detail::fan_out(Shard&, Sessions const&, detail::posted<D> const&, sent&);
    template <class>
    friend class detail::output;
    template <class>
    friend class detail::direct_output;
    template <class>
    friend class detail::packing;
    template <class>
    friend class detail::pressure;
    template <class>
    friend class detail::merging;
    template <class>
    friend class detail::input;
    template <class>
    friend class detail::staging;
    template <class>
    friend class detail::keeping;
    template <class>
    friend class detail::ending;
    template <class>
    friend class detail::notices;
    template <class>
    friend class detail::logbook;
    template <class>
    friend struct detail::greeting;
    template <class, class>
    friend struct detail::joining;
    template <class>
    friend struct detail::opening;
    template <class>
    friend struct detail::inbound;
    template <class>
    friend struct detail::keepalive;
    using time_point = std::chrono::steady_clock::time_point;

    /// Whether the session outlives its connection.
    [[nodiscard]] bool is_kept() const noexcept
    {
        if constexpr (C::delivery::resumes)
            return ledger_ && !ledger_->final;
        else
            return false;
    }
    [[nodiscard]] bool counts_events() const noexcept { return static_cast<bool>(ledger_); }
    [[nodiscard]] bool takes_events() const noexcept
    {
        return phase_ == detail::phase::open || (phase_ > detail::phase::open && phase_ != detail::phase::dead && is_kept());
    }
    [[nodiscard]] bool has_connection() const noexcept
    {
        return phase_ != detail::phase::away && phase_ != detail::phase::dead;
    }
    [[nodiscard]] bool has_room() const noexcept
    {
        return box_.queued_bytes() <= shard_->options().max_outbox_bytes / 2 &&
               box_.events() <= shard_->options().max_outbox_events / 2;
    }
    void add_waiter(detail::room_waiter& w) noexcept
    {
        w.next = waiting_;
        waiting_ = &w;
    }
    /// Whoever waits for room goes on, and may wait again.
    void wake_producers(bool open)
    {
        for (auto* w = std::exchange(waiting_, nullptr); w != nullptr;) {
            auto* const next = w->next;  // the waiter goes with its coroutine
            w->open = open;
            w->go_on();
            w = next;
        }
    }

    /// What is to be queued for many touches each; a hint for one that comes soon.
    void prefetch() const noexcept
    {
        __builtin_prefetch(this);
        __builtin_prefetch(&box_);
        __builtin_prefetch(&counts_);
    }

    shard_type* shard_;
    polycast::handle handle_;
    detail::phase phase_ = detail::phase::handshake;
    std::uint8_t profile_ = 0;
    lane_mask due_ = 0;            ///< lanes that may be written now
    bool reading_ : 1 = false;     ///< a wait for bytes is pending, or they are being read
    bool blocked_ : 1 = false;     ///< a wait for room is pending
    bool plain_ : 1 = true;        ///< no subprotocol was agreed
    bool ping_pending_ : 1 = false;
    bool held_ : 1 = false;        ///< the lanes wait for the connection that will resume the session
    bool restored_ : 1 = false;    ///< by a durable log
    bool unknown_ : 1 = false;     ///< what its `$open` wants to resume is not here
    bool dirty_ = false;           ///< will be flushed at the end of the turn
    bool close_sent_ = false;      ///< or owed
    bool close_owed_ = false;      ///< follows when the lanes are empty
    bool counted_ = false;         ///< in the directory
    bool admitted_ = false;        ///< `opened` was called: `closed` is owed
    bool ended_ = false;           ///< it takes no more events; `closed` has been or will be called
    std::uint8_t connection_ : 7 = 0;  ///< changes with it: completions of the one before are not for this one
    std::uint8_t misses_ = 0;
    close_code close_code_ = close_code::normal;
    // What each emission touches lies together.
    stream stream_;
    outbox box_{};
    [[no_unique_address]] detail::ledger_of<typename C::delivery> ledger_{};
    [[no_unique_address]] detail::mergeable_of<C> mergeable_{};
    detail::event_counts counts_{};
    session_record record_{};
    time_point active_at_{};
    assembler<role::server> assembler_{};
    [[no_unique_address]] detail::context_of<typename C::compression> context_{};  ///< of `deflate<dedicated>`
    [[no_unique_address]] detail::parting_of<typename C::delivery> parting_{};  ///< how a kept one's connection is ending
    std::unique_ptr<std::string> head_{};  ///< of the request, while incomplete; then the reason of our close
    std::string user_{};
    detail::room_waiter* waiting_ = nullptr;
    time_point opened_at_{};
    time_point due_at_{};  ///< open: the pending ping was sent, or the next is due; else the deadline of the phase
    detail::window_serials<typename C::batching> windows_{};
};

}  // namespace polycast::inline v0
