// expect: the application accepts an event but has no `on\(session, event\)` for it
#include <polycast/server.hpp>

namespace pc = polycast;

struct question {
    int number;
};
struct assistant {
    using accepts = pc::events<question>;
#ifndef FAULT
    void on(auto&, question const&) {}
#endif
};

template class pc::basic_server<assistant, pc::detail::server_composition<>>;
