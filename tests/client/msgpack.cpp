#include <polycast/client.hpp>

#include <polycast/compression/zstd.hpp>
#include <polycast/serializer/msgpack.hpp>
#include <polycast/server.hpp>
#include <polycast/transport/simulated.hpp>

#include <boost/test/unit_test.hpp>

#include <chrono>
#include <string>
#include <tuple>
#include <vector>

namespace pc = polycast;
using namespace std::chrono_literals;
using sim = pc::transport::simulated;
using pc::serializer::msgpack;
using zstd = pc::compression::zstd<3>;

namespace {

struct spoken {
    int number = 0;
    std::string text{};
};
struct heard_back {
    int number = 0;
    std::string text{};
};
struct echo {
    using accepts = pc::events<spoken>;
    std::string* unknown = nullptr;
    void on(auto& s, spoken const& e) { s.emit(heard_back{e.number, e.text}); }
    void on_unknown(auto&, pc::envelope const& e)
    {
        if (unknown != nullptr)
            *unknown = e.data;
    }
};
struct other_event {
    std::vector<int> list;
};
struct ear {
    using accepts = pc::events<heard_back>;
    std::vector<heard_back>* got;
    void on(auto&, heard_back const& e) { got->push_back(e); }
};

}  // namespace

BOOST_AUTO_TEST_SUITE(client_msgpack)

using clients = std::tuple<std::tuple<msgpack>, std::tuple<msgpack, zstd>>;

BOOST_AUTO_TEST_CASE_TEMPLATE(our_client_and_our_server_understand_each_other, Policies, clients)
{
    []<class... P>(std::tuple<P...>*) {
        pc::transport::world world{7};
        std::string unknown;
        pc::server<echo, sim, P...> server({.port = 1}, {&unknown}, world);
        server.start();
        std::vector<heard_back> got;
        pc::client<ear, sim, P...> client({.url = "ws://server:1/"}, {&got}, world);
        client.start();
        for (int i = 0; i < 300; ++i)
            BOOST_TEST(
                (client.emit(spoken{i * 1000, std::string(static_cast<std::size_t>(i), 'x')}) == pc::outcome::queued));
        BOOST_TEST((client.emit(other_event{{1, 2}}) == pc::outcome::queued));
        BOOST_REQUIRE(world.run_until([&] { return got.size() == 300 && !unknown.empty(); }, 60s));
        for (int i = 0; i < 300; ++i) {
            BOOST_TEST(got.at(static_cast<std::size_t>(i)).number == i * 1000);
            BOOST_TEST(got.at(static_cast<std::size_t>(i)).text.size() == static_cast<std::size_t>(i));
        }
        BOOST_TEST(unknown == R"({"list":[1,2]})");
        client.stop();
        world.run_for(10s);
    }(static_cast<Policies*>(nullptr));
}

BOOST_AUTO_TEST_SUITE_END()
