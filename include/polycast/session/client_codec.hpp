#pragma once

#include <polycast/compression/policy.hpp>
#include <polycast/detail/byte_buffer.hpp>
#include <polycast/frame/close_code.hpp>
#include <polycast/frame/error.hpp>
#include <polycast/frame/header.hpp>
#include <polycast/frame/opcode.hpp>
#include <polycast/frame/utf8.hpp>
#include <polycast/handshake/answer.hpp>
#include <polycast/handshake/error.hpp>
#include <polycast/session/tokens.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <system_error>

namespace polycast::inline v0::detail {

/// The compression of a client's connection: what is offered, what was agreed, and what messages become by it. A server
/// may agree on a form of the subprotocol, on permessage-deflate, or (a foreign one) on both: then events travel in the
/// first and other messages in the second, and what comes is taken as its frame says.
template <class S, class C>
class client_codec {
public:
    /// A message as it goes into a frame. `payload` is what was given or lies in the codec, until the next call.
    struct packed {
        opcode op;
        bool rsv1;
        bool compressed;
        std::string_view payload;
    };

    /// Throws what the policy throws if it cannot use `options`.
    explicit client_codec(compression::options const& options) : policy_(options) {}

    /// What the request asks for: the value of `Sec-WebSocket-Extensions`, or empty.
    [[nodiscard]] static std::string offer()
    {
        if constexpr (C::has_extension)
            return deflate_offer(C::terms);
        else
            return {};
    }
    /// Begins anew with what the server's answer, already verified against the request, agrees on.
    [[nodiscard]] std::error_code agree(response const& answer)
    {
        token_form_ = form_of_token<S, C>(answer.header("Sec-WebSocket-Protocol"));
        extension_ = false;
        if constexpr (C::has_extension)
            if (answer.count("Sec-WebSocket-Extensions") != 0) {
                auto const checked = check_deflate_answer(answer, C::terms);
                if (!checked.legal || !checked.agreed)
                    return handshake_error::bad_extension;
                extension_ = true;
                if constexpr (C::keeps_context)
                    context_ = policy_.make_context(*checked.agreed, role::client);
                else
                    extension_form_ = C::form_for(*checked.agreed, role::client);
            }
        return {};
    }
    /// Whether RSV1 may be set (RFC 7692 §6).
    [[nodiscard]] bool has_extension() const noexcept { return extension_; }

    /// `$hello` names the dictionary of what follows. False if this end does not have it.
    [[nodiscard]] bool use_dictionary([[maybe_unused]] std::string_view id)
    {
        if constexpr (has_dictionary<C>)
            if (token_form_ != 0 && !id.empty() && policy_.dictionary().id == id) {
                token_form_ = policy_.hello_form(token_form_);
                return true;
            }
        return false;
    }

    /// What was fetched as the dictionary `id`; then it is used.
    [[nodiscard]] std::error_code learn(std::string_view id, std::string_view bytes)
    {
        if (std::error_code const ec = policy_.learn(id, bytes))
            return ec;
        return use_dictionary(id) ? std::error_code() : make_error_code(compression_error::bad_dictionary);
    }

    [[nodiscard]] packed pack(opcode op, std::string_view payload, [[maybe_unused]] bool is_event)
    {
        if constexpr (C::forms != 0) {
            packed_.clear();
            if (token_form_ != 0 && is_event) {
                if (policy_.compress(token_form_, packed_, payload))
                    return {opcode::binary, false, true, packed_.view()};
            } else if (extension_ && deflate(payload)) {
                return {op, true, true, packed_.view()};
            }
        }
        return {op, false, false, payload};
    }

    /// Undoes what RSV1 says (RFC 7692 §6.2): `payload` is then what it stood for, inside the codec until the next call.
    [[nodiscard]] std::error_code inflate([[maybe_unused]] opcode op, [[maybe_unused]] std::span<char>& payload,
                                          [[maybe_unused]] std::size_t max_bytes)
    {
        if constexpr (C::has_extension) {
            std::string_view const in{payload.data(), payload.size()};
            inflated_.clear();
            std::error_code ec;
            if constexpr (C::keeps_context)
                ec = context_->decompress(inflated_, in, max_bytes);
            else
                ec = policy_.decompress(extension_form_ != 0 ? extension_form_ : any_extension_form, inflated_, in, max_bytes);
            if (ec)
                return ec;
            payload = {inflated_.data(), inflated_.size()};
            if (op == opcode::text && !valid_utf8(inflated_.view()))
                return wire_error::invalid_utf8;
        }
        return {};
    }
    /// Whether a message of kind `op` is compressed by the subprotocol.
    [[nodiscard]] bool is_packed(opcode op) const noexcept { return token_form_ != 0 && op == opcode::binary; }
    [[nodiscard]] std::error_code unpack(std::span<char>& payload, std::size_t max_bytes)
    {
        unpacked_.clear();
        auto const ec = policy_.decompress(token_form_, unpacked_, {payload.data(), payload.size()}, max_bytes);
        payload = {unpacked_.data(), unpacked_.size()};
        return ec;
    }
    /// Gives back what a large message took.
    void settle() noexcept
    {
        for (byte_buffer* const buffer : {&packed_, &inflated_, &unpacked_})
            if (buffer->capacity() > kept_bytes)
                buffer->release();
    }

private:
    static constexpr std::size_t kept_bytes = 64 * 1024;

    /// Inflates what this end cannot send (form 0: the server wants a window of 8 bits).
    static constexpr std::uint8_t any_extension_form = [] {
        for (std::uint8_t form = 1; form <= C::forms; ++form)
            if (C::kind(form) == compression::form_kind::extension)
                return form;
        return std::uint8_t{0};
    }();

    [[nodiscard]] bool deflate(std::string_view payload)
    {
        if constexpr (C::keeps_context)
            return context_->compress(packed_, payload);
        else
            return extension_form_ != 0 && policy_.compress(extension_form_, packed_, payload);
    }

    [[no_unique_address]] C policy_;
    std::unique_ptr<typename C::context> context_;
    byte_buffer packed_, inflated_, unpacked_;
    std::uint8_t token_form_ = 0;
    std::uint8_t extension_form_ = 0;
    bool extension_ = false;
};

/// The code to close with when a message was refused: RFC 6455 §7.4.1 has 1009 for what is too big, also once inflated,
/// and 1007 for data that is not what its type says.
[[nodiscard]] inline close_code close_code_for_content(std::error_code ec) noexcept
{
    return ec == compression_error::too_large ? close_code::message_too_big : close_code::invalid_payload;
}

}  // namespace polycast::inline v0::detail
