#pragma once

#include <polycast/compression/policy.hpp>
#include <polycast/event/catalog.hpp>
#include <polycast/event/control.hpp>
#include <polycast/event/envelope.hpp>
#include <polycast/serializer/error.hpp>
#include <polycast/serializer/policy.hpp>
#include <polycast/session/handle.hpp>
#include <polycast/session/keepalive.hpp>
#include <polycast/session/opening.hpp>
#include <polycast/session/session.hpp>

#include <cstdint>
#include <span>
#include <string>

namespace polycast::inline v0::detail {

/// What the first message of a client that agreed on a subprotocol does: `$open` begins a session or resumes one (WIRE,
/// reliable mode).
template <class Shard>
struct greeting {
    using session_type = typename Shard::session_type;
    using C = typename Shard::composition_type;

    Shard& shard;
    session_type& s;

    /// `$open` begins a session, or resumes one, whose connection this has become.
    void open(envelope const& e)
    {
        bool const first = s.phase_ == phase::greeting;
        control::hello hello;
        std::string name;
        if constexpr (!C::delivery::resumes) {
            name = "s_" + std::string(shard.epoch()) + "_" + std::to_string(s.handle_.value());  // opens nothing
            hello.session = name;
        } else {
            if (!first)
                return static_cast<void>(shard.emit_to(
                    s, control::error_reply{"bad_message", "$open: only as the first message"}, envelope_head{.id_json = e.id}));
            hello.resumed = static_cast<bool>(s.ledger_);
            if (!s.ledger_)
                shard.keeps().begin(s);
            auto const& options = shard.options().delivery;
            hello.session = s.ledger_->name;
            hello.ack = {options.ack_every, static_cast<std::uint32_t>(options.ack_within.count())};
        }
        hello.epoch = shard.epoch();
        hello.heartbeat_ms = static_cast<std::uint64_t>(shard.options().heartbeat.interval.count());
        hello.max_message_bytes = shard.options().max_message_bytes;
        std::string url;
        std::uint8_t next_form = s.profile_;
        if constexpr (has_dictionary<typename C::compression>)
            if (auto const dictionary = shard.codec().dictionary();
                first && (next_form = shard.codec().hello_form(s.profile_)) != s.profile_) {
                url = dictionary_path(dictionary.id);
                hello.dictionary.value = control::dictionary_reference{dictionary.id, url};
            }
        if (first)
            keepalive<Shard>::begin(shard, s);
        // Past the mailbox: nothing may come before it.
        static_cast<void>(shard.out().emit(s, hello, envelope_head{.id_json = e.id}));
        set_profile(next_form);
        if (s.phase_ != phase::open)
            return;
        if (hello.resumed) {
            if constexpr (C::delivery::resumes)
                shard.keeps().resume(s, e.received.value_or(0));
        } else if (first) {
            opening<Shard>::begin(shard, s);
        }
    }
    /// True if `payload`, the first message, resumes a session: then the connection goes there, and the message with it.
    [[nodiscard]] bool moves([[maybe_unused]] std::span<char> payload)
    {
        if constexpr (C::delivery::resumes)
            if (s.phase_ == phase::greeting && !s.unknown_) {
                std::string first(payload.data(), payload.size());
                first_word word;
                decode_limits limits;
                C::serializer::template decode<polycast::events<>>({first.data(), first.size()}, limits, word);
                if (handle const to = shard.keeps().wanted(s, word.type, word.session)) {
                    shard.keeps().moves(s, to, word.received, {payload.data(), payload.size()});
                    return true;
                }
            }
        return false;
    }

private:
    void set_profile(std::uint8_t form)
    {
        if (s.admitted_ && form != s.profile_) {
            shard.shared().profiles.raise(form);
            shard.shared().profiles.lower(s.profile_);
        }
        s.profile_ = form;
    }
    /// What the first object of a payload says.
    struct first_word {
        std::string type{}, session{};
        std::uint64_t received = 0;
        bool done = false;

        void control(envelope const& e)
        {
            type = e.type;
            session = e.session;
            received = e.received.value_or(0);
            done = true;
        }
        template <class E>
        void event(envelope const&, E&&)
        {
            done = true;
        }
        void unknown(envelope const&) { done = true; }
        void error(envelope const&, decode_error const&) { done = true; }
        [[nodiscard]] bool stopped() const noexcept { return done; }
    };
};

}  // namespace polycast::inline v0::detail
