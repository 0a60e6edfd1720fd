#pragma once

#include <polycast/event/dispatch.hpp>
#include <polycast/event/envelope.hpp>

#include <utility>

namespace polycast::inline v0::detail {

/// What the dispatcher is to a client that counts.
template <class Link, class Reply>
class client_counting {
public:
    client_counting(Link& link, Reply& reply) noexcept : link_(link), reply_(reply), to_(link.app_, link.session_, reply) {}

    template <class E>
    void event(envelope const& around, E&& received)
    {
        link_.delivery_.event(around, [&] { to_.event(around, std::forward<E>(received)); });
    }
    void unknown(envelope const& around)
    {
        link_.delivery_.event(around, [&] { to_.unknown(around); });
    }
    void control(envelope const& said) { reply_.control(said); }
    /// Counted if it is known to be an event: what its name says, the server has counted it too.
    void error(envelope const& around, decode_error const& what)
    {
        if (around.type.empty() || around.is_control())
            return reply_.bad(around, what);
        link_.delivery_.event(around, [&] { reply_.bad(around, what); });
    }
    [[nodiscard]] bool stopped() const noexcept { return reply_.stopped(); }

private:
    Link& link_;
    Reply& reply_;
    dispatcher<typename Link::app_type, typename Link::session_type, Reply> to_;
};

}  // namespace polycast::inline v0::detail
