#pragma once

#include <cstddef>
#include <cstdint>

namespace polycast::inline v0 {

/// In which queue of its receiver an event waits. Order holds within a lane. Control frames are above all lanes.
enum class lane : std::uint8_t {
    high,    ///< leaves in this turn of the loop, never held back by a window
    normal,  ///< leaves when the batching policy says
    batch,   ///< leaves in a window
};

inline constexpr std::size_t lane_count = 3;

}  // namespace polycast::inline v0
