// expect: dictionary::of takes a catalog of events
#include <polycast/compression/dictionary.hpp>

namespace pc = polycast;

struct said {
    int number;
};

static_assert(!pc::compression::dictionary::of<pc::events<said>>::bytes().empty());
#ifdef FAULT
static_assert(!pc::compression::dictionary::of<said>::bytes().empty());
#endif
