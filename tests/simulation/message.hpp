#pragma once

// What the reference client reads of a message: WIRE's envelope, by RapidJSON alone.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <rapidjson/document.h>

namespace simulation {

/// One JSON object as it came. Members that are not there are absent, or empty.
class message {
public:
    explicit message(std::string_view text) { sound_ = !json_.Parse(text.data(), text.size()).HasParseError() && json_.IsObject(); }

    [[nodiscard]] bool sound() const { return sound_; }
    [[nodiscard]] std::string_view text(char const* key) const { return text_of(json_, key); }
    [[nodiscard]] std::optional<std::uint64_t> number(char const* key) const { return number_of(json_, key); }
    [[nodiscard]] std::optional<bool> flag(char const* key) const
    {
        auto const at = json_.FindMember(key);
        return at != json_.MemberEnd() && at->value.IsBool() ? std::optional(at->value.GetBool()) : std::nullopt;
    }
    /// A member of the object `outer`.
    [[nodiscard]] std::string_view text(char const* outer, char const* key) const
    {
        auto const at = json_.FindMember(outer);
        return at != json_.MemberEnd() && at->value.IsObject() ? text_of(at->value, key) : std::string_view();
    }
    [[nodiscard]] std::optional<std::uint64_t> number(char const* outer, char const* key) const
    {
        auto const at = json_.FindMember(outer);
        return at != json_.MemberEnd() && at->value.IsObject() ? number_of(at->value, key) : std::nullopt;
    }

private:
    using value = rapidjson::Value;
    static std::string_view text_of(value const& in, char const* key)
    {
        auto const at = in.FindMember(key);
        return at != in.MemberEnd() && at->value.IsString()
                   ? std::string_view(at->value.GetString(), at->value.GetStringLength())
                   : std::string_view();
    }
    static std::optional<std::uint64_t> number_of(value const& in, char const* key)
    {
        auto const at = in.FindMember(key);
        return at != in.MemberEnd() && at->value.IsUint64() ? std::optional(at->value.GetUint64()) : std::nullopt;
    }

    rapidjson::Document json_{};
    bool sound_ = false;
};

}  // namespace simulation
