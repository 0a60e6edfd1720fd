#pragma once

// Emissions, each with its entry in the model: whom it addresses is noted before, what became of it after.

#include "allocation.hpp"
#include "reference_client.hpp"

#include <polycast/session/outcome.hpp>

#include <concepts>
#include <cstdint>
#include <new>
#include <string>
#include <utility>

namespace simulation {

class speech {
public:
    speech(surroundings& around, scenario const& plan) : around_(around), plan_(plan) {}

    /// The next emissions run out of memory somewhere inside.
    std::uint32_t failing = 0;

    [[nodiscard]] kind any_kind()
    {
        auto& chance = around_.chance;
        static constexpr kind often[] = {kind::note, kind::note, kind::urgent, kind::bulk, kind::alarm, kind::token,
                                         kind::token, kind::token, kind::progress, kind::progress, kind::finished};
        return often[chance.below(std::size(often))];
    }
    /// `address(n)` tells the model, `send(event)` emits and returns an `outcome` or a `sent`.
    template <class Address, class Send>
    void say_one(kind what, std::string const& to, Address address, Send send)
    {
        auto& rules = around_.rules;
        bool const has_run = what == kind::token || what == kind::progress || what == kind::finished;
        std::string run = has_run ? say("r", around_.chance.below(2), "@", to) : std::string();
        auto const bytes = static_cast<std::uint32_t>(around_.chance.below(plan_.text_bytes + 1));
        std::uint32_t const n = rules.begin(what, to, run, bytes);
        address(n);
        around_.note("emit", n, static_cast<std::uint64_t>(what));
        std::string text;
        append_text(text, n, bytes);
        std::string whom = to;  // made before memory runs out
        // Not where it could not be told afterwards whether the event was kept.
        if (failing == 0 || rules.absent() || (plan_.history && to.starts_with("room")))
            return judge(n, emit(what, n, std::move(run), std::move(whom), std::move(text), send));
        --failing;
        try {
            bool hit = false;
            {
                failing_allocation const scarce(1 + around_.chance.below(2));
                emit(what, n, std::move(run), std::move(whom), std::move(text), send);
                hit = scarce.failed();
            }
            rules.seen.bad_allocs += hit;
            rules.end(n, emission::fate::uncertain);
        } catch (std::bad_alloc const&) {
            ++rules.seen.bad_allocs;
            rules.end(n, emission::fate::uncertain);
        }
    }

private:
    template <class Send>
    static auto emit(kind what, std::uint32_t n, std::string run, std::string to, std::string text, Send& send)
    {
        switch (what) {
        case kind::urgent: return send(urgent{n, std::move(to), std::move(text)});
        case kind::bulk: return send(bulk{n, std::move(to), std::move(text)});
        case kind::alarm: return send(alarm_raised{n, std::move(to), std::move(text)});
        case kind::token: return send(token{std::move(run), std::move(to), std::move(text)});
        case kind::progress: return send(progress{std::move(run), n, std::move(to)});
        case kind::finished: return send(finished{std::move(run), n, std::move(to)});
        case kind::note: break;
        }
        return send(note{n, std::move(to), std::move(text)});
    }
    void judge(std::uint32_t n, pc::outcome o)
    {
        around_.rules.end(n, pc::accepted(o) ? emission::fate::accepted
                                             : o == pc::outcome::gone ? emission::fate::gone : emission::fate::refused);
    }
    void judge(std::uint32_t n, pc::sent const& s)
    {
        around_.rules.end(n, pc::accepted(s) ? emission::fate::accepted
                                             : s.status == pc::outcome::gone ? emission::fate::gone : emission::fate::refused,
                          s.refused != 0, s.status != pc::outcome::refused);
    }

    surroundings& around_;
    scenario const& plan_;
};

}  // namespace simulation
