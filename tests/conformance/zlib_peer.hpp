#pragma once

// permessage-deflate (RFC 7692) as another implementation does it: zlib as it is, and strict about what was agreed.

#include <polycast/config.hpp>

#if POLYCAST_WITH_ZLIB
#include "../support/foreign_deflate.hpp"
#include "table.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>

namespace rfc {

/// What an answer says of permessage-deflate.
struct deflate_answer {
    bool legal = true;
    bool server_forgets = false, client_forgets = false;
    std::optional<int> server_bits{}, client_bits{};
};
inline deflate_answer read_deflate_answer(std::string_view text)
{
    deflate_answer a;
    bool first = true;
    for (std::size_t at = 0; at <= text.size();) {
        std::size_t const end = std::min(text.find(';', at), text.size());
        std::string_view one = text.substr(at, end - at);
        at = end + 1;
        while (one.starts_with(' '))
            one.remove_prefix(1);
        auto const flag = [&](bool& on) { a.legal = a.legal && !std::exchange(on, true); };
        auto const bits = [&](std::string_view name, std::optional<int>& out) {
            if (!one.starts_with(name) || !one.substr(name.size()).starts_with('='))
                return false;
            std::string const number(one.substr(name.size() + 1));
            a.legal = a.legal && !out &&
                      (number == "8" || number == "9" || (number.size() == 2 && number >= "10" && number <= "15"));
            out = std::atoi(number.c_str());
            return true;
        };
        if (std::exchange(first, false))
            a.legal = one == "permessage-deflate";
        else if (one == "server_no_context_takeover")
            flag(a.server_forgets);
        else if (one == "client_no_context_takeover")
            flag(a.client_forgets);
        else if (!bits("server_max_window_bits", a.server_bits) && !bits("client_max_window_bits", a.client_bits))
            a.legal = false;
    }
    return a;
}

/// The other end's streams, in the words of an answer.
class zlib_peer : public support::foreign_deflate {
public:
    struct side {
        int bits = 15;
        bool forgets = false;
    };
    zlib_peer(side sends, side receives, int level = 6)
        : foreign_deflate({sends.bits, !sends.forgets}, {receives.bits, !receives.forgets}, level)
    {
    }
    /// What a payload says; a text that says why if it refers back behind the window, or is not sound.
    std::string decompress(std::string_view payload)
    {
        try {
            return foreign_deflate::decompress(payload);
        } catch (std::runtime_error const& e) {
            return "<" + std::string(e.what()) + ">";
        }
    }
};

}  // namespace rfc
#endif
