// A chat with rooms. Run it, open http://127.0.0.1:8080/ in two windows, and type:
//   chat [--port N]
// The page is below; programs may talk too: join a room, then send what is said to it.
//   > {"type":"$join","id":1,"room":"lobby"}
//   > {"type":"say","room":"lobby","data":{"text":"hello"}}
//   < {"type":"said","room":"lobby","data":{"who":"ada","text":"hello"}}
#include <polycast/polycast.hpp>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <string>

namespace pc = polycast;

struct say {
    std::string text;
};
struct said {
    std::string who, text;
};
struct entered {
    std::string who;
};

extern char const* const page;

struct chat {
    using accepts = pc::events<say>;

    pc::http_response http(pc::request const& asked)
    {
        if (asked.path() != "/")
            return {.status = 404, .body = "There is only the page at /\n"};
        return {.content_type = "text/html; charset=utf-8", .body = page};
    }
    /// Names are believed: `ws://…/?user=ada`.
    pc::identity identify(pc::request const& asked)
    {
        auto user = asked.query("user").value_or("");
        if (user.empty() || user.size() > 32)
            return {.admitted = false, .status = 400, .reason = "say who you are: /?user=NAME, at most 32 bytes"};
        return {.user = std::move(user)};
    }
    bool may_join(auto& session, std::string_view room)
    {
        if (room.empty() || room.size() > 64)
            return false;
        session.to_room(room).emit(entered{std::string(session.user())});
        return true;
    }
    void on(auto& session, say const& event, pc::envelope const& around)
    {
        // Whoever knows a room's name may speak there; they hear the name that the server knows, not one that is
        // claimed.
        auto const result = session.to_room(around.room).emit(said{std::string(session.user()), event.text});
        if (!pc::accepted(result))
            session.emit(said{"server", "nobody is in that room"});
    }
};

using chat_server = pc::server<chat, pc::serializer::json, pc::isolation::shared, pc::batching::per_tick>;

int main(int argc, char** argv)
{
    pc::server_options options{.port = 8080};
    if (argc == 3 && std::strcmp(argv[1], "--port") == 0) {
        options.port = static_cast<std::uint16_t>(std::atoi(argv[2]));
    } else if (argc != 1) {
        std::fprintf(stderr, "usage: %s [--port N]\n", argv[0]);
        return 2;
    }
    try {
        chat_server server{options};
        server.run([&] {  // until SIGINT or SIGTERM, then drains
            std::printf("chat: open http://127.0.0.1:%u/ in two windows\n", server.port());
            std::fflush(stdout);
        });
    } catch (std::exception const& e) {
        std::fprintf(stderr, "%s\n", e.what());
        return 1;
    }
}

char const* const page = R"page(<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>polycast chat</title>
<style>
  :root { color-scheme: light dark; }
  body { font: 16px/1.5 system-ui, sans-serif; max-width: 40rem; margin: 1.5rem auto; padding: 0 1rem; }
  #log { border: 1px solid #8884; border-radius: 10px; height: 55vh; overflow-y: auto; }
  #log { padding: .6rem 1rem; margin: .8rem 0; }
  #log p { margin: .2rem 0; overflow-wrap: anywhere; }
  #log .note { opacity: .6; }
  form { display: flex; gap: .5rem; }
  input, button { font: inherit; padding: .4rem .7rem; border-radius: 8px; border: 1px solid #8886; min-width: 0; }
  #text { flex: 1; }
</style>
<h1>Chat</h1>
<form id="who">
  <input id="user" placeholder="your name" required maxlength="20">
  <input id="room" aria-label="room" value="lobby" required maxlength="20">
  <button>Join</button>
</form>
<div id="log" aria-live="polite"></div>
<form id="say">
  <input id="text" placeholder="say something" autocomplete="off" required>
  <button id="send" disabled>Send</button>
</form>
<script>
  const $ = id => document.getElementById(id);
  let socket, retry;
  function note(text, className = 'note', who = '') {
    const p = document.createElement('p');
    p.className = className;
    if (who) p.append(Object.assign(document.createElement('b'), {textContent: who + ' '}));
    p.append(text);
    $('log').append(p);
    p.scrollIntoView();
  }
  function connect() {
    clearTimeout(retry);
    if (socket) { socket.onclose = null; socket.close(); }
    const room = $('room').value;
    socket = new WebSocket(`ws://${location.host}/?user=${encodeURIComponent($('user').value)}`);
    socket.onopen = () => socket.send(JSON.stringify({type: '$join', id: 1, room}));
    socket.onmessage = m => m.data.split('\n').map(JSON.parse).forEach(({type, data, id}) => {
      if (type === '$ok' && id === 1) { note(`You are in ${room}.`); $('send').disabled = false; }
      else if (type === 'entered') note(`${data.who} came in.`);
      else if (type === 'said') note(data.text, '', data.who);
    });
    socket.onclose = () => {
      $('send').disabled = true;
      note('Disconnected; trying again.');
      retry = setTimeout(connect, 500 + Math.random() * 1500);
    };
  }
  $('who').onsubmit = e => { e.preventDefault(); connect(); };
  $('say').onsubmit = e => {
    e.preventDefault();
    socket.send(JSON.stringify({type: 'say', room: $('room').value, data: {text: $('text').value}}));
    $('text').value = '';
  };
</script>
)page";
