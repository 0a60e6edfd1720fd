#pragma once

// One connection of a reference client: bytes and frames, made of the protocol rooms. It reads as fast as it is told.

#include <polycast/frame/mask.hpp>
#include <polycast/handshake/answer.hpp>
#include <polycast/handshake/client_upgrade.hpp>
#include <polycast/message/assembler.hpp>
#include <polycast/message/control.hpp>
#include <polycast/transport/simulated.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace simulation {

namespace pc = polycast;
using sim = pc::transport::simulated;

/// `Owner` has `linked(token)`, `came(text)`, `heard()`, `closing(code)`, `lost()`. After `lost`, or `abandon`, nothing
/// more is called.
template <class Owner>
class link : public std::enable_shared_from_this<link<Owner>> {
public:
    link(Owner& owner, sim::loop& loop, std::string target, bool offers_token)
        : owner_(&owner), connector_(loop), pause_(loop), target_(std::move(target)), offers_(offers_token)
    {
    }
    std::size_t bytes_a_read = 64 * 1024;
    std::chrono::milliseconds between_reads{0};

    void connect(std::uint16_t port)
    {
        connector_.connect({"", port}, [self = this->shared_from_this()](std::error_code ec, sim::stream s) {
            if (!self->owner_)
                return;
            if (ec)
                return self->lose();
            self->stream_ = std::move(s);
            self->greet();
            self->wait();
        });
    }
    void text(std::string_view payload) { write(masked(pc::opcode::text, payload)); }
    void close(pc::close_code code) { write(pc::close_frame(code, {}, pc::masking_key{7}).view()); }
    /// Ends the connection without a word; the owner is not called any more.
    void abandon()
    {
        owner_ = nullptr;
        connector_.cancel();
        pause_.cancel();
        stream_.close();
    }
    void read(bool on)
    {
        if (std::exchange(reads_, on) != on && on && stream_.is_open() && !waiting_)
            wait();
    }
    [[nodiscard]] bool reads() const { return reads_; }

private:
    static std::string masked(pc::opcode op, std::string_view payload)
    {
        pc::masking_key const key = 0x1234'5678;
        std::string bytes(pc::max_header_bytes, '\0');
        bytes.resize(pc::encode_header(bytes.data(), {.op = op, .masked = true, .key = key, .payload_bytes = payload.size()}));
        auto const header = bytes.size();
        bytes.resize(header + payload.size());
        pc::mask_copy(bytes.data() + header, payload, key);
        return bytes;
    }
    struct sink {
        link& l;
        bool message(pc::opcode, std::span<char> payload, bool)
        {
            l.owner_->came({payload.data(), payload.size()});
            return l.owner_ != nullptr;
        }
        bool ping(std::span<char> payload)
        {
            l.write(masked(pc::opcode::pong, {payload.data(), payload.size()}));
            return true;
        }
        bool pong(std::span<char>) { return true; }
        void close(std::optional<pc::close_code> code, std::string_view)
        {
            l.owner_->closing(code.value_or(pc::close_code::no_status));
            if (l.owner_)
                l.close(code.value_or(pc::close_code::normal));
        }
    };

    void greet()
    {
        pc::client_offer offer;
        offer.host = "simulation";
        offer.target = target_;
        std::ranges::copy(std::string_view("dGhlIHNhbXBsZSBub25jZQ=="), offer.key.begin());
        if (offers_)
            offer.subprotocols = {"polycast.v1.json"};
        std::string head;
        static_cast<void>(pc::make_request(offer, head));
        write(head);
    }
    void write(std::string_view bytes)
    {
        out_.append(bytes);
        pump();
    }
    void pump()
    {
        while (!out_.empty() && !blocked_ && stream_.is_open()) {
            std::error_code ec;
            auto const n = stream_.write_some(std::span<char const>(out_), ec);
            out_.erase(0, n);
            if (!ec)
                continue;
            if (!pc::transport::would_block(ec))
                return out_.clear();  // what the other end still has to say can be read
            blocked_ = true;
            stream_.wait_writable([self = this->shared_from_this()](std::error_code) {
                self->blocked_ = false;
                if (self->owner_)
                    self->pump();
            });
        }
    }
    void wait()
    {
        waiting_ = true;
        stream_.wait_readable([self = this->shared_from_this()](std::error_code ec) {
            self->waiting_ = false;
            if (self->owner_ && self->reads_)
                self->readable(ec);
        });
    }
    void readable(std::error_code ec)
    {
        thread_local std::vector<char> buffer(64 * 1024);
        std::span<char> const into(buffer.data(), std::min(buffer.size(), bytes_a_read));
        auto const n = ec ? 0 : stream_.read_some(into, ec);
        if (ec && !pc::transport::would_block(ec))
            return lose();
        if (!ec) {
            owner_->heard();
            take(into.first(n));
        }
        if (!owner_ || waiting_)
            return;
        if (between_reads.count() == 0)
            return wait();
        waiting_ = true;
        pause_.start(between_reads, [self = this->shared_from_this()] {
            if (self->owner_)
                self->wait();
        });
    }
    void take(std::span<char> bytes)
    {
        if (open_)
            return consume(bytes);
        head_.append(bytes.data(), bytes.size());
        auto const parsed = pc::parse_response(head_);
        if (parsed.status == pc::head_status::need_more)
            return;
        if (parsed.status == pc::head_status::error || parsed.value.status() != 101)
            return lose();
        open_ = true;
        std::string rest = head_.substr(parsed.consumed_bytes);
        owner_->linked(!parsed.value.header("Sec-WebSocket-Protocol").empty());
        consume(rest);
    }
    void consume(std::span<char> bytes)
    {
        sink to{*this};
        if (!owner_)
            return;
        if (auto const ec = assembler_.consume(bytes, {}, to); ec && owner_)
            owner_->foul(ec.message());
    }
    void lose()
    {
        Owner* const told = std::exchange(owner_, nullptr);
        stream_.close();
        told->lost();
    }

    Owner* owner_;
    sim::connector connector_;
    sim::timer pause_;
    sim::stream stream_{};
    std::string target_, out_{}, head_{};
    pc::assembler<pc::role::client> assembler_{};
    bool offers_, open_ = false, reads_ = true, blocked_ = false, waiting_ = false;
};

}  // namespace simulation
