#pragma once

#include <polycast/compression/policy.hpp>
#include <polycast/frame/close_code.hpp>
#include <polycast/frame/opcode.hpp>
#include <polycast/handshake/answer.hpp>
#include <polycast/handshake/tunnel.hpp>
#include <polycast/transport/policy.hpp>

#include <array>
#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace polycast::inline v0::detail {

/// Fetches the dictionary that `$hello` named, by a GET on a connection of its own, the way the first was made. Meanwhile
/// the client's connection is not read, and what was read of it already is kept here.
template <class Link>
class client_dictionary {
public:
    explicit client_dictionary(Link& link) : link_(link), connector_(link.loop_), deadline_(link.loop_) {}

    /// `url`: a path on the server that named it; another server is not asked.
    void fetch(std::string_view id, std::string_view url)
    {
        if (!url.starts_with('/') || url.starts_with("//") || !is_target(url))
            return failed();
        id_ = id;
        url_ = url;
        fetching_ = true;
        deadline_.start(link_.options_.connect_timeout,
                        link_.bound([](Link& self) { self.dictionary_.failed(); }));
        auto const& proxy = link_.attempts_.opening().proxy();
        tunnelling_ = proxy.has_value();
        connector_.connect(proxy ? polycast::transport::endpoint{proxy->host, proxy->port}
                                 : polycast::transport::endpoint{link_.url_->host, link_.url_->port},
                           link_.bound([](Link& self, std::error_code ec, stream&& connected) {
                               self.dictionary_.connected(ec, std::move(connected));
                           }));
    }
    [[nodiscard]] bool fetching() const noexcept { return fetching_; }
    /// A message that came behind `$hello`: what one read brings, at most.
    void keep(opcode op, std::span<char const> payload, bool rsv1)
    {
        kept_.push_back({op, rsv1, std::string(payload.data(), payload.size())});
    }
    void keep_close(std::optional<close_code> code, std::string_view reason) { kept_close_ = farewell{code, std::string(reason)}; }
    /// The connection closes, and hands nothing on any more: it is read for the server's close frame. True if that is
    /// here already.
    bool give_up()
    {
        bool const closed = kept_close_.has_value();
        cancel();
        link_.reading_.resume();
        return closed;
    }
    void cancel()
    {
        fetching_ = false;
        deadline_.cancel();
        connector_.cancel();
        stream_.reset();
        kept_.clear();
        kept_close_.reset();
        to_send_.clear();
        answer_.clear();
    }

private:
    using transport = typename Link::transport;
    using stream = typename Link::stream;
    struct message {
        opcode op;
        bool rsv1;
        std::string payload;
    };
    struct farewell {
        std::optional<close_code> code;
        std::string reason;
    };

    void connected(std::error_code ec, stream&& connected)
    {
        if (ec)
            return failed();
        stream_.emplace(std::move(connected));
        if (tunnelling_)
            to_send_ = make_tunnel_request(link_.url_->host, link_.url_->port,
                                           link_.attempts_.opening().proxy()->credentials);
        else
            ask();
        write();
        if (stream_)
            wait();
    }
    void ask()
    {
        if constexpr (transport::secure)
            stream_->secure(link_.url_->host);
        to_send_ = "GET " + url_ + " HTTP/1.1\r\n";
        append_field(to_send_, "Host", link_.url_->authority);
        append_field(to_send_, "Connection", "close");
        for (auto const& [name, value] : link_.options_.headers)
            append_field(to_send_, name, value);
        if (!link_.options_.token.empty())
            append_field(to_send_, "Authorization", "Bearer " + link_.options_.token);
        to_send_ += "\r\n";
    }
    void write()
    {
        while (stream_ && !to_send_.empty()) {
            std::error_code ec;
            to_send_.erase(0, stream_->write_some(std::span<char const>(to_send_), ec));
            if (!ec)
                continue;
            if (!polycast::transport::would_block(ec))
                return failed();
            return stream_->wait_writable(link_.bound([](Link& self, std::error_code) { self.dictionary_.write(); }));
        }
    }
    void wait()
    {
        stream_->wait_readable(link_.bound([](Link& self, std::error_code ec) { self.dictionary_.readable(ec); }));
    }
    void readable(std::error_code ec)
    {
        if (!stream_)
            return;
        std::array<char, 16 * 1024> buffer;
        std::size_t const count = ec ? 0 : stream_->read_some(buffer, ec);
        if (ec && !polycast::transport::would_block(ec))
            return failed();  // a whole answer has been acted on before its end
        answer_.append(buffer.data(), count);
        if (count != 0) {
            link_.heart_.heard();
            received();
        }
        if (stream_)
            wait();
    }
    void received()
    {
        if (tunnelling_) {
            tunnel_answer const tunnel = read_tunnel_answer(answer_);
            if (tunnel.status == head_status::need_more)
                return;
            // As in the opening: who agrees early, or speaks where a TLS server would wait, is no proxy.
            if (tunnel.error || !to_send_.empty() || (transport::secure && !answer_.empty()))
                return failed();
            tunnelling_ = false;
            ask();
            return write();
        }
        auto const head = parse_response(answer_);
        if (head.status == head_status::need_more)
            return;
        std::size_t bytes = 0;
        if (head.status == head_status::error || head.value.status() != 200 ||
            !read_length(head.value.header("Content-Length"), bytes))
            return failed();
        if (answer_.size() - head.consumed_bytes >= bytes)
            learn(std::string_view(answer_).substr(head.consumed_bytes, bytes));
    }
    [[nodiscard]] bool read_length(std::string_view text, std::size_t& bytes) const noexcept
    {
        for (char const digit : text) {
            if (digit < '0' || digit > '9' || bytes > link_.options_.max_dictionary_bytes)
                return false;
            bytes = bytes * 10 + static_cast<std::size_t>(digit - '0');
        }
        return !text.empty() && bytes <= link_.options_.max_dictionary_bytes;
    }
    void learn(std::string_view bytes)
    {
        if (link_.codec_.learn(id_, bytes))
            return failed();
        auto kept = std::exchange(kept_, {});
        auto const close = std::exchange(kept_close_, {});
        cancel();
        // On the stack of no reader: each is looked at as if it had come now.
        link_.reading_.replay([&](auto&& sink) {
            for (message& m : kept)
                static_cast<void>(sink.message(m.op, m.payload, m.rsv1));
            if (close)
                sink.close(close->code, close->reason);
        });
    }
    void failed()
    {
        cancel();
        link_.closing_.lacks_dictionary();
        link_.reading_.resume();
    }

    Link& link_;
    typename transport::connector connector_;
    typename Link::timer deadline_;
    std::optional<stream> stream_;
    std::string id_, url_;
    std::string to_send_;
    std::string answer_;
    std::vector<message> kept_;
    std::optional<farewell> kept_close_;  ///< it came behind them
    bool fetching_ = false;
    bool tunnelling_ = false;
};

/// For a compression that has none.
template <class Link>
struct no_client_dictionary {
    explicit no_client_dictionary(Link&) noexcept {}
    [[nodiscard]] static constexpr bool fetching() noexcept { return false; }
    static void cancel() noexcept {}
    static constexpr bool give_up() noexcept { return false; }
};

}  // namespace polycast::inline v0::detail
