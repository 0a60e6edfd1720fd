#include "machine.hpp"

#include <fstream>
#include <sstream>
#include <string>
#include <thread>

namespace hub {

machine::machine() : before_(count())
{
}

machine::counters machine::count()
{
    counters now{.at = std::chrono::steady_clock::now()};

    // cpu  user nice system idle iowait irq softirq steal …: proc(5). Guest time is part of user time already.
    std::ifstream stat("/proc/stat");
    std::string label;
    stat >> label;
    for (int column = 0; column != 8; ++column) {
        std::uint64_t ticks = 0;
        stat >> ticks;
        now.all += ticks;
        if (column != 3 && column != 4)
            now.busy += ticks;
    }

    // name: received-bytes and 7 more columns, sent-bytes …, below two lines of headings.
    std::ifstream net("/proc/net/dev");
    for (std::string line; std::getline(net, line);) {
        auto const colon = line.find(':');
        auto const name = line.find_first_not_of(' ');
        if (colon == std::string::npos || line.substr(name, colon - name) == "lo")
            continue;
        std::istringstream columns(line.substr(colon + 1));
        std::uint64_t value = 0;
        for (int column = 0; columns >> value; ++column) {
            if (column == 0)
                now.received += value;
            else if (column == 8)
                now.sent += value;
        }
    }
    return now;
}

live_data machine::read()
{
    live_data out;
    counters const now = count();
    auto const ratio = [](double part, double whole) { return whole > 0 && part > 0 ? part / whole : 0.0; };
    double const seconds = std::chrono::duration<double>(now.at - before_.at).count();
    // Some kernels let counters go back a little; a difference below 0 is shown as 0.
    auto const grown = [](std::uint64_t from, std::uint64_t to) {
        return to > from ? static_cast<double>(to - from) : 0;
    };
    out.cpu_percent = 100 * ratio(grown(before_.busy, now.busy), grown(before_.all, now.all));
    out.received_bytes_per_s = ratio(grown(before_.received, now.received), seconds);
    out.sent_bytes_per_s = ratio(grown(before_.sent, now.sent), seconds);
    before_ = now;

    out.cores = std::thread::hardware_concurrency();
    std::ifstream("/proc/loadavg") >> out.load_1 >> out.load_5 >> out.load_15;
    std::ifstream("/proc/uptime") >> out.uptime_s;

    std::ifstream memory("/proc/meminfo");
    std::uint64_t available_kib = 0;
    for (std::string name, rest; memory >> name; std::getline(memory, rest)) {
        std::uint64_t kib = 0;
        memory >> kib;
        if (name == "MemTotal:")
            out.memory_total_bytes = kib * 1024;
        else if (name == "MemAvailable:")
            available_kib = kib;
    }
    auto const available = available_kib * 1024;
    out.memory_used_bytes = out.memory_total_bytes > available ? out.memory_total_bytes - available : 0;
    return out;
}

}  // namespace hub
