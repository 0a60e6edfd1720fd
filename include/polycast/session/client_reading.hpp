#pragma once

#include <polycast/frame/error.hpp>
#include <polycast/message/assembler.hpp>
#include <polycast/observer/policy.hpp>
#include <polycast/session/client_inbound.hpp>
#include <polycast/transport/policy.hpp>

#include <cstddef>
#include <memory>
#include <span>
#include <system_error>

namespace polycast::inline v0::detail {

/// What a client's connection reads: the handshake's answer, then frames, then the end.
template <class Link>
class client_reading {
public:
    explicit client_reading(Link& link) noexcept : link_(link) {}

    /// From here on frames come. `compressed`: some with RSV1.
    void begin_frames(bool compressed)
    {
        assembler_ = {};
        assembler_.set_compressed(compressed);
    }
    /// Reads when there is something. Once for each stream: it goes on until the end.
    void wait()
    {
        link_.stream_->wait_readable(link_.bound([](Link& self, std::error_code ec) { self.reading_.readable(ec); }));
    }
    /// Goes on after a pause. A pause that began and ended within one read was none.
    void resume()
    {
        if (link_.stream_ && !busy_ && !link_.dictionary_.fetching())
            wait();
    }
    /// `messages()` hands on what was kept back, and then reading goes on.
    template <class Messages>
    void replay(Messages messages)
    {
        busy_ = true;
        messages(client_inbound<Link>{link_});
        busy_ = false;
        resume();
    }
    void frames(std::span<char> bytes)
    {
        client_inbound<Link> sink{link_};
        std::size_t const most = link_.options_.max_message_bytes;
        if (std::error_code const ec = assembler_.consume(bytes, {most, most}, sink))
            link_.closing_.fail(close_code_for(ec), ec.message());
    }

private:
    void readable(std::error_code ec)
    {
        std::size_t const room = link_.options_.read_buffer_bytes;
        if (!buffer_)
            buffer_ = std::make_unique_for_overwrite<char[]>(room);
        std::size_t count = 0;
        if (!ec)
            count = link_.stream_->read_some({buffer_.get(), room}, ec);
        if (ec && !transport::would_block(ec))
            return dropped(ec);
        if (!ec) {
            busy_ = true;
            link_.heart_.heard();
            link_.observer_.count(metric::bytes_in, count);
            if (link_.phase_ == Link::phase::upgrading)
                link_.attempts_.opening().receive({buffer_.get(), count});
            else
                frames({buffer_.get(), count});
            busy_ = false;
        }
        resume();
    }
    /// The stream has ended, or failed.
    void dropped(std::error_code ec)
    {
        if (link_.phase_ == Link::phase::upgrading)
            link_.attempts_.opening().dropped(ec);
        else
            link_.closing_.ended({close_code::abnormal, ec.message(), false});
    }

    Link& link_;
    assembler<role::client> assembler_;
    std::unique_ptr<char[]> buffer_;
    bool busy_ = false;  ///< what was read is being handled
};

}  // namespace polycast::inline v0::detail
