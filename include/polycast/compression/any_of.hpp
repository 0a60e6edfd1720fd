#pragma once

#include <polycast/compression/policy.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <system_error>
#include <tuple>
#include <type_traits>
#include <utility>

namespace polycast::inline v0::detail {

/// The one policy of a list that negotiates permessage-deflate, or none.
template <class... Ps>
struct extension_of {
    static constexpr bool found = false;
    using context = compression::no_context;
    static constexpr bool keeps_context = false;
};
template <class P, class... Ps>
struct extension_of<P, Ps...> : extension_of<Ps...> {};
template <class P, class... Ps>
    requires P::has_extension
struct extension_of<P, Ps...> {
    static constexpr bool found = true;
    static constexpr std::size_t behind = sizeof...(Ps);
    using policy = P;
    using context = typename P::context;
    static constexpr bool keeps_context = P::keeps_context;
};
template <class... Ps>
struct dictionary_of {
    static constexpr bool found = false;
};
template <class P, class... Ps>
struct dictionary_of<P, Ps...> : dictionary_of<Ps...> {};
template <class P, class... Ps>
    requires has_dictionary<P>
struct dictionary_of<P, Ps...> {
    static constexpr bool found = true;
    static constexpr std::size_t behind = sizeof...(Ps);
};

}  // namespace polycast::inline v0::detail

namespace polycast::inline v0::compression {

/// Each client gets the first of `Ps` that it can do: `any_of<zstd<3>, deflate<shared>>`. Subprotocol tokens go before
/// the extension, and nothing is compressed twice. The forms are those of the policies one after the other.
template <class... Ps>
class any_of {
    static_assert(sizeof...(Ps) != 0 && (compression_policy<Ps> && ...),
                  "polycast: any_of takes compression policies.");
    static_assert((std::size_t{Ps::has_extension} + ...) <= 1,
                  "polycast: any_of takes one deflate at most: a client negotiates permessage-deflate once.");
    static_assert(((Ps::suffixes.empty() ? 0U : 1U) + ...) <= 1,
                  "polycast: any_of takes one zstd at most: its subprotocol token is the same for every level.");
    using extension = detail::extension_of<Ps...>;
    using with_dictionary = detail::dictionary_of<Ps...>;

public:
    using policy_axis = compression_axis;
    using context = typename extension::context;
    static constexpr std::size_t forms = (Ps::forms + ...);
    static constexpr bool has_extension = extension::found;
    static constexpr bool keeps_context = extension::keeps_context;

private:
    static constexpr std::size_t suffix_count = (Ps::suffixes.size() + ...);
    /// How many forms the policies before the `I`th have.
    template <std::size_t I>
    static constexpr std::uint8_t before = [] {
        constexpr std::array<std::size_t, sizeof...(Ps)> counts{Ps::forms...};
        std::size_t sum = 0;
        for (std::size_t i = 0; i < I; ++i)
            sum += counts[i];
        return static_cast<std::uint8_t>(sum);
    }();
    static constexpr auto each = std::index_sequence_for<Ps...>();
    /// Calls `f(policy index, form within it)` for the policy that has `form`; what it returns.
    template <class Result, class F, std::size_t... I>
    static constexpr Result in_policy(std::uint8_t form, F f, std::index_sequence<I...>)
    {
        Result result{};
        static_cast<void>(((form > before<I> && form <= before<I> + std::tuple_element_t<I, std::tuple<Ps...>>::forms
                                ? (result = f(std::integral_constant<std::size_t, I>(),
                                              static_cast<std::uint8_t>(form - before<I>)),
                                   true)
                                : false) ||
                           ...));
        return result;
    }
    template <std::size_t I>
    using policy = std::tuple_element_t<I, std::tuple<Ps...>>;

public:
    static constexpr std::array<std::string_view, suffix_count> suffixes = [] {
        std::array<std::string_view, suffix_count> all{};
        [[maybe_unused]] std::size_t at = 0;
        (
            [&] {
                for (std::size_t i = 0; i < Ps::suffixes.size(); ++i)
                    all[at++] = Ps::suffixes[i];
            }(),
            ...);
        return all;
    }();
    static constexpr auto terms = [] {
        if constexpr (extension::found)
            return extension::policy::terms;
        else
            return no_context();
    }();
    static constexpr std::uint8_t context_form = [] {
        if constexpr (keeps_context)
            return static_cast<std::uint8_t>(before<sizeof...(Ps) - 1 - extension::behind> + extension::policy::context_form);
        else
            return std::uint8_t{0};
    }();

    [[nodiscard]] static constexpr form_kind kind(std::uint8_t form) noexcept
    {
        return in_policy<form_kind>(form, [](auto i, std::uint8_t own) { return policy<i>::kind(own); }, each);
    }
    [[nodiscard]] static constexpr std::uint8_t form_of_suffix(std::size_t index) noexcept
    {
        std::uint8_t result = 0;
        [&]<std::size_t... I>(std::index_sequence<I...>) {
            ((index < policy<I>::suffixes.size()
                  ? (result = result != 0 ? result : static_cast<std::uint8_t>(before<I> + policy<I>::form_of_suffix(index)), 0)
                  : 0),
             ...);
        }(each);
        return result;
    }
    template <class Agreement, class Role>
    [[nodiscard]] static constexpr std::uint8_t form_for(Agreement const& agreed, Role us) noexcept
    {
        auto const own = extension::policy::form_for(agreed, us);
        return own == 0 ? own : static_cast<std::uint8_t>(own + before<sizeof...(Ps) - 1 - extension::behind>);
    }

    explicit any_of(options const& o = {}) : policies_(Ps(o)...) {}

    template <class Agreement, class Role>
    [[nodiscard]] auto make_context(Agreement const& agreed, Role us) const
    {
        return std::get<sizeof...(Ps) - 1 - extension::behind>(policies_).make_context(agreed, us);
    }
    [[nodiscard]] bool compress(std::uint8_t form, detail::byte_buffer& out, std::string_view in) const
    {
        return in_policy<bool>(
            form, [&](auto i, std::uint8_t own) { return std::get<i>(policies_).compress(own, out, in); }, each);
    }
    [[nodiscard]] std::error_code decompress(std::uint8_t form, detail::byte_buffer& out, std::string_view in,
                                             std::size_t max_bytes) const
    {
        return in_policy<std::error_code>(
            form, [&](auto i, std::uint8_t own) { return std::get<i>(policies_).decompress(own, out, in, max_bytes); },
            each);
    }

    [[nodiscard]] std::uint8_t hello_form(std::uint8_t form) const noexcept
        requires with_dictionary::found
    {
        constexpr auto i = sizeof...(Ps) - 1 - with_dictionary::behind;
        bool const its = form > before<i> && form <= before<i> + policy<i>::forms;
        return its ? static_cast<std::uint8_t>(before<i> +
                                               std::get<i>(policies_).hello_form(static_cast<std::uint8_t>(form - before<i>)))
                   : form;
    }
    [[nodiscard]] dictionary_view dictionary() const noexcept
        requires with_dictionary::found
    {
        return std::get<sizeof...(Ps) - 1 - with_dictionary::behind>(policies_).dictionary();
    }
    [[nodiscard]] std::error_code learn(std::string_view id, std::string_view bytes)
        requires with_dictionary::found
    {
        return std::get<sizeof...(Ps) - 1 - with_dictionary::behind>(policies_).learn(id, bytes);
    }

private:
    std::tuple<Ps...> policies_;
};

}  // namespace polycast::inline v0::compression
