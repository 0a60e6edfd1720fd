#define BOOST_TEST_MODULE polycast
#include <boost/test/unit_test.hpp>
