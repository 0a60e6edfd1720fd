#pragma once

// What the model keeps of one session: what it is owed, what its receiver has taken, and the rules between the two.

#include "events.hpp"

#include <polycast/frame/close_code.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <stdexcept>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace simulation {

/// A rule of the model does not hold. The first is remembered: a hook's exception is caught by the server.
struct violation : std::runtime_error {
    explicit violation(std::string const& what) : std::runtime_error(what)
    {
        if (first().empty())
            first() = what;
    }
    static std::string& first()
    {
        static std::string text;
        return text;
    }
};

template <class... Parts>
[[nodiscard]] std::string say(Parts const&... parts)
{
    std::string text;
    auto const put = [&text](auto const& part) {
        if constexpr (std::is_arithmetic_v<std::remove_cvref_t<decltype(part)>>)
            text += std::to_string(part);
        else
            text += part;
    };
    (put(parts), ...);
    return text;
}

/// One emission, whoever receives it.
struct emission {
    kind what{};
    std::string run{}, to{};
    int room = -1;
    bool kept = false;  ///< has an offset
    std::uint32_t text_bytes = 0;
    std::uint64_t at_us = 0;
    enum class fate : std::uint8_t { pending, accepted, refused, gone, uncertain } outcome = fate::pending;
};
/// The text of emission `n`: its number, then letters that depend on it.
inline void append_text(std::string& out, std::uint32_t n, std::uint32_t bytes)
{
    out += '<';
    out += std::to_string(n);
    out += '>';
    out.append(bytes, static_cast<char>('a' + n % 26));
}

/// An application event as a client has it.
struct taken {
    kind what{};
    std::string run{}, to{}, text{}, room{};
    std::uint32_t n = 0;
    std::uint64_t offset = 0;
    std::string_view raw{};  ///< as it came
};

/// What can be asked of a session of the server, at any step.
struct probe {
    std::uint64_t published = 0, delivered = 0, coalesced = 0, dropped = 0, pending = 0;
    std::size_t queued_bytes = 0, log_bytes = 0, requests = 0;
    bool connected = false, counted = false;
};

struct ledger {
    enum class due : std::uint8_t { must, may, refused };
    struct entry {
        due claim = due::must;
        std::uint64_t count = 0;  ///< under which it came; 0: not yet
    };

    // Who it is.
    std::uint32_t id = 0;
    std::string name{}, user{};
    std::uint32_t incarnation = 0;  ///< of the server
    std::uint64_t opened_us = 0;
    int client = -1;
    bool plain = false;   ///< its receiver counts nothing
    bool alive = true;    ///< `opened` was called and `closed` was not
    bool ending = false;        ///< it was closed for good, or its client says that it will be
    bool waits_in_log = false;  ///< its server was killed
    int away = 0, resumed = 0, expired = 0, closed = 0;
    std::function<probe()> look{};
    std::function<void(pc::close_code)> shut{};  ///< closes it, as the application may

    // What it is owed, by emission, and what came, by count.
    std::unordered_map<std::uint32_t, entry> owed{};
    std::vector<std::size_t> contents{};  ///< hashes, by count from 1
    std::uint64_t taken = 0;              ///< the highest count that its receiver has had
    std::uint64_t gaps = 0, gap_events = 0, merged = 0, replayed = 0;
    std::uint64_t unsure = 0;             ///< numbered events that the model cannot know of: typed replies
    std::uint64_t reported_drops = 0;     ///< by the application's `dropped`
    std::uint32_t last_run_request = 0, last_gone = 0;
    std::array<std::uint32_t, pc::lane_count> last_of_lane{};  ///< the newest emission that came
    std::uint32_t last_barrier = 0, newest_taken = 0;
    std::map<std::string, std::uint64_t> last_offset{};

    void owe(std::uint32_t n, due claim) { owed.try_emplace(n).first->second.claim = claim; }
    [[nodiscard]] bool has(std::uint32_t n) const
    {
        auto const at = owed.find(n);
        return at != owed.end() && at->second.count != 0;
    }
    [[noreturn]] void broken(std::string const& what) const
    {
        throw violation(say("session ", id, " (", name, ", user ", user, ", client ", client, "): ", what));
    }

    /// The same count is the same event, whenever it comes. False: it came before.
    bool counted(std::uint64_t count, std::string_view raw)
    {
        auto const hash = std::hash<std::string_view>{}(raw);
        if (contents.size() <= count)
            contents.resize(count + 1, 0);
        if (contents[count] != 0) {
            if (contents[count] != hash)
                broken(say("count ", count, " was another event before: ", raw));
            ++replayed;
            return false;
        }
        contents[count] = hash;
        taken = std::max(taken, count);
        return true;
    }
    /// The number stands for nothing. True if nothing was known of it.
    bool lost(std::uint64_t count)
    {
        if (contents.size() <= count)
            contents.resize(count + 1, 0);
        return contents[count] == 0 && (contents[count] = 1) == 1;
    }
    /// Order within a lane: of one that others became part of, the newest counts. What was before a barrier comes before
    /// it, what was behind it behind, whatever the lane. Rooms that keep history have their own order, by offset, whatever comes between.
    void in_order(emission const& e, std::uint32_t oldest, std::uint32_t newest, std::uint64_t offset)
    {
        if (offset != 0) {
            auto& last = last_offset[e.to];
            if (offset <= last)
                broken(say("offset ", offset, " of ", e.to, " behind ", last));
            last = offset;
            return;
        }
        auto const described = [&] { return say("emission ", newest, " (", kind_names[static_cast<std::size_t>(e.what)], ")"); };
        auto& last = last_of_lane[static_cast<std::size_t>(lane_of(e.what))];
        if (newest <= last)
            broken(say(described(), " came behind ", last, " of its lane"));
        last = newest;
        if (oldest < last_barrier)
            broken(say(described(), " with ", oldest, " came behind the barrier ", last_barrier));
        if (is_barrier(e.what)) {
            if (newest < newest_taken)
                broken(say("emission ", newest_taken, " overtook the barrier ", newest));
            last_barrier = newest;
        }
        newest_taken = std::max(newest_taken, newest);
    }

    struct balance {
        std::uint64_t missing_least = 0, missing_most = 0;
        std::uint64_t refused = 0, maybe = 0;
        std::uint32_t first_missing = 0;
    };
    /// What is missing. A `latest` value is not, if a later one of its run came before the next barrier.
    [[nodiscard]] balance count_missing(std::vector<emission> const& all) const
    {
        balance b;
        std::vector<std::uint32_t> numbers;
        for (auto const& [n, e] : owed)
            if (e.count == 0)
                numbers.push_back(n);
            else if (!all[n].run.empty())
                numbers.push_back(n);
            else if (is_barrier(all[n].what))
                numbers.push_back(n);
        std::ranges::sort(numbers, std::greater<>());
        struct behind {
            bool came = false, waiting = false;
        };
        std::map<std::pair<kind, std::string>, behind> runs;  // from the newest: what followed within the stretch
        for (std::uint32_t const n : numbers) {
            emission const& e = all[n];
            entry const& x = owed.at(n);
            if (is_barrier(e.what) && x.count != 0 && !e.kept)
                runs.clear();
            behind& r = runs[{e.what, e.run}];
            if (x.count != 0) {
                if (!e.run.empty())
                    r = {true, false};
                continue;
            }
            if (x.claim == due::refused) {
                ++b.refused;
                continue;
            }
            if (x.claim == due::may) {
                ++b.maybe;
                continue;
            }
            ++b.missing_most;
            if (e.what == kind::progress && r.came)
                continue;  // the later one speaks for it
            if ((e.what == kind::progress || e.what == kind::token) && std::exchange(r.waiting, true))
                continue;  // several that had become one are one number
            ++b.missing_least;
            b.first_missing = n;
        }
        return b;
    }
};

}  // namespace simulation
