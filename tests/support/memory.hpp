#pragma once

// How much the program has allocated: asked of the sanitizer if there is one, else of glibc. 0: nobody knows.

#include <cstddef>

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define POLYCAST_TESTS_SANITIZED 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define POLYCAST_TESTS_SANITIZED 1
#endif

#if defined(POLYCAST_TESTS_SANITIZED)
extern "C" std::size_t __sanitizer_get_current_allocated_bytes();  // g++ 12 has it, but not the header
#elif defined(__GLIBC__)
#include <malloc.h>
#endif

namespace support {

inline std::size_t allocated_bytes()
{
#if defined(POLYCAST_TESTS_SANITIZED)
    return __sanitizer_get_current_allocated_bytes();
#elif defined(__GLIBC__)
    auto const all = ::mallinfo2();  // of all arenas
    return all.uordblks + all.hblkhd;
#else
    return 0;
#endif
}

}  // namespace support
