// Finds the lines of a workspace that a question's words are about.
#pragma once

#include "workspace.hpp"

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace hub {

/// A word to look for, in small letters. `stem` is what is left without its ending; found, it counts less.
struct term {
    std::string text, stem;
};

struct quote {
    std::size_t file = 0;  ///< index in the listing
    std::size_t line = 0;  ///< from 1
    std::string text;
    bool defines = false;  ///< reads like a definition of one of the terms
    double score = 0;
};

struct matches {
    struct of_file {
        std::size_t file = 0, lines = 0;
        double score = 0;
    };
    std::vector<of_file> files;         ///< best first
    std::vector<quote> quotes;          ///< best first, at most two of a file
    std::vector<std::size_t> files_of;  ///< for each term, how many files have it
    std::size_t lines = 0;              ///< with any of the terms
};

/// Ranks every line: rare terms weigh more than common ones, whole words more than parts, several terms in one line
/// more than one, and a definition more than a use.
[[nodiscard]] matches search(workspace const& in, listing const& files, std::vector<term> const& terms,
                             budget const& b);

/// Small letters, ASCII only: other bytes stay as they are.
[[nodiscard]] std::string lower(std::string_view text);

}  // namespace hub
