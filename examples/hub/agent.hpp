// The agent: plans, uses the tools, and answers from what they found.
#pragma once

#include "events.hpp"
#include "run.hpp"
#include "workspace.hpp"

namespace hub {

/// Works out the answer to `asked`, telling `r` each step; the caller ends the run with what is returned. Takes up to
/// the budget's time: call it on a thread that may wait.
[[nodiscard]] conclusion answer(run& r, workspace const& in, question const& asked, budget const& b);

}  // namespace hub
