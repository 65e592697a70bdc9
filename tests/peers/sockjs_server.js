// npm's `sockjs` as a server that our client half has to put up with: node sockjs_server.js BLOCKED
//
// BLOCKED lists what it does not have: `websocket`, `streaming`. It reads the mails from stdin, a JSON
// text a line, then sends them after whatever cursor a client names first. The first session breaks with
// all its connections, the second is closed by the server, the third is left to the client. What happens
// is told on stdout, a line each.
"use strict";
const fs = require("node:fs");
const http = require("node:http");
const sockjs = require("sockjs");

const tell = (line) => process.stdout.write(line + "\n");
const blocked = process.argv[2].split(",");
const mails = fs.readFileSync(0, "utf8").trimEnd().split("\n");
const third = Math.floor(mails.length / 3);
const sockets = new Set();
const server = http.createServer();

const acts = [
  { upto: third, end: () => sockets.forEach((socket) => socket.destroy()) },
  { upto: 2 * third, end: (session) => session.close(3000, "Go away!") },
  { upto: mails.length, end: () => {} },
];

const echo = sockjs.createServer({ log: () => {} });
echo.on("connection", (session) => {
  const { upto, end } = acts.shift();
  session.on("data", (data) => {
    if (data.startsWith("after=")) {
      const after = parseInt(data.slice("after=".length));
      tell(`open ${session.protocol} ${after}`);
      for (const mail of mails.slice(after, upto)) session.write(mail);
    } else {
      tell(`said ${data}`);
      if (JSON.parse(data).read === upto) end(session);
    }
  });
});
echo.installHandlers(server, { prefix: "/sockjs", websocket: !blocked.includes("websocket"), heartbeat_delay: 50 });

const answer = server.listeners("request");
server.removeAllListeners("request");
server.on("request", (request, response) => {
  if (blocked.includes("streaming") && request.url.endsWith("/xhr_streaming")) {
    response.writeHead(501);
    response.end();
  } else {
    for (const listener of answer) listener.call(server, request, response);
  }
});
server.on("connection", (socket) => {
  sockets.add(socket);
  socket.on("close", () => sockets.delete(socket));
});
server.listen(0, "127.0.0.1", () => tell(`port ${server.address().port}`));
