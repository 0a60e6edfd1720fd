// expect: this template argument is not a policy: it has no member type `policy_axis`
// expect: checked_policy<question
#include <polycast/batching/window.hpp>
#include <polycast/fwd.hpp>

namespace pc = polycast;

struct assistant {};
struct question {};

using accepted = pc::server<assistant, pc::batching::window<10, 2000>>;
#ifdef FAULT
using refused = pc::server<assistant, question>;
#endif
