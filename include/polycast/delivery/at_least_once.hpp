#pragma once

#include <polycast/delivery/memory_log.hpp>
#include <polycast/delivery/policy.hpp>

#include <concepts>

namespace polycast::inline v0::delivery {

/// No event is lost: a session outlives its connection for `delivery::options::resume_window`. Its events are counted in
/// the order they are written, kept in `Log` until they are acknowledged, and replayed to the connection that resumes it
/// (WIRE, reliable mode); what a limit makes impossible is named by a `$gap`. A client that never says `$open` is served at
/// most once.
template <class Log = memory_log>
struct at_least_once {
    static_assert(
        requires { { Log::durable } -> std::convertible_to<bool>; },
        "polycast: at_least_once<Log> keeps events in a log; name delivery::memory_log or delivery::sqlite_log (the latter "
        "with POLYCAST_WITH_SQLITE), or nothing.");
    using policy_axis = delivery_axis;
    using log = Log;
    static constexpr bool resumes = true;
};
static_assert(delivery_policy<at_least_once<>>);

}  // namespace polycast::inline v0::delivery
