#pragma once

#include <concepts>
#include <cstddef>
#include <new>
#include <system_error>
#include <type_traits>
#include <utility>

namespace polycast::inline v0::detail {

/// Any callable `void(std::error_code)`, owned and move-only: for those who keep the handlers of many in one order, and so
/// cannot name their types. Small ones, up to `place_bytes`, need no memory of their own.
template <std::size_t place_bytes>
class task {
public:
    task() noexcept = default;
    template <class F>
        requires(!std::same_as<std::decay_t<F>, task> && std::invocable<std::decay_t<F>&, std::error_code>)
    task(F&& f)
    {
        using held = std::decay_t<F>;
        if constexpr (fits<held>)
            ::new (static_cast<void*>(place_)) held(std::forward<F>(f));
        else
            ::new (static_cast<void*>(place_)) held*(new held(std::forward<F>(f)));
        steps_ = &steps_for<held>;
    }
    task(task&& other) noexcept { take(other); }
    task& operator=(task&& other) noexcept
    {
        if (this != &other) {
            reset();
            take(other);
        }
        return *this;
    }
    ~task() { reset(); }

    [[nodiscard]] explicit operator bool() const noexcept { return steps_ != nullptr; }
    void operator()(std::error_code ec) { steps_->call(place_, ec); }
    void reset() noexcept
    {
        if (auto const* const known = std::exchange(steps_, nullptr))
            known->destroy(place_);
    }

private:
    template <class F>
    static constexpr bool fits = sizeof(F) <= place_bytes && alignof(F) <= alignof(void*) &&
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

    void take(task& other) noexcept
    {
        if ((steps_ = std::exchange(other.steps_, nullptr)) != nullptr)
            steps_->move(other.place_, place_);
    }

    steps const* steps_ = nullptr;
    alignas(void*) std::byte place_[place_bytes];
};

}  // namespace polycast::inline v0::detail
