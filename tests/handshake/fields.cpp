#include <polycast/handshake/fields.hpp>

#include <boost/test/unit_test.hpp>

using namespace polycast::detail;

static_assert(is_token("bearer.aGk-_") && is_token("!#$%&'*+-.^_`|~") && is_token("A0z"));
static_assert(!is_token("") && !is_token("a b") && !is_token("a,b") && !is_token("a=") && !is_token("\"a\"") &&
              !is_token("é"));
static_assert(!is_token(std::string_view("a\0b", 3)));
static_assert(is_field_value("a\tb \xC3\xA9") && !is_field_value("a\rb") && !is_field_value("a\nb") &&
              !is_field_value("\x7F"));
static_assert(!is_field_value(std::string_view("a\0b", 3)));
static_assert(trim(" \t a b \t ") == "a b" && trim(" ").empty());
static_assert(iequal("Sec-WebSocket-KEY", "sec-websocket-key") && !iequal("a", "ab") && !iequal("[", "{"));

static_assert([] {
    std::string_view list = " , a ,,b\t,";
    return next_element(list) == "a" && next_element(list) == "b" && next_element(list).empty();
}());
