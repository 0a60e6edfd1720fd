#pragma once

#include <polycast/detail/search.hpp>
#include <polycast/event/control.hpp>
#include <polycast/event/envelope.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace polycast::inline v0::detail {

/// What the server says to a `$join` or `$leave`.
struct client_room_answer {
    std::string room;
    bool joining;
    bool granted;
    std::optional<bool> recovered;
};

/// The rooms that a client wants to be in, over all its connections, and what it has seen of their histories. One `$join`
/// or `$leave` a room is under way at a time; an unanswered one is said again, with its id, in the same session.
template <class = void>
class basic_client_rooms {
public:
    /// From any thread. `wanted`: to be in it.
    void ask(std::string_view name, bool wanted)
    {
        std::lock_guard const lock(mutex_);
        asked_.push_back({std::string(name), wanted});
    }

    // The rest is for the loop's thread.

    /// A session begins, or goes on (`resumed`). `same_histories`: offsets mean what they meant.
    void begin(bool resumed, bool same_histories)
    {
        sure_ = !resumed || same_histories;
        todo_.clear();
        under_way_.clear();
        for (auto at = rooms_.begin(); at != rooms_.end();) {
            auto& [name, r] = *at;
            r.sent = false;
            if (!resumed) {
                r.asked = action::none;
                r.joined = false;
                r.early.clear();
            } else if (!same_histories) {
                r.joined = false;  // it is, but has to learn where it is
            }
            if (!r.wanted && !r.joined && r.asked == action::none) {
                at = rooms_.erase(at);
                continue;
            }
            todo_.push_back(name);
            ++at;
        }
    }
    /// Calls `say(control::join or control::leave, id)` for what is to be said; `fresh_id()` makes an id. True if all was.
    template <class Say, class Id>
    bool say(Say&& say, Id&& fresh_id)
    {
        take_asked();
        std::size_t done = 0;
        for (; done < todo_.size(); ++done) {
            auto const at = rooms_.find(todo_[done]);
            if (at == rooms_.end() || at->second.sent)
                continue;
            auto& [name, r] = *at;
            if (r.asked == action::none && r.wanted == r.joined) {
                if (!r.wanted)
                    rooms_.erase(at);
                continue;
            }
            if (under_way_.size() == max_under_way)
                break;
            r.repeated = r.asked != action::none;
            if (!r.repeated) {
                r.asked = r.wanted ? action::join : action::leave;
                r.id = fresh_id();
            }
            r.sent = true;
            under_way_.push_back({r.id, name});
            if (r.asked == action::leave) {
                say(control::leave{name}, r.id);
                continue;
            }
            bool const since = r.seen && !r.epoch.empty();
            say(control::join{name, since ? r.seen : std::nullopt,
                              since ? std::optional<std::string_view>(r.epoch) : std::nullopt},
                r.id);
        }
        todo_.erase(todo_.begin(), todo_.begin() + static_cast<std::ptrdiff_t>(done));
        return todo_.empty();
    }
    /// `$ok` or `$error` with the number `id`; nothing if it is not for a room.
    [[nodiscard]] std::optional<client_room_answer> answered(std::uint64_t id, envelope const& said)
    {
        auto const at = find_where(under_way_.begin(), under_way_.end(), [&](flight const& f) { return f.id == id; });
        if (at == under_way_.end())
            return {};
        client_room_answer answer{std::move(at->name), false, said.type == "$ok", said.recovered};
        under_way_.erase(at);
        room& r = rooms_.find(answer.room)->second;
        answer.joining = std::exchange(r.asked, action::none) == action::join;
        r.sent = false;
        r.joined = answer.joining && answer.granted;
        if (r.joined)
            learn(r, said);
        else
            r.seen.reset();
        if (answer.joining && !answer.granted)
            r.wanted = false;
        todo_.push_back(answer.room);
        return answer;
    }
    /// An event of a room has come. False if it had come before.
    [[nodiscard]] bool is_new(std::string_view name, std::uint64_t offset)
    {
        auto const at = rooms_.find(name);
        if (at == rooms_.end())
            return true;
        room& r = at->second;
        if (!r.joined) {
            if (sure_ && r.early.size() < max_early)
                r.early.push_back(offset);
            return true;
        }
        if (sure_ && r.seen && offset <= *r.seen)
            return false;
        r.seen = offset;
        return std::erase(r.early, offset) == 0;
    }

private:
    /// With those of `client_requests` fewer than the ids that a server knows again.
    static constexpr std::size_t max_under_way = 50;
    static constexpr std::size_t max_early = 4096;

    enum class action : std::uint8_t { none, join, leave };
    struct wish {
        std::string name;
        bool wanted;
    };
    struct flight {
        std::uint64_t id;
        std::string name;
    };
    struct room {
        bool wanted = true;
        bool joined = false;
        action asked = action::none;  ///< and not answered
        bool sent = false;            ///< on this connection
        bool repeated = false;        ///< and on an earlier one, in this session
        std::uint64_t id = 0;         ///< of what was asked
        std::optional<std::uint64_t> seen{};
        std::string epoch{};                ///< of the history that `seen` is of
        std::vector<std::uint64_t> early{};  ///< offsets of what came before the answer to `$join`
    };

    void take_asked()
    {
        std::vector<wish> asked;
        {
            std::lock_guard const lock(mutex_);
            asked.swap(asked_);
        }
        for (auto& [name, wanted] : asked) {
            auto at = rooms_.find(name);
            if (at == rooms_.end() && wanted)
                at = rooms_.emplace(name, room{}).first;
            if (at == rooms_.end())
                continue;
            at->second.wanted = wanted;
            todo_.push_back(std::move(name));
        }
    }
    /// `$ok` overtakes events: those that it says are recovered are still to come. When it is said again after a drop, the
    /// session was a member before, and events up to its offset may be still to come as well.
    static void learn(room& r, envelope const& said)
    {
        r.epoch = said.epoch;
        if (said.recovered.value_or(false))
            return;
        r.seen = !r.repeated ? said.offset : r.early.empty() ? std::nullopt : std::optional(r.early.back());
        r.early.clear();
    }

    std::mutex mutex_;
    std::vector<wish> asked_;

    std::map<std::string, room, std::less<>> rooms_;  // in an order: what is said after a drop depends on nothing else
    std::vector<std::string> todo_;
    std::vector<flight> under_way_;
    bool sure_ = true;  ///< offsets in this session are of one history a room
};
using client_rooms = basic_client_rooms<>;

}  // namespace polycast::inline v0::detail
