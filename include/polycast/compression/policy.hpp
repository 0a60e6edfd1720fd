#pragma once

#include <polycast/detail/byte_buffer.hpp>
#include <polycast/error.hpp>
#include <polycast/policy/axis.hpp>

#include <concepts>
#include <cstddef>
#include <string>
#include <string_view>
#include <system_error>

namespace polycast::inline v0 {

/// Why a compressed message was refused.
enum class compression_error {
    /// The bytes are not one whole frame of the negotiated format.
    malformed = 1,
    /// The message would inflate beyond the limit; inflating stopped there.
    too_large,
};

}  // namespace polycast::inline v0

template <>
struct std::is_error_code_enum<polycast::compression_error> : std::true_type {};

namespace polycast::inline v0 {

class compression_category_type final : public std::error_category {
    char const* name() const noexcept override { return "polycast.compression"; }
    std::string message(int value) const override
    {
        switch (static_cast<compression_error>(value)) {
        case compression_error::malformed: return "compressed message is malformed";
        case compression_error::too_large: return "message inflates beyond the limit";
        }
        return "unknown compression error";
    }
    std::error_condition default_error_condition(int value) const noexcept override
    {
        return make_error_condition(static_cast<compression_error>(value) == compression_error::too_large
                                        ? failure::validation
                                        : failure::protocol);
    }
};
inline compression_category_type const compression_category{};
inline std::error_code make_error_code(compression_error e) noexcept
{
    return {static_cast<int>(e), compression_category};
}

template <class P>
concept names_its_token = requires {
    { P::token_suffix } -> std::convertible_to<std::string_view>;
    { P::compresses } -> std::convertible_to<bool>;
};
template <class P>
concept compresses_whole_payloads =
    requires(detail::byte_buffer& out, std::string_view in, std::size_t max_bytes) {
        { P::compress(out, in) } -> std::same_as<void>;
        { P::decompress(out, in, max_bytes) } -> std::same_as<std::error_code>;
    };

/// Decides how payloads are compressed, once an emission for all receivers that negotiated it.
///
/// | Expression                     | Type         | Meaning                                                         |
/// |--------------------------------|--------------|-----------------------------------------------------------------|
/// | `P::token_suffix`              | string view  | appended to the subprotocol token; empty: nothing is negotiated |
/// | `P::compresses`                | `bool`       | false: the two calls below are never made                       |
/// | `P::compress(out, in)`         | `void`       | appends the compressed form of `in`; from any thread            |
/// | `P::decompress(out, in, max)`  | `error_code` | appends at most `max` bytes; from any thread                    |
///
/// Models: `identity` (default, null), `zstd<level>`.
template <class P>
concept compression_policy = policy_on<P, compression_axis> && names_its_token<P> && compresses_whole_payloads<P>;

}  // namespace polycast::inline v0
