#pragma once

#include <polycast/detail/search.hpp>
#include <polycast/event/control.hpp>
#include <polycast/event/envelope.hpp>

#include <chrono>
#include <cstdint>
#include <string>

namespace polycast::inline v0::detail {

/// What a client remembers of its session (WIRE, reliable mode): its name, how many events it has taken, and when the
/// server wants to hear of that. Has no clock of its own.
class client_memory {
public:
    enum class greeting : std::uint8_t {
        anew,              ///< the server holds no session of ours: counts from 0, and is a member of no room
        resumed,           ///< it goes on where we were
        resumed_elsewhere  ///< likewise, but the histories of the rooms are not those that we knew
    };

    /// What to say first.
    [[nodiscard]] control::open open() const noexcept
    {
        if (session_.empty())
            return {};
        return {.session = session_, .received = received_};
    }
    /// What the server says to that.
    [[nodiscard]] greeting hello(envelope const& said)
    {
        bool const resumed = !session_.empty() && said.resumed.value_or(false) && said.session == session_;
        bool const elsewhere = said.epoch != epoch_;
        if (!resumed)
            received_ = 0;
        acked_ = received_;  // `$open` has told
        session_ = said.session;
        epoch_ = said.epoch;
        every_ = greatest<std::uint64_t>(1, said.ack_every.value_or(control::ack_terms{}.every));
        within_ = std::chrono::milliseconds(
            least(said.ack_within_ms.value_or(control::ack_terms{}.within_ms), max_within_ms));
        return !resumed ? greeting::anew : elsewhere ? greeting::resumed_elsewhere : greeting::resumed;
    }

    /// An event has come.
    void count() noexcept { ++received_; }
    /// Those up to `to` never will.
    void skip(std::uint64_t to) noexcept { received_ = greatest(received_, to); }
    [[nodiscard]] std::uint64_t received() const noexcept { return received_; }

    [[nodiscard]] bool owes_ack() const noexcept { return received_ != acked_; }
    /// Owes it now; else `ack_within()` after the first event that it is for.
    [[nodiscard]] bool ack_is_due() const noexcept { return received_ - acked_ >= every_; }
    [[nodiscard]] std::chrono::milliseconds ack_within() const noexcept { return within_; }
    [[nodiscard]] control::ack ack() noexcept { return {acked_ = received_}; }

private:
    static constexpr std::uint64_t max_within_ms = 3'600'000;

    std::string session_, epoch_;
    std::uint64_t received_ = 0;
    std::uint64_t acked_ = 0;
    std::uint64_t every_ = 1;
    std::chrono::milliseconds within_{};
};

}  // namespace polycast::inline v0::detail
