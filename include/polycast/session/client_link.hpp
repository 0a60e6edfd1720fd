#pragma once

#include <polycast/detail/byte_buffer.hpp>
#include <polycast/event/control.hpp>
#include <polycast/event/envelope.hpp>
#include <polycast/frame/close_code.hpp>
#include <polycast/frame/mask.hpp>
#include <polycast/handshake/client_upgrade.hpp>
#include <polycast/message/assembler.hpp>
#include <polycast/message/control.hpp>
#include <polycast/observer/policy.hpp>
#include <polycast/session/client_inbound.hpp>
#include <polycast/session/client_options.hpp>
#include <polycast/session/client_outbox.hpp>
#include <polycast/session/client_session.hpp>
#include <polycast/session/client_wire.hpp>
#include <polycast/session/session.hpp>
#include <polycast/session/tokens.hpp>
#include <polycast/transport/policy.hpp>

#include <array>
#include <atomic>
#include <chrono>
#include <cstring>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

namespace polycast::inline v0::detail {

/// A client's life: connect, upgrade, exchange messages, close, wait, connect again. Handlers of the transport hold a
/// reference, so it outlives what is pending; each remembers the attempt it belongs to and does nothing in a later one.
template <class App, class T, class S, class C, class D, class O>
class client_link : public std::enable_shared_from_this<client_link<App, T, S, C, D, O>> {
public:
    using app_type = App;
    using serializer = S;
    using compression = C;
    using loop = typename T::loop;
    using stream = typename T::stream;
    using session_type = client_session<client_link>;

    client_link(loop& l, bool owns_loop, client_options options, App app)
        : options_(std::move(options)), url_(parse_websocket_url(options_.url)), loop_(l), owns_loop_(owns_loop),
          app_(std::move(app)), outbox_(options_.max_queued_bytes, options_.max_queued_messages), connector_(l),
          deadline_(l), beat_(l)
    {
        notifier_.emplace(l);
    }

    // From any thread ---------------------------------------------------------------------------------------------

    void start()
    {
        if (!started_.exchange(true))
            loop_.post([self = this->shared_from_this()] { self->begin(); });
    }
    void stop()
    {
        stop_asked_ = true;
        outbox_.signal([this] { notifier_->notify(); });
        if (!started_.exchange(true))
            loop_.post([self = this->shared_from_this()] { self->begin(); });
    }
    template <class Event>
    outcome emit(Event const& event)
    {
        thread_local byte_buffer text;
        text.clear();
        if (S::encode(text, envelope_head{}, event))
            return outcome::refused;
        observer_.count_shared(metric::encodes, 1);
        return push({text.view(), S::frame_opcode, true});
    }
    outcome send(std::string_view payload, opcode op)
    {
        return is_control(op) || op == opcode::continuation ? outcome::refused : push({payload, op, false});
    }
    [[nodiscard]] bool is_open() const noexcept { return open_; }
    [[nodiscard]] client_outbox const& outbox() const noexcept { return outbox_; }
    [[nodiscard]] O const& observer() const noexcept { return observer_; }

    // On the loop's thread ----------------------------------------------------------------------------------------

    [[nodiscard]] App& app() noexcept { return app_; }
    [[nodiscard]] std::string_view subprotocol() const noexcept { return subprotocol_; }
    [[nodiscard]] std::string address() const { return stream_ ? stream_->peer_address() : std::string(); }
    [[nodiscard]] bool stopped() const noexcept { return phase_ == phase::stopped; }
    void close(close_code code, std::string_view reason)
    {
        if (phase_ != phase::open)
            return;
        leave({code, std::string(reason), false}, true, !invites_reconnect(code));
        if (in_turn() != this)
            turn([] {});
    }
    /// The owner goes away: the connection just ends.
    void abandon()
    {
        owns_loop_ = false;
        stop_asked_ = true;
        if (phase_ == phase::open || phase_ == phase::closing)
            ended({close_code::abnormal, "the client was destroyed", false});
        else
            finish();
    }

private:
    friend client_inbound<client_link>;
    enum class phase : std::uint8_t { idle, connecting, upgrading, open, closing, waiting, stopped };
    static constexpr std::size_t enough_bytes = 64 * 1024;  // a write

    static client_link*& in_turn() noexcept
    {
        thread_local client_link* running = nullptr;
        return running;
    }
    /// Everything that happens in one call of the loop; what it has to send leaves at its end, in one write.
    template <class F>
    void turn(F&& f)
    {
        struct scope {
            client_link* const outer;
            ~scope() { in_turn() = outer; }
        } const back{std::exchange(in_turn(), this)};
        f();
        flush();
    }
    /// A handler of this attempt.
    template <class F>
    auto bound(F f)
    {
        return [self = this->shared_from_this(), attempt = attempt_, f](auto&&... args) mutable {
            if (self->attempt_ == attempt)
                self->turn([&] { f(*self, std::forward<decltype(args)>(args)...); });
        };
    }
    template <class F>
    void guarded(F&& f)
    {
        try {
            f();
        } catch (...) {
            observer_.count(metric::handler_errors, 1);
        }
    }
    outcome push(client_outbox::entry const& message)
    {
        return outbox_.push(message, [this] {
            if (in_turn() != this)
                notifier_->notify();
        });
    }

    // --- connecting ---

    void begin()
    {
        wait_for_word();
        if (stop_asked_)
            return finish();
        if (!url_ || url_->secure)
            return give_up(handshake_error::bad_request);
        connect();
    }
    void wait_for_word()
    {
        notifier_->wait([self = this->shared_from_this()] {
            self->turn([&] {
                if (self->stop_asked_)
                    self->wind_up();
            });
            if (self->phase_ != phase::stopped)
                self->wait_for_word();
        });
    }
    void wind_up()
    {
        if (phase_ == phase::open)
            leave({close_code::normal, {}, false}, true, true);
        else if (phase_ != phase::closing)
            finish();
    }
    void connect()
    {
        ++attempt_;
        phase_ = phase::connecting;
        deadline_.start(options_.connect_timeout, bound([](client_link& self) {
                            self.connector_.cancel();
                            self.attempt_failed(std::make_error_code(std::errc::timed_out));
                        }));
        connector_.connect({url_->host, url_->port}, bound([](client_link& self, std::error_code ec, stream&& s) {
                               if (ec)
                                   return self.attempt_failed(ec);
                               self.stream_.emplace(std::move(s));
                               self.ask();
                           }));
    }
    void ask()
    {
        offer_ = {};
        offer_.host = url_->authority;
        offer_.target = url_->target;
        std::array<char, 16> nonce;
        for (std::size_t i = 0; i < nonce.size(); i += 8) {
            std::uint64_t const word = loop_.random();
            std::memcpy(nonce.data() + i, &word, 8);
        }
        offer_.key = make_websocket_key(nonce);
        offer_.subprotocols.assign(tokens.begin(), tokens.end());
        offer_.headers = options_.headers;
        if (!options_.token.empty())
            offer_.headers.push_back({"Authorization", "Bearer " + options_.token});
        std::string request;
        if (std::error_code const ec = make_request(offer_, request))
            return give_up(ec);
        phase_ = phase::upgrading;
        head_.clear();
        wire_.fill([&](byte_buffer& bytes) { bytes.append(request); });
        wait_readable();
    }
    void answered(std::span<char> bytes)
    {
        head_.append(bytes.data(), bytes.size());
        parsed_response answer = parse_response(head_);
        if (answer.status == head_status::need_more)
            return;
        std::error_code ec = answer.error;
        if (answer.status == head_status::complete)
            ec = verify_response(answer.value, offer_);
        // Asking again with the same credentials would be answered the same.
        if (ec == handshake_error::unauthorized || ec == handshake_error::forbidden)
            return give_up(ec);
        if (ec)
            return attempt_failed(ec);
        std::string frames = std::exchange(head_, {}).substr(answer.consumed_bytes);
        subprotocol_ = answer.value.header("Sec-WebSocket-Protocol");
        opened();
        if (!frames.empty())
            receive(frames);
    }
    void opened()
    {
        phase_ = phase::open;
        open_ = true;
        failures_ = 0;
        bye_.reset();
        compressed_ = tokens.size() > 1 && subprotocol_ == tokens.front();
        assembler_ = {};
        pulse_.begin(loop_.now());
        deadline_.cancel();
        outbox_.set_connected(true);
        observer_.count(metric::opened, 1);
        if constexpr (speaks_polycast)
            if (!subprotocol_.empty()) {  // WIRE: the first message of a client that offered a token
                byte_buffer text;
                if (!S::encode(text, envelope_head{}, control::open{}))
                    append_message(wire_.first(), {text.view(), S::frame_opcode, true});
            }
        beat();
        if constexpr (has_opened<App, session_type>)
            guarded([&] { app_.opened(session_); });
    }
    void attempt_failed(std::error_code ec)
    {
        disconnect();
        ++failures_;
        if (stop_asked_ || (options_.max_attempts != 0 && failures_ >= options_.max_attempts) || !options_.reconnect)
            return give_up(ec, failures_);
        auto const delay = next_delay(failures_ - 1);
        tell_failed(ec, failures_, delay);
        wait(delay);
    }
    void give_up(std::error_code ec, unsigned failures = 1)
    {
        disconnect();
        tell_failed(ec, failures, {});
        finish();
    }
    void tell_failed([[maybe_unused]] std::error_code ec, [[maybe_unused]] unsigned failures,
                     [[maybe_unused]] std::chrono::milliseconds next)
    {
        if constexpr (has_failed<App>)
            guarded([&] { app_.failed(ec, failures, next); });
    }
    std::chrono::milliseconds next_delay(unsigned failures)
    {
        auto const delay = backoff_delay(options_.backoff, failures, loop_.random());
        return delay.count() > 0 ? delay : std::chrono::milliseconds{1};
    }
    void wait(std::chrono::milliseconds delay)
    {
        phase_ = phase::waiting;
        deadline_.start(delay, bound([](client_link& self) { self.connect(); }));
    }

    // --- reading ---

    void wait_readable()
    {
        stream_->wait_readable(bound([](client_link& self, std::error_code ec) { self.readable(ec); }));
    }
    void readable(std::error_code ec)
    {
        if (!read_buffer_)
            read_buffer_ = std::make_unique_for_overwrite<char[]>(options_.read_buffer_bytes);
        std::size_t count = 0;
        if (!ec)
            count = stream_->read_some({read_buffer_.get(), options_.read_buffer_bytes}, ec);
        if (ec && !transport::would_block(ec))
            return dropped(ec);
        if (!ec) {
            pulse_.heard(loop_.now());
            observer_.count(metric::bytes_in, count);
            if (phase_ == phase::upgrading)
                answered({read_buffer_.get(), count});
            else
                receive({read_buffer_.get(), count});
        }
        if (stream_)
            wait_readable();
    }
    void receive(std::span<char> bytes)
    {
        client_inbound<client_link> sink{*this};
        message_limits const limits{options_.max_message_bytes, options_.max_message_bytes};
        if (std::error_code const ec = assembler_.consume(bytes, limits, sink))
            leave({close_code_for(ec), ec.message(), false}, false, false);
    }
    /// The peer's close frame.
    void peer_closes(close_code code, std::string_view reason)
    {
        send_queued_first_ = false;
        if (phase_ == phase::open)
            leave({code, std::string(reason), true}, false, !invites_reconnect(code));
    }
    /// The stream has ended, or failed.
    void dropped(std::error_code ec)
    {
        if (phase_ == phase::connecting || phase_ == phase::upgrading)
            attempt_failed(ec);
        else
            ended({close_code::abnormal, ec.message(), false});
    }

    // --- ending ---

    /// From here to the end of the stream, which is the server's to make (RFC 6455 §7.1.1), there is a deadline.
    void leave(close_info info, bool send_queued_first, bool final)
    {
        if (phase_ != phase::open)
            return;
        phase_ = phase::closing;
        open_ = false;
        info_ = std::move(info);
        send_queued_first_ = send_queued_first;
        final_ = final;
        deadline_.start(options_.close_timeout, bound([](client_link& self) {
                            self.ended({close_code::abnormal, "the close was not answered in time", false});
                        }));
    }
    /// `otherwise` is told if nobody closed.
    void ended(close_info const& otherwise)
    {
        close_info const info = phase_ == phase::closing ? std::move(info_) : otherwise;
        bool const stays_ended = phase_ == phase::closing && final_;
        disconnect();
        observer_.count(metric::closed, 1);
        if constexpr (has_closed<App, session_type>)
            guarded([&] { app_.closed(session_, info); });
        if (stays_ended || stop_asked_ || !options_.reconnect)
            return finish();
        // Let in and at once shown out is no success: the server is full (1013).
        turned_away_ = info.by_peer && info.code == close_code::try_again_later ? turned_away_ + 1 : 0;
        auto delay = next_delay(turned_away_ == 0 ? 0 : turned_away_ - 1);
        if (bye_)
            delay = bye_->first + std::chrono::milliseconds(
                        loop_.random() % (static_cast<std::uint64_t>((bye_->second - bye_->first).count()) + 1));
        wait(delay);
    }
    /// Nothing of this attempt is left, but for messages that the server has not had.
    void disconnect()
    {
        ++attempt_;
        open_ = false;
        close_sent_ = blocked_ = false;
        deadline_.cancel();
        beat_.cancel();
        connector_.cancel();
        if (stream_)
            stream_->close();
        stream_.reset();
        wire_.clear();
        outbox_.set_connected(false);
        phase_ = phase::waiting;
    }
    void finish()
    {
        if (phase_ == phase::stopped)
            return;
        disconnect();
        phase_ = phase::stopped;
        outbox_.end();
        notifier_.reset();
        if (owns_loop_)
            loop_.stop();
    }
    void beat()
    {
        if (auto const due = pulse_.next(options_.heartbeat, loop_.now()))
            beat_.start(*due, bound([](client_link& self) { self.look(); }));
    }
    void look()
    {
        switch (pulse_.look(options_.heartbeat, loop_.now())) {
        case client_pulse::verdict::well: break;
        case client_pulse::verdict::dead:
            observer_.count(metric::stale, 1);
            return ended({close_code::abnormal, "the server fell silent", false});
        case client_pulse::verdict::ping:
            if (phase_ != phase::open)
                break;
            observer_.count(metric::pings, 1);
            wire_.first().append(ping_frame({}, fresh_key()).view());
        }
        beat();
    }

    // --- writing ---

    [[nodiscard]] masking_key fresh_key() { return static_cast<masking_key>(loop_.random()); }

    void append_message(byte_buffer& out, client_outbox::entry const& message)
    {
        observer_.count(metric::messages_out, 1);
        if constexpr (C::compresses)
            if (compressed_ && message.is_event) {
                packed_.clear();
                C::compress(packed_, message.payload);
                observer_.count(metric::compressions, 1);
                return append_masked(out, opcode::binary, packed_.view(), fresh_key());
            }
        append_masked(out, message.op, message.payload, fresh_key());
    }
    /// What is next: nothing before the upgrade is answered and after our close frame.
    void fill()
    {
        wire_.fill([this](byte_buffer& bytes) {
            if (phase_ == phase::upgrading || close_sent_)
                return bytes.clear();
            if (phase_ == phase::open || send_queued_first_)
                outbox_.fill(bytes, enough_bytes, [this](byte_buffer& out, client_outbox::entry const& next) {
                    append_message(out, next);
                });
            if (phase_ == phase::closing && bytes.empty()) {
                bytes.append(close_frame(info_.code, info_.reason, fresh_key()).view());
                close_sent_ = true;
            }
        });
    }
    void flush()
    {
        while (stream_ && !blocked_) {
            if (wire_.rest().empty())
                fill();
            if (wire_.rest().empty())
                return;
            std::error_code ec;
            std::size_t const count = stream_->write_some(wire_.rest(), ec);
            if (ec) {
                // A failed write says less than what may still be read, a close frame for instance: reading ends it.
                blocked_ = true;
                if (transport::would_block(ec))
                    stream_->wait_writable(bound([](client_link& self, std::error_code) { self.blocked_ = false; }));
                return;
            }
            observer_.count(metric::writes, 1);
            observer_.count(metric::bytes_out, count);
            outbox_.settle(wire_.take(count));
        }
    }

    static constexpr auto tokens = subprotocols<S, C>;
    static constexpr bool speaks_polycast = !tokens.empty();

    client_options const options_;
    std::optional<websocket_url> const url_;
    loop& loop_;
    bool owns_loop_;
    App app_;
    [[no_unique_address]] O observer_{};
    session_type session_{*this};
    client_outbox outbox_;
    std::atomic<bool> started_{false}, stop_asked_{false}, open_{false};

    typename T::connector connector_;
    typename T::timer deadline_;  ///< of the attempt, of the close, or until the next attempt
    typename T::timer beat_;
    std::optional<typename T::notifier> notifier_;
    std::optional<stream> stream_;

    phase phase_ = phase::idle;
    bool compressed_ = false;
    bool blocked_ = false;
    bool close_sent_ = false;
    bool send_queued_first_ = false;
    bool final_ = false;
    unsigned failures_ = 0;
    unsigned turned_away_ = 0;  ///< closed with 1013, in a row
    std::uint64_t attempt_ = 0;
    client_pulse pulse_;
    std::optional<std::pair<std::chrono::milliseconds, std::chrono::milliseconds>> bye_;
    close_info info_;
    client_offer offer_;
    std::string subprotocol_;
    std::string head_;
    assembler<role::client> assembler_;
    std::unique_ptr<char[]> read_buffer_;
    client_wire wire_;
    byte_buffer packed_;
};

}  // namespace polycast::inline v0::detail
