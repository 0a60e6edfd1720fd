#include <polycast/frame/opcode.hpp>

#include <boost/test/unit_test.hpp>

using namespace polycast;

static_assert(is_control(opcode::close) && is_control(opcode::ping) && is_control(opcode::pong));
static_assert(!is_control(opcode::continuation) && !is_control(opcode::text) && !is_control(opcode::binary));
