// What is said to a server that answers each message, and what it has to answer.
#pragma once

#include "loop.hpp"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <sys/socket.h>
#include <system_error>
#include <vector>

namespace load {

/// Messages that come back as they were.
class echo_talk {
public:
    echo_talk(settings const& s, loop& on)
        : payload_(make_payload("", s.bytes)), out_(s.op, payload_, s.rate > 0 ? 64 : s.in_flight),
          due_(s.op, payload_), loop_(on)
    {
    }
    void send(connection& to, std::uint64_t count) { loop_.send(to, out_, count); }
    void flush(connection& each) { loop_.flush(each, out_); }
    /// How many answers ended.
    std::uint32_t consume(connection& from, std::span<char> bytes)
    {
        return from.consume({bytes.data(), bytes.size()}, due_);
    }

private:
    std::string payload_;
    outgoing out_;
    incoming due_;
    loop& loop_;
};

/// Events of about 220 bytes with a number each, which the answer has to have, one higher.
class event_talk {
public:
    event_talk(settings const& s, loop& on) : of_(s.connections), loop_(on)
    {
        std::string const before =
            R"({"type":"tool_called","data":{"run_id":"run_7f3a91c2","tool":"read_file","step":)";
        std::string const after = R"(,"cost":0.0375,"cached":false,"used":{"in":1412,"out":96},)"
                                  R"("paths":["src/main.cpp","src/loop.cpp"],"note":")";
        auto const around = before.size() + digits + after.size() + 3;
        if (s.bytes < around)
            throw usage_error("--bytes must be " + std::to_string(around) + " or more for events");
        text_ = before + std::string(digits, '0') + after + make_prose(s.bytes - around) + "\"}}";
        digits_at_ = before.size();
    }
    void send(connection& to, std::uint64_t count)
    {
        of_[to.index].owed += count;
        write(to);
    }
    void flush(connection& each) { write(each); }
    std::uint32_t consume(connection& from, std::span<char> bytes)
    {
        std::uint32_t answers = 0;
        read_messages(from, bytes, [&](opcode op, std::span<char> payload, bool) {
            if (op != opcode::text)
                throw std::runtime_error("an answer is a binary message, due is JSON text");
            std::string_view const text{payload.data(), payload.size()};
            for (std::size_t at = 0; at < text.size();) {  // objects of one message, between line feeds
                auto const end = std::min(text.find('\n', at), text.size());
                take(of_[from.index], text.substr(at, end - at));
                at = end + 1;
                ++from.received;
                ++answers;
            }
        });
        return answers;
    }

private:
    static constexpr std::size_t digits = 7;
    static constexpr std::uint32_t first = 1'000'000, last = 9'999'998;  ///< always so many digits, also one higher

    struct progress {
        std::uint64_t owed = 0;  ///< to be sent, and not yet encoded
        std::uint32_t next = first;
        std::uint32_t expected = first + 1;
        std::string bytes;  ///< encoded, and not yet written
        std::size_t written = 0;
    };

    /// The number behind that one, in a count that begins at `from` and goes round.
    static std::uint32_t after(std::uint32_t number, std::uint32_t from)
    {
        return number == from + (last - first) ? from : number + 1;
    }

    /// Encodes a good write at a time, so that a server that does not read costs no memory.
    void write(connection& to)
    {
        progress& p = of_[to.index];
        bool const watched = to.wants_write;
        for (to.wants_write = false; !to.wants_write && (p.owed != 0 || p.written != p.bytes.size());) {
            if (p.written == p.bytes.size()) {
                p.bytes.clear();
                p.written = 0;
                for (; p.owed != 0 && p.bytes.size() < 64 * 1024; --p.owed) {
                    std::to_chars(text_.data() + digits_at_, text_.data() + digits_at_ + digits, p.next);
                    append_frame(p.bytes, pc::role::client, opcode::text, text_);
                    p.next = after(p.next, first);
                }
            }
            auto const sent = ::send(to.fd, p.bytes.data() + p.written, p.bytes.size() - p.written, MSG_NOSIGNAL);
            if (sent >= 0)
                p.written += static_cast<std::size_t>(sent);
            else if (errno == EAGAIN)
                to.wants_write = true;
            else
                throw std::system_error(errno, std::generic_category(), "send");
        }
        if (to.wants_write != watched)
            loop_.watch(to, to.wants_write);
    }
    static void take(progress& p, std::string_view answer)
    {
        constexpr std::string_view begins = R"({"type":"tool_completed")", key = R"("step":)";
        auto const wrong = [&](std::string const& what) {
            throw std::runtime_error(what + ": " + std::string(answer.substr(0, 300)));
        };
        if (!answer.starts_with(begins))
            wrong("an answer does not begin with " + std::string(begins));
        auto const at = answer.find(key, begins.size());
        std::uint32_t number = 0;
        if (at != answer.npos)
            std::from_chars(answer.data() + at + key.size(), answer.data() + answer.size(), number);
        if (number != p.expected)
            wrong("due is an answer with " + std::string(key) + std::to_string(p.expected));
        p.expected = after(p.expected, first + 1);
    }

    std::string text_;
    std::size_t digits_at_ = 0;
    std::vector<progress> of_;  ///< by connection
    loop& loop_;
};

}  // namespace load
