#pragma once

#include <polycast/serializer/policy.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>

namespace polycast::inline v0::detail {

/// The subprotocol token (WIRE) of a serializer and the `Index`th suffix of a compression, made by the compiler. Behind
/// the last suffix comes none.
template <class Serializer, class Compression, std::size_t Index>
struct subprotocol {
    static constexpr std::string_view version = "polycast.v1.";
    static constexpr std::string_view suffix = [] {
        if constexpr (Index < Compression::suffixes.size())
            return Compression::suffixes[Index];
        else
            return std::string_view();
    }();
    static constexpr std::size_t size = version.size() + Serializer::name.size() + suffix.size();
    static constexpr std::array<char, size> bytes = [] {
        std::array<char, size> out{};
        std::size_t at = 0;
        for (std::string_view const part : {version, std::string_view(Serializer::name), suffix})
            for (char const c : part)
                out[at++] = c;
        return out;
    }();
    static constexpr std::string_view value{bytes.data(), size};
};

/// What a composition speaks, in the order it prefers: compressed first, since a client that offers it can read it.
/// Nothing for the raw serializer, which has no events.
template <class Serializer, class Compression>
inline constexpr auto subprotocols = []<std::size_t... I>(std::index_sequence<I...>) {
    if constexpr (!has_envelope<Serializer>)
        return std::array<std::string_view, 0>{};
    else
        return std::array{subprotocol<Serializer, Compression, I>::value...};
}(std::make_index_sequence<Compression::suffixes.size() + 1>());

/// The form of compression that goes with an agreed token; 0, as it is, for all others.
template <class Serializer, class Compression>
[[nodiscard]] constexpr std::uint8_t form_of_token([[maybe_unused]] std::string_view token) noexcept
{
    if constexpr (has_envelope<Serializer>)
        for (std::size_t i = 0; i < Compression::suffixes.size(); ++i)
            if (token == subprotocols<Serializer, Compression>[i])
                return Compression::form_of_suffix(i);
    return 0;
}

}  // namespace polycast::inline v0::detail
