#pragma once

#include <polycast/event/describe.hpp>
#include <polycast/event/values.hpp>

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

/// The messages of the protocol itself (see WIRE), as they are written. Views: they are encoded at once, never stored.
/// What comes in is read into an `envelope`.
namespace polycast::inline v0::control {

// Server to client

struct ok {
    std::optional<std::string_view> room{};
    std::optional<std::uint64_t> offset{};
    std::optional<std::string_view> epoch{};
    std::optional<bool> recovered{};
};

struct error_reply {
    std::string_view code;     ///< one of WIRE's error codes
    std::string_view message;  ///< for people
    std::optional<std::uint64_t> retry_after_ms{};
};

struct ack_terms {
    std::uint32_t every = 32;
    std::uint32_t within_ms = 500;
};

/// The dictionary that further frames are compressed with, and where a GET on the same port fetches it.
struct dictionary_reference {
    std::string_view id;
    std::string_view url;
};

struct hello {
    std::uint32_t version = 1;
    std::string_view session{};
    std::string_view epoch{};
    bool resumed = false;
    std::uint64_t heartbeat_ms = 0;
    ack_terms ack{};
    std::uint64_t max_message_bytes = 0;
    nullable<dictionary_reference> dictionary{};
};

struct gap {
    std::uint64_t from = 0;
    std::uint64_t to = 0;
    std::string_view reason{};
};

struct pong {};

struct bye {
    std::string_view reason{};
    std::array<std::uint64_t, 2> reconnect_after_ms{};
    nullable<std::string_view> url{};
};

// Client to server

struct open {
    std::optional<std::string_view> session{};
    std::optional<std::uint64_t> received{};
    std::optional<std::string_view> token{};
};

struct ack {
    std::uint64_t received = 0;
};

struct join {
    std::string_view room{};
    std::optional<std::uint64_t> since{};
    std::optional<std::string_view> epoch{};
};

struct leave {
    std::string_view room{};
};

struct ping {};

struct credit {
    std::string_view room{};
    std::uint64_t events = 0;
};

}  // namespace polycast::inline v0::control

namespace polycast::inline v0 {

/// What a handler returns to refuse a request: it is answered with `$error` and the request's id.
struct refusal {
    std::string code = "forbidden";  ///< one of WIRE's error codes, or the program's own
    std::string message{};           ///< for people
    std::optional<std::uint64_t> retry_after_ms{};
};

namespace detail {
struct control_message {
    static constexpr bool control = true;
    static constexpr polycast::lane lane = polycast::lane::high;
    static constexpr bool critical = true;
};
}  // namespace detail

template <>
struct event_traits<control::ok> : detail::control_message {
    static constexpr std::string_view name = "$ok";
};
template <>
struct event_traits<control::error_reply> : detail::control_message {
    static constexpr std::string_view name = "$error";
};
template <>
struct event_traits<refusal> : detail::control_message {
    static constexpr std::string_view name = "$error";
};
template <>
struct event_traits<control::hello> : detail::control_message {
    static constexpr std::string_view name = "$hello";
};
template <>
struct event_traits<control::gap> : detail::control_message {
    static constexpr std::string_view name = "$gap";
};
template <>
struct event_traits<control::pong> : detail::control_message {
    static constexpr std::string_view name = "$pong";
};
template <>
struct event_traits<control::bye> : detail::control_message {
    static constexpr std::string_view name = "$bye";
};
template <>
struct event_traits<control::open> : detail::control_message {
    static constexpr std::string_view name = "$open";
};
template <>
struct event_traits<control::ack> : detail::control_message {
    static constexpr std::string_view name = "$ack";
};
template <>
struct event_traits<control::join> : detail::control_message {
    static constexpr std::string_view name = "$join";
};
template <>
struct event_traits<control::leave> : detail::control_message {
    static constexpr std::string_view name = "$leave";
};
template <>
struct event_traits<control::ping> : detail::control_message {
    static constexpr std::string_view name = "$ping";
};
template <>
struct event_traits<control::credit> : detail::control_message {
    static constexpr std::string_view name = "$credit";
};

}  // namespace polycast::inline v0
