#pragma once

// The application that most server tests share: its clients order what it shall do, and it keeps what was said to it.
// One application, so that few server types have to be compiled.

#include <polycast/event/describe.hpp>
#include <polycast/event/catalog.hpp>
#include <polycast/server.hpp>

#include <chrono>
#include <mutex>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace support {

namespace pc = polycast;

struct order {
    std::string what;
    int n = 0;
    std::string room{};
    std::string text{};
};

struct note {
    int n = 0;
    std::string text{};
};
struct urgent {
    int n = 0;
};
struct bulk {
    int n = 0;
};
struct vital {
    int n = 0;
    std::string text{};
};

}  // namespace support

template <>
struct polycast::event_traits<support::urgent> {
    static constexpr polycast::lane lane = polycast::lane::high;
};
template <>
struct polycast::event_traits<support::bulk> {
    static constexpr polycast::lane lane = polycast::lane::batch;
};
template <>
struct polycast::event_traits<support::vital> {
    static constexpr bool critical = true;
};

namespace support {

/// What the application saw. Read it when the server is quiet, or under the lock.
struct journal {
    std::vector<std::chrono::microseconds> round_trips{};  ///< of those that have closed
    std::mutex mutex{};
    std::vector<pc::handle> opened{};
    std::vector<std::pair<pc::handle, pc::close_info>> closed{};
    std::vector<pc::outcome> outcomes{};
    std::vector<pc::sent> fan_outs{};
    std::vector<pc::tally> expired{};
    std::vector<pc::drop> drops{};
    int away = 0;
    int resumed = 0;
    std::vector<std::size_t> queued{};  ///< bytes waiting after each emission
    int orders = 0;

    template <class F>
    auto with(F f)
    {
        std::lock_guard const lock(mutex);
        return f(*this);
    }
    std::size_t opens() { return with([](auto& j) { return j.opened.size(); }); }
    std::size_t closes() { return with([](auto& j) { return j.closed.size(); }); }
};

struct bench {
    journal* j;
    using accepts = pc::events<order>;

    pc::identity identify(pc::request const& r)
    {
        auto user = r.query("user").value_or("");
        if (user == "banned")
            return {.admitted = false, .status = 401, .reason = "not you"};
        if (user == "breaks")
            throw std::runtime_error("a secret of identify");
        return {.user = std::move(user)};
    }
    void opened(auto& s)
    {
        j->with([&](auto& me) { me.opened.push_back(s.handle()); });
        if (s.user() == "greeted")
            s.emit(note{0, "welcome"});
        if (s.user() == "unopened")
            throw std::runtime_error("a secret of opened");
        if (s.user() == "member")
            if constexpr (requires { s.join("hall"); })
                s.join("hall");
    }
    void closed(auto& s, pc::close_info const& info)
    {
        j->with([&](auto& me) {
            me.closed.emplace_back(s.handle(), info);
            me.round_trips.push_back(s.record().round_trip);
        });
        if (s.user() == "unclosed")
            throw std::runtime_error("a secret of closed");
    }
    void away(auto&, pc::close_info const&)
    {
        j->with([](auto& me) { ++me.away; });
    }
    void resumed(auto&)
    {
        j->with([](auto& me) { ++me.resumed; });
    }
    void expired(auto&, pc::tally const& t)
    {
        j->with([&](auto& me) { me.expired.push_back(t); });
    }
    void dropped(auto&, pc::drop const& d)
    {
        j->with([&](auto& me) { me.drops.push_back(d); });
    }
    pc::http_response http(pc::request const& r)
    {
        if (r.path() == "/throws")
            throw std::runtime_error("a secret of http");
        if (r.path() == "/big")
            return {.body = std::string(std::stoul(r.query("bytes").value_or("3000000")), 'b')};
        if (r.path() == "/page")
            return {.content_type = "text/html", .body = "<p>a page"};
        return {.status = 404, .body = "no such page"};
    }
    void on(auto& s, order const& o)
    {
        j->with([](auto& me) { ++me.orders; });
        auto const keep = [&](pc::outcome oc) {
            j->with([&](auto& me) {
                me.outcomes.push_back(oc);
                me.queued.push_back(s.queued_bytes());
            });
        };
        if (o.what == "notes")
            for (int i = 0; i < o.n; ++i)
                keep(s.emit(note{i, o.text}));
        else if (o.what == "big notes")
            for (int i = 0; i < o.n; ++i)
                keep(s.emit(note{i, std::string(10'000, 'x')}));
        else if (o.what == "big vitals")
            for (int i = 0; i < o.n; ++i)
                keep(s.emit(vital{i, std::string(10'000, 'x')}));
        else if (o.what == "urgent")
            keep(s.emit(urgent{o.n}));
        else if (o.what == "bulk")
            for (int i = 0; i < o.n; ++i)
                keep(s.emit(bulk{i}));
        else if (o.what == "send")
            keep(s.send(o.text));
        else if (o.what == "close")
            s.close(static_cast<pc::close_code>(o.n), o.text);
        else if (o.what == "throw")
            throw std::runtime_error("a secret of on");
        else if (o.what == "own") {
            auto const sent = s.emitter().emit(note{o.n, o.text});
            j->with([&](auto& me) { me.fan_outs.push_back(sent); });
        } else if constexpr (requires { s.join("x"); }) {
            if (o.what == "join")
                s.join(o.room);
            else if (o.what == "leave")
                s.leave(o.room);
            else if (o.what == "room" || o.what == "others") {
                for (int i = 0; i < (o.n == 0 ? 1 : o.n); ++i) {
                    auto const sent = o.what == "room" ? s.to_room(o.room).emit(note{i, o.text})
                                                       : s.to_room(o.room).except(s.handle()).emit(note{i, o.text});
                    j->with([&](auto& me) { me.fan_outs.push_back(sent); });
                }
            }
        }
    }
};

}  // namespace support
