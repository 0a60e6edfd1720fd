// The echo protocol on websocketpp: one thread, no locks, no logging.

#include <websocketpp/config/asio_no_tls.hpp>
#include <websocketpp/server.hpp>

#include <websocketpp/concurrency/none.hpp>
#include <websocketpp/logger/stub.hpp>

#include <cstdio>
#include <cstdlib>
#include <set>
#include <string_view>

struct lean : websocketpp::config::asio {
    using type = lean;
    using concurrency_type = websocketpp::concurrency::none;
    using alog_type = websocketpp::log::stub;
    using elog_type = websocketpp::log::stub;
    static bool const enable_multithreading = false;
    struct transport_config : websocketpp::config::asio::transport_config {
        using concurrency_type = lean::concurrency_type;
        using alog_type = lean::alog_type;
        using elog_type = lean::elog_type;
        static bool const enable_multithreading = false;
    };
    using transport_type = websocketpp::transport::asio::endpoint<transport_config>;
    static size_t const max_message_size = 64 * 1024 * 1024;
};

using server_type = websocketpp::server<lean>;
using websocketpp::connection_hdl;

int main(int argc, char** argv)
{
    unsigned short port = 0;
    for (int i = 1; i + 1 < argc; ++i)
        if (std::string_view(argv[i]) == "--port")
            port = static_cast<unsigned short>(std::atoi(argv[i + 1]));

    server_type server;
    std::set<connection_hdl, std::owner_less<connection_hdl>> room;
    server.init_asio();
    server.set_reuse_addr(true);
    server.set_listen_backlog(1024);
    server.set_tcp_post_init_handler([&](connection_hdl who) {
        websocketpp::lib::asio::error_code ignored;
        server.get_con_from_hdl(who)->get_raw_socket().set_option(websocketpp::lib::asio::ip::tcp::no_delay(true), ignored);
    });
    server.set_close_handler([&](connection_hdl who) { room.erase(who); });
    server.set_fail_handler([&](connection_hdl who) { room.erase(who); });
    server.set_message_handler([&](connection_hdl who, server_type::message_ptr message) {
        websocketpp::lib::error_code ignored;
        auto const& payload = message->get_payload();
        bool const text = message->get_opcode() == websocketpp::frame::opcode::text;
        if (text && payload.compare(0, 3, "pub") == 0) {
            for (auto const& each : room)
                server.send(each, payload, websocketpp::frame::opcode::text, ignored);
        } else if (text && payload.compare(0, 3, "sub") == 0) {
            room.insert(who);
            server.send(who, "ok", websocketpp::frame::opcode::text, ignored);
        } else {
            server.send(who, payload, message->get_opcode(), ignored);
        }
    });
    websocketpp::lib::asio::signal_set signals(server.get_io_service(), SIGTERM, SIGINT);
    signals.async_wait([&](websocketpp::lib::asio::error_code, int) { server.stop(); });
    server.listen(websocketpp::lib::asio::ip::tcp::endpoint(websocketpp::lib::asio::ip::address_v4::loopback(), port));
    server.start_accept();
    websocketpp::lib::asio::error_code ec;
    std::printf("listening on 127.0.0.1:%u\n", server.get_local_endpoint(ec).port());
    std::fflush(stdout);
    server.run();
    std::_Exit(0);  // sessions that are still open go with the process
}
