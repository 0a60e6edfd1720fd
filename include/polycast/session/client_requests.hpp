#pragma once

#include <polycast/detail/byte_buffer.hpp>
#include <polycast/detail/search.hpp>
#include <polycast/frame/opcode.hpp>
#include <polycast/session/client_intake.hpp>
#include <polycast/session/client_outbox.hpp>
#include <polycast/session/outcome.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <deque>
#include <string_view>
#include <utility>
#include <vector>

namespace polycast::inline v0::detail {

struct client_request_record : client_record {
    std::uint64_t id;  ///< 0: nobody answers this one
    bool asks;         ///< the application wants to know the answer
};

/// The messages of a client that delivers at least once: one with an id is held until it is answered, and handed out
/// again, in order, on each new connection; one without until the transport has taken its last byte. Any thread puts
/// messages in, the loop's thread takes them out.
template <class = void>
class basic_client_requests : public client_intake<client_request_record> {
public:
    using entry = client_entry;
    enum class answer : std::uint8_t { unexpected, to_event, to_request };

    /// At most so many are under way from the oldest without an answer on: a server knows a repeated id among the last
    /// 256 (`$join` and `$leave` have some of them).
    static constexpr std::size_t window = 200;

    using client_intake::client_intake;

    /// From any thread; as `client_intake::push`.
    template <class Wake>
    outcome push(entry const& message, std::uint64_t id, bool asks, Wake&& wake)
    {
        client_request_record const head{{message.payload.size(), message.op, message.is_event}, id, asks};
        return client_intake::push(head, message.payload, std::forward<Wake>(wake));
    }

    // The rest is for the loop's thread.

    /// Whether a connection takes messages. Without one, what is not settled is to be sent again.
    void set_connected(bool is)
    {
        connected(is);
        again();
        for (item& i : items_)
            i.given = false;
        under_way_.clear();
    }
    /// Nobody answers on this connection: what is sent is settled.
    void set_plain(bool is) noexcept { plain_ = is; }
    /// What is unanswered is to be sent again, on this connection.
    void again() noexcept { next_ = 0; }

    /// Appends messages to `wire` as `client_outbox::fill` does; none while the window is full.
    template <class Encode>
    void fill(byte_buffer& wire, std::size_t enough_bytes, Encode&& encode)
    {
        under_way_.clear();  // what was handed out before has been written
        if (next_ == items_.size())
            take_over();
        for (; next_ < items_.size() && wire.size() < enough_bytes && (plain_ || next_ < window); ++next_) {
            item& i = items_[next_];
            bool const settles = plain_ || i.head.id == 0;
            if (i.done || (settles && i.given))
                continue;
            encode(wire, entry{{text_.data() + (i.at - base_), i.head.bytes}, i.head.op, i.head.is_event});
            i.given = true;
            if (settles)
                under_way_.push_back({wire.size(), popped_ + next_});
        }
    }
    /// The transport has taken the first `written` bytes of `wire`.
    void settle(std::size_t written)
    {
        std::size_t count = 0;
        for (; count < under_way_.size() && under_way_[count].wire_end <= written; ++count)
            items_[under_way_[count].number - popped_].done = true;
        under_way_.erase(under_way_.begin(), under_way_.begin() + static_cast<std::ptrdiff_t>(count));
        if (count != 0)
            drop_done();
    }
    /// The server has answered `id`.
    answer answered(std::uint64_t id, bool by_event)
    {
        auto const end = items_.begin() + static_cast<std::ptrdiff_t>(detail::least(items_.size(), window));
        auto const found = detail::find_where(items_.begin(), end, [&](item const& i) { return i.head.id == id; });
        if (id == 0 || found == end || found->done)
            return answer::unexpected;
        bool const asks = found->head.asks;
        found->done = true;
        if (by_event)
            by_events_[by_event_count_++ % by_events_.size()] = id;
        drop_done();
        return asks ? answer::to_request : answer::to_event;
    }
    /// Whether an event has answered `id`, lately.
    [[nodiscard]] bool was_answered_by_event(std::uint64_t id) const noexcept
    {
        return id != 0 && find_where(by_events_.begin(), by_events_.end(), [id](std::uint64_t e) { return e == id; }) != by_events_.end();
    }

private:
    struct item {
        client_request_record head;
        std::size_t at;  ///< of its bytes, among all that ever came
        bool given;      ///< to this connection
        bool done;
    };
    struct mark {
        std::size_t wire_end;
        std::size_t number;  ///< of the item, among all that ever came
    };
    static constexpr std::size_t slack = 64 * 1024;

    void take_over()
    {
        std::size_t at = text_.size();
        take(text_);
        while (at < text_.size()) {
            client_request_record head;
            std::memcpy(&head, text_.data() + at, sizeof head);
            at += sizeof head;
            items_.push_back({head, base_ + at, false, false});
            at += head.bytes;
        }
    }
    /// From the front only: what is behind an unanswered one still counts into the budget, which bounds the memory.
    void drop_done()
    {
        std::size_t bytes = 0, count = 0;
        for (; !items_.empty() && items_.front().done; ++count) {
            bytes += sizeof(client_request_record) + items_.front().head.bytes;
            items_.pop_front();
        }
        if (count == 0)
            return;
        popped_ += count;
        next_ -= detail::least(next_, count);
        if (items_.empty()) {
            base_ += text_.size();
            text_.clear();
        } else if (std::size_t const gone = items_.front().at - sizeof(client_request_record) - base_;
                   gone > slack && gone > text_.size() / 2) {
            std::memmove(text_.data(), text_.data() + gone, text_.size() - gone);
            text_.truncate(text_.size() - gone);
            base_ += gone;
        }
        release(bytes, count);
    }

    byte_buffer text_;
    std::size_t base_ = 0;  ///< where `text_` begins, among all that ever came
    std::deque<item> items_;
    std::size_t popped_ = 0;
    std::size_t next_ = 0;  ///< of `items_`, to be handed out
    std::vector<mark> under_way_;
    std::array<std::uint64_t, 256> by_events_{};
    std::size_t by_event_count_ = 0;
    bool plain_ = false;
};
using client_requests = basic_client_requests<>;

}  // namespace polycast::inline v0::detail
