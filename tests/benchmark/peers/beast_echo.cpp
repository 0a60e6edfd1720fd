// The echo protocol on Boost.Beast: one thread, the concrete executor (the default one is type-erased and slower),
// no fragmenting of replies, one shared buffer for a broadcast. `--deflate`: with permessage-deflate.

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/websocket.hpp>

#include <cstdio>
#include <cstdlib>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_set>

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace websocket = beast::websocket;
using boost::system::error_code;
using tcp = asio::ip::tcp;
using executor = asio::io_context::executor_type;
using tcp_socket = asio::basic_stream_socket<tcp, executor>;
using tcp_acceptor = asio::basic_socket_acceptor<tcp, executor>;

class session;
static std::unordered_set<session*> room;
static bool deflates = false;

struct outgoing {
    std::shared_ptr<std::string const> payload;
    bool text;
};

class session : public std::enable_shared_from_this<session> {
public:
    explicit session(tcp_socket socket) : stream_(std::move(socket)) {}
    ~session() { room.erase(this); }

    void start()
    {
        stream_.auto_fragment(false);
        stream_.read_message_max(64 * 1024 * 1024);
        if (deflates) {
            websocket::permessage_deflate terms;
            terms.server_enable = true;
            terms.server_no_context_takeover = true;  // a broadcast does not need 1,000 windows
            stream_.set_option(terms);
        }
        stream_.async_accept([self = shared_from_this()](error_code ec) {
            if (!ec)
                self->read();
        });
    }

    void queue(outgoing message)
    {
        queue_.push_back(std::move(message));
        if (queue_.size() == 1)
            write_queued();
    }

private:
    void read()
    {
        stream_.async_read(buffer_, [self = shared_from_this()](error_code ec, std::size_t) {
            if (!ec)
                self->received();
        });
    }

    void received()
    {
        std::string_view const payload(static_cast<char const*>(buffer_.cdata().data()), buffer_.size());
        if (stream_.got_text() && payload.starts_with("pub")) {
            auto const shared = std::make_shared<std::string const>(payload);
            for (auto* each : room)
                each->queue({shared, true});
            buffer_.consume(buffer_.size());
            return read();
        }
        if (stream_.got_text() && payload.starts_with("sub")) {
            room.insert(this);
            queue({std::make_shared<std::string const>("ok"), true});
            buffer_.consume(buffer_.size());
            return read();
        }
        // Replies from the buffer it read into: no copy, and no next read before the reply is out, as in Beast's own
        // examples. Not queued, so a client that joins a room has no echo under way.
        stream_.text(stream_.got_text());
        stream_.async_write(buffer_.cdata(), [self = shared_from_this()](error_code ec, std::size_t) {
            if (ec)
                return;
            self->buffer_.consume(self->buffer_.size());
            self->read();
        });
    }

    void write_queued()
    {
        stream_.text(queue_.front().text);
        stream_.async_write(asio::buffer(*queue_.front().payload), [self = shared_from_this()](error_code ec, std::size_t) {
            if (ec)
                return;
            self->queue_.pop_front();
            if (!self->queue_.empty())
                self->write_queued();
        });
    }

    websocket::stream<tcp_socket> stream_;
    beast::flat_buffer buffer_;
    std::deque<outgoing> queue_;
};

static void accept(tcp_acceptor& acceptor)
{
    acceptor.async_accept([&acceptor](error_code ec, tcp_socket socket) {
        if (!ec) {
            socket.set_option(tcp::no_delay(true), ec);
            std::make_shared<session>(std::move(socket))->start();
        }
        if (acceptor.is_open())
            accept(acceptor);
    });
}

int main(int argc, char** argv)
{
    unsigned short port = 0;
    for (int i = 1; i < argc; ++i)
        if (std::string_view(argv[i]) == "--deflate")
            deflates = true;
        else if (std::string_view(argv[i]) == "--port" && i + 1 < argc)
            port = static_cast<unsigned short>(std::atoi(argv[++i]));
    asio::io_context io(1);
    asio::basic_signal_set<executor> signals(io.get_executor(), SIGTERM, SIGINT);
    signals.async_wait([&io](error_code, int) { io.stop(); });
    tcp_acceptor acceptor(io.get_executor(), {asio::ip::address_v4::loopback(), port});
    accept(acceptor);
    std::printf("listening on 127.0.0.1:%u\n", acceptor.local_endpoint().port());
    std::fflush(stdout);
    io.run();
    std::_Exit(0);  // sessions that are still open go with the process
}
