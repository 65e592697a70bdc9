// What stompjs's own specs ask of a broker, in words of ours: node stomp_specs.js URL
//
// Tells on stdout which of them holds, a line each, and `done` behind the last.
"use strict";
const { Client } = require("@stomp/stompjs");
globalThis.WebSocket = require("ws");

const tell = (line) => process.stdout.write(line + "\n");
const url = process.argv[2];
const topic = "/topic/chat.general";

const text = (kib) => "abcdefgh".repeat(kib * 128);
const octets = (kib) => Uint8Array.from({ length: kib * 1024 }, (_, n) => n & 255);
const login = { login: "guest", passcode: "guest" };

/** A client that is connected. */
function connected(options) {
  return new Promise((resolve, reject) => {
    const client = new Client({ brokerURL: url, reconnectDelay: 0, connectHeaders: login, ...options });
    client.onConnect = () => resolve(client);
    client.onStompError = (frame) => reject(new Error(frame.headers.message));
    client.activate();
  });
}

/** The first message that comes of what is published once the subscription is confirmed. */
function echo(client, parameters, destination = topic) {
  return new Promise((resolve) => {
    const subscription = client.subscribe(
      destination,
      (message) => {
        subscription.unsubscribe();
        resolve(message);
      },
      { receipt: "subscribed" },
    );
    client.watchForReceipt("subscribed", () => client.publish({ destination, ...parameters }));
  });
}

const same = (a, b) => Buffer.from(a).equals(Buffer.from(b));

const specs = {
  "text": async (c) => (await echo(c, { body: "Is anybody out there?" })).body === "Is anybody out there?",
  "non-ASCII": async (c) => (await echo(c, { body: "Älä sinä yhtään" })).body === "Älä sinä yhtään",
  "binary": async (c) => same((await echo(c, { binaryBody: octets(1) })).binaryBody, octets(1)),
  "without content-length": async (c) =>
    (await echo(c, { body: "Hello, world", skipContentLengthHeader: true })).body === "Hello, world",
  "large text": async (c) => (await echo(c, { body: text(1023) })).body === text(1023),
  "large binary": async (c) => same((await echo(c, { binaryBody: octets(1023) })).binaryBody, octets(1023)),
  "special characters": async (c) => {
    const cust = "f:o:o\nbar\rbaz\\foo\nbar\rbaz\\";
    return (await echo(c, { body: "", headers: { cust } })).headers.cust === cust;
  },
  "a receipt for sending": (c) =>
    new Promise((resolve) => {
      c.watchForReceipt("sent", () => resolve(true));
      c.publish({ destination: topic, body: "", headers: { receipt: "sent" } });
    }),
  "committed": async (c) => {
    const message = new Promise((resolve) => {
      const subscription = c.subscribe(topic, (m) => (subscription.unsubscribe(), resolve(m.body)));
    });
    const transaction = c.begin();
    c.publish({ destination: topic, body: "in", headers: { transaction: transaction.id } });
    transaction.commit();
    return (await message) === "in";
  },
  "aborted": async (c) => {
    const message = new Promise((resolve) => {
      const subscription = c.subscribe(topic, (m) => (subscription.unsubscribe(), resolve(m.body)));
    });
    const transaction = c.begin("mine");
    c.publish({ destination: topic, body: "in", headers: { transaction: transaction.id } });
    transaction.abort();
    c.publish({ destination: topic, body: "out" });
    return (await message) === "out";
  },
  "refused, then taken by the other": async (c) => {
    const other = await connected();
    const [seen, there] = [[], []];
    const taken = new Promise((resolve) => {
      for (const client of [c, other]) {
        const take = (message) => {
          seen.push(client);
          if (seen.length < 3) return message.nack();
          message.ack();
          resolve();
        };
        there.push(new Promise((subscribed) => client.watchForReceipt("there", subscribed)));
        client.subscribe("/queue/refused", take, { id: "refused", ack: "client", receipt: "there" });
      }
    });
    await Promise.all(there);
    c.publish({ destination: "/queue/refused", body: "" });
    await taken;
    await other.deactivate();
    c.unsubscribe("refused");
    return seen[0] === seen[2] && seen[0] !== seen[1];
  },
  "dropped, then taken by the other": async (c) => {
    const [first, second] = [await connected(), await connected()];
    const again = new Promise((resolve) => {
      let count = 0;
      for (const client of [first, second]) {
        const take = (message) => {
          if (++count === 1) return client.deactivate();
          message.ack();
          resolve(message.headers.redelivered);
        };
        client.subscribe("/queue/dropped", take, { ack: "client" });
      }
    });
    c.publish({ destination: "/queue/dropped", body: "" });
    const redelivered = await again;
    await Promise.all([first.deactivate(), second.deactivate()]);
    return redelivered === "true";
  },
  "bad credentials": () =>
    connected({ connectHeaders: { ...login, passcode: "bad-passcode" } }).then(
      () => false,
      () => true,
    ),
  "every frame binary": async () => {
    const client = await connected({ forceBinaryWSFrames: true });
    const body = (await echo(client, { body: "bytes" })).body;
    await client.deactivate();
    return body === "bytes";
  },
  "split over messages": async () => {
    const client = await connected({ splitLargeFrames: true });
    const body = (await echo(client, { body: text(20) })).body;
    await client.deactivate();
    return body === text(20);
  },
  "heart-beats missing": async () => {
    const client = await connected({ heartbeatIncoming: 0, heartbeatOutgoing: 1000 });
    const send = client.webSocket.send.bind(client.webSocket);
    client.webSocket.send = (data) => data.length > 1 && send(data);
    return new Promise((resolve) => (client.onWebSocketClose = () => resolve(true)));
  },
  "heart-beats of ours": async () => {
    const client = await connected({ heartbeatIncoming: 1000, heartbeatOutgoing: 0 });
    const beat = await new Promise((resolve) => {
      const on = client.webSocket.onmessage;
      client.webSocket.onmessage = (event) => {
        if (String(event.data).length === 1) resolve(true);
        on(event);
      };
      client.onWebSocketClose = () => resolve(false);
    });
    await client.deactivate();
    return beat;
  },
};

(async () => {
  const client = await connected();
  for (const [name, holds] of Object.entries(specs)) {
    tell(`${(await holds(client)) ? "holds" : "fails"}: ${name}`);
  }
  await client.deactivate();
  tell("done");
})();
