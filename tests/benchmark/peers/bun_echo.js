// The echo protocol on Bun. Rooms are Bun's own topics, whose publishing is native code. `--deflate`: with
// permessage-deflate, one compressor for all connections.
const port = Number(process.argv[process.argv.indexOf("--port") + 1]);
const deflates = process.argv.includes("--deflate");

const server = Bun.serve({
  hostname: "127.0.0.1",
  port,
  fetch(request, server) {
    if (!server.upgrade(request)) return new Response("a WebSocket server", { status: 426 });
  },
  websocket: {
    perMessageDeflate: deflates && { compress: "shared", decompress: "shared" },
    maxPayloadLength: 64 * 1024 * 1024,
    backpressureLimit: 64 * 1024 * 1024,
    idleTimeout: 0,
    message(socket, message) {
      if (typeof message === "string") {
        if (message.startsWith("pub")) {
          server.publish("all", message, deflates);
          return;
        }
        if (message.startsWith("sub")) {
          socket.subscribe("all");
          socket.send("ok");
          return;
        }
      }
      socket.send(message);
    },
  },
});

process.on("SIGTERM", () => process.exit(0));
console.log(`listening on 127.0.0.1:${server.port}`);
