#pragma once

#include <polycast/serializer/error.hpp>
#include <polycast/serializer/json_number.hpp>
#include <polycast/serializer/json_text.hpp>
#include <polycast/serializer/policy.hpp>

#include <rapidjson/reader.h>

#include <cstddef>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace polycast::inline v0::detail {

/// Where a value stands: a chain of steps on the stack, written out only when there is an error to report. Keys are the
/// peer's words, so they are cut.
struct json_path {
    json_path const* parent = nullptr;
    std::string_view name{};
    std::size_t index = 0;  ///< of an element, where `name` is empty
};

inline std::string to_string(json_path const* path)
{
    if (path == nullptr)
        return {};
    std::string out = to_string(path->parent);
    if (path->name.data() == nullptr)
        return out += '[' + std::to_string(path->index) + ']';
    if (!out.empty())
        out += '.';
    return out.append(path->name.substr(0, 64));
}

/// RapidJSON's in-situ stream over a payload that nothing terminates. Unless `keep` is set, strings are unescaped in
/// place: the result is never longer than its source.
struct json_scalar_stream {
    using Ch = char;
    char* begin;
    char* at;
    char* end;
    bool keep;
    char* to = nullptr;

    [[nodiscard]] char Peek() const noexcept { return at != end ? *at : '\0'; }
    char Take() noexcept { return at != end ? *at++ : '\0'; }
    [[nodiscard]] std::size_t Tell() const noexcept { return static_cast<std::size_t>(at - begin); }
    char* PutBegin() noexcept { return to = at; }
    void Put(char c) noexcept
    {
        if (!keep)
            *to++ = c;
    }
    // The terminating NUL is counted by RapidJSON; with `keep` nobody asks for the length.
    std::size_t PutEnd(char* from) noexcept { return keep ? 1 : static_cast<std::size_t>(to - from); }
};

struct json_scalar_sink : rapidjson::BaseReaderHandler<rapidjson::UTF8<>, json_scalar_sink> {
    std::string_view text;
    bool String(char const* bytes, rapidjson::SizeType count, bool) noexcept
    {
        text = {bytes, count};
        return true;
    }
};

enum class json_kind : unsigned char { end, object, array, text, number, boolean, null, other };

/// Pulls one JSON token after the other out of a payload, in place. RapidJSON reads numbers and strings with escapes;
/// the structure is read here, as it must be bound to static types (and RapidJSON 1.1 has no pull interface).
///
/// Each step returns false on an error. The first error is kept. After an error of meaning (a wrong type) the reader
/// stands behind a token and `leave` finds the way out; after one of syntax it is `broken` and only `resync` helps.
template <class = void>
class basic_json_reader {
public:
    basic_json_reader(std::span<char> payload, decode_limits const& limits) noexcept
        : begin_(payload.data()), at_(begin_), end_(begin_ + payload.size()), limits_(limits),
          max_depth_(limits.max_depth < 512 ? limits.max_depth : 512)
    {
    }

    [[nodiscard]] bool failed() const noexcept { return failed_; }
    [[nodiscard]] bool broken() const noexcept { return broken_; }
    [[nodiscard]] decode_error& error() noexcept { return error_; }
    [[nodiscard]] decode_limits const& limits() const noexcept { return limits_; }
    [[nodiscard]] std::size_t depth() const noexcept { return depth_; }
    [[nodiscard]] char* position() const noexcept { return at_; }
    void seek(char* at, std::size_t depth) noexcept { at_ = at, depth_ = depth; }

    /// Stands before the next object of the payload; false at its end.
    [[nodiscard]] bool next_object() noexcept
    {
        failed_ = broken_ = false;
        depth_ = 0;
        space();
        object_ = at_;
        return at_ != end_;
    }

    /// After a syntax error: on to the next line that begins with a brace. The error may have been noticed lines after
    /// the place where it was made, so the search begins at the end of the last token that was understood. (A line cut
    /// off right where a value is due takes the next line's object for that value.)
    void resync() noexcept
    {
        while (at_ > object_ + 1 && is_space(at_[-1]))
            --at_;
        for (;;) {
            auto const left = static_cast<std::size_t>(end_ - at_);
            char* const line = left == 0 ? nullptr : static_cast<char*>(std::memchr(at_, '\n', left));
            at_ = line == nullptr ? end_ : line + 1;
            if (at_ == end_ || *at_ == '{')
                return;
        }
    }

    /// Reads no further than to the end of the object or array at `depth`, whatever stands in between.
    void leave(std::size_t depth) noexcept
    {
        while (depth_ > depth && !broken_) {
            if (at_ == end_) {
                broken_ = true;
            } else if (*at_ == '"') {
                std::string_view ignored;
                if (!text(ignored, nullptr, true))
                    return;
            } else {
                char const c = *at_++;
                if (c == '{' || c == '[')
                    ++depth_;
                else if (c == '}' || c == ']')
                    --depth_;
            }
        }
    }

    /// On to the next token. Most peers write no white space.
    void space() noexcept
    {
        if (at_ != end_ && static_cast<unsigned char>(*at_) <= ' ')
            skip_space();
    }

    /// Whether the next token begins with `c`.
    [[nodiscard]] bool stands_at(char c) noexcept
    {
        return (at_ != end_ && *at_ == c) || stands_behind_space(c);
    }

    [[nodiscard]] bool stands_at_number() noexcept
    {
        space();
        return at_ != end_ && (*at_ == '-' || (*at_ >= '0' && *at_ <= '9'));
    }

    /// What kind of value comes next.
    [[nodiscard]] json_kind peek() noexcept
    {
        space();
        if (at_ == end_)
            return json_kind::end;
        switch (*at_) {
        case '{': return json_kind::object;
        case '[': return json_kind::array;
        case '"': return json_kind::text;
        case 't':
        case 'f': return json_kind::boolean;
        case 'n': return json_kind::null;
        default: return *at_ == '-' || (*at_ >= '0' && *at_ <= '9') ? json_kind::number : json_kind::other;
        }
    }

    /// Goes into the object or array that `peek` announced.
    bool enter(json_path const* path)
    {
        ++at_;
        if (depth_++ < max_depth_)
            return true;
        return fail(serializer_error::too_deep, "nested too deeply", path);
    }

    /// Reads the next key of an object and the colon. False at the end of the object, or on an error.
    bool next_key(bool& first, std::string_view& key, json_path const* path, bool keep = false)
    {
        return next_member(first, path) && this->key(key, path, keep);
    }

    /// Stands before the next key of an object, for `key` or `take_key`. False at the end of the object, or on an error.
    bool next_member(bool& first, json_path const* path)
    {
        if (!first)
            return next_member(path);
        if (at_ == end_ || *at_ != '"')
            return unusual_member(first, path);
        first = false;
        return true;
    }
    /// The same where a member was read before: what `separator` says too, for those that write no white space before it.
    bool next_member(json_path const* path)
    {
        if (at_ != end_ && *at_ == ',') {
            ++at_;
            space();
            return true;
        }
        return last_member(path);
    }
    bool key(std::string_view& key, json_path const* path, bool keep = false)
    {
        if (!stands_at('"'))
            return syntax("expected a key", path);
        if (!text(key, path, keep))
            return false;
        if (!stands_at(':'))
            return syntax("expected `:`", path);
        ++at_;
        return true;
    }
    /// Reads the key and colon that `quoted` spells, `"key":`, if that stands here to the byte: one comparison, which the
    /// compiler knows the length of.
    template <std::size_t Size>
    [[nodiscard]] bool take_key(char const* quoted) noexcept
    {
        if (static_cast<std::size_t>(end_ - at_) < Size || std::memcmp(at_, quoted, Size) != 0)
            return false;
        at_ += Size;
        return true;
    }

    /// Stands before the next element of an array. False at the end of the array, or on an error.
    bool next_element(bool& first, json_path const* path) { return separator(first, ']', path); }

    bool text(std::string_view& out, json_path const* path, bool keep = false)
    {
        char const* const stop = skip_unescaped<false>(at_ + 1, end_);
        if (stop == end_ || *stop != '"')
            return unusual_text(out, stop, path, keep);
        out = {at_ + 1, static_cast<std::size_t>(stop - at_ - 1)};
        at_ += out.size() + 2;
        return true;
    }

    /// Reads an integer of few digits at a place where a number stands; false, without a step, if it is none of these.
    [[nodiscard]] bool take_plain_integer(std::uint64_t& digits, bool& negative) noexcept
    {
        negative = *at_ == '-';
        char* const first = at_ + (negative ? 1 : 0);
        digits = 0;
        std::ptrdiff_t const count = take_digits(first, end_, digits) - first;
        if (count == 0 || count > max_plain_digits || (count > 1 && *first == '0'))
            return false;
        char* const end = first + count;
        if (end != end_ && (*end == '.' || (*end | 0x20) == 'e'))
            return false;
        at_ = end;
        return true;
    }

    /// Reads a number without exponent and of few digits, as most are. Where `end` is null `number` must read it.
    [[nodiscard]] plain_number take_plain_number() noexcept
    {
        plain_number const number = scan_plain_number(at_, end_);
        if (number.end != nullptr)
            at_ += number.end - at_;
        return number;
    }

    /// Reads a number's text, checked against the grammar. A magnitude beyond a double's is an error of meaning.
    bool number(std::string_view& out, json_path const* path)
    {
        if (char* const begin = at_; take_plain_number().end != nullptr) {
            out = {begin, static_cast<std::size_t>(at_ - begin)};
            return true;
        }
        json_scalar_sink sink;
        char* const from = at_;
        rapidjson::ParseErrorCode const code = scalar(sink, true);
        if (code == rapidjson::kParseErrorNone) {
            out = {from, static_cast<std::size_t>(at_ - from)};
            return true;
        }
        if (code != rapidjson::kParseErrorNumberTooBig)
            return syntax("malformed number", path);
        at_ = from;
        while (at_ != end_ && std::memchr("0123456789+-.eE", *at_, 15) != nullptr)
            ++at_;
        return fail(serializer_error::out_of_range, "number too big", path);
    }

    bool boolean(bool& out, json_path const* path)
    {
        out = *at_ == 't';
        return out ? word("true", path) : word("false", path);
    }
    bool null(json_path const* path) { return word("null", path); }

    /// Reads over the next value, whatever it is, and leaves its bytes as they are. `raw`: its text.
    bool skip(json_path const* path, std::string_view* raw = nullptr)
    {
        json_kind const kind = peek();
        char const* const from = at_;
        if (!skip_value(kind, path))
            return false;
        if (raw != nullptr)
            *raw = {from, static_cast<std::size_t>(at_ - from)};
        return true;
    }

    /// Reports an error of meaning; keeps the first. Always false.
    [[gnu::noinline]] bool fail(serializer_error code, std::string_view what, json_path const* path)
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

    /// Reports that the next value is not what it must be, and reads over it. Always false.
    [[gnu::noinline]] bool wrong_type(std::string_view expected, json_path const* path)
    {
        json_kind const kind = peek();
        if (kind == json_kind::end || kind == json_kind::other)
            return syntax("expected a value", path);
        fail(serializer_error::wrong_type, std::string("expected ").append(expected), path);
        (void)skip_value(kind, path);
        return false;
    }

    [[gnu::noinline]] bool syntax(std::string_view what, json_path const* path)
    {
        broken_ = true;
        return fail(serializer_error::syntax, what, path);
    }

private:
    static bool is_space(char c) noexcept { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; }
    [[gnu::noinline]] bool stands_behind_space(char c) noexcept
    {
        space();
        return at_ != end_ && *at_ == c;
    }
    [[gnu::noinline]] void skip_space() noexcept
    {
        while (at_ != end_ && is_space(*at_))
            ++at_;
    }

    static bool names_surrogate(std::string_view text) noexcept
    {
        for (std::size_t at = text.find('\xED'); at != std::string_view::npos; at = text.find('\xED', at + 1))
            if (at + 1 < text.size() && static_cast<unsigned char>(text[at + 1]) >= 0xA0)
                return true;
        return false;
    }

    /// Reads a string that has an escape, or something that it may not have, at `stop`.
    [[gnu::noinline]] bool unusual_text(std::string_view& out, char const* stop, json_path const* path, bool keep)
    {
        if (stop == end_ || *stop != '\\') {
            at_ += stop - at_;
            return syntax(at_ == end_ ? "unterminated string" : "control character in a string", path);
        }
        json_scalar_sink sink;
        rapidjson::ParseErrorCode const code = scalar(sink, keep);
        if (code != rapidjson::kParseErrorNone)
            return syntax("bad escape or control character in a string", path);
        // RapidJSON 1.1 lets the second half of a surrogate pair pass alone. As the payload was UTF-8, only that can
        // have given ED A0 or above. `out` stays as it was: no handler sees text that is not UTF-8.
        if (!keep && names_surrogate(sink.text))
            return fail(serializer_error::invalid_utf8, "half a surrogate pair", path);
        out = sink.text;
        return true;
    }

    [[gnu::noinline]] bool last_member(json_path const* path)
    {
        bool first = false;
        if (at_ == end_ || *at_ != '}')
            return unusual_member(first, path);
        ++at_;
        --depth_;
        return false;
    }
    [[gnu::noinline]] bool unusual_member(bool& first, json_path const* path)
    {
        if (!separator(first, '}', path))
            return false;
        space();
        return true;
    }

    /// Before a member: nothing at first, then a comma; false at the closing bracket, which is consumed.
    bool separator(bool& first, char closing, json_path const* path)
    {
        space();
        if (at_ != end_ && *at_ == closing) {
            ++at_;
            --depth_;
            return false;
        }
        if (std::exchange(first, false))
            return true;
        if (at_ == end_ || *at_ != ',')
            return syntax(closing == '}' ? "expected `,` or `}`" : "expected `,` or `]`", path);
        ++at_;
        return true;
    }

    template <std::size_t Size>
    bool word(char const (&expected)[Size], json_path const* path)
    {
        return take_key<Size - 1>(expected) || syntax("malformed literal", path);
    }

    bool skip_value(json_kind kind, json_path const* path)
    {
        std::string_view ignored;
        bool first = true;
        bool value = false;
        switch (kind) {
        case json_kind::text: return text(ignored, path, true);
        case json_kind::number: return number(ignored, path);
        case json_kind::boolean: return boolean(value, path);
        case json_kind::null: return null(path);
        case json_kind::object:
            if (!enter(path))
                return false;
            while (next_key(first, ignored, path, true))
                if (!skip_value(peek(), path))
                    return false;
            return !broken_;
        case json_kind::array:
            if (!enter(path))
                return false;
            while (next_element(first, path))
                if (!skip_value(peek(), path))
                    return false;
            return !broken_;
        default: return syntax("expected a value", path);
        }
    }

    /// Reads the string or number at `at_` with RapidJSON. Allocates nothing: in place, and numbers remain text.
    rapidjson::ParseErrorCode scalar(json_scalar_sink& sink, bool keep)
    {
        constexpr unsigned flags = rapidjson::kParseInsituFlag | rapidjson::kParseStopWhenDoneFlag |
                                   rapidjson::kParseNumbersAsStringsFlag;
        json_scalar_stream stream{begin_, at_, end_, keep};
        rapidjson::Reader reader;
        rapidjson::ParseResult const result = reader.Parse<flags>(stream, sink);
        if (!result.IsError())
            at_ = stream.at;
        else if (begin_ + result.Offset() > at_)
            at_ = begin_ + result.Offset();
        return result.Code();
    }

    char* begin_;
    char* at_;
    char* end_;
    char* object_ = nullptr;  ///< where the object that is read begins
    decode_limits const& limits_;
    std::size_t max_depth_;
    std::size_t depth_ = 0;
    bool failed_ = false;
    bool broken_ = false;
    decode_error error_;
};
using json_reader = basic_json_reader<>;

}  // namespace polycast::inline v0::detail
