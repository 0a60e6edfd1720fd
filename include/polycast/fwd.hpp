#pragma once

#include <polycast/policy/compose.hpp>

namespace polycast::inline v0 {

namespace transport {
struct tcp;
class simulated;
}  // namespace transport
namespace serializer {
struct json;
struct msgpack;
struct raw;
}  // namespace serializer
namespace compression {
struct identity;
}
namespace isolation {
struct shared;
}
namespace batching {
struct per_tick;
}
namespace delivery {
struct at_most_once;
}
namespace guard {
struct same_origin;
}
namespace backplane {
struct local;
}
namespace observer {
struct counters;
}

/// The canonical form of a policy list: one policy an axis, in this order, whatever order they were named in.
template <class Transport, class Serializer, class Compression, class Isolation, class Batching, class Delivery,
          class Guard, class Backplane, class Observer>
struct composition {
    using transport = Transport;
    using serializer = Serializer;
    using compression = Compression;
    using isolation = Isolation;
    using batching = Batching;
    using delivery = Delivery;
    using guard = Guard;
    using backplane = Backplane;
    using observer = Observer;
};

template <class App, class Composition>
class basic_server;
template <class Composition>
class basic_emitter;
template <class App, class Transport, class Serializer, class Compression, class Delivery, class Observer>
class basic_client;

namespace detail {

// The defaults of every composed type, in this place only.
using transport_slot = slot<transport_axis, transport::tcp>;
using serializer_slot = slot<serializer_axis, serializer::json>;
using compression_slot = slot<compression_axis, compression::identity>;
using isolation_slot = slot<isolation_axis, isolation::shared>;
using batching_slot = slot<batching_axis, batching::per_tick>;
using delivery_slot = slot<delivery_axis, delivery::at_most_once>;
using guard_slot = slot<guard_axis, guard::same_origin>;
using backplane_slot = slot<backplane_axis, backplane::local>;
using observer_slot = slot<observer_axis, observer::counters>;

using server_slots = slots<transport_slot, serializer_slot, compression_slot, isolation_slot, batching_slot,
                           delivery_slot, guard_slot, backplane_slot, observer_slot>;
using client_slots = slots<transport_slot, serializer_slot, compression_slot, delivery_slot, observer_slot>;

template <bool Valid, class... Policies>
struct compose_server {};  // the reason was printed by server_slots::checks
template <class... Policies>
struct compose_server<true, Policies...> {
    using type = composition<fill_t<transport_slot, Policies...>, fill_t<serializer_slot, Policies...>,
                             fill_t<compression_slot, Policies...>, fill_t<isolation_slot, Policies...>,
                             fill_t<batching_slot, Policies...>, fill_t<delivery_slot, Policies...>,
                             fill_t<guard_slot, Policies...>, fill_t<backplane_slot, Policies...>,
                             fill_t<observer_slot, Policies...>>;
};
/// The composition of a server or emitter: checked, then reduced to one type.
template <class... Policies>
using server_composition =
    typename compose_server<server_slots::template checks<Policies...>::ok, Policies...>::type;

template <bool Valid, class App, class... Policies>
struct compose_client {};
template <class App, class... Policies>
struct compose_client<true, App, Policies...> {
    using type = basic_client<App, fill_t<transport_slot, Policies...>, fill_t<serializer_slot, Policies...>,
                              fill_t<compression_slot, Policies...>, fill_t<delivery_slot, Policies...>,
                              fill_t<observer_slot, Policies...>>;
};

}  // namespace detail

/// A server for `App`. Policies in any order; an axis left out takes its default: transport `tcp`, serializer `json`,
/// compression `identity`, isolation `shared`, batching `per_tick`, delivery `at_most_once`, guard `same_origin`,
/// backplane `local`, observer `counters`.
template <class App, class... Policies>
using server = basic_server<App, detail::server_composition<Policies...>>;

/// Emits to a server of the same policies, from any thread. Same slots and defaults as `server`.
template <class... Policies>
using emitter = basic_emitter<detail::server_composition<Policies...>>;

/// A client for `App`, with slots for transport, serializer, compression, delivery and observer; defaults as `server`.
template <class App, class... Policies>
using client = typename detail::compose_client<detail::client_slots::template checks<Policies...>::ok, App,
                                               Policies...>::type;

}  // namespace polycast::inline v0
