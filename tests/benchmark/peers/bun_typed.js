// Typed events in and out on Bun: the work of peers/polycast_typed.cpp, without what that checks on the way.
const port = Number(process.argv[process.argv.indexOf("--port") + 1]);

const handlers = {
  tool_called(socket, e) {
    const answer = {
      type: "tool_completed",
      timestamp: new Date().toISOString(),
      data: {
        run_id: e.run_id,
        tool: e.tool,
        step: e.step + 1,
        cost: 2 * e.cost,
        first: !e.cached,
        total: e.used.in + e.used.out,
        paths: e.paths,
        note: e.note,
      },
    };
    socket.send(JSON.stringify(answer));
  },
};

const server = Bun.serve({
  hostname: "127.0.0.1",
  port,
  fetch(request, server) {
    if (!server.upgrade(request)) return new Response("a WebSocket server", { status: 426 });
  },
  websocket: {
    perMessageDeflate: false,
    idleTimeout: 0,
    message(socket, message) {
      const event = JSON.parse(message);
      handlers[event.type]?.(socket, event.data);
    },
  },
});

process.on("SIGTERM", () => process.exit(0));
console.log(`listening on 127.0.0.1:${server.port}`);
