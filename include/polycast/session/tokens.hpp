#pragma once

#include <array>
#include <cstddef>
#include <string_view>

namespace polycast::inline v0::detail {

/// The subprotocol token of a serializer and compression (WIRE), made by the compiler.
template <class Serializer, class Suffix>
struct subprotocol {
    static constexpr std::string_view version = "polycast.v1.";
    static constexpr std::size_t size = version.size() + Serializer::name.size() + Suffix::text.size();
    static constexpr std::array<char, size> bytes = [] {
        std::array<char, size> out{};
        std::size_t at = 0;
        for (std::string_view const part : {version, std::string_view(Serializer::name), Suffix::text})
            for (char const c : part)
                out[at++] = c;
        return out;
    }();
    static constexpr std::string_view value{bytes.data(), size};
};

struct no_suffix {
    static constexpr std::string_view text{};
};
template <class Compression>
struct compression_suffix {
    static constexpr std::string_view text = Compression::token_suffix;
};

/// What a composition speaks, in the order it prefers: compressed first, since a client that offers it can read it.
/// Nothing for the raw serializer, which has no events.
template <class Serializer, class Compression>
inline constexpr auto subprotocols = [] {
    using plain = subprotocol<Serializer, no_suffix>;
    if constexpr (Serializer::name == "raw")
        return std::array<std::string_view, 0>{};
    else if constexpr (Compression::compresses)
        return std::array{subprotocol<Serializer, compression_suffix<Compression>>::value, plain::value};
    else
        return std::array{plain::value};
}();

}  // namespace polycast::inline v0::detail
