#pragma once

#include <polycast/delivery/journal.hpp>
#include <polycast/outbox/encode.hpp>
#include <polycast/outbox/lane.hpp>
#include <polycast/room/histories.hpp>
#include <polycast/serializer/policy.hpp>
#include <polycast/session/arrival.hpp>
#include <polycast/session/directory.hpp>
#include <polycast/session/handle.hpp>
#include <polycast/session/liveness.hpp>
#include <polycast/session/outcome.hpp>
#include <polycast/session/tally.hpp>

#include <atomic>
#include <bit>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace polycast::inline v0::detail {

/// A server without rooms has none to keep the past of, and one without an envelope nowhere to write an offset.
template <class C>
inline constexpr bool keeps_histories = C::isolation::reaches_rooms && has_envelope<typename C::serializer>;

class no_room_histories {
public:
    no_room_histories(history_options const&, std::string epoch) : epoch_(std::move(epoch)) {}
    [[nodiscard]] static constexpr bool enabled() noexcept { return false; }
    [[nodiscard]] std::string const& epoch() const noexcept { return epoch_; }
    void restore(std::string epoch, std::uint64_t) { epoch_ = std::move(epoch); }

private:
    std::string epoch_;
};

/// To whom an emission goes.
enum class audience_kind : std::uint8_t { session, user, room, everyone };

/// An emission on its way to a shard.
template <class C>
struct posted {
    audience_kind kind{};
    urgency urgent{};
    handle to{};
    handle except{};
    std::string name{};  ///< of the user or room
    std::uint64_t offset = 0;      ///< in a room with a history
    std::uint64_t trimmed_to = 0;  ///< up to here that history was forgotten
    encoded<C> frames{};

    [[nodiscard]] std::size_t bytes() const noexcept
    {
        std::size_t sum = 0;
        for (frame_ref const& f : frames)
            sum += f ? f->wire_bytes() : 0;
        return sum;
    }
};

/// Whether a shard is woken for what is posted to it.
enum class waking : std::uint8_t {
    never,      ///< it looks at the end of its turn by itself
    when_much,  ///< the caller wakes it later; much does not wait: it would fill the mailbox while the shard sleeps
    at_once,
};

/// Emissions from other threads wait here for their shard. Bounded; many may push, the shard takes all at once.
template <class C>
class mailbox {
public:
    using notifier = typename C::transport::notifier;

    /// Until this and after `close` nothing is accepted.
    void open(notifier& wakes, std::size_t max_emissions, std::size_t max_bytes)
    {
        std::lock_guard const lock(mutex_);
        wakes_ = &wakes;
        max_emissions_ = max_emissions;
        max_bytes_ = max_bytes;
    }
    /// Returns how many accepted emissions nobody will take any more.
    std::size_t close()
    {
        std::lock_guard const lock(mutex_);
        wakes_ = nullptr;
        any_.store(false, std::memory_order_relaxed);
        std::size_t const left = waiting_.size();
        waiting_.clear();
        return left;
    }
    /// Whether there is room for `bytes` more; also if nobody takes what comes.
    [[nodiscard]] bool has_room(std::size_t bytes)
    {
        std::lock_guard const lock(mutex_);
        return wakes_ == nullptr || (waiting_.size() < max_emissions_ && bytes_ + bytes <= max_bytes_);
    }
    /// From any thread. `surely`: there was room a moment ago; who came in between does not matter.
    [[nodiscard]] outcome push(posted<C>&& emission, waking when, bool surely = false)
    {
        std::lock_guard const lock(mutex_);
        if (wakes_ == nullptr)
            return outcome::gone;
        auto const bytes = emission.bytes();
        if (!surely && (waiting_.size() >= max_emissions_ || bytes_ + bytes > max_bytes_))
            return outcome::over_budget;
        bytes_ += bytes;
        waiting_.push_back(std::move(emission));
        any_.store(true, std::memory_order_release);
        bool const much = waiting_.size() > max_emissions_ / 64 || bytes_ > max_bytes_ / 256;
        if ((when == waking::at_once || (when == waking::when_much && much)) && !std::exchange(woken_, true))
            wakes_->notify();
        return outcome::queued;
    }
    /// Wakes the shard if something waits that it was not woken for.
    void wake()
    {
        std::lock_guard const lock(mutex_);
        if (wakes_ != nullptr && !waiting_.empty() && !std::exchange(woken_, true))
            wakes_->notify();
    }
    /// Wakes the shard, for something else than mail.
    void knock()
    {
        std::lock_guard const lock(mutex_);
        if (wakes_ != nullptr)
            wakes_->notify();
    }
    /// On the shard: true if something waits. Costs a load.
    [[nodiscard]] bool any() const noexcept { return any_.load(std::memory_order_acquire); }
    /// On the shard: swaps what waits with `into`, which is empty.
    void take(std::vector<posted<C>>& into)
    {
        std::lock_guard const lock(mutex_);
        waiting_.swap(into);
        woken_ = false;
        bytes_ = 0;
        any_.store(false, std::memory_order_relaxed);
    }

private:
    std::mutex mutex_;
    notifier* wakes_ = nullptr;
    std::size_t max_emissions_ = 0;
    std::size_t max_bytes_ = 0;
    std::size_t bytes_ = 0;
    std::vector<posted<C>> waiting_;
    bool woken_ = false;  ///< for what waits
    std::atomic<bool> any_{false};
};

/// What emitters and shards of one server share; it knows no application. Outlives the server while an emitter does.
template <class C>
class port {
public:
    port(std::uint32_t shards, typename C::transport const& t, compression::options const& compressed,
         history_options const& history, std::string epoch)
        : codec(compressed), histories(history, std::move(epoch)), users(shards), mailboxes(shards), alive(shards), doors(C::delivery::resumes ? shards : 0),
          transport_(t)
    {
    }

    [[nodiscard]] std::uint32_t shards() const noexcept { return static_cast<std::uint32_t>(mailboxes.size()); }

    /// The shard that this thread is running right now, or none. Lets an emission from a handler skip the wake-up.
    [[nodiscard]] static port const*& current_port() noexcept
    {
        thread_local port const* p = nullptr;
        return p;
    }
    [[nodiscard]] static std::uint32_t& current_shard() noexcept
    {
        thread_local std::uint32_t s = 0;
        return s;
    }

    /// The shards that the turn which this thread is running has posted to: they are woken at its end, once for all of it,
    /// and write it in as few pieces as the shard itself does.
    [[nodiscard]] static std::uint64_t& unwoken_shards() noexcept
    {
        thread_local std::uint64_t mask = 0;
        return mask;
    }
    void wake_shards()
    {
        for (auto mask = std::exchange(unwoken_shards(), 0); mask != 0; mask &= mask - 1)
            mailboxes[static_cast<std::size_t>(std::countr_zero(mask))].wake();
    }

    /// Whether each shard of `mask` has room for it.
    [[nodiscard]] bool has_room(std::uint64_t mask, std::size_t bytes)
    {
        for (std::uint32_t s = 0; s < shards(); ++s)
            if ((mask >> s & 1) != 0 && !mailboxes[s].has_room(bytes))
                return false;
        return true;
    }
    /// What `post` says where there is no room.
    [[nodiscard]] static sent refused(std::uint64_t mask) noexcept
    {
        auto const addressed = static_cast<std::uint32_t>(std::popcount(mask));
        return {outcome::over_budget, addressed, 0, addressed};
    }
    /// Posts to all shards of `mask`, or, where one is full, to none: what is not sent can be sent again.
    [[nodiscard]] sent post(std::uint64_t mask, posted<C> const& emission)
    {
        bool const one = std::has_single_bit(mask);
        if (!one && !has_room(mask, emission.bytes()))
            return refused(mask);
        return post_surely(mask, emission, !one);
    }
    /// The same where `has_room` was asked.
    [[nodiscard]] sent post_surely(std::uint64_t mask, posted<C> const& emission, bool surely = true)
    {
        sent result;
        for (std::uint32_t s = 0; s < shards(); ++s)
            if ((mask >> s & 1) != 0)
                result.count(post_one(s, posted<C>(emission), surely));
        return result;
    }
    [[nodiscard]] std::uint64_t every_shard() const noexcept
    {
        return shards() == 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << shards()) - 1;
    }

    /// Between start and stop of the server. An emission outside of that is `gone`.
    [[nodiscard]] bool is_open() const noexcept { return open_.load(std::memory_order_acquire); }
    void set_open(bool on) noexcept { open_.store(on, std::memory_order_release); }
    [[nodiscard]] std::chrono::system_clock::time_point wall_now() const { return transport_.wall_now(); }

    /// The history of a room was forgotten; a durable log is told.
    void forget_room(std::string_view name, std::uint64_t floor)
    {
        if constexpr (session_journal<typename C::delivery>::durable) {
            std::lock_guard const lock(forgotten_mutex_);
            forgotten_.emplace_back(name, floor);
        }
    }
    [[nodiscard]] std::vector<std::pair<std::string, std::uint64_t>> take_forgotten()
    {
        std::lock_guard const lock(forgotten_mutex_);
        return std::exchange(forgotten_, {});
    }
    /// What is wanted of an emission: the forms that sessions have now.
    [[nodiscard]] auto profiles_in_use() const noexcept
    {
        return [this](std::size_t profile) { return profiles.any(profile); };
    }

    [[no_unique_address]] typename C::compression const codec;
    std::conditional_t<keeps_histories<C>, room_histories, no_room_histories> histories;
    directory<C::delivery::resumes> users;
    std::vector<mailbox<C>> mailboxes;
    std::vector<liveness> alive;
    std::vector<arrivals<C>> doors;  ///< of the shards: connections that resume a session there
    profile_use<C> profiles;
    typename C::observer shared_observer{};
    std::atomic<std::uint64_t> next_session_id{1};  ///< as a durable log names sessions

private:
    [[nodiscard]] outcome post_one(std::uint32_t shard, posted<C>&& emission, bool surely)
    {
        auto const when = current_port() != this ? waking::at_once : current_shard() == shard ? waking::never : waking::when_much;
        auto const o = mailboxes[shard].push(std::move(emission), when, surely);
        if (when == waking::when_much)
            unwoken_shards() |= std::uint64_t{1} << shard;
        if (o == outcome::queued)
            shared_observer.count_shared(metric::emissions_posted, 1);
        return o;
    }

    [[no_unique_address]] typename C::transport transport_;
    std::atomic<bool> open_{false};
    std::mutex forgotten_mutex_;
    std::vector<std::pair<std::string, std::uint64_t>> forgotten_;
};

}  // namespace polycast::inline v0::detail
