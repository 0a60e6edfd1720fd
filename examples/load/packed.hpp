// Compressed deliveries: what stands in them, and how a server says that it compresses by zstd.
#pragma once

#include "connection.hpp"
#include "meter.hpp"

#include <polycast/compression/deflate.hpp>
#include <polycast/compression/dictionary.hpp>
#include <polycast/compression/zstd.hpp>
#include <polycast/detail/byte_buffer.hpp>
#include <polycast/handshake/answer.hpp>

#include <cstdint>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <sys/socket.h>
#include <system_error>
#include <unistd.h>
#include <vector>

namespace load {

/// Deliveries of one publish are compressed alike for every receiver. The first is decompressed and compared with what is
/// due; the others are compared with it as they are, which costs next to nothing. One that differs is decompressed too.
/// `decompress(to, from, most)` returns a `std::error_code`.
template <class Decompress>
class packed_deliveries {
public:
    packed_deliveries(std::size_t in_flight, incoming const& due, Decompress decompress)
        : due_(due), decompress_(std::move(decompress)), first_(in_flight)
    {
    }

    /// How many deliveries ended. `by_rsv1`: permessage-deflate, where a message may also travel as it is.
    std::uint32_t consume(connection& from, std::span<char> bytes, bool by_rsv1)
    {
        std::uint32_t ended = 0;
        read_messages(from, bytes, [&](opcode op, std::span<char> payload, bool rsv1) {
            std::string_view const content{payload.data(), payload.size()};
            auto& first = first_[from.received % first_.size()];
            if (by_rsv1 ? !rsv1 : op != opcode::binary)
                throw std::runtime_error("a delivery of " + std::to_string(content.size()) +
                                         " bytes came uncompressed (too small to gain? try --bytes 300)");
            if (first.number != from.received + 1 || first.bytes != content) {
                check(content);
                first.number = from.received + 1;
                first.bytes = content;
            }
            wire_bytes_ += content.size();
            ++deliveries_;
            ++from.received;
            ++ended;
        });
        return ended;
    }
    void add_to(report& result) const
    {
        result.add("wire_bytes", static_cast<double>(wire_bytes_) / static_cast<double>(deliveries_), 1);
        result.add("plain_bytes", std::uint64_t{due_.payload().size()});
        result.add("decompressed", decompressed_);
    }

private:
    struct message {
        std::uint64_t number = 0;  ///< from 1
        std::string bytes;
    };

    void check(std::string_view content)
    {
        inflated_.clear();
        if (auto const ec = decompress_(inflated_, content, due_.payload().size()))
            throw std::system_error(ec, "a delivery does not decompress to " + std::to_string(due_.payload().size()) +
                                            " bytes");
        if (inflated_.size() != due_.payload().size() || !due_.is_right(inflated_.view(), 0))
            throw std::runtime_error("a delivery decompresses to something else: " +
                                     std::string(inflated_.view().substr(0, 300)));
        ++decompressed_;
    }

    incoming const& due_;
    Decompress decompress_;
    std::vector<message> first_;  ///< by publish in flight
    pc::detail::byte_buffer inflated_;
    std::uint64_t wire_bytes_ = 0, deliveries_ = 0, decompressed_ = 0;
};

/// The zstd of the subprotocol (WIRE): one frame a message, with the dictionary that `$hello` named from then on.
class zstd_codec {
public:
    explicit zstd_codec(std::uint16_t port) : port_(port) {}

    std::string_view pack(std::string_view text)
    {
        packed_.clear();
        static_cast<void>(policy_.compress(1, packed_, text));
        return packed_.view();
    }
    std::span<char> unpack(std::span<char> payload)
    {
        unpacked_.clear();
        if (auto const ec = decompress(unpacked_, {payload.data(), payload.size()}, 1 << 20))
            throw std::system_error(ec, "a message");
        return {unpacked_.data(), unpacked_.size()};
    }
    std::error_code decompress(pc::detail::byte_buffer& to, std::string_view from, std::size_t most) const
    {
        return policy_.decompress(form_, to, from, most);
    }
    /// Fetches the dictionary that a `$hello` names, the first time.
    void learn(std::string_view id, std::string_view url)
    {
        if (id.empty() || policy_.dictionary().id == id)
            return;
        auto const fetched = fetch(url);
        if (auto const ec = policy_.learn(id, fetched))
            throw std::system_error(ec, "the dictionary at " + std::string(url) + ", " +
                                            std::to_string(fetched.size()) + " bytes");
        form_ = policy_.hello_form(1);
    }

private:
    /// What a GET finds there, on a connection of its own that the server closes.
    std::string fetch(std::string_view url) const
    {
        struct socket {
            int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
            ~socket() { ::close(fd); }
        } const to;
        timeval const patience{5, 0};
        setsockopt(to.fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
        auto const address = loopback(port_);
        auto const request = "GET " + std::string(url) + " HTTP/1.1\r\nHost: 127.0.0.1:" + std::to_string(port_) +
                             "\r\nConnection: close\r\n\r\n";
        if (::connect(to.fd, reinterpret_cast<sockaddr const*>(&address), sizeof address) != 0 ||
            ::send(to.fd, request.data(), request.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(request.size()))
            throw std::system_error(errno, std::generic_category(), "fetching " + std::string(url));
        std::string answer;
        char buffer[16 * 1024];
        for (ssize_t got;
             (got = ::recv(to.fd, buffer, sizeof buffer, 0)) > 0 && answer.size() < (std::size_t{4} << 20);)
            answer.append(buffer, static_cast<std::size_t>(got));
        auto const head = pc::parse_response(answer);
        if (head.status != pc::head_status::complete || head.value.status() != 200)
            throw std::runtime_error("the server names a dictionary at " + std::string(url) +
                                     " and answers a GET of it with: " + answer.substr(0, 300));
        return answer.substr(head.consumed_bytes);
    }

    std::uint16_t port_;
    pc::compression::zstd<3, pc::compression::dictionary::loaded> policy_;
    std::uint8_t form_ = 1;
    pc::detail::byte_buffer packed_, unpacked_;
};

}  // namespace load
