#pragma once

#include <polycast/config.hpp>
#include <polycast/transport/policy.hpp>
#include <polycast/transport/tcp.hpp>
#include <polycast/transport/tls_context.hpp>
#include <polycast/transport/tls_engine.hpp>
#include <polycast/transport/tls_error.hpp>

#if POLYCAST_WITH_OPENSSL

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include <openssl/bio.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

namespace polycast::inline v0::transport {

/// TLS 1.2 and 1.3 over `tcp`, through OpenSSL. `tls{}` is a client that trusts whom the system trusts; a server is
/// given its certificate: `tls{{.certificate_chain_file = "server.pem", .private_key_file = "server.key"}}`.
///
/// Both sides negotiate `http/1.1` (RFC 7301): a client that offers other protocols only is refused, one that offers
/// none is served. Renegotiation is refused, sessions resume by tickets. The handshake happens inside the first reads
/// and writes. Errors are `tls_error`, those of the socket, and `asio::error::eof` after the peer's `close_notify`; an
/// end without it is `tls_error::truncated`.
///
/// Copies share certificates and trust. Any thread may copy, `reload()`, and destroy.
class tls {
public:
    using policy_axis = transport_axis;
    static constexpr bool threaded = true;
    static constexpr bool secure = true;

    using timer = tcp::timer;
    using notifier = tcp::notifier;

    /// A client.
    tls() : tls(tls_options{}) {}
    /// Throws `std::system_error` (`tls_error`, `failure::validation`) that names the file and the reason.
    explicit tls(tls_options options) : shared_(std::make_shared<detail::tls_shared>(std::move(options))) {}

    /// Reads the files again, for the connections that begin from now on; those that are open stay as they are. Throws
    /// as the constructor does, and then nothing has changed. From any thread, for all copies.
    void reload() const { shared_->reload(); }

    /// Calendar time; from any thread.
    [[nodiscard]] static std::chrono::system_clock::time_point wall_now() noexcept { return tcp::wall_now(); }

    class loop : public tcp::loop {
    public:
        explicit loop(tls const& t) : shared_(t.shared_) {}

    private:
        friend tls;
        std::shared_ptr<detail::tls_shared> shared_;
    };
    class stream;
    class transit;
    class acceptor;
    class connector;

private:
    std::shared_ptr<detail::tls_shared> shared_;
};

/// One end of a connection. An accepted one is TLS from its first byte; a client's is clear until `secure`.
class tls::stream {
public:
    explicit stream(loop& on);  ///< closed
    stream(loop& on, transit&& from);
    stream(stream&&) noexcept = default;
    stream& operator=(stream&& other) noexcept
    {
        stream taken(std::move(other));
        state_.swap(taken.state_);
        return *this;
    }
    ~stream() { close(); }

    /// Client, once, while nothing waits: TLS from here on. What was read so far must be all that the peer sends in
    /// clear. `server_name` is the name or address that the server's certificate must be for; a name is also told to it
    /// (SNI). What goes wrong, the following reads and writes say. The first call of a `tls` that trusts whom the system
    /// trusts reads those authorities.
    void secure(std::string_view server_name)
    {
        if (!is_open() || state_->engine)
            return;
        std::error_code ec;
        auto ssl = state_->shared->for_client(server_name, ec);
        state_->engine.emplace(std::move(ssl), state_->tcp.native_handle(), ec).begin();
        state_->look_after();
    }

    [[nodiscard]] std::size_t read_some(std::span<char> into, std::error_code& ec)
    {
        if (!state_->engine)
            return state_->tcp.read_some(into, ec);
        bool const opening = state_->engine->opening();
        auto const count = state_->engine->read_some(into, ec);
        // A write may wait for bytes of the handshake, and this read has taken the last of them.
        if (opening && !state_->engine->opening() && state_->write_waits_for_bytes)
            state_->tcp.cancel_waits();
        state_->look_after();
        return count;
    }
    [[nodiscard]] std::size_t write_some(std::span<char const> one, std::error_code& ec)
    {
        return state_->engine ? write_some(gather_list(&one, 1), ec) : state_->tcp.write_some(one, ec);
    }
    [[nodiscard]] std::size_t write_some(gather_list many, std::error_code& ec)
    {
        if (!state_->engine)
            return state_->tcp.write_some(many, ec);
        auto const count = state_->engine->write_some(many, ec);
        state_->look_after();
        return count;
    }
    template <class Handler>
    void wait_readable(Handler&& handler)
    {
        auto const& engine = state_->engine;
        if (!engine || (!engine->opening() && !engine->readable() && !engine->reading_needs_room()))
            return state_->tcp.wait_readable(std::forward<Handler>(handler));
        if (engine->readable())
            return soon(std::forward<Handler>(handler));
        auto woken = [s = state_, h = std::forward<Handler>(handler)](std::error_code ec) mutable { h(s->woken(ec)); };
        engine->reading_needs_room() ? state_->tcp.wait_writable(std::move(woken))
                                     : state_->tcp.wait_readable(std::move(woken));
    }
    template <class Handler>
    void wait_writable(Handler&& handler)
    {
        auto const& engine = state_->engine;
        if (!engine || (!engine->opening() && !engine->failed() && !engine->writing_needs_bytes()))
            return state_->tcp.wait_writable(std::forward<Handler>(handler));
        if (engine->failed())
            return soon(std::forward<Handler>(handler));
        bool const needs_bytes = state_->write_waits_for_bytes = engine->writing_needs_bytes();
        auto woken = [s = state_, h = std::forward<Handler>(handler)](std::error_code ec) mutable {
            s->write_waits_for_bytes = false;
            h(s->woken(ec));
        };
        needs_bytes ? state_->tcp.wait_readable(std::move(woken)) : state_->tcp.wait_writable(std::move(woken));
    }
    void hold_back() noexcept { state_->tcp.hold_back(); }
    /// `close_notify`, then the end of what TCP sends.
    void shutdown_send()
    {
        if (!is_open())
            return;
        if (state_->engine)
            state_->engine->say_goodbye();
        state_->shut_when_sent = true;
        state_->look_after();
    }
    /// Says goodbye, if nothing of a record is stuck; does not wait for the peer's.
    void close()
    {
        if (!is_open())
            return;
        if (state_->engine) {
            state_->engine->flush();
            if (!state_->engine->unsent())
                state_->engine->say_goodbye();
            state_->engine.reset();
        }
        state_->tcp.close();
    }
    [[nodiscard]] bool is_open() const noexcept { return state_ && state_->tcp.is_open(); }
    /// Not while what it has accepted is still to be sent.
    [[nodiscard]] bool can_leave() const noexcept
    {
        return !state_->sending && (!state_->engine || (!state_->engine->opening() && !state_->engine->unsent()));
    }
    [[nodiscard]] transit leave();
    [[nodiscard]] std::string peer_address() const { return state_->tcp.peer_address(); }

    /// Who the peer has proven to be: the subject of its certificate as RFC 2253 writes it, such as `CN=ada,O=Engine`.
    /// Empty before the handshake is done, if it showed no certificate, and if what it showed was not verified.
    [[nodiscard]] std::string peer_certificate_subject() const
    {
        SSL* const ssl = established();
        if (ssl == nullptr || SSL_get_verify_mode(ssl) == SSL_VERIFY_NONE || SSL_get_verify_result(ssl) != X509_V_OK)
            return {};
        X509* const certificate = SSL_get0_peer_certificate(ssl);
        BIO* const text = certificate != nullptr ? BIO_new(BIO_s_mem()) : nullptr;
        if (text == nullptr)
            return {};
        // UTF-8 as it is: a name is for people too.
        X509_NAME_print_ex(text, X509_get_subject_name(certificate), 0, XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB);
        char* at = nullptr;
        auto const size = BIO_get_mem_data(text, &at);
        std::string subject(at, static_cast<std::size_t>(size));
        BIO_free(text);
        return subject;
    }
    /// `TLSv1.2` or `TLSv1.3`; empty before the handshake is done.
    [[nodiscard]] std::string_view version() const noexcept
    {
        SSL* const ssl = established();
        return ssl != nullptr ? SSL_get_version(ssl) : std::string_view();
    }
    /// The application protocol that was agreed: `http/1.1`, or empty. Valid while the stream is open.
    [[nodiscard]] std::string_view alpn() const noexcept
    {
        unsigned char const* name = nullptr;
        unsigned size = 0;
        if (SSL* const ssl = established())
            SSL_get0_alpn_selected(ssl, &name, &size);
        return {reinterpret_cast<char const*>(name), size};
    }
    /// OpenSSL's own view of the connection; null in clear and when closed.
    [[nodiscard]] SSL* native_tls() const noexcept { return state_->engine ? state_->engine->handle() : nullptr; }

private:
    friend acceptor;
    friend transit;
    friend connector;

    /// Stays where it is: OpenSSL and what waits point to it.
    struct state : std::enable_shared_from_this<state> {
        state(transport::tcp::stream&& s, std::shared_ptr<detail::tls_shared> const& with)
            : tcp(std::move(s)), shared(with)
        {
        }
        /// Sends what the socket has not taken, when it does: as the kernel would with bytes that it has accepted.
        void look_after()
        {
            if (!engine || !engine->unsent()) {
                if (std::exchange(shut_when_sent, false))
                    tcp.shutdown_send();
            } else if (!std::exchange(sending, true)) {
                tcp.wait_writable([s = this->shared_from_this()](std::error_code) {
                    s->sending = false;
                    if (!s->engine)
                        return;  // closed
                    s->engine->flush();
                    s->look_after();
                });
            }
        }
        /// A wait that was cancelled on an open stream was woken, to look again.
        [[nodiscard]] std::error_code woken(std::error_code ec) const noexcept
        {
            return ec == std::errc::operation_canceled && tcp.is_open() ? std::error_code() : ec;
        }

        transport::tcp::stream tcp;
        std::shared_ptr<detail::tls_shared> shared;
        std::optional<detail::tls_engine> engine{};
        bool sending = false;
        bool shut_when_sent = false;
        bool write_waits_for_bytes = false;
    };

    stream(transport::tcp::stream&& s, std::shared_ptr<detail::tls_shared> const& shared)
        : state_(std::make_shared<state>(std::move(s), shared))
    {
    }
    void serve()
    {
        auto ssl = state_->shared->for_server();
        state_->engine.emplace(std::move(ssl), state_->tcp.native_handle());
    }
    template <class Handler>
    void soon(Handler&& handler)
    {
        state_->tcp.post([s = state_, h = std::forward<Handler>(handler)]() mutable {
            h(s->tcp.is_open() ? std::error_code() : std::make_error_code(std::errc::operation_canceled));
        });
    }
    [[nodiscard]] SSL* established() const noexcept
    {
        return state_->engine && !state_->engine->opening() ? state_->engine->handle() : nullptr;
    }

    std::shared_ptr<state> state_;
};

class tls::transit {
public:
    transit(transit&&) noexcept = default;

private:
    friend stream;
    transit(std::shared_ptr<stream::state>&& s, tcp::transit&& t) : state_(std::move(s)), tcp_(std::move(t)) {}
    std::shared_ptr<stream::state> state_;
    tcp::transit tcp_;
};

inline tls::transit tls::stream::leave()
{
    auto tcp = state_->tcp.leave();
    return {std::move(state_), std::move(tcp)};
}
inline tls::stream::stream(loop& on) : stream(tcp::stream(on), on.shared_) {}
inline tls::stream::stream(loop& on, transit&& from) : state_(std::move(from.state_))
{
    state_->tcp = tcp::stream(on, std::move(from.tcp_));
}

class tls::acceptor {
public:
    explicit acceptor(loop& l) : acceptor_(l), shared_(l.shared_) {}
    void listen(endpoint const& at, listen_options options, std::error_code& ec)
    {
        if (shared_->has_certificate())
            acceptor_.listen(at, options, ec);
        else
            ec = tls_error::server_without_certificate;
    }
    template <class Handler>
    void accept(Handler&& handler)
    {
        acceptor_.accept([s = shared_, h = std::forward<Handler>(handler)](std::error_code ec, tcp::stream t) mutable {
            stream accepted(std::move(t), s);
            if (!ec)
                accepted.serve();
            h(ec, std::move(accepted));
        });
    }
    void close() { acceptor_.close(); }
    [[nodiscard]] std::uint16_t port() const { return acceptor_.port(); }

private:
    tcp::acceptor acceptor_;
    std::shared_ptr<detail::tls_shared> shared_;
};

/// Connects in clear: what a proxy wants to hear comes before `stream.secure(name)`.
class tls::connector {
public:
    explicit connector(loop& l) : connector_(l), shared_(l.shared_) {}
    template <class Handler>
    void connect(endpoint const& to, Handler handler)
    {
        connector_.connect(to, [s = shared_, h = std::move(handler)](std::error_code ec, tcp::stream t) mutable {
            h(ec, stream(std::move(t), s));
        });
    }
    void cancel() { connector_.cancel(); }

private:
    tcp::connector connector_;
    std::shared_ptr<detail::tls_shared> shared_;
};

static_assert(transport_policy<tls>);

}  // namespace polycast::inline v0::transport

#endif  // POLYCAST_WITH_OPENSSL
