#pragma once

#include <polycast/detail/byte_buffer.hpp>
#include <polycast/event/control.hpp>
#include <polycast/event/envelope.hpp>
#include <polycast/frame/close_code.hpp>
#include <polycast/frame/mask.hpp>
#include <polycast/handshake/answer.hpp>
#include <polycast/observer/policy.hpp>
#include <polycast/session/client_attempts.hpp>
#include <polycast/session/client_closing.hpp>
#include <polycast/session/client_codec.hpp>
#include <polycast/session/client_counting.hpp>
#include <polycast/session/client_delivery.hpp>
#include <polycast/session/client_dictionary.hpp>
#include <polycast/session/client_id.hpp>
#include <polycast/session/client_options.hpp>
#include <polycast/session/client_outbox.hpp>
#include <polycast/session/client_output.hpp>
#include <polycast/session/client_pulse.hpp>
#include <polycast/session/client_reading.hpp>
#include <polycast/session/client_requests.hpp>
#include <polycast/session/client_session.hpp>
#include <polycast/session/tokens.hpp>

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace polycast::inline v0::detail {

/// A client's life: attempts, a connection, its end, a pause, the next attempt. What happens within one is in the parts:
/// `client_attempts` and `client_opening`, `client_reading`, `client_output`, `client_codec`, `client_heart`,
/// `client_closing`, and `client_delivery` where the policy resumes. Handlers of the transport hold a reference, so it
/// outlives what is pending; each remembers the attempt it belongs to and does nothing in a later one.
template <class App, class T, class S, class C, class D, class O>
class client_link : public std::enable_shared_from_this<client_link<App, T, S, C, D, O>> {
public:
    using app_type = App;
    using transport = T;
    using serializer = S;
    using loop = typename T::loop;
    using stream = typename T::stream;
    using timer = typename T::timer;
    using compression = C;
    using codec = client_codec<S, C>;
    using session_type = client_session<client_link>;
    static constexpr auto tokens = subprotocols<S, C>;
    static constexpr bool speaks_polycast = !tokens.empty();
    static constexpr bool reliable = D::resumes && speaks_polycast;
    using outbox_type = std::conditional_t<reliable, client_requests, client_outbox>;

    /// Throws `std::system_error` if the compression policy cannot use its options.
    client_link(loop& l, bool owns_loop, client_options options, App app)
        : options_(std::move(options)), url_(parse_websocket_url(options_.url)), loop_(l), owns_loop_(owns_loop),
          app_(std::move(app)), outbox_(options_.max_queued_bytes, options_.max_queued_messages),
          codec_(options_.compression)
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
        start();
    }
    template <class Event>
    outcome emit(Event const& event)
    {
        if constexpr (reliable)
            return put(event, delivery_.is_plain() ? 0 : delivery_.fresh_id(), false);
        else
            return put(event, 0, false);
    }
    template <class Event>
    std::uint64_t request(Event const& event)
    {
        if (delivery_.is_plain())
            return 0;
        std::uint64_t const id = delivery_.fresh_id();
        return polycast::accepted(put(event, id, true)) ? id : 0;
    }
    outcome ask(std::string_view room, bool wanted)
    {
        if (room.empty())
            return outcome::refused;
        delivery_.ask(room, wanted);
        return outbox_.signal([this] { wake(); }) ? outcome::queued : outcome::gone;
    }
    outcome send(std::string_view payload, opcode op)
    {
        return is_control(op) || op == opcode::continuation ? outcome::refused : push({payload, op, false}, 0, false);
    }
    [[nodiscard]] bool is_open() const noexcept { return open_; }
    [[nodiscard]] outbox_type const& outbox() const noexcept { return outbox_; }
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
        closing_.leave(code, reason, !invites_reconnect(code));
        if (in_turn() != this)
            turn([] {});
    }
    /// The owner goes away: the connection just ends.
    void abandon()
    {
        owns_loop_ = false;
        stop_asked_ = true;
        if (phase_ == phase::open || phase_ == phase::closing)
            closing_.ended({close_code::abnormal, "the client was destroyed", false});
        else
            finish();
    }

private:
    friend client_attempts<client_link>;
    friend client_closing<client_link>;
    friend client_delivery<client_link>;
    friend client_dictionary<client_link>;
    friend client_heart<client_link>;
    friend client_inbound<client_link>;
    friend client_counting<client_link, client_inbound<client_link>>;
    friend client_opening<client_link>;
    friend client_output<client_link>;
    friend client_reading<client_link>;
    enum class phase : std::uint8_t { idle, connecting, upgrading, open, closing, waiting, stopped };

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
        if constexpr (reliable)
            delivery_.turn_ends();
        output_.flush();
        if constexpr (reliable)
            if (delivery_.draining()) {
                wind_up();
                output_.flush();
            }
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
    template <class Event>
    outcome put(Event const& event, [[maybe_unused]] std::uint64_t id, bool asks)
    {
        thread_local byte_buffer text;
        text.clear();
        envelope_head head;
        [[maybe_unused]] client_id_text const shown(id);
        if constexpr (reliable)
            head.id_json = shown.view();
        if (S::encode(text, head, event))
            return outcome::refused;
        observer_.count_shared(metric::encodes, 1);
        return push({text.view(), S::frame_opcode, true}, id, asks);
    }
    outcome push(client_entry const& message, [[maybe_unused]] std::uint64_t id, [[maybe_unused]] bool asks)
    {
        if constexpr (reliable)
            return outbox_.push(message, id, asks, [this] { wake(); });
        else
            return outbox_.push(message, [this] { wake(); });
    }
    /// In the lock of the outbox, as long as that has not ended.
    void wake()
    {
        if (in_turn() != this)
            notifier_->notify();
    }
    [[nodiscard]] masking_key fresh_key() { return static_cast<masking_key>(loop_.random()); }

    void begin()
    {
        wait_for_word();
        if (stop_asked_)
            finish();
        else
            attempts_.first();
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
        if constexpr (reliable)
            if (phase_ == phase::open && !delivery_.may_close())
                return;
        if (phase_ == phase::open)
            closing_.leave(close_code::normal, {}, true);
        else if (phase_ != phase::closing)
            finish();
    }
    void opened(response const& answer)
    {
        phase_ = phase::open;
        subprotocol_ = answer.header("Sec-WebSocket-Protocol");
        closing_.begin_connection();
        reading_.begin_frames(codec_.has_extension());
        heart_.begin();
        if constexpr (reliable)
            return delivery_.begin(subprotocol_.empty());
        if constexpr (speaks_polycast)
            if (!subprotocol_.empty()) {  // WIRE: the first message of a client that offered a token
                byte_buffer text;
                if (!S::encode(text, envelope_head{}, control::open{}))
                    output_.first(text.view(), S::frame_opcode);
            }
        begin_session();
    }
    /// The server takes messages of the application.
    void begin_session()
    {
        open_ = true;
        attempts_.succeeded();
        outbox_.set_connected(true);
        observer_.count(metric::opened, 1);
        if constexpr (has_opened<App, session_type>)
            guarded([&] { app_.opened(session_); });
    }
    /// Nothing of this attempt is left, but for messages that the server has not had.
    void disconnect()
    {
        ++attempt_;
        open_ = false;
        attempts_.cancel();
        closing_.cancel();
        dictionary_.cancel();
        if constexpr (reliable)
            delivery_.disconnected();
        heart_.stop();
        if (stream_)
            stream_->close();
        stream_.reset();
        output_.clear();
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

    client_options const options_;
    std::optional<websocket_url> const url_;
    loop& loop_;
    bool owns_loop_;
    App app_;
    [[no_unique_address]] O observer_{};
    session_type session_{*this};
    outbox_type outbox_;
    std::atomic<bool> started_{false}, stop_asked_{false}, open_{false};

    codec codec_;
    client_attempts<client_link> attempts_{*this};
    client_reading<client_link> reading_{*this};
    client_output<client_link> output_{*this};
    client_heart<client_link> heart_{*this};
    client_closing<client_link> closing_{*this};
    [[no_unique_address]] std::conditional_t<has_dictionary<C>, client_dictionary<client_link>,
                                             no_client_dictionary<client_link>> dictionary_{*this};
    [[no_unique_address]] std::conditional_t<reliable, client_delivery<client_link>,
                                             no_client_delivery<client_link>> delivery_{*this};
    std::optional<typename T::notifier> notifier_;
    std::optional<stream> stream_;

    phase phase_ = phase::idle;
    std::uint64_t attempt_ = 0;
    std::string subprotocol_;
};

}  // namespace polycast::inline v0::detail
