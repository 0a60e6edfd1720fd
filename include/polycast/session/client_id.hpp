#pragma once

#include <charconv>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <system_error>

namespace polycast::inline v0::detail {

/// The decimal text of an id, which is its JSON text too.
class client_id_text {
public:
    explicit client_id_text(std::uint64_t id) noexcept
        : size_(id == 0 ? 0 : static_cast<std::size_t>(std::to_chars(text_, text_ + sizeof text_, id).ptr - text_))
    {
    }
    [[nodiscard]] std::string_view view() const noexcept { return {text_, size_}; }

private:
    char text_[20];
    std::size_t size_;
};
/// The id that this client has given; 0 if it cannot be one.
[[nodiscard]] inline std::uint64_t client_id(std::string_view json) noexcept
{
    std::uint64_t id = 0;
    auto const [end, ec] = std::from_chars(json.data(), json.data() + json.size(), id);
    return ec == std::errc() && end == json.data() + json.size() ? id : 0;
}

}  // namespace polycast::inline v0::detail
