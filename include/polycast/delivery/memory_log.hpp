#pragma once

namespace polycast::inline v0::delivery {

/// The log of a session is a queue of references to frames that all receivers share. It ends with the process.
struct memory_log {
    static constexpr bool durable = false;
};

}  // namespace polycast::inline v0::delivery
