// A client of the library for echo servers of others: echo_client URL [OPTION...]
//   --deflate shared|dedicated   offers permessage-deflate
//   --ca FILE                    whom to trust (wss)
//   --insecure                   trusts anybody (wss)
//   --proxy URL                  has this proxy open a tunnel
//   --longest BYTES              of the messages that are sent; 1 MiB if not given
//   --max-message BYTES          longer ones are refused
// Sends messages of many lengths and both kinds, a few at a time, and checks that each comes back as it was and in its
// order. Then it closes, says in `name=value` words what there was, and ends with status 0, or 1 if something is amiss.
#include <polycast/client.hpp>
#include <polycast/compression/deflate.hpp>
#include <polycast/serializer/raw.hpp>
#include <polycast/transport/tls.hpp>

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace pc = polycast;

struct message {
    std::string payload;
    pc::opcode op;
};

/// Text that is that long in UTF-8 and repeats itself as people do.
std::string prose(std::size_t length)
{
    std::string text;
    for (unsigned i = 0; text.size() < length; ++i)
        text += "an agent thinks about œuvre " + std::to_string(i * 7919 % 1000) + " and naïveté, ";
    text.resize(length);
    std::size_t cut = length;  // not within a letter
    while (cut > 0 && (static_cast<unsigned char>(text[cut - 1]) & 0x80) != 0)
        text[--cut] = '.';
    return text;
}
/// Bytes that no compressor makes smaller.
std::string noise(std::size_t length)
{
    std::string bytes(length, '\0');
    std::uint64_t state = 88172645463325252 + length;  // Marsaglia's xorshift64
    for (char& c : bytes) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        c = static_cast<char>(state >> 32);
    }
    return bytes;
}
std::vector<message> all_messages(std::size_t longest)
{
    std::vector<message> all;
    for (std::size_t const length :
         {0u, 1u, 2u, 125u, 126u, 127u, 128u, 129u, 1000u, 65535u, 65536u, 65537u, 1u << 20, 1u << 24})
        if (length <= longest)
            for (pc::opcode const op : {pc::opcode::text, pc::opcode::binary}) {
                all.push_back({prose(length), op});
                if (op == pc::opcode::binary)
                    all.push_back({noise(length), op});
            }
    for (std::size_t i = 0; i < 300; ++i)
        all.push_back({prose(i), pc::opcode::text});
    return all;
}

struct check {
    std::vector<message> messages;
    std::size_t sent = 0, back = 0;
    std::string amiss{};

    void opened(auto& session) { send(session); }
    void on(auto& session, pc::message const& m)
    {
        message const* const expected = back < sent ? &messages[back] : nullptr;
        if (expected == nullptr || m.op != expected->op || m.payload != expected->payload) {
            auto const told = [](std::string_view payload, pc::opcode op) {
                return std::to_string(payload.size()) + " bytes of kind " + std::to_string(static_cast<int>(op));
            };
            amiss = "message " + std::to_string(back) + " came back as " + told(m.payload, m.op);
            if (expected != nullptr)
                amiss += ", and was " + told(expected->payload, expected->op);
            return session.close(pc::close_code::internal_error);
        }
        if (++back == messages.size())
            session.close();
        else
            send(session);
    }
    void closed(auto&, pc::close_info const& info)
    {
        if (amiss.empty() && (back != messages.size() || info.code != pc::close_code::normal))
            amiss = "closed " + std::to_string(static_cast<int>(info.code)) + (info.by_peer ? " by the server" : "") +
                    ": \"" + info.reason + "\", with " + std::to_string(back) + " messages back";
    }
    void failed(std::error_code ec, unsigned, std::chrono::milliseconds) { amiss = "not connected: " + ec.message(); }

private:
    void send(auto& session)
    {
        for (; sent < messages.size() && sent < back + 8; ++sent)
            if (!pc::accepted(session.send(messages[sent].payload, messages[sent].op))) {
                amiss = "message " + std::to_string(sent) + " was not taken";
                return session.close(pc::close_code::internal_error);
            }
    }
};

template <class Compression, class Transport>
int talk(pc::client_options const& options, std::size_t longest, Transport const& transport)
{
    using echo_client = pc::client<check, Transport, pc::serializer::raw, Compression>;
    echo_client client{options, check{all_messages(longest)}, transport};
    client.run();
    auto const count = [&](pc::metric m) { return static_cast<unsigned long long>(client.observer().read(m)); };
    std::size_t payload_bytes = 0;
    for (message const& m : client.app().messages)
        payload_bytes += m.payload.size();
    std::printf("messages=%zu payload_bytes=%zu compressed=%llu bytes_out=%llu bytes_in=%llu\n", client.app().back,
                payload_bytes, count(pc::metric::compressions), count(pc::metric::bytes_out),
                count(pc::metric::bytes_in));
    if (!client.app().amiss.empty())
        std::fprintf(stderr, "echo_client: %s\n", client.app().amiss.c_str());
    return client.app().amiss.empty() ? 0 : 1;
}

template <class Transport>
int talk(pc::client_options const& options, std::string_view deflate, std::size_t longest, Transport const& transport)
{
#if POLYCAST_WITH_ZLIB
    if (deflate == "shared")
        return talk<pc::compression::deflate<pc::compression::shared>>(options, longest, transport);
    if (deflate == "dedicated")
        return talk<pc::compression::deflate<pc::compression::dedicated>>(options, longest, transport);
#endif
    if (!deflate.empty())
        throw std::runtime_error("no such way to deflate");
    return talk<pc::compression::identity>(options, longest, transport);
}

int main(int argc, char** argv)
try {
    pc::client_options options{.reconnect = false, .max_queued_bytes = 256 * 1024 * 1024};
    std::string deflate;
    std::size_t longest = 1 << 20;
#if POLYCAST_WITH_OPENSSL
    pc::transport::tls_options tls;
#endif
    for (int i = 1; i < argc; ++i) {
        std::string_view const name = argv[i];
        auto const value = [&]() -> char const* {
            return i + 1 < argc ? argv[++i] : throw std::runtime_error("no value");
        };
        if (name == "--deflate")
            deflate = value();
        else if (name == "--proxy")
            options.proxy = value();
        else if (name == "--longest")
            longest = std::strtoul(value(), nullptr, 10);
        else if (name == "--max-message")
            options.max_message_bytes = std::strtoul(value(), nullptr, 10);
#if POLYCAST_WITH_OPENSSL
        else if (name == "--ca")
            tls.ca_file = value();
        else if (name == "--insecure")
            tls.insecure_accept_any_server = true;
#endif
        else if (options.url.empty() && !name.starts_with("-"))
            options.url = name;
        else
            throw std::runtime_error("unknown argument " + std::string(name));
    }
#if POLYCAST_WITH_OPENSSL
    if (options.url.starts_with("wss:"))
        return talk(options, deflate, longest, pc::transport::tls{tls});
#endif
    return talk(options, deflate, longest, pc::transport::tcp{});
} catch (std::exception const& e) {
    std::fprintf(stderr, "%s: %s\n", argv[0], e.what());
    return 2;
}
