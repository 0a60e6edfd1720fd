#pragma once

#include <polycast/config.hpp>
#include <polycast/detail/byte_buffer.hpp>
#include <polycast/transport/policy.hpp>
#include <polycast/transport/tls_context.hpp>
#include <polycast/transport/tls_error.hpp>

#if POLYCAST_WITH_OPENSSL

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <new>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include <sys/socket.h>

#include <asio/error.hpp>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

namespace polycast::inline v0::detail {

/// The most bytes of the application in one TLS record (RFC 8446 §5.1).
inline constexpr std::size_t max_tls_record_bytes = 16 * 1024;

/// TLS over a non-blocking socket. Waits for nothing: it says what there is to wait for.
///
/// OpenSSL reads the socket itself and writes to it through `put`. What the socket does not take is kept here, so that
/// OpenSSL never has a write to repeat, which it would want with the same bytes: the caller may have others by then. It
/// is at most a record, or a flight of the handshake, and `flush` sends it.
class tls_engine {
public:
    /// `ec`: there can be no connection; all calls say so.
    tls_engine(ssl_ptr ssl, int descriptor, std::error_code ec = {})
        : ssl_(std::move(ssl)), descriptor_(descriptor), failed_(ec)
    {
        BIO* const wire = ssl_ ? BIO_new(wire_method()) : nullptr;
        if (wire == nullptr) {
            ssl_.reset();
            failed_ = failed_ ? failed_ : make_error_code(tls_error::library_failure);
            return;
        }
        BIO_set_data(wire, this);
        BIO_set_init(wire, 1);
        SSL_set_bio(ssl_.get(), wire, wire);
    }
    tls_engine(tls_engine const&) = delete;
    tls_engine& operator=(tls_engine const&) = delete;

    /// A client speaks first.
    void begin()
    {
        if (failed_)
            return;
        ERR_clear_error();
        if (int const r = SSL_do_handshake(ssl_.get()); r != 1) {
            static_cast<void>(judge(r));  // kept, or said again by the next call
            writing_needs_bytes_ = true;
        }
        look();
    }
    [[nodiscard]] std::size_t read_some(std::span<char> into, std::error_code& ec)
    {
        ec.clear();
        if (into.empty())
            return 0;
        ec = failed_ ? failed_ : ended_;
        more_ = reading_needs_room_ = false;
        std::size_t total = 0;
        while (!ec && total != into.size()) {
            std::size_t count = 0;
            ERR_clear_error();
            int const r = SSL_read_ex(ssl_.get(), into.data() + total, into.size() - total, &count);
            look();
            if (r == 1) {
                total += count;
                // Nothing is left here: the socket is asked when it has something.
                if (!SSL_has_pending(ssl_.get()))
                    return total;
            } else {
                ec = judge(r);
                reading_needs_room_ = ec == blocked() && SSL_want_write(ssl_.get());
            }
        }
        // OpenSSL may hold the beginning of a record, which is nothing to read yet.
        more_ = !ec && total != 0 && SSL_has_pending(ssl_.get());
        if (total != 0)
            ec.clear();
        return total;
    }
    [[nodiscard]] std::size_t write_some(transport::gather_list runs, std::error_code& ec)
    {
        flush();
        writing_needs_bytes_ = false;
        ec = failed_ ? failed_ : send_failed_;
        if (!ec && said_goodbye())
            ec = std::make_error_code(std::errc::broken_pipe);
        if (!ec && unsent())
            ec = blocked();
        std::size_t total = 0;
        source from{runs};
        std::array<char, max_tls_record_bytes> side_by_side;  // left as it is: only what is copied there is read
        while (!ec) {
            auto const piece = from.next(side_by_side);
            if (piece.empty())
                return total;
            std::size_t count = 0;
            ERR_clear_error();
            int const r = SSL_write_ex(ssl_.get(), piece.data(), piece.size(), &count);
            look();
            if (r == 1) {
                total += count;
                from.skip(count);
                if (unsent())
                    return total;
            } else {
                ec = judge(r);
                writing_needs_bytes_ = ec == blocked() && SSL_want_read(ssl_.get());
            }
        }
        if (total != 0)
            ec.clear();
        return total;
    }
    /// Sends what the socket did not take before.
    void flush()
    {
        while (unsent()) {
            auto const sent = send({unsent_.data() + sent_, unsent_.size() - sent_});
            if (sent == 0)
                return;
            sent_ += sent;
            if (sent_ == unsent_.size()) {
                unsent_.release();
                sent_ = 0;
            }
        }
    }
    /// Nothing will be written any more (RFC 8446 §6.1).
    void say_goodbye()
    {
        if (failed_ || opening_ || said_goodbye())
            return;
        ERR_clear_error();
        SSL_shutdown(ssl_.get());
        ERR_clear_error();
    }

    /// Accepted bytes wait for the socket to take them.
    [[nodiscard]] bool unsent() const noexcept { return unsent_.size() != sent_; }
    /// The handshake is not done.
    [[nodiscard]] bool opening() const noexcept { return opening_; }
    /// `read_some` has something to say whatever the socket has.
    [[nodiscard]] bool readable() const noexcept { return more_ || ended_ || failed_; }
    [[nodiscard]] bool failed() const noexcept { return failed_ || send_failed_; }
    [[nodiscard]] bool reading_needs_room() const noexcept { return reading_needs_room_; }
    [[nodiscard]] bool writing_needs_bytes() const noexcept { return writing_needs_bytes_ && !failed(); }
    [[nodiscard]] SSL* handle() const noexcept { return ssl_.get(); }

private:
    /// What the caller offers, as pieces that fill records: small runs side by side, large ones where they are.
    struct source {
        transport::gather_list runs;
        std::size_t at = 0;  ///< in the first of them

        [[nodiscard]] std::span<char const> next(std::span<char> side_by_side)
        {
            skip(0);
            if (runs.empty() || runs.size() == 1 || runs[0].size() - at >= side_by_side.size())
                return runs.empty() ? std::span<char const>() : runs[0].subspan(at);
            std::size_t filled = 0;
            std::size_t from = at;
            for (auto const run : runs) {
                auto const left = run.size() - from;
                auto const count = left < side_by_side.size() - filled ? left : side_by_side.size() - filled;
                if (count != 0)
                    std::memcpy(side_by_side.data() + filled, run.data() + from, count);
                filled += count;
                from = 0;
                if (filled == side_by_side.size())
                    break;
            }
            return side_by_side.first(filled);
        }
        void skip(std::size_t count) noexcept
        {
            at += count;
            while (!runs.empty() && at >= runs[0].size()) {
                at -= runs[0].size();
                runs = runs.subspan(1);
            }
        }
    };

    [[nodiscard]] static std::error_code blocked() noexcept
    {
        return std::make_error_code(std::errc::operation_would_block);
    }
    [[nodiscard]] bool said_goodbye() const noexcept { return (SSL_get_shutdown(ssl_.get()) & SSL_SENT_SHUTDOWN) != 0; }
    void look() noexcept
    {
        if (!opening_ || !SSL_is_init_finished(ssl_.get()))
            return;
        opening_ = writing_needs_bytes_ = false;
        // One system call reads many records. Not before: a write that drives the handshake would take what a pending
        // wait for reading is to be told of.
        SSL_set_read_ahead(ssl_.get(), 1);
    }
    /// What a call means that did not succeed. What is no reason to wait is the end, and is kept.
    [[nodiscard]] std::error_code judge(int result)
    {
        switch (SSL_get_error(ssl_.get(), result)) {
        case SSL_ERROR_WANT_READ:
        case SSL_ERROR_WANT_WRITE: return blocked();
        case SSL_ERROR_ZERO_RETURN: return ended_ = asio::error::eof;  // as tcp has it
        case SSL_ERROR_SYSCALL:
            // What cannot be sent says nothing of what may still be read, a close frame for instance.
            if (send_failed_ && !failed_ && !wire_ended_)
                return send_failed_;
            break;
        default: break;
        }
        if (!failed_) {
            failed_ = wire_ended_ ? tls_error::truncated
                                  : tls_error_of(ERR_peek_error(), SSL_get_verify_result(ssl_.get()), opening_);
            // Bytes that nobody reads would make the kernel reset the connection, and the peer miss our alert.
            std::array<char, 4096> unread;
            for (int i = 0; i < 64 && ::recv(descriptor_, unread.data(), unread.size(), 0) > 0; ++i) {
            }
        }
        ERR_clear_error();
        return failed_;
    }

    /// Bytes that the socket took; none if it is full, or has failed.
    [[nodiscard]] std::size_t send(std::span<char const> bytes) noexcept
    {
        ::ssize_t sent;
        do
            sent = ::send(descriptor_, bytes.data(), bytes.size(), MSG_NOSIGNAL);  // OpenSSL's own way raises SIGPIPE
        while (sent < 0 && errno == EINTR);
        if (sent >= 0)
            return static_cast<std::size_t>(sent);
        if (errno != EAGAIN && errno != EWOULDBLOCK)
            sending_failed(errno);
        return 0;
    }
    void sending_failed(int error) noexcept
    {
        send_failed_.assign(error, std::system_category());
        unsent_.release();
        sent_ = 0;
    }
    /// For OpenSSL: takes all, or fails. Only what a peer can make us say without reading it has a limit.
    [[nodiscard]] int put(BIO* wire, std::span<char const> bytes) noexcept
    {
        BIO_clear_retry_flags(wire);
        if (unsent_.size() - sent_ > max_unsent_bytes && !opening_) {
            BIO_set_retry_write(wire);
            return -1;
        }
        auto const sent = unsent() || send_failed_ ? 0 : send(bytes);
        if (send_failed_)
            return -1;
        try {
            unsent_.append(bytes.data() + sent, bytes.size() - sent);
        } catch (std::bad_alloc const&) {
            sending_failed(ENOMEM);
            return -1;
        }
        return static_cast<int>(bytes.size());
    }
    [[nodiscard]] int get(BIO* wire, std::span<char> into) noexcept
    {
        BIO_clear_retry_flags(wire);
        ::ssize_t count;
        do
            count = ::recv(descriptor_, into.data(), into.size(), 0);
        while (count < 0 && errno == EINTR);
        if (count > 0)
            return static_cast<int>(count);
        if (count == 0)
            wire_ended_ = true;
        else if (errno == EAGAIN || errno == EWOULDBLOCK)
            BIO_set_retry_read(wire);
        else
            failed_.assign(errno, std::system_category());
        return static_cast<int>(count);
    }
    [[nodiscard]] static BIO_METHOD* wire_method()
    {
        static BIO_METHOD* const method = [] {
            BIO_METHOD* const m = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "polycast");
            if (m != nullptr) {
                BIO_meth_set_write(m, [](BIO* wire, char const* bytes, int count) {
                    return of(wire).put(wire, {bytes, static_cast<std::size_t>(count)});
                });
                BIO_meth_set_read(m, [](BIO* wire, char* into, int count) {
                    return of(wire).get(wire, {into, static_cast<std::size_t>(count)});
                });
                BIO_meth_set_ctrl(m, [](BIO* wire, int what, long, void*) -> long {
                    return what == BIO_CTRL_FLUSH || (what == BIO_CTRL_EOF && of(wire).wire_ended_);
                });
            }
            return m;
        }();
        return method;
    }
    [[nodiscard]] static tls_engine& of(BIO* wire) noexcept { return *static_cast<tls_engine*>(BIO_get_data(wire)); }

    static constexpr std::size_t max_unsent_bytes = 4 * max_tls_record_bytes;

    byte_buffer unsent_;
    std::size_t sent_ = 0;  ///< of `unsent_`
    ssl_ptr ssl_;
    int descriptor_;
    std::error_code failed_;         ///< both ways, for ever
    std::error_code send_failed_{};  ///< what we say no longer arrives
    std::error_code ended_{};        ///< the peer says no more
    bool wire_ended_ = false;  ///< the socket's end was read
    bool opening_ = true;
    bool more_ = false;
    bool reading_needs_room_ = false;
    bool writing_needs_bytes_ = false;
};

}  // namespace polycast::inline v0::detail

#endif  // POLYCAST_WITH_OPENSSL
