#pragma once

#include <polycast/detail/byte_buffer.hpp>
#include <polycast/detail/slot_map.hpp>
#include <polycast/event/control.hpp>
#include <polycast/session/accepting.hpp>
#include <polycast/session/ending.hpp>
#include <polycast/session/fan_out.hpp>
#include <polycast/session/hooks.hpp>
#include <polycast/session/inbound.hpp>
#include <polycast/session/input.hpp>
#include <polycast/session/intake.hpp>
#include <polycast/session/keepalive.hpp>
#include <polycast/session/keeping.hpp>
#include <polycast/session/logbook.hpp>
#include <polycast/session/notices.hpp>
#include <polycast/session/opening.hpp>
#include <polycast/session/options.hpp>
#include <polycast/session/output.hpp>
#include <polycast/session/port.hpp>
#include <polycast/session/scoped_emitter.hpp>
#include <polycast/session/session.hpp>

#include <chrono>
#include <cstddef>
#include <deque>
#include <memory>
#include <new>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace polycast::inline v0::detail {

/// One event loop and all that belongs to it: acceptor, sessions, rooms, scratch memory. Its own thread only, but for
/// its mailbox. Nothing in it is locked.
template <class App, class C>
class shard {
public:
    using app_type = App;
    using composition_type = C;
    using session_type = session<App, C>;
    using transport_type = typename C::transport;
    using loop_type = typename transport_type::loop;
    using port_type = port<C>;
    using observer = typename C::observer;
    using time_point = std::chrono::steady_clock::time_point;
    static constexpr std::chrono::milliseconds window_delay = C::batching::window_delay;
    using journal_type = session_journal<typename C::delivery>;
    static constexpr bool durable = journal_type::durable;

    shard(std::uint32_t index, transport_type const& t, server_options const& options, App& app,
          std::shared_ptr<port_type> const& shared, typename journal_type::database& log)
        : index_(index), options_(options), app_(app), port_(shared), loop_(t), log_(*this, log)
    {
        static_assert(sizeof(session_type) <= sizeof(typename transport_type::stream) + 352, "an idle session pays for it");
    }
    shard(shard const&) = delete;

    // --- for the server --------------------------------------------------------------------------------------------

    [[nodiscard]] std::uint16_t listening_port() const { return accepting_.port(); }

    void listen(std::uint16_t port, std::error_code& ec)
    {
        accepting_.listen(port, ec);
        if (ec)
            return;
        swept_at_ = now_ = began_at_ = loop_.now();
        port_->mailboxes[index_].open(notifier_, options_.max_mailbox_emissions, options_.max_mailbox_bytes);
        notifier_.wait(step{this, &shard::mail_came});
        accepting_.accept();
        tick_.start(options_.tick, step{this, &shard::tick});
    }
    /// Before it listens: a session of an earlier process.
    template <class Stored>
    void restore(Stored const& stored)
    {
        turn_scope const scope(*this);
        now_ = began_at_ = loop_.now();
        keeping_.restore(stored);
    }
    /// Drains soon. From any thread.
    void post_drain() { loop_.post(step{this, &shard::drain}); }
    /// On the loop: says goodbye to everybody, and stops the loop when they have gone or the deadline has passed.
    void drain()
    {
        turn_scope const scope(*this);
        if (std::exchange(draining_, true))
            return;
        take_mail();  // what was emitted before the stop is sent before the goodbye
        accepting_.close();
        deadline_.start(options_.drain_timeout, step{this, &shard::out_of_time});
        sessions_.for_each([this](session_type& s, auto) {
            if (s.phase_ == phase::open || s.phase_ == phase::greeting) {
                s.due_ = all_lanes;
                out_.flush(s);  // the goodbye's lane overtakes what is still queued
                if (s.phase_ == phase::dead || s.phase_ == phase::away)
                    return ending_.finish(s, {close_code::going_away, "the server is stopping", false});
                inbound<shard>::say_goodbye(*this, s);
                ending_.for_good(s);
                ending_.close(s, close_code::going_away, "the server is stopping");
            } else if (s.phase_ == phase::handshake) {
                ending_.kill(s);
            } else if (s.phase_ == phase::away) {
                ending_.finish(s, {close_code::going_away, "the server is stopping", false});
            } else {
                ending_.for_good(s);
            }
        });
        want_turn();
    }
    /// When the loop has ended: whoever is left is gone.
    void abandon()
    {
        draining_ = true;
        take_mail();
        sessions_.for_each([this](session_type& s, auto) {
            ending_.finish(s, {close_code::abnormal, "the server has ended", false});
        });
        run_turn();
        observer_.count(metric::gone, port_->mailboxes[index_].close());
    }

    // --- for sessions ----------------------------------------------------------------------------------------------

    template <class Event>
    outcome emit_to(session_type& s, Event const& event, envelope_head head = {})
    {
        if (event_control<Event> ? s.phase_ != phase::open : !s.takes_events())
            return outcome::gone;
        take_mail();  // what other emitters sent before this arrives before this
        if (!event_control<Event>)
            head.timestamp = loop_.wall_now();
        return out_.emit(s, event, head);
    }
    outcome send_to(session_type& s, std::string_view payload, opcode op)
    {
        if (!s.takes_events())
            return outcome::gone;
        if (!is_data(op))
            return outcome::refused;
        take_mail();
        return out_.send(s, payload, op);
    }
    [[nodiscard]] auto to_room(std::string_view name, bool allowed)
    {
        return local_audience<shard>(*this, name, allowed);
    }
    [[nodiscard]] scoped_emitter<C> scoped_to(session_type const& s) const
    {
        return s.user_.empty() ? scoped_emitter<C>(port_, s.handle_) : scoped_emitter<C>(port_, s.user_);
    }
    // --- for the rooms of the shard --------------------------------------------------------------------------------

    [[nodiscard]] session_type* find(handle h) noexcept { return sessions_.find({h.slot, h.generation}); }
    template <class F>
    void for_each_session(F f)
    {
        sessions_.for_each([&](session_type& s, auto) { f(s); });
    }
    [[nodiscard]] loop_type& loop() noexcept { return loop_; }
    [[nodiscard]] port_type& shared() noexcept { return *port_; }
    [[nodiscard]] observer& observe() noexcept { return observer_; }
    [[nodiscard]] observer const& observe() const noexcept { return observer_; }
    [[nodiscard]] output<shard>& out() noexcept { return out_; }
    [[nodiscard]] group_registry<session_type>& rooms() noexcept { return rooms_; }
    [[nodiscard]] group_registry<session_type>& users() noexcept { return users_; }
    [[nodiscard]] server_options const& options() const noexcept { return options_; }
    [[nodiscard]] App& app() noexcept { return app_; }
    [[nodiscard]] typename C::guard const& guard() const noexcept { return guard_; }
    [[nodiscard]] keeping<shard>& keeps() noexcept { return keeping_; }
    [[nodiscard]] ending<shard>& ends() noexcept { return ending_; }
    [[nodiscard]] input<shard>& in() noexcept { return input_; }
    [[nodiscard]] notices<shard>& tells() noexcept { return notices_; }
    [[nodiscard]] bool draining() const noexcept { return draining_; }
    [[nodiscard]] logbook<shard>& log() noexcept { return log_; }
    [[nodiscard]] auto& journal() noexcept { return log_.journal(); }
    /// Since the shard began; how logs tell the age of their entries.
    [[nodiscard]] std::uint32_t seconds() const noexcept
    {
        return static_cast<std::uint32_t>(std::chrono::duration_cast<std::chrono::seconds>(now_ - began_at_).count());
    }
    [[nodiscard]] typename C::compression const& codec() const noexcept { return port_->codec; }
    [[nodiscard]] byte_buffer& unpacked() noexcept { return unpacked_; }
    [[nodiscard]] std::uint32_t index() const noexcept { return index_; }
    [[nodiscard]] std::string_view epoch() const noexcept { return port_->histories.epoch(); }
    /// As of the last tick: fine enough for deadlines, and free.
    [[nodiscard]] time_point now() const noexcept { return now_; }
    [[nodiscard]] static std::size_t profile(session_type const& s) noexcept { return s.profile_; }
    /// `count(metric)` for the encoder, on this thread.
    [[nodiscard]] auto counter() noexcept
    {
        return [this](metric m) { observer_.count(m, 1); };
    }
    /// Calls into the application; what it throws is counted and goes no further. False if it threw.
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

    void enter(session_type& s, phase p, std::chrono::milliseconds limit)
    {
        s.phase_ = p;
        s.due_at_ = loop_.now() + limit;  // a handler may have run for long since the tick
    }
    /// The session is open: `closed` is owed. Returns what has waited for it.
    typename directory<C::delivery::resumes>::offline_events admitted(session_type& s)
    {
        s.admitted_ = true;
        ++open_;
        port_->profiles.raise(s.profile_);
        port_->alive[index_].set(s.handle_.slot, s.handle_.generation);
        observer_.count(metric::opened, 1);
        if (s.user_.empty())
            return {};
        users_.join(s, s.user_);
        return port_->users.enter(s.user_, index_);
    }
    /// Undoes `admitted`.
    void left(session_type& s)
    {
        --open_;
        if (!s.user_.empty())
            port_->users.leave(s.user_, index_);
        port_->profiles.lower(s.profile_);
    }
    [[nodiscard]] std::size_t unopened() const noexcept { return sessions_.size() - open_; }
    /// A connection has been accepted. Throws `std::bad_alloc`: then it is closed.
    void admit(typename transport_type::stream&& connected)
    {
        session_type& s = emplace(std::move(connected));
        s.opened_at_ = s.active_at_ = now_;
        enter(s, phase::handshake, options_.handshake_timeout);
        or_ends(s, [&] { input_.go_on(s); });
    }
    session_type& emplace(typename transport_type::stream&& connection)
    {
        out_.expect(sessions_.size() + 1);
        return sessions_.emplace(*this, std::move(connection));
    }

    /// A peer that takes what waits for it is not out of time.
    void progress(session_type& s)
    {
        if (s.phase_ == phase::closing || s.phase_ == phase::draining)
            s.due_at_ = loop_.now() + options_.close_timeout;
    }
    /// Everything due has been written.
    void drained(session_type& s)
    {
        if (s.phase_ == phase::draining) {
            s.stream_.shutdown_send();
            enter(s, phase::lingering, options_.close_timeout);
        }
        input_.go_on(s);
    }
    void writable(session_type& s, std::error_code ec)
    {
        turn_scope const scope(*this);
        s.blocked_ = false;
        if (ec)
            return ending_.kill(s);
        out_.flush(s, true);
    }
    /// Without the memory to ask for one, the tick does.
    void want_turn() noexcept
    {
        if (turn_wanted_)
            return;
        try {
            loop_.post(step{this, &shard::run_turn});
            turn_wanted_ = true;
        } catch (std::bad_alloc const&) {
            turn_missed_ = true;
        }
    }
    /// Fans out what was posted, `max_bytes` or more of it.
    void take_mail(std::size_t max_bytes = ~std::size_t{0}) { intake_.take(*this, max_bytes); }

    /// Everything that runs on the loop runs inside one of these: it names the shard for emitters, wakes those that it has
    /// posted to, and takes the mail at the end.
    class turn_scope {
    public:
        explicit turn_scope(shard& s) noexcept
            : shard_(s), port_before_(std::exchange(port_type::current_port(), s.port_.get())),
              shard_before_(std::exchange(port_type::current_shard(), s.index_)),
              unwoken_before_(std::exchange(port_type::unwoken_shards(), 0))
        {
        }
        turn_scope(turn_scope const&) = delete;
        ~turn_scope()
        {
            shard_.port_->wake_shards();
            shard_.take_mail(mail_a_turn_bytes);
            port_type::current_port() = port_before_;
            port_type::current_shard() = shard_before_;
            port_type::unwoken_shards() = unwoken_before_;
        }

    private:
        shard& shard_;
        port_type const* port_before_;
        std::uint32_t shard_before_;
        std::uint64_t unwoken_before_;
    };

    /// A session's stream is ready to be read or written. One type for both: each has Asio's operations compiled anew.
    /// Two words: every session has one that waits.
    class ready {
    public:
        ready(shard& on, session_type const& s, bool for_writing) noexcept
            : on_(&on), generation_(s.handle_.generation), slot_(s.handle_.slot & 0xFF'FFFF), connection_(s.connection_ & 0x7F),
              for_writing_(for_writing)
        {
        }
        void operator()(std::error_code ec) const
        {
            session_type* const s = on_->sessions_.find({slot_, generation_});
            if (s == nullptr || s->connection_ != connection_)
                return;
            for_writing_ ? on_->writable(*s, ec) : on_->readable(*s, ec);
        }

    private:
        shard* on_;
        std::uint32_t generation_;
        std::uint32_t slot_ : 24;
        std::uint32_t connection_ : 7;  ///< of the session: a later one has waits of its own
        std::uint32_t for_writing_ : 1;
    };
    static_assert(sizeof(ready) == 2 * sizeof(void*));

    /// What the loop is to do next: one type for all, for the same reason.
    struct step {
        shard* on;
        void (shard::*what)();
        void operator()() const { (on->*what)(); }
    };
    void close_windows()
    {
        turn_scope const scope(*this);
        out_.close_windows();
    }

private:
    static constexpr std::size_t mail_a_turn_bytes = 256 * 1024;

    /// A session for which there is no memory loses its connection.
    template <class F>
    void or_ends(session_type& s, F f)
    {
        try {
            f();
        } catch (std::bad_alloc const&) {
            out_.direct().forget(s);
            ending_.kill(s);
        }
    }
    void readable(session_type& s, std::error_code ec)
    {
        turn_scope const scope(*this);
        or_ends(s, [&] { input_.read(s, ec); });
    }
    /// The end of a turn: one write for each session that has something, then the farewells.
    void run_turn()
    {
        turn_scope const scope(*this);
        turn_wanted_ = false;
        out_.flush_dirty();
        keeping_.end_turn();
        notices_.tell();
        ending_.farewells();
        log_.commit();
        ending_.bury_the_dead([this](handle h) { sessions_.erase({h.slot, h.generation}); });
        if (draining_ && sessions_.size() == 0)
            loop_.stop();
    }
    void mail_came()
    {
        turn_scope const scope(*this);
        notifier_.wait(step{this, &shard::mail_came});
        if constexpr (C::delivery::resumes)
            for (auto& a : port_->doors[index_].take())
                keeping_.arrive(std::move(a));
    }
    void tick()
    {
        turn_scope const scope(*this);
        now_ = loop_.now();
        bool const sweep = now_ - swept_at_ >= options_.stale_sweep;
        if (sweep)
            swept_at_ = now_;
        sessions_.for_each([&](session_type& s, auto) { or_ends(s, [&] { keepalive<shard>::look(*this, s, sweep); }); });
        if (std::exchange(turn_missed_, false))
            want_turn();
        if constexpr (durable)
            out_.retry_log();
        out_.settle();
        tick_.start(options_.tick, step{this, &shard::tick});
    }
    void out_of_time() { loop_.stop(); }

    std::uint32_t const index_;
    server_options const& options_;
    App& app_;
    std::shared_ptr<port_type> port_;
    loop_type loop_;
    accepting<shard> accepting_{*this};
    typename transport_type::notifier notifier_{loop_};
    typename transport_type::timer tick_{loop_};
    typename transport_type::timer deadline_{loop_};  ///< of the drain

    slot_map<session_type> sessions_;
    group_registry<session_type> rooms_;
    group_registry<session_type> users_;
    [[no_unique_address]] observer observer_{};
    [[no_unique_address]] typename C::guard guard_{};
    output<shard> out_{*this};
    [[no_unique_address]] keeping<shard> keeping_{*this};
    [[no_unique_address]] logbook<shard> log_;
    ending<shard> ending_{*this};
    notices<shard> notices_{*this};
    input<shard> input_{*this};
    byte_buffer unpacked_;
    intake<shard> intake_;
    std::size_t open_ = 0;     ///< sessions that were opened and not yet seen off
    time_point now_{};
    time_point began_at_{};
    time_point swept_at_{};
    bool turn_wanted_ = false;
    bool turn_missed_ = false;
    bool draining_ = false;
};

}  // namespace polycast::inline v0::detail
