// Precompiled for the tests of single_include/: each of them reads the whole of it.
#include <boost/test/unit_test.hpp>

#include <polycast/polycast.hpp>
