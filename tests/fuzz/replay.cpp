// Runs every target over its committed corpus, built by any compiler: what the fuzzers once found stays found.
//
//   fuzz_replay CORPUS-FOLDER

#include "fuzz.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>

int main(int argc, char** argv)
{
    if (argc != 2)
        return std::cerr << "usage: " << argv[0] << " CORPUS-FOLDER\n", 2;
    std::size_t failed = 0;
    auto& targets = fuzz::targets();
    std::ranges::sort(targets, {}, [](auto const& t) { return std::string_view(t.name); });
    for (auto const& target : targets) {
        std::size_t inputs = 0;
        std::error_code ec;
        for (auto const& entry : std::filesystem::directory_iterator(std::filesystem::path(argv[1]) / target.name, ec)) {
            std::ifstream file(entry.path(), std::ios::binary);
            std::string const bytes{std::istreambuf_iterator<char>(file), {}};
            fuzz::running() = entry.path().string();
            target.run(fuzz::input({reinterpret_cast<std::uint8_t const*>(bytes.data()), bytes.size()}));
            ++inputs;
        }
        std::cout << target.name << ": " << inputs << " inputs\n";
        failed += inputs == 0;
    }
    std::cout << targets.size() - failed << " passed, " << failed << " failed\n";
    return failed != 0;
}
