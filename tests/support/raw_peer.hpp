#pragma once

// The other end of a server's connection, with every byte in the test's hand: made of the protocol rooms, over any
// transport. It keeps what it receives; tests look at that.

#include <polycast/detail/byte_buffer.hpp>
#include <polycast/frame/mask.hpp>
#include <polycast/handshake/answer.hpp>
#include <polycast/handshake/client_upgrade.hpp>
#include <polycast/message/assembler.hpp>
#include <polycast/message/control.hpp>
#include <polycast/transport/policy.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace support {

namespace pc = polycast;

/// One frame as a client sends it.
inline std::string masked(pc::opcode op, std::string_view payload, bool fin = true, bool rsv1 = false)
{
    pc::masking_key const key = 0x1234'5678;
    std::string bytes(pc::max_header_bytes, '\0');
    bytes.resize(pc::encode_header(
        bytes.data(), {.op = op, .fin = fin, .rsv1 = rsv1, .masked = true, .key = key, .payload_bytes = payload.size()}));
    auto const header = bytes.size();
    bytes.resize(header + payload.size());
    pc::mask_copy(bytes.data() + header, payload, key);
    return bytes;
}

struct peer_options {
    std::string target = "/";
    std::vector<std::string> tokens{};
    pc::header_list headers{};
    std::string extensions{};    ///< offered; RSV1 is let through if the server agrees to any
    std::string request{};       ///< sent instead of an upgrade request, if not empty
    bool answers_close = true;   ///< with the same code, as RFC 6455 has it
    bool answers_pings = true;
    bool says_open = true;       ///< at once, where a polycast token was agreed; the answer is kept apart
    bool reads = true;
};

template <class Transport>
class raw_peer {
public:
    using clock = std::chrono::steady_clock;
    struct frame {
        pc::opcode op;
        std::string payload;
        clock::time_point at;
        bool rsv1 = false;
    };

    raw_peer(typename Transport::loop& loop, std::uint16_t port, peer_options o)
        : options(std::move(o)), loop_(loop), connector_(loop)
    {
        connector_.connect({"127.0.0.1", port}, [this](std::error_code ec, typename Transport::stream s) {
            if (ec) {
                broken = ec;
                ended = true;
                return;
            }
            stream_.emplace(std::move(s));
            if constexpr (Transport::secure)
                stream_->secure("127.0.0.1");
            connected = true;
            write_request();
            if (options.reads)
                wait();
            pump();
        });
    }
    raw_peer(raw_peer const&) = delete;

    peer_options options;

    // What came.
    bool connected = false;
    int status = 0;                  ///< of the HTTP answer; 101: upgraded
    pc::response answer{};
    std::string body{};              ///< behind an answer that is no upgrade
    std::string received{};          ///< every byte, as it came
    std::string hello{};             ///< the answer to `$open`, as it came
    std::vector<frame> frames{};     ///< data frames; a server fragments nothing
    std::vector<frame> pings{}, pongs{};
    std::optional<pc::close_code> closed_with{};
    std::string close_reason{};
    clock::time_point closed_at{};
    bool ended = false;              ///< end of stream, or reset
    std::error_code broken{};        ///< reset, or bytes that a server must not send

    /// Refused, or ready for events.
    [[nodiscard]] bool settled() const { return ended || closed_with || (status != 0 && !awaits_hello_); }
    [[nodiscard]] bool open() const { return status == 101 && !closed_with && !ended; }
    [[nodiscard]] std::string token() const { return std::string(answer.header("Sec-WebSocket-Protocol")); }

    // What to send.
    void write(std::string_view bytes)
    {
        out_.append(bytes);
        if (stream_)
            pump();
    }
    void text(std::string_view payload) { write(masked(pc::opcode::text, payload)); }
    void binary(std::string_view payload) { write(masked(pc::opcode::binary, payload)); }
    void ping(std::string_view payload) { write(masked(pc::opcode::ping, payload)); }
    void close(std::optional<pc::close_code> code = pc::close_code::normal, std::string_view reason = {})
    {
        write(pc::close_frame(code, reason, pc::masking_key{7}).view());
    }
    /// Ends the connection without a word.
    void drop()
    {
        ended = true;
        if (stream_)
            stream_->close();
    }
    void shut()
    {
        if (stream_)
            stream_->shutdown_send();
    }
    void read(bool on)
    {
        options.reads = on;
        if (on && stream_ && !waiting_)
            wait();
    }

private:
    struct sink {
        raw_peer& p;
        bool message(pc::opcode op, std::span<char> payload, bool rsv1)
        {
            if (std::exchange(p.awaits_hello_, false))
                p.hello.assign(payload.data(), payload.size());
            else
                p.frames.push_back(p.seen(op, payload, rsv1));
            return true;
        }
        bool ping(std::span<char> payload)
        {
            p.pings.push_back(p.seen(pc::opcode::ping, payload));
            if (p.options.answers_pings)
                p.write(masked(pc::opcode::pong, p.pings.back().payload));
            return true;
        }
        bool pong(std::span<char> payload)
        {
            p.pongs.push_back(p.seen(pc::opcode::pong, payload));
            return true;
        }
        void close(std::optional<pc::close_code> code, std::string_view reason) { p.came_close(code, reason); }
    };

    frame seen(pc::opcode op, std::span<char> payload, bool rsv1 = false)
    {
        return {op, {payload.data(), payload.size()}, loop_.now(), rsv1};
    }
    void came_close(std::optional<pc::close_code> code, std::string_view reason)
    {
        closed_with = code.value_or(pc::close_code::no_status);
        close_reason = reason;
        closed_at = loop_.now();
        if (options.answers_close)
            close(code);
    }
    void write_request()
    {
        if (!options.request.empty()) {
            out_.insert(0, options.request);
            return;
        }
        pc::client_offer offer;
        offer.host = "127.0.0.1";
        offer.target = options.target;
        std::ranges::copy(std::string_view("dGhlIHNhbXBsZSBub25jZQ=="), offer.key.begin());
        offer.subprotocols = options.tokens;
        offer.extensions = options.extensions;
        offer.headers = options.headers;
        std::string head;
        if (auto const ec = pc::make_request(offer, head))
            broken = ec;
        out_.insert(0, head);
    }
    void pump()
    {
        while (!out_.empty() && !blocked_ && !ended) {
            std::error_code ec;
            auto const n = stream_->write_some(std::span<char const>(out_), ec);
            out_.erase(0, n);
            if (!ec)
                continue;
            if (!pc::transport::would_block(ec))
                return out_.clear();  // what the other end still has to say can be read
            blocked_ = true;
            stream_->wait_writable([this](std::error_code) {
                blocked_ = false;
                pump();
            });
        }
    }
    void wait()
    {
        waiting_ = true;
        stream_->wait_readable([this](std::error_code ec) {
            waiting_ = false;
            if (!options.reads || ended)
                return;
            readable(ec);
        });
    }
    void readable(std::error_code ec)
    {
        static thread_local std::vector<char> buffer(64 * 1024);
        auto const n = ec ? 0 : stream_->read_some(buffer, ec);
        if (ec && !pc::transport::would_block(ec)) {
            ended = true;
            if (ec == std::errc::connection_reset)
                broken = ec;
            return stream_->close();
        }
        if (!ec)
            take({buffer.data(), n});
        wait();
    }
    void take(std::span<char> bytes)
    {
        received.append(bytes.data(), bytes.size());
        if (status == 101)
            return consume(bytes);
        if (status != 0) {
            body.append(bytes.data(), bytes.size());
            return;
        }
        auto parsed = pc::parse_response(received);
        if (parsed.status == pc::head_status::need_more)
            return;
        if (parsed.status == pc::head_status::error) {
            broken = parsed.error;
            status = -1;
            return;
        }
        status = parsed.value.status();
        answer = std::move(parsed.value);
        assembler_.set_compressed(!answer.header("Sec-WebSocket-Extensions").empty());
        std::string rest = received.substr(parsed.consumed_bytes);
        if (status != 101) {
            body = rest;
            return;
        }
        if (options.says_open && token().starts_with("polycast.v1.")) {
            awaits_hello_ = true;
            out_.insert(0, masked(pc::opcode::text, R"({"type":"$open"})"));
            pump();
        }
        consume(rest);
    }
    void consume(std::span<char> bytes)
    {
        sink to{*this};
        if (auto const ec = assembler_.consume(bytes, {}, to); ec && !broken)
            broken = ec;
    }

    typename Transport::loop& loop_;
    typename Transport::connector connector_;
    std::optional<typename Transport::stream> stream_{};
    std::string out_{};
    bool blocked_ = false;
    bool waiting_ = false;
    bool awaits_hello_ = false;
    pc::assembler<pc::role::client> assembler_{};
};

}  // namespace support
