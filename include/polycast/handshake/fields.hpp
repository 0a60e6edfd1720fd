#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace polycast::inline v0 {

namespace detail {

/// RFC 9110 §5.6.2: tchar.
[[nodiscard]] constexpr bool is_token_char(char c) noexcept
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c != '\0' && std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos);
}

[[nodiscard]] constexpr bool is_token(std::string_view text) noexcept
{
    for (char const c : text)
        if (!is_token_char(c))
            return false;
    return !text.empty();
}

/// RFC 9110 §5.5: a field value has no control character but HTAB.
[[nodiscard]] constexpr bool is_field_value(std::string_view text) noexcept
{
    for (char const c : text)
        if ((static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7F)
            return false;
    return true;
}

[[nodiscard]] constexpr std::string_view trim(std::string_view text) noexcept
{
    while (!text.empty() && (text.front() == ' ' || text.front() == '\t'))
        text.remove_prefix(1);
    while (!text.empty() && (text.back() == ' ' || text.back() == '\t'))
        text.remove_suffix(1);
    return text;
}

[[nodiscard]] constexpr char lower(char c) noexcept
{
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

/// Equal but for the case of ASCII letters, whatever the locale.
[[nodiscard]] constexpr bool iequal(std::string_view a, std::string_view b) noexcept
{
    if (a.size() != b.size())
        return false;
    for (std::size_t i = 0; i != a.size(); ++i)
        if (lower(a[i]) != lower(b[i]))
            return false;
    return true;
}

/// Takes the next element off a comma-separated list (RFC 9110 §5.6.1). Empty elements are skipped, as a recipient
/// must; empty means that there are no more. Not for lists whose elements may hold quoted strings.
[[nodiscard]] constexpr std::string_view next_element(std::string_view& list) noexcept
{
    while (!list.empty()) {
        std::size_t const comma = list.find(',');
        std::string_view const element = trim(list.substr(0, comma));
        list.remove_prefix(comma == std::string_view::npos ? list.size() : comma + 1);
        if (!element.empty())
            return element;
    }
    return {};
}

}  // namespace detail

/// A name and a value, for messages that this end writes.
using header_list = std::vector<std::pair<std::string, std::string>>;

/// The head of a received message, with the fields found in it. Names are compared without regard to case.
class http_fields {
public:
    /// The value of the first field of that name, without the white space around it; empty if there is none.
    [[nodiscard]] std::string_view header(std::string_view name) const noexcept
    {
        for (place const& at : places_)
            if (detail::iequal(name_of(at), name))
                return value_of(at);
        return {};
    }

    /// How many fields have that name.
    [[nodiscard]] std::size_t count(std::string_view name) const noexcept
    {
        std::size_t found = 0;
        for (place const& at : places_)
            found += detail::iequal(name_of(at), name);
        return found;
    }

    /// Calls `visit(name, value)` for every field, in order.
    template <class Visit>
    void for_each_header(Visit&& visit) const
    {
        for (place const& at : places_)
            visit(name_of(at), value_of(at));
    }

    /// The elements of a comma-separated list, over all fields of that name (RFC 9110 §5.6.1).
    [[nodiscard]] std::vector<std::string_view> header_elements(std::string_view name) const
    {
        std::vector<std::string_view> elements;
        for (place const& at : places_)
            if (detail::iequal(name_of(at), name))
                for (std::string_view list = value_of(at), one; !(one = detail::next_element(list)).empty();)
                    elements.push_back(one);
        return elements;
    }

    /// Whether a comma-separated list holds `token`, without regard to case.
    [[nodiscard]] bool has_token(std::string_view name, std::string_view token) const noexcept
    {
        for (place const& at : places_)
            if (detail::iequal(name_of(at), name))
                for (std::string_view list = value_of(at), one; !(one = detail::next_element(list)).empty();)
                    if (detail::iequal(one, token))
                        return true;
        return false;
    }

protected:
    struct place {
        std::uint32_t name, name_bytes, value, value_bytes;  ///< offsets: views would not survive a move
    };

    [[nodiscard]] std::string_view name_of(place const& at) const noexcept
    {
        return std::string_view(head_).substr(at.name, at.name_bytes);
    }
    [[nodiscard]] std::string_view value_of(place const& at) const noexcept
    {
        return std::string_view(head_).substr(at.value, at.value_bytes);
    }

    /// Keeps the field line `line`, which begins at `offset` of the head. False if it is none (RFC 9112 §5): no colon,
    /// white space before it, a name that is no token, a folded line, a control character in the value.
    [[nodiscard]] bool add_line(std::string_view line, std::size_t offset)
    {
        std::size_t const colon = line.find(':');
        if (colon == std::string_view::npos || !detail::is_token(line.substr(0, colon)))
            return false;
        std::string_view const value = detail::trim(line.substr(colon + 1));
        if (!detail::is_field_value(value))
            return false;
        auto const at = static_cast<std::uint32_t>(offset);
        std::size_t const skipped = value.empty() ? line.size() : static_cast<std::size_t>(value.data() - line.data());
        places_.push_back({at, static_cast<std::uint32_t>(colon), at + static_cast<std::uint32_t>(skipped),
                           static_cast<std::uint32_t>(value.size())});
        return true;
    }

    std::string head_;
    std::vector<place> places_;
};

}  // namespace polycast::inline v0
