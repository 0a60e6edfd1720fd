#pragma once

#include <polycast/handshake/fields.hpp>

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace polycast::inline v0 {

/// A parameter of an extension: a name alone, or with a value.
struct extension_parameter {
    std::string name;
    std::optional<std::string> value;  ///< quotes and escapes removed
};

/// One element of `Sec-WebSocket-Extensions`: what a client offers, in its order of preference, or a server chose.
struct extension_offer {
    std::string name;
    std::vector<extension_parameter> parameters;
};

namespace detail {

/// Reads the grammar of RFC 6455 §9.1.
class extension_reader {
public:
    explicit constexpr extension_reader(std::string_view text) noexcept : rest_(text) {}

    /// False if the text breaks the grammar.
    [[nodiscard]] bool read(std::vector<extension_offer>& offers)
    {
        // RFC 9110 §5.6.1.2: a recipient takes and ignores empty elements.
        do {
            skip_space();
            if (rest_.empty() || rest_.front() == ',')
                continue;
            extension_offer offer;
            if (!token(offer.name) || !parameters(offer))
                return false;
            offers.push_back(std::move(offer));
        } while (take(','));
        return rest_.empty();
    }

private:
    bool parameters(extension_offer& offer)
    {
        while (take(';')) {
            extension_parameter parameter;
            skip_space();
            if (!token(parameter.name))
                return false;
            if (take('=')) {
                skip_space();
                std::string value;
                if (!(rest_.starts_with('"') ? quoted(value) : token(value)))
                    return false;
                parameter.value = std::move(value);
            }
            offer.parameters.push_back(std::move(parameter));
        }
        return true;
    }

    bool token(std::string& out)
    {
        std::size_t size = 0;
        while (size != rest_.size() && is_token_char(rest_[size]))
            ++size;
        out = rest_.substr(0, size);
        rest_.remove_prefix(size);
        return size != 0;
    }

    bool quoted(std::string& out)
    {
        rest_.remove_prefix(1);
        while (!rest_.empty() && rest_.front() != '"') {
            if (rest_.front() == '\\')
                rest_.remove_prefix(1);
            if (rest_.empty())
                return false;
            out += rest_.front();
            rest_.remove_prefix(1);
        }
        // RFC 6455 §9.1: "the value after quoted-string unescaping MUST conform to the 'token' ABNF."
        return take('"') && is_token(out);
    }

    void skip_space() noexcept
    {
        while (!rest_.empty() && (rest_.front() == ' ' || rest_.front() == '\t'))
            rest_.remove_prefix(1);
    }

    bool take(char c) noexcept
    {
        skip_space();
        if (rest_.empty() || rest_.front() != c)
            return false;
        rest_.remove_prefix(1);
        return true;
    }

    std::string_view rest_;
};

}  // namespace detail

/// Reads every `Sec-WebSocket-Extensions` field of `head`, as one list (RFC 6455 §9.1). Empty optional: malformed,
/// which fails the connection.
[[nodiscard]] inline std::optional<std::vector<extension_offer>> parse_extensions(http_fields const& head)
{
    std::vector<extension_offer> offers;
    bool well_formed = true;
    head.for_each_header([&](std::string_view name, std::string_view value) {
        if (!detail::iequal(name, "Sec-WebSocket-Extensions"))
            return;
        std::size_t const before = offers.size();
        // The grammar is 1#extension: a field without any is malformed.
        well_formed &= detail::extension_reader(value).read(offers) && offers.size() != before;
    });
    if (!well_formed)
        return {};
    return offers;
}

/// The same of one field value.
[[nodiscard]] inline std::optional<std::vector<extension_offer>> parse_extensions(std::string_view value)
{
    std::vector<extension_offer> offers;
    if (!detail::extension_reader(value).read(offers) || offers.empty())
        return {};
    return offers;
}

}  // namespace polycast::inline v0
