#pragma once

// What is said once permessage-deflate is agreed on, to see that both ends keep to what they agreed.

#include "engine.hpp"
#include "zlib_peer.hpp"

#if POLYCAST_WITH_ZLIB
#include <memory>
#include <string>

namespace rfc {

/// Text that repeats itself within 512 bytes, within 16 KiB, and from one message to the next.
inline std::string chatter(int i)
{
    static std::string const page = hex(noise(4000)) + letters(3000);
    return page.substr(0, 700) + page.substr(0, 700) + page + std::to_string(i) + page;
}

/// The test's other end, as the answer has it.
inline std::shared_ptr<zlib_peer> other_end(deflate_answer const& a, bool we_are_the_client)
{
    zlib_peer::side const of_client{a.client_bits.value_or(15), a.client_forgets};
    zlib_peer::side const of_server{a.server_bits.value_or(15), a.server_forgets};
    return we_are_the_client ? std::make_shared<zlib_peer>(of_client, of_server)
                             : std::make_shared<zlib_peer>(of_server, of_client);
}

/// Messages there and back, compressed as was agreed. Empty if each came back as it was said.
template <class Side, class End>
std::string converse(Side& side, End& end, zlib_peer& peer)
{
    std::vector<message> said;
    std::size_t packed = 0;
    for (int i = 0; i < 4; ++i) {
        said.push_back({i == 2 ? unsigned{binary} : unsigned{text}, chatter(i)});
        end.write(encode(frame(said.back().op, peer.compress(said.back().payload), true, 4), Side::role == of_server));
        side.until([&] { return end.over() || end.said.messages.size() >= said.size(); });
        if (end.said.messages.size() < said.size())
            return "message " + std::to_string(i) + " does not come back: " + end.said.fault + name_of(end.said);
        message& m = end.said.messages.back();
        packed += m.rsv1;
        if (std::exchange(m.rsv1, false))
            m.payload = peer.decompress(m.payload);
        if (!(m == said.back()))
            return "message " + std::to_string(i) + " comes back as " + m.payload.substr(0, 60);
    }
    end.write(encode(close_of(1000), Side::role == of_server));
    auto const fault = judge_end(side, end, 1000);
    return fault.empty() && packed == 0 ? "nothing came back compressed" : fault;
}

}  // namespace rfc
#endif
