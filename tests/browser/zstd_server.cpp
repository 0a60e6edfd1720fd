// A server that compresses with a dictionary, for a page that decodes it: zstd_page.js
//   browser_zstd_server --port 0 --page FILE                     a dictionary of the names of its events
//   browser_zstd_server --port 0 --page FILE --dictionary FILE   one that examples/train made
#include <polycast/polycast.hpp>

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

namespace pc = polycast;

struct say {
    std::string speaker, sentence;
};
struct sentence_was_said {
    std::string speaker_name, whole_sentence;
    int position_in_conversation = 0;
};

struct conversation {
    using accepts = pc::events<say>;

    std::string page;

    pc::http_response http(pc::request const& asked) const
    {
        if (asked.path() != "/")
            return {.status = 404, .body = "There is no such page.\n"};
        return {.content_type = "text/html; charset=utf-8", .body = page};
    }

    void on(auto& session, say const& s) { session.emit(sentence_was_said{s.speaker, s.sentence, ++said}); }

    int said = 0;
};

std::string whole_file(char const* name)
{
    std::ifstream in(name, std::ios::binary);
    if (!in)
        throw std::runtime_error(std::string("cannot read ") + name);
    return {std::istreambuf_iterator<char>(in), {}};
}

template <class Dictionary>
void serve(pc::server_options options, std::string page)
{
    options.shards = 1;
    pc::server<conversation, pc::compression::zstd<3, Dictionary>> server{std::move(options),
                                                                          conversation{std::move(page)}};
    server.run([&] {
        std::printf("ws://127.0.0.1:%u/\n", server.port());
        std::fflush(stdout);
    });
}

int main(int argc, char** argv)
{
    try {
        pc::server_options options;
        options.port = 0;
        bool trained = false;
        std::string page;
        for (int i = 1; i + 1 < argc; i += 2) {
            std::string_view const name = argv[i];
            if (name == "--port") {
                options.port = static_cast<std::uint16_t>(std::strtoul(argv[i + 1], nullptr, 10));
            } else if (name == "--dictionary") {
                options.compression.dictionary = whole_file(argv[i + 1]);
                trained = true;
            } else if (name == "--page") {
                page = whole_file(argv[i + 1]);
            } else {
                throw std::runtime_error("unknown argument " + std::string(name));
            }
        }
        namespace dictionary = pc::compression::dictionary;
        trained ? serve<dictionary::loaded>(options, page)
                : serve<dictionary::of<pc::events<say, sentence_was_said>>>(options, page);
    } catch (std::exception const& e) {
        std::fprintf(stderr, "%s: %s\n", argv[0], e.what());
        return 2;
    }
}
