// A wire that breaks: connections to a port are passed on for so many bytes, counted in both directions.
import net from 'node:net';

/// `limit()`: of the next connection, in bytes. `cutAfter(bytes)`: of those that there are. `end()` lets nobody through
/// any more.
export async function cutter(port, limit) {
  const wires = new Map();  // to the bytes that are left
  const made = {cuts: 0};
  const server = net.createServer(near => {
    const far = net.connect(port, '127.0.0.1');
    const gone = () => { near.destroy(); far.destroy(); wires.delete(near); };
    const pass = (from, to) => from.on('data', bytes => {
      const part = bytes.subarray(0, wires.get(near));
      wires.set(near, wires.get(near) - part.length);
      if (part.length === bytes.length) return to.write(part);
      ++made.cuts;
      from.pause();
      to.write(part, gone);  // what was let through arrives
    }).on('end', () => to.end()).on('error', gone).on('close', gone);
    wires.set(near, Math.floor(limit()));
    pass(near, far);
    pass(far, near);
  });
  await new Promise(done => server.listen(0, '127.0.0.1', done));
  made.port = server.address().port;
  made.url = `ws://127.0.0.1:${made.port}/`;
  made.cutAfter = bytes => { for (const near of wires.keys()) wires.set(near, bytes); };
  made.end = () => { server.close(); for (const near of wires.keys()) near.destroy(); };
  return made;
}
