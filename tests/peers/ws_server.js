// npm's `ws` as a server that our client half has to put up with: node ws_server.js
//
// Reads the mails from stdin, a JSON text a line, then serves them after whatever cursor a client
// names. The first connection breaks inside a frame, the second is closed with 1001 after a
// fragmented message, the third pings and then leaves the closing to the client. What happens is
// told on stdout, a line each.
"use strict";
const fs = require("node:fs");
const { WebSocketServer } = require("ws");

const tell = (line) => process.stdout.write(line + "\n");
const mails = fs.readFileSync(0, "utf8").trimEnd().split("\n");
const third = Math.floor(mails.length / 3);

/** A text frame's header for a payload of 126 to 65,535 bytes (RFC 6455, section 5.2). */
function header(length) {
  const bytes = Buffer.from([0x81, 126, 0, 0]);
  bytes.writeUInt16BE(length, 2);
  return bytes;
}

const acts = [
  (socket, tcp, after) => {
    for (const mail of mails.slice(after, third)) socket.send(mail);
    const next = Buffer.from(mails[third]);
    tcp.write(Buffer.concat([header(next.length), next.subarray(0, next.length / 2)]));
    tcp.end();
  },
  (socket, tcp, after) => {
    const [first, ...rest] = mails.slice(after, 2 * third);
    const half = Math.floor(first.length / 2);
    socket.send(first.slice(0, half), { fin: false });
    socket.ping("between fragments");
    socket.send(first.slice(half), { fin: true });
    for (const mail of rest) socket.send(mail);
    socket.close(1001);
  },
  (socket, tcp, after) => {
    socket.ping("still there?", () => {});
    for (const mail of mails.slice(after)) socket.send(mail);
  },
];

const server = new WebSocketServer({
  host: "127.0.0.1",
  port: 0,
  handleProtocols: (offered) => offered.has("mailcall") && "mailcall",
});
server.on("listening", () => tell(`port ${server.address().port}`));
server.on("connection", (socket, request) => {
  const after = Number(new URL(request.url, "ws://localhost").searchParams.get("after"));
  tell(`open ${after}`);
  socket.on("message", (data) => tell(`said ${data}`));
  socket.on("pong", (body) => tell(`pong ${body}`));
  socket.on("close", (code) => tell(`close ${code}`));
  acts.shift()(socket, request.socket, after);
});
