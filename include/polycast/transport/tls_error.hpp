#pragma once

#include <polycast/config.hpp>
#include <polycast/error.hpp>

#if POLYCAST_WITH_OPENSSL

#include <string>
#include <system_error>
#include <type_traits>

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

namespace polycast::inline v0 {

/// Why TLS failed. What the socket itself says (`std::errc::connection_reset`, …) is told as it is.
enum class tls_error {
    /// The peer's certificate leads to no authority that is trusted here, or is not fit for its use (RFC 5280 §6).
    certificate_not_trusted = 1,
    /// The server's certificate is for another name or address than the one asked for (RFC 9525 §6).
    certificate_name_mismatch,
    /// The peer's certificate, or one above it, has expired or is not valid yet (RFC 5280 §4.1.2.5).
    certificate_expired,
    /// The peer was asked for a certificate and has none (RFC 8446 §4.4.2.4).
    certificate_missing,
    /// The peer says that it does not accept our certificate, or wants one (RFC 8446 §6.2).
    certificate_refused,
    /// The two ends have no version of TLS in common (RFC 8446 §4.2.1).
    no_shared_version,
    /// The two ends have no cipher suite, group or signature algorithm in common (RFC 8446 §4.1.1). A TLS 1.2 server
    /// that wants a certificate from a client without one says the same.
    no_shared_cipher,
    /// The client offers application protocols, and `http/1.1` is none of them (RFC 7301 §3.2).
    no_application_protocol,
    /// What the peer says is not TLS; most often plain HTTP on a TLS port, or the reverse.
    not_tls,
    /// The peer broke a rule of TLS, or bytes were changed on the way (RFC 8446 §6.2, RFC 5246 §7.2.2).
    protocol_error,
    /// The connection ended without `close_notify`: what came may not be all (RFC 8446 §6.1).
    truncated,
    /// The certificate chain file cannot be used.
    unusable_certificate,
    /// The private key file cannot be used.
    unusable_key,
    /// The private key is not that of the certificate.
    key_mismatch,
    /// The file or folder of trusted authorities cannot be used, or is missing where client certificates are wanted.
    unusable_authorities,
    /// A server was started on a `transport::tls` without a certificate.
    server_without_certificate,
    /// OpenSSL itself failed: no memory, or its configuration allows nothing that was asked for.
    library_failure,
};

}  // namespace polycast::inline v0

template <>
struct std::is_error_code_enum<polycast::tls_error> : std::true_type {};

namespace polycast::inline v0 {

class tls_category_type final : public std::error_category {
    char const* name() const noexcept override { return "polycast.tls"; }
    std::string message(int value) const override
    {
        switch (static_cast<tls_error>(value)) {
        case tls_error::certificate_not_trusted: return "the peer's certificate is not trusted";
        case tls_error::certificate_name_mismatch: return "the peer's certificate is for another name";
        case tls_error::certificate_expired: return "the peer's certificate has expired or is not valid yet";
        case tls_error::certificate_missing: return "the peer has no certificate";
        case tls_error::certificate_refused: return "the peer does not accept this end's certificate, or wants one";
        case tls_error::no_shared_version: return "no version of TLS in common with the peer";
        case tls_error::no_shared_cipher: return "no cipher in common with the peer";
        case tls_error::no_application_protocol: return "the client does not offer http/1.1";
        case tls_error::not_tls: return "the peer does not speak TLS";
        case tls_error::protocol_error: return "the peer broke a rule of TLS";
        case tls_error::truncated: return "the connection ended without a TLS goodbye";
        case tls_error::unusable_certificate: return "the certificate cannot be used";
        case tls_error::unusable_key: return "the private key cannot be used";
        case tls_error::key_mismatch: return "the private key is not that of the certificate";
        case tls_error::unusable_authorities: return "the trusted authorities cannot be used";
        case tls_error::server_without_certificate: return "a TLS server needs a certificate";
        case tls_error::library_failure: return "the TLS library failed";
        }
        return "unknown TLS error";
    }
    std::error_condition default_error_condition(int value) const noexcept override
    {
        switch (static_cast<tls_error>(value)) {
        case tls_error::certificate_not_trusted:
        case tls_error::certificate_name_mismatch:
        case tls_error::certificate_expired:
        case tls_error::certificate_missing:
        case tls_error::certificate_refused: return failure::authentication;
        case tls_error::truncated: return failure::connection;
        case tls_error::unusable_certificate:
        case tls_error::unusable_key:
        case tls_error::key_mismatch:
        case tls_error::unusable_authorities:
        case tls_error::server_without_certificate: return failure::validation;
        case tls_error::library_failure: return failure::internal;
        default: return failure::protocol;
        }
    }
};

inline tls_category_type const tls_category{};

inline std::error_code make_error_code(tls_error e) noexcept
{
    return {static_cast<int>(e), tls_category};
}

namespace detail {

/// What a received alert says (RFC 8446 §6.2).
[[nodiscard]] inline tls_error tls_error_of_alert(int description) noexcept
{
    switch (description) {
    case SSL_AD_BAD_CERTIFICATE:
    case SSL_AD_UNSUPPORTED_CERTIFICATE:
    case SSL_AD_CERTIFICATE_REVOKED:
    case SSL_AD_CERTIFICATE_EXPIRED:
    case SSL_AD_CERTIFICATE_UNKNOWN:
    case SSL_AD_UNKNOWN_CA:
    case SSL_AD_ACCESS_DENIED:
    case SSL_AD_CERTIFICATE_REQUIRED: return tls_error::certificate_refused;
    case SSL_AD_PROTOCOL_VERSION: return tls_error::no_shared_version;
    case SSL_AD_HANDSHAKE_FAILURE:
    case SSL_AD_INSUFFICIENT_SECURITY: return tls_error::no_shared_cipher;
    case SSL_AD_NO_APPLICATION_PROTOCOL: return tls_error::no_application_protocol;
    default: return tls_error::protocol_error;
    }
}

/// What OpenSSL's reason for a failed verification means (`X509_V_ERR_…`).
[[nodiscard]] inline tls_error tls_error_of_verification(long verdict) noexcept
{
    switch (verdict) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
    case X509_V_ERR_CERT_NOT_YET_VALID: return tls_error::certificate_expired;
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH: return tls_error::certificate_name_mismatch;
    default: return tls_error::certificate_not_trusted;
    }
}

/// What OpenSSL's first queued error means. `verdict`: of the verification; `opening`: the handshake is not done.
[[nodiscard]] inline tls_error tls_error_of(unsigned long queued, long verdict, bool opening) noexcept
{
    if (ERR_GET_LIB(queued) != ERR_LIB_SSL)
        return tls_error::protocol_error;
    int const reason = ERR_GET_REASON(queued);
    if (reason >= SSL_AD_REASON_OFFSET && reason < SSL_AD_REASON_OFFSET + 256)
        return tls_error_of_alert(reason - SSL_AD_REASON_OFFSET);
    switch (reason) {
    case SSL_R_CERTIFICATE_VERIFY_FAILED: return tls_error_of_verification(verdict);
    case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE: return tls_error::certificate_missing;
    case SSL_R_UNSUPPORTED_PROTOCOL:
    case SSL_R_VERSION_TOO_LOW:
    case SSL_R_WRONG_SSL_VERSION:
    case SSL_R_UNKNOWN_PROTOCOL:
    case SSL_R_NO_PROTOCOLS_AVAILABLE: return tls_error::no_shared_version;
    case SSL_R_NO_SHARED_CIPHER:
    case SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM:
    case SSL_R_NO_SUITABLE_GROUPS:
    case SSL_R_NO_SUITABLE_KEY_SHARE: return tls_error::no_shared_cipher;
    case SSL_R_NO_APPLICATION_PROTOCOL: return tls_error::no_application_protocol;
    case SSL_R_HTTP_REQUEST:
    case SSL_R_HTTPS_PROXY_REQUEST: return tls_error::not_tls;
    case SSL_R_WRONG_VERSION_NUMBER: return opening ? tls_error::not_tls : tls_error::protocol_error;
    case SSL_R_UNEXPECTED_EOF_WHILE_READING: return tls_error::truncated;
    default: return tls_error::protocol_error;
    }
}

}  // namespace detail

}  // namespace polycast::inline v0

#endif  // POLYCAST_WITH_OPENSSL
