#pragma once

#include <polycast/compression/policy.hpp>

#include <array>

namespace polycast::inline v0::compression {

/// Payloads travel as they are.
struct identity {
    using policy_axis = compression_axis;
    using context = no_context;
    static constexpr std::size_t forms = 0;
    static constexpr std::array<std::string_view, 0> suffixes{};
    static constexpr bool has_extension = false;
    static constexpr bool keeps_context = false;
    [[nodiscard]] static constexpr form_kind kind(std::uint8_t) noexcept { return form_kind::token; }
    [[nodiscard]] static constexpr std::uint8_t form_of_suffix(std::size_t) noexcept { return 0; }

    constexpr explicit identity(options const& = {}) noexcept {}
    [[nodiscard]] static bool compress(std::uint8_t, detail::byte_buffer&, std::string_view) noexcept { return false; }
    [[nodiscard]] static std::error_code decompress(std::uint8_t, detail::byte_buffer& out, std::string_view in,
                                                    std::size_t max_bytes)
    {
        if (in.size() > max_bytes)
            return compression_error::too_large;
        out.append(in);
        return {};
    }
};
static_assert(compression_policy<identity>);

}  // namespace polycast::inline v0::compression
