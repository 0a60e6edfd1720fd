#include <polycast/compression/dictionary.hpp>

#include <polycast/compression/zstd.hpp>
#include <polycast/serializer/json.hpp>

#include <boost/test/unit_test.hpp>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <thread>
#include <variant>
#include <vector>

#include <zdict.h>

namespace dictionary_tests {

namespace pc = polycast;
namespace pcc = polycast::compression;
using pc::compression_error;
using pc::detail::byte_buffer;

enum class mood : std::uint8_t { calm, exuberant };
struct place {
    std::string street_name;
    int floor = 0;
};
struct tree {
    std::string label;
    std::vector<tree> branches;
};
struct everything {
    std::string first_text;
    std::string_view second_text;
    bool flag = false;
    std::uint64_t counter = 0;
    double ratio = 0;
    mood how{};
    std::optional<std::string> maybe;
    pc::nullable<int> nothing;
    std::vector<place> places;
    std::map<std::string, std::string> by_name;
    std::variant<std::string, place, int> any;
    std::chrono::milliseconds took{};
    std::chrono::system_clock::time_point at;
    pc::raw_json raw;
};
struct renamed {
    int inner = 0;
};
struct empty {};

}  // namespace dictionary_tests

template <>
struct polycast::event_traits<dictionary_tests::renamed> {
    static constexpr std::string_view name = "wire-name";
    static constexpr std::pair<std::string_view, std::string_view> renamed[] = {{"inner", "outer"}};
};

namespace dictionary_tests {

using catalog = pc::events<everything, renamed, empty, tree>;
using derived = pcc::zstd<3, pcc::dictionary::of<catalog>>;
using loaded = pcc::zstd<3, pcc::dictionary::loaded>;

constexpr std::string_view text = pcc::dictionary::of<catalog>::bytes();  // a constant expression
static_assert(text.size() > 500 && text.size() < 2000);

/// Some event as the JSON serializer writes it, a different one each time.
std::string event_text(unsigned number)
{
    std::mt19937 random(number);
    auto const word = [&] {
        static constexpr std::string_view words[] = {"north",  "harbour", "lantern", "meadow",
                                                     "quarry", "thistle", "willow"};
        return std::string(words[random() % 7]) + std::to_string(random() % 50);
    };
    everything e;
    e.first_text = word() + " and " + word();
    e.second_text = "as it was";
    e.counter = random();
    e.how = random() % 2 == 0 ? mood::calm : mood::exuberant;
    e.places = {{word(), static_cast<int>(random() % 9)}};
    e.by_name["key"] = word();
    e.any = word();
    byte_buffer out;
    BOOST_REQUIRE(!pc::serializer::json::encode(out, {.timestamp = std::chrono::system_clock::time_point{}}, e));
    return std::string(out.view());
}
std::string trained(unsigned first, unsigned id = 77)
{
    std::string samples;
    std::vector<std::size_t> sizes;
    for (unsigned i = first; i < first + 600; ++i) {
        samples += event_text(i);
        sizes.push_back(event_text(i).size());
    }
    std::string out(8192, '\0');
    auto const content = samples.substr(0, 6000);
    out.resize(ZDICT_finalizeDictionary(out.data(), out.size(), content.data(), content.size(), samples.data(),
                                        sizes.data(), static_cast<unsigned>(sizes.size()), {3, 0, id}));
    return out;
}
/// One whose first offsets to repeat (RFC 8878 §5) are not those that a frame without a dictionary begins with.
std::string with_other_offsets(std::string bytes)
{
    auto const header = ZDICT_getDictHeaderSize(bytes.data(), bytes.size());
    BOOST_REQUIRE(!ZDICT_isError(header));
    bytes.replace(header - 12, 12, std::string("\x10\0\0\0\x20\0\0\0\x30\0\0\0", 12));
    return bytes;
}
loaded with(std::string bytes)
{
    return loaded{pcc::options{.dictionary = std::move(bytes)}};
}

template <class Policy>
std::string packed(Policy const& policy, std::uint8_t form, std::string_view in)
{
    byte_buffer out;
    BOOST_REQUIRE(policy.compress(form, out, in));
    return std::string(out.view());
}
struct unpacked {
    std::error_code error;
    std::string text;
};
template <class Policy>
unpacked unpack(Policy const& policy, std::uint8_t form, std::string_view in, std::size_t most = 1 << 20)
{
    byte_buffer out;
    auto const ec = policy.decompress(form, out, in, most);
    return {ec, std::string(out.view())};
}
std::string refusal_of(std::string const& bytes)
{
    try {
        static_cast<void>(with(bytes));
        return "accepted";
    } catch (std::system_error const& e) {
        return e.code() == compression_error::bad_dictionary ? "refused" : "refused for another reason";
    }
}

}  // namespace dictionary_tests
using namespace dictionary_tests;

BOOST_AUTO_TEST_SUITE(zstd_dictionaries)

BOOST_AUTO_TEST_CASE(the_compiler_writes_names_keys_and_enumerators_as_the_serializer_does)
{
    for (std::string_view const piece :
         {R"({"type":"everything","timestamp":"20)", R"(Z","data":{"first_text":"","second_text":"","flag":)",
          R"(,"counter":0,"ratio":0,"how":)", R"("calm","exuberant",)",
          R"(,"maybe":"","nothing":0,"places":[{"street_name":"","floor":0}],"by_name":{"":""})",
          R"({"place":{"street_name":"","floor":0}})", R"(,"took":0,"at":"","raw":)", R"({"type":"wire-name",)",
          R"("data":{"outer":0})", R"({"type":"empty",)", R"("label":"","branches":[{"label":"","branches":)",
          R"(,"room":"","offset":)"})
        BOOST_TEST(text.find(piece) != text.npos, piece);
    BOOST_TEST(text.find("inner") == text.npos);
}

BOOST_AUTO_TEST_CASE(the_last_events_stand_at_the_end)
{
    using other_order = pcc::dictionary::of<pc::events<empty, everything>>;
    BOOST_TEST(other_order::bytes().find("\"empty\"") < other_order::bytes().find("\"everything\""));
    BOOST_TEST(text.find("\"empty\"") > text.find("\"everything\""));
}

BOOST_AUTO_TEST_CASE(an_event_of_the_catalog_is_smaller_with_its_names_and_comes_back)
{
    derived const policy;
    std::size_t with_it = 0, without = 0;
    for (unsigned i = 0; i < 200; ++i) {
        auto const event = event_text(i);
        auto const bytes = packed(policy, 2, event);
        with_it += bytes.size();
        without += packed(policy, 1, event).size();
        BOOST_TEST(unpack(policy, 2, bytes).text == event);
    }
    BOOST_TEST(with_it * 3 < without * 2);
}

BOOST_AUTO_TEST_CASE(form_1_is_what_zstd_without_a_dictionary_says)
{
    auto const event = event_text(1);
    BOOST_TEST(packed(derived{}, 1, event) == packed(pcc::zstd<3>{}, 1, event));
    BOOST_TEST(packed(with(trained(0)), 1, event) == packed(pcc::zstd<3>{}, 1, event));
    BOOST_TEST(derived{}.hello_form(1) == 2);
    BOOST_TEST(derived{}.hello_form(2) == 2);
    BOOST_TEST(derived{}.hello_form(0) == 0);
}

BOOST_AUTO_TEST_CASE(a_frame_that_does_without_the_dictionary_is_read_in_form_2_too)
{
    for (std::string const& bytes : {std::string(text), trained(0), with_other_offsets(trained(0))}) {
        auto const policy = with(bytes);
        BOOST_TEST(unpack(policy, 2, packed(policy, 2, event_text(7))).text == event_text(7));
        for (unsigned i = 0; i < 100; ++i)
            for (auto const& in : {event_text(i), std::string(i, 'x'), event_text(i) + event_text(i)}) {
                auto const plain = packed(pcc::zstd<3>{}, 1, in);
                BOOST_TEST(unpack(policy, 2, plain).text == in);
                BOOST_TEST(unpack(policy, 2, packed(pcc::zstd<19>{}, 1, in)).text == in);
            }
    }
}

BOOST_AUTO_TEST_CASE(a_frame_that_names_another_dictionary_is_malformed)
{
    auto const event = event_text(5);
    auto const mine = with(trained(0, 77)), other = with(trained(0, 78));
    auto const named = packed(other, 2, event);
    BOOST_TEST((unpack(mine, 2, named).error == compression_error::malformed));
    BOOST_TEST((unpack(mine, 1, named).error == compression_error::malformed));
    BOOST_TEST((unpack(derived{}, 2, named).error == compression_error::malformed));
    BOOST_TEST((unpack(pcc::zstd<3>{}, 1, named).error == compression_error::malformed));
    BOOST_TEST(unpack(other, 2, named).text == event);
    BOOST_TEST(unpack(mine, 2, packed(mine, 2, event)).text == event);  // a failure leaves nothing behind
}

BOOST_AUTO_TEST_CASE(a_frame_that_needs_a_dictionary_is_malformed_without_it)
{
    auto const event = event_text(5);
    auto const needs = packed(derived{}, 2, event);
    BOOST_TEST((unpack(derived{}, 1, needs).error == compression_error::malformed));
    BOOST_TEST((unpack(with({}), 2, needs).error == compression_error::malformed));
}

BOOST_AUTO_TEST_CASE(the_limit_is_exact_with_a_dictionary_too)
{
    for (std::string const& bytes : {std::string(text), trained(0)}) {
        auto const policy = with(bytes);
        for (std::size_t const size : {1u, 1000u, 16u * 1024, 20'000u, 300'000u}) {
            std::string in;
            for (unsigned i = 0; in.size() < size; ++i)
                in += event_text(i);
            in.resize(size);
            auto const small = packed(policy, 2, in);
            BOOST_TEST((unpack(policy, 2, small, size).text == in));
            auto const refused = unpack(policy, 2, small, size - 1);
            BOOST_TEST((refused.error == compression_error::too_large));
            BOOST_TEST(refused.text.size() <= size - 1);
        }
        auto const bomb = unpack(policy, 2, packed(policy, 2, std::string(50'000'000, '\0')), 64 * 1024);
        BOOST_TEST((bomb.error == compression_error::too_large));
        BOOST_TEST(bomb.text.size() <= 64 * 1024u);
    }
}

BOOST_AUTO_TEST_CASE(cut_and_flipped_frames_crash_nothing_and_stay_below_the_limit)
{
    auto const policy = with(trained(0));
    auto const good = packed(policy, 2, event_text(3) + event_text(4));
    for (std::size_t cut = 0; cut < good.size(); ++cut)
        BOOST_TEST((unpack(policy, 2, std::string_view(good).substr(0, cut)).error == compression_error::malformed));
    std::mt19937 random(3);
    for (int i = 0; i < 3000; ++i) {
        auto bad = good;
        bad[random() % bad.size()] ^= static_cast<char>(1 << random() % 8);
        BOOST_TEST(unpack(policy, 2, bad, 10'000).text.size() <= 10'000u);
        BOOST_TEST(unpack(derived{}, 2, bad, 10'000).text.size() <= 10'000u);
    }
}

BOOST_AUTO_TEST_CASE(a_loaded_dictionary_is_named_by_its_bytes)
{
    auto const a = with(trained(0)), again = with(trained(0)), b = with(trained(1000));
    BOOST_TEST(a.dictionary().id == again.dictionary().id);
    BOOST_TEST(a.dictionary().id != b.dictionary().id);
    BOOST_TEST(a.dictionary().bytes == trained(0));
    BOOST_TEST(a.dictionary().id.size() == 16u);
    BOOST_TEST(a.dictionary().id.find_first_not_of("0123456789abcdef") == std::string::npos);
    BOOST_TEST(with(std::string(text)).dictionary().id == derived{}.dictionary().id);
    BOOST_TEST(pc::dictionary_path(a.dictionary().id) == "/polycast/dictionary/" + std::string(a.dictionary().id));
}

BOOST_AUTO_TEST_CASE(without_bytes_there_is_no_dictionary)
{
    auto const policy = with({});
    BOOST_TEST(policy.dictionary().id.empty());
    BOOST_TEST(policy.dictionary().bytes.empty());
    BOOST_TEST(policy.hello_form(1) == 1);
    BOOST_TEST(unpack(policy, 2, packed(policy, 2, "text")).text == "text");
}

BOOST_AUTO_TEST_CASE(a_corrupt_dictionary_is_refused_with_the_reason)
{
    auto const good = trained(0);
    BOOST_TEST(refusal_of(good) == "accepted");
    for (std::size_t const size : {8u, 9u, 20u, 60u})
        BOOST_TEST(refusal_of(good.substr(0, size)) == "refused");
    auto scrambled = good;
    for (std::size_t i = 8; i < 40; ++i)
        scrambled[i] = static_cast<char>(0xFF);
    BOOST_TEST(refusal_of(scrambled) == "refused");
    auto nameless = good;
    nameless.replace(4, 4, 4, '\0');
    BOOST_TEST(refusal_of(nameless) == "refused");
    try {
        static_cast<void>(with(scrambled));
    } catch (std::system_error const& e) {
        BOOST_TEST(std::string(e.what()).find("dictionary") != std::string::npos);
    }
}

BOOST_AUTO_TEST_CASE(a_client_learns_what_was_named_and_nothing_else)
{
    auto const server = with(trained(0));
    loaded client;
    BOOST_TEST((client.learn("0123456789abcdef", server.dictionary().bytes) == compression_error::bad_dictionary));
    BOOST_TEST((client.learn(server.dictionary().id, text) == compression_error::bad_dictionary));
    BOOST_TEST((client.learn(server.dictionary().id, server.dictionary().bytes.substr(0, 50)) ==
                compression_error::bad_dictionary));
    BOOST_TEST((client.learn("", "") == compression_error::bad_dictionary));
    BOOST_TEST(client.hello_form(1) == 1);
    BOOST_TEST(!client.learn(server.dictionary().id, server.dictionary().bytes));
    BOOST_TEST(client.hello_form(1) == 2);
    auto const event = event_text(9);
    BOOST_TEST(unpack(client, 2, packed(server, 2, event)).text == event);
    BOOST_TEST(unpack(server, 2, packed(client, 2, event)).text == event);
    // A client that was compiled with a catalog learns what the server trained meanwhile.
    derived other;
    BOOST_TEST(!other.learn(server.dictionary().id, server.dictionary().bytes));
    BOOST_TEST(unpack(other, 2, packed(server, 2, event)).text == event);
}

BOOST_AUTO_TEST_CASE(threads_share_a_dictionary)
{
    auto const policy = with(trained(0));
    std::vector<std::string> texts;  // here, as Boost.Test checks nothing on other threads
    for (unsigned i = 0; i < 800; ++i)
        texts.push_back(event_text(i));
    std::vector<std::thread> threads;
    std::atomic<int> wrong{0};
    for (unsigned t = 0; t < 4; ++t)
        threads.emplace_back([&, t] {
            for (unsigned i = 0; i < 200; ++i) {
                auto const& in = texts[t * 200 + i];
                byte_buffer out, back, plain;
                bool const done = policy.compress(2, out, in) && !policy.decompress(2, back, out.view(), 10'000);
                // Another policy's turn on the same thread.
                static_cast<void>(pcc::zstd<3>{}.compress(1, plain, in));
                wrong += !done || back.view() != in;
            }
        });
    for (auto& t : threads)
        t.join();
    BOOST_TEST(wrong == 0);
}

BOOST_AUTO_TEST_SUITE_END()
