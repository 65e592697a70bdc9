// npm's `socket.io-client` against a server that echoes: node socketio_echo.js "polling|websocket|upgrade URL"
//
// Tries what Socket.IO adds and tells on stdout what came of it, a line each.
"use strict";
const { io } = require("socket.io-client");

const tell = (what, ...values) => process.stdout.write(`${what} ${JSON.stringify(values)}\n`);
const [mode, url] = process.argv[2].split(" ");
const transports = mode === "upgrade" ? ["polling", "websocket"] : [mode];
const open = (namespace, auth) => io(url + namespace, { transports, auth, reconnection: false });
const next = (socket, event) => new Promise((resolve) => socket.once(event, (...values) => resolve(values)));

async function main() {
  const socket = open("/", { token: "123" });
  tell("auth", ...(await next(socket, "auth")));
  if (mode === "upgrade" && socket.io.engine.transport.name === "polling") await next(socket.io.engine, "upgrade");
  tell("transport", socket.io.engine.transport.name);

  socket.emit("message", 1, "2", { 3: [true], "é": null });
  tell("message", ...(await next(socket, "message-back")));
  socket.emit("message", Buffer.from([1, 2, 3]), { deep: Buffer.from("four") });
  const [bytes, { deep }] = await next(socket, "message-back");
  tell("binary", [...bytes], deep.toString());
  const acked = await new Promise((resolve) => socket.emit("message-with-ack", 1, "x", (...values) => resolve(values)));
  tell("ack", ...acked);
  const [attached] = await socket.emitWithAck("message-with-ack", Buffer.from([9]), 1).then((value) => [value]);
  tell("binary ack", [...attached]);
  // The acknowledgement may overtake the answer to the POST that asked for it; until that has come the
  // client drops what is volatile.
  while (!socket.io.engine.transport.writable) await next(socket.io.engine, "drain");
  socket.volatile.emit("message", "volatile");
  tell("volatile", ...(await next(socket, "message-back")));

  const custom = open("/custom");
  tell("custom auth", ...(await next(custom, "auth")));
  custom.emit("message", "there");
  tell("custom", ...(await next(custom, "message-back")));
  const refused = open("/random");
  const [error] = await next(refused, "connect_error");
  tell("refused", error.message);
  custom.disconnect();
  socket.emit("message", "still here");
  tell("main", ...(await next(socket, "message-back")));
  socket.disconnect();
}

main();
