#include <polycast/event/dispatch.hpp>
#include <polycast/serializer/json.hpp>
#include <polycast/serializer/raw.hpp>

#include <boost/test/unit_test.hpp>

#include <stdexcept>
#include <string>
#include <vector>

namespace pc = polycast;

namespace {

struct question {
    std::string text;
};
struct ping_me {};
struct answer_me {
    int a;
};
struct explode {};

using calls = std::vector<std::string>;

struct fake_session {
    calls& log;
};

struct application {
    using accepts = pc::events<question, ping_me, answer_me, explode>;
    void on(fake_session& session, question const& q) { session.log.push_back("question " + q.text); }
    void on(auto& session, ping_me const&, pc::envelope const& around)
    {
        session.log.push_back("ping_me in " + std::string(around.room));
    }
    int on(auto&, answer_me const& asked) { return asked.a + 1; }
    void on(auto&, explode const&) { throw std::runtime_error("boom"); }
};
struct catching_application : application {
    using application::on;
    void on_unknown(auto& session, pc::envelope const& around)
    {
        session.log.push_back("on_unknown " + std::string(around.type) + " " + std::string(around.data));
    }
    void on(auto& session, pc::message const& m) { session.log.push_back("message " + std::string(m.payload)); }
};

struct fake_reply {
    calls& log;
    void handled(pc::envelope const& e) { log.push_back("handled " + std::string(e.type) + std::string(e.id)); }
    void handled(pc::envelope const& e, int result)
    {
        log.push_back("result " + std::string(e.id) + " " + std::to_string(result));
    }
    void threw(pc::envelope const& e)
    {
        try {
            throw;
        } catch (std::exception const& x) {
            log.push_back("threw " + std::string(e.id) + " " + x.what());
        }
    }
    void unknown_type(pc::envelope const& e) { log.push_back("unknown_type " + std::string(e.type)); }
    void control(pc::envelope const& e) { log.push_back("control " + std::string(e.type)); }
    void bad(pc::envelope const& e, pc::decode_error const& x) { log.push_back("bad " + std::string(e.id) + x.path); }
};
struct stopping_reply : fake_reply {
    [[nodiscard]] bool stopped() const { return log.size() >= 2; }
};

template <class App = application, class Reply = fake_reply, class Serializer = pc::serializer::json>
calls dispatched(std::string payload)
{
    calls log;
    App app;
    fake_session session{log};
    Reply reply{log};
    pc::dispatch<Serializer>(app, session, payload, pc::decode_limits{}, reply);
    return log;
}

}  // namespace

#define TEST_CALLS(actual, ...) BOOST_TEST((actual) == (calls{__VA_ARGS__}), boost::test_tools::per_element())

BOOST_AUTO_TEST_SUITE(event_dispatch)

BOOST_AUTO_TEST_CASE(an_event_reaches_its_overload_and_is_then_reported_as_handled)
{
    TEST_CALLS(dispatched(R"({"type":"question","id":7,"data":{"text":"hello"}})"), "question hello",
               "handled question7");
}

BOOST_AUTO_TEST_CASE(an_overload_with_envelope_gets_it)
{
    TEST_CALLS(dispatched(R"({"type":"ping_me","room":"lobby"})"), "ping_me in lobby", "handled ping_me");
}

BOOST_AUTO_TEST_CASE(what_a_handler_returns_goes_to_the_reply)
{
    TEST_CALLS(dispatched(R"({"type":"answer_me","id":1,"data":{"a":41}})"), "result 1 42");
}

BOOST_AUTO_TEST_CASE(what_a_handler_throws_goes_to_the_reply_and_the_next_event_is_handled)
{
    TEST_CALLS(dispatched("{\"type\":\"explode\",\"id\":3}\n{\"type\":\"ping_me\"}"), "threw 3 boom", "ping_me in ",
               "handled ping_me");
}

BOOST_AUTO_TEST_CASE(an_unknown_event_goes_to_the_catch_all_with_its_data_or_else_to_the_reply)
{
    TEST_CALLS(dispatched(R"({"type":"other","data":[1]})"), "unknown_type other");
    TEST_CALLS(dispatched<catching_application>(R"({"type":"other","data":[1]})"), "on_unknown other [1]",
               "handled other");
}

BOOST_AUTO_TEST_CASE(control_and_refused_events_go_to_the_reply)
{
    TEST_CALLS(dispatched("{\"type\":\"$ping\"}\n{\"type\":\"question\",\"data\":{\"text\":5},\"id\":9}"),
               "control $ping", "bad 9data.text");
}

BOOST_AUTO_TEST_CASE(a_stopped_reply_ends_the_payload)
{
    std::string const three = "{\"type\":\"ping_me\"}\n{\"type\":\"ping_me\"}\n{\"type\":\"ping_me\"}";
    BOOST_TEST(dispatched(three).size() == 6u);
    TEST_CALLS((dispatched<application, stopping_reply>(three)), "ping_me in ", "handled ping_me");
}

BOOST_AUTO_TEST_CASE(raw_payloads_reach_the_message_overload_or_else_the_reply)
{
    TEST_CALLS((dispatched<catching_application, fake_reply, pc::serializer::raw>("any \xFF bytes")),
               "message any \xFF bytes", "handled ");
    TEST_CALLS((dispatched<application, fake_reply, pc::serializer::raw>("any")), "unknown_type ");
}

BOOST_AUTO_TEST_CASE(a_message_beside_the_serializer_reaches_the_message_overload)
{
    calls log;
    catching_application app;
    fake_session session{log};
    fake_reply reply{log};
    pc::dispatch_message(app, session, pc::message{"blob", pc::opcode::binary}, reply);
    TEST_CALLS(log, "message blob", "handled ");
}

BOOST_AUTO_TEST_SUITE_END()
