#pragma once

// A server whose every byte a test decides, made of the protocol rooms, in a simulated world or over TCP.

#include <polycast/handshake/request.hpp>
#include <polycast/handshake/upgrade.hpp>
#include <polycast/message/assembler.hpp>
#include <polycast/transport/simulated.hpp>

#include <boost/test/unit_test.hpp>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <type_traits>
#include <utility>
#include <vector>

namespace scripted {

namespace pc = polycast;
using sim = pc::transport::simulated;

inline std::string frame(std::string_view payload, pc::opcode op = pc::opcode::text, bool rsv1 = false)
{
    std::string bytes(pc::max_header_bytes, '\0');
    bytes.resize(pc::encode_header(bytes.data(), {.op = op, .rsv1 = rsv1, .payload_bytes = payload.size()}));
    return bytes.append(payload);
}

template <class Transport>
class basic_server;

template <class Transport>
class basic_connection {
public:
    explicit basic_connection(typename Transport::stream s, basic_server<Transport>& of) : stream_(std::move(s)), server_(of) { wait(); }

    pc::request asked;
    std::string token;
    bool upgraded = false;
    std::vector<std::string> messages;
    std::vector<pc::opcode> kinds;
    std::vector<bool> compressed;  ///< RSV1 of each message
    std::vector<std::string> pings, pongs;
    std::optional<pc::close_code> closed_with;
    std::string close_reason;
    std::error_code broken;
    bool ended = false;

    void write(std::string_view bytes)
    {
        std::error_code ec;
        (void)stream_.write_some(std::span<char const>(bytes), ec);
    }
    void text(std::string_view payload) { write(frame(payload)); }
    void end() { stream_.close(); }
    void pause_reading(bool on)
    {
        paused_ = on;
        if (!on && std::exchange(missed_, false))
            readable({});
    }

    // The assembler's sink.
    bool message(pc::opcode op, std::span<char> payload, bool rsv1)
    {
        compressed.push_back(rsv1);
        messages.emplace_back(payload.data(), payload.size());
        kinds.push_back(op);
        return true;
    }
    bool ping(std::span<char> payload)
    {
        pings.emplace_back(payload.data(), payload.size());
        write(pc::pong_frame(pings.back()).view());
        return true;
    }
    bool pong(std::span<char> payload)
    {
        pongs.emplace_back(payload.data(), payload.size());
        return true;
    }
    void close(std::optional<pc::close_code> code, std::string_view reason);

private:
    void wait()
    {
        stream_.wait_readable([this](std::error_code ec) {
            if (!paused_)
                readable(ec);
            else
                missed_ = true;
        });
    }
    void readable(std::error_code ec);
    void upgrade();

    bool paused_ = false;
    bool missed_ = false;
    typename Transport::stream stream_;
    basic_server<Transport>& server_;
    std::string head_;
    pc::assembler<pc::role::server> assembler_;
};

template <class Transport>
class basic_server {
public:
    using connection = basic_connection<Transport>;
    explicit basic_server(typename Transport::loop& loop) : acceptor_(loop)
    {
        std::error_code ec;
        acceptor_.listen({}, {}, ec);
        accept();
    }

    std::vector<std::string_view> tokens{"polycast.v1.json"};
    int refuse_with = 0;          ///< an HTTP status instead of 101
    bool wrong_accept = false;
    bool answers_close = true;
    std::string after_upgrade{};  ///< sent in the same write as the 101
    std::string extensions{};     ///< what the 101 says of them
    std::string before_answer{};  ///< sent before the 101
    std::optional<std::string> answers_get{};  ///< to a request that is no upgrade; without it there must be none
    std::vector<std::unique_ptr<connection>> connections;

    [[nodiscard]] std::string url(std::string_view target = "/") const
    {
        auto const host = std::is_same_v<Transport, sim> ? "ws://server:" : "ws://127.0.0.1:";
        return host + std::to_string(port()) + std::string(target);
    }
    [[nodiscard]] std::uint16_t port() const { return acceptor_.port(); }
    [[nodiscard]] connection& last() { return *connections.back(); }
    [[nodiscard]] std::vector<std::string> all_messages() const
    {
        std::vector<std::string> all;
        for (auto const& c : connections)
            all.insert(all.end(), c->messages.begin(), c->messages.end());
        return all;
    }

private:
    void accept()
    {
        acceptor_.accept([this](std::error_code ec, typename Transport::stream s) {
            if (ec)
                return;
            connections.push_back(std::make_unique<connection>(std::move(s), *this));
            accept();
        });
    }

    typename Transport::acceptor acceptor_;
};

struct own_loop {
    explicit own_loop(pc::transport::world& w) : loop(w) {}
    sim::loop loop;
};
class server : own_loop, public basic_server<sim> {
public:
    explicit server(pc::transport::world& w) : own_loop(w), basic_server<sim>(own_loop::loop) {}
};
using connection = basic_connection<sim>;

template <class Transport>
void basic_connection<Transport>::close(std::optional<pc::close_code> code, std::string_view reason)
{
    closed_with = code.value_or(pc::close_code::no_status);
    close_reason = reason;
    if (!server_.answers_close)
        return;
    write(pc::close_frame(code).view());
    stream_.shutdown_send();
}

template <class Transport>
void basic_connection<Transport>::readable(std::error_code ec)
{
    char buffer[4096];
    std::size_t const count = ec ? 0 : stream_.read_some(buffer, ec);
    if (ec && !pc::transport::would_block(ec)) {
        ended = true;
        return stream_.close();
    }
    if (!ec && !upgraded) {
        head_.append(buffer, count);
        upgrade();
    } else if (!ec) {
        broken = assembler_.consume({buffer, count}, {}, *this);
        BOOST_TEST(!broken);
    }
    wait();
}

template <class Transport>
void basic_connection<Transport>::upgrade()
{
    auto parsed = pc::parse_request(head_);
    if (parsed.status == pc::head_status::need_more)
        return;
    BOOST_REQUIRE((parsed.status == pc::head_status::complete));
    BOOST_TEST(parsed.consumed_bytes == head_.size());  // a client says nothing before it is answered
    asked = std::move(parsed.value);
    if (server_.answers_get && asked.header("Upgrade").empty())
        return write(*server_.answers_get);
    auto const checked = pc::check_upgrade(asked);
    BOOST_TEST(checked.accepted());
    if (server_.refuse_with != 0) {
        write(pc::encode_response({.status = server_.refuse_with}));
        return stream_.close();
    }
    upgraded = true;
    token = pc::choose_subprotocol(server_.tokens, asked);
    auto accept = checked.accept;
    if (server_.wrong_accept)
        accept[0] = accept[0] == 'A' ? 'B' : 'A';
    assembler_.set_compressed(!server_.extensions.empty());
    write(server_.before_answer + pc::switching_response(accept, token, server_.extensions) + server_.after_upgrade);
}

}  // namespace scripted
