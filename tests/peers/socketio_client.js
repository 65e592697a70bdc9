// npm's `socket.io-client`: node socketio_client.js "polling|websocket|upgrade URL"
//
// Reconnects by itself and names its cursor when it does. Tells on stdout what happens, a line each, and
// leaves when its stdin says `close`.
"use strict";
const readline = require("node:readline");
const { io } = require("socket.io-client");

const tell = (line) => process.stdout.write(line + "\n");
const [mode, url] = process.argv[2].split(" ");
let cursor = 0;

const socket = io(url, {
  transports: mode === "upgrade" ? ["polling", "websocket"] : [mode],
  auth: (answer) => answer({ after: cursor }),
  reconnectionDelay: 20,
  reconnectionDelayMax: 40,
});
socket.on("connect", () => {
  const engine = socket.io.engine;
  tell(`open ${engine.transport.name}`);
  engine.once("upgrade", (transport) => tell(`upgraded ${transport.name}`));
});
socket.on("gap", ({ gap }) => {
  cursor += gap;
  tell(`gap ${gap}`);
});
socket.on("mail", (mail, ...rest) => {
  const acknowledge = rest.at(-1);
  if (Buffer.isBuffer(rest[0])) mail.attachment = rest[0].toString("base64");
  cursor = mail.id;
  tell(`mail ${JSON.stringify(mail)}`);
  if (typeof acknowledge === "function") acknowledge({ read: mail.id });
});
socket.on("disconnect", (reason) => tell(`left ${reason}`));

readline.createInterface({ input: process.stdin }).on("line", (order) => {
  if (order !== "close") return;
  socket.disconnect();
  process.stdin.destroy();
});
