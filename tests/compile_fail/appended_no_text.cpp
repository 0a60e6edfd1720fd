// expect: event_traits<T>::appended names a field that is no std::string: only text is appended
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
#ifdef FAULT
    static constexpr std::string_view appended = "turn";
#else
    static constexpr std::string_view appended = "text";
#endif
};

static_assert(pc::event_coalesce<delta> == pc::coalesce::append);
