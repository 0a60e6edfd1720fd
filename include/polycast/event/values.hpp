#pragma once

#include <optional>
#include <string>

namespace polycast::inline v0 {

/// JSON text that travels as it is: for fields whose shape only the program's clients know. Checked to be one JSON
/// value when it comes in; what goes out is the program's word. Empty text goes out as `null`.
struct raw_json {
    std::string text;
    friend bool operator==(raw_json const&, raw_json const&) = default;
};

/// A field that is always present and says `null` when there is no value. A `std::optional` field is absent instead.
template <class T>
struct nullable {
    std::optional<T> value;
    friend bool operator==(nullable const&, nullable const&) = default;
};

}  // namespace polycast::inline v0
