// Modes in which one client publishes and many receive: broadcast and reliable.
#pragma once

#include "loop.hpp"
#include "meter.hpp"
#include "packed.hpp"
#include "protocol.hpp"

#include <cstdint>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace load {

/// A publisher, who is no receiver, keeps so many messages in flight. A publish is over when every receiver has it; each
/// has them in the order of publishing, so a counter per publish in flight is enough. `consume(connection, bytes)` says
/// how many deliveries ended and counts them in `received`; `came(connection)` is called when a receiver has read
/// something, `turned()` once a turn.
template <class Consume, class Came, class Turned>
report run_publisher(settings const& s, loop& on, outgoing const& out, Consume&& consume, Came&& came, Turned&& turned)
{
    auto& publisher = on.connections.back();
    std::uint64_t deliveries = 0;
    std::uint64_t published = s.in_flight;
    std::vector<std::size_t> arrived(s.in_flight);
    std::size_t over = 0;
    on.send(publisher, out, s.in_flight);
    meter m(s, deliveries);
    while (m.goes_on()) {
        on.poll(
            [&](connection& each, std::span<char> bytes) {
                if (&each == &publisher)
                    return read_messages(each, bytes, [](opcode, std::span<char> payload, bool) {
                        throw std::runtime_error(
                            "the publisher, who is not in the room, was sent: " +
                            std::string(payload.data(), std::min<std::size_t>(payload.size(), 300)));
                    });
                auto number = each.received;
                deliveries += consume(each, bytes);
                if (each.received > published)
                    throw std::runtime_error("more deliveries than publishes");
                for (; number < each.received; ++number) {
                    if (++arrived[number % s.in_flight] == s.connections) {
                        arrived[number % s.in_flight] = 0;
                        ++over;
                    }
                }
                came(each);
                if (over == 0 || (s.refill_whole && over < s.in_flight))
                    return;
                published += over;
                on.send(publisher, out, std::exchange(over, 0));
            },
            [&](connection& each) { on.flush(each, out); });
        turned();
    }
    return m.result();
}

/// Has every connection say `sub` and waits until all were answered `ok`.
inline void join_all(loop& on)
{
    std::size_t joined = 0;
    for (auto& each : on.connections)
        each.say("sub");
    wait_until(
        on,
        [&](connection& each, std::span<char> bytes) {
            read_messages(each, bytes, [&](opcode, std::span<char> payload, bool rsv1) {
                if (!rsv1 && std::string_view(payload.data(), payload.size()) != "ok")
                    throw std::runtime_error("`sub` was not answered `ok`, but: " +
                                             std::string(payload.data(), payload.size()));
                ++joined;
            });
        },
        [&] { return joined == on.connections.size(); },
        [&] {
            return std::to_string(joined) + " of " + std::to_string(on.connections.size()) +
                   " receivers were told `ok`";
        });
}

inline void run_broadcast(settings const& s)
{
    auto const payload = s.deflate ? "pub " + make_prose(s.bytes < 4 ? 0 : s.bytes - 4) : make_payload("pub", s.bytes);
    loop on(s, {}, s.deflate);
    on.open(s.connections);
    join_all(on);
    on.offer({}, false);
    on.open(1);
    outgoing const out(opcode::text, payload, s.in_flight);
    auto const nothing = [](connection&) {};
    if (!s.deflate) {
        incoming const due(opcode::text, payload);
        auto const consume = [&](connection& each, std::span<char> bytes) {
            return each.consume({bytes.data(), bytes.size()}, due);
        };
        return run_publisher(s, on, out, consume, nothing, [] {}).print();
    }
#if POLYCAST_WITH_ZLIB
    incoming const due(opcode::text, payload);
    packed_deliveries packed(s.in_flight, due,
                             [](pc::detail::byte_buffer& to, std::string_view from, std::size_t most) {
                                 return pc::compression::deflate<>::decompress(1, to, from, most);
                             });
    auto const consume = [&](connection& each, std::span<char> bytes) { return packed.consume(each, bytes, true); };
    auto result = run_publisher(s, on, out, consume, nothing, [] {});
    packed.add_to(result);
    result.print();
#endif
}

/// Under the token with zstd: each receiver's messages are zstd frames, with a dictionary if `$hello` names one.
inline void run_broadcast_zstd(settings const& s)
{
    publication const what(s.bytes, true);
    incoming const due(opcode::text, what.answer, what.vary);
    zstd_codec codec(s.port);
    loop on(s, "polycast.v1.json.zstd");
    on.open(s.connections);
    enter_room(
        on, 0, s.connections, true, opcode::binary, [&](std::string_view text) { return codec.pack(text); },
        [&](opcode, std::span<char> payload, bool) { return codec.unpack(payload); },
        [&](connection&, pc::envelope const& said) { codec.learn(said.dictionary_id, said.dictionary_url); });
    on.offer(json_token, false);
    on.open(1);
    auto const as_it_is = [](std::string_view text) { return text; };
    enter_room(
        on, s.connections, 1, false, opcode::text, as_it_is,
        [](opcode, std::span<char> payload, bool) { return payload; }, [](connection&, pc::envelope const&) {});

    packed_deliveries packed(s.in_flight, due,
                             [&](pc::detail::byte_buffer& to, std::string_view from, std::size_t most) {
                                 return codec.decompress(to, from, most);
                             });
    auto const consume = [&](connection& each, std::span<char> bytes) { return packed.consume(each, bytes, false); };
    auto result = run_publisher(
        s, on, outgoing(opcode::text, what.request, s.in_flight), consume, [](connection&) {}, [] {});
    packed.add_to(result);
    on.say_goodbye();
    result.print();
}

/// Receivers open a session, join a room, and acknowledge as the server asks them to.
inline void run_reliable(settings const& s)
{
    publication const what(s.bytes, false);
    incoming const due(opcode::text, what.answer, what.vary);
    loop on(s, json_token);
    auto const as_it_is = [](std::string_view text) { return text; };
    auto const plain = [](opcode, std::span<char> payload, bool) { return payload; };
    auto const nothing = [](connection&, pc::envelope const&) {};
    on.open(s.connections);
    auto const terms = enter_room(on, 0, s.connections, true, opcode::text, as_it_is, plain, nothing);
    if (s.acknowledges && (terms.every == 0 || terms.within_seconds == 0))
        throw std::runtime_error(
            "`$hello` does not say how to acknowledge (a server at most once? then use --no-acks)");
    on.open(1);
    enter_room(on, s.connections, 1, false, opcode::text, as_it_is, plain, nothing);

    auto const acknowledge = [](connection& each) {
        each.acknowledged = each.received;
        each.owes_since = 0;
        each.say(ack_text(each.received));
    };
    double looked_at = 0;
    auto const result = run_publisher(
        s, on, outgoing(opcode::text, what.request, s.in_flight),
        [&](connection& each, std::span<char> bytes) {
            return each.consume({bytes.data(), bytes.size()}, due);
        },
        [&](connection& each) {
            if (!s.acknowledges || each.received == each.acknowledged)
                return;
            if (each.received - each.acknowledged >= terms.every)
                acknowledge(each);
            else if (each.owes_since == 0)
                each.owes_since = now_seconds();
        },
        [&] {
            auto const now = now_seconds();
            if (!s.acknowledges || now - looked_at < terms.within_seconds / 10)
                return;
            looked_at = now;
            for (auto& each : on.connections)
                if (each.owes_since != 0 && now - each.owes_since >= terms.within_seconds)
                    acknowledge(each);
        });
    on.say_goodbye();
    result.print();
}

}  // namespace load
