#pragma once

#include <polycast/compression/policy.hpp>
#include <polycast/detail/sha1.hpp>

#include <array>
#include <bit>
#include <concepts>
#include <memory>
#include <new>
#include <string>
#include <type_traits>

#include <zstd.h>
#include <zstd_errors.h>

namespace polycast::inline v0::compression::dictionary {
struct none;
}

namespace polycast::inline v0::detail {

struct zstd_free {
    void operator()(ZSTD_CCtx* c) const noexcept { ZSTD_freeCCtx(c); }
    void operator()(ZSTD_DCtx* c) const noexcept { ZSTD_freeDCtx(c); }
    void operator()(ZSTD_CDict* d) const noexcept { ZSTD_freeCDict(d); }
    void operator()(ZSTD_DDict* d) const noexcept { ZSTD_freeDDict(d); }
};
template <class T>
using zstd_owned = std::unique_ptr<T, zstd_free>;

/// What is made of a dictionary once, and then read by all threads.
template <class = void>
struct basic_zstd_dictionary {
    /// `level` is the compressor's. Throws `std::system_error` (`bad_dictionary`) if zstd cannot use `text`.
    basic_zstd_dictionary(std::string_view text, int level)
        : bytes(text), number(ZSTD_getDictID_fromDict(text.data(), text.size())),
          compressing(ZSTD_createCDict(text.data(), text.size(), level)),
          decompressing(ZSTD_createDDict(text.data(), text.size()))
    {
        // One that was trained has a number, or a frame without it could not be told from one that does without.
        bool const trained = text.starts_with(magic);
        if (!compressing || !decompressing || (trained && number == 0))
            throw std::system_error(make_error_code(compression_error::bad_dictionary), "polycast: compression");
        auto const digest = sha1(text);  // a name, not a seal
        for (std::size_t i = 0; i < 8; ++i)
            for (int const shift : {4, 0})
                id += "0123456789abcdef"[static_cast<unsigned char>(digest[i]) >> shift & 15];
    }
    static constexpr std::string_view magic{"\x37\xA4\x30\xEC", 4};  // RFC 8878 §5

    std::string id;  ///< of the bytes: 16 hexadecimal digits
    std::string bytes;
    unsigned number;  ///< zstd's own, which frames carry; 0: plain bytes, which have none
    zstd_owned<ZSTD_CDict> compressing;
    zstd_owned<ZSTD_DDict> decompressing;
};
using zstd_dictionary = basic_zstd_dictionary<>;

inline void zstd_compress(byte_buffer& out, std::string_view in, int level, ZSTD_CDict const* dictionary)
{
    thread_local zstd_owned<ZSTD_CCtx> const context(ZSTD_createCCtx());
    if (!context)
        throw std::bad_alloc{};
    auto const room = ZSTD_compressBound(in.size());
    char* const to = out.prepare(room);
    auto const bytes =
        dictionary != nullptr ? ZSTD_compress_usingCDict(context.get(), to, room, in.data(), in.size(), dictionary)
                              : ZSTD_compressCCtx(context.get(), to, room, in.data(), in.size(), level);
    if (ZSTD_isError(bytes))
        throw std::bad_alloc{};  // with room for the bound and a valid level nothing else is left to fail
    out.commit(bytes);
}

[[nodiscard]] inline std::error_code zstd_decompress(byte_buffer& out, std::string_view in, std::size_t max_bytes,
                                                     ZSTD_DDict const* dictionary)
{
    // RFC 8878 §3.1.1. The library also knows formats from before it and frames to skip, which are not for here.
    if (!in.starts_with(std::string_view("\x28\xB5\x2F\xFD", 4)))
        return compression_error::malformed;
    thread_local zstd_owned<ZSTD_DCtx> const context(ZSTD_createDCtx());
    if (!context)
        throw std::bad_alloc{};
    ZSTD_DCtx_reset(context.get(), ZSTD_reset_session_only);
    if (ZSTD_isError(ZSTD_DCtx_refDDict(context.get(), dictionary)))
        throw std::bad_alloc{};
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
            return ZSTD_getErrorCode(left) == ZSTD_error_frameParameter_windowTooLarge ? compression_error::too_large
                                                                                       : compression_error::malformed;
        if (made + to.pos > max_bytes)
            return compression_error::too_large;
        out.commit(to.pos);
        made += to.pos;
        if (left == 0) {
            // Streaming, zstd does not look whether as much came out as the frame claims (RFC 8878 §3.1.1.1.4).
            auto const claimed = ZSTD_getFrameContentSize(in.data(), in.size());
            bool const kept = claimed == ZSTD_CONTENTSIZE_UNKNOWN || claimed == made;
            return kept && from.pos == from.size ? std::error_code() : compression_error::malformed;
        }
        if (from.pos == from.size && to.pos < to.size)
            return compression_error::malformed;  // the frame is cut short
    }
}

}  // namespace polycast::inline v0::detail

namespace polycast::inline v0::compression {

/// One zstd frame (RFC 8878) a message, under the `.zstd` subprotocol tokens. Stateless, so one encoding serves every
/// receiver. Contexts are one a thread; they allocate on a thread's first messages only.
/// `Level` is zstd's: 1 (fast) to 22 (small), negative for faster still.
///
/// With a `Dictionary` (`dictionary::of<events<…>>`, `dictionary::loaded`) form 2 is compressed with it. `$hello`, still
/// in form 1, names it, and whoever read that has form 2 from then on (WIRE). A dictionary that was trained holds pieces
/// of the traffic it was trained on: every client may fetch it.
template <int Level = 3, class Dictionary = dictionary::none>
class zstd {
    static_assert(Level != 0 && Level >= -131072 && Level <= 22, "polycast: zstd<level> takes -131072 to 22, but not 0.");
    static_assert(std::same_as<Dictionary, dictionary::none> ||
                      requires(options const& o) { { Dictionary::bytes(o) } -> std::same_as<std::string_view>; },
                  "polycast: zstd takes dictionary::of or dictionary::loaded for its dictionary.");

public:
    using policy_axis = compression_axis;
    using context = no_context;
    static constexpr bool knows_dictionaries = !std::same_as<Dictionary, dictionary::none>;
    static constexpr std::size_t forms = knows_dictionaries ? 2 : 1;
    static constexpr std::array<std::string_view, 1> suffixes{".zstd"};
    static constexpr bool has_extension = false;
    static constexpr bool keeps_context = false;
    [[nodiscard]] static constexpr form_kind kind(std::uint8_t) noexcept { return form_kind::token; }
    [[nodiscard]] static constexpr std::uint8_t form_of_suffix(std::size_t) noexcept { return 1; }

    /// Throws `std::system_error` if the dictionary is none that zstd can use.
    explicit zstd(options const& o = {})
    {
        if constexpr (knows_dictionaries)
            if (auto const bytes = Dictionary::bytes(o); !bytes.empty())
                known_ = std::make_shared<detail::zstd_dictionary const>(bytes, Level);
    }

    /// The form of a session of `form` once it has been told of the dictionary.
    [[nodiscard]] std::uint8_t hello_form(std::uint8_t form) const noexcept
        requires knows_dictionaries
    {
        return form == 1 && known_ ? 2 : form;
    }
    [[nodiscard]] dictionary_view dictionary() const noexcept
        requires knows_dictionaries
    {
        return known_ ? dictionary_view{known_->id, known_->bytes} : dictionary_view{};
    }
    /// For a client: takes the dictionary that a server named `id`. `bad_dictionary` if these bytes are not it, or
    /// zstd cannot use them. Not while other threads use this object.
    [[nodiscard]] std::error_code learn(std::string_view id, std::string_view bytes)
        requires knows_dictionaries
    {
        try {
            auto learnt = std::make_shared<detail::zstd_dictionary const>(bytes, Level);
            if (learnt->id != id)
                return compression_error::bad_dictionary;
            known_ = std::move(learnt);
            return {};
        } catch (std::system_error const& e) {
            return e.code();
        }
    }

    [[nodiscard]] bool compress([[maybe_unused]] std::uint8_t form, detail::byte_buffer& out, std::string_view in) const
    {
        ZSTD_CDict const* dictionary = nullptr;
        if constexpr (knows_dictionaries)
            if (form == 2 && known_)
                dictionary = known_->compressing.get();
        detail::zstd_compress(out, in, Level, dictionary);
        return true;
    }
    /// In form 2 a frame may also do without the dictionary, where that can be told: a trained one has a number, which
    /// frames that use it carry; plain bytes have none, and knowing them does no harm.
    [[nodiscard]] std::error_code decompress([[maybe_unused]] std::uint8_t form, detail::byte_buffer& out, std::string_view in,
                                             std::size_t max_bytes) const
    {
        ZSTD_DDict const* dictionary = nullptr;
        if constexpr (knows_dictionaries)
            if (form == 2 && known_ && (known_->number == 0 || ZSTD_getDictID_fromFrame(in.data(), in.size()) != 0))
                dictionary = known_->decompressing.get();
        return detail::zstd_decompress(out, in, max_bytes, dictionary);
    }

private:
    struct nothing {};
    [[no_unique_address]] std::conditional_t<knows_dictionaries, std::shared_ptr<detail::zstd_dictionary const>, nothing>
        known_{};
};
static_assert(compression_policy<zstd<>>);

}  // namespace polycast::inline v0::compression
