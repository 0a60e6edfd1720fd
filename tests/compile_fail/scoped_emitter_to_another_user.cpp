// expect: no member named .to_user
#include <polycast/server.hpp>

namespace pc = polycast;

struct assistant {};
struct notice {
    int number;
};

void notify(pc::server<assistant>& server)
{
    auto ada = server.emitter_for("ada");
    ada.emit(notice{1});
#ifdef FAULT
    ada.to_user("bob").emit(notice{1});
#endif
}
