#include <polycast/delivery/sqlite_log.hpp>

#include <boost/test/unit_test.hpp>

#if POLYCAST_WITH_SQLITE
#include "log_folder.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <random>
#include <string>
#include <utility>
#include <vector>

namespace durable {

/// The same log without any file and in the plainest way.
struct model {
    struct entry {
        std::uint64_t id, number, to;
        std::string text;
    };
    struct session {
        std::uint64_t count = 0, acked = 0;
        std::vector<entry> entries;
    };
    std::map<std::uint64_t, session> sessions;
};

std::string line(model::session const& s)
{
    auto sorted = s.entries;
    std::sort(sorted.begin(), sorted.end(), [](auto const& a, auto const& b) {
        return std::pair(a.number == 0 ? ~0ULL : a.number, a.id) < std::pair(b.number == 0 ? ~0ULL : b.number, b.id);
    });
    pcd::stored_session as;
    for (auto const& e : sorted) {
        pcd::stored_entry out;
        out.id = e.id;
        out.number = e.number;
        if (e.to != 0) {
            out.skipped = e.to - e.number + 1;
            out.reason = e.text;
        } else {
            out.frame = text(e.text);
            out.payload = out.frame->payload();
        }
        as.entries.push_back(out);
    }
    return entries(as) + " count " + std::to_string(s.count) + " acked " + std::to_string(s.acked);
}

/// A thousand calls at random, told to the log and to the model.
void live(std::mt19937& chance, model& m, journal& j, std::uint64_t& next_id, int calls, auto&& between)
{
    auto const below = [&chance](std::uint64_t n) { return n == 0 ? 0 : chance() % n; };
    std::vector<pc::frame_ref> recent{text("seed")};
    for (int call = 0; call < calls; ++call) {
        if (m.sessions.empty() || below(40) == 0) {
            m.sessions[++next_id];
            j.opened(next_id, "s" + std::to_string(next_id), "");
        }
        auto place = m.sessions.begin();
        std::advance(place, below(m.sessions.size()));
        auto& [id, s] = *place;
        std::vector<std::size_t> waiting;
        for (std::size_t i = 0; i < s.entries.size(); ++i)
            if (s.entries[i].number == 0)
                waiting.push_back(i);
        switch (below(12)) {
        case 0:
        case 1:
        case 2:
        case 3: {
            if (below(3) != 0)
                recent.push_back(text("event " + std::to_string(call)));
            auto const& frame = recent[recent.size() - 1 - below(std::min<std::size_t>(recent.size(), 4))];
            s.entries.push_back({++next_id, 0, 0, std::string(frame->payload())});
            j.accepted(id, next_id, frame, normal, false);
            break;
        }
        case 4:
        case 5:
        case 6:
        case 7:
            if (!waiting.empty()) {
                auto& e = s.entries[waiting[below(std::min<std::size_t>(waiting.size(), 3))]];
                e.number = ++s.count;
                j.numbered(id, e.id, e.number);
            }
            break;
        case 8:
            if (!waiting.empty()) {
                auto const which = waiting[below(waiting.size())];
                j.removed(id, s.entries[which].id);
                s.entries.erase(s.entries.begin() + static_cast<std::ptrdiff_t>(which));
            }
            break;
        case 9: {
            std::uint64_t const from = s.count + 1;
            s.count += 1 + below(5);
            s.entries.push_back({0, from, s.count, below(2) ? "evicted" : "expired"});
            j.skipped(id, from, s.count, s.entries.back().text);
            break;
        }
        case 10:
            if (s.count > 0) {
                auto const to = 1 + below(s.count);
                bool const acknowledged = below(2) == 0;
                j.trimmed(id, to, acknowledged);
                s.acked = acknowledged ? std::max(s.acked, to) : s.acked;
                std::erase_if(s.entries, [to](auto const& e) {
                    return e.number != 0 && (e.to == 0 ? e.number <= to : e.to <= to);
                });
                for (auto& e : s.entries)
                    if (e.to != 0)
                        e.number = std::max(e.number, to + 1);
            }
            break;
        case 11:
            if (below(8) == 0) {
                j.ended(id);
                m.sessions.erase(id);
            }
            break;
        }
        between();
    }
}

/// Adjacent gaps of one reason are one to a client.
std::string joined_gaps(pcd::stored_session const& s)
{
    pcd::stored_session as;
    for (auto const& e : s.entries) {
        auto* const last = as.entries.empty() ? nullptr : &as.entries.back();
        if (last != nullptr && e.skipped > 0 && last->skipped > 0 && last->number + last->skipped == e.number &&
            last->reason == e.reason)
            last->skipped += e.skipped;
        else
            as.entries.push_back(e);
    }
    return entries(as);
}
model joined_gaps(model m)
{
    for (auto& [id, s] : m.sessions) {
        std::sort(s.entries.begin(), s.entries.end(),
                  [](auto const& a, auto const& b) { return std::pair(a.number, a.id) < std::pair(b.number, b.id); });
        std::vector<model::entry> out;
        for (auto const& e : s.entries)
            if (!out.empty() && e.to != 0 && out.back().to + 1 == e.number && out.back().to != 0 && out.back().text == e.text)
                out.back().to = e.to;
            else
                out.push_back(e);
        s.entries = std::move(out);
    }
    return m;
}
void check_equal(pcd::stored_state const& state, model const& m)
{
    BOOST_REQUIRE_EQUAL(state.sessions.size(), m.sessions.size());
    auto const expected = joined_gaps(m);
    for (auto const& s : state.sessions) {
        BOOST_REQUIRE(expected.sessions.contains(s.id));
        BOOST_REQUIRE_EQUAL(joined_gaps(s) + " count " + std::to_string(s.count) + " acked " + std::to_string(s.acked),
                            line(expected.sessions.at(s.id)));
    }
}

}  // namespace durable

using namespace durable;

BOOST_AUTO_TEST_SUITE(sqlite_log)

BOOST_AUTO_TEST_CASE(whatever_is_told_in_whatever_batches_is_what_a_plain_model_says)
{
    for (unsigned seed = 1; seed <= 8; ++seed) {
        BOOST_TEST_CONTEXT("seed " << seed) {
            std::mt19937 chance(seed);
            folder f;
            model m;
            std::uint64_t next_id = 0;
            for (int life = 0; life < 4; ++life) {
                {
                    writer w(f);
                    check_equal(w.before, m);
                    BOOST_REQUIRE_LE(w.before.last_id, next_id);
                    live(chance, m, w.j, next_id, 400, [&] {
                        if (chance() % 10 == 0)
                            w.commit();
                    });
                    w.commit();
                }
                // No payload is missing, and each that is there is needed or about to go.
                BOOST_TEST(rows(f, "entry WHERE frame NOT NULL AND frame NOT IN (SELECT id FROM frame)") == 0);
            }
            check_equal(recovered(f), m);
        }
    }
}

BOOST_AUTO_TEST_SUITE_END()

#endif
