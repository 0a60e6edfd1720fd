#include <polycast/serializer/json_text.hpp>

#include <boost/test/unit_test.hpp>

#include <array>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

namespace detail = polycast::detail;

namespace {

/// In a block of exactly its size: a sanitizer sees a read beyond it.
struct exact {
    std::unique_ptr<char[]> bytes;
    std::size_t size;
    explicit exact(std::string_view text) : bytes(new char[text.size()]), size(text.size()) { text.copy(bytes.get(), size); }
    [[nodiscard]] std::string_view view() const { return {bytes.get(), size}; }
};

template <bool AsciiOnly>
std::size_t unescaped(std::string_view text)
{
    exact const e(text);
    return static_cast<std::size_t>(detail::skip_unescaped<AsciiOnly>(e.bytes.get(), e.bytes.get() + e.size) - e.bytes.get());
}

}  // namespace

BOOST_AUTO_TEST_SUITE(json_texts)

BOOST_AUTO_TEST_CASE(the_first_byte_to_escape_is_found_whatever_it_is_and_wherever_it_stands)
{
    for (int c = 0; c < 256; ++c) {
        bool const escaped = c < 0x20 || c == '"' || c == '\\';
        for (std::size_t at = 0; at < 40; ++at) {
            std::string text(40, 'a');
            text[at] = static_cast<char>(c);
            BOOST_TEST_REQUIRE(unescaped<false>(text) == (escaped ? at : 40));
            BOOST_TEST_REQUIRE(unescaped<true>(text) == (escaped || c >= 0x80 ? at : 40));
            text.resize(at + 1);
            BOOST_TEST_REQUIRE(unescaped<false>(text) == (escaped ? at : at + 1));
        }
    }
    // The first of several.
    BOOST_TEST(unescaped<false>("aaaa\"\x1F\\aaaaaaaaaaaaaa") == 4u);
    BOOST_TEST(unescaped<false>("") == 0u);
}

BOOST_AUTO_TEST_CASE(a_copy_is_of_the_whole_text_or_ends_before_the_first_byte_to_escape_and_writes_nothing_behind_it)
{
    for (std::size_t size = 0; size < 70; ++size) {
        std::string text;
        for (std::size_t i = 0; i < size; ++i)
            text += static_cast<char>('a' + i % 26);
        for (std::size_t bad = 0; bad <= size; ++bad) {  // at `size` there is none
            for (char const c : {'"', '\\', '\x1F', '\x80', '\xFF'}) {
                std::string marked = text;
                if (bad != size)
                    marked[bad] = c;
                exact const from(marked), to(std::string(size, '#'));
                std::size_t const copied = detail::copy_plain(to.bytes.get(), from.view());
                BOOST_TEST_REQUIRE((bad == size ? copied == size : copied <= bad));
                BOOST_TEST_REQUIRE(to.view().substr(0, copied) == from.view().substr(0, copied));
            }
        }
    }
}

BOOST_AUTO_TEST_CASE(a_text_stands_behind_its_key_escaped_or_not)
{
    detail::byte_buffer out;
    detail::write_text(out, "plain", std::array{'k', ':'});
    detail::write_text(out, "", std::array{','});
    detail::write_text(out, "a long one that has\na line feed in its second block", std::array{','});
    BOOST_TEST(out.view() == R"(k:"plain","","a long one that has\na line feed in its second block")");
    out.clear();
    detail::write_literal(out, std::array{','}, "true");
    detail::write_literal(out, std::array<char, 0>{}, "null");
    detail::write_literal(out, std::array{':'}, "");
    BOOST_TEST(out.view() == ",truenull:");
}

BOOST_AUTO_TEST_SUITE_END()
