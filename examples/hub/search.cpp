#include "search.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>

namespace hub {

namespace {

constexpr std::size_t max_quotes = 8;
constexpr std::size_t max_hits = 50'000;  ///< lines held for ranking

bool is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || (c & 0x80) != 0;
}

/// True if the word before `at` is one that declarations begin with, in any of the usual languages.
bool follows_definition(std::string_view line, std::size_t at)
{
    static constexpr std::array<std::string_view, 20> starters{
        "struct", "class",    "enum",      "union", "concept", "using",  "typedef", "define", "def",   "fn",
        "func",   "function", "interface", "type",  "trait",   "module", "impl",    "record", "macro", "package"};
    auto before = line.substr(0, at);
    while (!before.empty() && !is_word(before.back()))
        before.remove_suffix(1);
    std::size_t begin = before.size();
    while (begin != 0 && is_word(before[begin - 1]))
        --begin;
    // Only white space may stand between, but for `enum class`, whose second word is a starter too.
    return at - before.size() <= 2 && std::ranges::find(starters, before.substr(begin)) != starters.end();
}

/// True if `name`, at `at`, reads like a variable, field or function that is declared: behind a type, before its value,
/// its parameters or the end.
bool is_declared(std::string_view line, std::size_t at, std::size_t end)
{
    static constexpr std::array<std::string_view, 9> no_types{"return", "new",  "throw", "case",  "else",
                                                              "goto",   "from", "in",    "delete"};
    if (at < 2 || line.substr(0, at).find("//") != std::string_view::npos || line.find_first_not_of(" \t*#") >= at)
        return false;
    auto before = line.substr(0, at);
    if (before.back() != ' ' && before.back() != '&' && before.back() != '*')
        return false;
    while (!before.empty() && (before.back() == ' ' || before.back() == '&' || before.back() == '*'))
        before.remove_suffix(1);
    std::size_t begin = before.size();
    while (begin != 0 && is_word(before[begin - 1]))
        --begin;
    bool const behind_type = begin != before.size() || before.ends_with('>');
    auto const after = line.substr(end);
    bool const goes_on = after.starts_with('(') || after.starts_with(';') || after.starts_with('{') ||
                         (after.starts_with(" = ") && !after.starts_with(" = ="));
    return behind_type && goes_on && std::ranges::find(no_types, before.substr(begin)) == no_types.end();
}

struct occurrence {
    double quality = 0;  ///< 0: absent; 1: the whole word; in between: a part of one
    bool defines = false;
};

occurrence find(std::string_view line, std::string_view text)
{
    occurrence best;
    for (auto at = line.find(text); at != std::string_view::npos; at = line.find(text, at + 1)) {
        auto const end = at + text.size();
        bool const starts = at == 0 || !is_word(line[at - 1]) || !is_word(text.front());
        bool const ends = end == line.size() || !is_word(line[end]) || !is_word(text.back());
        bool const whole = starts && ends;
        best.quality = std::max(best.quality, whole ? 1.0 : starts || ends ? 0.6 : 0.3);
        // `struct name;` only says that there is one.
        best.defines = best.defines || (starts && follows_definition(line, at) && line.substr(end) != ";") ||
                       (whole && is_declared(line, at, end));
    }
    return best;
}

struct hit {
    std::size_t file, line;
    std::string text;
    std::vector<occurrence> of_term;
};

/// What a term that is not in `hits[i]` counts there because a line close to it has it.
double near_by(std::vector<hit> const& hits, std::size_t i, std::size_t of_term)
{
    constexpr std::size_t close = 4;
    double best = 0;
    auto const look = [&](hit const& other) {
        auto const& h = hits[i];
        bool const is_close = other.file == h.file && other.line + close >= h.line && other.line <= h.line + close;
        if (is_close)
            best = std::max(best, 0.4 * other.of_term[of_term].quality);
        return is_close;
    };
    for (std::size_t at = i; at != 0 && look(hits[at - 1]); --at) {
    }
    for (std::size_t at = i + 1; at != hits.size() && look(hits[at]); ++at) {
    }
    return best;
}

std::string trimmed(std::string_view line)
{
    auto const begin = line.find_first_not_of(" \t");
    line.remove_prefix(std::min(begin, line.size()));
    auto const end = line.find_last_not_of(" \t\r");
    line = line.substr(0, end == std::string_view::npos ? 0 : end + 1);
    return std::string(line.substr(0, 160));
}

}  // namespace

std::string lower(std::string_view text)
{
    std::string out(text);
    std::ranges::transform(out, out.begin(),
                           [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
    return out;
}

matches search(workspace const& in, listing const& files, std::vector<term> const& terms, budget const& b)
{
    matches out;
    out.files_of.resize(terms.size());
    std::vector<hit> hits;
    std::map<std::size_t, matches::of_file> of_file;

    for (std::size_t f = 0; f != files.files.size(); ++f) {
        b.check();
        auto const text = in.read(files.files[f]);
        if (!text)
            continue;
        std::vector<bool> seen(terms.size());
        for_each_line(*text, [&](std::size_t number, std::string_view line) {
            auto const small = lower(line.substr(0, 2000));
            std::vector<occurrence> found(terms.size());
            bool any = false;
            for (std::size_t t = 0; t != terms.size(); ++t) {
                found[t] = find(small, terms[t].text);
                if (found[t].quality == 0 && terms[t].stem != terms[t].text)
                    found[t] = {find(small, terms[t].stem).quality * 0.5, false};
                seen[t] = seen[t] || found[t].quality > 0;
                any = any || found[t].quality > 0;
            }
            if (!any)
                return;
            ++out.lines;
            of_file[f].file = f;
            ++of_file[f].lines;
            if (hits.size() < max_hits)
                hits.push_back({f, number, trimmed(line), std::move(found)});
        });
        for (std::size_t t = 0; t != terms.size(); ++t)
            out.files_of[t] += seen[t];
    }

    // What is in every file says little: inverse document frequency.
    std::vector<double> weight(terms.size());
    for (std::size_t t = 0; t != terms.size(); ++t)
        weight[t] = std::log(1 + static_cast<double>(files.files.size()) /
                                     static_cast<double>(std::max<std::size_t>(out.files_of[t], 1)));

    std::vector<quote> quotes;
    for (std::size_t i = 0; i != hits.size(); ++i) {
        hit& h = hits[i];
        quote q{.file = h.file, .line = h.line, .text = std::move(h.text)};
        double distinct = 0;
        for (std::size_t t = 0; t != terms.size(); ++t) {
            auto const& o = h.of_term[t];
            auto const quality = o.quality > 0 ? o.quality : near_by(hits, i, t);
            q.score += weight[t] * (quality + (o.defines ? 3 * o.quality : 0));
            q.defines = q.defines || (o.defines && o.quality == 1);
            distinct += o.quality > 0 ? 1 : quality > 0 ? 0.5 : 0;
        }
        q.score *= 1 + 0.8 * (distinct - 1);
        if (q.text.starts_with("#include") || q.text.starts_with("import "))
            q.score *= 0.3;
        auto& file = of_file[h.file];
        file.score = std::max(file.score, q.score);
        quotes.push_back(std::move(q));
    }
    for (auto& [index, file] : of_file) {
        auto const name = lower(files.files[index].name);
        for (std::size_t t = 0; t != terms.size(); ++t)
            file.score += weight[t] * find(name, terms[t].stem).quality;
        file.score += 0.3 * std::log1p(static_cast<double>(file.lines));
        out.files.push_back(file);
    }
    std::ranges::stable_sort(out.files, std::greater{}, &matches::of_file::score);
    // A good line in a file that is about the matter comes before the same line elsewhere.
    for (quote& q : quotes)
        q.score += 0.5 * of_file[q.file].score;
    std::ranges::stable_sort(quotes, std::greater{}, &quote::score);
    std::map<std::size_t, int> taken;
    for (quote& q : quotes)
        if (out.quotes.size() < max_quotes && taken[q.file]++ < 2)
            out.quotes.push_back(std::move(q));
    return out;
}

}  // namespace hub
