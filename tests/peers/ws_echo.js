// npm's `ws` against a server that echoes: node ws_echo.js URL
//
// Sends messages of every kind and tells on stdout what came back, a line each: the type, the length and
// whether it is what was sent; the pongs, too.
"use strict";
const WebSocket = require("ws");

const tell = (line) => process.stdout.write(line + "\n");
const socket = new WebSocket(process.argv[2]);
const sent = [];

/** Sends a message in pieces, with a ping behind each but the last. */
function say(data, pieces = 1) {
  sent.push(data);
  const size = Math.ceil(data.length / pieces);
  for (let n = 0; n < pieces; n++) {
    const last = n === pieces - 1;
    socket.send(data.slice(n * size, last ? data.length : (n + 1) * size), { fin: last });
    if (!last) socket.ping(String(n));
  }
}

socket.on("open", () => {
  say("");
  say(Buffer.alloc(0));
  say("κόσμε 📨");
  say(Buffer.from(Array.from({ length: 256 }, (_, n) => n)));
  say("in pieces ".repeat(20), 5);
  say(Buffer.alloc(70_000, "bytes"), 3);
  say("*".repeat(2 ** 20));
  say(Buffer.alloc(2 ** 22, 0xff));
});
socket.on("pong", (data) => tell(`pong ${data}`));
socket.on("message", (data, isBinary) => {
  const said = sent.shift();
  const type = isBinary ? "binary" : "text";
  const same = isBinary === Buffer.isBuffer(said) && data.equals(Buffer.from(said));
  tell(`${type} ${data.length} ${same ? "as sent" : "not as sent"}`);
  if (sent.length === 0) socket.close(1000, "that was all");
});
socket.on("close", (code, reason) => tell(`close ${code} ${reason}`));
