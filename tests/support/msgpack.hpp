#pragma once

// MessagePack in tests: bytes written as JSON or hexadecimal, and what a decoder says of them.

#include <polycast/detail/byte_buffer.hpp>
#include <polycast/event/describe.hpp>
#include <polycast/serializer/msgpack.hpp>

#include <boost/test/unit_test.hpp>

#include <concepts>
#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace support {

namespace pc = polycast;

/// "c0 01" → two bytes.
inline std::string from_hex(std::string_view hex)
{
    std::string out;
    int high = -1;
    for (char const c : hex) {
        if (c == ' ')
            continue;
        int const digit = c <= '9' ? c - '0' : c - 'a' + 10;
        if (high < 0) {
            high = digit;
        } else {
            out += static_cast<char>(high * 16 + digit);
            high = -1;
        }
    }
    return out;
}
inline std::string to_hex(std::string_view bytes)
{
    std::string out;
    for (char const c : bytes) {
        out += out.empty() ? "" : " ";
        out += "0123456789abcdef"[(c >> 4) & 15];
        out += "0123456789abcdef"[c & 15];
    }
    return out;
}

/// One JSON value as MessagePack.
inline std::string packed(std::string_view json)
{
    pc::detail::byte_buffer out;
    BOOST_REQUIRE(pc::detail::json_to_msgpack(out, json) == pc::serializer_error{});
    return std::string(out.view());
}
/// MessagePack values, back to back, as JSON, a line each.
inline std::string unpacked(std::string_view bytes)
{
    pc::decode_limits const limits;
    pc::detail::msgpack_reader in({bytes.data(), bytes.size()}, limits);
    pc::detail::byte_buffer out;
    while (in.next_object()) {
        if (!out.empty())
            out.push_back('\n');
        if (!pc::detail::msgpack_to_json(in, out, nullptr))
            return "cannot be read: " + in.error().message;
    }
    return std::string(out.view());
}
template <class E>
std::string encoded(E const& event, pc::envelope_head const& head = {})
{
    pc::detail::byte_buffer out;
    BOOST_REQUIRE(!pc::serializer::msgpack::encode(out, head, event));
    return std::string(out.view());
}

/// Writes down what a decoder says; keeps the events of type `Kept`.
template <class Kept>
struct recorder {
    struct fault {
        std::error_code code;
        std::string path, type, id;
        std::size_t at_byte;
    };
    std::vector<std::string> calls{};
    std::vector<Kept> kept{};
    std::vector<fault> faults{};
    std::string id{}, timestamp{};
    pc::envelope last{};
    std::size_t stop_after = 1000;

    template <class E>
    void event(pc::envelope const& around, E&& e)
    {
        take(around);
        calls.push_back("event " + std::string(pc::event_name<std::remove_cvref_t<E>>));
        if constexpr (std::same_as<std::remove_cvref_t<E>, Kept>)
            kept.push_back(std::forward<E>(e));
    }
    void control(pc::envelope const& around)
    {
        take(around);
        calls.push_back("control " + std::string(around.type));
    }
    void unknown(pc::envelope const& around)
    {
        take(around);
        calls.push_back("unknown " + std::string(around.type) + " " + std::string(around.data));
    }
    void error(pc::envelope const& around, pc::decode_error const& e)
    {
        calls.push_back("error");
        faults.push_back({e.code, e.path, std::string(around.type), std::string(around.id), e.at_byte});
        BOOST_TEST(!e.message.empty());
    }
    [[nodiscard]] bool stopped() const { return calls.size() >= stop_after; }

private:
    void take(pc::envelope const& around)
    {
        last = around;
        id = around.id;  // these two do not point into the payload
        timestamp = around.timestamp;
    }
};

/// The payload lives in a block of exactly its size: a sanitizer sees a read beyond it.
template <class Catalog, class Kept, class Serializer = pc::serializer::msgpack>
struct decoding {
    std::unique_ptr<char[]> bytes;
    recorder<Kept> r{};
    explicit decoding(std::string_view payload, pc::decode_limits limits = {}, std::size_t stop_after = 1000)
        : bytes(new char[payload.size()])
    {
        r.stop_after = stop_after;
        payload.copy(bytes.get(), payload.size());
        Serializer::template decode<Catalog>(std::span(bytes.get(), payload.size()), limits, r);
    }
};

}  // namespace support
