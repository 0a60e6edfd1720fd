// expect: event_traits<T>::keyed_by is for an event that coalesces: give event_traits<T>::coalesce
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
#ifndef FAULT
    static constexpr pc::coalesce coalesce = pc::coalesce::latest;
#endif
    static constexpr std::string_view keyed_by[] = {"run_id"};
};

static_assert(pc::event_coalesce<delta> <= pc::coalesce::latest);
