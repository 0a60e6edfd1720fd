#pragma once

// The server's application: it tells the model what it is told, and does what clients ask.

#include "speech.hpp"

#include <polycast/event/control.hpp>
#include <polycast/event/dispatch.hpp>
#include <polycast/session/hooks.hpp>
#include <polycast/session/session.hpp>

#include <cstdint>
#include <map>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>

namespace simulation {

struct application {
    using accepts = pc::events<ask, query>;

    application(surroundings& a, speech& v, std::map<std::uint64_t, ledger*>& s) : around(&a), voice(&v), sessions(&s) {}

    surroundings* around;
    speech* voice;
    /// Of the sessions that are alive, by handle. One for all copies of the application.
    std::map<std::uint64_t, ledger*>* sessions;

    pc::identity identify(pc::request const& r)
    {
        last_ticket_ = static_cast<std::uint32_t>(std::stoul(r.query("ticket").value_or("0")));
        last_seen_at_ = around->world.schedule().now();
        return {.user = r.query("user").value_or("")};
    }
    template <class Session>
    void opened(Session& s)
    {
        std::string name;
        if constexpr (requires { s.name(); })
            name = s.name();
        bool restored = false;
        if constexpr (requires { s.is_restored(); })
            restored = s.is_restored();
        ledger& l = restored ? around->rules.restored(name)
                             : around->rules.opened(name.empty() ? say("plain ", last_ticket_) : name, s.user());
        l.plain = name.empty();
        (*sessions)[s.handle().value()] = &l;
        if (around->world.schedule().now() == last_seen_at_)
            around->plain_sessions[last_ticket_] = &l;
        around->note("opened", l.id);
        l.look = [&s] { return look(s); };
        l.shut = [&s](pc::close_code code) { s.close(code); };
        if (restored)
            return;
        voice->say_one(kind::note, whole(l), [&](auto n) { around->rules.to_session(n, l); },
                       [&](auto const& e) { return s.emit(e); });
    }
    template <class Session>
    void away(Session& s, pc::close_info const&)
    {
        if (around->deaf)
            return;
        ledger& l = of(s, "away");
        around->note("away", l.id);
        ++around->rules.seen.away;
        ++l.away;
    }
    template <class Session>
    void resumed(Session& s)
    {
        if (around->deaf)
            return;
        around->note("resumed", of(s, "resumed").id);
        around->rules.resumed(of(s, "resumed"));
    }
    template <class Session, class Tally>
    void expired(Session& s, Tally const&)
    {
        if (around->deaf)
            return;
        around->note("expired", of(s, "expired").id);
        around->rules.expired(of(s, "expired"));
    }
    template <class Session>
    void closed(Session& s, pc::close_info const& info)
    {
        if (around->deaf)
            return;
        ledger& l = of(s, "closed");
        around->note("closed", l.id, static_cast<std::uint64_t>(info.code));
        around->rules.closed(l);
        l.look = nullptr;
        l.shut = nullptr;
        sessions->erase(s.handle().value());
    }
    template <class Session, class Drop>
    void dropped(Session& s, Drop const& d)
    {
        if (around->deaf)
            return;
        around->note("dropped", of(s, "dropped").id, d.events);
        around->rules.dropped(of(s, "dropped"), d.from, d.to, d.events);
    }
    template <class Session>
    bool may_join(Session& s, std::string_view room)
    {
        around->note("joins", of(s, "may_join").id);
        around->rules.joined(of(s, "may_join"), std::string(room));
        return true;
    }
    template <class Session>
    std::optional<pc::refusal> on(Session& s, ask const& a)
    {
        ledger& l = runs(s, a.n, a.want);
        switch (static_cast<wish>(a.want)) {
        case wish::refuse: return pc::refusal{.code = "forbidden", .message = "as it was asked to"};
        case wish::fail: throw std::runtime_error("as it was asked to");
        case wish::echo_burst: burst(s, l); break;
        case wish::tell_room: tell_room(s, l, a.room); break;
        default: break;
        }
        return {};
    }
    template <class Session>
    answer on(Session& s, query const& q)
    {
        static_cast<void>(runs(s, q.n, q.want));
        return {q.n};
    }

    [[nodiscard]] static probe look(auto& s)
    {
        probe p;
        p.queued_bytes = s.queued_bytes();
        if constexpr (requires { s.tally(); }) {
            auto const t = s.tally();
            p = {t.published, t.delivered, t.coalesced, t.dropped, t.pending, s.queued_bytes(), 0, 0, false, true};
        }
        return p;
    }
    [[nodiscard]] static std::string whole(ledger const& l) { return "s:" + std::to_string(l.id); }
    template <class Session>
    void burst(Session& s, ledger& l)
    {
        for (std::uint64_t i = around->chance.from(1, 12); i != 0; --i)
            voice->say_one(voice->any_kind(), whole(l), [&](auto n) { around->rules.to_session(n, l); },
                           [&](auto const& event) { return s.emit(event); });
    }

private:
    template <class Session>
    ledger& runs(Session& s, std::uint32_t n, std::uint32_t want)
    {
        ledger& l = of(s, "on");
        around->note("runs", l.id, n);
        around->rules.ran(l, n, want);
        return l;
    }
    template <class Session>
    void tell_room(Session& s, ledger const& l, std::string const& room)
    {
        if (room.empty())
            return;
        bool const allowed = Session::shard_type::composition_type::isolation::clients_join_freely || around->rules.is_member(l, room);
        voice->say_one(
            voice->any_kind(), room, [&](auto n) { around->rules.to_room(n, room); },
            [&](auto const& event) {
                auto const sent = s.to_room(room).emit(event);
                if (!allowed && sent.status != pc::outcome::refused)
                    l.broken("reached a room that it is not in");
                return sent;
            });
    }
    template <class Session>
    ledger& of(Session& s, char const* hook)
    {
        auto const at = sessions->find(s.handle().value());
        if (at == sessions->end())
            throw violation(say(hook, " for a session that is not open: ", s.handle().value()));
        return *at->second;
    }
    std::uint32_t last_ticket_ = 0;
    pc::transport::simulated_schedule::time last_seen_at_{};
};

}  // namespace simulation
