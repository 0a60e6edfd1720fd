#include <polycast/compression/any_of.hpp>

#include <polycast/compression/deflate.hpp>
#include <polycast/compression/dictionary.hpp>
#include <polycast/compression/identity.hpp>
#include <polycast/compression/zstd.hpp>
#include <polycast/handshake/deflate_offer.hpp>

#include <boost/test/unit_test.hpp>

#include <array>
#include <string>
#include <string_view>
#include <type_traits>

namespace any_of_tests {

namespace pc = polycast;
namespace pcc = polycast::compression;
using pc::detail::byte_buffer;

struct told {
    std::string who, what;
};
using derived = pcc::zstd<3, pcc::dictionary::of<pc::events<told>>>;

/// Two forms under two tokens, told apart by the first byte.
struct marking {
    using policy_axis = pc::compression_axis;
    using context = pcc::no_context;
    static constexpr std::size_t forms = 2;
    static constexpr std::array<std::string_view, 2> suffixes{".b", ".a"};
    static constexpr bool has_extension = false;
    static constexpr bool keeps_context = false;
    static constexpr pcc::form_kind kind(std::uint8_t) { return pcc::form_kind::token; }
    static constexpr std::uint8_t form_of_suffix(std::size_t i) { return static_cast<std::uint8_t>(2 - i); }
    explicit marking(pcc::options const& o) : first(static_cast<char>('0' + o.min_bytes)) {}
    bool compress(std::uint8_t form, byte_buffer& out, std::string_view in) const
    {
        out.push_back(first);
        out.push_back(static_cast<char>('0' + form));
        out.append(in);
        return in != "incompressible";
    }
    std::error_code decompress(std::uint8_t form, byte_buffer& out, std::string_view in, std::size_t max_bytes) const
    {
        if (in.size() < 2 || in[0] != first || in[1] != '0' + form)
            return pc::compression_error::malformed;
        if (in.size() - 2 > max_bytes)
            return pc::compression_error::too_large;
        out.append(in.substr(2));
        return {};
    }
    char first;
};
static_assert(pc::compression_policy<marking>);
/// One form of an extension.
struct extending : marking {
    using marking::marking;
    static constexpr std::size_t forms = 1;
    static constexpr std::array<std::string_view, 0> suffixes{};
    static constexpr std::uint8_t form_of_suffix(std::size_t) { return 0; }
    static constexpr bool has_extension = true;
    static constexpr pcc::form_kind kind(std::uint8_t) { return pcc::form_kind::extension; }
    static constexpr int terms = 42;
    static constexpr std::uint8_t form_for(int agreed, pc::role) noexcept { return agreed == 42 ? 1 : 0; }
};

template <class Policy>
std::string packed(Policy const& policy, std::uint8_t form, std::string_view in)
{
    byte_buffer out;
    return policy.compress(form, out, in) ? std::string(out.view()) : std::string("as it is");
}
template <class Policy>
std::string unpacked(Policy const& policy, std::uint8_t form, std::string_view in, std::size_t max_bytes = 1000)
{
    byte_buffer out;
    if (auto const ec = policy.decompress(form, out, in, max_bytes))
        return ec.message();
    return std::string(out.view());
}

using extension_first = pcc::any_of<extending, marking>;
using tokens_first = pcc::any_of<marking, extending>;
static_assert(pc::compression_policy<extension_first> && pc::compression_policy<tokens_first>);
static_assert(pc::compression_policy<pcc::any_of<pcc::identity, pcc::zstd<3>>> &&
              pc::compression_policy<pcc::any_of<derived>>);
static_assert(pc::has_dictionary<pcc::any_of<derived>> && pc::has_dictionary<pcc::any_of<extending, derived>>);
static_assert(!pc::has_dictionary<pcc::any_of<pcc::zstd<3>>> && !pc::has_dictionary<extension_first>);

}  // namespace any_of_tests
using namespace any_of_tests;

BOOST_AUTO_TEST_SUITE(any_of)

BOOST_AUTO_TEST_CASE(forms_are_those_of_the_policies_one_after_the_other)
{
    BOOST_TEST(extension_first::forms == 3u);
    extension_first const policy{pcc::options{.min_bytes = 7}};
    BOOST_TEST(packed(policy, 1, "x") == "71x");
    BOOST_TEST(packed(policy, 2, "x") == "71x");
    BOOST_TEST(packed(policy, 3, "x") == "72x");
    BOOST_TEST((extension_first::kind(1) == pcc::form_kind::extension));
    BOOST_TEST((extension_first::kind(2) == pcc::form_kind::token));
    BOOST_TEST((extension_first::kind(3) == pcc::form_kind::token));
    BOOST_TEST((tokens_first::kind(2) == pcc::form_kind::token));
    BOOST_TEST((tokens_first::kind(3) == pcc::form_kind::extension));
    BOOST_TEST(unpacked(policy, 3, "72text") == "text");
    BOOST_TEST(unpacked(policy, 2, "72text") == make_error_code(pc::compression_error::malformed).message());
    BOOST_TEST(unpacked(policy, 2, "71text", 3) == make_error_code(pc::compression_error::too_large).message());
    BOOST_TEST(packed(policy, 3, "incompressible") == "as it is");
}

BOOST_AUTO_TEST_CASE(tokens_lead_to_the_form_of_their_policy)
{
    BOOST_TEST(extension_first::suffixes == marking::suffixes, boost::test_tools::per_element());
    BOOST_TEST(extension_first::form_of_suffix(0) == 3);
    BOOST_TEST(extension_first::form_of_suffix(1) == 2);
    BOOST_TEST(tokens_first::form_of_suffix(0) == 2);
    BOOST_TEST(tokens_first::form_of_suffix(1) == 1);
}

BOOST_AUTO_TEST_CASE(the_extension_is_negotiated_by_the_policy_that_has_it)
{
    static_assert(extension_first::has_extension && tokens_first::has_extension);
    static_assert(!pcc::any_of<marking, pcc::identity>::has_extension);
    BOOST_TEST(tokens_first::terms == 42);
    BOOST_TEST(extension_first::form_for(42, pc::role::server) == 1);
    BOOST_TEST(tokens_first::form_for(42, pc::role::server) == 3);
    BOOST_TEST(tokens_first::form_for(41, pc::role::client) == 0);  // it travels as it is
}

BOOST_AUTO_TEST_CASE(the_dictionary_is_that_of_the_policy_that_has_one)
{
    using policy = pcc::any_of<extending, derived>;
    policy const p{pcc::options{}};
    BOOST_TEST(p.dictionary().id == derived{}.dictionary().id);
    BOOST_TEST(p.hello_form(1) == 1);  // the extension's
    BOOST_TEST(p.hello_form(2) == 3);
    BOOST_TEST(p.hello_form(3) == 3);
    auto const text = R"({"type":"told","data":{"who":"ada","what":"something"}})";
    BOOST_TEST(packed(p, 3, text) == packed(derived{}, 2, text));
    BOOST_TEST(packed(p, 2, text) == packed(pcc::zstd<3>{}, 1, text));
    BOOST_TEST(unpacked(p, 3, packed(p, 3, text)) == text);

    using loaded = pcc::any_of<pcc::zstd<3, pcc::dictionary::loaded>, extending>;
    loaded client{pcc::options{}};
    BOOST_TEST(client.hello_form(1) == 1);
    BOOST_TEST(!client.learn(p.dictionary().id, p.dictionary().bytes));
    BOOST_TEST(client.hello_form(1) == 2);
    BOOST_TEST(unpacked(client, 2, packed(p, 3, text)) == text);
}

BOOST_AUTO_TEST_CASE(any_of_any_of_is_the_same)
{
    using nested = pcc::any_of<pcc::any_of<pcc::identity, extending>, pcc::any_of<derived>>;
    nested const p{pcc::options{.min_bytes = 3}};
    BOOST_TEST(nested::forms == 3u);
    BOOST_TEST(packed(p, 1, "x") == "31x");
    BOOST_TEST(p.hello_form(2) == 3);
    BOOST_TEST(nested::form_of_suffix(0) == 2);
    BOOST_TEST(nested::form_for(42, pc::role::server) == 1);
}

#if POLYCAST_WITH_ZLIB
BOOST_AUTO_TEST_CASE(zstd_and_deflate_in_one_policy_are_what_they_are_alone)
{
    std::string const text(4000, 'z');
    using policy = pcc::any_of<pcc::zstd<3>, pcc::deflate<>>;
    policy const p{pcc::options{}};
    BOOST_TEST(policy::forms == 3u);
    BOOST_TEST(packed(p, 1, text) == packed(pcc::zstd<3>{}, 1, text));
    BOOST_TEST(packed(p, 2, text) == packed(pcc::deflate<>{}, 1, text));
    BOOST_TEST(packed(p, 3, text) == packed(pcc::deflate<>{}, 2, text));
    BOOST_TEST(packed(p, 2, "short") == "as it is");
    for (std::uint8_t form = 1; form <= policy::forms; ++form)
        BOOST_TEST(unpacked(p, form, packed(p, form, text), 4000) == text);
    pc::deflate_agreement agreed;
    BOOST_TEST(policy::form_for(agreed, pc::role::server) == 2);
    agreed.server_max_window_bits = 10;
    BOOST_TEST(policy::form_for(agreed, pc::role::server) == 3);
    static_assert(!policy::keeps_context);
}

BOOST_AUTO_TEST_CASE(what_a_connection_remembers_is_made_by_the_policy_that_remembers)
{
    using dedicated = pcc::deflate<pcc::dedicated>;
    using policy = pcc::any_of<pcc::zstd<3>, dedicated>;
    static_assert(policy::keeps_context && policy::context_form == 2 &&
                  std::is_same_v<policy::context, dedicated::context>);
    static_assert(pcc::any_of<dedicated, pcc::zstd<3>>::context_form == 1);
    BOOST_TEST((policy::kind(policy::context_form) == pcc::form_kind::extension));
    policy const p{pcc::options{.min_bytes = 1}};
    auto const server = p.make_context(pc::deflate_agreement{}, pc::role::server);
    auto const client = p.make_context(pc::deflate_agreement{}, pc::role::client);
    std::size_t first = 0;
    for (int i = 0; i < 3; ++i) {
        byte_buffer packed, back;
        BOOST_REQUIRE(server->compress(packed, "the same text as before, and the same again"));
        BOOST_TEST(!client->decompress(back, packed.view(), 1000));
        BOOST_TEST(back.view() == "the same text as before, and the same again");
        if (i == 0)
            first = packed.size();
        else
            BOOST_TEST(packed.size() < first / 2);
    }
}
#endif

BOOST_AUTO_TEST_SUITE_END()
