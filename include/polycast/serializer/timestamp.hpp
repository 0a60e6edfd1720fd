#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string_view>

namespace polycast::inline v0::detail {

/// "2026-11-21T01:02:03.456Z"
inline constexpr std::size_t timestamp_bytes = 24;

inline void put_digits(char* at, unsigned value, unsigned digits) noexcept
{
    for (unsigned i = digits; i != 0; --i, value /= 10)
        at[i - 1] = static_cast<char>('0' + value % 10);
}

/// Writes RFC 3339 with milliseconds, UTC: `timestamp_bytes` characters. False outside of the years 0 to 9999.
/// The part down to the second is kept per thread, as most events of a second follow one another.
[[nodiscard]] inline bool write_timestamp(std::int64_t milliseconds, char* out) noexcept
{
    struct written_second {
        std::int64_t second;
        bool set;
        char text[20];
    };
    static thread_local constinit written_second last{};
    std::int64_t second = milliseconds / 1000;
    std::int64_t fraction = milliseconds % 1000;
    if (fraction < 0) {
        fraction += 1000;
        --second;
    }
    if (!last.set || last.second != second) {
        namespace ch = std::chrono;
        constexpr std::int64_t first = -62'167'219'200;  // 0000-01-01T00:00:00Z
        constexpr std::int64_t past = 253'402'300'800;   // 10000-01-01T00:00:00Z
        if (second < first || second >= past)
            return false;
        ch::sys_seconds const at{ch::seconds{second}};
        auto const day = ch::floor<ch::days>(at);
        ch::year_month_day const date{day};
        auto const in_day = static_cast<unsigned>((at - day).count());
        std::memcpy(last.text, "0000-00-00T00:00:00.", 20);
        put_digits(last.text, static_cast<unsigned>(static_cast<int>(date.year())), 4);
        put_digits(last.text + 5, static_cast<unsigned>(date.month()), 2);
        put_digits(last.text + 8, static_cast<unsigned>(date.day()), 2);
        put_digits(last.text + 11, in_day / 3600, 2);
        put_digits(last.text + 14, in_day / 60 % 60, 2);
        put_digits(last.text + 17, in_day % 60, 2);
        last.second = second;
        last.set = true;
    }
    std::memcpy(out, last.text, 20);
    put_digits(out + 20, static_cast<unsigned>(fraction), 3);
    out[23] = 'Z';
    return true;
}

/// Reads `count` digits at `at`; negative if they are not digits.
[[nodiscard]] constexpr int take_digits(std::string_view text, std::size_t at, std::size_t count) noexcept
{
    int value = 0;
    for (std::size_t i = at; i < at + count; ++i) {
        if (i >= text.size() || text[i] < '0' || text[i] > '9')
            return -1;
        value = value * 10 + (text[i] - '0');
    }
    return value;
}

struct moment {
    std::int64_t second = 0;      ///< since 1970, UTC
    std::int64_t nanosecond = 0;  ///< within the second
};

/// Reads an RFC 3339 date-time with any fraction and offset.
[[nodiscard]] constexpr std::optional<moment> parse_timestamp(std::string_view text) noexcept
{
    namespace ch = std::chrono;
    int const year = take_digits(text, 0, 4), month = take_digits(text, 5, 2), day = take_digits(text, 8, 2);
    int const hour = take_digits(text, 11, 2), minute = take_digits(text, 14, 2), second = take_digits(text, 17, 2);
    if (text.size() < 20 || year < 0 || month < 1 || day < 1 || hour < 0 || minute < 0 || second < 0 || hour > 23 ||
        minute > 59 || second > 60 || text[4] != '-' || text[7] != '-' || text[13] != ':' || text[16] != ':' ||
        (text[10] != 'T' && text[10] != 't'))
        return std::nullopt;
    ch::year_month_day const date{ch::year{year}, ch::month{static_cast<unsigned>(month)},
                                  ch::day{static_cast<unsigned>(day)}};
    if (!date.ok())
        return std::nullopt;
    moment out;
    out.second = std::int64_t{ch::sys_days{date}.time_since_epoch().count()} * 86400;
    out.second += hour * 3600 + minute * 60 + second;
    std::size_t at = 19;
    if (text[at] == '.') {
        std::int64_t unit = 100'000'000;
        std::size_t const first = ++at;
        for (; at < text.size() && text[at] >= '0' && text[at] <= '9'; ++at, unit /= 10)
            out.nanosecond += (text[at] - '0') * unit;  // digits beyond the ninth count nothing
        if (at == first)
            return std::nullopt;
    }
    std::string_view const zone = text.substr(at);
    if (zone == "Z" || zone == "z")
        return out;
    int const zone_hour = take_digits(zone, 1, 2), zone_minute = take_digits(zone, 4, 2);
    if (zone.size() != 6 || (zone[0] != '+' && zone[0] != '-') || zone[3] != ':' || zone_hour < 0 || zone_hour > 23 ||
        zone_minute < 0 || zone_minute > 59)
        return std::nullopt;
    std::int64_t const offset = zone_hour * 3600 + zone_minute * 60;
    out.second += zone[0] == '+' ? -offset : offset;
    return out;
}

}  // namespace polycast::inline v0::detail
