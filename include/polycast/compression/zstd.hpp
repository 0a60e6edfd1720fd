#pragma once

#include <polycast/compression/policy.hpp>

#include <bit>
#include <memory>
#include <new>

#include <zstd.h>
#include <zstd_errors.h>

namespace polycast::inline v0::compression {

/// One zstd frame (RFC 8878) a message, under the `.zstd` subprotocol tokens. Stateless, so one encoding serves every
/// receiver. Contexts are one a thread and level; they allocate on a thread's first message only.
/// `Level` is zstd's: 1 (fast) to 22 (small), negative for faster still.
template <int Level = 3>
struct zstd {
    using policy_axis = compression_axis;
    static_assert(Level != 0 && Level >= -131072 && Level <= 22, "polycast: zstd<level> takes -131072 to 22, but not 0.");
    static constexpr std::string_view token_suffix = ".zstd";
    static constexpr bool compresses = true;

    static void compress(detail::byte_buffer& out, std::string_view in)
    {
        struct destroy {
            void operator()(ZSTD_CCtx* c) const noexcept { ZSTD_freeCCtx(c); }
        };
        thread_local std::unique_ptr<ZSTD_CCtx, destroy> const context(ZSTD_createCCtx());
        if (!context)
            throw std::bad_alloc{};
        auto const room = ZSTD_compressBound(in.size());
        auto const bytes = ZSTD_compressCCtx(context.get(), out.prepare(room), room, in.data(), in.size(), Level);
        if (ZSTD_isError(bytes))
            throw std::bad_alloc{};  // with room for the bound and a valid level nothing else is left to fail
        out.commit(bytes);
    }

    [[nodiscard]] static std::error_code decompress(detail::byte_buffer& out, std::string_view in, std::size_t max_bytes)
    {
        struct destroy {
            void operator()(ZSTD_DCtx* c) const noexcept { ZSTD_freeDCtx(c); }
        };
        thread_local std::unique_ptr<ZSTD_DCtx, destroy> const context(ZSTD_createDCtx());
        if (!context)
            throw std::bad_alloc{};
        ZSTD_DCtx_reset(context.get(), ZSTD_reset_session_only);
        // A frame may not ask for more window than the message may have bytes.
        int const window = static_cast<int>(std::bit_width(max_bytes));
        ZSTD_DCtx_setParameter(context.get(), ZSTD_d_windowLogMax, window < 10 ? 10 : window > 27 ? 27 : window);
        // The size that a frame claims is not believed: memory grows with what really comes out.
        ZSTD_inBuffer from{in.data(), in.size(), 0};
        std::size_t made = 0;
        for (;;) {
            auto const step = max_bytes - made < 16 * 1024 ? max_bytes - made + 1 : std::size_t{16 * 1024};
            ZSTD_outBuffer to{out.prepare(step), step, 0};
            auto const left = ZSTD_decompressStream(context.get(), &to, &from);
            if (ZSTD_isError(left))
                return ZSTD_getErrorCode(left) == ZSTD_error_frameParameter_windowTooLarge
                           ? compression_error::too_large
                           : compression_error::malformed;
            out.commit(to.pos);
            made += to.pos;
            if (made > max_bytes)
                return compression_error::too_large;
            if (left == 0)
                return from.pos == from.size ? std::error_code() : compression_error::malformed;
            if (from.pos == from.size && to.pos < to.size)
                return compression_error::malformed;  // the frame is cut short
        }
    }
};
static_assert(compression_policy<zstd<>>);

}  // namespace polycast::inline v0::compression
