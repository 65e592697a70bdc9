// npm's `ws` as a client: node ws_client.js URL
//
// Tells on stdout what happens, a line each, and is told what to do on stdin:
// `close` starts the closing handshake, `oversize` sends more than a server takes.
"use strict";
const readline = require("node:readline");
const WebSocket = require("ws");

const tell = (line) => process.stdout.write(line + "\n");
const socket = new WebSocket(process.argv[2], "mailcall");

/** A binary frame's length, JSON and attachment, put back into the text form. */
function unpack(bytes) {
  const length = bytes.readUInt32BE(0);
  const json = bytes.toString("utf8", 4, 4 + length);
  const attachment = bytes.subarray(4 + length);
  if (attachment.length === 0) return json;
  return `${json.slice(0, -1)},"attachment":"${attachment.toString("base64")}"}`;
}

socket.on("open", () => tell(`open ${socket.protocol}`));
socket.on("ping", () => tell("ping"));
socket.on("error", () => {}); // A close follows, and tells.
socket.on("close", (code) => {
  tell(`close ${code}`);
  process.stdin.destroy(); // Nothing is left to wait for: node ends.
});
socket.on("message", (data, isBinary) => {
  const text = isBinary ? unpack(data) : data.toString("utf8");
  const message = JSON.parse(text);
  if ("gap" in message) return tell(`gap ${message.gap}`);
  tell(`mail ${text}`);
  socket.send(JSON.stringify({ read: message.id }));
});

readline.createInterface({ input: process.stdin }).on("line", (order) => {
  if (order === "close") socket.close(1000);
  if (order === "oversize") socket.send(Buffer.alloc(1 << 20));
});
