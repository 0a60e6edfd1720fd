// expect: two events of one catalog have the same name; rename one with event_traits<T>::name
#include <polycast/event/catalog.hpp>

namespace pc = polycast;

namespace today {
struct question {};
}  // namespace today
namespace tomorrow {
struct question {};
struct answer {};
}  // namespace tomorrow

static_assert(pc::events<today::question, tomorrow::answer>::size == 2);
#ifdef FAULT
static_assert(pc::events<today::question, tomorrow::question>::size == 2);
#endif
