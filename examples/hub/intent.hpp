// What a question wants to know, and about which words.
#pragma once

#include "search.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace hub {

enum class intent {
    overview,  ///< what is this?
    count,     ///< how many files and lines, of which kinds?
    history,   ///< what changed lately?
    files,     ///< which files mention these words?
    where,     ///< where is this, and what does it do?
};

struct wish {
    intent what = intent::overview;
    std::vector<term> terms;  ///< at most 8
};

/// Reads the question. Words in quotes or backticks are kept as they are, filler words are dropped.
[[nodiscard]] wish understand(std::string_view question);

/// The parts of compound words (`snake_case`, `CamelCase`, `a::b`), for a second try when the whole is nowhere.
[[nodiscard]] std::vector<term> parts_of(std::vector<term> const& terms, std::string_view question);

}  // namespace hub
