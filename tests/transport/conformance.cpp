#include "conformance.hpp"

#include <tuple>

#include <netinet/tcp.h>
#include <sys/socket.h>

// The simulation is held to what the kernel does: every body runs over both.
using transports = std::tuple<polycast::transport::simulated, polycast::transport::tcp>;

#define CONFORMS(body) \
    BOOST_AUTO_TEST_CASE_TEMPLATE(body, T, transports) { conformance::body<T>(); }

BOOST_AUTO_TEST_SUITE(transport_conformance)

CONFORMS(a_handler_runs_after_the_call_that_was_given_it)
CONFORMS(posted_functions_run_in_order_and_once)
CONFORMS(timers_fire_in_the_order_of_their_times_and_not_when_forgotten)
CONFORMS(a_notification_before_the_wait_is_kept_and_later_ones_merge)
CONFORMS(bytes_arrive_in_order_through_a_full_window)
CONFORMS(nothing_to_read_would_block)
CONFORMS(a_gathered_write_keeps_its_order)
CONFORMS(the_end_is_read_after_the_last_byte_and_the_other_way_stays_open)
CONFORMS(closing_completes_a_wait_with_an_error)
CONFORMS(destroying_a_stream_that_waits_is_safe)
CONFORMS(a_moved_stream_keeps_its_wait)
CONFORMS(writing_to_a_peer_that_closed_fails_soon)
CONFORMS(connecting_where_nobody_listens_is_refused)
CONFORMS(a_cancelled_connect_completes_with_an_error)
CONFORMS(closing_an_acceptor_completes_its_accept_with_an_error)
CONFORMS(connections_that_come_together_are_accepted_each_once_and_not_inside_the_call)
CONFORMS(connections_spread_over_the_acceptors_of_a_shared_port)

BOOST_AUTO_TEST_CASE(neither_end_of_tcp_waits_for_more_to_send)
{
    conformance::pair<polycast::transport::tcp> two;
    for (auto const* const end : {&*two.client, &*two.server}) {
        int on = 0;
        ::socklen_t size = sizeof on;
        BOOST_TEST(::getsockopt(end->native_handle(), IPPROTO_TCP, TCP_NODELAY, &on, &size) == 0);
        BOOST_TEST(on != 0);
    }
}

BOOST_AUTO_TEST_SUITE_END()
