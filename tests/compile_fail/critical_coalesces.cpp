// expect: a critical event is never coalesced: take `critical` or `coalesce` out of event_traits<T>
#include <polycast/event/coalesce.hpp>

#include <string>
#include <string_view>

namespace pc = polycast;

struct delta {
    std::string run_id;
    int turn;
    std::string text;
};
template <>
struct pc::event_traits<delta> {
#ifdef FAULT
    static constexpr bool critical = true;
#endif
    static constexpr pc::coalesce coalesce = pc::coalesce::latest;
};

static_assert(pc::event_coalesce<delta> == pc::coalesce::latest);
