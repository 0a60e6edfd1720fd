// Answers in plain words, with Markdown's paragraphs, lists, `code` and fences.
#pragma once

#include "search.hpp"
#include "workspace.hpp"

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

namespace hub {

/// Some lines of a file around the one of interest.
struct lines_of {
    std::size_t first = 1;
    std::string text;
};
[[nodiscard]] lines_of excerpt(std::string const& text, std::size_t around);
/// The first paragraph of prose of an introduction.
[[nodiscard]] std::string opening_words(std::string const& text);

[[nodiscard]] std::string names(std::vector<term> const& terms);
[[nodiscard]] std::string place(listing const& files, quote const& q);

[[nodiscard]] std::string write_counts(listing const& files, line_counts const& counts);
[[nodiscard]] std::string write_history(listing const& files, std::optional<std::vector<commit>> const& commits);
[[nodiscard]] std::string write_overview(listing const& files, line_counts const& counts,
                                         std::string const& introduction,
                                         std::optional<std::vector<commit>> const& commits);
[[nodiscard]] std::string write_mentions(listing const& files, std::vector<term> const& terms, matches const& found);
[[nodiscard]] std::string write_finding(listing const& files, std::vector<term> const& terms, matches const& found,
                                        lines_of const& around);
[[nodiscard]] std::string write_nothing(listing const& files, std::vector<term> const& terms);

}  // namespace hub
