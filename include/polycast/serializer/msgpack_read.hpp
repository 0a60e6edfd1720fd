#pragma once

#include <polycast/detail/endian.hpp>
#include <polycast/serializer/error.hpp>
#include <polycast/serializer/json_read.hpp>
#include <polycast/serializer/msgpack_text.hpp>
#include <polycast/serializer/policy.hpp>

#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace polycast::inline v0::detail {

enum class msgpack_kind : std::uint8_t { end, never, nil, boolean, integer, real, text, binary, array, map, extension };

/// An integer of any width: negative ones are in `bits` as 64 bits of two's complement.
struct msgpack_integer {
    std::uint64_t bits = 0;
    bool negative = false;
};

struct msgpack_extension {
    std::int8_t type = 0;
    std::string_view body;
};

/// Pulls one MessagePack token after the other out of a payload, which stays as it is. Allocates nothing but the text
/// of an error: lengths and counts are compared with what there is before they are believed.
///
/// Each step returns false on an error. The first error is kept. After an error of meaning (a wrong type) the caller
/// goes back to where the value began (`seek`) and reads over it (`pass`); after one of syntax the reader is `broken`
/// for good, as nothing says where the next value begins.
class msgpack_reader {
public:
    msgpack_reader(std::span<char const> payload, decode_limits const& limits) noexcept
        : begin_(payload.data()), at_(begin_), end_(begin_ + payload.size()), limits_(limits),
          max_depth_(limits.max_depth < 512 ? limits.max_depth : 512)
    {
    }

    [[nodiscard]] bool failed() const noexcept { return failed_; }
    [[nodiscard]] bool broken() const noexcept { return broken_; }
    [[nodiscard]] decode_error& error() noexcept { return error_; }
    [[nodiscard]] decode_limits const& limits() const noexcept { return limits_; }
    [[nodiscard]] char const* position() const noexcept { return at_; }
    void seek(char const* at, std::size_t depth) noexcept { at_ = at, depth_ = depth; }

    /// Stands before the next value of the payload; false at its end.
    [[nodiscard]] bool next_object() noexcept
    {
        failed_ = false;
        depth_ = 0;
        return at_ != end_;
    }

    /// What kind of value comes next.
    [[nodiscard]] msgpack_kind peek() const noexcept
    {
        using namespace msgpack_format;
        if (at_ == end_)
            return msgpack_kind::end;
        unsigned const byte = first();
        if (byte < fixmap || byte >= negative_fixint || (byte >= uint8 && byte <= int64))
            return msgpack_kind::integer;
        if ((byte & 0xE0) == fixstr || (byte >= str8 && byte <= str32))
            return msgpack_kind::text;
        if ((byte & 0xF0) == fixmap || byte >= map16)
            return msgpack_kind::map;
        if ((byte & 0xF0) == fixarray || byte >= array16)
            return msgpack_kind::array;
        if (byte >= fixext1)
            return msgpack_kind::extension;
        switch (byte) {
        case nil: return msgpack_kind::nil;
        case no:
        case yes: return msgpack_kind::boolean;
        case float32:
        case float64: return msgpack_kind::real;
        case never: return msgpack_kind::never;
        default: return byte <= bin32 ? msgpack_kind::binary : msgpack_kind::extension;
        }
    }

    // Each reads the value that `peek` announced.

    bool null(json_path const*) noexcept { return ++at_, true; }
    bool boolean(bool& out, json_path const*) noexcept
    {
        out = first() == msgpack_format::yes;
        return ++at_, true;
    }
    bool integer(msgpack_integer& out, json_path const* path)
    {
        using namespace msgpack_format;
        unsigned const byte = first();
        if (byte < fixmap || byte >= negative_fixint) {
            auto const number = static_cast<std::int8_t>(byte);
            out = {static_cast<std::uint64_t>(std::int64_t{number}), number < 0};
            return ++at_, true;
        }
        bool const is_signed = byte >= int8;
        std::size_t const width = std::size_t{1} << (byte - (is_signed ? int8 : uint8));
        if (!big(width, out.bits, path))
            return false;
        std::uint64_t const sign = std::uint64_t{1} << (8 * width - 1);
        out.negative = is_signed && (out.bits & sign) != 0;
        if (out.negative)
            out.bits |= ~(sign * 2 - 1);  // for 64 bits `sign * 2` is 0
        return true;
    }
    bool real(double& out, json_path const* path)
    {
        std::uint64_t bits = 0;
        bool const small = first() == msgpack_format::float32;
        if (!big(small ? 4 : 8, bits, path))
            return false;
        out = small ? static_cast<double>(std::bit_cast<float>(static_cast<std::uint32_t>(bits)))
                    : std::bit_cast<double>(bits);
        return true;
    }
    /// A str, checked to be UTF-8: if it is not, `out` stays as it was.
    bool text(std::string_view& out, json_path const* path)
    {
        std::string_view read;
        if (!str(read, path))
            return false;
        if (!is_utf8(read))
            return fail(serializer_error::invalid_utf8, "a string that is not UTF-8", path);
        out = read;
        return true;
    }
    bool binary(std::string_view& out, json_path const* path)
    {
        std::size_t size = 0;
        return length(first() - msgpack_format::bin8, size, path) && bytes(size, out, path);
    }
    bool extension(msgpack_extension& out, json_path const* path)
    {
        using namespace msgpack_format;
        unsigned const byte = first();
        std::size_t size = std::size_t{1} << ((byte - fixext1) & 7);
        if (byte >= fixext1)
            ++at_;
        else if (!length(byte - ext8, size, path))
            return false;
        std::string_view type;
        if (!bytes(1, type, path) || !bytes(size, out.body, path))
            return false;
        out.type = static_cast<std::int8_t>(type[0]);
        return true;
    }
    /// Goes into the array or map that `peek` announced: `count` elements, or pairs. `leave` it after the last.
    bool enter(std::size_t& count, json_path const* path)
    {
        if (!open(count, path))
            return false;
        if (depth_++ < max_depth_)
            return true;
        return fail(serializer_error::too_deep, "nested too deeply", path);
    }
    void leave() noexcept { --depth_; }

    /// Reads the next key of a map.
    bool key(std::string_view& out, json_path const* path)
    {
        return peek() == msgpack_kind::text ? text(out, path) : wrong_type("a string as key", path);
    }

    /// Reads over the next value, whatever it is, within the limits.
    bool skip(json_path const* path)
    {
        msgpack_kind const kind = peek();
        std::string_view ignored;
        if (kind == msgpack_kind::text)
            return text(ignored, path);
        if (kind != msgpack_kind::array && kind != msgpack_kind::map)
            return pass(path);
        std::size_t count = 0;
        if (!enter(count, path))
            return false;
        for (count *= kind == msgpack_kind::map ? 2 : 1; count != 0; --count)
            if (!skip(path))
                return false;
        leave();
        return true;
    }

    /// Reads over the next value; only its syntax matters. No recursion: for what may be nested too deeply.
    bool pass(json_path const* path = nullptr)
    {
        for (std::size_t left = 1; left != 0; --left) {
            msgpack_kind const kind = peek();
            std::size_t count = 0;
            if (kind == msgpack_kind::array || kind == msgpack_kind::map) {
                if (!open(count, path))
                    return false;
                left += kind == msgpack_kind::map ? count * 2 : count;
                if (left - 1 > static_cast<std::size_t>(end_ - at_))
                    return syntax("cut short", path);
            } else if (!pass_scalar(kind, path)) {
                return false;
            }
        }
        return true;
    }

    /// Reports an error of meaning; keeps the first. Always false.
    bool fail(serializer_error code, std::string_view what, json_path const* path)
    {
        if (!failed_) {
            failed_ = true;
            error_.code = code;
            error_.path = to_string(path);
            error_.message = what;
            error_.at_byte = static_cast<std::size_t>(at_ - begin_);
        }
        return false;
    }

    /// Reports that the next value is not what it must be. Always false.
    bool wrong_type(std::string_view expected, json_path const* path)
    {
        msgpack_kind const kind = peek();
        if (kind == msgpack_kind::end || kind == msgpack_kind::never)
            return syntax("expected a value", path);
        return fail(serializer_error::wrong_type, std::string("expected ").append(expected), path);
    }

    /// Reports that the rest of the payload cannot be read, which is worse than an error of meaning. Always false.
    bool syntax(std::string_view what, json_path const* path)
    {
        failed_ = broken_ && failed_;
        broken_ = true;
        return fail(serializer_error::syntax, what, path);
    }

private:
    [[nodiscard]] unsigned first() const noexcept { return static_cast<unsigned char>(*at_); }

    /// Reads the `width` bytes behind the first one as an unsigned integer.
    bool big(std::size_t width, std::uint64_t& out, json_path const* path)
    {
        if (static_cast<std::size_t>(end_ - at_) <= width)
            return syntax("cut short", path);
        switch (width) {
        case 1: out = load_big<std::uint8_t>(at_ + 1); break;
        case 2: out = load_big<std::uint16_t>(at_ + 1); break;
        case 4: out = load_big<std::uint32_t>(at_ + 1); break;
        default: out = load_big<std::uint64_t>(at_ + 1); break;
        }
        at_ += 1 + width;
        return true;
    }
    /// Reads a length of 1, 2 or 4 bytes: `width` 0, 1, 2.
    bool length(unsigned width, std::size_t& out, json_path const* path)
    {
        std::uint64_t bits = 0;
        if (!big(std::size_t{1} << width, bits, path))
            return false;
        out = static_cast<std::size_t>(bits);
        return true;
    }
    bool bytes(std::size_t size, std::string_view& out, json_path const* path)
    {
        if (static_cast<std::size_t>(end_ - at_) < size)
            return syntax("cut short", path);
        out = {at_, size};
        at_ += size;
        return true;
    }
    bool str(std::string_view& out, json_path const* path)
    {
        std::size_t size = first() & 0x1F;
        if (first() < msgpack_format::str8)
            ++at_;
        else if (!length(first() - msgpack_format::str8, size, path))
            return false;
        return bytes(size, out, path);
    }
    /// Reads the head of an array or a map. What it holds is at least a byte each.
    bool open(std::size_t& count, json_path const* path)
    {
        using namespace msgpack_format;
        unsigned const byte = first();
        count = byte & 0x0F;
        if (byte < array16)
            ++at_;
        else if (!length((byte - array16) % 2 + 1, count, path))
            return false;
        bool const pairs = byte >= map16 || byte < fixarray;
        if (count > static_cast<std::size_t>(end_ - at_) / (pairs ? 2 : 1))
            return syntax("cut short", path);
        return true;
    }
    bool pass_scalar(msgpack_kind kind, json_path const* path)
    {
        msgpack_integer number;
        msgpack_extension extended;
        std::string_view ignored;
        double real_number = 0;
        switch (kind) {
        case msgpack_kind::nil:
        case msgpack_kind::boolean: return ++at_, true;
        case msgpack_kind::integer: return integer(number, path);
        case msgpack_kind::real: return real(real_number, path);
        case msgpack_kind::binary: return binary(ignored, path);
        case msgpack_kind::extension: return extension(extended, path);
        case msgpack_kind::text: return str(ignored, path);
        default: return syntax("expected a value", path);
        }
    }

    char const* begin_;
    char const* at_;
    char const* end_;
    decode_limits const& limits_;
    std::size_t max_depth_;
    std::size_t depth_ = 0;
    bool failed_ = false;
    bool broken_ = false;
    decode_error error_;
};

}  // namespace polycast::inline v0::detail
