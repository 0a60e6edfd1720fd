// The echo protocol on npm `ws` under Node. NODE_PATH names the folder that `ws` is installed in.
const { WebSocketServer } = require("ws");
const port = Number(process.argv[process.argv.indexOf("--port") + 1]);

const server = new WebSocketServer({
  host: "127.0.0.1",
  port,
  backlog: 1024,
  perMessageDeflate: false,
  maxPayload: 64 * 1024 * 1024,
  clientTracking: false,
});
const room = new Set();
const pub = Buffer.from("pub");
const sub = Buffer.from("sub");
const starts = (data, word) => data.length >= 3 && data.compare(word, 0, 3, 0, 3) === 0;

server.on("connection", (socket) => {
  socket.on("error", () => {});
  socket.on("close", () => room.delete(socket));
  socket.on("message", (data, isBinary) => {
    if (!isBinary && starts(data, pub)) {
      for (const each of room) each.send(data, { binary: false });
    } else if (!isBinary && starts(data, sub)) {
      room.add(socket);
      socket.send("ok");
    } else {
      socket.send(data, { binary: isBinary });
    }
  });
});

process.on("SIGTERM", () => process.exit(0));
server.on("listening", () => console.log(`listening on 127.0.0.1:${server.address().port}`));
