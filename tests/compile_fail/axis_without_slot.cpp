// expect: the type being composed has no slot for this policy's axis
// expect: checked_policy<polycast::(v0::)?isolation::per_user<
#include <polycast/fwd.hpp>
#include <polycast/isolation/per_user.hpp>

namespace pc = polycast;

struct assistant {};

using accepted = pc::server<assistant, pc::isolation::per_user<3>>;
#ifdef FAULT
using refused = pc::client<assistant, pc::isolation::per_user<3>>;
#endif
