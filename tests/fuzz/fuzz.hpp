#pragma once

// What the fuzz targets share. A target is one .cpp that defines `FUZZ_TARGET(name) { … in … }`. clang's libFuzzer
// makes a program of each (tests/fuzz/run); replay.cpp makes one program of all, which any compiler builds and which
// runs the committed corpora as a test.

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace polycast {
}

namespace fuzz {

namespace pc = polycast;

/// The file that is replayed; a fuzzer writes its own.
inline std::string& running()
{
    static std::string path;
    return path;
}
[[noreturn]] inline void broken(char const* condition, char const* file, int line)
{
    std::fprintf(stderr, "%s:%d: broken: %s %s\n", file, line, condition, running().c_str());
    std::abort();
}

/// The bytes of one run. Choices are taken from the front; what is left is the data.
class input {
public:
    explicit input(std::span<std::uint8_t const> bytes) noexcept
        : rest_(reinterpret_cast<char const*>(bytes.data()), bytes.size())
    {
    }
    [[nodiscard]] bool empty() const noexcept { return rest_.empty(); }
    /// 0 at the end.
    std::uint8_t byte() noexcept
    {
        if (rest_.empty())
            return 0;
        auto const b = static_cast<std::uint8_t>(rest_.front());
        rest_.remove_prefix(1);
        return b;
    }
    bool flag() noexcept { return (byte() & 1) != 0; }
    std::string_view take(std::size_t bytes) noexcept
    {
        std::string_view const taken = rest_.substr(0, bytes);
        rest_.remove_prefix(taken.size());
        return taken;
    }
    [[nodiscard]] std::string_view rest() const noexcept { return rest_; }

private:
    std::string_view rest_;
};

/// Lengths of pieces, in turn: three bytes of the input say them, so that a mutation changes the splits alone.
class splitter {
public:
    explicit splitter(input& in) noexcept
    {
        for (std::size_t& step : steps_) {
            std::size_t const b = in.byte();
            step = b < 0x80 ? b % 16 + 1 : (b - 0x7F) * 8;
        }
    }
    [[nodiscard]] std::size_t next() noexcept { return steps_[at_++ % 3]; }
    /// Calls `f(piece)` for pieces of `text` until it returns false.
    template <class F>
    void each(std::string_view text, F f)
    {
        while (!text.empty()) {
            std::string_view const piece = text.substr(0, next());
            text.remove_prefix(piece.size());
            if (!f(piece))
                return;
        }
    }

private:
    std::size_t steps_[3]{};
    std::size_t at_ = 0;
};

/// A copy in a block of exactly its size: a sanitizer sees a read beyond it.
class exact {
public:
    explicit exact(std::string_view text) : bytes_(new char[text.size()]), size_(text.size())
    {
        text.copy(bytes_.get(), size_);
    }
    [[nodiscard]] std::span<char> span() noexcept { return {bytes_.get(), size_}; }
    [[nodiscard]] std::string_view view() const noexcept { return {bytes_.get(), size_}; }
    [[nodiscard]] bool holds(std::string_view part) const noexcept
    {
        return part.empty() || (std::less_equal<>()(bytes_.get(), part.data()) &&
                                std::less_equal<>()(part.data() + part.size(), bytes_.get() + size_));
    }

private:
    std::unique_ptr<char[]> bytes_;
    std::size_t size_;
};

/// UTF-8 by arithmetic (RFC 3629 §3), apart from the library's tables: how many bytes at the front of `text` are whole
/// code points, and whether what follows can still become one.
struct utf8_prefix {
    std::size_t whole_bytes = 0;
    bool legal = true;
};
inline utf8_prefix reference_utf8(std::string_view text)
{
    for (std::size_t at = 0; at != text.size();) {
        auto const lead = static_cast<unsigned char>(text[at]);
        unsigned const size = lead < 0x80 ? 1 : lead >> 5 == 6 ? 2 : lead >> 4 == 14 ? 3 : lead >> 3 == 30 ? 4 : 0;
        if (size == 0)
            return {at, false};
        // The range of code points that the bytes so far leave open.
        std::uint32_t const bits = size == 1 ? lead : lead & (0x7FU >> size);
        std::uint32_t low = bits, high = bits;
        for (unsigned i = 1; i != size; ++i) {
            bool const here = at + i < text.size();
            auto const next = here ? static_cast<unsigned char>(text[at + i]) : 0x80U;
            if (next >> 6 != 2)
                return {at, false};
            low = low << 6 | (here ? next & 0x3FU : 0U);
            high = high << 6 | (here ? next & 0x3FU : 0x3FU);
        }
        std::uint32_t const least = size == 1 ? 0 : size == 2 ? 0x80 : size == 3 ? 0x800 : 0x1'0000;
        if (high < least || low > 0x10'FFFF || (low >= 0xD800 && high <= 0xDFFF))
            return {at, false};
        if (at + size > text.size())
            return {at, true};
        at += size;
    }
    return {text.size(), true};
}
inline bool reference_is_utf8(std::string_view text)
{
    auto const found = reference_utf8(text);
    return found.legal && found.whole_bytes == text.size();
}

struct target {
    char const* name;
    void (*run)(input);
};
/// All targets of the replay program.
inline std::vector<target>& targets()
{
    static std::vector<target> all;
    return all;
}
struct registered {
    registered(char const* name, void (*run)(input)) { targets().push_back({name, run}); }
};

}  // namespace fuzz

#define FUZZ_REQUIRE(...) ((__VA_ARGS__) ? void() : ::fuzz::broken(#__VA_ARGS__, __FILE__, __LINE__))

#if defined(POLYCAST_FUZZ_REPLAY)
#define FUZZ_TARGET(name)                                                                                              \
    static void name##_target(fuzz::input in);                                                                         \
    static fuzz::registered const name##_registered{#name, name##_target};                                             \
    static void name##_target(fuzz::input in)
#else
#define FUZZ_TARGET(name)                                                                                              \
    static void name##_target(fuzz::input in);                                                                         \
    extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size)                                  \
    {                                                                                                                  \
        name##_target(fuzz::input({data, size}));                                                                      \
        return 0;                                                                                                      \
    }                                                                                                                  \
    static void name##_target(fuzz::input in)
#endif
