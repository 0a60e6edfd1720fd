#pragma once

#include <polycast/handshake/extension_grammar.hpp>
#include <polycast/handshake/fields.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace polycast::inline v0 {

/// What an end wants of permessage-deflate (RFC 7692 §7.1). Window bits are 9 to 15, of 2ⁿ bytes.
struct deflate_terms {
    bool server_no_context_takeover = false;  ///< the server forgets between messages
    bool client_no_context_takeover = false;  ///< the client forgets between messages
    std::uint8_t server_max_window_bits = 15;
    std::uint8_t client_max_window_bits = 15;
};

/// What both ends agreed on.
struct deflate_agreement {
    bool server_no_context_takeover = false;
    bool client_no_context_takeover = false;
    std::uint8_t server_max_window_bits = 15;
    std::uint8_t client_max_window_bits = 15;   ///< 8 to 15
    bool names_server_max_window_bits = false;  ///< the offer did, so the answer does (§7.1.2.1)
};

namespace detail {

/// One element of `Sec-WebSocket-Extensions` that says permessage-deflate.
struct deflate_parameters {
    static constexpr std::uint8_t absent = 0;
    static constexpr std::uint8_t valueless = 1;

    bool legal = true;
    bool server_no_context_takeover = false;
    bool client_no_context_takeover = false;
    std::uint8_t server_max_window_bits = absent;
    std::uint8_t client_max_window_bits = absent;  ///< `valueless` says that the client takes any (§7.1.2.2)
};

/// Takes each permessage-deflate element apart and hands it to `take(deflate_parameters const&)`.
template <class Take>
class deflate_reader {
public:
    explicit deflate_reader(Take take) : take_(take) {}

    void extension(std::string_view name)
    {
        finish();
        reading_ = iequal(name, "permessage-deflate");
        now_ = {};
        last_ = nullptr;
    }
    void parameter(std::string_view name)
    {
        if (!reading_)
            return;
        // RFC 7692 §7: a parameter that is unknown, repeated or has a value it may not have makes the element invalid.
        last_ = nullptr;
        if (name == "server_no_context_takeover")
            flag(now_.server_no_context_takeover);
        else if (name == "client_no_context_takeover")
            flag(now_.client_no_context_takeover);
        else if (name == "server_max_window_bits")
            bits(now_.server_max_window_bits);
        else if (name == "client_max_window_bits")
            bits(now_.client_max_window_bits);
        else
            now_.legal = false;
    }
    void value(std::string_view text)
    {
        if (!reading_)
            return;
        bool const one = text.size() == 1 && text[0] >= '8' && text[0] <= '9';
        bool const two = text.size() == 2 && text[0] == '1' && text[1] >= '0' && text[1] <= '5';
        if (last_ == nullptr || (!one && !two)) {
            now_.legal = false;
            return;
        }
        *last_ = static_cast<std::uint8_t>(one ? text[0] - '0' : 10 + text[1] - '0');
    }
    /// After the last element.
    void finish()
    {
        if (!reading_)
            return;
        // §7.1.2.1: server_max_window_bits is never without a value.
        now_.legal = now_.legal && now_.server_max_window_bits != deflate_parameters::valueless;
        take_(now_);
        reading_ = false;
    }

private:
    void flag(bool& on)
    {
        now_.legal = now_.legal && !on;
        on = true;
    }
    void bits(std::uint8_t& out)
    {
        now_.legal = now_.legal && out == deflate_parameters::absent;
        out = deflate_parameters::valueless;
        last_ = &out;
    }

    Take take_;
    deflate_parameters now_{};
    std::uint8_t* last_ = nullptr;  ///< where the value of this parameter goes, if it may have one
    bool reading_ = false;
};

}  // namespace detail

/// Server: takes the first offer that is legal and can be met, if there is one; else the extension is not used (RFC 7692
/// §5). `terms` are what the server insists on or is content with. `Fields` is the request, or other `http_fields`.
template <class Fields>
[[nodiscard]] std::optional<deflate_agreement> choose_deflate(Fields const& asked, deflate_terms const& terms)
{
    std::optional<deflate_agreement> chosen;
    auto const take = [&](detail::deflate_parameters const& offer) {
        if (chosen || !offer.legal)
            return;
        deflate_agreement a;
        // §7.1.1: what is asked for must be confirmed; a server may forget, or ask the client to, on its own.
        a.server_no_context_takeover = offer.server_no_context_takeover || terms.server_no_context_takeover;
        a.client_no_context_takeover = offer.client_no_context_takeover || terms.client_no_context_takeover;
        a.server_max_window_bits = terms.server_max_window_bits;
        if (offer.server_max_window_bits != detail::deflate_parameters::absent) {
            // zlib's manual of deflateInit2: "a windowBits value of 8 (a window size of 256 bytes) is not supported."
            if (offer.server_max_window_bits < 9)
                return;
            a.names_server_max_window_bits = true;
            if (offer.server_max_window_bits < a.server_max_window_bits)
                a.server_max_window_bits = offer.server_max_window_bits;
        }
        // §7.1.2.2: without the parameter in the offer the client's window cannot be limited.
        if (offer.client_max_window_bits == detail::deflate_parameters::valueless)
            a.client_max_window_bits = terms.client_max_window_bits;
        else if (offer.client_max_window_bits != detail::deflate_parameters::absent)
            a.client_max_window_bits = offer.client_max_window_bits < terms.client_max_window_bits
                                           ? offer.client_max_window_bits
                                           : terms.client_max_window_bits;
        chosen = a;
    };
    detail::deflate_reader<decltype(take)> reader(take);
    if (!detail::read_extensions(asked, reader))
        return {};
    reader.finish();
    return chosen;
}

/// The value of `Sec-WebSocket-Extensions` that says `agreed`. A limit is named only where it is one: a client that did
/// not offer `client_max_window_bits` has no limit, and must not be told of any.
[[nodiscard]] inline std::string deflate_response(deflate_agreement const& agreed)
{
    std::string text = "permessage-deflate";
    if (agreed.server_no_context_takeover)
        text += "; server_no_context_takeover";
    if (agreed.client_no_context_takeover)
        text += "; client_no_context_takeover";
    if (agreed.server_max_window_bits != 15 || agreed.names_server_max_window_bits)
        text += "; server_max_window_bits=" + std::to_string(agreed.server_max_window_bits);
    if (agreed.client_max_window_bits != 15)
        text += "; client_max_window_bits=" + std::to_string(agreed.client_max_window_bits);
    return text;
}

/// Client: the value of `Sec-WebSocket-Extensions` that asks for `terms`, and lets the server limit this end's window.
[[nodiscard]] inline std::string deflate_offer(deflate_terms const& terms)
{
    std::string text = deflate_response({terms.server_no_context_takeover, terms.client_no_context_takeover,
                                         terms.server_max_window_bits, terms.client_max_window_bits});
    return terms.client_max_window_bits == 15 ? text + "; client_max_window_bits" : text;
}

/// What a client makes of the server's answer to its offer.
struct deflate_answer {
    bool legal = true;  ///< false: the connection must be failed (RFC 7692 §7.1)
    std::optional<deflate_agreement> agreed{};
};

/// Client: checks the answer to `deflate_offer(terms)`.
template <class Fields>
[[nodiscard]] deflate_answer check_deflate_answer(Fields const& answer, deflate_terms const& terms)
{
    deflate_answer result;
    auto const take = [&](detail::deflate_parameters const& said) {
        result.legal = result.legal && said.legal && !result.agreed &&
                       said.client_max_window_bits != detail::deflate_parameters::valueless &&
                       // §7.1.1.1: a server that accepts the offer confirms the parameter.
                       (said.server_no_context_takeover || !terms.server_no_context_takeover);
        deflate_agreement a;
        a.server_no_context_takeover = said.server_no_context_takeover;
        a.client_no_context_takeover = said.client_no_context_takeover || terms.client_no_context_takeover;
        if (said.server_max_window_bits != detail::deflate_parameters::absent)
            a.server_max_window_bits = said.server_max_window_bits;
        // §7.1.2.1: the same or a smaller value than was asked for.
        result.legal = result.legal && a.server_max_window_bits <= terms.server_max_window_bits;
        a.client_max_window_bits = terms.client_max_window_bits;
        if (said.client_max_window_bits != detail::deflate_parameters::absent) {
            result.legal = result.legal && said.client_max_window_bits <= terms.client_max_window_bits;
            a.client_max_window_bits = said.client_max_window_bits;
        }
        result.agreed = a;
    };
    detail::deflate_reader<decltype(take)> reader(take);
    bool const well_formed = detail::read_extensions(answer, reader);
    reader.finish();
    result.legal = result.legal && well_formed;
    return result;
}

}  // namespace polycast::inline v0
