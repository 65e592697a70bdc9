// npm's `@stomp/stompjs` as a client: node stomp_client.js URL
//
// The URL is a WebSocket's, or SockJS's with the transport behind a hash: http://…/stomp-sockjs#xhr-polling.
// Tells on stdout what happens, a line each, and is told what to do on stdin: `close` leaves in order.
// When its connection breaks it connects again, and subscribes behind the last mail it has.
"use strict";
const readline = require("node:readline");
const { Client } = require("@stomp/stompjs");

const tell = (line) => process.stdout.write(line + "\n");
const [url, transport] = process.argv[2].split("#");
let cursor = 0;

/** A binary body's length, JSON and attachment, put back into the text form. */
function unpack(body) {
  const bytes = Buffer.from(body);
  const length = bytes.readUInt32BE(0);
  const json = bytes.toString("utf8", 4, 4 + length);
  const attachment = bytes.subarray(4 + length);
  if (attachment.length === 0) return json;
  return `${json.slice(0, -1)},"attachment":"${attachment.toString("base64")}"}`;
}

const client = new Client({
  reconnectDelay: 20,
  heartbeatIncoming: 1000,
  heartbeatOutgoing: 1000,
  onConnect: () => {
    tell(`open ${client.connectedVersion}`);
    client.subscribe("/topic/inbox", take, { id: "sub-0", after: String(cursor) });
  },
  onStompError: (frame) => tell(`error ${frame.headers.message}`),
  onWebSocketClose: (event) => {
    if (client.active) return tell("lost");
    tell(`close ${event.code}`);
    process.stdin.destroy(); // Nothing is left to wait for: node ends.
  },
});

function take(message) {
  const isBinary = message.headers["content-type"] === "application/octet-stream";
  const text = isBinary ? unpack(message.binaryBody) : message.body;
  const mail = JSON.parse(text);
  if ("gap" in mail) return tell(`gap ${mail.gap}`);
  cursor = mail.id;
  tell(`mail ${text}`);
  client.publish({ destination: "/app/read", body: JSON.stringify({ read: mail.id }) });
}

if (transport) {
  const SockJS = require("sockjs-client");
  client.webSocketFactory = () => new SockJS(url, null, { transports: [transport] });
} else {
  globalThis.WebSocket = require("ws");
  client.brokerURL = url;
}

readline.createInterface({ input: process.stdin }).on("line", (order) => {
  if (order === "close") client.deactivate();
});
client.activate();
