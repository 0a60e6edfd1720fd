// expect: per_user<0> would refuse every user; name at least one connection
#include <polycast/isolation/per_user.hpp>

namespace pc = polycast;

static_assert(pc::isolation::per_user<1>::max_connections_per_user == 1);
#ifdef FAULT
static_assert(pc::isolation::per_user<0>::max_connections_per_user == 0);
#endif
