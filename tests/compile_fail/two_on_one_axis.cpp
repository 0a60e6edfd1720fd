// expect: two policies on one axis; name at most one per axis
#include <polycast/batching/immediate.hpp>
#include <polycast/batching/window.hpp>
#include <polycast/fwd.hpp>

namespace pc = polycast;

struct assistant {};

using accepted = pc::server<assistant, pc::batching::immediate>;
#ifdef FAULT
using refused = pc::server<assistant, pc::batching::immediate, pc::batching::window<10, 2000>>;
#endif
