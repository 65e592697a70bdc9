// npm's `sockjs-client`: node sockjs_client.js URL#TRANSPORT
//
// Without a transport it finds one by itself. It says what it has seen when a session opens, and answers
// each mail. What breaks it opens again. It tells on stdout what happens, a line each, and is told what
// to do on stdin: `close` ends the session in order.
"use strict";
const readline = require("node:readline");
const SockJS = require("sockjs-client");

const tell = (line) => process.stdout.write(line + "\n");
const [url, transport] = process.argv[2].split("#");
let cursor = 0, socket, over = false;

(function connect() {
  socket = new SockJS(url, null, transport ? { transports: [transport] } : {});
  socket.onopen = () => {
    tell(`open ${socket.transport}`);
    socket.send(JSON.stringify({ after: cursor }));
  };
  socket.onmessage = ({ data }) => {
    const message = JSON.parse(data);
    if ("gap" in message) return tell(`gap ${message.gap}`);
    tell(`mail ${data}`);
    cursor = message.id;
    socket.send(JSON.stringify({ read: cursor }));
  };
  socket.onheartbeat = () => tell("heartbeat");
  socket.onclose = ({ code, reason }) => {
    if (over || code === 3000) {
      tell(`close ${code} ${reason}`);
      process.stdin.destroy(); // Nothing is left to wait for: node ends.
    } else {
      tell(`again ${code}`);
      setTimeout(connect, 20);
    }
  };
})();

readline.createInterface({ input: process.stdin }).on("line", (order) => {
  if (order === "close") {
    over = true;
    socket.close();
  }
});
