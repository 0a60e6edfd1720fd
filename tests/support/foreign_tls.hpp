#pragma once

// A TLS client of OpenSSL's own making on a plain socket: it can do what transport::tls would not, and its bytes are held
// here until a test sends them.

#include <polycast/config.hpp>

#if POLYCAST_WITH_OPENSSL

#include <cerrno>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

namespace support {

class foreign_tls {
public:
    explicit foreign_tls(std::uint16_t port, int max_version = TLS1_3_VERSION)
        : context_(SSL_CTX_new(TLS_client_method()), SSL_CTX_free)
    {
        SSL_CTX_set_max_proto_version(context_.get(), max_version);
        ssl_.reset(SSL_new(context_.get()), SSL_free);
        SSL_set_bio(ssl_.get(), in_ = BIO_new(BIO_s_mem()), out_ = BIO_new(BIO_s_mem()));
        BIO_set_mem_eof_return(in_, -1);
        SSL_set_connect_state(ssl_.get());
        fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        ::sockaddr_in to{};
        to.sin_family = AF_INET;
        to.sin_port = htons(port);
        to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        connected = ::connect(fd, reinterpret_cast<::sockaddr*>(&to), sizeof to) == 0;
        ::fcntl(fd, F_SETFL, O_NONBLOCK);
        int const on = 1;
        ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    }
    foreign_tls(foreign_tls const&) = delete;
    ~foreign_tls() { drop(); }

    [[nodiscard]] SSL* ssl() const { return ssl_.get(); }
    /// Takes what came, goes on with the handshake, reads into `received`, and sends what that makes.
    void pump()
    {
        char bytes[16 * 1024];
        for (::ssize_t n; fd >= 0 && (n = ::recv(fd, bytes, sizeof bytes, 0)) >= 0;) {
            if (n == 0) {
                wire_ended = true;
                break;
            }
            BIO_write(in_, bytes, static_cast<int>(n));
        }
        for (int n; (n = SSL_read(ssl(), bytes, sizeof bytes)) != 0;) {
            if (n > 0) {
                received.append(bytes, static_cast<std::size_t>(n));
                continue;
            }
            if (SSL_get_error(ssl(), n) != SSL_ERROR_WANT_READ && reason == 0)
                reason = ERR_GET_REASON(ERR_peek_error());
            break;
        }
        ERR_clear_error();
        send(made());
    }
    /// What the client has to say and has not sent.
    std::string made()
    {
        char* at = nullptr;
        auto const size = BIO_get_mem_data(out_, &at);
        std::string bytes(at, static_cast<std::size_t>(size));
        (void)BIO_reset(out_);
        return bytes;
    }
    std::string encrypted(std::string_view text)
    {
        SSL_write(ssl(), text.data(), static_cast<int>(text.size()));
        return made();
    }
    void send(std::string_view bytes)
    {
        while (!bytes.empty() && fd >= 0) {
            auto const n = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
            if (n < 0 && errno != EAGAIN)
                return;
            bytes.remove_prefix(n < 0 ? 0 : static_cast<std::size_t>(n));
        }
    }
    /// Ends TCP without a word of TLS, and without a reset.
    void drop()
    {
        if (fd < 0)
            return;
        for (char bytes[4096]; ::recv(fd, bytes, sizeof bytes, 0) > 0;) {
        }
        ::close(fd);
        fd = -1;
    }
    [[nodiscard]] bool done() const { return SSL_is_init_finished(ssl()); }

    int fd = -1;
    bool connected = false;
    bool wire_ended = false;
    int reason = 0;  ///< OpenSSL's, of the first failure
    std::string received{};

private:
    std::shared_ptr<SSL_CTX> context_;
    std::shared_ptr<SSL> ssl_{};
    BIO* in_ = nullptr;
    BIO* out_ = nullptr;
};

}  // namespace support

#endif  // POLYCAST_WITH_OPENSSL
