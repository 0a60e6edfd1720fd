// The mode in which connections are cut and come back to their sessions.
#pragma once

#include "loop.hpp"
#include "meter.hpp"
#include "protocol.hpp"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace load {

/// Receivers of numbered news. Each counts what it took, and says so when it comes back: nothing may be missing, nothing
/// may come twice. What the kernel had and the receiver had not read when it was cut is gone, as on a lost network.
class resume_mode {
public:
    explicit resume_mode(settings const& s)
        : settings_(s), loop_(s, json_token), what_(s.bytes, false), receivers_(s.connections)
    {
        if (what_.text.size() < digits)
            throw usage_error("--bytes must be " + std::to_string(s.bytes + digits - what_.text.size()) +
                              " or more for resume");
    }

    void run()
    {
        auto const as_it_is = [](std::string_view text) { return text; };
        auto const plain = [](opcode, std::span<char> payload, bool) { return payload; };
        loop_.open(settings_.connections);
        terms_ = enter_room(
            loop_, 0, settings_.connections, true, opcode::text, as_it_is, plain,
            [&](connection& each, pc::envelope const& said) { receivers_[each.index].session = said.session; });
        if (terms_.every == 0 || terms_.within_seconds == 0)
            throw std::runtime_error("`$hello` does not say how to acknowledge: is this a server at least once?");
        loop_.open(1);
        enter_room(loop_, settings_.connections, 1, false, opcode::text, as_it_is, plain,
                   [](connection&, pc::envelope const&) {});
        loop_.connections.back().received = 0;

        meter m(settings_, deliveries_);
        auto const begin = m.now_ns();
        while (m.goes_on()) {
            measuring_ = m.measuring();
            auto const seconds = static_cast<double>(m.now_ns() - begin) * 1e-9;
            while (static_cast<double>(published_) < seconds * settings_.rate)
                publish_next();
            for (; static_cast<double>(cuts_) < seconds * settings_.cuts; ++cuts_)
                cut_next();
            turn();
        }
        auto result = m.result();
        for (auto const deadline = now_seconds() + 10; behind() != 0; turn())
            if (now_seconds() > deadline)
                throw std::runtime_error(std::to_string(behind()) +
                                         " receivers did not get all that was published within 10 s" +
                                         (first_fault_.empty() ? "" : "; " + first_fault_));
        if (missing_ + twice_ != 0)
            throw std::runtime_error(std::to_string(missing_) + " events never came and " + std::to_string(twice_) +
                                     " came twice; the first: " + first_fault_);
        loop_.say_goodbye();
        result.add("cuts", cuts_).add("resumed", resumed_).add("missing", missing_).add("twice", twice_);
        result.add("latencies", back_.count()).add_quantiles(back_).add_quantiles(caught_up_, "caught_up_").print();
    }

private:
    static constexpr std::size_t digits = 10;

    struct receiver {
        std::string session;
        std::uint64_t last = 0;  ///< the number of the last news
        std::uint64_t catches_up_to = 0;
        std::int64_t cut_ns = 0;  ///< 0: it is here, and up to date
        bool away = false;        ///< no `$hello` since it was cut
    };

    void publish_next()
    {
        std::string number = std::to_string(++published_);
        number.insert(0, digits - number.size(), '0');
        auto text = what_.text;
        text.replace(0, digits, number);
        pending_ += make_client_frame(opcode::text, to_json(publish{text}));
    }
    /// One whose turn it is, unless none is here.
    void cut_next()
    {
        for (std::size_t tries = 0; tries < receivers_.size(); ++tries) {
            auto const index = next_cut_++ % receivers_.size();
            receiver& r = receivers_[index];
            if (r.cut_ns != 0)
                continue;
            connection& each = loop_.connections[index];
            auto const received = each.received;
            loop_.drop(each);
            r.cut_ns = now_ns();
            r.away = true;
            loop_.start(each);
            each.received = each.acknowledged = received;
            return;
        }
    }
    void turn()
    {
        write_pending();
        loop_.poll([&](connection& each, std::span<char> bytes) { read(each, bytes); }, [](connection&) {}, 1'000'000);
        for (connection* const each : loop_.just_opened)
            each->say(
                to_json(pc::control::open{.session = receivers_[each->index].session, .received = each->received}));
        auto const now = now_seconds();
        for (auto& each : loop_.connections) {
            if (each.open && each.owes_since != 0 && now - each.owes_since >= terms_.within_seconds)
                acknowledge(each);
            if (each.index < receivers_.size() && receivers_[each.index].away &&
                now_ns() - receivers_[each.index].cut_ns > std::int64_t{10} * 1'000'000'000)
                throw std::runtime_error("connection " + std::to_string(each.index + 1) +
                                         " was cut 10 s ago, and the server has not taken it back since");
        }
    }
    std::size_t behind() const
    {
        std::size_t count = 0;
        for (receiver const& r : receivers_)
            count += r.away || r.last < published_;
        return count;
    }
    /// What the socket does not take waits for the next turn.
    void write_pending()
    {
        auto const sent =
            pending_.empty() ? 0 : ::send(loop_.connections.back().fd, pending_.data(), pending_.size(), MSG_NOSIGNAL);
        if (sent < 0 && errno != EAGAIN)
            throw std::system_error(errno, std::generic_category(), "send (the publisher)");
        pending_.erase(0, sent < 0 ? 0 : static_cast<std::size_t>(sent));
        loop_.connections.back().wants_write = !pending_.empty();  // no pong in the middle of a frame
    }
    void read(connection& each, std::span<char> bytes)
    {
        if (each.index == receivers_.size())
            return read_messages(each, bytes, [](opcode, std::span<char> payload, bool) {
                throw std::runtime_error("the publisher was sent: " +
                                         std::string(payload.data(), std::min<std::size_t>(payload.size(), 300)));
            });
        receiver& r = receivers_[each.index];
        read_messages(each, bytes, [&](opcode, std::span<char> payload, bool) {
            read_events(
                payload, [&](pc::envelope const& said) { control(each, r, said); },
                [&](news const& e) { take(each, r, e); });
        });
        if (each.received - each.acknowledged >= terms_.every)
            acknowledge(each);
        else if (each.received != each.acknowledged && each.owes_since == 0)
            each.owes_since = now_seconds();
    }
    void control(connection&, receiver& r, pc::envelope const& said)
    {
        refuse_unexpected(said);
        if (said.type != "$hello" || !r.away)
            return;
        if (!said.resumed.value_or(false))
            throw std::runtime_error("the server did not resume session " + r.session +
                                     ": did it drop it, or restart?");
        r.away = false;
        ++resumed_;
        r.catches_up_to = published_;
        if (measuring_)
            back_.record(now_ns() - r.cut_ns);
        see_whether_caught_up(r);
    }
    void take(connection& each, receiver& r, news const& e)
    {
        std::uint64_t number = 0;
        auto const end = e.text.data() + std::min(digits, e.text.size());
        if (std::from_chars(e.text.data(), end, number).ptr != end ||
            e.text.substr(digits) != what_.text.substr(digits))
            throw std::runtime_error("`news` that nobody published: " + e.text.substr(0, 300));
        if (r.away)
            throw std::runtime_error("an event came before `$hello`");
        ++each.received;
        ++deliveries_;
        if (number <= r.last)
            fault(each, twice_, 1, number, r.last);
        else if (number != r.last + 1)
            fault(each, missing_, number - r.last - 1, number, r.last);
        r.last = std::max(r.last, number);
        see_whether_caught_up(r);
    }
    void see_whether_caught_up(receiver& r)
    {
        if (r.cut_ns == 0 || r.last < r.catches_up_to)
            return;
        if (measuring_)
            caught_up_.record(now_ns() - r.cut_ns);
        r.cut_ns = 0;
    }
    void fault(connection const& each, std::uint64_t& counter, std::uint64_t count, std::uint64_t number,
               std::uint64_t last)
    {
        counter += count;
        if (first_fault_.empty())
            first_fault_ = "connection " + std::to_string(each.index + 1) + " was sent number " +
                           std::to_string(number) + " after " + std::to_string(last);
    }
    static void acknowledge(connection& each)
    {
        each.acknowledged = each.received;
        each.owes_since = 0;
        each.say(ack_text(each.received));
    }

    settings const& settings_;
    loop loop_;
    publication what_;
    std::vector<receiver> receivers_;
    ack_terms terms_;
    std::string pending_;  ///< publishes that the socket has not taken
    std::uint64_t published_ = 0, deliveries_ = 0, cuts_ = 0, resumed_ = 0, missing_ = 0, twice_ = 0;
    std::size_t next_cut_ = 0;
    bool measuring_ = false;
    std::string first_fault_;
    histogram back_, caught_up_;
};

}  // namespace load
