// When messages are to be sent, and from when on the wait for their answers counts. Without sockets and without a clock.
#pragma once

#include "histogram.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace load {

/// So many messages a second, whatever becomes of those before: message k is due k/rate after the beginning, on
/// connection k modulo their number. Its latency counts from when it was due, not from when it was sent: a server that
/// stalls is charged for every message that should have been on its way meanwhile, also where it kept the generator from
/// sending it ("coordinated omission"). Answers come in order on each connection, so nothing is stored per message.
class open_loop {
public:
    open_loop(double per_second, std::size_t connections, std::int64_t begin_ns)
        : period_ns_(1e9 / per_second), begin_ns_(begin_ns), answered_(connections)
    {
    }

    /// Only what is due in this time goes into the histogram. Without a call: nothing does.
    void measure(std::int64_t from_ns, std::int64_t until_ns)
    {
        from_ns_ = from_ns;
        until_ns_ = until_ns;
    }
    std::int64_t next_due_ns() const { return due_ns(sent_); }

    /// Calls `send(connection, messages)` for all that is due by now.
    template <class Send>
    void send_due(std::int64_t now_ns, Send&& send)
    {
        auto const first = sent_;
        auto const connections = answered_.size();
        for (; due_ns(sent_) <= now_ns; ++sent_)
            if (in_window(due_ns(sent_))) {
                late.record(now_ns - due_ns(sent_));
                ++sent_in_window_;
            }
        auto const count = sent_ - first;
        for (std::uint64_t i = 0; i < std::min<std::uint64_t>(count, connections); ++i)
            send(static_cast<std::size_t>((first + i) % connections), (count - i + connections - 1) / connections);
    }
    /// The next `count` answers on that connection are there.
    void answered(std::size_t connection, std::uint64_t count, std::int64_t now_ns)
    {
        for (; count > 0; --count) {
            auto const due = due_ns(answered_[connection]++ * answered_.size() + connection);
            ++answered_in_all_;
            if (in_window(due))
                latency.record(now_ns - due);
        }
    }
    /// Sent and not answered.
    std::uint64_t unanswered() const { return sent_ - answered_in_all_; }
    /// Of the time that is measured.
    std::uint64_t sent_in_window() const { return sent_in_window_; }
    /// What is still unanswered has waited at least until now. Leaving it out would hide the worst.
    void give_up(std::int64_t now_ns)
    {
        for (std::size_t connection = 0; connection < answered_.size(); ++connection)
            while (answered_[connection] * answered_.size() + connection < sent_)
                answered(connection, 1, now_ns);
    }

    histogram latency;
    histogram late;  ///< how much later than due messages were handed to the socket: the generator's own fault

private:
    std::int64_t due_ns(std::uint64_t message) const
    {
        return begin_ns_ + static_cast<std::int64_t>(static_cast<double>(message) * period_ns_);
    }
    bool in_window(std::int64_t due) const { return due >= from_ns_ && due < until_ns_; }

    double period_ns_;
    std::int64_t begin_ns_, from_ns_ = 0, until_ns_ = 0;
    std::uint64_t sent_ = 0, sent_in_window_ = 0, answered_in_all_ = 0;
    std::vector<std::uint64_t> answered_;  ///< by connection
};

/// So many messages in flight on each connection: the next is due when an answer is there, and its latency counts from
/// when it was sent.
class closed_loop {
public:
    closed_loop(std::size_t in_flight, std::size_t connections)
        : in_flight_(in_flight), sent_at_ns_(in_flight * connections), sent_(connections), answered_(connections)
    {
    }
    void sent(std::size_t connection, std::uint64_t count, std::int64_t now_ns)
    {
        for (; count > 0; --count)
            at(connection, sent_[connection]++) = now_ns;
    }
    void answered(std::size_t connection, std::uint64_t count, std::int64_t now_ns, bool measuring)
    {
        for (; count > 0; --count) {
            auto const sent_ns = at(connection, answered_[connection]++);
            if (measuring)
                latency.record(now_ns - sent_ns);
        }
    }

    histogram latency;

private:
    std::int64_t& at(std::size_t connection, std::uint64_t message)
    {
        return sent_at_ns_[connection * in_flight_ + message % in_flight_];
    }

    std::size_t in_flight_;
    std::vector<std::int64_t> sent_at_ns_;
    std::vector<std::uint64_t> sent_, answered_;  ///< by connection
};

}  // namespace load
