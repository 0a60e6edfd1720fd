#pragma once

#include <exception>
#include <version>

#if defined(__cpp_lib_coroutine)
#include <coroutine>
#endif

namespace polycast::inline v0 {

namespace detail {

/// A producer that waits until its session's outbox has room, as an entry of the session's list. Lives in the
/// coroutine's frame.
struct room_waiter {
    room_waiter* next = nullptr;
    bool open = true;
#if defined(__cpp_lib_coroutine)
    std::coroutine_handle<> waits{};
    void go_on() { waits.resume(); }
#else
    void go_on() {}
#endif
};

}  // namespace detail

#if defined(__cpp_lib_coroutine)

/// What `session::room_to_send` returns: `co_await` it on the session's shard. True: there is room for more; false: the
/// session has ended, and is not to be used again.
template <class Session>
class room_awaiter {
public:
    explicit room_awaiter(Session& s) noexcept : session_(s) {}

    [[nodiscard]] bool await_ready() noexcept
    {
        waiter_.open = session_.is_open();
        return !waiter_.open || session_.has_room();
    }
    void await_suspend(std::coroutine_handle<> waits) noexcept
    {
        waiter_.waits = waits;
        session_.add_waiter(waiter_);
    }
    [[nodiscard]] bool await_resume() const noexcept { return waiter_.open; }

private:
    Session& session_;
    detail::room_waiter waiter_{};
};

/// A coroutine that runs by itself, begun at once: for handlers that produce more than fits an outbox. It ends when its
/// body does; what it throws ends the program, so catch inside.
///
/// ```cpp
/// pc::producer rows(auto& session, int n)
/// {
///     for (int i = 0; i < n && co_await session.room_to_send(); ++i)
///         session.emit(row{i});
/// }
/// ```
struct producer {
    struct promise_type {
        producer get_return_object() noexcept { return {}; }
        std::suspend_never initial_suspend() noexcept { return {}; }
        std::suspend_never final_suspend() noexcept { return {}; }
        void return_void() noexcept {}
        [[noreturn]] void unhandled_exception() noexcept { std::terminate(); }
    };
};

#endif

}  // namespace polycast::inline v0
