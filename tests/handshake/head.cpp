#include <polycast/handshake/head.hpp>

#include <boost/test/unit_test.hpp>

using namespace polycast::detail;

static_assert(scan_head("").bytes == 0 && scan_head("GET / HTTP/1.1\r\nA: b\r\n").bytes == 0);
static_assert(scan_head("GET / HTTP/1.1\r\nA: b\r\n\r\nrest").bytes == 24);
static_assert(scan_head("GET / HTTP/1.1\r\nA: b\r\n\r\nrest").first_line == 14);
static_assert(scan_head("GET / HTTP/1.1\n").bare_line_feed && scan_head("A\r\nB\n\r\n").bare_line_feed);
static_assert(!scan_head("A\r\nB\r\n\r\n\n").bare_line_feed);

static_assert(is_host("localhost:8765") && is_host("[::1]:80") && is_host("a-b.example"));
static_assert(!is_host("") && !is_host("a b") && !is_host("a,b") && !is_host("u@h") && !is_host("h/p") &&
              !is_host("h\r\n"));
static_assert(is_host("a.example:") && is_host("a%20b") && is_host("[fe80::1%25lo]:80") && is_host("[::ffff:1.2.3.4]"));
static_assert(!is_host(":80") && !is_host("a:b") && !is_host("a:1:2") && !is_host("::1") && !is_host("a%2") && !is_host("a%zz") &&
              !is_host("[::1") && !is_host("[::1]x") && !is_host("[a]") && !is_host("[g::1]") && !is_host("a[1]"));
static_assert(is_target("/a?b=c|d%") && !is_target("/a b") && !is_target("/#x") && !is_target("/\x7F") &&
              !is_target("/é"));
