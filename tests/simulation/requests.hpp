#pragma once

// What clients have asked, how often it ran, and what they were answered.

#include "ledger.hpp"
#include "tallies.hpp"

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace simulation {

class requests {
public:
    tallies seen{};

    void asked(std::uint32_t n, int client, std::string const& user, wish want) { all_[n] = {.client = client, .user = user, .want = want}; }
    /// The server runs it, in this session: once, and in the order of asking.
    void ran(ledger& l, std::uint32_t n, std::uint32_t want)
    {
        auto const at = all_.find(n);
        if (at == all_.end() || at->second.user != l.user || static_cast<std::uint32_t>(at->second.want) != want)
            l.broken(say("ran request ", n, ", which its user never made"));
        request& r = at->second;
        if (++r.runs[l.id] > 1)
            l.broken(say("ran request ", n, " of client ", r.client, " twice"));
        if (n <= l.last_run_request)
            l.broken(say("ran request ", n, " behind ", l.last_run_request));
        l.last_run_request = n;
        ++l.unsure;  // a typed reply counts, here and when it is repeated
        ++seen.runs;
    }
    void repeated(std::uint32_t n) { all_.at(n).repeated = true; }
    void answered(std::uint32_t n, std::string_view how)
    {
        request const& r = all_.at(n);
        if (r.runs.empty())
            throw violation(say("request ", n, " of client ", r.client, " was answered and never ran"));
        static constexpr std::string_view wanted[wish_count] = {"ok", "forbidden", "reply", "ok", "ok", "internal"};
        // A typed reply is an event: a gap may name it. Who asks again is told that it has run.
        bool const told = r.want == wish::reply && how == "ok" && r.repeated;
        if (!told && how != wanted[static_cast<std::size_t>(r.want)])
            throw violation(say("request ", n, " of client ", r.client, " was answered with ", how, ", not with ",
                                wanted[static_cast<std::size_t>(r.want)]));
        ++seen.answers;
    }

private:
    struct request {
        int client = 0;
        std::string user{};
        wish want{};
        bool repeated = false;  ///< the client has asked again
        std::map<std::uint32_t, int> runs{};  ///< by session
    };
    std::map<std::uint32_t, request> all_{};
};

}  // namespace simulation
