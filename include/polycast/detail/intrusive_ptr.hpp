#pragma once

#include <utility>

namespace polycast::inline v0::detail {

/// Owns one reference of a `T` that counts its own: `t->acquire()`, `t->release()`.
template <class T>
class intrusive_ptr {
public:
    intrusive_ptr() = default;
    /// Takes over a reference that is already counted.
    static intrusive_ptr adopt(T* counted) noexcept
    {
        intrusive_ptr p;
        p.t_ = counted;
        return p;
    }
    intrusive_ptr(intrusive_ptr const& other) noexcept : t_(other.t_)
    {
        if (t_)
            t_->acquire();
    }
    intrusive_ptr(intrusive_ptr&& other) noexcept : t_(std::exchange(other.t_, nullptr)) {}
    // Not one operator that takes its argument by value: in a template, clang 14 never destroys the argument of `p = {}`.
    intrusive_ptr& operator=(intrusive_ptr const& other) noexcept { return *this = intrusive_ptr(other); }
    intrusive_ptr& operator=(intrusive_ptr&& other) noexcept
    {
        intrusive_ptr taken(std::move(other));
        std::swap(t_, taken.t_);
        return *this;
    }
    ~intrusive_ptr()
    {
        if (t_)
            t_->release();
    }
    /// Gives up the reference without ending it: `adopt` takes it over.
    [[nodiscard]] T* leave() noexcept { return std::exchange(t_, nullptr); }
    [[nodiscard]] T* get() const noexcept { return t_; }
    T& operator*() const noexcept { return *t_; }
    T* operator->() const noexcept { return t_; }
    explicit operator bool() const noexcept { return t_ != nullptr; }

private:
    T* t_ = nullptr;
};

}  // namespace polycast::inline v0::detail
