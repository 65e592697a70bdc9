// npm's `ws` as a server that sends one mail to all its clients for each byte on stdin:
// node node.js SIZE
"use strict";
const { WebSocketServer } = require("ws");

const mail = "m".repeat(Number(process.argv[2]));
const server = new WebSocketServer({ host: "127.0.0.1", port: 0 });
server.on("listening", () => console.log(server.address().port));
process.stdin.on("data", (bytes) => {
  for (let i = 0; i < bytes.length; i++) {
    for (const socket of server.clients) socket.send(mail);
  }
});
process.stdin.on("end", () => process.exit());
