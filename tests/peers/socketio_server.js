// npm's `socket.io` as a server that our client half has to put up with:
// node socketio_server.js "polling|upgrade|binary"
//
// Reads the mails from stdin, a JSON text a line, then serves them after whatever cursor a client names.
// The first session breaks in the middle, the second is ended by the server, the third serves the rest and
// leaves the goodbye to the client. What happens is told on stdout, a line each.
"use strict";
const fs = require("node:fs");
const http = require("node:http");
const { Server } = require("socket.io");

const tell = (line) => process.stdout.write(line + "\n");
const mode = process.argv[2];
const mails = fs.readFileSync(0, "utf8").trimEnd().split("\n").map((line) => JSON.parse(line));
const third = Math.floor(mails.length / 3);

const server = http.createServer();
const io = new Server(server, {
  transports: mode === "polling" ? ["polling"] : ["polling", "websocket"],
  pingInterval: 50,
  pingTimeout: 20_000,
});

function send(socket, mail, said) {
  if (mode !== "binary") return socket.emit("mail", mail, said);
  const { attachment, ...json } = mail;
  socket.emit("mail", json, Buffer.from(attachment, "base64"), said);
}

/** Up to which mail each session goes, and what comes of it when all is acknowledged. */
const acts = [
  [third, (socket) => socket.conn.close()],
  [2 * third, (socket) => socket.disconnect(true)],
  [mails.length, () => {}],
];

io.on("connection", (socket) => {
  const after = parseInt(socket.handshake.auth.at);
  const { conn } = socket;
  tell(`open ${after} ${conn.transport.name}`);
  socket.on("disconnect", (reason) => tell(`left ${reason}`));
  const first = acts.length === 3;
  const [upto, leave] = acts.shift();
  let answered = 0;
  const serve = () => {
    for (const mail of mails.slice(after, upto)) {
      send(socket, mail, (answer) => {
        tell(`said ${JSON.stringify(answer)} by ${conn.transport.name}`);
        answered += 1;
        if (answered === upto - after) leave(socket);
      });
    }
  };
  // The first does not wait for the WebSocket.
  if (first || mode === "polling") serve();
  else conn.once("upgrade", serve);
});
server.listen(0, "127.0.0.1", () => tell(`port ${server.address().port}`));
