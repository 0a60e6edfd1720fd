#pragma once

#include <polycast/compression/deflate_stream.hpp>
#include <polycast/compression/policy.hpp>
#include <polycast/config.hpp>
#include <polycast/frame/opcode.hpp>
#include <polycast/handshake/deflate_offer.hpp>

#if POLYCAST_WITH_ZLIB

#include <array>
#include <concepts>
#include <memory>

namespace polycast::inline v0::compression {

/// `deflate<shared>`: nothing is remembered between messages, so one encoding serves every receiver, and idle
/// connections hold nothing.
struct shared {};
/// `deflate<dedicated>`: each connection remembers what it carried, up to 32 KiB each way, and compresses far better. It
/// holds some 300 KiB once it has spoken both ways, a few words before, and what it sends is compressed for it alone.
struct dedicated {};

/// permessage-deflate (RFC 7692) through zlib, which every browser offers. `Level` is zlib's, 1 (fast) to 9 (small). 6 is
/// zlib's own default: up to 1 KiB all levels take the same time, as tables and not matches cost it; at 16 KiB 3 takes 40 %
/// of the time for 13 % more bytes, 9 takes half as much again for none.
///
/// `shared` asks both ends to forget between messages. Its forms differ in the window of the sender: 1 has 15 bits, 2
/// has 9, which whoever wants 9 to 14 can read. Messages below `options::min_bytes`, and those that would not get
/// smaller, travel as they are: empty ones too. Any thread; streams are one a thread and form.
///
/// zlib has a function of this name in the global namespace: write `compression::deflate`, without `using`.
template <class Takeover = shared, int Level = 6>
class deflate {
    static_assert(std::same_as<Takeover, shared> || std::same_as<Takeover, dedicated>,
                  "polycast: deflate takes compression::shared or compression::dedicated.");
    static_assert(Level >= 1 && Level <= 9, "polycast: deflate takes a level of 1 to 9.");

public:
    using policy_axis = compression_axis;
    static constexpr bool keeps_context = std::same_as<Takeover, dedicated>;
    static constexpr std::size_t forms = keeps_context ? 1 : 2;
    static constexpr std::uint8_t context_form = 1;
    static constexpr std::array<std::string_view, 0> suffixes{};
    static constexpr bool has_extension = true;
    static constexpr deflate_terms terms{.server_no_context_takeover = !keeps_context,
                                         .client_no_context_takeover = !keeps_context};

    [[nodiscard]] static constexpr form_kind kind(std::uint8_t) noexcept { return form_kind::extension; }
    [[nodiscard]] static constexpr std::uint8_t form_of_suffix(std::size_t) noexcept { return 0; }
    /// What an end that agreed so compresses with. A client that may have a window of 8 bits only does not compress,
    /// since zlib cannot; it is free not to.
    [[nodiscard]] static constexpr std::uint8_t form_for(deflate_agreement const& agreed, role us) noexcept
    {
        auto const bits = us == role::server ? agreed.server_max_window_bits : agreed.client_max_window_bits;
        return keeps_context || bits < 9 ? 0 : bits == 15 ? 1 : 2;
    }

    explicit deflate(options const& o = {}) noexcept : min_bytes_(o.min_bytes) {}

    [[nodiscard]] bool compress(std::uint8_t form, detail::byte_buffer& out, std::string_view in) const
    {
        if (in.size() < min_bytes_ || in.empty())
            return false;
        detail::deflater& stream = form == 1 ? pooled<15>() : pooled<9>();
        stream.forget();
        return stream.compress(out, in);
    }
    /// Reads both forms, and a sender of any window.
    [[nodiscard]] static std::error_code decompress(std::uint8_t, detail::byte_buffer& out, std::string_view in,
                                                    std::size_t max_bytes)
    {
        thread_local detail::inflater stream(15);
        stream.forget();
        return stream.decompress(out, in, max_bytes);
    }

    /// What one connection remembers. Streams are made with the first message that needs one. On the session's shard.
    class context {
    public:
        context(deflate_agreement const& agreed, role us, std::size_t min_bytes) noexcept
            : min_bytes_(min_bytes),
              sends_{us == role::server ? agreed.server_max_window_bits : agreed.client_max_window_bits,
                     us == role::server ? agreed.server_no_context_takeover : agreed.client_no_context_takeover},
              receives_{us == role::server ? agreed.client_max_window_bits : agreed.server_max_window_bits,
                        us == role::server ? agreed.client_no_context_takeover : agreed.server_no_context_takeover}
        {
        }
        /// As the policy's. What it appended must be sent, in this order: the next message may refer to it. What gained
        /// nothing is not known to the peer, so this end's memory begins anew behind it.
        [[nodiscard]] bool compress(detail::byte_buffer& out, std::string_view in)
        {
            if (in.size() < min_bytes_ || in.empty() || sends_.bits < 9)
                return false;
            if (!out_)
                out_ = std::make_unique<detail::deflater>(Level, sends_.bits);
            bool const gained = out_->compress(out, in);
            if (!gained || sends_.forgets)
                out_->forget();
            return gained;
        }
        [[nodiscard]] std::error_code decompress(detail::byte_buffer& out, std::string_view in, std::size_t max_bytes)
        {
            if (!in_)
                in_ = std::make_unique<detail::inflater>(receives_.bits < 9 ? 9 : receives_.bits);
            auto const ec = in_->decompress(out, in, max_bytes);
            if (receives_.forgets)
                in_->forget();
            return ec;
        }

    private:
        struct direction {
            std::uint8_t bits;
            bool forgets;
        };
        std::size_t min_bytes_;
        direction sends_, receives_;
        std::unique_ptr<detail::deflater> out_;
        std::unique_ptr<detail::inflater> in_;
    };
    [[nodiscard]] std::unique_ptr<context> make_context(deflate_agreement const& agreed, role us) const
    {
        return std::make_unique<context>(agreed, us, min_bytes_);
    }

private:
    template <int Bits>
    static detail::deflater& pooled()
    {
        thread_local detail::deflater stream(Level, Bits);
        return stream;
    }

    std::size_t min_bytes_;
};
static_assert(compression_policy<deflate<shared>> && compression_policy<deflate<dedicated>>);

}  // namespace polycast::inline v0::compression

#endif
