#pragma once

#include <polycast/config.hpp>
#include <polycast/transport/tls_error.hpp>

#if POLYCAST_WITH_OPENSSL

#include <cerrno>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include <sys/stat.h>

#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

namespace polycast::inline v0 {

namespace transport {

enum class tls_version : std::uint8_t { v1_2, v1_3 };

/// Whether a server asks its clients for certificates.
enum class client_certificates : std::uint8_t {
    none,
    optional,  ///< a client may have none; one that it has must be trusted
    required,  ///< a client without one is refused
};

/// What a `transport::tls` is made from. All files are PEM; they are read when the value is made and by `reload()`.
struct tls_options {
    /// This end's certificate first, then the intermediate ones. A server must have it; a client may.
    std::string certificate_chain_file{};
    /// The private key of that certificate, not encrypted.
    std::string private_key_file{};
    /// Authorities to trust, instead of the system's: by a client for servers, by a server for its clients.
    std::string ca_file{};
    /// Likewise, a folder of them under their hashes (`openssl rehash`). May stand beside `ca_file`.
    std::string ca_directory{};
    /// Server: needs `ca_file` or `ca_directory`.
    client_certificates ask_clients = client_certificates::none;
    tls_version minimum_version = tls_version::v1_2;
    tls_version maximum_version = tls_version::v1_3;
    /// Client: take any certificate for any name. Whoever sits between can read and change everything.
    bool insecure_accept_any_server = false;
};

}  // namespace transport

namespace detail {

struct ssl_deleter {
    void operator()(SSL* p) const noexcept { SSL_free(p); }
    void operator()(SSL_CTX* p) const noexcept { SSL_CTX_free(p); }
};
using ssl_ptr = std::unique_ptr<SSL, ssl_deleter>;
using ssl_context_ptr = std::unique_ptr<SSL_CTX, ssl_deleter>;

/// RFC 7301 §6: the protocol's length, then its name.
inline constexpr unsigned char tls_http_1_1[] = {8, 'h', 't', 't', 'p', '/', '1', '.', '1'};

[[noreturn]] inline void refuse_tls_option(std::error_code why, std::string const& what, int system_error = 0)
{
    // The first of the queue is the cause, what follows says where it went through.
    unsigned long const queued = ERR_get_error();
    std::string reason;
    if (queued != 0 && ERR_SYSTEM_ERROR(queued))
        system_error = ERR_GET_REASON(queued);
    if (system_error != 0)
        reason = std::generic_category().message(system_error);
    else if (char const* const text = queued != 0 ? ERR_reason_error_string(queued) : nullptr)
        reason = text;
    ERR_clear_error();
    throw std::system_error(why, "polycast: tls: " + what + (reason.empty() ? "" : ": " + reason));
}

/// Certificate, key and trust as OpenSSL wants them. Throws `std::system_error` that names the file and the reason.
[[nodiscard]] inline ssl_context_ptr make_tls_context(transport::tls_options const& o)
{
    ERR_clear_error();
    ssl_context_ptr made(SSL_CTX_new(TLS_method()));
    SSL_CTX* const c = made.get();
    if (o.minimum_version > o.maximum_version)
        refuse_tls_option(std::make_error_code(std::errc::invalid_argument), "minimum_version is above maximum_version");
    auto const number = [](transport::tls_version v) {
        return v == transport::tls_version::v1_3 ? TLS1_3_VERSION : TLS1_2_VERSION;
    };
    if (c == nullptr || SSL_CTX_set_min_proto_version(c, number(o.minimum_version)) != 1 ||
        SSL_CTX_set_max_proto_version(c, number(o.maximum_version)) != 1 ||
        SSL_CTX_set_alpn_protos(c, tls_http_1_1, sizeof tls_http_1_1) != 0)
        refuse_tls_option(tls_error::library_failure, "no context");
    // RFC 9325 §3.5 (renegotiation) and §3.3 (compression): neither is needed, both have been attacked.
    SSL_CTX_set_options(c, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    SSL_CTX_set_mode(c, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
    // Sessions resume by tickets, which the client keeps. A table here would grow with what clients like.
    SSL_CTX_set_session_cache_mode(c, SSL_SESS_CACHE_OFF);
    // Without it a session with a client certificate does not resume but fails.
    SSL_CTX_set_session_id_context(c, tls_http_1_1, sizeof tls_http_1_1);
    // OpenSSL would ask on the terminal for the passphrase of an encrypted key.
    bool encrypted = false;
    SSL_CTX_set_default_passwd_cb_userdata(c, &encrypted);
    SSL_CTX_set_default_passwd_cb(c, [](char*, int, int, void* asked) {
        if (asked != nullptr)
            *static_cast<bool*>(asked) = true;
        return -1;
    });
    // RFC 7301 §3.2: a client that offers protocols and not ours is told so with an alert.
    SSL_CTX_set_alpn_select_cb(
        c,
        [](SSL*, unsigned char const** out, unsigned char* out_bytes, unsigned char const* in, unsigned in_bytes, void*) {
            unsigned char* chosen = nullptr;
            if (SSL_select_next_proto(&chosen, out_bytes, tls_http_1_1, sizeof tls_http_1_1, in, in_bytes) !=
                OPENSSL_NPN_NEGOTIATED)
                return SSL_TLSEXT_ERR_ALERT_FATAL;
            *out = chosen;
            return SSL_TLSEXT_ERR_OK;
        },
        nullptr);

    bool const has_certificate = !o.certificate_chain_file.empty();
    if (has_certificate == o.private_key_file.empty())
        refuse_tls_option(has_certificate ? tls_error::unusable_key : tls_error::unusable_certificate,
                          "certificate_chain_file and private_key_file belong together, and one of them is not given");
    if (has_certificate) {
        if (SSL_CTX_use_certificate_chain_file(c, o.certificate_chain_file.c_str()) != 1)
            refuse_tls_option(tls_error::unusable_certificate, "certificate chain file " + o.certificate_chain_file);
        std::string key = "private key file " + o.private_key_file;
        if (SSL_CTX_use_PrivateKey_file(c, o.private_key_file.c_str(), SSL_FILETYPE_PEM) != 1) {
            key += encrypted ? ": it is encrypted" : "";
            bool const mismatch = ERR_GET_REASON(ERR_peek_error()) == X509_R_KEY_VALUES_MISMATCH;
            refuse_tls_option(mismatch ? tls_error::key_mismatch : tls_error::unusable_key, key);
        }
        if (SSL_CTX_check_private_key(c) != 1)
            refuse_tls_option(tls_error::key_mismatch, key);
    }
    SSL_CTX_set_default_passwd_cb_userdata(c, nullptr);
    if (!o.ca_file.empty()) {
        // The names are told to clients, so that they know which certificate to show (RFC 8446 §4.2.4).
        auto* const names = SSL_load_client_CA_file(o.ca_file.c_str());
        if (names == nullptr || SSL_CTX_load_verify_file(c, o.ca_file.c_str()) != 1) {
            sk_X509_NAME_pop_free(names, X509_NAME_free);
            refuse_tls_option(tls_error::unusable_authorities, "ca_file " + o.ca_file);
        }
        SSL_CTX_set_client_CA_list(c, names);
    }
    if (!o.ca_directory.empty()) {
        struct ::stat found = {};  // OpenSSL looks only when it needs a certificate
        int const error = ::stat(o.ca_directory.c_str(), &found) != 0 ? errno : S_ISDIR(found.st_mode) ? 0 : ENOTDIR;
        if (error != 0 || SSL_CTX_load_verify_dir(c, o.ca_directory.c_str()) != 1)
            refuse_tls_option(tls_error::unusable_authorities, "ca_directory " + o.ca_directory, error);
    }
    if (o.ask_clients != transport::client_certificates::none && o.ca_file.empty() && o.ca_directory.empty())
        refuse_tls_option(tls_error::unusable_authorities, "ask_clients needs ca_file or ca_directory");
    return made;
}

/// What all copies of one `transport::tls` share. From any thread; the lock is taken once a connection.
class tls_shared {
public:
    explicit tls_shared(transport::tls_options options)
        : options_(std::move(options)), context_(make_tls_context(options_))
    {
    }
    tls_shared(tls_shared const&) = delete;

    [[nodiscard]] bool has_certificate() const noexcept { return !options_.certificate_chain_file.empty(); }
    void reload()
    {
        auto fresh = make_tls_context(options_);
        std::lock_guard const lock(mutex_);
        context_.swap(fresh);
        system_trusted_ = false;
    }
    /// For an accepted connection; null if there is no memory.
    [[nodiscard]] ssl_ptr for_server()
    {
        std::lock_guard const lock(mutex_);
        ssl_ptr made(SSL_new(context_.get()));
        if (!made)
            return made;
        SSL_set_accept_state(made.get());
        if (options_.ask_clients != transport::client_certificates::none)
            SSL_set_verify(made.get(),
                           options_.ask_clients == transport::client_certificates::required
                               ? SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT
                               : SSL_VERIFY_PEER,
                           nullptr);
        return made;
    }
    /// For a connection to the server of that name or address.
    [[nodiscard]] ssl_ptr for_client(std::string_view server_name, std::error_code& ec)
    {
        std::string name(server_name.substr(0, server_name.find('%')));  // an IPv6 zone means nothing to others
        if (name.ends_with('.'))
            name.pop_back();
        std::lock_guard const lock(mutex_);
        if (!options_.insecure_accept_any_server && options_.ca_file.empty() && options_.ca_directory.empty() &&
            !std::exchange(system_trusted_, true))
            SSL_CTX_set_default_verify_paths(context_.get());
        ssl_ptr made(SSL_new(context_.get()));
        if (!made) {
            ec = tls_error::library_failure;
            return made;
        }
        SSL_set_connect_state(made.get());
        auto* const rules = SSL_get0_param(made.get());
        bool const is_address = X509_VERIFY_PARAM_set1_ip_asc(rules, name.c_str()) == 1;
        // RFC 9525 §6.3 and §2: a wildcard is a whole label, and the subject's common name is no name of a server.
        X509_VERIFY_PARAM_set_hostflags(rules, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
        // RFC 6066 §3: "Literal IPv4 and IPv6 addresses are not permitted in "HostName"."
        bool const named = !name.empty() && name.find('\0') == name.npos &&
                           (is_address || (X509_VERIFY_PARAM_set1_host(rules, name.data(), name.size()) == 1 &&
                                           SSL_set_tlsext_host_name(made.get(), name.c_str()) == 1));
        SSL_set_verify(made.get(), options_.insecure_accept_any_server ? SSL_VERIFY_NONE : SSL_VERIFY_PEER, nullptr);
        // What cannot be checked is not trusted unchecked.
        if (!named && !options_.insecure_accept_any_server)
            ec = tls_error::certificate_name_mismatch;
        ERR_clear_error();
        return made;
    }

private:
    transport::tls_options const options_;
    std::mutex mutex_;
    ssl_context_ptr context_;
    bool system_trusted_ = false;  ///< the system's authorities are read when the first client needs them
};

}  // namespace detail

}  // namespace polycast::inline v0

#endif  // POLYCAST_WITH_OPENSSL
