#pragma once

// What must be true, independent of how the server does it: who is owed what from the moment it was emitted, and whether
// what clients take, and the hooks that the application sees, fit that. The first thing that does not throws `violation`.

#include "ledger.hpp"
#include "requests.hpp"

#include <algorithm>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace simulation {

class model : public requests {
public:
    model(bool history, std::size_t history_events, bool roomy)
        : history_(history), history_events_(history_events), roomy_(roomy)
    {
    }

    std::function<std::uint64_t()> now_us{};
    std::uint32_t incarnation = 0;  ///< of the server

    // --- sessions, as the application's hooks tell ------------------------------------------------------------------

    ledger& opened(std::string name, std::string_view user)
    {
        ledger& l = ledgers_.emplace_back();
        l.id = static_cast<std::uint32_t>(ledgers_.size());
        l.name = std::move(name);
        l.user = user;
        l.incarnation = incarnation;
        l.opened_us = now_us();
        alive_.push_back(&l);
        ++seen.sessions;
        if (auto const waited = offline_.find(l.user); waited != offline_.end()) {
            for (std::uint32_t const n : waited->second)
                l.owe(n, emissions_[n].outcome == emission::fate::uncertain ? ledger::due::may : ledger::due::must);
            seen.offline += waited->second.size();
            offline_.erase(waited);
        }
        return l;
    }
    void closed(ledger& l)
    {
        if (++l.closed != 1 || !l.alive)
            l.broken("closed twice");
        l.alive = false;
        std::erase(alive_, &l);
        for (auto& [name, r] : rooms_)
            r.members.erase(l.id);
    }
    /// The server was killed, and its log was not: sessions without a name are gone, the others wait in the log.
    void killed()
    {
        for (ledger* const l : std::vector<ledger*>(alive_)) {
            l->look = nullptr;
            l->shut = nullptr;
            l->waits_in_log = !l->plain;
            if (l->plain)
                closed(*l);
        }
        offline_.clear();
    }
    ledger& restored(std::string const& name)
    {
        ledger* const l = find(name);
        if (l == nullptr || !l->alive || !l->waits_in_log)
            throw violation(say("the log has a session that is over: ", name));
        l->waits_in_log = false;
        ++seen.restored;
        return *l;
    }
    void all_restored()
    {
        for (ledger* const l : std::vector<ledger*>(alive_))
            if (l->waits_in_log) {
                if (!l->ending)
                    l->broken("the log has forgotten it");
                closed(*l);
            }
    }
    void expired(ledger& l)
    {
        if (++l.expired != 1 || !l.alive)
            l.broken("expired twice, or after closed");
        ++seen.expired;
    }
    void resumed(ledger& l)
    {
        ++l.resumed;
        if (!l.alive)
            l.broken("resumed after closed");
    }
    void dropped(ledger& l, std::uint64_t from, std::uint64_t to, std::uint64_t count)
    {
        if (from != 0 && to - from + 1 < count)
            l.broken(say("a drop of ", count, " events is numbered ", from, " to ", to));
        l.reported_drops += count;
        seen.drops += count;
    }
    void joined(ledger& l, std::string const& name)
    {
        room& r = of_session(l, name);
        r.members[l.id] = true;
        l.unsure += r.kept.size();  // what of it is replayed may be dropped again
    }
    /// The client has asked to leave: what is emitted from now on may come or not.
    void leaving(ledger& l, std::string const& name)
    {
        auto& members = of_session(l, name).members;
        if (auto const at = members.find(l.id); at != members.end())
            at->second = false;
    }
    void left(ledger& l, std::string const& name) { of_session(l, name).members.erase(l.id); }
    [[nodiscard]] bool is_member(ledger const& l, std::string const& name) { return of_session(l, name).members.contains(l.id); }

    /// The session of that name, of this run of the server or of one whose sessions outlived it.
    [[nodiscard]] ledger* find(std::string_view name)
    {
        for (auto l = ledgers_.rbegin(); l != ledgers_.rend(); ++l)
            if (l->name == name)
                return &*l;
        return nullptr;
    }
    [[nodiscard]] std::vector<ledger*> const& alive() const { return alive_; }
    [[nodiscard]] std::deque<ledger>& all() { return ledgers_; }
    [[nodiscard]] emission const& of(std::uint32_t n) const { return emissions_[n]; }

    // --- emissions ----------------------------------------------------------------------------------------------------

    /// Begins emission `n`; whom it addresses is asked of the present moment.
    std::uint32_t begin(kind what, std::string to, std::string run, std::uint32_t text_bytes)
    {
        auto const n = static_cast<std::uint32_t>(emissions_.size());
        emissions_.push_back({.what = what, .run = std::move(run), .to = std::move(to), .text_bytes = text_bytes,
                              .at_us = now_us()});
        receivers_.clear();
        absent_.clear();
        ++seen.emissions;
        return n;
    }
    void to_session(std::uint32_t n, ledger& l) { owe(l, n, ledger::due::must); }
    void to_user(std::uint32_t n, std::string_view user)
    {
        for (ledger* const l : alive_)
            if (l->user == user)
                owe(*l, n, ledger::due::must);
        absent_ = receivers_.empty() ? user : std::string_view();
    }
    void to_all(std::uint32_t n)
    {
        for (ledger* const l : alive_)
            owe(*l, n, ledger::due::must);
    }
    void to_room(std::uint32_t n, std::string const& name)
    {
        auto& r = at(name);
        emissions_[n].room = 1;
        for (ledger* const l : alive_)
            if (auto const at = r.members.find(l->id); at != r.members.end())
                owe(*l, n, at->second ? ledger::due::must : ledger::due::may);
    }
    /// The present emission is for a user who is not there.
    [[nodiscard]] bool absent() const { return !absent_.empty(); }
    /// What became of it. A fan-out of which some were refused says not which. `kept`: its room's history has it.
    void end(std::uint32_t n, emission::fate outcome, bool in_part = false, bool kept = false)
    {
        emission& e = emissions_[n];
        e.outcome = outcome;
        using enum emission::fate;
        kept = kept && history_ && e.room >= 0;
        seen.refused += outcome == refused;
        for (ledger* const l : receivers_) {
            auto& x = l->owed.at(n);
            bool const there = x.claim == ledger::due::must;  // not about to leave the room
            if (outcome == refused || outcome == gone)
                x.claim = kept ? ledger::due::may : ledger::due::refused;
            else if (outcome == uncertain || in_part)
                x.claim = ledger::due::may;
            if (outcome == gone && there)
                l->last_gone = n;
        }
        if (kept) {
            at(e.to).kept.push_back(n);
            e.kept = true;
        }
        if (!absent_.empty() && (outcome == accepted || outcome == uncertain))
            wait_offline(n);
    }

    // --- what clients take -----------------------------------------------------------------------------------------

    /// `count` is 0 for a client that counts nothing. `stale`: the client has seen its offset and drops it.
    void took(ledger& l, std::uint64_t count, taken const& t, bool stale)
    {
        if (count != 0 && !l.counted(count, t.raw))
            return;
        std::uint32_t oldest = t.n, newest = t.n;
        if (t.what == kind::token) {
            newest = 0;
            each_token(t, [&](std::uint32_t n) {
                if (newest == 0)
                    oldest = n;
                else if (n <= newest)
                    l.broken(say("text ", n, " was appended to ", newest));
                else
                    l.merged += !stale, seen.coalesced += !stale;
                took_one(l, count, newest = n, t, stale);
            });
        } else {
            took_one(l, count, t.n, t, stale);
            check_text(t.n, t.text, t.what == kind::progress || t.what == kind::finished);
        }
        if (stale)
            return;
        if (auto const& kept = of_session(l, t.room).kept;
            t.offset != 0 && (t.offset > kept.size() || kept[t.offset - 1] != newest))
            l.broken(say("emission ", newest, " has offset ", t.offset, " of ", t.room, ", which is not its place"));
        l.in_order(emissions_[newest], oldest, newest, t.offset);
    }
    /// A typed reply counts too, but nobody but the asker knows of it.
    void took_reply(ledger& l, std::uint64_t count, std::string_view raw)
    {
        if (count != 0)
            l.counted(count, raw);
    }
    void gap(ledger& l, std::uint64_t have, std::uint64_t from, std::uint64_t to, std::string_view reason)
    {
        if (from != have + 1 || to < from)
            l.broken(say("a gap of ", from, " to ", to, " for one who has ", have));
        if (reason != "evicted" && reason != "expired" && reason != "restarted")
            l.broken(say("a gap for the reason ", reason));
        ++l.gaps;
        ++seen.gaps;
        // Numbers that it had before and forgot are no loss.
        for (std::uint64_t c = from; c <= to; ++c)
            l.gap_events += l.lost(c);
        seen.gap_events += to - from + 1;
        l.taken = std::max(l.taken, to);
    }
    /// `recovered`: what came between is owed, however long ago it was emitted.
    void join_answered(ledger& l, std::string const& name, std::optional<std::uint64_t> since, std::uint64_t offset,
                       std::optional<bool> recovered, bool same_epoch)
    {
        room& r = of_session(l, name);
        if (offset > r.kept.size())
            l.broken(say("joined ", name, " at offset ", offset, " of ", r.kept.size()));
        if (!since || !recovered)
            return;
        if (*recovered) {
            if (!same_epoch)
                l.broken("a recovery across epochs");
            for (std::uint64_t o = *since + 1; o <= offset; ++o)
                l.owe(r.kept[o - 1], ledger::due::must);
            seen.recovered += 1;
            seen.recovered_events += offset - *since;
        } else {
            ++seen.not_recovered;
            if (roomy_ && same_epoch && *since <= offset && offset - *since <= history_events_ / 2 && *since < offset &&
                now_us() - emissions_[r.kept[*since]].at_us < 200'000'000)
                l.broken(say("joined ", name, " since ", *since, " of ", offset, ": not recovered, though it is kept"));
        }
    }

    /// What is still missing of a session whose receiver is there and reads. Empty: nothing.
    [[nodiscard]] std::string missing(ledger const& l) const
    {
        auto const b = l.count_missing(emissions_);
        std::uint64_t const excuses = l.plain ? l.reported_drops : l.gap_events;
        if (b.missing_least > excuses)
            return say("session ", l.id, " of client ", l.client, ": at least ", b.missing_least, " events are missing, ", excuses,
                       " are explained; the first is emission ", b.first_missing, " (",
                       kind_names[static_cast<std::size_t>(emissions_[b.first_missing].what)], " to ",
                       emissions_[b.first_missing].to, ")");
        return {};
    }
    /// Once nothing more can come: a gap that named more than is missing was a lie.
    void settle(ledger const& l) const
    {
        auto const b = l.count_missing(emissions_);
        if (l.gap_events > b.missing_most + b.refused + b.maybe + l.unsure)
            l.broken(say("gaps of ", l.gap_events, " events, of which ", b.missing_most, " are missing, ", b.refused,
                         " were refused, ", b.maybe + l.unsure, " are not known"));
    }
    /// Each session that is gone was closed, once; one that expired was told so first.
    void all_closed() const
    {
        for (ledger const& l : ledgers_)
            if (l.closed != 1)
                l.broken(say("closed ", l.closed, " times"));
    }
    void restarted()
    {
        ++incarnation;
        offline_.clear();
    }

private:
    struct room {
        std::map<std::uint32_t, bool> members{};  ///< by session; false: has asked to leave
        std::vector<std::uint32_t> kept{};        ///< emissions by offset, from 1
    };

    /// Rooms are those of one run of the server: what it had sent may arrive when the next one runs.
    room& at(std::string const& name) { return rooms_[{incarnation, name}]; }
    room& of_session(ledger const& l, std::string const& name) { return rooms_[{l.incarnation, name}]; }
    void owe(ledger& l, std::uint32_t n, ledger::due claim)
    {
        l.owe(n, claim);
        receivers_.push_back(&l);
    }
    template <class F>
    void each_token(taken const& t, F f)
    {
        std::string_view rest = t.text;
        while (!rest.empty()) {
            auto const end = rest.find('>');
            if (rest.front() != '<' || end == rest.npos)
                throw violation(say("a token's text is torn: ", t.text));
            auto const n = static_cast<std::uint32_t>(std::stoul(std::string(rest.substr(1, end - 1))));
            auto const next = std::min(rest.find('<', end), rest.size());
            check_text(n, rest.substr(0, next), false);
            f(n);
            rest.remove_prefix(next);
        }
    }
    void check_text(std::uint32_t n, std::string_view text, bool none) const
    {
        if (none || n >= emissions_.size())
            return;
        std::string wanted;
        append_text(wanted, n, emissions_[n].text_bytes);
        if (text != wanted)
            throw violation(say("emission ", n, " arrived as ", text));
    }
    void took_one(ledger& l, std::uint64_t count, std::uint32_t n, taken const& t, bool stale)
    {
        if (n == 0 || n >= emissions_.size())
            l.broken(say("an event that nobody emitted: ", t.raw));
        emission const& e = emissions_[n];
        if (t.to != e.to || t.what != e.what || t.run != e.run)
            l.broken(say("emission ", n, " arrived as another: ", t.raw));
        if (e.room >= 0 ? t.room != e.to : !t.room.empty())
            l.broken(say("emission ", n, " names the room '", t.room, "'"));
        if (!e.kept && (e.outcome == emission::fate::refused || e.outcome == emission::fate::gone))
            l.broken(say("emission ", n, " was not accepted and arrived all the same"));
        auto owed = l.owed.find(n);
        if (owed == l.owed.end()) {
            // One that opens while the emission waits in its shard's mailbox may have it.
            bool const late = l.opened_us == e.at_us && e.room < 0 && (e.to == "all" || e.to == "u:" + l.user);
            bool const replayed = t.offset != 0;  // the `$ok` of the join is judged when it comes
            if (!late && !replayed)
                l.broken(say("emission ", n, " to ", e.to, " is not for this receiver: ", t.raw));
            owed = l.owed.try_emplace(n, ledger::entry{ledger::due::may, 0}).first;
        }
        if (stale) {
            ++seen.stale;
            owed->second.count = std::max<std::uint64_t>(count, 1);
            return;
        }
        if (owed->second.count != 0)
            l.broken(say("emission ", n, " came twice, under ", owed->second.count, " and ", count));
        owed->second.count = std::max<std::uint64_t>(count, 1);
        ++seen.deliveries;
    }
    /// WIRE keeps 50 for a user who is not there at all; a critical one makes the oldest other go.
    void wait_offline(std::uint32_t n)
    {
        auto& waiting = offline_[std::string(absent_)];
        if (waiting.size() >= 50) {
            auto const other = std::ranges::find_if(waiting, [&](std::uint32_t w) { return emissions_[w].what != kind::alarm; });
            if (other == waiting.end() || emissions_[n].what != kind::alarm)
                throw violation(say("emission ", n, " was accepted for an absent user who has 50 already"));
            waiting.erase(other);
        }
        waiting.push_back(n);
    }

    bool history_;
    std::size_t history_events_;
    bool roomy_;  ///< outboxes take any past
    std::deque<ledger> ledgers_{};
    std::vector<ledger*> alive_{};
    std::vector<emission> emissions_{1};
    std::vector<ledger*> receivers_{};
    std::string absent_{};  ///< the user whom the present emission did not find
    std::map<std::string, std::deque<std::uint32_t>> offline_{};
    std::map<std::pair<std::uint32_t, std::string>, room> rooms_{};
};

}  // namespace simulation
