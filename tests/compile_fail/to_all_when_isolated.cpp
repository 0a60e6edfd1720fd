// expect: reaches_everyone.*(evaluated to false|per_user<3)
#include <polycast/isolation/per_user.hpp>
#include <polycast/server.hpp>

namespace pc = polycast;

struct assistant {};
struct notice {
    int number;
};
using assistant_server = pc::server<assistant, pc::isolation::per_user<3>>;

void notify(assistant_server& server)
{
    server.emitter().to_user("ada").emit(notice{1});
#ifdef FAULT
    server.emitter().to_all().emit(notice{1});
#endif
}
