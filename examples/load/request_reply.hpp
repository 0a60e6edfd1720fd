// Modes in which each message is answered: in a closed and in an open loop.
#pragma once

#include "loop.hpp"
#include "meter.hpp"
#include "schedule.hpp"
#include "talk.hpp"

#include <cstdint>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>

namespace load {

template <class Talk>
void run_closed(settings const& s, loop& on, Talk& talk)
{
    std::uint64_t messages = 0;
    std::optional<closed_loop> timed;
    if (s.latency)
        timed.emplace(s.in_flight, s.connections);
    auto const refill = [&](connection& each, std::int64_t now) {
        if (s.refill_whole && each.in_flight != 0)
            return;
        auto const count = s.in_flight - each.in_flight;
        each.in_flight += static_cast<std::uint32_t>(count);
        if (timed)
            timed->sent(each.index, count, now);
        talk.send(each, count);
    };
    for (auto& each : on.connections)
        refill(each, now_ns());
    meter m(s, messages);
    while (m.goes_on())
        on.poll(
            [&](connection& each, std::span<char> bytes) {
                auto const came = talk.consume(each, bytes);
                if (came > each.in_flight)
                    throw std::runtime_error("more replies than requests");
                if (came == 0)
                    return;
                each.in_flight -= came;
                messages += came;
                std::int64_t const now = timed ? now_ns() : 0;
                if (timed)
                    timed->answered(each.index, came, now, m.measuring());
                refill(each, now);
            },
            [&](connection& each) { talk.flush(each); });
    auto result = m.result();
    if (timed)
        result.add("latencies", timed->latency.count()).add_quantiles(timed->latency);
    result.print();
}

template <class Talk>
void run_open(settings const& s, loop& on, Talk& talk)
{
    std::uint64_t messages = 0;
    meter m(s, messages);
    open_loop schedule(s.rate, s.connections, m.now_ns());
    auto const turn = [&](std::int64_t wait_ns) {
        on.poll(
            [&](connection& each, std::span<char> bytes) {
                auto const came = talk.consume(each, bytes);
                if (came == 0)
                    return;
                if (came > each.in_flight)
                    throw std::runtime_error("more replies than requests");
                each.in_flight -= came;
                messages += came;
                schedule.answered(each.index, came, now_ns());
            },
            [&](connection& each) { talk.flush(each); }, wait_ns);
    };
    auto const send = [&](std::size_t connection, std::uint64_t count) {
        auto& each = on.connections[connection];
        each.in_flight += static_cast<std::uint32_t>(count);
        talk.send(each, count);
    };
    while (m.goes_on()) {
        if (m.measuring())
            schedule.measure(m.begin_ns(), m.end_ns());
        schedule.send_due(now_ns(), send);
        turn(schedule.next_due_ns() - now_ns());
    }
    auto result = m.result();
    schedule.send_due(now_ns(), send);  // what the last turn was too long for
    auto const in_time = messages;
    for (auto const deadline = now_seconds() + 5; schedule.unanswered() != 0 && now_seconds() < deadline;)
        turn(loop::usual_wait_ns);
    auto const unanswered = schedule.unanswered();
    if (unanswered != 0 && messages == in_time)
        throw std::runtime_error("after the last message nothing came for 5 s, and " + std::to_string(unanswered) +
                                 " are unanswered");
    schedule.give_up(now_ns());
    result.add("rate", s.rate, 3).add("sent_rate", static_cast<double>(schedule.sent_in_window()) / s.seconds, 3);
    result.add("latencies", schedule.latency.count()).add_quantiles(schedule.latency).add("unanswered", unanswered);
    result.add("late_p99_us", static_cast<double>(schedule.late.quantile(0.99)) * 1e-3, 3);
    result.add("late_max_us", static_cast<double>(schedule.late.max()) * 1e-3, 3).print();
}

template <class Talk>
void run_request_reply(settings const& s)
{
    loop on(s);
    Talk talk(s, on);
    on.open(s.connections);
    if (s.rate > 0)
        run_open(s, on, talk);
    else
        run_closed(s, on, talk);
}

}  // namespace load
