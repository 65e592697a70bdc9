// node's own HTTP/2 client: node http2_client.js ORIGIN
//
// Keeps one connection, and opens another when that is gone. Told what to do on stdin, a line each:
// `get TARGET`, `post JSON`, `follow TARGET [LAST-EVENT-ID]`, `ws TARGET`, `crowd N TARGET UPTO`,
// `goodbye` (the closing handshake of the WebSocket). Tells on stdout what happens, a line each.
"use strict";
const http2 = require("node:http2");
const readline = require("node:readline");
const { createParser } = require("eventsource-parser");
const { Receiver, Sender } = require("ws");

const [origin] = process.argv.slice(2);
const tell = (line) => process.stdout.write(line + "\n");
let session, socket;

/** The connection, once its settings are known: only they allow a WebSocket (RFC 8441, section 3). */
async function connected() {
  if (!session || session.closed || session.destroyed) {
    session = http2.connect(origin);
    session.on("error", (error) => tell(`error ${error.code}`));
    session.on("goaway", (code) => tell(`goaway ${code}`));
    await new Promise((resolve) => {
      session.once("remoteSettings", resolve);
      session.once("close", resolve);
    });
  }
  return session;
}

/** Opens a stream; resolves to it and the head of its answer, to nothing if it breaks before. */
async function open(fields, body) {
  const connection = await connected();
  if (connection.destroyed) return [];
  const stream = connection.request(fields, { endStream: body === undefined });
  stream.on("error", () => {}); // A close follows.
  if (typeof body === "string") stream.end(body);
  const head = await new Promise((resolve) => {
    stream.once("response", resolve);
    stream.once("close", resolve);
  });
  return typeof head === "object" ? [stream, head] : [];
}

/** Resolves once a stream is over, to whether that was in order. */
function over(stream) {
  let ended = false;
  stream.on("end", () => (ended = true));
  return new Promise((resolve) => stream.once("close", () => resolve(ended && stream.rstCode === 0)));
}

async function ask(fields, body) {
  const [stream, head] = await open(fields, body);
  if (!stream) return tell("broken");
  const pieces = [];
  stream.on("data", (piece) => pieces.push(piece));
  if (!(await over(stream))) return tell("broken");
  const text = Buffer.concat(pieces).toString("utf8");
  if (head[":status"] === 200) for (const mail of JSON.parse(text)) tell(`mail ${JSON.stringify(mail)}`);
  tell(`answer ${head[":status"]}`);
}

/** Follows an event stream; what each event is goes to `hear`. Resolves to how it ended. */
async function events(target, last, hear) {
  const fields = { ":path": target, accept: "text/event-stream" };
  const [stream] = await open(last ? { ...fields, "last-event-id": last } : fields);
  if (!stream) return "broken";
  const parser = createParser({ onEvent: (event) => hear(event, stream) });
  stream.setEncoding("utf8").on("data", (text) => parser.feed(text));
  return (await over(stream)) ? "ended" : "broken";
}

async function follow(target, last) {
  const end = await events(target, last, ({ id, data }) => {
    tell(id.split(".")[0] === String(JSON.parse(data).id) ? `mail ${data}` : `wrong id ${id}`);
  });
  tell(end);
}

/** Many event streams on the one connection, each until mail `upto`, in order. */
async function crowd(number, target, upto) {
  await connected();
  const one = async () => {
    let seen = 0;
    const end = await events(target, undefined, ({ id }, stream) => {
      if (Number(id.split(".")[0]) !== ++seen) tell(`wrong id ${id}`);
      if (seen === Number(upto)) stream.close();
    });
    return seen === Number(upto) || tell(`wrong end ${end}`);
  };
  const all = await Promise.all(Array.from({ length: Number(number) }, one));
  tell(`crowd ${all.filter(Boolean).length}`);
}

/** A WebSocket on one stream (RFC 8441, section 5), its frames read and written by npm's `ws`. */
async function webSocket(target) {
  const [stream, head] = await open(
    {
      ":method": "CONNECT",
      ":protocol": "websocket",
      ":path": target,
      "sec-websocket-version": "13",
      "sec-websocket-protocol": "mailcall",
      origin,
    },
    null,
  );
  if (!stream || head[":status"] !== 200) {
    if (stream) stream.close();
    return tell(stream ? `refused ${head[":status"]}` : "close 1006");
  }
  const receiver = new Receiver({ isServer: false });
  socket = new Sender(stream);
  let code = 1006;
  receiver.on("message", (data) => {
    tell(`mail ${data}`);
    socket.send(JSON.stringify({ read: JSON.parse(data).id }), { fin: true, mask: true });
  });
  receiver.on("ping", (data) => socket.pong(data, true));
  receiver.on("conclude", (heard) => {
    code = heard;
    socket.close(heard, undefined, true, () => stream.end());
  });
  receiver.on("error", (error) => tell(`wrong frame ${error.message}`));
  stream.pipe(receiver);
  stream.on("close", () => tell(`close ${code}`));
  tell(`open ${head["sec-websocket-protocol"]}`);
}

const orders = {
  get: (target) => ask({ ":path": target }),
  post: (json) => ask({ ":method": "POST", ":path": "/read", "content-type": "application/json" }, json),
  follow,
  crowd,
  ws: webSocket,
  goodbye: () => socket.close(1000, undefined, true),
};

const lines = readline.createInterface({ input: process.stdin });
lines.on("line", (line) => {
  const [order, ...words] = line.split(" ");
  orders[order](...words);
});
lines.on("close", () => session?.destroy());
