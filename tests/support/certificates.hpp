#pragma once

// Authorities and certificates for tests, made with OpenSSL when they are asked for, in a folder that is removed.

#include <polycast/config.hpp>

#if POLYCAST_WITH_OPENSSL

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>

#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

namespace support {

struct certificate_request {
    std::string common_name;
    std::string names = "DNS:localhost,IP:127.0.0.1";  ///< subject alternative names; empty: none
    long valid_from_days = -1;                         ///< from today
    long valid_to_days = 30;
    bool authority = false;
};

/// A certificate with its key, in memory and as PEM files.
struct identity_files {
    std::string common_name{};
    std::shared_ptr<X509> certificate{};
    std::shared_ptr<EVP_PKEY> key{};
    std::string chain_file{};
    std::string key_file{};
};

class certificate_folder {
public:
    certificate_folder()
    {
        std::string name = (std::filesystem::temp_directory_path() / "polycast-tls-XXXXXX").string();
        if (::mkdtemp(name.data()) == nullptr)
            throw std::runtime_error("no temporary folder");
        path_ = name;
    }
    certificate_folder(certificate_folder const&) = delete;
    ~certificate_folder()
    {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    [[nodiscard]] std::string file(std::string const& name) const { return (path_ / name).string(); }
    std::string write(std::string const& name, std::string const& text) const
    {
        std::ofstream(file(name)) << text;
        return file(name);
    }
    [[nodiscard]] std::string path() const { return path_.string(); }

    /// Signed by `issuer`, or by itself.
    identity_files make(certificate_request const& wanted, identity_files const* issuer = nullptr) const
    {
        identity_files made{.common_name = wanted.common_name};
        made.key.reset(must(EVP_EC_gen("P-256")), EVP_PKEY_free);
        made.certificate.reset(must(X509_new()), X509_free);
        X509* const x = made.certificate.get();
        X509_set_version(x, X509_VERSION_3);
        static long serial = 1;
        ASN1_INTEGER_set(X509_get_serialNumber(x), ++serial);
        X509_gmtime_adj(X509_getm_notBefore(x), wanted.valid_from_days * 86'400);
        X509_gmtime_adj(X509_getm_notAfter(x), wanted.valid_to_days * 86'400);
        X509_set_pubkey(x, made.key.get());
        X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_UTF8,
                                   reinterpret_cast<unsigned char const*>(wanted.common_name.c_str()), -1, -1, 0);
        X509* const by = issuer ? issuer->certificate.get() : x;
        X509_set_issuer_name(x, X509_get_subject_name(by));
        extend(x, by, NID_basic_constraints, wanted.authority ? "critical,CA:TRUE" : "critical,CA:FALSE");
        if (!wanted.names.empty() && !wanted.authority)
            extend(x, by, NID_subject_alt_name, wanted.names);
        if (X509_sign(x, (issuer ? issuer->key : made.key).get(), EVP_sha256()) == 0)
            throw std::runtime_error("cannot sign");
        std::string const name = std::to_string(serial);
        made.chain_file = write(name + ".pem", pem(made));
        made.key_file = write(name + ".key", key_pem(made));
        return made;
    }
    static std::string pem(identity_files const& of)
    {
        return text_of([&](BIO* to) { return PEM_write_bio_X509(to, of.certificate.get()); });
    }
    static std::string key_pem(identity_files const& of, char const* passphrase = nullptr)
    {
        return text_of([&](BIO* to) {
            return PEM_write_bio_PKCS8PrivateKey(to, of.key.get(), passphrase ? EVP_aes_128_cbc() : nullptr, nullptr, 0,
                                                 nullptr, const_cast<char*>(passphrase));
        });
    }

private:
    template <class T>
    static T* must(T* p)
    {
        if (p == nullptr)
            throw std::runtime_error("OpenSSL made nothing");
        return p;
    }
    static void extend(X509* x, X509* by, int what, std::string const& value)
    {
        X509V3_CTX context;
        X509V3_set_ctx(&context, by, x, nullptr, nullptr, 0);
        std::unique_ptr<X509_EXTENSION, decltype(&X509_EXTENSION_free)> const e(
            must(X509V3_EXT_conf_nid(nullptr, &context, what, value.c_str())), X509_EXTENSION_free);
        X509_add_ext(x, e.get(), -1);
    }
    template <class F>
    static std::string text_of(F write)
    {
        std::unique_ptr<BIO, decltype(&BIO_free)> const to(must(BIO_new(BIO_s_mem())), BIO_free);
        if (write(to.get()) != 1)
            throw std::runtime_error("cannot write PEM");
        char* at = nullptr;
        auto const size = BIO_get_mem_data(to.get(), &at);
        return {at, static_cast<std::size_t>(size)};
    }

    std::filesystem::path path_;
};

/// What most tests need; made once a program.
struct certificates {
    certificate_folder folder{};
    identity_files ca = folder.make({.common_name = "polycast test authority", .authority = true});
    identity_files stranger = folder.make({.common_name = "another authority", .authority = true});
    identity_files server = folder.make({.common_name = "server"}, &ca);
    identity_files renewed = folder.make({.common_name = "renewed"}, &ca);
    identity_files expired = folder.make({.common_name = "expired", .valid_from_days = -9, .valid_to_days = -1}, &ca);
    identity_files early = folder.make({.common_name = "early", .valid_from_days = 1}, &ca);
    identity_files misnamed = folder.make({.common_name = "127.0.0.1", .names = "DNS:elsewhere.test,IP:127.0.0.2"}, &ca);
    identity_files nameless = folder.make({.common_name = "localhost", .names = ""}, &ca);
    identity_files wild = folder.make({.common_name = "wild", .names = "DNS:*.example.test,DNS:w*.example.org"}, &ca);
    identity_files untrusted = folder.make({.common_name = "untrusted"}, &stranger);
    identity_files client = folder.make({.common_name = "Ada Łovelace", .names = ""}, &ca);
    identity_files foreign_client = folder.make({.common_name = "foreign client", .names = ""}, &stranger);

    static certificates& get()
    {
        static certificates all;
        return all;
    }
};

}  // namespace support

#endif  // POLYCAST_WITH_OPENSSL
