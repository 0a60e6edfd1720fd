// One run of an agent, told to its user: starts and ends come in pairs, whatever happens between.
#pragma once

#include "events.hpp"
#include "workspace.hpp"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <exception>
#include <string>
#include <utility>

namespace hub {

class stopwatch {
public:
    [[nodiscard]] std::int64_t ms() const
    {
        using namespace std::chrono;
        return duration_cast<milliseconds>(steady_clock::now() - from_).count();
    }

private:
    std::chrono::steady_clock::time_point from_ = std::chrono::steady_clock::now();
};

/// How a run ended: `success`, `failed` or `cancelled`, and the answer or the reason.
struct conclusion {
    std::string status, response;
};

/// Emits `agent_started` when it begins and exactly one `agent_completed` when it ends. What becomes of an event (the
/// user may have gone) does not change the run: it is short, and other connections of the user may come.
class run {
public:
    run(reply_to out, std::string id, std::string const& thread, std::string const& question)
        : out_(std::move(out)), id_(std::move(id))
    {
        out_.emit(agent_started{id_, thread, "source_reader", std::chrono::system_clock::now(), question});
    }
    run(run const&) = delete;
    ~run()
    {
        if (!ended_)
            end({"failed", "The run ended unexpectedly."});
    }

    /// Tells the user what is done next, and why.
    void think(std::string reasoning)
    {
        auto const step = ++step_;
        auto const progress = std::min<std::uint32_t>(99, 100 * (step - 1) / usual_steps);
        out_.emit(agent_thinking{id_, std::move(reasoning), step, progress});
    }
    /// Calls `work(results)` between `tool_executing` and `tool_completed`, and returns what it returns. What it throws
    /// is told as an error and goes on.
    template <class Work>
    auto tool(std::string const& name, object parameters, Work work)
    {
        auto const call = id_ + "." + std::to_string(++calls_);
        stopwatch const watch;
        out_.emit(tool_executing{id_, name, call, std::move(parameters)});
        object results;
        try {
            auto value = work(results);
            out_.emit(tool_completed{id_, name, call, "success", std::move(results), watch.ms()});
            return value;
        } catch (std::exception const& e) {
            out_.emit(tool_completed{id_, name, call, "error", {{"error", std::string(e.what())}}, watch.ms()});
            throw;
        } catch (cancelled const&) {
            out_.emit(tool_completed{id_, name, call, "error", {{"error", std::string("cancelled")}}, watch.ms()});
            throw;
        }
    }
    void end(conclusion c)
    {
        ended_ = true;
        out_.emit(agent_completed{id_, std::move(c.status), std::move(c.response), watch_.ms()});
    }

private:
    static constexpr std::uint32_t usual_steps = 3;

    reply_to out_;
    std::string id_;
    std::uint32_t step_ = 0, calls_ = 0;
    bool ended_ = false;
    stopwatch watch_;
};

}  // namespace hub
