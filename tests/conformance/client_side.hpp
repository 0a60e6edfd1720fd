#pragma once

#include "engine.hpp"

#include <polycast/client.hpp>
#include <polycast/handshake/accept_key.hpp>

#include <boost/test/unit_test.hpp>

#include <chrono>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <type_traits>
#include <vector>

namespace rfc {

struct record_of_app {
    std::size_t taken = 0;
    std::vector<pc::close_info> closed{};
    std::vector<std::error_code> failed{};
};
/// Sends back what it gets; is told to close by a text `!close <code> <reason>`.
struct echo_client {
    record_of_app* r;
    void on(auto& session, pc::message const& m)
    {
        if (m.op == pc::opcode::text && m.payload.starts_with("!close "))
            return session.close(static_cast<pc::close_code>(std::stoi(std::string(m.payload.substr(7, 4)))),
                                 m.payload.substr(std::min<std::size_t>(12, m.payload.size())));
        ++r->taken;
        session.send(m.payload, m.op);
    }
    void closed(auto&, pc::close_info const& info) { r->closed.push_back(info); }
    void failed(std::error_code ec, unsigned, std::chrono::milliseconds) { r->failed.push_back(ec); }
};

/// The answer to a request that has this key.
inline std::string agrees(std::string_view key)
{
    auto const accept = pc::accept_key(key);
    return "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " +
           std::string(accept.data(), accept.size()) + "\r\n\r\n";
}

/// A client under test; the test is its server.
template <class App, class Transport, class... Policies>
struct client_side {
    using client = pc::client<App, Transport, Policies...>;
    using transport = Transport;
    using end_type = wire_end<transport>;
    static constexpr rfc::role role = of_client;
    static constexpr arena where = std::is_same_v<transport, sim> ? arena::client_simulated : arena::client_tcp;

    support::setting<transport> setting{};
    typename transport::loop& loop = setting.next_loop();
    typename transport::acceptor acceptor{loop};
    std::deque<std::shared_ptr<end_type>> arrived{};
    record_of_app seen{};
    std::optional<client> c{};
    std::string fields{};                     ///< answered as well
    std::function<void(end_type&)> opened{};  ///< told of each request that is agreed to

    client_side()
    {
        std::error_code ec;
        acceptor.listen({}, {}, ec);
        BOOST_REQUIRE(!ec);
        accept();
    }
    client_side(client_side const&) = delete;
    ~client_side()
    {
        c.reset();
        acceptor.close();
        settle();
    }
    static pc::client_options options_for(limits l)
    {
        pc::client_options o;
        o.reconnect = false;
        o.max_message_bytes = l == limits::wide ? 16 * 1024 * 1024 : 1000;
        o.max_queued_bytes = 64 * 1024 * 1024;
        o.max_queued_messages = 100'000;
        return o;
    }
    /// A connection of a new client, whose request has come. Throws if there is none.
    std::shared_ptr<end_type> connect(limits l = limits::wide)
    {
        auto o = options_for(l);
        o.url = "ws://127.0.0.1:" + std::to_string(acceptor.port()) + "/chat";
        seen = {};
        c.emplace(loop, std::move(o), App{&seen});
        c->start();
        until([&] { return !arrived.empty() && (!arrived[0]->head.empty() || arrived[0]->ended); });
        if (arrived.empty())
            throw std::runtime_error("no connection");
        auto end = arrived[0];
        arrived.pop_front();
        return end;
    }
    /// A connection whose handshake is done.
    std::shared_ptr<end_type> open(limits l = limits::wide)
    {
        auto end = connect(l);
        std::string answer = agrees(end->field("Sec-WebSocket-Key"));
        if (opened)
            opened(*end);
        end->write(answer.insert(answer.size() - 2, fields));
        if (!until([&] { return c->is_open() || end->ended; }) || end->ended)
            throw std::runtime_error("the handshake failed");
        return end;
    }
    template <class Predicate>
    bool until(Predicate done, std::chrono::milliseconds within = 20s)
    {
        return setting.until(done, within);
    }
    void settle()
    {
        if constexpr (std::is_same_v<transport, sim>)
            setting.world.run_until_idle();
        else
            loop.context().poll();
    }
    /// What the application had; the client is gone afterwards.
    std::optional<std::size_t> finish()
    {
        c.reset();
        settle();
        return seen.taken;
    }

private:
    void accept()
    {
        acceptor.accept([this](std::error_code ec, typename transport::stream s) {
            if (ec)
                return;
            arrived.push_back(std::make_shared<end_type>(std::move(s), true));
            arrived.back()->begin();
            accept();
        });
    }
};

}  // namespace rfc
