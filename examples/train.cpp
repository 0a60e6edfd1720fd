// Makes a dictionary for `zstd<level, dictionary::loaded>` out of recorded traffic, and says what it gains:
//   console ws://127.0.0.1:8765/ --user ada | tee traffic.txt
//   train traffic.txt --out events.dictionary
// A server loads the file into `options.compression.dictionary` and tells its clients where to fetch it. A line is one
// event: JSON as on the wire, or as `console` prints it. Other lines are left out. Every client may read the dictionary,
// and pieces of the recorded events are in it: record what everybody may see.
#include "hub/events.hpp"

#include <polycast/polycast.hpp>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <exception>
#include <fstream>
#include <iostream>
#include <iterator>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include <zdict.h>

namespace pc = polycast;
namespace pcc = polycast::compression;

/// What the compiler makes a dictionary of, to compare. Name your own events here.
using catalog = pc::events<hub::welcome, hub::live_data, hub::agent_error, hub::agent_started, hub::agent_completed,
                           hub::agent_thinking, hub::tool_executing, hub::tool_completed>;

constexpr std::size_t most_bytes = std::size_t{256} << 20;  // of events
constexpr std::size_t fewest_events = 100;
constexpr std::size_t samples_per_byte = 8;  // bytes of events that a byte of dictionary is chosen from, at least

struct arguments {
    std::size_t kib = 112;
    int level = 3;
    std::string out = "events.dictionary";
    std::vector<std::string> files{};
};

constexpr char usage[] =
    "usage: train [FILE]... [--out FILE] [--kib N] [--level N]\n"
    "  FILE     recorded events, one a line; without any, or for -, standard input\n"
    "  --out    where the dictionary goes (events.dictionary)\n"
    "  --kib    its size, 1 to 1024 (112)\n"
    "  --level  the level of the server's zstd<level, dictionary::loaded>: 1, 3, 6, 9, 12 or 19 (3)\n";

int number(std::string_view text, int least, int most)
{
    int value = 0;
    auto const [end, ec] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (ec != std::errc{} || end != text.data() + text.size() || value < least || value > most)
        throw std::runtime_error("not a number from " + std::to_string(least) + " to " + std::to_string(most) + ": " +
                                 std::string(text));
    return value;
}

arguments parse(int argc, char** argv)
{
    arguments out;
    for (int i = 1; i < argc; ++i) {
        std::string_view const a = argv[i];
        bool const has_value = i + 1 < argc;
        if (a == "--out" && has_value)
            out.out = argv[++i];
        else if (a == "--kib" && has_value)
            out.kib = static_cast<std::size_t>(number(argv[++i], 1, 1024));
        else if (a == "--level" && has_value)
            out.level = number(argv[++i], 1, 19);
        else if (a == "-" || !a.starts_with("-"))
            out.files.emplace_back(a);
        else
            throw std::runtime_error(usage);
    }
    if (out.files.empty())
        out.files.emplace_back("-");
    return out;
}

/// The event of a line as it is on the wire; empty if the line is none. `console` prints `type {…}`.
std::string event_of(std::string_view line)
{
    if (line.starts_with("{\"type\":\""))
        return std::string(line);
    auto const space = std::min(line.find(' '), line.size());
    auto const type = line.substr(0, space), data = line.substr(std::min(space + 1, line.size()));
    bool const named = !type.empty() && std::ranges::all_of(type, [](unsigned char c) {
        return std::isalnum(c) || std::strchr("_-./", c) != nullptr;
    });
    if (!named || !data.starts_with("{") || !data.ends_with("}"))
        return {};
    return "{\"type\":\"" + std::string(type) + "\",\"data\":" + std::string(data) + "}";
}

struct samples {
    std::string bytes{};
    std::vector<std::size_t> sizes{};

    void add(std::string_view event)
    {
        bytes += event;
        sizes.push_back(event.size());
    }
    template <class F>
    void each(F f) const
    {
        std::size_t at = 0;
        for (std::size_t const size : sizes) {
            f(std::string_view(bytes).substr(at, size));
            at += size;
        }
    }
};

void read(std::istream& in, samples& into)
{
    for (std::string line; std::getline(in, line);)
        if (auto const event = event_of(line); !event.empty()) {
            if (into.bytes.size() + event.size() > most_bytes)
                throw std::runtime_error("more than 256 MiB of events: pass fewer files");
            into.add(event);
        }
    if (in.bad())
        throw std::runtime_error("reading failed");
}

samples read(std::vector<std::string> const& files)
{
    samples all;
    for (auto const& name : files) {
        if (name == "-") {
            read(std::cin, all);
            continue;
        }
        std::ifstream in(name, std::ios::binary);
        if (!in)
            throw std::runtime_error("cannot read " + name);
        read(in, all);
    }
    return all;
}

std::size_t checked(std::size_t result, char const* what)
{
    if (ZDICT_isError(result))
        throw std::runtime_error(std::string(what) + ": " + ZDICT_getErrorName(result));
    return result;
}

/// Chooses the content, then fits zstd's tables for what the content lacks to all samples at the level that is used.
std::string train(samples const& from, std::size_t bytes, int level)
{
    auto const count = static_cast<unsigned>(from.sizes.size());
    std::string chosen(bytes, '\0');
    chosen.resize(checked(ZDICT_trainFromBuffer(chosen.data(), bytes, from.bytes.data(), from.sizes.data(), count),
                          "the events have too little in common"));
    auto const header = checked(ZDICT_getDictHeaderSize(chosen.data(), chosen.size()), "training failed");

    // The number that each frame carries. `$hello` names the dictionary by a hash of 64 bits; this one need not be
    // unique, and below 256 it takes one byte of each event instead of four.
    unsigned sum = 0;
    for (char const c : chosen)
        sum = sum * 31 + static_cast<unsigned char>(c);
    ZDICT_params_t const parameters{.compressionLevel = level, .notificationLevel = 0, .dictID = 1 + sum % 255};
    std::string out(bytes, '\0');
    out.resize(checked(ZDICT_finalizeDictionary(out.data(), bytes, chosen.data() + header, chosen.size() - header,
                                                from.bytes.data(), from.sizes.data(), count, parameters),
                       "finishing failed"));
    return out;
}

template <class Policy>
std::size_t bytes_after(Policy const& policy, samples const& events)
{
    std::size_t sum = 0;
    pc::detail::byte_buffer out;
    events.each([&](std::string_view event) {
        out.clear();
        static_cast<void>(policy.compress(Policy::forms, out, event));
        sum += out.size();
    });
    return sum;
}

template <int Level>
void compare(samples const& events, std::string const& dictionary)
{
    auto const count = static_cast<double>(events.sizes.size());
    auto const stateless = static_cast<double>(bytes_after(pcc::zstd<Level>{}, events));
    auto const row = [&](char const* what, std::size_t sum) {
        std::printf("  %-42s %8.1f %8.2f\n", what, static_cast<double>(sum) / count,
                    stateless / static_cast<double>(sum));
    };
    std::printf("  %-42s %8s %8s\n", "", "bytes", "gain");
    row("as they are", events.bytes.size());
    row("without dictionary", bytes_after(pcc::zstd<Level>{}, events));
    using derived = pcc::zstd<Level, pcc::dictionary::of<catalog>>;
    row("derived from the event catalog", bytes_after(derived{}, events));
    row("trained",
        bytes_after(pcc::zstd<Level, pcc::dictionary::loaded>{pcc::options{.dictionary = dictionary}}, events));
}

void compare(int level, samples const& events, std::string const& dictionary)
{
    switch (level) {
    case 1: return compare<1>(events, dictionary);
    case 3: return compare<3>(events, dictionary);
    case 6: return compare<6>(events, dictionary);
    case 9: return compare<9>(events, dictionary);
    case 12: return compare<12>(events, dictionary);
    case 19: return compare<19>(events, dictionary);
    default: throw std::runtime_error("no level of 1, 3, 6, 9, 12, 19: " + std::to_string(level));
    }
}

void write(std::string const& name, std::string const& bytes)
{
    std::ofstream out(name, std::ios::binary);
    out.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    out.close();
    if (!out)
        throw std::runtime_error("cannot write " + name);
}

int main(int argc, char** argv)
{
    try {
        auto const given = parse(argc, argv);
        auto const all = read(given.files);
        auto const wanted = given.kib * 1024;
        if (all.sizes.size() < fewest_events)
            throw std::runtime_error(std::to_string(all.sizes.size()) + " events are too few; record " +
                                     std::to_string(fewest_events) + " at least, and better thousands");
        // The newest fifth is kept out of the training, to see what the dictionary does for events it has not seen.
        samples seen, unseen;
        std::size_t taken = 0;
        all.each([&](std::string_view event) { (taken++ < all.sizes.size() / 5 * 4 ? seen : unseen).add(event); });
        if (seen.bytes.size() < samples_per_byte * wanted)
            throw std::runtime_error(std::to_string(all.bytes.size() / 1024) +
                                     " KiB of events are too little for a dictionary of " + std::to_string(given.kib) +
                                     " KiB; record " + std::to_string(given.kib * samples_per_byte * 5 / 4) +
                                     " KiB, or pass a smaller --kib");
        auto const dictionary = train(seen, wanted, given.level);
        std::printf("zstd level %d, %zu events that the training has not seen, each by itself:\n", given.level,
                    unseen.sizes.size());
        compare(given.level, unseen, dictionary);
        write(given.out, dictionary);
        std::printf("%s: %zu bytes, from %zu events\n", given.out.c_str(), dictionary.size(), seen.sizes.size());
    } catch (std::exception const& e) {
        std::fprintf(stderr, "train: %s\n", e.what());
        return 1;
    }
}
