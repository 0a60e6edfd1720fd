#include "write_up.hpp"

#include <algorithm>
#include <map>

namespace hub {

namespace {

/// With separators: 1,234,567.
std::string digits(std::uint64_t n)
{
    auto text = std::to_string(n);
    for (auto at = static_cast<std::ptrdiff_t>(text.size()) - 3; at > 0; at -= 3)
        text.insert(static_cast<std::size_t>(at), 1, ',');
    return text;
}

std::string several(std::uint64_t n, std::string const& thing)
{
    return digits(n) + " " + thing + (n == 1 ? "" : "s");
}

std::string size_of(std::uint64_t bytes)
{
    if (bytes < 10 * 1024)
        return several(bytes, "byte");
    return bytes < 10 * 1024 * 1024 ? digits(bytes / 1024) + " KiB" : digits(bytes / 1024 / 1024) + " MiB";
}

std::string code(std::string_view text)
{
    // A backtick inside would end it.
    std::string out(text);
    std::ranges::replace(out, '`', '\'');
    return "`" + out + "`";
}

std::string shown_name(listing const& files)
{
    return files.name == "." ? "the root directory" : code(files.name);
}

/// What the answer does not cover.
std::string fine_print(listing const& files, std::uint64_t unread = 0)
{
    std::string out;
    if (unread != 0)
        out += "\n\n" + several(unread, "file") + " not counted: binary, or longer than 1 MiB.";
    if (files.truncated)
        out += "\n\nOnly the first " + several(files.files.size(), "file") + " were looked at.";
    if (!files.skipped.empty()) {
        out += "\n\nLeft out: ";
        for (std::size_t i = 0; i != std::min<std::size_t>(files.skipped.size(), 5); ++i)
            out += (i == 0 ? "" : ", ") + code(files.skipped[i]);
        out += files.skipped.size() > 5 ? " and " + std::to_string(files.skipped.size() - 5) + " more." : ".";
    }
    return out;
}

std::string totals(line_counts const& counts)
{
    return "**" + several(counts.total.files, "file") + ", " + several(counts.total.lines, "line") + "** (" +
           size_of(counts.total.bytes) + ")";
}

std::string by_kind(line_counts const& counts, std::size_t most)
{
    std::vector<std::pair<std::string, line_counts::of_kind>> kinds(counts.kinds.begin(), counts.kinds.end());
    std::ranges::stable_sort(kinds, std::greater{}, [](auto const& k) { return k.second.lines; });
    std::string out;
    for (std::size_t i = 0; i != std::min(kinds.size(), most); ++i)
        out += "\n- " + code(kinds[i].first) + ": " + several(kinds[i].second.files, "file") + ", " +
               several(kinds[i].second.lines, "line");
    if (kinds.size() > most)
        out += "\n- and " + several(kinds.size() - most, "other kind");
    return out;
}

std::string one_commit(commit const& c)
{
    return "\n- " + c.date + " " + code(c.id) + " " + c.subject + " (" + c.author + ")";
}

std::string fence(std::string_view text)
{
    // Longer than any run of backticks inside.
    std::string const mark = text.find("```") == std::string_view::npos ? "```" : "~~~~";
    return "\n" + mark + "\n" + std::string(text) + "\n" + mark;
}

}  // namespace

lines_of excerpt(std::string const& text, std::size_t around)
{
    lines_of out;
    out.first = around > 3 ? around - 3 : 1;
    for_each_line(text, [&](std::size_t number, std::string_view line) {
        if (number >= out.first && number <= around + 8)
            out.text += (out.text.empty() ? "" : "\n") + std::string(line.substr(0, 160));
    });
    return out;
}

std::string opening_words(std::string const& text)
{
    std::string out;
    bool done = false, fenced = false;
    for_each_line(text, [&](std::size_t, std::string_view line) {
        auto const begin = line.find_first_not_of(" \t>");
        line.remove_prefix(std::min(begin, line.size()));
        if (line.starts_with("```"))
            fenced = !fenced;
        // Headings, pictures, tables, lists and rules are no prose.
        bool const prose =
            !fenced && !line.empty() && std::string_view("#[!<|=-*`").find(line.front()) == std::string_view::npos;
        done = done || (!out.empty() && !prose);
        if (!done && prose)
            out += (out.empty() ? "" : " ") + std::string(line);
    });
    if (out.size() > 600)
        out = out.substr(0, out.rfind(' ', 600)) + " …";
    return out;
}

std::string names(std::vector<term> const& terms)
{
    std::string out;
    for (std::size_t i = 0; i != terms.size(); ++i)
        out += (i == 0 ? "" : i + 1 == terms.size() ? " and " : ", ") + code(terms[i].text);
    return out;
}

std::string place(listing const& files, quote const& q)
{
    return files.files[q.file].name + ":" + std::to_string(q.line);
}

std::string write_counts(listing const& files, line_counts const& counts)
{
    std::string out = "In " + shown_name(files) + " there are " + totals(counts) + ".\n" + by_kind(counts, 10);
    if (counts.longest.size() > 1) {
        out += "\n\nThe longest:\n";
        for (auto const& [name, lines] : counts.longest)
            out += "\n- " + code(name) + ": " + several(lines, "line");
    }
    return out + fine_print(files, counts.unread);
}

std::string write_history(listing const& files, std::optional<std::vector<commit>> const& commits)
{
    std::string out;
    if (commits && !commits->empty()) {
        out = "The newest commits that touch " + shown_name(files) + ":\n";
        for (commit const& c : *commits)
            out += one_commit(c);
        return out;
    }
    out = shown_name(files) + (commits ? " has no commits yet." : " is in no git repository.") +
          " The files that changed last:\n";
    auto newest = files.files;
    std::ranges::stable_sort(newest, std::greater{}, &file::changed);
    auto const now = std::filesystem::file_time_type::clock::now();
    for (std::size_t i = 0; i != std::min<std::size_t>(newest.size(), 8); ++i) {
        auto const minutes = std::chrono::duration_cast<std::chrono::minutes>(now - newest[i].changed).count();
        auto const ago = static_cast<std::uint64_t>(std::max<std::int64_t>(minutes, 0));
        out += "\n- " + code(newest[i].name) + ": " +
               (ago < 120    ? several(ago, "minute")
                : ago < 2880 ? several(ago / 60, "hour")
                             : several(ago / 1440, "day")) +
               " ago";
    }
    return out;
}

std::string write_overview(listing const& files, line_counts const& counts, std::string const& introduction,
                           std::optional<std::vector<commit>> const& commits)
{
    std::string out;
    if (!introduction.empty())
        out += introduction + "\n\n";
    out += "In " + shown_name(files) + " there are " + totals(counts) + ":\n" + by_kind(counts, 5);

    // Where the files are: one level below what was asked for.
    std::map<std::string, std::uint64_t> directories;
    std::size_t const prefix = files.name == "." ? 0 : files.name.size() + 1;
    for (file const& f : files.files)
        if (f.name.size() > prefix)
            if (auto const slash = f.name.find('/', prefix); slash != std::string::npos)
                ++directories[f.name.substr(prefix, slash - prefix)];
    std::vector<std::pair<std::string, std::uint64_t>> largest(directories.begin(), directories.end());
    std::ranges::stable_sort(largest, std::greater{}, [](auto const& d) { return d.second; });
    if (!largest.empty()) {
        out += "\n\nIts directories:\n";
        for (std::size_t i = 0; i != std::min<std::size_t>(largest.size(), 8); ++i)
            out += "\n- " + code(largest[i].first + "/") + ": " + several(largest[i].second, "file");
        if (largest.size() > 8)
            out += "\n- and " + std::to_string(largest.size() - 8) + " more";
    }
    if (commits && !commits->empty()) {
        out += "\n\nLately:\n";
        for (std::size_t i = 0; i != std::min<std::size_t>(commits->size(), 3); ++i)
            out += one_commit((*commits)[i]);
    }
    return out + fine_print(files, counts.unread);
}

std::string write_mentions(listing const& files, std::vector<term> const& terms, matches const& found)
{
    if (found.files.empty())
        return write_nothing(files, terms);
    std::string out = "**" + digits(found.files.size()) + " of " + several(files.files.size(), "file") + "** in " +
                      shown_name(files) + (found.files.size() == 1 ? " mentions " : " mention ") + names(terms) +
                      ", in " + several(found.lines, "line") + ":\n";
    auto most = found.files;
    std::ranges::stable_sort(most, std::greater{}, &matches::of_file::lines);
    for (std::size_t i = 0; i != std::min<std::size_t>(most.size(), 20); ++i)
        out += "\n- " + code(files.files[most[i].file].name) + ": " + several(most[i].lines, "line");
    if (most.size() > 20)
        out += "\n- and " + several(most.size() - 20, "more file");
    out += "\n\nFor example " + code(place(files, found.quotes.front())) + ":\n" + fence(found.quotes.front().text);
    return out + fine_print(files);
}

std::string write_finding(listing const& files, std::vector<term> const& terms, matches const& found,
                          lines_of const& around)
{
    auto const& best = found.quotes.front();
    std::string out = names(terms) + (terms.size() == 1 ? " is " : " are ") +
                      (best.defines && terms.size() == 1 ? "defined" : "best matched") + " at **" +
                      code(place(files, best)) + "**:\n";
    out += fence(around.text);
    if (found.quotes.size() > 1) {
        out += "\n\nAlso:\n";
        for (std::size_t i = 1; i != found.quotes.size(); ++i)
            out += "\n- " + code(place(files, found.quotes[i])) + " — " + code(found.quotes[i].text);
    }
    out += "\n\n" + several(found.lines, "line") + " in " + digits(found.files.size()) + " of " +
           several(files.files.size(), "file") + (found.lines == 1 ? " has " : " have ") +
           (terms.size() == 1 ? "it" : "one of these words") + ".";
    for (std::size_t t = 0; t != terms.size(); ++t)
        if (found.files_of[t] == 0)
            out += " " + code(terms[t].text) + " is nowhere.";
    return out + fine_print(files);
}

std::string write_nothing(listing const& files, std::vector<term> const& terms)
{
    return "None of the " + several(files.files.size(), "file") + " in " + shown_name(files) + " mentions " +
           names(terms) + ". Try another word, or ask about a larger directory." + fine_print(files);
}

}  // namespace hub
