#include "table.hpp"

#include <boost/test/unit_test.hpp>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>
#include <tuple>
#include <vector>

namespace {

using rfc::arenas;

struct line {
    std::string source, title;
    std::array<std::size_t, arenas> tried{}, failed{};
};
/// 10.2.1 comes behind 9.1.
struct by_number {
    static std::vector<int> split(std::string const& number)
    {
        std::vector<int> parts;
        for (std::size_t at = 0; at <= number.size();) {
            parts.push_back(std::atoi(number.c_str() + at));
            auto const dot = number.find('.', at);
            at = dot == std::string::npos ? number.size() + 1 : dot + 1;
        }
        return parts;
    }
    bool operator()(std::string const& a, std::string const& b) const
    {
        return std::tuple(split(a), a) < std::tuple(split(b), b);
    }
};
using lines = std::map<std::string, line, by_number>;
lines& board()
{
    static lines all;
    return all;
}

char const* const sections[] = {"",
                                "framing",
                                "pings and pongs",
                                "reserved bits, opcodes",
                                "fragments",
                                "text",
                                "closing",
                                "permessage-deflate",
                                "sizes and limits",
                                "masking",
                                "handshake, server",
                                "handshake, client"};
char const* const names[] = {"server sim", "server tcp", "client sim", "client tcp"};

struct sums {
    std::size_t rows = 0;
    std::array<std::size_t, arenas> tried{}, failed{};
    void add(line const& l)
    {
        ++rows;
        for (std::size_t i = 0; i < arenas; ++i) {
            tried[i] += l.tried[i];
            failed[i] += l.failed[i];
        }
    }
    void print(std::string const& what) const
    {
        std::size_t all = 0, bad = 0;
        std::printf("%-28s %6zu", what.c_str(), rows);
        for (std::size_t i = 0; i < arenas; ++i) {
            std::printf(" %11zu", tried[i]);
            all += tried[i];
            bad += failed[i];
        }
        std::printf(" %9zu %8zu\n", all - bad, bad);
    }
};

/// Prints the table when all has run. POLYCAST_CONFORMANCE=rows: every row of it.
struct printer {
    printer() = default;
    printer(printer const&) = delete;
    ~printer()
    {
        if (board().empty())
            return;
        char const* const wish = std::getenv("POLYCAST_CONFORMANCE");
        if (wish != nullptr && std::string(wish) == "rows")
            print_rows();
        std::printf("\n%-28s %6s", "conformance", "rows");
        for (char const* const name : names)
            std::printf(" %11s", name);
        std::printf(" %9s %8s\n", "passed", "failed");
        std::map<int, sums> all;
        sums total;
        for (auto const& [number, l] : board()) {
            all[by_number::split(number)[0]].add(l);
            total.add(l);
        }
        for (auto const& [section, s] : all)
            s.print(std::to_string(section) + " " + sections[section]);
        total.print("all");
        std::fflush(stdout);
    }
    static void print_rows()
    {
        for (auto const& [number, l] : board()) {
            std::size_t tried = 0, failed = 0;
            for (std::size_t i = 0; i < arenas; ++i) {
                tried += l.tried[i];
                failed += l.failed[i];
            }
            std::printf("%-10s %-18s %6zu %s %s\n", number.c_str(), l.source.c_str(), tried,
                        failed == 0 ? "ok  " : "FAIL", l.title.c_str());
        }
    }
};

}  // namespace

namespace rfc {

void record(std::string_view number, std::string_view source, std::string_view title, arena where,
            std::string_view delivered, std::string_view fault)
{
    line& l = board()[std::string(number)];
    l.source = source;
    l.title = title;
    auto const i = static_cast<std::size_t>(where);
    ++l.tried[i];
    l.failed[i] += !fault.empty();
    BOOST_CHECK_MESSAGE(fault.empty() || l.failed[i] > 3, number << " (" << source << ", " << names[i] << ", "
                                                                 << delivered << ") " << title << ": " << fault);
}

}  // namespace rfc

BOOST_TEST_GLOBAL_FIXTURE(printer);
