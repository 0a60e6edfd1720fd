#pragma once

#include <polycast/handshake/extension_grammar.hpp>

#include <optional>
#include <string>
#include <string_view>
#include <utility>
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

struct extension_list {
    std::vector<extension_offer> offers{};

    void extension(std::string_view name) { offers.push_back({std::string(name), {}}); }
    void parameter(std::string_view name) { offers.back().parameters.push_back({std::string(name), {}}); }
    void value(std::string_view text) { offers.back().parameters.back().value = std::string(text); }
};

}  // namespace detail

/// Reads every `Sec-WebSocket-Extensions` field of `head`, as one list. Empty optional: malformed, which fails the
/// connection.
[[nodiscard]] inline std::optional<std::vector<extension_offer>> parse_extensions(http_fields const& head)
{
    detail::extension_list list;
    if (!detail::read_extensions(head, list))
        return {};
    return std::move(list.offers);
}

/// The same of one field value.
[[nodiscard]] inline std::optional<std::vector<extension_offer>> parse_extensions(std::string_view value)
{
    detail::extension_list list;
    if (!detail::extension_reader(value, list).read())
        return {};
    return std::move(list.offers);
}

}  // namespace polycast::inline v0
