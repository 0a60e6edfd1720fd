#pragma once

#include <polycast/config.hpp>

#if POLYCAST_WITH_SIMULATION

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <new>
#include <system_error>
#include <type_traits>
#include <utility>

namespace polycast::inline v0::transport {

/// Any callable `void(std::error_code)`, owned and move-only.
///
/// The one place of the library where a handler's type is forgotten: the world keeps the handlers of all loops in one
/// order, so that the seed decides between them. It is a test instrument; no other transport includes it.
class simulated_task {
public:
    simulated_task() noexcept = default;
    template <class F>
        requires(!std::same_as<std::decay_t<F>, simulated_task> && std::invocable<std::decay_t<F>&, std::error_code>)
    simulated_task(F&& f)
    {
        using held = std::decay_t<F>;
        if constexpr (fits<held>)
            ::new (static_cast<void*>(place_)) held(std::forward<F>(f));
        else
            ::new (static_cast<void*>(place_)) held*(new held(std::forward<F>(f)));
        steps_ = &steps_for<held>;
    }
    simulated_task(simulated_task&& other) noexcept { take(other); }
    simulated_task& operator=(simulated_task&& other) noexcept
    {
        if (this != &other) {
            reset();
            take(other);
        }
        return *this;
    }
    ~simulated_task() { reset(); }

    [[nodiscard]] explicit operator bool() const noexcept { return steps_ != nullptr; }
    void operator()(std::error_code ec) { steps_->call(place_, ec); }
    void reset() noexcept
    {
        if (auto const* const known = std::exchange(steps_, nullptr))
            known->destroy(place_);
    }

private:
    static constexpr std::size_t place_bytes = 6 * sizeof(void*);
    template <class F>
    static constexpr bool fits = sizeof(F) <= place_bytes && alignof(F) <= alignof(std::max_align_t) &&
                                 std::is_nothrow_move_constructible_v<F>;

    struct steps {
        void (*call)(void*, std::error_code);
        void (*move)(void* from, void* to) noexcept;
        void (*destroy)(void*) noexcept;
    };
    template <class F>
    static F& held_in(void* place) noexcept
    {
        if constexpr (fits<F>)
            return *std::launder(static_cast<F*>(place));
        else
            return **std::launder(static_cast<F**>(place));
    }
    template <class F>
    static constexpr steps steps_for{
        [](void* place, std::error_code ec) { held_in<F>(place)(ec); },
        [](void* from, void* to) noexcept {
            if constexpr (fits<F>) {
                ::new (to) F(std::move(held_in<F>(from)));
                held_in<F>(from).~F();
            } else {
                ::new (to) F*(*std::launder(static_cast<F**>(from)));
            }
        },
        [](void* place) noexcept {
            if constexpr (fits<F>)
                held_in<F>(place).~F();
            else
                delete &held_in<F>(place);
        }};

    void take(simulated_task& other) noexcept
    {
        if ((steps_ = std::exchange(other.steps_, nullptr)) != nullptr)
            steps_->move(other.place_, place_);
    }

    steps const* steps_ = nullptr;
    alignas(std::max_align_t) std::byte place_[place_bytes];
};

/// xoshiro256** seeded by splitmix64: the same numbers on every platform, which `std::` distributions do not promise.
class simulated_chance {
public:
    explicit constexpr simulated_chance(std::uint64_t seed) noexcept
    {
        for (std::uint64_t& word : state_) {
            seed += 0x9E3779B97F4A7C15u;
            std::uint64_t z = seed;
            z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
            z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
            word = z ^ (z >> 31);
        }
    }
    constexpr std::uint64_t next() noexcept
    {
        std::uint64_t const result = rotate(state_[1] * 5, 7) * 9;
        std::uint64_t const t = state_[1] << 17;
        state_[2] ^= state_[0];
        state_[3] ^= state_[1];
        state_[1] ^= state_[2];
        state_[0] ^= state_[3];
        state_[2] ^= t;
        state_[3] = rotate(state_[3], 45);
        return result;
    }
    /// 0 … bound - 1; 0 for a bound of 0.
    constexpr std::uint64_t below(std::uint64_t bound) noexcept { return bound == 0 ? 0 : next() % bound; }
    /// True with probability `p`.
    constexpr bool happens(double p) noexcept
    {
        return p > 0 && static_cast<double>(next() >> 11) * 0x1p-53 < p;
    }

private:
    static constexpr std::uint64_t rotate(std::uint64_t x, int by) noexcept { return (x << by) | (x >> (64 - by)); }

    std::uint64_t state_[4]{};
};

}  // namespace polycast::inline v0::transport

#endif  // POLYCAST_WITH_SIMULATION
