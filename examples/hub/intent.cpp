#include "intent.hpp"

#include <algorithm>
#include <set>
#include <thread>

namespace hub {

namespace {

using words = std::set<std::string, std::less<>>;

words const filler{"a",    "about", "actually", "all",    "also",    "am",    "an",      "and",   "any",   "are",
                   "as",   "at",    "be",       "been",   "between", "but",   "by",      "can",   "could", "did",
                   "do",   "does",  "doing",    "done",   "each",    "every", "explain", "for",   "from",  "get",
                   "give", "given", "had",      "happen", "happens", "has",   "have",    "here",  "how",   "i",
                   "if",   "in",    "inside",   "into",   "is",      "it",    "its",     "just",  "kind",  "let",
                   "like", "long",  "make",     "many",   "may",     "me",    "mean",    "means", "much",  "my",
                   "need", "no",    "not",      "of",     "on",      "one",   "or",      "our",   "out",   "please",
                   "read", "see",   "should",   "so",     "some",    "tell",  "than",    "that",  "the",   "their",
                   "them", "then",  "there",    "these",  "they",    "this",  "those",   "to",    "two",   "up",
                   "us",   "want",  "was",      "we",     "were",    "what",  "when",    "where", "which", "while",
                   "who",  "whose", "why",      "will",   "with",    "work",  "works",   "would", "you",   "your"};

// Words that say what is wanted. They are looked for only if they were quoted.
words const counting{"many", "count", "number", "total", "largest", "longest", "biggest", "size", "big"};
words const changing{"changed", "change",  "changes", "lately", "recent", "recently", "commit",
                     "commits", "history", "newest",  "latest", "log",    "author",   "authors"};
words const listing_files{"mention", "mentions", "mentioning", "contain", "contains", "containing", "list"};
words const surveying{"overview", "summary", "summarise", "summarize", "describe", "overall"};
words const asking{"where",   "find",       "show",     "look",      "search",      "define",     "defined",
                   "defines", "definition", "declared", "implement", "implemented", "implements", "implementation",
                   "use",     "used",       "uses",     "located",   "place"};
words const about_code{"file",      "files",       "line",    "lines",   "code",    "source",     "sources",
                       "directory", "directories", "folder",  "folders", "project", "repository", "repo",
                       "codebase",  "tree",        "program", "thing",   "things"};

bool is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || (c & 0x80) != 0;
}

/// Without the commonest English endings, so that `connections` finds `connection` and `connect`.
std::string stem_of(std::string_view word)
{
    for (std::string_view const ending :
         {"izations", "ization", "ations", "ation", "ings", "ions", "ing", "ion", "ies", "ed", "es", "s"})
        if (word.size() >= ending.size() + 4 && word.ends_with(ending))
            return std::string(word.substr(0, word.size() - ending.size()));
    return std::string(word);
}

struct token {
    std::string text;
    bool quoted = false;
    /// Nobody writes `max_size`, `WebSocket` or `std::thread` by the way.
    [[nodiscard]] bool is_code() const
    {
        bool const inner_capital =
            std::any_of(text.begin() + !text.empty(), text.end(), [](char c) { return c >= 'A' && c <= 'Z'; });
        return quoted || inner_capital || text.find_first_of("_:.0123456789") != std::string::npos;
    }
};

std::vector<token> tokens_of(std::string_view text)
{
    std::vector<token> out;
    for (std::size_t at = 0; at < text.size();) {
        if (text[at] == '"' || text[at] == '`') {
            auto const end = text.find(text[at], at + 1);
            if (end != std::string_view::npos && end > at + 1) {
                out.push_back({std::string(text.substr(at + 1, end - at - 1)), true});
                at = end + 1;
                continue;
            }
        }
        std::size_t end = at;
        // `::` and a dot between letters belong to a name: `std::thread`, `server.hpp`.
        auto const goes_on = [&](std::string_view joint) {
            return end != at && text.substr(end).starts_with(joint) && end + joint.size() < text.size() &&
                   is_word(text[end + joint.size()]);
        };
        while (end < text.size() && (is_word(text[end]) || goes_on("::") || goes_on(".") ||
                                     (end > at && text[end] == ':' && text[end - 1] == ':')))
            ++end;
        if (end != at)
            out.push_back({std::string(text.substr(at, end - at)), false});
        at = std::max(end, at + 1);
    }
    return out;
}

void add(std::vector<term>& terms, std::string text, bool exact)
{
    text = lower(text);
    bool const known = std::ranges::any_of(terms, [&](term const& t) { return t.text == text; });
    if (!known && text.size() > 1 && terms.size() < 8)
        terms.push_back({text, exact ? text : stem_of(text)});
}

}  // namespace

wish understand(std::string_view question)
{
    wish out;
    bool counts = false, changes = false, files = false, surveys = false, asks_where = false;
    for (token const& t : tokens_of(question)) {
        auto const small = lower(t.text);
        if (!t.is_code()) {
            bool const how_many = counting.contains(small), changed = changing.contains(small);
            counts = counts || how_many;
            changes = changes || changed;
            surveys = surveys || surveying.contains(small);
            files = files || listing_files.contains(small);
            asks_where = asks_where || asking.contains(small);
            if (how_many || changed || surveying.contains(small) || listing_files.contains(small) ||
                asking.contains(small) || about_code.contains(small) || filler.contains(small))
                continue;
        }
        add(out.terms, t.text, t.is_code());
    }
    auto const whole = lower(question);
    files = files || whole.find("which file") != std::string::npos || whole.find("what file") != std::string::npos;
    if (changes && !asks_where)
        out.what = intent::history;
    else if (out.terms.empty())
        out.what = counts || (files && !surveys) ? intent::count : intent::overview;
    else if (files || counts)
        out.what = intent::files;
    else
        out.what = surveys ? intent::overview : intent::where;
    return out;
}

std::vector<term> parts_of(std::vector<term> const& terms, std::string_view question)
{
    std::vector<term> out;
    for (token const& t : tokens_of(question)) {
        if (std::ranges::none_of(terms, [&](term const& of) { return of.text == lower(t.text); }))
            continue;
        std::string part;
        auto const flush = [&] {
            if (part.size() > 2 && !filler.contains(lower(part)))
                add(out, part, false);
            part.clear();
        };
        for (char const c : t.text) {
            bool const capital = c >= 'A' && c <= 'Z';
            if (capital && !part.empty() && !(part.back() >= 'A' && part.back() <= 'Z'))
                flush();
            if (c == '_' || !is_word(c))
                flush();
            else
                part += c;
        }
        flush();
    }
    return out;
}

}  // namespace hub
