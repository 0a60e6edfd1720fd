#include <polycast/room/registry.hpp>

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <vector>

namespace pc = polycast;

namespace {
struct member {
    int id = 0;
    pc::group_registry<member>::memberships groups{};
};
using registry = pc::group_registry<member>;

std::set<int> members_of(registry& r, std::string_view name)
{
    std::set<int> ids;
    if (auto* const g = r.find(name))
        for (auto* const m : g->members)
            BOOST_TEST(ids.insert(m->id).second);
    return ids;
}
}  // namespace

BOOST_AUTO_TEST_SUITE(room_registry)

BOOST_AUTO_TEST_CASE(a_room_exists_from_its_first_member_to_its_last)
{
    registry r;
    member a{1}, b{2};
    BOOST_TEST(!r.find("x"));
    BOOST_TEST(r.join(a, "x"));
    BOOST_TEST(!r.join(a, "x"));
    BOOST_TEST(r.join(b, "x"));
    BOOST_TEST(r.contains(a, "x"));
    BOOST_TEST(a.groups[0].in == b.groups[0].in);
    BOOST_TEST(a.groups[0].in->first == "x");
    BOOST_TEST(&a.groups[0].in->second == r.find("x"));
    BOOST_TEST(r.leave(a, "x"));
    BOOST_TEST(!r.leave(a, "x"));
    BOOST_TEST(!r.contains(a, "x"));
    BOOST_TEST(r.size() == 1u);
    BOOST_TEST(r.leave(b, "x"));
    BOOST_TEST(r.size() == 0u);
    BOOST_TEST(!r.leave(b, "x"));
}

BOOST_AUTO_TEST_CASE(leave_all_takes_a_session_out_of_every_registry)
{
    registry rooms, users;
    member a{1}, b{2};
    rooms.join(a, "x");
    rooms.join(b, "x");
    rooms.join(a, "y");
    users.join(a, "ada");
    registry::leave_all(a);
    BOOST_TEST(a.groups.size() == 0u);
    BOOST_TEST(users.size() == 0u);
    BOOST_TEST(rooms.size() == 1u);
    BOOST_TEST(members_of(rooms, "x") == std::set<int>{2}, boost::test_tools::per_element());
    registry::leave_all(a);
}

BOOST_AUTO_TEST_CASE(one_name_in_two_registries_is_two_groups)
{
    registry rooms, users;
    member a{1};
    BOOST_TEST(rooms.join(a, "same"));
    BOOST_TEST(users.join(a, "same"));
    BOOST_TEST(rooms.leave(a, "same"));
    BOOST_TEST(users.contains(a, "same"));
    registry::leave_all(a);
}

BOOST_AUTO_TEST_CASE(random_operations_agree_with_a_model)
{
    for (unsigned seed = 1; seed <= 20; ++seed) {
        std::mt19937 random(seed);
        registry r;
        std::vector<std::unique_ptr<member>> all;
        for (int i = 0; i < 12; ++i)
            all.push_back(std::make_unique<member>(member{i}));
        std::map<std::string, std::set<int>> model;
        for (int i = 0; i < 2000; ++i) {
            member& m = *all[random() % all.size()];
            // Long names too: short strings live inside their object.
            std::string const name = std::string(random() % 2 ? 0 : 40, 'r') + std::to_string(random() % 6);
            switch (random() % 5) {
            case 0:
            case 1: BOOST_TEST_REQUIRE(r.join(m, name) == model[name].insert(m.id).second); break;
            case 2:
            case 3: BOOST_TEST_REQUIRE(r.leave(m, name) == (model[name].erase(m.id) == 1)); break;
            default:
                if (random() % 4 == 0) {
                    registry::leave_all(m);
                    for (auto& [n, ids] : model)
                        ids.erase(m.id);
                }
            }
            std::erase_if(model, [](auto const& entry) { return entry.second.empty(); });
            BOOST_TEST_REQUIRE(r.size() == model.size());
            for (auto const& [n, ids] : model) {
                BOOST_TEST_REQUIRE((members_of(r, n) == ids));
            }
            for (auto const& one : all)
                for (std::size_t g = 0; g < one->groups.size(); ++g) {
                    auto const& in = one->groups[g];
                    BOOST_TEST_REQUIRE(&in.in->second == r.find(in.in->first));
                    BOOST_TEST_REQUIRE(model.at(in.in->first).contains(one->id));
                    BOOST_TEST_REQUIRE(in.in->second.members[in.index] == one.get());
                }
        }
    }
}

BOOST_AUTO_TEST_SUITE_END()
