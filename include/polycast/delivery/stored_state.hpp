#pragma once

#include <polycast/frame/opcode.hpp>
#include <polycast/outbox/lane.hpp>
#include <polycast/outbox/shared_frame.hpp>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace polycast::inline v0::delivery {

/// An event of a session, or a range of numbers that no event has.
struct stored_entry {
    std::uint64_t id = 0;      ///< while it waits for its number; 0 from then on
    std::uint64_t number = 0;  ///< 0: not numbered yet
    lane lane_ = lane::normal;
    bool critical = false;
    opcode op = opcode::text;
    bool rsv1 = false;
    std::uint8_t form = 0;     ///< of compression, 0: plain; what it meant is for the server to know
    std::string_view payload;  ///< of `frame`, and lives as long
    frame_ref frame;           ///< one for all entries that had one when they were accepted; none in a gap
    std::uint64_t skipped = 0;  ///< not 0: a gap of so many numbers, the first of them `number`
    std::string reason;         ///< of the gap
};

/// A request of a client that has its answer.
struct stored_request {
    std::string id;
    std::string answer;  ///< payload of the control answer; empty: it was a typed reply
};

struct stored_session {
    std::uint64_t id = 0;
    std::string name, user;
    std::uint64_t count = 0;  ///< numbers given
    std::uint64_t acked = 0;  ///< of these, the highest that the client has acknowledged
    std::uint64_t owed = 0;   ///< events that were dropped before they had a number
    std::vector<std::string> rooms;
    std::vector<stored_entry> entries;     ///< the numbered ones by number, then those that wait, by id
    std::vector<stored_request> requests;  ///< the oldest first, each id once
};

struct stored_room {
    struct event {
        std::uint64_t offset = 0;
        std::int64_t at_ms = 0;  ///< since 1970, UTC
        opcode op = opcode::text;
        std::string_view payload;  ///< of `frame`, and lives as long
        frame_ref frame;
    };
    std::string name;
    std::uint64_t offset = 0;   ///< the last one given
    std::vector<event> events;  ///< one offset after the other; the last is `offset`, if there are any
};

/// All that a durable log has.
struct stored_state {
    std::string epoch;  ///< empty: of a new log
    std::vector<stored_session> sessions;
    std::vector<stored_room> rooms;
    std::uint64_t history_floor = 0;  ///< no room that was forgotten had a higher offset
    std::uint64_t last_id = 0;  ///< no session and no waiting entry has a higher one
};

}  // namespace polycast::inline v0::delivery
