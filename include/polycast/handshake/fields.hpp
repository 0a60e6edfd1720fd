#pragma once

#include <cstddef>
#include <string>
#include <string_view>
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

/// A field of a message that this end writes.
struct header_field {
    std::string name;
    std::string value;
};
using header_list = std::vector<header_field>;

namespace detail {

/// Appends `name: value`. Leaves out what would break the message apart (a name that is no token, a line end in a
/// value), so that no value can smuggle a field in.
inline void append_field(std::string& out, std::string_view name, std::string_view value)
{
    if (is_token(name) && is_field_value(value))
        out.append(name).append(": ").append(value).append("\r\n");
}

}  // namespace detail

/// The head of a received message, with the fields found in it. Names are compared without regard to case. A look-up
/// reads the head anew: it happens a few times a connection.
class http_fields {
public:
    /// The value of the first field of that name, without the white space around it; empty if there is none.
    [[nodiscard]] std::string_view header(std::string_view name) const noexcept
    {
        std::string_view found, value;
        for (std::size_t at = fields_at_; next_field(at, found, value);)
            if (detail::iequal(found, name))
                return value;
        return {};
    }

    /// How many fields have that name.
    [[nodiscard]] std::size_t count(std::string_view name) const noexcept
    {
        std::size_t count = 0;
        for_each_header([&](std::string_view found, std::string_view) { count += detail::iequal(found, name); });
        return count;
    }

    /// Calls `visit(name, value)` for every field, in order.
    template <class Visit>
    void for_each_header(Visit&& visit) const
    {
        std::string_view name, value;
        for (std::size_t at = fields_at_; next_field(at, name, value);)
            visit(name, value);
    }

    /// Calls `visit(element)` for those of a comma-separated list, over all fields of that name (RFC 9110 §5.6.1).
    template <class Visit>
    void for_each_element(std::string_view name, Visit&& visit) const
    {
        for_each_header([&](std::string_view found, std::string_view list) {
            if (detail::iequal(found, name))
                for (std::string_view one; !(one = detail::next_element(list)).empty();)
                    visit(one);
        });
    }

    /// Whether a comma-separated list holds `token`, without regard to case.
    [[nodiscard]] bool has_token(std::string_view name, std::string_view token) const noexcept
    {
        bool found = false;
        for_each_element(name, [&](std::string_view one) { found |= detail::iequal(one, token); });
        return found;
    }

protected:
    enum class fields_status { good, malformed, too_many };

    /// Checks the field lines of `head_`, which `scan_head` found whole. Malformed (RFC 9112 §5): no colon, white space
    /// before it, a name that is no token, a folded line, a control character in the value.
    [[nodiscard]] fields_status check_fields(std::size_t first_line, std::size_t max_fields)
    {
        fields_at_ = first_line + 2;
        std::size_t count = 0;
        std::string_view name, value;
        for (std::size_t at = fields_at_; at + 2 < head_.size(); ++count) {
            if (count == max_fields)
                return fields_status::too_many;
            if (!next_field(at, name, value) || !detail::is_token(name) || !detail::is_field_value(value))
                return fields_status::malformed;
        }
        return fields_status::good;
    }

    std::string head_;
    std::size_t fields_at_ = 0;

private:
    /// Reads the field at `at` and leaves `at` behind it. False at the end, or if there is no colon.
    [[nodiscard]] bool next_field(std::size_t& at, std::string_view& name, std::string_view& value) const noexcept
    {
        if (at + 2 >= head_.size())
            return false;
        std::string_view line = std::string_view(head_).substr(at);
        line = line.substr(0, line.find('\n') - 1);
        at += line.size() + 2;
        std::size_t const colon = line.find(':');
        if (colon == std::string_view::npos)
            return false;
        name = line.substr(0, colon);
        value = detail::trim(line.substr(colon + 1));
        return true;
    }
};

}  // namespace polycast::inline v0
