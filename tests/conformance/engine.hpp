#pragma once

// Runs rows: delivers their bytes to an end under test in every way a network may, and judges what comes back.

#include "table.hpp"

#include "../support/stage.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <exception>
#include <functional>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <type_traits>
#include <utility>
#include <vector>

namespace rfc {

namespace pc = polycast;
using support::sim;
using support::tcp;
using namespace std::chrono_literals;

/// The test's end of a connection.
template <class Transport>
class wire_end : public std::enable_shared_from_this<wire_end<Transport>> {
public:
    wire_end(typename Transport::stream s, bool from_client) : stream_(std::move(s)), from_client_(from_client) {}

    /// Reads from now on. Apart from construction, as it needs a shared pointer.
    void begin() { wait(); }
    /// `most`: bytes a write.
    void write(std::string_view bytes, std::size_t most = ~std::size_t{0})
    {
        out_.erase(0, written_);
        written_ = 0;
        out_.append(bytes);
        most_ = most;
        pump();
    }
    void shut() { stream_.shutdown_send(); }
    void drop()
    {
        dropped_ = true;
        stream_.close();
    }

    std::string head{};      ///< of the HTTP message that came, the empty line included
    std::string received{};  ///< behind it, and not yet taken apart
    heard said{};
    bool frames = false;  ///< what comes behind the head is frames
    bool rsv1_allowed = false;
    std::function<std::string(std::string_view)> inflate{};  ///< what a message with RSV1 says
    bool ended = false;                                      ///< end of stream, or a reset
    bool reset = false;

    [[nodiscard]] bool over() const { return ended || !said.closes.empty() || !said.fault.empty(); }
    [[nodiscard]] int status() const { return head.size() < 12 ? 0 : std::atoi(head.c_str() + 9); }
    /// The first value of a field, and how often it is there.
    [[nodiscard]] std::string field(std::string_view name) const
    {
        auto const at = head.find("\r\n" + std::string(name) + ": ");
        if (at == std::string::npos)
            return {};
        auto const from = at + name.size() + 4;
        return head.substr(from, head.find('\r', from) - from);
    }
    [[nodiscard]] bool has_field(std::string_view name) const
    {
        return head.find("\r\n" + std::string(name) + ": ") != std::string::npos;
    }

    void inflate_messages()
    {
        for (message& m : said.messages)
            if (std::exchange(m.rsv1, false))
                m.payload = inflate(m.payload);
    }
    void take_apart()
    {
        if (head.empty()) {
            auto const end = received.find("\r\n\r\n");
            if (end == std::string::npos)
                return;
            head = received.substr(0, end + 4);
            received.erase(0, end + 4);
            frames = from_client_ || status() == 101;
        }
        if (frames && said.fault.empty())
            received.erase(0, said.take(received, from_client_, rsv1_allowed));
    }

private:
    void pump()
    {
        while (written_ < out_.size() && !blocked_ && !dropped_) {
            std::error_code ec;
            std::size_t const count = std::min(most_, out_.size() - written_);
            written_ += stream_.write_some(std::span<char const>(out_.data() + written_, count), ec);
            if (!ec)
                continue;
            if (!pc::transport::would_block(ec)) {
                written_ = out_.size();  // what the other end still has to say can be read
                return;
            }
            blocked_ = true;
            stream_.wait_writable([self = this->shared_from_this()](std::error_code) {
                self->blocked_ = false;
                self->pump();
            });
        }
    }
    void wait()
    {
        stream_.wait_readable([self = this->shared_from_this()](std::error_code ec) { self->readable(ec); });
    }
    void readable(std::error_code ec)
    {
        if (dropped_)
            return;
        static thread_local std::vector<char> buffer(256 * 1024);
        std::size_t const count = ec ? 0 : stream_.read_some(buffer, ec);
        if (ec && !pc::transport::would_block(ec)) {
            ended = true;
            reset = ec == std::errc::connection_reset;
            return;
        }
        if (count != 0) {
            received.append(buffer.data(), count);
            take_apart();
        }
        wait();
    }

    typename Transport::stream stream_;
    std::string out_{};
    std::size_t written_ = 0, most_ = 0;
    bool from_client_, blocked_ = false, dropped_ = false;
};

/// One way of delivering bytes: all at once, in two, or in pieces of a size.
struct delivery {
    std::size_t cut = 0;     ///< 0: not cut
    std::size_t pieces = 0;  ///< bytes each; 0: not in pieces
    [[nodiscard]] std::string name() const
    {
        return pieces != 0 ? "in pieces of " + std::to_string(pieces)
               : cut != 0  ? "cut behind " + std::to_string(cut)
                           : "whole";
    }
};

/// Whole, byte by byte, and over `simulated` cut at every place; where `tries` says less, at those near the `marks`.
template <class Transport>
std::vector<delivery> deliveries(std::size_t size, effort tries, std::vector<std::size_t> const& marks)
{
    std::vector<delivery> all{{}};
    if (tries == effort::whole_only) {
        if (size < 2'000'000)
            all.push_back({.pieces = 1021});
        return all;
    }
    constexpr bool simulated = std::is_same_v<Transport, sim>;
    if (size <= (simulated ? 70'000u : 2'000u))
        all.push_back({.pieces = 1});
    if (!simulated)
        return all;
    if (tries == effort::every_split && size <= 1'500) {
        for (std::size_t cut = 1; cut < size; ++cut)
            all.push_back({.cut = cut});
        return all;
    }
    std::vector<std::size_t> cuts;
    for (std::size_t i = 0; i < marks.size() && cuts.size() < 60; i += 1 + marks.size() / 30)
        for (std::size_t const beyond : {0u, 1u, 2u, 3u, 6u, 8u, 9u, 14u, 15u})
            cuts.push_back(marks[i] + beyond);
    for (std::size_t i = 1; i <= 8; ++i)
        cuts.push_back(size * i / 9);
    cuts.push_back(size - 1);
    std::ranges::sort(cuts);
    for (std::size_t i = 0; i < cuts.size(); ++i)
        if (cuts[i] != 0 && cuts[i] < size && (i == 0 || cuts[i] != cuts[i - 1]))
            all.push_back({.cut = cuts[i]});
    return all;
}

/// Hands over `bytes` as `how` says. Over `simulated` each piece arrives, and is dealt with, before the next is sent.
template <class Side>
void deliver(Side& side, wire_end<typename Side::transport>& end, std::string_view bytes, delivery how)
{
    if constexpr (std::is_same_v<typename Side::transport, sim>) {
        std::size_t const step = how.pieces != 0 ? how.pieces : how.cut != 0 ? how.cut : bytes.size();
        for (std::size_t at = 0; at < bytes.size();) {
            std::size_t const count =
                at != 0 && how.pieces == 0 ? bytes.size() - at : std::min(step, bytes.size() - at);
            end.write(bytes.substr(at, count));
            side.settle();
            at += count;
        }
        side.settle();
    } else {
        end.write(bytes, how.pieces != 0 ? how.pieces : ~std::size_t{0});
    }
}

inline std::string quoted(std::string_view bytes)
{
    return std::to_string(bytes.size()) + " bytes " + hex(bytes.substr(0, 24));
}
inline std::string compare(heard const& said, std::vector<message> const& messages, bool all)
{
    if (said.messages.size() > messages.size() || (all && said.messages.size() < messages.size()))
        return std::to_string(said.messages.size()) + " messages came back, not " + std::to_string(messages.size());
    for (std::size_t i = 0; i < said.messages.size(); ++i)
        if (!(said.messages[i] == messages[i]))
            return "message " + std::to_string(i) + " is " + quoted(said.messages[i].payload) + ", not " +
                   quoted(messages[i].payload);
    return {};
}
inline std::string compare_pongs(heard const& said, std::vector<std::string> const& pongs, bool all)
{
    if (said.pongs.size() > pongs.size() || (all && said.pongs.size() < pongs.size()))
        return std::to_string(said.pongs.size()) + " pongs came, not " + std::to_string(pongs.size());
    for (std::size_t i = 0; i < said.pongs.size(); ++i)
        if (said.pongs[i] != pongs[i])
            return "pong " + std::to_string(i) + " is " + quoted(said.pongs[i]);
    return {};
}
inline std::string name_of(heard const& said)
{
    return said.closes.empty() ? "nothing"
                               : "close " + std::to_string(said.closes[0].code) + " " + said.closes[0].reason;
}

/// How a connection is over: the close frame, and who ends the TCP connection (RFC 6455 §7.1.1: the server, at once; a
/// client waits for it). Empty if all is as it must be.
template <class Side, class End>
std::string judge_end(Side& side, End& end, int code)
{
    if (!side.until([&] { return !end.said.closes.empty() || end.ended || !end.said.fault.empty(); }))
        return "no close frame, and the connection is open";
    if (!end.said.fault.empty())
        return end.said.fault;
    if (end.said.closes.empty())
        return end.reset ? "reset without a close frame" : "ended without a close frame";
    if (end.said.closes[0].code != code)
        return "closed with " + name_of(end.said) + ", not " + std::to_string(code);
    if constexpr (Side::role == of_client) {
        side.settle();
        if (end.ended)
            return "the client ended the TCP connection before the server";
        end.shut();
    }
    if (!side.until([&] { return end.ended; }, 4s))
        return Side::role == of_client ? "the client does not end the TCP connection after the server"
                                       : "the server does not end the TCP connection";
    if (end.reset)
        return "the connection was reset";
    if (!end.said.fault.empty())
        return end.said.fault;
    return {};
}

template <class Side>
std::string attempt(Side& side, row const& r, std::string_view bytes, delivery how)
{
    auto const end = side.open(r.within);
    std::string fault;
    deliver(side, *end, bytes, how);
    bool const stays = r.closes_with == 0;
    if (stays && !side.until([&] {
            return end->over() ||
                   (end->said.messages.size() >= r.messages.size() && end->said.pongs.size() >= r.pongs.size());
        }))
        fault = "it took too long";
    if (r.waits)
        side.settle();
    if (stays && end->over())
        fault = "the connection is over: " + end->said.fault + " " + name_of(end->said);
    if (fault.empty() && !r.waits) {
        if (stays)
            end->write(encode(close_of(1000), side.role == of_server));
        fault = judge_end(side, *end, stays ? 1000 : r.closes_with);
    }
    // A client that fails may leave unsaid what it has queued; but its application has had the messages.
    bool const all = stays || Side::role == of_server;
    end->inflate_messages();
    if (fault.empty())
        fault = compare(end->said, r.messages, all);
    if (fault.empty())
        fault = compare_pongs(end->said, r.pongs, stays);
    end->drop();
    side.settle();
    auto const taken = side.finish();
    if (fault.empty() && taken && *taken != r.messages.size())
        fault = "the application had " + std::to_string(*taken) + " messages, not " + std::to_string(r.messages.size());
    return fault;
}

/// What `body()` says was wrong, or what it threw.
template <class Body>
std::string fault_of(Body body)
{
    try {
        return body();
    } catch (std::exception const& e) {
        return e.what();
    }
}

/// Runs a row in every delivery.
template <class Side>
void run(Side& side, row const& r)
{
    if ((r.roles & Side::role) == 0)
        return;
    std::string bytes;
    std::vector<std::size_t> marks;
    for (part const& p : r.sends) {
        marks.push_back(bytes.size());
        bytes += encode(p, Side::role == of_server);
    }
    int failed = 0;
    for (delivery const how : deliveries<typename Side::transport>(bytes.size(), r.tries, marks)) {
        std::string const fault = fault_of([&] { return attempt(side, r, bytes, how); });
        record(r.number, r.source, r.title, Side::where, how.name(), fault);
        failed += !fault.empty();
        if (failed == 3)
            break;  // each may have waited for long
    }
}

/// A row that is no mere bytes: `body(side)` says what was wrong.
template <class Side, class Body>
void run(Side& side, std::string_view number, std::string_view source, std::string_view title, Body body)
{
    std::string const fault = fault_of([&] { return std::string(body(side)); });
    side.finish();
    record(number, source, title, Side::where, "as told", fault);
}

}  // namespace rfc
