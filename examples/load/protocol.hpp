// The polycast protocol as a client speaks it: what control says, and the application's two events.
#pragma once

#include "connection.hpp"
#include "loop.hpp"
#include "process.hpp"

#include <polycast/event/catalog.hpp>
#include <polycast/event/control.hpp>
#include <polycast/event/describe.hpp>
#include <polycast/event/envelope.hpp>
#include <polycast/serializer/json.hpp>

#include <algorithm>
#include <cstdint>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>

namespace load {

inline constexpr std::string_view json_token = "polycast.v1.json";

/// What a client says to the room, and what its members are told.
struct publish {
    std::string text;
};
struct news {
    std::string text;
};

template <class Event>
std::string to_json(Event const& event)
{
    pc::detail::byte_buffer out;
    if (auto const ec = pc::serializer::json::encode(out, pc::envelope_head{}, event))
        throw std::system_error(ec, "encoding");
    return std::string(out.view());
}
inline std::string ack_text(std::uint64_t received)
{
    return to_json(pc::control::ack{received});
}
inline std::string join_text()
{
    return to_json(pc::control::join{.room = "all"});
}

/// The text of `publish`, `bytes` long as the `news` of it, and those.
struct publication {
    publication(std::size_t bytes, bool prose)
    {
        using namespace std::string_literals;
        auto const before = R"({"type":"news","room":"all","timestamp":"2026-11-21T01:02:03.456Z",)"s;
        auto const around = R"("data":{"text":""}})"s.size();
        if (bytes <= before.size() + around)
            throw usage_error("--bytes must be more than " + std::to_string(before.size() + around));
        text = prose ? make_prose(bytes - before.size() - around) : make_payload("", bytes - before.size() - around);
        std::replace(text.begin(), text.end(), '\\', '/');  // as it is in JSON too
        request = to_json(publish{text});
        answer = before + to_json(news{text}).substr(R"({"type":"news",)"s.size());
        vary = before.size();
    }
    std::string text, request, answer;
    std::size_t vary;  ///< so many bytes of the answer say when
};

/// Calls `control(envelope const&)` and `event(news const&)` for what a payload holds, which is read in place.
template <class Control, class Event>
void read_events(std::span<char> payload, Control&& control_, Event&& event_)
{
    struct {
        Control& on_control;
        Event& on_news;
        void event(pc::envelope const&, news&& e) { on_news(e); }
        void control(pc::envelope const& said) { on_control(said); }
        void unknown(pc::envelope const& around)
        {
            throw std::runtime_error("the server sent an event of type " + std::string(around.type));
        }
        void error(pc::envelope const&, pc::decode_error const& what)
        {
            throw std::runtime_error("the server sent what is no `news`: " + what.path + " " + what.message);
        }
    } visitor{control_, event_};
    pc::serializer::json::decode<pc::events<news>>(payload, pc::decode_limits{}, visitor);
}

inline void refuse_unexpected(pc::envelope const& said)
{
    if (said.type == "$gap" || said.type == "$error" || said.type == "$bye")
        throw std::runtime_error("the server sent " + std::string(said.type) + ' ' + std::string(said.code) +
                                 std::string(said.reason) + ' ' + std::string(said.message));
}

/// Turns the loop until `done()`, at most 10 s. `what` is what did not happen.
template <class OnData, class Done, class What>
void wait_until(loop& on, OnData&& on_data, Done&& done, What&& what)
{
    auto const deadline = now_seconds() + 10;
    while (!done()) {
        on.poll(on_data, [](connection&) {});
        if (now_seconds() > deadline)
            throw std::runtime_error(what() + " within 10 s");
    }
}

/// How the server wants to hear what has been received.
struct ack_terms {
    std::uint64_t every = 0;
    double within_seconds = 0;
};

/// Has all connections say `$open`, and all but `publishers` at the end join the room. `pack(text)` is the payload for
/// what is said, in messages of kind `op`; `unpack(connection, op, payload, rsv1)` the text of what came; `heard(said)`
/// is told each `$hello`.
template <class Pack, class Unpack, class Heard>
ack_terms enter_room(loop& on, std::size_t first, std::size_t count, bool joins, opcode op, Pack&& pack,
                     Unpack&& unpack, Heard&& heard)
{
    ack_terms terms;
    std::size_t entered = 0;
    for (std::size_t i = first; i < first + count; ++i)
        on.connections[i].say(pack(to_json(pc::control::open{})), op);
    wait_until(
        on,
        [&](connection& each, std::span<char> bytes) {
            read_messages(each, bytes, [&](opcode kind, std::span<char> payload, bool rsv1) {
                read_events(
                    unpack(kind, payload, rsv1),
                    [&](pc::envelope const& said) {
                        refuse_unexpected(said);
                        if (said.type == "$hello") {
                            terms = {said.ack_every.value_or(0),
                                     static_cast<double>(said.ack_within_ms.value_or(0)) * 1e-3};
                            heard(each, said);
                            if (joins)
                                each.say(pack(join_text()), op);
                        }
                        entered += said.type == (joins ? "$ok" : "$hello");
                    },
                    [](news const&) { throw std::runtime_error("`news` before anything was published"); });
            });
        },
        [&] { return entered == count; },
        [&] {
            return std::to_string(entered) + " of " + std::to_string(count) + " clients were told " +
                   (joins ? "`$ok` to `$join`" : "`$hello`");
        });
    return terms;
}

}  // namespace load
