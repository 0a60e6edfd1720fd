// What including the library costs, whatever is done with it.
#include <polycast/polycast.hpp>

int main() {}
