#pragma once

#include <polycast/detail/byte_buffer.hpp>
#include <polycast/error.hpp>
#include <polycast/policy/axis.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
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
    /// A dictionary is none that zstd can use, or not the one that was named.
    bad_dictionary,
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
        case compression_error::bad_dictionary: return "not a zstd dictionary, or not the one that was named";
        }
        return "unknown compression error";
    }
    std::error_condition default_error_condition(int value) const noexcept override
    {
        return make_error_condition(static_cast<compression_error>(value) == compression_error::malformed
                                        ? failure::protocol
                                        : failure::validation);
    }
};
inline compression_category_type const compression_category{};
inline std::error_code make_error_code(compression_error e) noexcept
{
    return {static_cast<int>(e), compression_category};
}

namespace compression {

/// What an operator changes about compression. The policy is the program's type.
struct options {
    std::size_t min_bytes = 128;  ///< permessage-deflate: a shorter message travels as it is
    std::string dictionary{};     ///< `zstd<level, dictionary::loaded>`: its bytes (`zstd --train` or examples/train)
};

/// A dictionary as `$hello` names it; without one the id is empty.
struct dictionary_view {
    std::string_view id;
    std::string_view bytes;
};

/// For a policy whose encoding of a message depends on that message alone.
struct no_context {};

/// One of the ways to say on the wire that a payload is compressed.
enum class form_kind : std::uint8_t {
    token,      ///< by the subprotocol: every event is a binary frame of compressed bytes
    extension,  ///< by RSV1 (RFC 7692): a message of any kind may be compressed or not
};

}  // namespace compression

template <class P>
concept numbers_its_forms = requires {
    { P::forms } -> std::convertible_to<std::size_t>;
    { P::kind(std::uint8_t{1}) } -> std::same_as<compression::form_kind>;
};
template <class P>
concept says_how_it_is_negotiated = requires {
    { P::suffixes.size() } -> std::convertible_to<std::size_t>;
    { P::form_of_suffix(std::size_t{}) } -> std::same_as<std::uint8_t>;
    { P::has_extension } -> std::convertible_to<bool>;
};
template <class P>
concept compresses_whole_payloads = std::constructible_from<P, compression::options const&> &&
    requires(P const& p, detail::byte_buffer& out, std::string_view in, std::uint8_t form, std::size_t max_bytes) {
        { p.compress(form, out, in) } -> std::same_as<bool>;
        { p.decompress(form, out, in, max_bytes) } -> std::same_as<std::error_code>;
    };
template <class P>
concept says_whether_it_remembers = requires {
    { P::keeps_context } -> std::convertible_to<bool>;
    typename P::context;
};

/// Decides how payloads are compressed. A policy has `forms` compressed forms, numbered from 1; 0 is the payload as it
/// is. An emission is encoded once for each form that some receiver has. One object a server or client, used from any
/// thread.
///
/// | Expression                          | Type         | Meaning                                                      |
/// |-------------------------------------|--------------|--------------------------------------------------------------|
/// | `P::forms`                          | `size_t`     | how many; 0: nothing is ever compressed                      |
/// | `P::kind(form)`                     | `form_kind`  | how it is told apart on the wire                             |
/// | `P::suffixes`                       | array of `string_view` | appended to the subprotocol token, best first      |
/// | `P::form_of_suffix(i)`              | `uint8_t`    | what a session gets that agreed on `suffixes[i]`             |
/// | `P::has_extension`                  | `bool`       | has forms of permessage-deflate; then also `P::terms` (`deflate_terms`) and `P::form_for(deflate_agreement, role)` |
/// | `P::keeps_context`, `P::context`    | `bool`, type | true: a form's encoding depends on what its connection carried before; it then has `P::context_form`, a form for `kind`, `p.make_context(agreement, role)` → `std::unique_ptr<context>`, `context.compress(out, in)`, `context.decompress(out, in, max)`, and the two calls below are not made for it |
/// | `P(options)`                        |              | throws `std::system_error` if they cannot be used            |
/// | `p.compress(form, out, in)`         | `bool`       | appends the compressed `in`; false: it travels as it is      |
/// | `p.decompress(form, out, in, max)`  | `error_code` | appends at most `max` bytes                                  |
///
/// Optional, together: `p.dictionary()`, what `$hello` names (`dictionary_view`); `p.hello_form(form)`, the form after
/// `$hello` for a session of `form`; and for clients `p.learn(id, bytes)` → `error_code`, which takes what a server named
/// and a GET fetched, before anyone else uses the object. Models: `identity` (default, null), `zstd<level>`, `deflate<…>`,
/// `any_of<…>`.
template <class P>
concept compression_policy = policy_on<P, compression_axis> && numbers_its_forms<P> && says_how_it_is_negotiated<P> &&
                             compresses_whole_payloads<P> && says_whether_it_remembers<P>;

/// The policy may tell clients of a dictionary.
template <class P>
concept has_dictionary = requires(P const& p, P& own, std::string_view text) {
    { p.dictionary() } -> std::same_as<compression::dictionary_view>;
    { p.hello_form(std::uint8_t{1}) } -> std::same_as<std::uint8_t>;
    { own.learn(text, text) } -> std::same_as<std::error_code>;
};

/// Where a GET on the server's port fetches a dictionary.
[[nodiscard]] inline std::string dictionary_path(std::string_view id)
{
    return "/polycast/dictionary/" + std::string(id);
}

}  // namespace polycast::inline v0
