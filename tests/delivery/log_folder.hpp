#pragma once

#include <polycast/delivery/sqlite_log.hpp>

#include <boost/test/unit_test.hpp>

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>

#include <stdlib.h>

namespace durable {

namespace pc = polycast;
namespace pcd = polycast::delivery;

using database = pcd::sqlite_log::database;
using journal = pcd::sqlite_log::journal;
constexpr auto normal = pc::lane::normal;

/// A folder with a log's file in it, which goes with this.
struct folder {
    folder()
    {
        std::string name = (std::filesystem::temp_directory_path() / "polycast-log-XXXXXX").string();
        BOOST_REQUIRE(::mkdtemp(name.data()) != nullptr);
        path = name;
    }
    ~folder()
    {
        std::error_code ignored;
        std::filesystem::remove_all(path, ignored);
    }
    folder(folder const&) = delete;
    [[nodiscard]] std::string file() const { return (path / "log.db").string(); }
    [[nodiscard]] pcd::options options() const
    {
        pcd::options o;
        o.log_file = file();
        return o;
    }
    std::filesystem::path path;
};

inline pc::frame_ref text(std::string_view payload)
{
    return pc::shared_frame::message(pc::opcode::text, payload);
}

/// What a server that is started now would know. Nobody else has the file.
inline pcd::stored_state recovered(folder const& f)
{
    database d(f.options());
    return d.recover();
}

/// Asks the file itself, when no server has it.
inline std::int64_t rows(folder const& f, std::string const& table)
{
    sqlite3* db = nullptr;
    BOOST_REQUIRE_EQUAL(sqlite3_open(f.file().c_str(), &db), SQLITE_OK);
    sqlite3_stmt* s = nullptr;
    BOOST_REQUIRE_EQUAL(sqlite3_prepare_v2(db, ("SELECT count(*) FROM " + table).c_str(), -1, &s, nullptr), SQLITE_OK);
    BOOST_REQUIRE_EQUAL(sqlite3_step(s), SQLITE_ROW);
    auto const found = sqlite3_column_int64(s, 0);
    sqlite3_finalize(s);
    sqlite3_close(db);
    return found;
}
inline void alter(folder const& f, char const* sql)
{
    sqlite3* db = nullptr;
    BOOST_REQUIRE_EQUAL(sqlite3_open(f.file().c_str(), &db), SQLITE_OK);
    BOOST_REQUIRE_EQUAL(sqlite3_exec(db, sql, nullptr, nullptr, nullptr), SQLITE_OK);
    sqlite3_close(db);
}

/// Its entries in one line: `3:three` is numbered, `?7:seven` waits, `1-2!evicted` is a gap.
inline std::string entries(pcd::stored_session const& s)
{
    std::string all;
    for (auto const& e : s.entries) {
        all += all.empty() ? "" : " ";
        all += e.number == 0 ? "?" + std::to_string(e.id) : std::to_string(e.number);
        if (e.skipped > 0)
            all += "-" + std::to_string(e.number + e.skipped - 1) + "!" + e.reason;
        else
            all += ":" + std::string(e.payload);
    }
    return all;
}
inline std::string entries_of_only(folder const& f)
{
    auto const state = recovered(f);
    BOOST_REQUIRE_EQUAL(state.sessions.size(), 1U);
    return entries(state.sessions[0]);
}
inline std::string offsets(pcd::stored_room const& r)
{
    std::string all = r.name + "@" + std::to_string(r.offset) + ":";
    for (auto const& e : r.events)
        all += " " + std::to_string(e.offset) + "=" + std::string(e.payload) + "/" + std::to_string(e.at_ms);
    return all;
}

/// One journal whose commits must succeed.
struct writer {
    explicit writer(folder const& f) : d(f.options()), before(d.recover()), j(d) {}
    void commit() { BOOST_REQUIRE_EQUAL(j.commit(), std::error_code{}); }
    void event(std::uint64_t session, std::uint64_t id, std::uint64_t number, std::string_view payload)
    {
        j.accepted(session, id, text(payload), normal, false);
        if (number != 0)
            j.numbered(session, id, number);
    }
    database d;
    pcd::stored_state before;
    journal j;
};

inline std::optional<std::system_error> refused(pcd::options const& o)
{
    try {
        database d(o);
        static_cast<void>(d.recover());
    } catch (std::system_error const& e) {
        return e;
    }
    return std::nullopt;
}
inline void check_refused(folder const& f, pc::log_error why)
{
    auto const e = refused(f.options());
    BOOST_REQUIRE(e.has_value());
    BOOST_TEST(e->code() == why, e->what());
    BOOST_TEST(std::string(e->what()).find(f.file()) != std::string::npos, e->what());
}

}  // namespace durable
