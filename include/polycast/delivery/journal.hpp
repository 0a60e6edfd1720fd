#pragma once

#include <polycast/delivery/ledger.hpp>
#include <polycast/outbox/frame_queue.hpp>
#include <polycast/outbox/lane.hpp>

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <system_error>

namespace polycast::inline v0::detail {

/// What a shard tells the log of its sessions. For a log in memory, the ledgers are all there is.
template <class Delivery>
class session_journal {
public:
    static constexpr bool durable = false;
    struct database {
        template <class... Arguments>
        explicit database(Arguments const&...) noexcept
        {
        }
    };

    explicit session_journal(database&) noexcept {}
    static void opened(ledger const&, std::string_view) noexcept {}
    static void ended(ledger const&) noexcept {}
    static void accepted(ledger&, frame_node&, lane) noexcept {}
    static void numbered(ledger const&, frame_node const&) noexcept {}
    static void removed(ledger const&, frame_node const&) noexcept {}
    static void skipped(ledger const&, std::uint64_t, std::uint64_t, loss) noexcept {}
    static void owes(ledger const&) noexcept {}
    static void trimmed(ledger const&, std::uint64_t, bool) noexcept {}
    static void joined(ledger const&, std::string_view) noexcept {}
    static void left(ledger const&, std::string_view) noexcept {}
    static void requested(ledger const&, std::string_view, std::string_view, std::size_t) noexcept {}
    static std::error_code commit() noexcept { return {}; }
    [[nodiscard]] static constexpr std::size_t backlog_bytes() noexcept { return 0; }
};

/// The same in words that a durable log understands: `Log::journal`.
template <class Delivery>
    requires(Delivery::resumes && Delivery::log::durable)
class session_journal<Delivery> {
public:
    static constexpr bool durable = true;
    using database = typename Delivery::log::database;

    explicit session_journal(database& in) : database_(in), journal_(in) {}
    void opened(ledger const& l, std::string_view user) { journal_.opened(l.id, l.name, user); }
    void ended(ledger const& l) { journal_.ended(l.id); }
    void accepted(ledger& l, frame_node& node, lane in)
    {
        node.entry = l.next_entry++;
        backlog_bytes_ += a_word + node.frame->wire_bytes();
        journal_.accepted(l.id, node.entry, node.frame, in, node.critical);
    }
    void numbered(ledger const& l, frame_node const& node) { journal_.numbered(l.id, node.entry, l.count()); }
    void removed(ledger const& l, frame_node const& node) { journal_.removed(l.id, node.entry); }
    void skipped(ledger const& l, std::uint64_t from, std::uint64_t to, loss why)
    {
        journal_.skipped(l.id, from, to, to_string(why));
    }
    void owes(ledger const& l) { journal_.owes(l.id, l.owed_gap()); }
    void trimmed(ledger const& l, std::uint64_t up_to, bool acknowledged) { journal_.trimmed(l.id, up_to, acknowledged); }
    void joined(ledger const& l, std::string_view room) { journal_.joined(l.id, room); }
    void left(ledger const& l, std::string_view room) { journal_.left(l.id, room); }
    void requested(ledger const& l, std::string_view id, std::string_view answer, std::size_t keep)
    {
        journal_.requested(l.id, id, answer, keep);
    }
    void history(std::string_view room, std::uint64_t offset, std::int64_t at_ms, frame_ref const& frame)
    {
        backlog_bytes_ += a_word + frame->wire_bytes();
        journal_.history(room, offset, at_ms, frame);
    }
    void history_trimmed(std::string_view room, std::uint64_t up_to) { journal_.history_trimmed(room, up_to); }
    void history_forgotten(std::string_view room, std::uint64_t floor) { database_.history_forgotten(room, floor); }
    /// What was told so far is on the disk when this returns without an error.
    [[nodiscard]] std::error_code commit()
    {
        if (!journal_.pending())
            return {};
        if (std::error_code const ec = journal_.commit())
            return ec;
        backlog_bytes_ = 0;
        return {};
    }
    /// About what waits in memory for a commit: much only while commits fail.
    [[nodiscard]] std::size_t backlog_bytes() const noexcept { return backlog_bytes_; }

private:
    static constexpr std::size_t a_word = 128;
    std::size_t backlog_bytes_ = 0;
    database& database_;
    typename Delivery::log::journal journal_;
};

}  // namespace polycast::inline v0::detail
