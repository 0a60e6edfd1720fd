// expect: at_least_once<Log> keeps events in a log; name delivery::memory_log
#include <polycast/delivery/at_least_once.hpp>

namespace pc = polycast;

static_assert(pc::delivery::at_least_once<>::resumes);
#ifdef FAULT
struct no_log {};
static_assert(pc::delivery::at_least_once<no_log>::resumes);
#endif
