#include "agent.hpp"

#include "intent.hpp"
#include "search.hpp"
#include "write_up.hpp"

#include <algorithm>
#include <exception>

namespace hub {

namespace {

std::int64_t number(std::uint64_t n)
{
    return static_cast<std::int64_t>(n);
}

/// The agent at work on one question.
class source_reader {
public:
    source_reader(run& r, workspace const& in, question const& asked, budget const& b)
        : run_(r), in_(in), asked_(asked), budget_(b), wish_(understand(asked.text))
    {
    }

    std::string work()
    {
        run_.think(plan());
        auto const at = in_.resolve(asked_.path.value_or(""));
        files_ = list(at);
        if (files_.files.empty())
            return "There are no readable files in `" + files_.name + "`.";
        switch (wish_.what) {
        case intent::overview: return overview();
        case intent::count: return write_counts(files_, count());
        case intent::history: narrow(); return write_history(files_, history());
        case intent::files: return write_mentions(files_, wish_.terms, look());
        case intent::where: break;
        }
        return find();
    }

private:
    std::string plan() const
    {
        switch (wish_.what) {
        case intent::overview:
            return "An overview is wanted: I list and count the files, read the introduction, and look at the history.";
        case intent::count: return "Figures are wanted: I list the files and count their lines by kind.";
        case intent::history: return "Recent changes are wanted: I list the files and ask git for the newest commits.";
        case intent::files:
            return "Files that mention " + names(wish_.terms) + " are wanted: I list all files and search each line.";
        case intent::where: break;
        }
        return "I search for " + names(wish_.terms) + ", rank what I find, and read the best place.";
    }

    /// A question about the history of something that a file is named after is about that file.
    void narrow()
    {
        for (term const& t : wish_.terms)
            for (file const& f : files_.files)
                if (f.path.stem() == t.text || f.path.filename() == t.text) {
                    run_.think("`" + f.name + "` has that name: I ask about it alone.");
                    files_ = listing{.name = f.name, .path = f.path, .files = {f}, .skipped = {}};
                    return;
                }
    }

    std::string overview()
    {
        auto const counts = count();
        std::string introduction;
        auto const is_introduction = [](file const& f) {
            return lower(f.path.filename().string()).starts_with("readme");
        };
        // The outermost one speaks for the directory.
        auto best = files_.files.end();
        for (auto at = files_.files.begin(); at != files_.files.end(); ++at)
            if (is_introduction(*at) && (best == files_.files.end() || at->name.size() < best->name.size()))
                best = at;
        if (best != files_.files.end()) {
            run_.think("`" + best->name + "` introduces it.");
            introduction = opening_words(read(*best));
        }
        return write_overview(files_, counts, introduction, history());
    }

    std::string find()
    {
        auto found = look();
        if (found.files.empty()) {
            auto parts = parts_of(wish_.terms, asked_.text);
            if (!parts.empty() && parts.size() >= wish_.terms.size()) {
                run_.think("Nothing has " + names(wish_.terms) + " as it stands. I try its parts: " + names(parts) +
                           ".");
                wish_.terms = std::move(parts);
                found = look();
            }
        }
        if (found.quotes.empty())
            return write_nothing(files_, wish_.terms);
        auto const& best = found.quotes.front();
        auto const& source = files_.files[best.file];
        run_.think("The best of " + std::to_string(found.lines) + " lines is `" + source.name + ":" +
                   std::to_string(best.line) + "`. I read what stands around it.");
        return write_finding(files_, wish_.terms, found, excerpt(read(source), best.line));
    }

    // The tools, as the user sees them used

    listing list(std::filesystem::path const& at)
    {
        return run_.tool("list_files", {{"path", asked_.path.value_or(".")}}, [&](object& results) {
            auto out = in_.list(at, budget_);
            results = {{"files", number(out.files.size())}, {"directories_skipped", number(out.skipped.size())}};
            if (out.truncated)
                results["note"] = std::string("there are more; only these are looked at");
            return out;
        });
    }
    line_counts count()
    {
        return run_.tool("count_lines", {{"files", number(files_.files.size())}}, [&](object& results) {
            auto out = in_.count(files_, budget_);
            results = {
                {"files", number(out.total.files)}, {"lines", number(out.total.lines)}, {"unread", number(out.unread)}};
            return out;
        });
    }
    matches look()
    {
        std::vector<std::string> words;
        for (term const& t : wish_.terms)
            words.push_back(t.text);
        return run_.tool("search", {{"terms", words}, {"files", number(files_.files.size())}}, [&](object& results) {
            auto out = search(in_, files_, wish_.terms, budget_);
            std::vector<std::string> best;
            for (quote const& q : out.quotes)
                if (best.size() < 3)
                    best.push_back(place(files_, q));
            results = {{"lines", number(out.lines)}, {"files", number(out.files.size())}, {"best", best}};
            return out;
        });
    }
    std::string read(file const& f)
    {
        return run_.tool("read_file", {{"path", f.name}}, [&](object& results) {
            auto text = in_.read(f).value_or("");
            results = {{"bytes", number(text.size())}};
            return text;
        });
    }
    std::optional<std::vector<commit>> history()
    {
        return run_.tool("git_log", {{"path", files_.name}}, [&](object& results) {
            auto out = in_.history(files_, budget_);
            results = {{"commits", number(out ? out->size() : 0)}};
            if (!out)
                results["note"] = std::string("not in a git repository");
            return out;
        });
    }

    run& run_;
    workspace const& in_;
    question const& asked_;
    budget const& budget_;
    wish wish_;
    listing files_;
};

}  // namespace

conclusion answer(run& r, workspace const& in, question const& asked, budget const& b)
{
    try {
        return {"success", source_reader(r, in, asked, b).work()};
    } catch (cancelled const&) {
        return {"cancelled", "Cancelled."};
    } catch (tool_error const& e) {
        return {"failed", std::string("I cannot answer that: ") + e.what() + "."};
    } catch (std::exception const&) {
        // What went wrong inside is not for users to read.
        return {"failed", "I could not read the files."};
    }
}

}  // namespace hub
