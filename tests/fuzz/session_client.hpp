#pragma once

// A raw connection to the server of the session target. It writes what it is told and judges what comes.

#include <polycast/compression/deflate.hpp>
#include <polycast/compression/zstd.hpp>
#include <polycast/event/catalog.hpp>
#include <polycast/frame/mask.hpp>
#include <polycast/handshake/answer.hpp>
#include <polycast/message/assembler.hpp>
#include <polycast/message/control.hpp>
#include <polycast/serializer/json.hpp>
#include <polycast/transport/simulated.hpp>

#include "fuzz.hpp"

#include <map>
#include <optional>
#include <set>

namespace fuzz {

/// What a client asks of the application.
struct ask {
    std::uint8_t what = 0;
    std::uint32_t n = 0;
    std::string room{};
    std::string text{};
};
/// What the application says, and to whom: a connection, a user, or a room.
struct told {
    std::uint64_t to = 0;
    std::string user{};
    std::string room{};
    std::uint32_t n = 0;
    std::string text{};
};

inline std::string upgrade_request(std::string_view target, std::string_view token, bool deflates)
{
    std::string request = "GET " + std::string(target) + " HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\n"
                          "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                          "Sec-WebSocket-Version: 13\r\n";
    if (!token.empty())
        request += "Sec-WebSocket-Protocol: " + std::string(token) + "\r\n";
    if (deflates)
        request += "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n";
    return request + "\r\n";
}

/// A masked frame whose first byte, with its reserved bits and opcode, is as it is told.
inline std::string frame(std::uint8_t first, std::string_view payload)
{
    pc::masking_key const key = 0x1234'5678;
    std::string bytes(pc::max_header_bytes, '\0');
    bytes.resize(pc::encode_header(bytes.data(), {.masked = true, .key = key, .payload_bytes = payload.size()}));
    bytes[0] = static_cast<char>(first);
    auto const header = bytes.size();
    bytes.resize(header + payload.size());
    pc::mask_copy(bytes.data() + header, payload, key);
    return bytes;
}

class client {
public:
    using sim = pc::transport::simulated;
    using rooms = std::set<std::pair<std::uint64_t, std::string>>;

    client(sim::loop& loop, rooms const& let_in, std::uint8_t kind)
        : let_in_(let_in), connector_(loop), answers_((kind & 1) == 0), reads_((kind & 2) == 0)
    {
        connector_.connect({"h", 80}, [this](std::error_code ec, sim::stream s) {
            if (ec)
                return;
            stream_ = std::move(s);
            wait();
            pump();
        });
    }
    client(client const&) = delete;

    void write(std::string_view bytes)
    {
        if (ended_)
            return;
        out_.append(bytes);
        pump();
    }
    void say(ask const& a)
    {
        pc::detail::byte_buffer text;
        FUZZ_REQUIRE(!pc::serializer::json::encode(text, {}, a));
        if (token_.ends_with(".zstd")) {
            pc::detail::byte_buffer packed;
            FUZZ_REQUIRE(pc::compression::zstd<1>{}.compress(1, packed, text.view()));
            return write(frame(0x82, packed.view()));
        }
#if POLYCAST_WITH_ZLIB
        pc::detail::byte_buffer packed;
        if (deflates_ && deflate().compress(1, packed, text.view()))
            return write(frame(0xC1, packed.view()));
#endif
        write(frame(0x81, text.view()));
    }
    void drop()
    {
        ended_ = true;
        connector_.cancel();
        stream_.close();
    }
    void shut() { stream_.shutdown_send(); }
    void read(bool on)
    {
        reads_ = on;
        if (on && !waiting_)
            wait();
    }
    [[nodiscard]] bool reads() const noexcept { return reads_; }
    [[nodiscard]] std::size_t held_bytes() const noexcept
    {
        return out_.capacity() + head_.capacity() + assembler_.buffered_bytes() + 256 * last_.size() + 4096;
    }

    // --- for the assembler
    bool message(pc::opcode op, std::span<char> payload, bool rsv1)
    {
        pc::detail::byte_buffer out;
        FUZZ_REQUIRE(!rsv1 || deflates_);
#if POLYCAST_WITH_ZLIB
        if (rsv1) {
            FUZZ_REQUIRE(!deflate().decompress(1, out, {payload.data(), payload.size()}, 1 << 20));
            payload = {out.data(), out.size()};
            FUZZ_REQUIRE(pc::valid_utf8(out.view()));
        }
#endif
        if (token_.ends_with(".zstd")) {
            FUZZ_REQUIRE(op == pc::opcode::binary && !rsv1);
            FUZZ_REQUIRE(!pc::compression::zstd<1>{}.decompress(1, out, {payload.data(), payload.size()}, 1 << 20));
            pc::serializer::json::decode<pc::events<told>>(std::span(out.data(), out.size()), {}, *this);
        } else {
            FUZZ_REQUIRE(op == pc::opcode::text);
            pc::serializer::json::decode<pc::events<told>>(payload, {.utf8_checked = true}, *this);
        }
        return true;
    }
    bool ping(std::span<char> payload)
    {
        if (answers_)
            to_write_ += frame(0x8A, {payload.data(), payload.size()});
        return true;
    }
    bool pong(std::span<char>) { return true; }
    void close(std::optional<pc::close_code> code, std::string_view)
    {
        closed_ = true;
        if (answers_)
            to_write_ += pc::close_frame(code, {}, pc::masking_key{9}).view();
    }

    // --- for the decoder
    void event(pc::envelope const& e, told const& t)
    {
        FUZZ_REQUIRE(e.room == t.room);
        if (t.text == "welcome" && t.room.empty() && !handle_) {
            handle_ = t.to;
            user_ = t.user;
            for (auto const& user : early_)
                FUZZ_REQUIRE(user == user_);
        } else if (!t.room.empty()) {
            FUZZ_REQUIRE(handle_ && let_in_.contains({*handle_, t.room}));
        } else if (t.to != 0) {
            FUZZ_REQUIRE(handle_ && t.to == *handle_);
        } else if (handle_) {
            FUZZ_REQUIRE(!t.user.empty() && t.user == user_);
        } else {
            early_.push_back(t.user);  // posted to the user before the connection was welcomed
        }
        // What is said to one audience arrives in the order in which it was said.
        auto& last = last_[t.room + "#" + std::to_string(t.to)];
        FUZZ_REQUIRE(t.n > last);
        last = t.n;
    }
    void control(pc::envelope const& e)
    {
        FUZZ_REQUIRE(e.type == "$hello" || e.type == "$ok" || e.type == "$error" || e.type == "$pong" || e.type == "$bye");
    }
    void unknown(pc::envelope const&) { FUZZ_REQUIRE(false && "the server sends what it cannot mean"); }
    void error(pc::envelope const&, pc::decode_error const&) { FUZZ_REQUIRE(false && "the server sends no JSON"); }

private:
#if POLYCAST_WITH_ZLIB
    static pc::compression::deflate<pc::compression::shared> deflate()
    {
        return pc::compression::deflate<pc::compression::shared>(pc::compression::options{});
    }
#endif
    void pump()
    {
        while (!out_.empty() && !blocked_ && !ended_ && stream_.is_open()) {
            std::error_code ec;
            out_.erase(0, stream_.write_some(std::span<char const>(out_), ec));
            if (!ec)
                continue;
            if (!pc::transport::would_block(ec))
                return out_.clear();
            blocked_ = true;
            stream_.wait_writable([this](std::error_code) {
                blocked_ = false;
                pump();
            });
        }
    }
    void wait()
    {
        if (!stream_.is_open() || !reads_)
            return;
        waiting_ = true;
        stream_.wait_readable([this](std::error_code ec) {
            waiting_ = false;
            if (ended_ || ec)
                return;
            char buffer[2048];
            auto const n = stream_.read_some(buffer, ec);
            if (ec && !pc::transport::would_block(ec))
                return drop();
            take({buffer, n});
            wait();
        });
    }
    void take(std::span<char> bytes)
    {
        if (status_ == 0) {
            head_.append(bytes.data(), bytes.size());
            auto const parsed = pc::parse_response(head_);
            FUZZ_REQUIRE(parsed.status != pc::head_status::error);
            if (parsed.status == pc::head_status::need_more)
                return;
            status_ = parsed.value.status();
            token_ = parsed.value.header("Sec-WebSocket-Protocol");
            deflates_ = parsed.value.count("Sec-WebSocket-Extensions") != 0;
            FUZZ_REQUIRE(!deflates_ || parsed.value.header("Sec-WebSocket-Extensions").starts_with("permessage-deflate"));
            assembler_.set_compressed(deflates_);
            std::string rest = head_.substr(parsed.consumed_bytes);
            head_ = {};
            return status_ == 101 ? frames(rest) : void();
        }
        if (status_ == 101)
            frames(bytes);
    }
    void frames(std::span<char> bytes)
    {
        // Byte by byte, to see that nothing follows a close frame.
        for (char& byte : bytes) {
            FUZZ_REQUIRE(!closed_);
            FUZZ_REQUIRE(!assembler_.consume({&byte, 1}, {}, *this));
        }
        if (!to_write_.empty())
            write(std::exchange(to_write_, {}));
    }

    rooms const& let_in_;
    sim::connector connector_;
    sim::stream stream_{};
    std::string out_{}, to_write_{}, head_{};
    bool const answers_;
    bool reads_, blocked_ = false, waiting_ = false, ended_ = false, closed_ = false, deflates_ = false;
    int status_ = 0;
    std::string token_{}, user_{};
    std::optional<std::uint64_t> handle_{};
    std::vector<std::string> early_{};
    std::map<std::string, std::uint32_t> last_{};
    pc::assembler<pc::role::client> assembler_{};
};

}  // namespace fuzz
