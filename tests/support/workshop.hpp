#pragma once

// For tests of what happens on the way out: an application that does what the test says, inside a handler, to sessions that
// the test picks; events of every kind; and what a peer of any token has received, as JSON. Of the simulated transport.

#include "foreign_deflate.hpp"
#include "msgpack.hpp"
#include "stage.hpp"

#include <polycast/delivery/at_least_once.hpp>

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace support {

struct delta {
    std::string run_id;
    std::string text;
};
struct word {
    std::string run_id;
    std::string text;
};
struct gauge {
    std::string key;
    int n = 0;
};
struct fence {
    int n = 0;
};
/// Answered with a `delta`.
struct ask {
    std::string text;
};

}  // namespace support

template <>
struct polycast::event_traits<support::delta> {
    static constexpr polycast::lane lane = polycast::lane::batch;
    static constexpr polycast::coalesce coalesce = polycast::coalesce::append;
    static constexpr std::string_view appended = "text";
    static constexpr std::string_view keyed_by[] = {"run_id"};
};
template <>
struct polycast::event_traits<support::word> {
    static constexpr polycast::coalesce coalesce = polycast::coalesce::append;
    static constexpr std::string_view appended = "text";
};
template <>
struct polycast::event_traits<support::gauge> {
    static constexpr polycast::coalesce coalesce = polycast::coalesce::latest;
    static constexpr std::string_view keyed_by[] = {"key"};
};
template <>
struct polycast::event_traits<support::fence> {
    static constexpr bool barrier = true;
};

namespace support {

struct workshop {
    journal* j;
    std::function<void(void*)> script{};  ///< done to the session whose order comes next
    std::vector<void*> sessions{};        ///< that were opened, in order
    std::vector<bool> ended{};            ///< which of them
    using accepts = pc::events<order, ask>;

    pc::identity identify(pc::request const& r) { return {.user = r.query("user").value_or("")}; }
    void opened(auto& s)
    {
        sessions.push_back(&s);
        ended.push_back(false);
        j->opened.push_back(s.handle());
    }
    void closed(auto& s, pc::close_info const& info)
    {
        ended[static_cast<std::size_t>(std::ranges::find(sessions, static_cast<void*>(&s)) - sessions.begin())] = true;
        j->closed.emplace_back(s.handle(), info);
    }
    void away(auto&, pc::close_info const&) { ++j->away; }
    void resumed(auto&) { ++j->resumed; }
    void expired(auto&, pc::tally const& t) { j->expired.push_back(t); }
    void dropped(auto&, pc::drop const& d) { j->drops.push_back(d); }
    void on(auto& s, order const&)
    {
        if (script)
            std::exchange(script, {})(&s);
    }
    delta on(auto&, ask const& a) { return {"r1", a.text}; }
};

template <class... Policies>
using reliable_workshop = pc::server<workshop, sim, pc::delivery::at_least_once<>, Policies...>;

/// Sends what `json` says, as the peer's token has it.
template <class Peer>
void say(Peer& p, std::string_view json)
{
    if (!p.token().starts_with("polycast.v1.msgpack"))
        return p.text(json);
    std::string bytes = packed(json);
    if (p.token().ends_with(".zstd")) {
        pc::detail::byte_buffer out;
        BOOST_REQUIRE(pc::compression::zstd<3>{}.compress(1, out, bytes));
        bytes = out.view();
    }
    p.binary(bytes);
}

/// The objects that `p` has received, as JSON, whatever its token and extension; "broken" for what it could not read.
template <class Peer>
std::vector<std::string> heard(Peer const& p, std::size_t first_frame = 0)
{
    std::vector<std::string> all;
    for (std::size_t i = first_frame; i < p.frames.size(); ++i) {
        std::string text = p.frames[i].payload;
        if (p.frames[i].rsv1)
            text = foreign_deflate({15, false}, {15, false}).decompress(text);
        if (p.frames[i].op == pc::opcode::binary && p.token().ends_with(".zstd")) {
            pc::detail::byte_buffer out;
            text = pc::compression::zstd<3>{}.decompress(1, out, text, 64 * 1024 * 1024) ? "broken" : std::string(out.view());
        }
        if (p.token().starts_with("polycast.v1.msgpack") && text != "broken") {
            text = unpacked(text);
            if (text.ends_with('\n'))
                text.pop_back();
        }
        for (std::size_t at = 0; at <= text.size();) {
            auto const end = std::min(text.find('\n', at), text.size());
            all.push_back(text.substr(at, end - at));
            at = end + 1;
        }
    }
    return all;
}
/// Those of one type.
template <class Peer>
std::vector<std::string> heard(Peer const& p, std::string_view type)
{
    auto all = heard(p);
    std::erase_if(all, [&](std::string const& e) { return type_of(e) != type; });
    return all;
}
/// The field `n` of each of them.
template <class Peer>
std::vector<int> numbers_in(Peer const& p, std::string_view type)
{
    std::vector<int> all;
    for (auto const& e : heard(p, type))
        all.push_back(std::stoi(field(e, "n")));
    return all;
}
/// Those of the application, each as its type and what `name` is in it: "note 3".
template <class Peer>
std::vector<std::string> told(Peer const& p, std::string_view name = "n")
{
    std::vector<std::string> all;
    for (auto const& e : heard(p))
        if (!type_of(e).starts_with('$'))
            all.push_back(type_of(e) + " " + field(e, name));
    return all;
}

/// How a peer comes: by its token or extension, as a user.
struct manner {
    std::string token = "polycast.v1.json";
    std::string user{};
    std::string extensions{};
    bool reads = true;
};
/// A peer that has said `open` and has its `$hello`, as the first of what it heard. One without a token is open anyway.
template <class Stage>
auto& enter(Stage& st, manner const& m, std::string_view open = R"({"type":"$open"})")
{
    auto& p = st.join({.target = m.user.empty() ? "/" : "/?user=" + m.user,
                       .tokens = m.token.empty() ? std::vector<std::string>{} : std::vector{m.token},
                       .extensions = m.extensions,
                       .says_open = false});
    if (!m.token.empty()) {
        say(p, open);
        BOOST_REQUIRE(st.until([&] { return !p.frames.empty() || p.ended; }));
    }
    p.read(m.reads);
    return p;
}
template <class Peer>
std::string hello_of(Peer const& p)
{
    auto const all = heard(p, "$hello");
    return all.empty() ? "" : all.front();
}
/// `old`'s session goes on with a new peer, that has `received` events.
template <class Stage, class Peer>
auto& come_back(Stage& st, Peer const& old, std::uint64_t received, manner const& m = {})
{
    return enter(st, m,
                 R"({"type":"$open","session":")" + field(hello_of(old), "session") + R"(","received":)" +
                     std::to_string(received) + "}");
}

/// The `i`th session that was opened.
template <class Stage>
auto& session_of(Stage& st, std::size_t i = 0)
{
    using session = typename std::remove_reference_t<decltype(*st.server)>::session_type;
    return *static_cast<session*>(st.server->app().sessions.at(i));
}
/// Runs `f(session)` in a handler of `by`, and waits for that.
template <class Stage, class Peer, class F>
void inside(Stage& st, Peer& by, F f)
{
    using session = typename std::remove_reference_t<decltype(*st.server)>::session_type;
    bool done = false;
    st.server->app().script = [&](void* s) {
        f(*static_cast<session*>(s));
        done = true;
    };
    say(by, an_order("run"));
    BOOST_REQUIRE(st.until([&] { return done; }));
}
/// published = delivered + coalesced + dropped + pending, for each session that is there.
template <class Stage>
bool balanced(Stage& st)
{
    for (std::size_t i = 0; i < st.server->app().sessions.size(); ++i)
        if (!st.server->app().ended[i]) {
            auto const t = session_of(st, i).tally();
            if (t.published != t.delivered + t.coalesced + t.dropped + t.pending)
                return false;
        }
    return true;
}

}  // namespace support
