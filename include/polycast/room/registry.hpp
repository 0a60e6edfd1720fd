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
        std::vector<Session*> members{};
    };
    using named_group = typename detail::string_map<group>::value_type;
    /// That a session is member number `index` of `in`.
    struct membership {
        named_group* in;
        std::size_t index;
    };

    group_registry() = default;
    group_registry(group_registry const&) = delete;

    /// False if it was a member already.
    bool join(Session& s, std::string_view name)
    {
        auto at = groups_.find(name);
        if (at == groups_.end())
            at = groups_.emplace(std::string(name), group{this}).first;
        else if (find_membership(s, at->second) != nullptr)
            return false;
        auto& members = at->second.members;
        s.groups.push_back({&*at, members.size()});
        members.push_back(&s);
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
            m.in->second.registry->remove(m);
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
                if (&m.in->second == g)
                    return true;
        return false;
    }
    [[nodiscard]] std::size_t size() const noexcept { return groups_.size(); }

private:
    static membership* find_membership(Session& s, group const& g) noexcept
    {
        for (membership& m : s.groups)
            if (&m.in->second == &g)
                return &m;
        return nullptr;
    }
    void remove(membership const& m)
    {
        group& g = m.in->second;
        if (Session* const last = g.members.back(); m.index + 1 != g.members.size()) {
            g.members[m.index] = last;
            find_membership(*last, g)->index = m.index;
        }
        g.members.pop_back();
        if (g.members.empty())
            groups_.erase(groups_.find(m.in->first));
    }

    detail::string_map<group> groups_;
};

}  // namespace polycast::inline v0
