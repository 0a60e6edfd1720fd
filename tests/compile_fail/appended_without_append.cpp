// expect: event_traits<T>::appended is for coalesce::append only
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
    static constexpr pc::coalesce coalesce = pc::coalesce::latest;
#else
    static constexpr pc::coalesce coalesce = pc::coalesce::append;
#endif
    static constexpr std::string_view appended = "text";
};

static_assert(pc::event_coalesce<delta> != pc::coalesce::none);
