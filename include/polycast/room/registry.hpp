#pragma once

#include <polycast/detail/string_map.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace polycast::inline v0 {

/// The sessions of one shard that share a name: a room's members, or a user's connections. Both maps are kept here, a
/// group's members and a session's groups, so neither can be forgotten. An empty group vanishes.
///
/// `Session` has a member `groups`, a `std::vector<group_registry<Session>::membership>`.
template <class Session>
class group_registry {
public:
    struct group {
        group_registry* registry;
        std::string_view name;  ///< the key's text
        std::vector<Session*> members{};
    };
    /// That a session is member number `index` of `in`.
    struct membership {
        group* in;
        std::size_t index;
    };

    group_registry() = default;
    group_registry(group_registry const&) = delete;

    /// False if it was a member already.
    bool join(Session& s, std::string_view name)
    {
        auto at = groups_.find(name);
        if (at == groups_.end()) {
            at = groups_.emplace(std::string(name), group{this, {}, {}}).first;
            at->second.name = at->first;
        } else if (find_membership(s, at->second) != nullptr) {
            return false;
        }
        group& g = at->second;
        s.groups.push_back({&g, g.members.size()});
        g.members.push_back(&s);
        return true;
    }
    /// False if it was no member.
    bool leave(Session& s, std::string_view name)
    {
        auto const at = groups_.find(name);
        membership* const m = at == groups_.end() ? nullptr : find_membership(s, at->second);
        if (m == nullptr)
            return false;
        remove(*m);
        *m = s.groups.back();
        s.groups.pop_back();
        return true;
    }
    /// Takes `s` out of every group, of whatever registry.
    static void leave_all(Session& s)
    {
        for (membership const& m : s.groups)
            m.in->registry->remove(m);
        s.groups.clear();
    }

    [[nodiscard]] group* find(std::string_view name)
    {
        auto const at = groups_.find(name);
        return at == groups_.end() ? nullptr : &at->second;
    }
    [[nodiscard]] bool contains(Session const& s, std::string_view name)
    {
        group* const g = find(name);
        if (g != nullptr)
            for (membership const& m : s.groups)
                if (m.in == g)
                    return true;
        return false;
    }
    [[nodiscard]] std::size_t size() const noexcept { return groups_.size(); }

private:
    static membership* find_membership(Session& s, group const& g) noexcept
    {
        for (membership& m : s.groups)
            if (m.in == &g)
                return &m;
        return nullptr;
    }
    void remove(membership const& m)
    {
        group& g = *m.in;
        if (Session* const last = g.members.back(); m.index + 1 != g.members.size()) {
            g.members[m.index] = last;
            find_membership(*last, g)->index = m.index;
        }
        g.members.pop_back();
        if (g.members.empty())
            groups_.erase(groups_.find(g.name));
    }

    detail::string_map<group> groups_;
};

}  // namespace polycast::inline v0
