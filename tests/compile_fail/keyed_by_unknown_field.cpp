// expect: event_traits<T>::keyed_by names a field that T does not have
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
    static constexpr pc::coalesce coalesce = pc::coalesce::latest;
#ifdef FAULT
    static constexpr std::string_view keyed_by[] = {"run_id", "step"};
#else
    static constexpr std::string_view keyed_by[] = {"run_id", "turn"};
#endif
};

static_assert(pc::event_coalesce<delta> == pc::coalesce::latest);
