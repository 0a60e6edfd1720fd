// expect: event_traits<T>::keyed_by names the appended text, which is never twice the same
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
    static constexpr pc::coalesce coalesce = pc::coalesce::append;
    static constexpr std::string_view appended = "text";
#ifdef FAULT
    static constexpr std::string_view keyed_by[] = {"run_id", "text"};
#else
    static constexpr std::string_view keyed_by[] = {"run_id"};
#endif
};

static_assert(pc::event_coalesce<delta> == pc::coalesce::append);
