#pragma once

#include "engine.hpp"

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <system_error>
#include <type_traits>

namespace rfc {

inline std::string const asks =
    "GET /chat HTTP/1.1\r\nHost: server.example.com\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";

inline pc::server_options options_for(limits l)
{
    pc::server_options o;
    o.max_connections = 0;
    o.max_message_bytes = l == limits::wide ? 16 * 1024 * 1024 : 1000;
    o.max_frame_bytes = l == limits::wide ? 0 : 500;
    o.max_fragments = l == limits::wide ? 65'536 : 8;
    o.max_outbox_bytes = 64 * 1024 * 1024;
    return o;
}

/// A server under test; the test's ends are its clients.
template <class Server>
struct server_side {
    using server = Server;
    using transport = typename Server::transport;
    using end_type = wire_end<transport>;
    static constexpr rfc::role role = of_server;
    static constexpr arena where = std::is_same_v<transport, sim> ? arena::server_simulated : arena::server_tcp;

    support::stage<server> wide{options_for(limits::wide)}, narrow{options_for(limits::narrow)};
    support::stage<server>* on = &wide;
    std::optional<typename transport::connector> connector{};
    std::string fields{};                     ///< asked for as well
    std::function<void(end_type&)> opened{};  ///< told of each handshake that was agreed to

    /// A connection, with nothing sent. Throws if there is none.
    std::shared_ptr<end_type> connect(limits l = limits::wide)
    {
        on = l == limits::wide ? &wide : &narrow;
        std::shared_ptr<end_type> end;
        connector.emplace(loop());
        connector->connect({"127.0.0.1", on->server->port()}, [&](std::error_code ec, typename transport::stream s) {
            if (!ec) {
                end = std::make_shared<end_type>(std::move(s), false);
                end->begin();
            }
        });
        until([&] { return end != nullptr; });
        return end ? end : throw std::runtime_error("no connection");
    }
    /// A connection whose handshake is done.
    std::shared_ptr<end_type> open(limits l = limits::wide)
    {
        auto end = connect(l);
        std::string request = asks;
        end->write(request.insert(request.size() - 2, fields));
        until([&] { return end->ended || !end->head.empty(); });
        if (end->status() != 101)
            throw std::runtime_error("the handshake failed");
        if (opened)
            opened(*end);
        return end;
    }
    template <class Predicate>
    bool until(Predicate done, std::chrono::milliseconds within = 20s)
    {
        return on->until(done, within);
    }
    void settle()
    {
        if constexpr (std::is_same_v<transport, sim>)
            on->world.run_until_idle();
        else
            loop().context().poll();
    }
    std::optional<std::size_t> finish() { return {}; }

private:
    typename transport::loop& loop()
    {
        auto& l = on == &wide ? wide_loop_ : narrow_loop_;
        if (l == nullptr)
            l = &on->next_loop();
        return *l;
    }
    typename transport::loop *wide_loop_ = nullptr, *narrow_loop_ = nullptr;
};

}  // namespace rfc
