#pragma once

#include <polycast/detail/string_map.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace polycast::inline v0 {

/// The sessions of one shard that share a name: a room's members, or a user's connections. Both maps are kept here, a
/// group's members and a session's groups, so neither can be forgotten. An empty group vanishes.
///
/// `Session` has a member `groups`, a `group_registry<Session>::memberships`.
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
        named_group* in = nullptr;
        std::size_t index = 0;
    };
    /// A session's groups, in no order. Most have one, their user's, which needs no memory of its own.
    class memberships {
    public:
        [[nodiscard]] std::size_t size() const noexcept { return first_.in == nullptr ? 0 : 1 + (rest_ ? rest_->size() : 0); }
        [[nodiscard]] membership& operator[](std::size_t i) noexcept { return i == 0 ? first_ : (*rest_)[i - 1]; }
        [[nodiscard]] membership const& operator[](std::size_t i) const noexcept { return i == 0 ? first_ : (*rest_)[i - 1]; }
        void add(membership const& m)
        {
            if (first_.in == nullptr) {
                first_ = m;
                return;
            }
            if (!rest_)
                rest_ = std::make_unique<std::vector<membership>>();
            rest_->push_back(m);
        }
        void remove(membership& m) noexcept
        {
            m = (*this)[size() - 1];
            if (rest_ && !rest_->empty())
                rest_->pop_back();
            else
                first_ = {};
        }

    private:
        membership first_{};  ///< in no group: there are none
        std::unique_ptr<std::vector<membership>> rest_{};
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
        s.groups.add({&*at, members.size()});
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
        s.groups.remove(*m);
        return true;
    }
    /// Takes `s` out of every group, of whatever registry.
    static void leave_all(Session& s)
    {
        for (std::size_t i = 0; i < s.groups.size(); ++i)
            s.groups[i].in->second.registry->remove(s.groups[i]);
        s.groups = {};
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
            for (std::size_t i = 0; i < s.groups.size(); ++i)
                if (&s.groups[i].in->second == g)
                    return true;
        return false;
    }
    [[nodiscard]] std::size_t size() const noexcept { return groups_.size(); }

private:
    static membership* find_membership(Session& s, group const& g) noexcept
    {
        for (std::size_t i = 0; i < s.groups.size(); ++i)
            if (&s.groups[i].in->second == &g)
                return &s.groups[i];
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
