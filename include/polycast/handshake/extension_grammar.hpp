#pragma once

#include <polycast/handshake/fields.hpp>

#include <cstddef>
#include <string>
#include <string_view>

namespace polycast::inline v0::detail {

/// Reads the grammar of RFC 6455 §9.1. `Sink` is told of its parts in order: `extension(name)`, `parameter(name)`,
/// `value(text)` of the parameter before.
template <class Sink>
class extension_reader {
public:
    constexpr extension_reader(std::string_view text, Sink& sink) noexcept : rest_(text), sink_(sink) {}

    /// False if the text breaks the grammar.
    [[nodiscard]] bool read()
    {
        bool any = false;
        // RFC 9110 §5.6.1.2: a recipient takes and ignores empty elements.
        do {
            skip_space();
            if (rest_.empty() || rest_.front() == ',')
                continue;
            std::string_view const name = token();
            if (name.empty())
                return false;
            any = true;
            sink_.extension(name);
            if (!parameters())
                return false;
        } while (take(','));
        // The grammar is 1#extension: a field without any is malformed.
        return any && rest_.empty();
    }

private:
    bool parameters()
    {
        while (take(';')) {
            skip_space();
            std::string_view const name = token();
            if (name.empty())
                return false;
            sink_.parameter(name);
            if (take('=') && !value())
                return false;
        }
        return true;
    }
    bool value()
    {
        skip_space();
        if (!rest_.starts_with('"')) {
            std::string_view const plain = token();
            sink_.value(plain);
            return !plain.empty();
        }
        std::string text;
        rest_.remove_prefix(1);
        while (!rest_.empty() && rest_.front() != '"') {
            if (rest_.front() == '\\')
                rest_.remove_prefix(1);
            if (rest_.empty())
                return false;
            text += rest_.front();
            rest_.remove_prefix(1);
        }
        sink_.value(text);
        // RFC 6455 §9.1: "the value after quoted-string unescaping MUST conform to the 'token' ABNF."
        return take('"') && is_token(text);
    }

    /// Empty if there is none.
    std::string_view token() noexcept
    {
        std::size_t size = 0;
        while (size != rest_.size() && is_token_char(rest_[size]))
            ++size;
        std::string_view const taken = rest_.substr(0, size);
        rest_.remove_prefix(size);
        return taken;
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
    Sink& sink_;
};

/// Reads every `Sec-WebSocket-Extensions` field of `head`, as one list (RFC 6455 §9.1). False if one is malformed.
template <class Sink>
[[nodiscard]] bool read_extensions(http_fields const& head, Sink& sink)
{
    bool well_formed = true;
    head.for_each_header([&](std::string_view name, std::string_view value) {
        if (iequal(name, "Sec-WebSocket-Extensions"))
            well_formed = well_formed && extension_reader<Sink>(value, sink).read();
    });
    return well_formed;
}

/// For a reader that wants to know only whether all is well formed.
struct no_extensions {
    static void extension(std::string_view) noexcept {}
    static void parameter(std::string_view) noexcept {}
    static void value(std::string_view) noexcept {}
};

}  // namespace polycast::inline v0::detail
