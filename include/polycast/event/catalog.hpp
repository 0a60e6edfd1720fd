#pragma once

#include <polycast/event/describe.hpp>

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>

namespace polycast::inline v0 {

namespace detail {

/// Tells event names apart by length and three characters; the table below settles the rest.
[[nodiscard]] constexpr std::size_t name_hash(std::string_view name) noexcept
{
    std::uint32_t hash = static_cast<std::uint32_t>(name.size());
    hash = hash * 31 + static_cast<unsigned char>(name.front());
    hash = hash * 31 + static_cast<unsigned char>(name[name.size() / 2]);
    hash = hash * 31 + static_cast<unsigned char>(name.back());
    return (hash * 2654435761U) >> 16;  // Knuth's multiplicative hash: the high bits are the mixed ones
}

template <std::size_t Count>
consteval bool names_differ(std::array<std::string_view, Count> const& names)
{
    for (std::size_t i = 0; i < Count; ++i)
        for (std::size_t j = 0; j < i; ++j)
            if (names[i] == names[j])
                return false;
    return true;
}

template <event E>
struct checked_event {
    static_assert(!event_control<E>, "polycast: a control message cannot be in the catalog of accepted events.");
    static_assert(event_name<E>.front() != '$', "polycast: event names that begin with `$` belong to the protocol.");
    static constexpr bool ok = true;
};

}  // namespace detail

/// The events that an application accepts. `using accepts = polycast::events<question, cancel_run>;`
template <event... Es>
struct events {
    static constexpr std::size_t size = sizeof...(Es);
    static constexpr std::size_t npos = static_cast<std::size_t>(-1);
    static constexpr std::array<std::string_view, size> names{event_name<Es>...};

    static_assert(detail::names_differ(names),
                  "polycast: two events of one catalog have the same name; rename one with event_traits<T>::name.");
    static_assert((detail::checked_event<Es>::ok && ... && true));

    /// The position of the event called `name`, or `npos`. One hash and, but for rare collisions, one comparison.
    [[nodiscard]] static constexpr std::size_t index_of([[maybe_unused]] std::string_view name) noexcept
    {
        if constexpr (size != 0) {
            if (name.empty())
                return npos;
            for (std::size_t at = detail::name_hash(name) & (slots - 1); table[at] != 0; at = (at + 1) & (slots - 1))
                if (names[table[at] - 1U] == name)
                    return table[at] - 1U;
        }
        return npos;
    }

    /// Calls `f.template operator()<E>()` for the event at `index`, which must be less than `size`.
    template <class F>
    static constexpr void visit([[maybe_unused]] std::size_t index, [[maybe_unused]] F&& f)
    {
        if constexpr (size != 0) {
            using function = void (*)(std::remove_reference_t<F>&);
            constexpr function calls[] = {
                +[](std::remove_reference_t<F>& visitor) { visitor.template operator()<Es>(); }...};
            calls[index](f);
        }
    }

private:
    // Open addressing, at most a quarter full. 0 is an empty slot, else the index and one.
    static constexpr std::size_t slots = std::bit_ceil(size * 4 + 1);
    static constexpr auto table = [] {
        std::array<std::uint16_t, slots> out{};
        for (std::size_t i = 0; i < size; ++i) {
            std::size_t at = detail::name_hash(names[i]) & (slots - 1);
            while (out[at] != 0)
                at = (at + 1) & (slots - 1);
            out[at] = static_cast<std::uint16_t>(i + 1);
        }
        return out;
    }();
};

namespace detail {
template <class App>
struct accepted {
    using type = events<>;
};
template <class App>
    requires requires { typename App::accepts; }
struct accepted<App> {
    using type = typename App::accepts;
};
}  // namespace detail

/// The catalog of an application: `App::accepts`, or the empty one.
template <class App>
using accepted_events = typename detail::accepted<App>::type;

}  // namespace polycast::inline v0
