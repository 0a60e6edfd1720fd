#pragma once

#include <polycast/compression/policy.hpp>

namespace polycast::inline v0::compression {

/// Payloads travel as they are.
struct identity {
    using policy_axis = compression_axis;
    static constexpr std::string_view token_suffix{};
    static constexpr bool compresses = false;
    static void compress(detail::byte_buffer& out, std::string_view in) { out.append(in); }
    [[nodiscard]] static std::error_code decompress(detail::byte_buffer& out, std::string_view in, std::size_t max_bytes)
    {
        if (in.size() > max_bytes)
            return compression_error::too_large;
        out.append(in);
        return {};
    }
};
static_assert(compression_policy<identity>);

}  // namespace polycast::inline v0::compression
