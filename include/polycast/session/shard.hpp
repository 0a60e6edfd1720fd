#pragma once

#include <polycast/detail/byte_buffer.hpp>
#include <polycast/detail/slot_map.hpp>
#include <polycast/message/control.hpp>
#include <polycast/outbox/writer.hpp>
#include <polycast/session/fan_out.hpp>
#include <polycast/session/hooks.hpp>
#include <polycast/session/inbound.hpp>
#include <polycast/session/keepalive.hpp>
#include <polycast/session/opening.hpp>
#include <polycast/session/options.hpp>
#include <polycast/session/port.hpp>
#include <polycast/session/scoped_emitter.hpp>
#include <polycast/session/session.hpp>
#include <polycast/session/windows.hpp>

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace polycast::inline v0::detail {

/// One event loop and all that belongs to it: acceptor, sessions, rooms, scratch memory. Its own thread only, but for
/// what it takes from its mailbox. Nothing in it is locked.
template <class App, class C>
class shard {
public:
    using session_type = session<App, C>;
    using transport_type = typename C::transport;
    using loop_type = typename transport_type::loop;
    using stream = typename transport_type::stream;
    using observer = typename C::observer;
    using port_type = port<C>;
    using app_type = App;
    using composition_type = C;
    using time_point = std::chrono::steady_clock::time_point;
    static constexpr std::chrono::milliseconds window_delay = C::batching::window_delay;

    shard(std::uint32_t index, transport_type const& t, server_options const& options, App& app,
          std::shared_ptr<port_type> const& shared, std::string_view epoch)
        : index_(index), options_(options), app_(app), port_(shared), epoch_(epoch), loop_(t)
    {
        static_cast<void>(read_buffer_.prepare(options.read_buffer_bytes));
    }
    shard(shard const&) = delete;

    // --- what the server calls -------------------------------------------------------------------------------------

    [[nodiscard]] loop_type& loop() noexcept { return loop_; }
    [[nodiscard]] observer const& counts() const noexcept { return observer_; }
    [[nodiscard]] std::uint16_t listening_port() const { return acceptor_.port(); }

    void listen(std::uint16_t port, std::error_code& ec)
    {
        acceptor_.listen({options_.address, port}, {.share_port = options_.shards > 1}, ec);
        if (ec)
            return;
        now_ = loop_.now();
        port_->mailboxes[index_].open(notifier_, options_.max_mailbox_emissions);
        wait_mail();
        accept();
        tick();
    }
    /// On the loop: says goodbye to everybody, and stops the loop when they have gone or the deadline has passed.
    void drain()
    {
        turn_scope const scope(*this);
        if (std::exchange(draining_, true))
            return;
        acceptor_.close();
        accept_again_.cancel();
        sessions_.for_each([this](session_type& s, auto) {
            if (s.phase_ == phase::open) {
                inbound<shard>::say_goodbye(*this, s);
                close(s, close_code::going_away, "the server is stopping");
            } else if (s.phase_ == phase::handshake) {
                kill(s);
            }
        });
        accept_again_.start(options_.drain_timeout, [this] { loop_.stop(); });
        want_turn();
    }
    /// Whatever is left when the loop has ended.
    void abandon()
    {
        sessions_.for_each([this](session_type& s, auto) { kill(s); });
        run_turn();
        observer_.count(metric::gone, port_->mailboxes[index_].close());
    }

    // --- what sessions call ----------------------------------------------------------------------------------------

    [[nodiscard]] group_registry<session_type>& rooms() noexcept { return rooms_; }
    [[nodiscard]] group_registry<session_type>& users() noexcept { return users_; }
    [[nodiscard]] port_type& shared() noexcept { return *port_; }
    [[nodiscard]] std::uint32_t index() const noexcept { return index_; }
    [[nodiscard]] static std::size_t profile(session_type const& s) noexcept { return s.profile_; }
    template <class F>
    void for_each_session(F f)
    {
        sessions_.for_each([&](session_type& s, auto) { f(s); });
    }

    template <class Event>
    outcome emit_to(session_type& s, Event const& event)
    {
        return emit_to(s, event, envelope_head{});
    }
    template <class Event>
    outcome emit_to(session_type& s, Event const& event, envelope_head head)
    {
        if (s.phase_ != phase::open)
            return outcome::gone;
        take_mail();  // what other emitters sent before this must arrive before this
        constexpr lane l = event_lane<Event>;
        if (!event_control<Event>)
            head.timestamp = loop_.wall_now();
        if (writes_directly(s, l))
            return emit_directly(s, event, head, l);
        encoded<C> frames;
        if (encode_event<C>(frames, head, event, [&](std::size_t p) { return p == s.profile_; }, counter()))
            return outcome::refused;
        return enqueue(s, frames[s.profile_], l, event_critical<Event>);
    }

    outcome send_to(session_type& s, std::string_view payload, opcode op)
    {
        if (s.phase_ != phase::open)
            return outcome::gone;
        take_mail();
        if (!writes_directly(s, lane::normal))
            return enqueue(s, shared_frame::message(op, payload), lane::normal, false);
        if (payload.size() + direct_.size() > options_.max_outbox_bytes)
            return over_budget(s, false);
        char* const at = direct_.prepare(max_header_bytes + (payload.size() < gather_above_bytes ? payload.size() : 0));
        auto const header = encode_header(at, {.op = op, .payload_bytes = payload.size()});
        direct_.commit(header);
        count_out(s, header + payload.size());
        if (payload.size() < gather_above_bytes) {
            if (!payload.empty())
                std::memcpy(at + header, payload.data(), payload.size());
            direct_.commit(payload.size());
            return directly_written(s, lane::normal);
        }
        write_directly(s, payload);
        return outcome::queued;
    }

    [[nodiscard]] auto to_room(std::string_view name, bool allowed)
    {
        return local_audience<shard>(*this, name, allowed);
    }
    [[nodiscard]] scoped_emitter<C> scoped_to(session_type const& s) const
    {
        return s.user_.empty() ? scoped_emitter<C>(port_, s.handle_) : scoped_emitter<C>(port_, s.user_);
    }

    void close(session_type& s, close_code code, std::string_view reason)
    {
        if (s.phase_ != phase::open)
            return;
        owe_close(s, code, reason);
        ended(s, {code, std::string(reason), false});
        enter(s, phase::closing, options_.close_timeout);
        s.due_ = all_lanes;
        mark_dirty(s);
    }

    // --- output ----------------------------------------------------------------------------------------------------

    /// Queues a frame for `s` in a lane; the batching policy says when it is written.
    outcome enqueue(session_type& s, frame_ref const& frame, lane l, bool critical)
    {
        if (s.phase_ != phase::open)
            return outcome::gone;
        auto const bytes = frame->wire_bytes();
        if (s.box_.queued_bytes() + bytes > options_.max_outbox_bytes)
            return over_budget(s, critical);
        s.box_.push(nodes_, outbox::queue_of(l), frame);
        count_out(s, bytes);
        switch (C::batching::when(l)) {
        case flush_time::now:
            s.due_ |= mask_of(l);
            flush(s);
            return s.box_.empty() ? outcome::delivered : outcome::queued;
        case flush_time::turn:
            s.due_ |= mask_of(l);
            mark_dirty(s);
            break;
        case flush_time::window:
            if (s.box_.waiting(l) >= C::batching::window_messages) {
                windows_.forget(s.windows_, l);
                s.due_ |= mask_of(l);
                mark_dirty(s);
            } else if (s.box_.waiting(l) == 1) {
                windows_.open(*this, s.handle_, s.windows_, l);
            }
            break;
        }
        return outcome::queued;
    }
    /// Control frames and HTTP answers: above all lanes, exempt from the cap.
    void enqueue_control(session_type& s, std::string_view wire)
    {
        s.box_.push(nodes_, outbox::control, shared_frame::verbatim(std::span<char const>(wire.data(), wire.size())));
        mark_dirty(s);
    }
    void window_closed(handle h, lane l, std::uint32_t serial)
    {
        session_type* const s = find(h);
        if (s == nullptr || !windows_.matches(s->windows_, l, serial))
            return;
        s->due_ |= mask_of(l);
        mark_dirty(*s);
    }

    /// Writes what is due. While the transport is full, only `writable` writes.
    void flush(session_type& s)
    {
        if (direct_owner_ == &s && !direct_.empty())
            write_directly(s);
        if (s.blocked_ || s.phase_ == phase::dead)
            return;
        for (;;) {
            lane_mask const due = s.due_ | control_only;
            switch (writer_.flush(s.box_, s.stream_, due, joined_lanes, nodes_, observer_)) {
            case flushed::failed: kill(s); return;
            case flushed::blocked:
                s.blocked_ = true;
                s.stream_.wait_writable([this, h = s.handle_](std::error_code ec) { writable(h, ec); });
                return;
            case flushed::drained: s.due_ = 0; break;
            }
            if (!std::exchange(s.close_owed_, false))
                break;
            enqueue_control(s, close_frame(s.close_code_, s.head_ ? *s.head_ : std::string()).view());
        }
        if (s.phase_ == phase::draining) {
            s.stream_.shutdown_send();
            enter(s, phase::lingering, options_.close_timeout);
        }
        if (!s.reading_)
            read_on(s);
    }

    // --- the life of a session -------------------------------------------------------------------------------------

    [[nodiscard]] session_type* find(handle h) noexcept { return sessions_.find({h.slot, h.generation}); }

    void enter(session_type& s, phase p, std::chrono::milliseconds limit)
    {
        s.phase_ = p;
        s.deadline_ = now_ + limit;
    }
    /// Nothing more is wanted from the peer. What is queued still leaves, unless `keep_queued` is false.
    void drain_out(session_type& s, bool keep_queued = true)
    {
        if (!keep_queued)
            s.box_.drop_waiting(nodes_);
        enter(s, phase::draining, options_.close_timeout);
        s.due_ = all_lanes;
        mark_dirty(s);
    }
    /// A close frame follows behind everything that is queued, once.
    void owe_close(session_type& s, close_code code, std::string_view reason)
    {
        if (std::exchange(s.close_sent_, true))
            return;
        s.close_owed_ = true;
        s.close_code_ = code;
        s.head_ = std::make_unique<std::string>(reason);
    }
    /// The connection is lost, or has been ended in full.
    void kill(session_type& s)
    {
        if (s.phase_ == phase::dead)
            return;
        ended(s, {close_code::abnormal, "the connection was lost", true});
        s.phase_ = phase::dead;
        s.stream_.close();
        s.box_.clear(nodes_);
        dead_.push_back(s.handle_);
        want_turn();
    }
    /// Once for each opened session: it is no member of anything any more, and `closed` will be called.
    void ended(session_type& s, close_info info)
    {
        if (!std::exchange(s.admitted_, false))
            return;
        port_->alive[index_].set(s.handle_.slot, 0);
        ended_.emplace_back(s.handle_, std::move(info));
        want_turn();
    }
    void admitted(session_type& s)
    {
        s.admitted_ = true;
        port_->profiles.raise(s.profile_);
        port_->alive[index_].set(s.handle_.slot, s.handle_.generation);
        if (!s.user_.empty())
            users_.join(s, s.user_);
        observer_.count(metric::opened, 1);
    }

    /// Fans out what other threads, or other emitters on this one, have posted.
    void take_mail()
    {
        while (!taking_mail_ && port_->mailboxes[index_].any()) {
            taking_mail_ = true;
            port_->mailboxes[index_].take(mail_);
            for (posted<C> const& p : mail_)
                {
                observer_.count(metric::emissions_taken, 1);
                if (fan_out_local(*this, p).receivers == 0)
                    observer_.count(metric::gone, 1);
            }
            mail_.clear();
            taking_mail_ = false;
        }
    }
    /// `count(metric)` for the encoder, on this thread.
    [[nodiscard]] auto counter() noexcept
    {
        return [this](metric m) { observer_.count(m, 1); };
    }

private:
    template <class>
    friend class local_audience;
    template <class>
    friend struct opening;
    template <class>
    friend struct inbound;
    template <class>
    friend struct keepalive;
    template <class>
    friend class windows;

    /// Everything that runs on the loop runs inside one of these: it names the shard for emitters, and at the end takes
    /// the mail and asks for a turn if there is something to flush or to bury.
    class turn_scope {
    public:
        explicit turn_scope(shard& s) noexcept : shard_(s)
        {
            before_ = std::exchange(port_type::current_port(), s.port_.get());
            before_shard_ = std::exchange(port_type::current_shard(), s.index_);
        }
        ~turn_scope()
        {
            shard_.take_mail();
            port_type::current_port() = before_;
            port_type::current_shard() = before_shard_;
        }

    private:
        shard& shard_;
        port_type const* before_;
        std::uint32_t before_shard_;
    };

    static constexpr std::size_t gather_above_bytes = 8 * 1024;
    static constexpr std::size_t write_directly_at_bytes = 256 * 1024;
    static constexpr lane_mask joined_lanes = [] {
        lane_mask m = 0;
        for (lane const l : {lane::high, lane::normal, lane::batch})
            if (C::batching::when(l) == flush_time::window)
                m |= mask_of(l);
        return m;
    }();

    // --- input -----------------------------------------------------------------------------------------------------

    void accept()
    {
        acceptor_.accept([this](std::error_code ec, stream connected) {
            turn_scope const scope(*this);
            if (draining_ || ec == std::errc::operation_canceled)
                return;
            if (ec) {
                // Most likely out of descriptors: those of closing sessions come back.
                accept_again_.start(std::chrono::milliseconds(100), [this] { accept(); });
                return;
            }
            session_type& s = sessions_.emplace(*this, std::move(connected));
            s.opened_at_ = s.active_at_ = now_;
            enter(s, phase::handshake, options_.handshake_timeout);
            read_on(s);
            accept();
        });
    }
    void read_on(session_type& s)
    {
        // A peer that does not take what it asked for is not asked for more.
        if (s.phase_ == phase::dead || s.reading_ || s.box_.queued_bytes() > options_.max_outbox_bytes / 2)
            return;
        s.reading_ = true;
        s.stream_.wait_readable([this, h = s.handle_](std::error_code ec) { readable(h, ec); });
    }
    void readable(handle h, std::error_code ec)
    {
        session_type* const s = find(h);
        if (s == nullptr)
            return;
        turn_scope const scope(*this);
        s->reading_ = false;
        std::size_t count = 0;
        if (!ec)
            count = s->stream_.read_some({read_buffer_.data(), options_.read_buffer_bytes}, ec);
        if (ec) {
            if (!transport::would_block(ec))
                return kill(*s);
        } else {
            s->active_at_ = now_;
            s->record_.bytes_in += count;
            observer_.count(metric::bytes_in, count);
            direct_owner_ = s;
            receive(*s, {read_buffer_.data(), count});
            finish_direct(*s);
        }
        read_on(*s);
    }
    void receive(session_type& s, std::span<char> bytes)
    {
        switch (s.phase_) {
        case phase::handshake: bytes = opening<shard>::receive(*this, s, bytes); break;
        case phase::open:
        case phase::closing: break;
        default: return;
        }
        if (bytes.empty() || (s.phase_ != phase::open && s.phase_ != phase::closing))
            return;
        inbound<shard> sink{*this, s};
        message_limits const limits{options_.max_message_bytes, options_.max_message_bytes};
        if (std::error_code const ec = s.assembler_.consume(bytes, limits, sink))
            fail(s, close_code_for(ec), ec.message());
    }
    /// The peer broke a rule: it is told with a close frame, and nothing else is sent.
    void fail(session_type& s, close_code code, std::string_view reason)
    {
        finish_direct(s);
        if (s.phase_ == phase::dead)
            return;
        ended(s, {code, std::string(reason), false});
        drain_out(s, false);
        owe_close(s, code, reason);
    }
    void writable(handle h, std::error_code ec)
    {
        session_type* const s = find(h);
        if (s == nullptr)
            return;
        turn_scope const scope(*this);
        s->blocked_ = false;
        if (ec)
            return kill(*s);
        flush(*s);
    }

    /// The first bytes of a session that is being read.
    void write_answer(session_type& s, std::string_view wire)
    {
        if (direct_owner_ == &s)
            direct_.append(wire);
    }
    void greet(session_type& s, envelope const& e)
    {
        std::string const name = "s_" + epoch_ + "_" + std::to_string(s.handle_.value());
        control::hello hello;
        hello.session = name;
        hello.epoch = epoch_;
        hello.heartbeat_ms = static_cast<std::uint64_t>(options_.heartbeat.interval.count());
        hello.max_message_bytes = options_.max_message_bytes;
        static_cast<void>(emit_to(s, hello, envelope_head{.id_json = e.id}));
    }

    // --- output of the session that is being read: side by side in one buffer, one write ------------------------------

    [[nodiscard]] bool writes_directly(session_type const& s, lane l) const noexcept
    {
        return direct_owner_ == &s && s.box_.empty() && !s.blocked_ && C::batching::when(l) != flush_time::window;
    }
    template <class Event>
    outcome emit_directly(session_type& s, Event const& event, envelope_head const& head, lane l)
    {
        // The header's length depends on the payload's: leave room for the longest, then close the gap.
        constexpr std::size_t gap = 10;
        auto const start = direct_.size();
        static_cast<void>(direct_.prepare(gap));
        direct_.commit(gap);
        opcode op = C::serializer::frame_opcode;
        bool refused = false;
        if constexpr (C::compression::compresses) {
            if (s.profile_ == compressed_profile) {
                byte_buffer& text = encode_scratch();
                refused = static_cast<bool>(C::serializer::encode(text, head, event));
                if (!refused)
                    C::compression::compress(direct_, text.view());
                observer_.count(metric::compressions, 1);
                op = opcode::binary;
            } else {
                refused = static_cast<bool>(C::serializer::encode(direct_, head, event));
            }
        } else {
            refused = static_cast<bool>(C::serializer::encode(direct_, head, event));
        }
        observer_.count(metric::encodes, 1);
        auto const payload = direct_.size() - start - gap;
        if (refused || direct_.size() > options_.max_outbox_bytes) {
            direct_.truncate(start);
            return refused ? outcome::refused : over_budget(s, event_critical<Event>);
        }
        char* const at = direct_.data() + start;
        auto const header = encode_header(at, {.op = op, .payload_bytes = payload});
        std::memmove(at + header, at + gap, payload);
        direct_.truncate(start + header + payload);
        count_out(s, header + payload);
        return directly_written(s, l);
    }
    outcome directly_written(session_type& s, lane l)
    {
        if (C::batching::when(l) == flush_time::now || direct_.size() >= write_directly_at_bytes) {
            write_directly(s);
            return s.box_.empty() ? outcome::delivered : outcome::queued;
        }
        return outcome::queued;
    }
    /// Writes the direct buffer, and `tail` behind it without copying it; what does not fit is kept in the outbox.
    void write_directly(session_type& s, std::string_view tail = {})
    {
        std::error_code ec;
        std::span<char const> const head{direct_.data(), direct_.size()};
        std::span<char const> const runs[] = {head, {tail.data(), tail.size()}};
        auto const written =
            tail.empty() ? s.stream_.write_some(head, ec) : s.stream_.write_some(transport::gather_list(runs), ec);
        observer_.count(metric::writes, 1);
        if (ec && !transport::would_block(ec)) {
            direct_.clear();
            return kill(s);
        }
        observer_.count(metric::bytes_out, written);
        if (auto const total = head.size() + tail.size(); written < total) {
            auto const from_head = written < head.size() ? head.subspan(written) : std::span<char const>();
            auto const from_tail = std::span<char const>(tail.data(), tail.size())
                                       .subspan(written > head.size() ? written - head.size() : 0);
            auto rest = shared_frame::verbatim(from_head, from_tail);
            s.box_.count_in(rest->wire_bytes());
            s.box_.set_partial(std::move(rest), 0);
            s.blocked_ = true;
            s.stream_.wait_writable([this, h = s.handle_](std::error_code e) { writable(h, e); });
        }
        direct_.clear();
    }
    void finish_direct(session_type& s)
    {
        if (direct_owner_ != &s)
            return;
        if (!direct_.empty())
            write_directly(s);
        direct_owner_ = nullptr;
    }

    // --- bookkeeping -----------------------------------------------------------------------------------------------

    void count_out(session_type& s, std::size_t bytes) noexcept
    {
        ++s.record_.messages_out;
        s.record_.bytes_out += bytes;
        s.active_at_ = now_;
        observer_.count(metric::messages_out, 1);
    }
    outcome over_budget(session_type& s, bool critical)
    {
        observer_.count(metric::dropped, 1);
        // A critical event is never lost in silence: who cannot be told is told to come again.
        if (critical)
            fail(s, close_code::slow_reader, "critical events came faster than they were read");
        return outcome::over_budget;
    }
    void mark_dirty(session_type& s)
    {
        if (std::exchange(s.dirty_, true))
            return;
        dirty_.push_back(s.handle_);
        want_turn();
    }
    void want_turn()
    {
        if (!std::exchange(turn_wanted_, true))
            loop_.post([this] { run_turn(); });
    }
    /// The end of a turn: one write for each session that has something, then the farewells.
    void run_turn()
    {
        turn_scope const scope(*this);
        turn_wanted_ = false;
        flushing_.swap(dirty_);
        for (handle const h : flushing_)
            if (session_type* const s = find(h)) {
                s->dirty_ = false;
                flush(*s);
            }
        flushing_.clear();
        for (std::size_t i = 0; i < ended_.size(); ++i) {  // `closed` may end others
            auto const [h, info] = std::move(ended_[i]);
            farewell(*find(h), info);
        }
        ended_.clear();
        for (handle const h : std::exchange(dead_, {}))
            sessions_.erase({h.slot, h.generation});
        if (draining_ && sessions_.size() == 0)
            loop_.stop();
    }
    void farewell(session_type& s, close_info const& info)
    {
        group_registry<session_type>::leave_all(s);
        port_->profiles.lower(s.profile_);
        port_->users.release(s.user_, index_);
        observer_.count(metric::closed, 1);
        if constexpr (has_closed<App, session_type>)
            guarded([&] { app_.closed(s, info); });
    }
    /// Calls into the application; what it throws is counted and goes no further.
    template <class F>
    bool guarded(F f)
    {
        try {
            f();
            return true;
        } catch (...) {
            observer_.count(metric::handler_errors, 1);
            return false;
        }
    }

    void wait_mail()
    {
        notifier_.wait([this] {
            turn_scope const scope(*this);
            wait_mail();
        });
    }
    void tick()
    {
        tick_.start(options_.tick, [this] {
            turn_scope const scope(*this);
            now_ = loop_.now();
            bool const sweep = now_ - swept_at_ >= options_.stale_sweep;
            if (sweep)
                swept_at_ = now_;
            sessions_.for_each([&](session_type& s, auto) { keepalive<shard>::look(*this, s, sweep); });
            tick();
        });
    }

    std::uint32_t const index_;
    server_options const& options_;
    App& app_;
    std::shared_ptr<port_type> port_;
    std::string const epoch_;
    loop_type loop_;
    typename transport_type::acceptor acceptor_{loop_};
    typename transport_type::notifier notifier_{loop_};
    typename transport_type::timer tick_{loop_};
    typename transport_type::timer accept_again_{loop_};
    windows<shard> windows_{loop_};

    slot_map<session_type> sessions_;
    group_registry<session_type> rooms_;
    group_registry<session_type> users_;
    node_pool nodes_;
    writer writer_{C::serializer::separator};
    [[no_unique_address]] observer observer_{};
    [[no_unique_address]] typename C::guard guard_{};

    byte_buffer read_buffer_;
    byte_buffer direct_;
    byte_buffer unpacked_;
    session_type* direct_owner_ = nullptr;
    std::vector<handle> dirty_;
    std::vector<handle> flushing_;
    std::vector<handle> dead_;
    std::vector<std::pair<handle, close_info>> ended_;
    std::vector<posted<C>> mail_;
    time_point now_{};  ///< as of the last tick: fine enough for deadlines, and free
    time_point swept_at_{};
    bool turn_wanted_ = false;
    bool taking_mail_ = false;
    bool draining_ = false;
};

}  // namespace polycast::inline v0::detail
