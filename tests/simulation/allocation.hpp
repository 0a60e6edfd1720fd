#pragma once

// Memory that runs out where a test says so: `malloc`, which is what frames are made with. `operator new` goes past it, for
// the simulated network could not stand in for a real one if its own memory failed. Not under a sanitizer, which has its own.

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <new>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SIMULATION_FAILS_ALLOCATIONS 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SIMULATION_FAILS_ALLOCATIONS 0
#endif
#endif
#if !defined(SIMULATION_FAILS_ALLOCATIONS)
#if defined(__GLIBC__)
#define SIMULATION_FAILS_ALLOCATIONS 1
#else
#define SIMULATION_FAILS_ALLOCATIONS 0
#endif
#endif

namespace simulation {

/// While one lives, allocation number `at` from now fails, once.
class failing_allocation {
public:
    explicit failing_allocation(std::uint64_t at) noexcept { left() = at; }
    failing_allocation(failing_allocation const&) = delete;
    ~failing_allocation() { left() = 0; }
    /// 0: it has failed, or none was to fail.
    [[nodiscard]] static std::uint64_t& left() noexcept
    {
        static thread_local std::uint64_t count = 0;
        return count;
    }
    [[nodiscard]] bool failed() const noexcept { return left() == 0; }
};

}  // namespace simulation

#if SIMULATION_FAILS_ALLOCATIONS
/// Defined by the one source that includes this with `SIMULATION_DEFINES_MALLOC`.
#ifdef SIMULATION_DEFINES_MALLOC
extern "C" void* __libc_malloc(std::size_t);
extern "C" void* malloc(std::size_t size)
{
    if (auto& left = simulation::failing_allocation::left(); left != 0 && --left == 0) [[unlikely]] {
        errno = ENOMEM;
        return nullptr;
    }
    return __libc_malloc(size);
}
[[gnu::noinline]] void* operator new(std::size_t size)
{
    if (void* const memory = __libc_malloc(size == 0 ? 1 : size)) [[likely]]
        return memory;
    throw std::bad_alloc();
}
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
#endif
#endif
