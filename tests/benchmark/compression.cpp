// What each way to compress makes of recorded events, and what it costs:
//   compression DICTIONARY RECORDING [ANOTHER]...
// One event a line. Every result is inflated again and compared. Times are the best of five rounds on one thread. Of
// further recordings only the gain of the dictionary is told.
#include "../../examples/hub/events.hpp"

#include <polycast/polycast.hpp>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <fstream>
#include <iterator>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include <zstd.h>

namespace pc = polycast;
namespace pcc = polycast::compression;

namespace {

constexpr std::size_t wanted_events = 20'000;
constexpr int rounds = 5;
constexpr std::size_t most = std::size_t{1} << 24;

using catalog = pc::events<hub::agent_error, hub::agent_started, hub::agent_completed, hub::agent_thinking,
                           hub::tool_executing, hub::tool_completed>;

std::string whole_file(char const* name)
{
    std::ifstream in(name, std::ios::binary);
    if (!in)
        throw std::runtime_error(std::string("cannot read ") + name);
    return {std::istreambuf_iterator<char>(in), {}};
}

/// The first 20,000 events of agents. The hub's other traffic, a second's figures and greetings, is not counted.
std::vector<std::string> events_of(char const* name)
{
    std::ifstream in(name);
    if (!in)
        throw std::runtime_error(std::string("cannot read ") + name);
    std::vector<std::string> out;
    for (std::string line; out.size() < wanted_events && std::getline(in, line);)
        if (line.starts_with("{\"type\":\"agent_") || line.starts_with("{\"type\":\"tool_"))
            out.push_back(line);
    if (out.size() < wanted_events)
        throw std::runtime_error(std::string(name) + " has but " + std::to_string(out.size()) + " events of agents");
    return out;
}

struct figures {
    std::size_t bytes = 0;
    double compress_us = 0, decompress_us = 0;
};

double microseconds_each(std::chrono::steady_clock::duration d, std::size_t count)
{
    return std::chrono::duration<double, std::micro>(d).count() / static_cast<double>(count);
}

/// `make` gives a pair of ends for one round: `pack(out, in)`, false if it travels as it is, and `unpack(out, in)`.
template <class Make>
figures measure(std::vector<std::string> const& events, Make make)
{
    figures best{0, 1e9, 1e9};
    for (int round = 0; round < rounds; ++round) {
        auto ends = make();
        std::vector<std::string> packed;
        std::vector<bool> is_packed;
        packed.reserve(events.size());
        pc::detail::byte_buffer out;
        std::chrono::steady_clock::duration spent{}, spent_back{};
        std::size_t bytes = 0;
        for (auto const& event : events) {
            out.clear();
            auto const begun = std::chrono::steady_clock::now();
            bool const done = ends.pack(out, event);
            spent += std::chrono::steady_clock::now() - begun;
            packed.emplace_back(done ? out.view() : std::string_view(event));
            is_packed.push_back(done);
            bytes += packed.back().size();
        }
        for (std::size_t i = 0; i < events.size(); ++i) {
            out.clear();
            auto const begun = std::chrono::steady_clock::now();
            bool const done = !is_packed[i] || ends.unpack(out, packed[i]);
            spent_back += std::chrono::steady_clock::now() - begun;
            if (!done || (is_packed[i] && out.view() != events[i]))
                throw std::runtime_error("an event does not come back as it was");
        }
        best.bytes = bytes;
        best.compress_us = std::min(best.compress_us, microseconds_each(spent, events.size()));
        best.decompress_us = std::min(best.decompress_us, microseconds_each(spent_back, events.size()));
    }
    return best;
}

template <class Policy>
struct stateless {
    Policy const& policy;
    std::uint8_t form;
    bool pack(pc::detail::byte_buffer& out, std::string_view in) { return policy.compress(form, out, in); }
    bool unpack(pc::detail::byte_buffer& out, std::string_view in) { return !policy.decompress(form, out, in, most); }
};

template <class Ends>
std::size_t packed_bytes(Ends ends, std::string const& event)
{
    pc::detail::byte_buffer out;
    return ends.pack(out, event) ? out.size() : event.size();
}

/// What no policy does: one zstd stream a connection.
struct streaming {
    std::unique_ptr<ZSTD_CCtx, std::size_t (*)(ZSTD_CCtx*)> packer{ZSTD_createCCtx(), ZSTD_freeCCtx};
    std::unique_ptr<ZSTD_DCtx, std::size_t (*)(ZSTD_DCtx*)> unpacker{ZSTD_createDCtx(), ZSTD_freeDCtx};
    bool pack(pc::detail::byte_buffer& out, std::string_view in)
    {
        ZSTD_CCtx_setParameter(packer.get(), ZSTD_c_compressionLevel, 3);
        ZSTD_inBuffer from{in.data(), in.size(), 0};
        std::size_t left = 0;
        do {
            auto const room = ZSTD_CStreamOutSize();
            ZSTD_outBuffer to{out.prepare(room), room, 0};
            left = ZSTD_compressStream2(packer.get(), &to, &from, ZSTD_e_flush);
            out.commit(to.pos);
        } while (left != 0 && !ZSTD_isError(left));
        return true;
    }
    bool unpack(pc::detail::byte_buffer& out, std::string_view in)
    {
        ZSTD_inBuffer from{in.data(), in.size(), 0};
        auto const room = ZSTD_DStreamOutSize();
        ZSTD_outBuffer to{out.prepare(room), room, 0};
        bool const good = !ZSTD_isError(ZSTD_decompressStream(unpacker.get(), &to, &from));
        out.commit(to.pos);
        return good && from.pos == from.size;
    }
};

#if POLYCAST_WITH_ZLIB
struct remembering {
    using policy = pcc::deflate<pcc::dedicated>;
    std::unique_ptr<policy::context> server, client;
    bool pack(pc::detail::byte_buffer& out, std::string_view in) { return server->compress(out, in); }
    bool unpack(pc::detail::byte_buffer& out, std::string_view in) { return !client->decompress(out, in, most); }
};
#endif

}  // namespace

int main(int argc, char** argv)
{
    try {
        if (argc < 3)
            throw std::runtime_error("usage: compression DICTIONARY RECORDING [ANOTHER]...");
        pcc::options options;
        options.min_bytes = 1;  // deflate too compresses every one
        options.dictionary = whole_file(argv[1]);
        auto const events = events_of(argv[2]);

        std::size_t plain = 0;
        for (auto const& event : events)
            plain += event.size();
        auto const count = static_cast<double>(events.size());
        std::printf("%zu recorded events of agents, %.1f bytes on average, each compressed when it is emitted\n\n",
                    events.size(), static_cast<double>(plain) / count);
        std::printf("| way | one encoding for all receivers | bytes after | zstd without dictionary is | compress µs | "
                    "decompress µs |\n"
                    "|---|---|---|---|---|---|\n");

        pcc::zstd<3> const without{options};
        auto const base = measure(events, [&] { return stateless<pcc::zstd<3>>{without, 1}; });
        auto const row = [&](char const* what, bool shared, figures const& f) {
            std::printf("| %s | %s | %.1f | %.2f × | %.2f | %.2f |\n", what, shared ? "yes" : "no",
                        static_cast<double>(f.bytes) / count,
                        static_cast<double>(base.bytes) / static_cast<double>(f.bytes), f.compress_us, f.decompress_us);
            std::fflush(stdout);
        };
#if POLYCAST_WITH_ZLIB
        pcc::deflate<pcc::shared> const forgetting{options};
        row("deflate without takeover", true, measure(events, [&] {
                return stateless<pcc::deflate<pcc::shared>>{forgetting, 1};
            }));
        remembering::policy const takeover{options};
        row("deflate with takeover", false, measure(events, [&] {
                return remembering{takeover.make_context({}, pc::role::server),
                                   takeover.make_context({}, pc::role::client)};
            }));
#endif
        row("zstd 3 without dictionary", true, base);
        using derived = pcc::zstd<3, pcc::dictionary::of<catalog>>;
        derived const names{options};
        row("zstd 3, dictionary of field names", true, measure(events, [&] { return stateless<derived>{names, 2}; }));
        using loaded = pcc::zstd<3, pcc::dictionary::loaded>;
        loaded const trained{options};
        auto const best = measure(events, [&] { return stateless<loaded>{trained, 2}; });
        row(("zstd 3, trained dictionary of " + std::to_string((options.dictionary.size() + 1023) / 1024) + " KiB")
                .c_str(),
            true, best);
        row("zstd 3, one stream a connection", false, measure(events, [] { return streaming(); }));

        streaming one;
        pc::detail::byte_buffer out;
        for (auto const& event : events)
            if (one.pack(out, event))
                out.clear();
        std::printf("\na stream of zstd 3 holds %zu KiB in its sender\n", ZSTD_sizeof_CCtx(one.packer.get()) / 1024);
        double const gain = static_cast<double>(base.bytes) / static_cast<double>(best.bytes);
        for (int i = 3; i < argc; ++i) {
            auto const others = events_of(argv[i]);
            std::size_t plainly = 0, with_it = 0;
            for (auto const& event : others) {
                plainly += packed_bytes(stateless<pcc::zstd<3>>{without, 1}, event);
                with_it += packed_bytes(stateless<loaded>{trained, 2}, event);
            }
            std::printf("%s: %.1f bytes after with it, %.1f without, %.2f ×\n", argv[i],
                        static_cast<double>(with_it) / count, static_cast<double>(plainly) / count,
                        static_cast<double>(plainly) / static_cast<double>(with_it));
        }
        std::printf("%s: the trained dictionary reaches %.2f × stateless zstd (3 is wanted)\n",
                    gain >= 3 ? "met" : "NOT MET", gain);
        return gain >= 3 ? 0 : 3;
    } catch (std::exception const& e) {
        std::fprintf(stderr, "compression: %s\n", e.what());
        return 1;
    }
}
