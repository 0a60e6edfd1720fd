#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <unordered_map>

namespace polycast::inline v0::detail {

struct string_hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view s) const noexcept { return std::hash<std::string_view>{}(s); }
};
struct string_equal {
    using is_transparent = void;
    bool operator()(std::string_view a, std::string_view b) const noexcept { return a == b; }
};

/// A hash map by text that is looked up by view, without making a string.
template <class T>
using string_map = std::unordered_map<std::string, T, string_hash, string_equal>;

}  // namespace polycast::inline v0::detail
